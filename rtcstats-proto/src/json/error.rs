//! Where JSON text is wrong, and how.

/// JSON text that is malformed or over a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Byte offset in the text that was read.
    pub offset: usize,
}

/// What is wrong with JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The text ends inside a value.
    #[error("unexpected end of JSON text")]
    UnexpectedEnd,
    /// A byte that cannot stand here.
    #[error("unexpected byte in JSON text")]
    UnexpectedByte,
    /// A number not written as JSON has it.
    #[error("malformed number")]
    Number,
    /// An escape sequence that JSON does not know.
    #[error("malformed escape sequence")]
    Escape,
    /// A raw control character inside a string.
    #[error("control character in a string")]
    ControlCharacter,
    /// More text after the value.
    #[error("trailing text after the JSON value")]
    Trailing,
    /// Deeper than [`Limits::depth`](crate::Limits::depth).
    #[error("nesting over the limit")]
    Depth,
    /// Not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
}
