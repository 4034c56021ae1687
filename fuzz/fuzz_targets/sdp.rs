//! Two session descriptions, with a zero byte between them: what is encoded against a base is decoded
//! again, and no text makes a reader fail.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcstats_proto::sdp::{Description, DescriptionReader, SessionDescription};
use rtcstats_proto::{Limits, Method, RawJson};

fuzz_target!(|input: &[u8]| {
    let Ok(input) = std::str::from_utf8(input) else {
        return;
    };
    let (base, new) = input.split_once('\0').unwrap_or((input, input));
    for text in [base, new] {
        look_at(SessionDescription::new(text));
    }
    let base = Description::new("offer", base);
    let encoded = Description::new("offer", new).encoded(Some(&base));
    let decoded = encoded.clone().decoded(Some(&base));
    if !sections(new)
        .iter()
        .any(|section| ["v=", "m="].contains(section))
    {
        assert_eq!(
            sections(decoded.sdp().unwrap_or_default()),
            sections(new),
            "{input:?}"
        );
    }
    replay(&[base, encoded, decoded]);
});

/// Those that are empty only show where white space was.
fn sections(text: &str) -> Vec<&str> {
    SessionDescription::new(text)
        .sections()
        .map(|section| section.as_str())
        .filter(|section| !section.is_empty())
        .collect()
}

fn look_at(description: SessionDescription<'_>) {
    let _ = (
        description.is_ice_lite(),
        description.has_bundle(),
        description.has_simulcast(),
        description.simulcast_ssrcs().count(),
        description.origin_username(),
        description.candidates().count(),
    );
    assert!(
        description.sections().count() > description.media().count()
            || !description.as_str().is_empty()
    );
    for section in description.media() {
        let _ = (section.kind(), section.direction());
    }
}

/// A reader never makes more of its events than they and what it remembers hold.
fn replay(descriptions: &[Description<'_>]) {
    let mut reader = DescriptionReader::new("PC_0", Limits::default());
    let mut read = 0;
    for description in descriptions {
        for method in [Method::CreateOfferOnSuccess, Method::SetLocalDescription] {
            let mut json = String::new();
            description.write(&mut json);
            read += json.len() + 2;
            let value = RawJson::parse(&json).expect("descriptions are written as JSON");
            let restored = reader.read(method, value);
            assert!(restored.sdp().unwrap_or_default().len() <= 2 * read);
        }
    }
}
