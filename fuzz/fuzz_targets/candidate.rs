//! A candidate line: what is written is read the same, whatever was read before.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcstats_proto::sdp::Candidate;

fuzz_target!(|input: &[u8]| {
    let Ok(line) = std::str::from_utf8(input) else {
        return;
    };
    let Ok(candidate) = Candidate::parse(line) else {
        return;
    };
    let _ = (candidate.type_preference(), candidate.extensions().count());
    let written = write(&candidate);
    // Numbers of more than 21 digits are written in a form that is not read.
    if written.contains("e+") || written.contains("Infinity") {
        return;
    }
    let read = Candidate::parse(&written).expect("what was written has all of its fields");
    assert_eq!(write(&read), written, "{line:?}");
    assert_eq!(
        read.address().unwrap_or_default(),
        candidate.address().unwrap_or_default()
    );
    assert_eq!(
        read.priority(),
        candidate.priority().map(|priority| priority + 0.0)
    );
});

fn write(candidate: &Candidate<'_>) -> String {
    let mut out = String::new();
    candidate.write(&mut out);
    out
}
