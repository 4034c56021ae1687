//! A line with parts of it replaced.

use std::ops::Range;

use crate::RawJson;
use crate::json::write_text;

/// Copies a text while parts of it, given in written order, are replaced.
#[derive(Debug)]
pub(super) struct Splice<'l, 'o> {
    source: &'l str,
    out: &'o mut String,
    start: usize,
    copied: usize,
    is_changed: bool,
}

impl<'l, 'o> Splice<'l, 'o> {
    pub(super) fn new(source: &'l str, out: &'o mut String) -> Self {
        let start = out.len();
        Self {
            source,
            out,
            start,
            copied: 0,
            is_changed: false,
        }
    }

    /// Where a value begins in the text that it was read from.
    pub(super) fn offset_of(&self, value: RawJson<'l>) -> usize {
        (value.as_str().as_ptr() as usize).wrapping_sub(self.source.as_ptr() as usize)
    }

    /// Replaces a part by what `write` appends.
    pub(super) fn replace(&mut self, part: Range<usize>, write: impl FnOnce(&mut String)) {
        let kept = self.source.get(self.copied..part.start);
        self.out.push_str(kept.unwrap_or_default());
        write(self.out);
        self.copied = part.end;
        self.is_changed = true;
    }

    /// Replaces a value by a text, unless that is the text it holds already.
    pub(super) fn replace_text(&mut self, value: RawJson<'l>, old: &str, new: &str) {
        if old != new {
            self.replace_value(value, |out| write_text(new, out));
        }
    }

    /// Replaces a value by what `write` appends.
    pub(super) fn replace_value(&mut self, value: RawJson<'l>, write: impl FnOnce(&mut String)) {
        let start = self.offset_of(value);
        self.replace(start..start + value.as_str().len(), write);
    }

    /// Copies the rest, and tells whether anything was replaced.
    pub(super) fn finish(self) -> bool {
        let rest = self.source.get(self.copied..).unwrap_or_default();
        self.out.push_str(rest);
        self.is_changed
    }

    /// Takes everything back.
    pub(super) fn abandon(self) {
        self.out.truncate(self.start);
    }
}
