//! What becomes of addresses before they are kept (5.0 spec, section 11; legacy spec, section 1.1).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rtcstats_proto::privacy::{
    Location, Locator, Mode, Obfuscator, Outcome, mask_host, mask_host_legacy, mask_strictly,
};
use rtcstats_proto::rtcstats::DUMP_HEADER;
use rtcstats_proto::{Generation, Limits};
use serde_json::Value;

/// What becomes of addresses before they are kept.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Privacy {
    /// Whether addresses are made unrecognizable, and when. Default [`Obfuscation::Off`].
    pub obfuscation: Obfuscation,
    /// Whether to mask more than existing servers do: see [`Mode::Strict`]. Default not.
    pub is_strict: bool,
    /// Says where addresses are, before they are made unrecognizable. Default none.
    pub locations: Option<Arc<dyn LocationDatabase>>,
}

/// When addresses are made unrecognizable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Obfuscation {
    /// Never: dumps and features have the addresses that clients send.
    #[default]
    Off,
    /// Before anything is stored.
    BeforeJournal,
    /// When a session is over. Until then its addresses are in the journal; features and the archive
    /// never have them.
    BeforeArchive,
}

/// Says where an address is: a geolocation database.
pub trait LocationDatabase: fmt::Debug + Send + Sync + 'static {
    /// What the database has on an address, in the shape of MaxMind's City databases; `None` where
    /// it has nothing.
    fn record(&self, address: IpAddr) -> Option<Value>;
}

impl dyn LocationDatabase {
    /// As [`LocationDatabase::record`], for text; literal addresses only.
    pub(crate) fn record_of(&self, address: &str) -> Option<Value> {
        self.record(address.trim().parse().ok()?)
    }
}

impl Privacy {
    pub(crate) fn masks_addresses(&self) -> bool {
        self.obfuscation != Obfuscation::Off
    }

    /// An address made unrecognizable, as the servers of a generation do it.
    pub(crate) fn mask(&self, generation: Generation, address: &str) -> String {
        // Some proxies add a port. The rules take that for IPv6, and would show the address.
        let with_port = address.trim().parse::<SocketAddr>();
        let bare = with_port.map(|address| address.ip().to_string());
        let address = bare.as_deref().unwrap_or(address);
        let masked = match (self.is_strict, generation) {
            (true, _) => mask_strictly(address),
            (false, Generation::Legacy) => mask_host_legacy(address),
            (false, _) => mask_host(address),
        };
        masked.into_owned()
    }
}

/// Where in a session's life a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// About to be given to the journal.
    Journal,
    /// Read from the journal, about to leave it.
    Archive,
}

/// Makes the lines of one session fit to be kept.
pub(crate) struct LineFilter {
    locator: Option<Locator<LookUp>>,
    obfuscator: Option<Obfuscator>,
    /// Whether a line is left out that cannot be masked, as the legacy server does.
    drops_failures: bool,
    located: String,
}

/// Looks up where an address is.
type LookUp = Box<dyn Fn(IpAddr) -> Option<Location> + Send + Sync>;

impl LineFilter {
    /// The filter of a stage; none where lines pass as they are.
    pub(crate) fn new(
        privacy: &Privacy,
        generation: Generation,
        stage: Stage,
        limits: Limits,
    ) -> Option<Self> {
        let is_here = match privacy.obfuscation {
            Obfuscation::BeforeArchive => stage == Stage::Archive,
            Obfuscation::Off | Obfuscation::BeforeJournal => stage == Stage::Journal,
        };
        if !is_here {
            return None;
        }
        let mode = match privacy.is_strict {
            true => Mode::Strict,
            false => Mode::Server(generation),
        };
        // Lines of other generations have no place for it.
        let database = privacy
            .locations
            .clone()
            .filter(|_| generation == Generation::Rtcstats);
        let filter = Self {
            locator: database.map(|database| Locator::new(look_up(database), limits)),
            obfuscator: privacy
                .masks_addresses()
                .then(|| Obfuscator::new(mode, limits)),
            drops_failures: generation == Generation::Legacy && !privacy.is_strict,
            located: String::new(),
        };
        (filter.locator.is_some() || filter.obfuscator.is_some()).then_some(filter)
    }

