//! Members of stats objects, found again without a search.

use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsObject, Values};

use crate::javascript::key_of;

/// Where a member is in an object, good as long as [`Stats::layout`] stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    field: Field,
    /// [`ABSENT`] if the object does not have it.
    position: u16,
}

/// More members than an object can have.
const ABSENT: u16 = u16::MAX;

impl Place {
    /// The place of a member that no object has.
    pub(crate) const fn nowhere(field: Field) -> Self {
        Self {
            field,
            position: ABSENT,
        }
    }

    pub(crate) fn of(field: Field, object: StatsObject<'_>) -> Self {
        let position = object.position(field);
        let position = position.and_then(|position| u16::try_from(position).ok());
        Self {
            field,
            position: position.unwrap_or(ABSENT),
        }
    }

    pub(crate) fn field(self) -> Field {
        self.field
    }

    /// Whether the object has the member.
    pub(crate) fn is_there(self) -> bool {
        self.position != ABSENT
    }

    /// The member of the object.
    #[inline]
    pub(crate) fn get(self, object: StatsObject<'_>) -> Option<Value<'_>> {
        object.get_at(usize::from(self.position), self.field)
    }

    /// The member of the object, if it is a number.
    #[inline]
    pub(crate) fn number(self, object: StatsObject<'_>) -> Option<f64> {
        object.number_at(usize::from(self.position))
    }

    /// The same, of the object with these values.
    #[inline]
    pub(crate) fn number_in(self, values: Values<'_>) -> Option<f64> {
        values.number_at(usize::from(self.position))
    }

    /// The member as a number, if JavaScript takes it for true. It may be NaN.
    #[inline]
    pub(crate) fn truthy_number(self, object: StatsObject<'_>) -> Option<f64> {
        match self.number(object) {
            Some(number) => (number != 0.0 && !number.is_nan()).then_some(number),
            None if self.is_there() => self.converted(object),
            None => None,
        }
    }

    /// Of what is no number itself, as in Chrome's first statistics.
    #[cold]
    fn converted(self, object: StatsObject<'_>) -> Option<f64> {
        let value = self.get(object).filter(|value| value.is_truthy())?;
        Some(value.to_number())
    }
}

/// Another object that a member names, and where its members are; good as long as [`Stats::layout`]
/// stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link<const N: usize> {
    /// The slot, or [`NOWHERE`]; none before it was looked for.
    slot: Option<u32>,
    pub(crate) places: [Place; N],
}

/// More objects than there can be.
const NOWHERE: u32 = u32::MAX;

impl<const N: usize> Link<N> {
    /// A link to an object with these members.
    pub(crate) fn to(fields: [Field; N]) -> Self {
        Self {
            slot: None,
            places: fields.map(Place::nowhere),
        }
    }

    /// A link to this object, whatever is named.
    pub(crate) fn at(object: StatsObject<'_>, fields: [Field; N]) -> Self {
        Self {
            slot: Some(object.slot()),
            places: fields.map(|field| Place::of(field, object)),
        }
    }

    /// Whether it leads to the same object, or nowhere, as long as the layout stays.
    pub(crate) fn is_fixed(&self) -> bool {
        self.slot.is_some()
    }

    /// The object that the member of `object` at `name` names, if it is there.
    #[inline]
    pub(crate) fn follow<'a>(
        &mut self,
        name: Place,
        object: Option<StatsObject<'_>>,
        stats: &'a Stats,
    ) -> Option<StatsObject<'a>> {
        match self.slot {
            Some(slot) => stats.at(slot),
            None => self.search(object.and_then(|object| name.get(object)), stats),
        }
    }

    /// The object that it led to last.
    #[inline]
    pub(crate) fn object<'a>(&self, stats: &'a Stats) -> Option<StatsObject<'a>> {
        stats.at(self.slot?)
    }

    /// Objects are told apart by text: other ids convert, `undefined` included.
    #[cold]
    fn search<'a>(&mut self, id: Option<Value<'_>>, stats: &'a Stats) -> Option<StatsObject<'a>> {
        let found = stats.get(&key_of(id));
        let places = self.places;
        self.places = match found {
            Some(found) => places.map(|place| Place::of(place.field, found)),
            None => places.map(|place| Place::nowhere(place.field)),
        };
        // Numbers change without notice.
        if !matches!(id, Some(Value::Number(_))) {
            self.slot = Some(found.map_or(NOWHERE, StatsObject::slot));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use rtcstats_proto::delta::Decoder;
    use rtcstats_proto::{Limits, RawJson};

    use super::*;

    #[test]
    fn a_link_leads_to_the_object_that_is_named_and_knows_its_members() {
        let mut decoder = Decoder::jitsi(Limits::default());
        let mut stats = Stats::default();
        let new = || Link::to([Field::Ssrc, Field::Kind]);
        let mut link = new();
        let mut layout = None;
        let mut ssrc_behind = |names: &str| {
            let report = r#"{"a":{"ssrc":1},"b":{"kind":"x","ssrc":2},"7":{"ssrc":3},"o":{NAMES}}"#;
            let report = report.replace("NAMES", names);
            let report = RawJson::parse(&report).unwrap();
            decoder.decode(report, &mut stats).unwrap();
            if layout.replace(stats.layout()) != Some(stats.layout()) {
                link = new();
            }
            let object = stats.get("o").unwrap();
            let name = Place::of(Field::RemoteId, object);
            let found = link.follow(name, Some(object), &stats)?;
            let [ssrc, _] = link.places;
            ssrc.number(found)
        };
        for (names, ssrc) in [
            (r#""remoteId":"a""#, Some(1.0)),
            ("", Some(1.0)),
            (r#""remoteId":"b""#, Some(2.0)),
            (r#""remoteId":"c""#, None),
            (r#""remoteId":6"#, None),
            (r#""remoteId":7"#, Some(3.0)),
            (r#""remoteId":"a""#, Some(1.0)),
        ] {
            assert_eq!(ssrc_behind(names), ssrc, "{names}");
        }
    }
}
