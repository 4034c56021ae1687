//! What `getStats()` returned, decoded: the objects of one peer connection and their members.

mod field;
mod kind;
mod name;
mod object;
mod packed;
mod report;

pub use field::Field;
pub use kind::StatsKind;
pub use object::{Members, StatsObject, Values};
pub use report::{Objects, Stats};

pub(crate) use name::{Name, NameFilter};
pub(crate) use object::{Form, Slot, write_value};
pub(crate) use packed::{NewValue, SHORT_BYTES};
pub(crate) use report::{MembersMut, array_index};