    /// Writes a line as it is kept, without terminator; `false` if it is not.
    #[must_use]
    pub(crate) fn apply(&mut self, line: &str, out: &mut String) -> bool {
        if line == DUMP_HEADER {
            out.push_str(line);
            return true;
        }
        let Some(obfuscator) = &mut self.obfuscator else {
            match &self.locator {
                Some(locator) => drop(locator.line(line, out)),
                None => out.push_str(line),
            }
            return true;
        };
        let line = match &self.locator {
            Some(locator) => {
                self.located.clear();
                let _ = locator.line(line, &mut self.located);
                self.located.as_str()
            }
            None => line,
        };
        let start = out.len();
        let is_dropped = obfuscator.line(line, out) == Outcome::Failed && self.drops_failures;
        if is_dropped {
            out.truncate(start);
        }
        !is_dropped
    }
}

impl fmt::Debug for LineFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LineFilter").finish_non_exhaustive()
    }
}

fn look_up(database: Arc<dyn LocationDatabase>) -> LookUp {
    Box::new(move |address| {
        let record = database.record(address)?;
        let name = |part: &str| {
            let name = record.get(part)?.get("names")?.get("en")?;
            name.as_str().map(str::to_owned)
        };
        Some(Location {
            continent: name("continent"),
            country: name("country"),
            city: name("city"),
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug)]
    struct Everywhere;

    impl LocationDatabase for Everywhere {
        fn record(&self, address: IpAddr) -> Option<Value> {
            address
                .is_ipv4()
                .then(|| json!({ "country": { "names": { "en": "Norway", "de": "Norwegen" } } }))
        }
    }

    const LINE: &str =
        r#"[20,"PC_0",{"candidate":"candidate:7 1 udp 5 198.51.100.9 4000 typ srflx"},12]"#;

    fn filtered(privacy: &Privacy, stage: Stage) -> Option<String> {
        let mut out = String::new();
        let limits = Limits::default();
        let mut filter = LineFilter::new(privacy, Generation::Rtcstats, stage, limits)?;
        assert!(filter.apply(LINE, &mut out));
        Some(out)
    }

    #[test]
    fn addresses_are_located_and_then_masked_at_one_stage_only() {
        let mut privacy = Privacy::default();
        assert_eq!(filtered(&privacy, Stage::Journal), None);
        privacy.locations = Some(Arc::new(Everywhere));
        let located = filtered(&privacy, Stage::Journal).unwrap();
        assert!(located.contains("Norway") && located.contains("198.51.100.9"));
        for (obfuscation, stage, other) in [
            (Obfuscation::BeforeJournal, Stage::Journal, Stage::Archive),
            (Obfuscation::BeforeArchive, Stage::Archive, Stage::Journal),
        ] {
            privacy.obfuscation = obfuscation;
            assert_eq!(filtered(&privacy, other), None);
            let line = filtered(&privacy, stage).unwrap();
            assert!(
                line.contains("Norway") && line.contains("198.51.100.x"),
                "{line}"
            );
        }
    }

    #[test]
    fn a_port_does_not_save_an_address_from_being_masked() {
        let privacy = Privacy {
            obfuscation: Obfuscation::BeforeJournal,
            ..Privacy::default()
        };
        for generation in [Generation::Rtcstats, Generation::Legacy] {
            for address in ["198.51.100.9:5000", " 198.51.100.9:5000"] {
                assert_eq!(privacy.mask(generation, address), "198.51.100.x");
            }
            let masked = privacy.mask(generation, "[2001:db8:1:2::5]:5000");
            assert!(masked.starts_with("2001:db8:1"), "{masked}");
            assert!(!masked.contains("5"), "{masked}");
        }
    }

    #[test]
    fn the_head_of_a_dump_stays_even_if_strict() {
        let privacy = Privacy {
            obfuscation: Obfuscation::BeforeJournal,
            is_strict: true,
            ..Privacy::default()
        };
        let limits = Limits::default();
        let mut filter =
            LineFilter::new(&privacy, Generation::Rtcstats, Stage::Journal, limits).unwrap();
        let mut out = String::new();
        assert!(filter.apply(DUMP_HEADER, &mut out));
        assert_eq!(out, DUMP_HEADER);
    }
}
