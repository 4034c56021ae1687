//! Session descriptions: their lines, their ICE candidates, and the codec that leaves repeated
//! sections out.
//!
//! Descriptions come from browsers, old ones included, and from applications that edited them.
//! Nothing here fails on text that is not SDP; what is not there is not found.

mod base;
mod candidate;
mod delta;
mod section;

pub use base::{DescriptionReader, DescriptionWriter};
pub use candidate::{Candidate, CandidateError, CandidateType, Component, type_preference};
pub use delta::Description;
pub use section::{Direction, Section, SessionDescription};
