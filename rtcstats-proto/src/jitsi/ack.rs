//! The one message that a server sends (section 3).

use serde::Deserialize;

use crate::RawJson;

/// `{"type":"sn","body":{"value":…,"state":"initial"}}`: the last sequence number the server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceNumberMessage {
    /// The last number that was stored durably; 0 for none.
    pub value: u64,
    /// Whether this is the first message of a connection. A client sends nothing before it, and
    /// on it sends all that is not acknowledged once more.
    pub initial: bool,
}

impl SequenceNumberMessage {
    /// The message that opens a connection.
    pub fn initial(value: u64) -> Self {
        Self {
            value,
            initial: true,
        }
    }

    /// A later acknowledgement.
    pub fn acknowledgement(value: u64) -> Self {
        Self {
            value,
            initial: false,
        }
    }

    /// The text of the frame.
    ///
    /// ```
    /// use rtcstats_proto::jitsi::SequenceNumberMessage;
    /// let text = SequenceNumberMessage::acknowledgement(120).to_json();
    /// assert_eq!(text, r#"{"type":"sn","body":{"value":120}}"#);
    /// ```
    pub fn to_json(self) -> String {
        let state = if self.initial {
            r#","state":"initial""#
        } else {
            ""
        };
        format!(
            r#"{{"type":"sn","body":{{"value":{}{state}}}}}"#,
            self.value
        )
    }

    /// Reads a frame as a client does; `None` if it is another message or malformed.
    pub fn parse(frame: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Frame<'a> {
            r#type: &'a str,
            body: Body<'a>,
        }
        #[derive(Deserialize)]
        struct Body<'a> {
            value: u64,
            state: Option<&'a str>,
        }
        let frame: Frame<'_> = RawJson::parse(frame).ok()?.deserialize().ok()?;
        (frame.r#type == "sn").then_some(Self {
            value: frame.body.value,
            initial: frame.body.state == Some("initial"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for message in [
            SequenceNumberMessage::initial(0),
            SequenceNumberMessage::acknowledgement(9),
        ] {
            assert_eq!(
                SequenceNumberMessage::parse(&message.to_json()),
                Some(message)
            );
        }
        assert_eq!(
            SequenceNumberMessage::parse(r#"{"type":"x","body":{"value":1}}"#),
            None
        );
    }
}
