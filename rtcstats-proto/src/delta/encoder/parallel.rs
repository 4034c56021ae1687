//! Where two texts are the same.

/// A text, and an earlier one that it is compared with.
///
/// Most of a report is as in the report before it, only in other places. So stretches are compared, not
/// members one by one, and the end of the last stretch is kept.
#[derive(Debug)]
pub(super) struct Parallel<'a> {
    text: &'a [u8],
    earlier: &'a [u8],
    /// How much further the stretch begins in the text. It wraps.
    shift: usize,
    /// Where the stretch ends in the earlier text.
    end: usize,
}

impl<'a> Parallel<'a> {
    pub(super) fn new(text: &'a str, earlier: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            earlier: earlier.as_bytes(),
            shift: 0,
            end: 0,
        }
    }

    /// Up to where the earlier text from `from` on equals the text from `at` on: a place in the earlier
    /// one. Of places that are as far apart as the last ones, neither may come before those.
    #[inline]
    pub(super) fn end(&mut self, at: usize, from: usize) -> usize {
        let shift = at.wrapping_sub(from);
        if shift != self.shift || from >= self.end {
            let text = self.text.get(at..).unwrap_or_default();
            let earlier = self.earlier.get(from..).unwrap_or_default();
            self.shift = shift;
            self.end = from + common_length(text, earlier);
        }
        self.end
    }
}

/// How many bytes two texts have in common at their beginnings.
#[inline]
fn common_length(left: &[u8], right: &[u8]) -> usize {
    let (left_chunks, _) = left.as_chunks::<8>();
    let (right_chunks, _) = right.as_chunks::<8>();
    let mut length = 0;
    for (left, right) in left_chunks.iter().zip(right_chunks) {
        let differences = u64::from_le_bytes(*left) ^ u64::from_le_bytes(*right);
        if differences != 0 {
            return length + (differences.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    let left = left.get(length..).unwrap_or_default();
    let right = right.get(length..).unwrap_or_default();
    let rest = left.iter().zip(right);
    length + rest.take_while(|(left, right)| left == right).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_up_to_the_first_byte_that_differs() {
        let text = "0123456789abcdefghijklm";
        for length in 0..=text.len() {
            for at in 0..length {
                let mut other = text[..length].to_owned();
                other.replace_range(at..=at, "~");
                assert_eq!(common_length(text.as_bytes(), other.as_bytes()), at);
            }
            let beginning = &text.as_bytes()[..length];
            assert_eq!(common_length(text.as_bytes(), beginning), length);
        }
    }

    #[test]
    fn a_stretch_ends_where_it_ended_when_it_was_first_compared() {
        let mut parallel = Parallel::new("xx{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":3}");
        assert_eq!(parallel.end(2, 0), 11);
        assert_eq!(parallel.end(9, 7), 11);
        assert_eq!(parallel.end(13, 11), 11);
        assert_eq!(parallel.end(0, 0), 0);
    }
}
