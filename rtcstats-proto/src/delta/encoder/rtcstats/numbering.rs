//! The numbers in the place of ids.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Outgoing, State};
use crate::RawJson;
use crate::delta::encoder::Changes;
use crate::delta::encoder::report::Member;
use crate::json::JsonKind;
use crate::stats::array_index;

impl Changes<'_> {
    /// Steps 5 and 6: new objects get numbers, and every one goes under its number.
    pub(super) fn number(&self, state: &mut State) {
        let State { ids, outgoing, .. } = state;
        let rank = |outgoing: &Outgoing| array_index(&self.outgoing_id(outgoing)?);
        let has_numeric = outgoing.iter().any(|outgoing| rank(outgoing).is_some());
        if has_numeric {
            outgoing.sort_by_key(|outgoing| rank(outgoing).map_or((1, 0), |rank| (0, rank)));
        }
        for outgoing in outgoing.iter_mut() {
            if let Some(id) = self.outgoing_id(outgoing) {
                outgoing.number = ids.assign(&id);
                outgoing.translations = 1;
            }
        }
        if has_numeric {
            self.collide(outgoing);
        }
    }

    fn outgoing_id(&self, outgoing: &Outgoing) -> Option<Cow<'_, str>> {
        let object = self.report.objects.get(outgoing.object? as usize)?;
        Some(self.report.resolved_id(object))
    }

    /// What ids that are numbers themselves do: an object is put where another one is that has not
    /// been moved yet, and moved on with it; and one that stays where it is keeps its references.
    #[cold]
    fn collide(&self, outgoing: &mut Vec<Outgoing>) {
        let id = |outgoing: &Outgoing| Some(self.outgoing_id(outgoing)?.into_owned());
        let with_ids = |outgoing: &Outgoing| {
            let stay = Outgoing {
                translations: 0,
                ..outgoing.clone()
            };
            Some((id(outgoing)?, stay))
        };
        let mut stored: HashMap<String, Outgoing> = outgoing.iter().filter_map(with_ids).collect();
        for next in outgoing.iter() {
            let Some(id) = id(next) else { continue };
            let number = next.number.to_string();
            if number == id {
                continue;
            }
            if let Some(moved) = stored.remove(&id) {
                let moved = Outgoing {
                    number: next.number,
                    translations: moved.translations + 1,
                    ..moved
                };
                stored.insert(number, moved);
            }
        }
        outgoing.clear();
        outgoing.extend(stored.into_values());
    }

    /// Step 8: objects that were there before are said to be gone, if they were ever sent.
    pub(super) fn add_gone(&self, state: &mut State) {
        let State { ids, outgoing, .. } = state;
        for (place, object) in self.previous.objects.iter().enumerate() {
            if !self.ids.is_there(place)
                && let Some(number) = ids.number(&self.previous.resolved_id(object))
            {
                outgoing.push(Outgoing {
                    number,
                    ..Outgoing::default()
                });
            }
        }
        outgoing.sort_unstable_by_key(|outgoing| outgoing.number);
    }

    /// The number of the object that a member refers to.
    pub(super) fn translated(
        &self,
        state: &State,
        member: Member,
        translations: usize,
    ) -> Option<u32> {
        let mut number = state.ids.number(&as_text(self.report.value(member)))?;
        for _ in 1..translations {
            number = state.ids.number(&number.to_string())?;
        }
        Some(number)
    }
}

/// JavaScript's `String(value)`.
fn as_text(value: RawJson<'_>) -> Cow<'_, str> {
    let element = |value: RawJson<'_>| match value.kind() {
        JsonKind::Null => String::new(),
        _ => as_text(value).into_owned(),
    };
    match value.kind() {
        JsonKind::Array => {
            let elements: Vec<String> = value.elements().map(element).collect();
            elements.join(",").into()
        }
        JsonKind::Object => "[object Object]".into(),
        _ => value.to_key(),
    }
}
