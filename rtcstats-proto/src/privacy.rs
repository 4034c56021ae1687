//! Addresses: masked before anything is kept, and located before they are masked.
//!
//! [`Obfuscator`] masks a line at a time, for servers and clients; [`Anonymizer`] whole files;
//! [`Locator`] adds where a candidate's address is. All of them change what they must and leave
//! every other byte of a line as it was.

mod address;
mod anonymize;
mod export;
mod literal;
mod location;
mod obfuscate;
mod rule;
mod splice;

pub use address::{mask_all, mask_host, mask_host_legacy, mask_strictly};
pub use anonymize::{AnonymizeError, Anonymized, Anonymizer};
pub use location::{Location, Locator};
pub use obfuscate::{Mode, Obfuscator, Outcome};
