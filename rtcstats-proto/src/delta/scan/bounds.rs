//! The limits, where a report hits them.

use super::{Full, Spelling};
use crate::Limits;
use crate::delta::{DeltaError, DeltaLimit};
use crate::json::Text;
use crate::stats::{Form, Name, Stats};

/// A text in the place of an object is copied into it character by character: how many, if the limits
/// allow that.
#[cold]
pub(super) fn check_characters(
    text: &str,
    stats: &mut Stats,
    slot: u32,
    limits: &Limits,
    offset: usize,
) -> Result<usize, DeltaError> {
    let known = stats.slot(slot);
    if known.is_none_or(|known| known.form == Form::Scalar) {
        return Ok(0);
    }
    let count = text.chars().count();
    check(count, DeltaLimit::Members, limits.members, offset)?;
    for index in 0..count {
        intern::<Full>(stats, &index.to_string(), limits, offset)?;
    }
    Ok(count)
}

pub(super) fn intern<S: Spelling>(
    stats: &mut Stats,
    text: &str,
    limits: &Limits,
    offset: usize,
) -> Result<Name, DeltaError> {
    S::intern(stats, text, limits.unknown_names).ok_or(DeltaError::Limit {
        limit: DeltaLimit::UnknownNames,
        allowed: limits.unknown_names,
        offset,
    })
}

pub(super) fn check_name(name: Text<'_>, limits: &Limits, offset: usize) -> Result<(), DeltaError> {
    check(
        name.written.len(),
        DeltaLimit::NameBytes,
        limits.name_bytes,
        offset,
    )
}

pub(super) fn check(
    count: usize,
    limit: DeltaLimit,
    allowed: usize,
    offset: usize,
) -> Result<(), DeltaError> {
    if count > allowed {
        Err(DeltaError::Limit {
            limit,
            allowed,
            offset,
        })
    } else {
        Ok(())
    }
}

/// At most so many bytes has the object that a text's characters make.
pub(super) fn spread_bytes(text: &str) -> usize {
    // "65535":"\u001f",
    const ENTRY: usize = 20;
    2 + text.len() * ENTRY
}

/// At most so many bytes has a nested value once it is an object.
pub(super) fn merged_bytes(nested: &str) -> usize {
    // An element and its comma become `"65535":`, element and comma.
    const GROWTH: usize = 8;
    if nested.starts_with('[') {
        nested.len() * GROWTH
    } else {
        nested.len()
    }
}
