//! Borrowed JSON text, and JavaScript's meaning of it.
//!
//! Everything that reached us was written by `JSON.stringify` and is read by programs in
//! JavaScript, so numbers are `f64`, a repeated member's last value counts, and conversions follow
//! ECMAScript. Those rules live here and nowhere else: [`RawJson`] for text, [`Value`] for values
//! decoded into [`Stats`](crate::stats::Stats).

mod decimal;
mod error;
mod key;
mod normal;
mod number;
mod raw;
mod reader;
mod text;
mod value;

pub use error::{JsonError, JsonErrorKind};
pub use number::{number_from_text, write_number};
pub use raw::{Elements, JsonKind, Members, RawJson};
pub use text::write_text;
pub use value::Value;

pub(crate) use key::{KeyWord, is_plain, quoted};
pub(crate) use normal::write_normal;
pub(crate) use number::is_javascript_space;
pub(crate) use reader::{Reader, Token};
pub(crate) use text::{Text, unescape_into};
