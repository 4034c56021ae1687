//! Objects read in one go.

use std::borrow::Cow;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::RawJson;
use crate::stats::array_index;

/// The members with these names, the last where one is repeated.
pub(super) fn fields<'a, const N: usize>(
    object: RawJson<'a>,
    names: [&str; N],
) -> [Option<RawJson<'a>>; N] {
    let mut values = [None; N];
    for (key, value) in object.members() {
        for (name, place) in names.iter().zip(&mut values) {
            if key == *name {
                *place = Some(value);
            }
        }
    }
    values
}

/// The members in JavaScript's order (rtcstats spec 1.4): names that are array indices first; a
/// repeated name has its first place and its last value.
pub(super) fn ordered_members<'a>(object: RawJson<'a>) -> Vec<(Cow<'a, str>, RawJson<'a>)> {
    let mut members: Vec<(Cow<'a, str>, RawJson<'a>)> = Vec::new();
    let mut places: HashMap<Cow<'a, str>, usize, RandomState> = HashMap::default();
    for (name, value) in object.members() {
        match places.get(&name) {
            Some(place) => {
                if let Some(member) = members.get_mut(*place) {
                    member.1 = value;
                }
            }
            None => {
                places.insert(name.clone(), members.len());
                members.push((name, value));
            }
        }
    }
    members.sort_by_key(|(name, _)| array_index(name).unwrap_or(u32::MAX));
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_javascripts_order() {
        let object = RawJson::parse(r#"{"b":1,"10":2,"9":3,"b":4,"4294967295":5,"a":6}"#).unwrap();
        let members: Vec<String> = ordered_members(object)
            .into_iter()
            .map(|(name, value)| format!("{name}{}", value.as_str()))
            .collect();
        assert_eq!(members, ["93", "102", "b4", "42949672955", "a6"]);
    }
}
