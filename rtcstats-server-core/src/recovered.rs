//! What a log tells of its session after a restart.

use std::io::{self, BufRead};

use rtcstats_proto::dump::line_text;
use rtcstats_proto::jitsi::ConnectionInfo;
use rtcstats_proto::{ClientType, Event, Generation, Method, RawJson, sequence_number_of};

use crate::header::{generation_of, is_close_line, is_head, start_of};
use crate::{DumpName, Identifiers, SessionFacts};

/// What is known of a session from its journal, after a restart.
///
/// What only a socket knew is lost: how often its client came back, and what a token said.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// Its name.
    pub name: DumpName,
    /// How its client speaks, as the head of its dump says.
    pub generation: Generation,
    /// Its client, as the head says.
    pub client_type: ClientType,
    /// The number of the last line that has one; 0 for none.
    pub sequence_number: u64,
    /// Bytes of the log.
    pub bytes: u64,
    /// What its lines tell.
    pub facts: SessionFacts,
    /// Whether its last line is the one that ends it. Nothing follows it.
    pub is_closed: bool,
    /// When it was last appended to, in Unix epoch milliseconds; of a legacy client not before its
    /// last event, since some file systems know the time of a change only roughly.
    pub modified_ms: f64,
    lines: u64,
}

impl Recovered {
    /// Reads through a log. `modified_ms` is when it was last appended to.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn read(name: DumpName, mut log: impl BufRead, modified_ms: f64) -> io::Result<Self> {
        let mut recovered = Self::begin(name, modified_ms);
        let mut line = Vec::new();
        loop {
            line.clear();
            if log.read_until(b'\n', &mut line)? == 0 {
                return Ok(recovered);
            }
            recovered.push(&line);
        }
    }

    /// What is known before the first line.
    pub(crate) fn begin(name: DumpName, modified_ms: f64) -> Self {
        Self {
            name,
            generation: Generation::Jitsi,
            client_type: ClientType::Unsupported,
            sequence_number: 0,
            bytes: 0,
            facts: SessionFacts::default(),
            is_closed: false,
            modified_ms,
            lines: 0,
        }
    }

    /// Takes a line with its terminator.
    pub(crate) fn push(&mut self, line: &[u8]) {
        self.take(self.lines, line_text(line).trim_end_matches('\n'));
        self.bytes += line.len() as u64;
        self.lines += 1;
    }

    fn take(&mut self, index: u64, line: &str) {
        if index == 0 {
            self.generation = generation_of(line);
        }
        if is_head(self.generation, index, line) {
            return self.take_header(line);
        }
        let generation = self.generation;
        // Of an upload, lines are counted and nobody is waiting for acknowledgements.
        if generation == Generation::Jitsi && !self.name.is_upload() {
            let number = sequence_number_of(line).filter(|_| self.client_type.is_browser());
            self.facts.count(self.sequence_number, number);
            self.sequence_number = number.unwrap_or(self.sequence_number);
            return;
        }
        self.facts.count(0, None);
        match RawJson::parse(line) {
            Ok(event) if generation == Generation::Legacy => {
                let time = event.elements().last().and_then(RawJson::as_number);
                self.modified_ms = self.modified_ms.max(time.unwrap_or_default());
            }
            Ok(_) => {}
            Err(_) => self.facts.malformed += 1,
        }
        self.is_closed = is_close_line(line);
        if let Some(identifiers) = Identifiers::of_line(generation, line) {
            self.facts.identifiers.merge(*identifiers);
        }
    }

    fn take_header(&mut self, line: &str) {
        if self.generation == Generation::Jitsi {
            self.take_connection_info(line.trim_end());
        } else if line.starts_with('{')
            && let Some(start) = start_of(line)
        {
            self.facts.started_ms = start;
        }
    }

    fn take_connection_info(&mut self, line: &str) {
        let Ok(event) = Event::parse(line) else {
            return;
        };
        if event.method() == Some(Method::ConnectionInfo)
            && let Ok(info) = ConnectionInfo::from_payload(event.payload())
        {
            self.client_type = info.client_type();
            self.facts.started_ms = event.timestamp().unwrap_or_default() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use rtcstats_proto::jitsi::SessionId;

    use super::*;

    fn read(log: &str) -> Recovered {
        let name = "s".parse().unwrap();
        Recovered::read(name, log.as_bytes(), 7.0).unwrap()
    }

    #[test]
    fn the_head_tells_the_generation_and_the_start() {
        let jitsi = "[\"connectionInfo\",null,{\"clientProtocol\":\"3.1_STANDARD\"},5]\n[\"e\",null,1,1700000000000,3]\n";
        let read_back = read(jitsi);
        assert_eq!(read_back.generation, Generation::Jitsi);
        assert_eq!(read_back.client_type, ClientType::Rtcstats);
        assert_eq!((read_back.sequence_number, read_back.facts.events), (3, 1));
        assert_eq!(
            (read_back.facts.started_ms, read_back.bytes),
            (5, jitsi.len() as u64)
        );

        let rtcstats = "RTCStatsDump\n{\"startTime\":5,\"fileFormat\":3}\n[1]\nno\n";
        let read_back = read(rtcstats);
        assert_eq!(read_back.generation, Generation::Rtcstats);
        assert_eq!((read_back.facts.events, read_back.facts.malformed), (2, 1));
        assert_eq!(
            (read_back.facts.started_ms, read_back.is_closed),
            (5, false)
        );
        assert!(read(&format!("{rtcstats}[\"close\",null,1000,5]\n")).is_closed);

        let legacy = "{\"time\":5,\"fileFormat\":2}\n[\"publicIP\",null,[],5]\n[\"identity\",null,{\"user\":\"u\"},6]\n";
        let read_back = read(legacy);
        assert_eq!(read_back.generation, Generation::Legacy);
        assert_eq!((read_back.facts.events, read_back.facts.started_ms), (1, 5));
        assert_eq!(read_back.facts.identifiers.user.as_deref(), Some("u"));
        assert_eq!(read_back.modified_ms, 7.0);
        assert_eq!(read(&legacy.replace(",6]", ",8]")).modified_ms, 8.0);
    }

    #[test]
    fn an_upload_has_no_gaps_between_numbers() {
        let log = "[\"connectionInfo\",null,{\"clientProtocol\":\"3.1_STANDARD\"},5]\n[\"e\",null,1,1700000000000,3]\n[\"e\",null,1,1700000000000,9]\n";
        let session = SessionId::new("s").unwrap();
        let upload = Recovered::read(DumpName::upload(session), log.as_bytes(), 7.0).unwrap();
        let facts = &upload.facts;
        assert_eq!((facts.events, facts.gap_count), (2, 0));
        assert_eq!(facts.continues_from, None);
        assert_eq!(read(log).facts.gap_count, 1);
    }

    #[test]
    fn a_head_that_was_cut_off_has_no_events() {
        for log in [
            "RTCStatsDump\n",
            "RTCStatsDump\n{}\n",
            "{\"fileFormat\":2}\n",
            "",
        ] {
            assert_eq!(read(log).facts.events, 0, "{log}");
        }
    }
}
