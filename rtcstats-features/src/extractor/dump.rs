//! Feeds whole dumps and exports.

use std::io::BufRead;

use rtcstats_proto::delta::Strictness;
use rtcstats_proto::dump::{Internals, LineReader};

use super::{ExtractError, Extractor};
use crate::Fold;

/// Reads a dump to its end.
///
/// Unless the extractor is [strict](Extractor::with_strictness), lines that are not taken are
/// skipped and [counted](Extractor::counters), and a torn last line is dropped. If it is strict,
/// reading stops at the first line on which existing extractors fail, a torn one included.
///
/// ```
/// use rtcstats_features::jitsi::JitsiFold;
/// use rtcstats_features::{Extractor, extract};
/// use rtcstats_proto::dump::LineReader;
///
/// let dump = "[\"connectionInfo\",null,{\"clientProtocol\":\"3.1_STANDARD\"},1]\n[\"close\",\"PC";
/// let mut extractor = Extractor::new(JitsiFold::new("a-session"));
/// extract(LineReader::new(dump.as_bytes()), &mut extractor)?;
/// assert_eq!((extractor.counters().errors, extractor.counters().torn), (0, 1));
/// # Ok::<(), rtcstats_features::ExtractError>(())
/// ```
///
/// # Errors
///
/// Those of the input; if strict, those of the lines.
pub fn extract<R: BufRead, F: Fold>(
    mut dump: LineReader<R>,
    extractor: &mut Extractor<F>,
) -> Result<(), ExtractError> {
    let is_strict = extractor.strictness == Strictness::Strict;
    loop {
        let line = match dump.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(error) => {
                return Err(ExtractError {
                    line: extractor.counters.lines + 1,
                    kind: error.into(),
                });
            }
        };
        extractor.counters.lines += 1;
        let result = match line.read(&mut extractor.reader) {
            Ok(event) => extractor.apply_read(event),
            Err(error) => {
                extractor.counters.torn += u64::from(error.is_torn());
                if error.is_torn() && !is_strict {
                    continue;
                }
                Err(error.error.into())
            }
        };
        let result = extractor.count_error(result);
        if is_strict {
            result?;
        }
    }
}

/// Extracts from an export of `chrome://webrtc-internals`, to its end.
///
/// Unless the extractor is [strict](Extractor::with_strictness), events that are not taken are
/// skipped and [counted](Extractor::counters). What has an unexpected shape within the export is
/// passed over in any case; [`Internals::skipped`] counts it.
///
/// ```
/// use rtcstats_features::rtcstats::RtcstatsFold;
/// use rtcstats_features::{Extractor, extract_export};
/// use rtcstats_proto::{Limits, dump::Internals};
///
/// let text = r#"{"PeerConnections":{"9-1":{"updateLog":[{"type":"close","value":"","timestamp":5}],"stats":{}}}}"#;
/// let mut export = Internals::parse(text, &Limits::default())?;
/// let mut extractor = Extractor::new(RtcstatsFold::default());
/// extract_export(&mut export, &mut extractor)?;
/// assert_eq!(extractor.finish(0.0).peer_connections.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If strict, those of the events.
pub fn extract_export<F: Fold>(
    export: &mut Internals<'_>,
    extractor: &mut Extractor<F>,
) -> Result<(), ExtractError> {
    while let Some(event) = export.next_event() {
        match extractor.push(&event) {
            Err(error) if extractor.strictness == Strictness::Strict => return Err(error),
            // Counted.
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{self, BufReader};

    use super::*;
    use crate::jitsi::JitsiFold;

    const DUMP: &str = concat!(
        "[\"connectionInfo\",null,{\"clientProtocol\":\"3.1_STANDARD\"},1]\n",
        "nonsense\n",
        "[\"create\",\"PC_0\",null,2]\n",
        "[\"x\",null,null,5]\n",
        "[\"x\",null,nul",
    );

    #[test]
    fn a_lenient_extraction_skips_and_counts() {
        let mut extractor = Extractor::new(JitsiFold::new("id"));
        extract(LineReader::new(DUMP.as_bytes()), &mut extractor).unwrap();
        let counters = extractor.counters();
        assert_eq!((counters.lines, counters.errors, counters.torn), (5, 2, 1));
        let extraction = extractor.finish(0.0);
        assert_eq!(extraction.client().unwrap().session_end_time, 5.0);
    }

    #[test]
    fn a_strict_extraction_stops_at_the_first_error() {
        let run = |dump: &str| {
            let fold = JitsiFold::new("id");
            let mut extractor = Extractor::new(fold).with_strictness(Strictness::Strict);
            let result = extract(LineReader::new(dump.as_bytes()), &mut extractor);
            result.unwrap_err().line
        };
        assert_eq!(run(DUMP), 2);
        assert_eq!(run(&DUMP.replace("nonsense\n", "")), 2);
        let good = DUMP.replace("nonsense\n", "").replace(",null,2]", ",{},2]");
        assert_eq!(run(&good), 4);
    }

    #[test]
    fn an_input_that_fails_is_an_error_even_if_lenient() {
        struct Failing;
        impl io::Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let mut extractor = Extractor::new(JitsiFold::new("id"));
        let reader = LineReader::new(BufReader::new(Failing));
        let error = extract(reader, &mut extractor).unwrap_err();
        assert_eq!(error.to_string(), "line 1: gone");
    }
}
