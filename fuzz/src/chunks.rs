//! Cutting an input into pieces.

/// Cuts `bytes` into pieces of 1 to 64 bytes that depend on `seed` only; 0 cuts it byte by byte.
pub fn chunks(bytes: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    let mut state = u32::from(seed);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        // The constants of Numerical Recipes; the upper bits are the good ones.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = if seed == 0 {
            1
        } else {
            1 + (state >> 26) as usize
        };
        let (chunk, tail) = rest.split_at(length.min(rest.len()));
        rest = tail;
        Some(chunk)
    })
}
