//! What clients are, and what is made of their sessions.

use clap::{Args, ValueEnum};
use rtcstats_features::{FeatureSet, UnknownFeatureSet};
use rtcstats_proto::Generation;

/// Generations, uploads, features.
#[derive(Args)]
pub(crate) struct ClientOptions {
    /// Take uploads of dumps on this path, such as /upload, from clients and other servers. The page /import stores
    /// dumps without it.
    #[arg(long, env = "RTCSTATS_UPLOAD_PATH", value_name = "PATH", value_parser = parse_path)]
    pub(crate) upload_path: Option<String>,

    /// What clients are taken for whose WebSocket subprotocol says nothing.
    #[arg(long, env = "RTCSTATS_UNNAMED_CLIENTS", value_enum, default_value_t = Clients::Jitsi)]
    pub(crate) unnamed_clients: Clients,

    /// Which features are extracted, separated by commas: jitsi, rtcstats, legacy; or none.
    #[arg(long, env = "RTCSTATS_SETS", value_name = "SETS", default_value = "jitsi,rtcstats,legacy", value_parser = parse_sets)]
    sets: Sets,

    /// The name of this deployment in published records.
    #[arg(long, env = "RTCSTATS_ENVIRONMENT", default_value = "dev")]
    pub(crate) environment: String,
}

/// Clients of the three generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Clients {
    /// Jitsi's clients and back ends.
    Jitsi,
    /// rtcstats 5.0.
    Rtcstats,
    /// The original client, protocol 2.0.
    Legacy,
}

/// Sets of features. (A `Vec` would be an argument that is repeated.)
#[derive(Clone)]
struct Sets(Vec<FeatureSet>);

fn parse_sets(text: &str) -> Result<Sets, UnknownFeatureSet> {
    if text == "none" {
        return Ok(Sets(Vec::new()));
    }
    text.split(',')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map(Sets)
}

/// A path as it stands in requests.
fn parse_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') || text.contains(['?', '#', '{', '}', ' ']) {
        return Err("a path such as /upload".to_owned());
    }
    Ok(text.to_owned())
}

impl ClientOptions {
    /// What clients are taken for that do not say what they are.
    pub(crate) fn unnamed(&self) -> Generation {
        match self.unnamed_clients {
            Clients::Jitsi => Generation::Jitsi,
            Clients::Rtcstats => Generation::Rtcstats,
            Clients::Legacy => Generation::Legacy,
        }
    }

    /// What is extracted.
    pub(crate) fn feature_sets(&self) -> Vec<FeatureSet> {
        self.sets.0.clone()
    }
}
