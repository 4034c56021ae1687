//! Server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>), as far as they
//! are used here.

/// Longer messages are not taken.
const MOST_BYTES: usize = 256 << 20;

/// Finds the messages in a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct EventStream {
    /// The line that is not complete.
    line: Vec<u8>,
    /// Whether the last line ended in `\r`: a `\n` that comes next belongs to it.
    after_carriage_return: bool,
    name: String,
    data: String,
}

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Its type; `message` if it has none.
    pub(super) name: String,
    pub(super) data: String,
}

/// A message over 256 MiB.
#[derive(Debug)]
pub(super) struct TooLong;

impl std::fmt::Display for TooLong {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "a message of the server is over the limit of {MOST_BYTES} bytes"
        )
    }
}

impl std::error::Error for TooLong {}

impl EventStream {
    /// Takes bytes and returns the messages that are complete.
    ///
    /// # Errors
    ///
    /// If one is too long.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Message>, TooLong> {
        let mut messages = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' if std::mem::take(&mut self.after_carriage_return) => {}
                b'\n' | b'\r' => {
                    self.after_carriage_return = *byte == b'\r';
                    messages.extend(self.end_line());
                }
                byte => {
                    self.after_carriage_return = false;
                    self.line.push(*byte);
                }
            }
        }
        if self.line.len() + self.data.len() > MOST_BYTES {
            return Err(TooLong);
        }
        Ok(messages)
    }

    fn end_line(&mut self) -> Option<Message> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let mut data = std::mem::take(&mut self.data);
            // Each line of data has ended in a line feed; without any there is no message.
            data.pop()?;
            let name = if name.is_empty() {
                "message".to_owned()
            } else {
                name
            };
            return Some(Message { name, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            // Comments, and what is not used.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_the_bytes_come() {
        let stream = ": comment\n\nevent: view\r\ndata: {\"a\":\r\ndata: \"é\"}\r\n\r\ndata\n\nevent: x\n\ndata:y\r\r";
        let message = |name: &str, data: &str| Message {
            name: name.to_owned(),
            data: data.to_owned(),
        };
        let expected = [
            message("view", "{\"a\":\n\"é\"}"),
            message("message", ""),
            message("message", "y"),
        ];
        for size in 1..stream.len() {
            let mut events = EventStream::default();
            let chunks = stream.as_bytes().chunks(size);
            let found: Vec<_> = chunks
                .flat_map(|chunk| events.push(chunk).unwrap())
                .collect();
            assert_eq!(found, expected, "{size}");
        }
    }
}
