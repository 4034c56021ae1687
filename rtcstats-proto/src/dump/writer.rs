//! Writes a dump (Jitsi spec, section 9).

use std::io::{Result, Write};

use crate::ClientType;
use crate::jitsi::{ConnectionInfo, Message};

/// Writes the lines of one session.
///
/// ```
/// use rtcstats_proto::dump::Writer;
/// use rtcstats_proto::jitsi::{ConnectionInfo, Message};
///
/// let info = ConnectionInfo { client_protocol: "3.1_STANDARD".to_owned(), ..ConnectionInfo::default() };
/// let mut writer = Writer::new(Vec::new(), &info, 1_700_000_000_000.0)?;
/// let message = Message::parse(r#"{"statsSessionId":"s","type":"identity","data":["identity",null,{},1,1]}"#)?;
/// writer.write_message(&message, 1_700_000_000_001.0)?;
/// let dump = String::from_utf8(writer.into_inner())?;
/// assert!(dump.ends_with("\n[\"identity\",null,{},1,1]\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    client_type: ClientType,
    line: String,
}

impl<W: Write> Writer<W> {
    /// Begins a dump with its header line. `timestamp` is the server's time in Unix epoch
    /// milliseconds.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn new(output: W, info: &ConnectionInfo, timestamp: f64) -> Result<Self> {
        let mut writer = Self {
            output,
            client_type: info.client_type(),
            line: String::new(),
        };
        writer.line = info.to_line(timestamp);
        writer.flush_line()?;
        Ok(writer)
    }

    /// Writes the line that is kept of a message, and tells whether there is one.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn write_message(&mut self, message: &Message<'_>, timestamp: f64) -> Result<bool> {
        let written = message.append_line(self.client_type, timestamp, &mut self.line);
        if written {
            self.flush_line()?;
        }
        Ok(written)
    }

    fn flush_line(&mut self) -> Result<()> {
        self.line.push('\n');
        let result = self.output.write_all(self.line.as_bytes());
        self.line.clear();
        result
    }

    /// Gives the output back.
    pub fn into_inner(self) -> W {
        self.output
    }
}
