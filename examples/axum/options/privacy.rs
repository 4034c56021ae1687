//! What becomes of addresses.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use rtcstats_server_core::{GeoFile, Obfuscation, Privacy};

/// Masking and locations.
#[derive(Args)]
pub(crate) struct PrivacyOptions {
    /// Whether addresses are made unrecognizable, and when; without a value before anything is
    /// stored.
    #[arg(
        long,
        env = "RTCSTATS_OBFUSCATE",
        value_enum,
        num_args = 0..=1,
        default_value_t = Obfuscate::Off,
        default_missing_value = "before-journal"
    )]
    pub(crate) obfuscate: Obfuscate,

    /// With --obfuscate: mask every address wherever it stands, also those of relays, which existing
    /// servers leave readable.
    #[arg(long, env = "RTCSTATS_OBFUSCATE_STRICTLY")]
    pub(crate) obfuscate_strictly: bool,

    /// Note where addresses are, before they are made unrecognizable: a database file in MaxMind's format
    /// (City), read at the start.
    #[arg(long, env = "RTCSTATS_GEO", value_name = "FILE")]
    pub(crate) geo: Option<PathBuf>,
}

/// When addresses are made unrecognizable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Obfuscate {
    /// Never: what clients send is stored.
    Off,
    /// Before anything is stored.
    BeforeJournal,
    /// When a session is over: dumps and features never have addresses, the journal of open sessions
    /// has.
    BeforeArchive,
}

impl PrivacyOptions {
    /// What becomes of addresses.
    pub(crate) fn privacy(&self) -> Result<Privacy, Box<dyn Error>> {
        let mut privacy = Privacy::default();
        privacy.obfuscation = match self.obfuscate {
            Obfuscate::Off => Obfuscation::Off,
            Obfuscate::BeforeJournal => Obfuscation::BeforeJournal,
            Obfuscate::BeforeArchive => Obfuscation::BeforeArchive,
        };
        privacy.is_strict = self.obfuscate_strictly;
        if let Some(file) = &self.geo {
            privacy.locations = Some(Arc::new(GeoFile::open(file)?));
        }
        Ok(privacy)
    }
}
