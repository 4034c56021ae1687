//! What the tables of the formats (methods, stats types, stats members) are declared with.

/// The number of a table line, which may have none.
macro_rules! number {
    () => {
        None
    };
    ($number:literal) => {
        Some($number)
    };
}

pub(crate) use number;
