//! The body of an upload: what comes out does not depend on how it is cut into chunks, and is bounded.
//!
//! The first byte of the input is the length of the chunks, the rest is the body. Its boundary is `x`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcstats_server_core::{Limits, Upload};

const SESSION_BYTES: u64 = 1 << 16;

fuzz_target!(|input: &[u8]| {
    let Some((&length, body)) = input.split_first() else {
        return;
    };
    let whole = read(body, body.len().max(1));
    assert_eq!(whole, read(body, 1 + usize::from(length)));
});

/// The lines and what became of the upload.
fn read(body: &[u8], chunk_bytes: usize) -> (Vec<String>, String) {
    let mut limits = Limits::default();
    limits.session_bytes = SESSION_BYTES;
    let mut lines = Vec::new();
    let mut upload =
        Upload::new(Some("multipart/form-data; boundary=x"), &limits).expect("it has a boundary");
    let pushed = body
        .chunks(chunk_bytes)
        .try_for_each(|chunk| upload.push(chunk, &mut |line| lines.push(line.to_owned())));
    let result = match pushed {
        Ok(()) => upload.finish(&mut |line| lines.push(line.to_owned())),
        Err(error) => Err(error),
    };
    let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
    assert!(bytes as u64 <= SESSION_BYTES);
    match result {
        Ok(facts) => {
            assert!(facts.events > 0);
            (lines, "taken".to_owned())
        }
        // How much was read before is up to the chunks.
        Err(error) => (Vec::new(), error.status().to_string()),
    }
}
