//! The names that series may have: what is not among them is neither stored nor asked for.

use serde::Serialize;

/// A series of calls.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeriesName {
    /// What requests call it.
    pub(crate) name: &'static str,
    /// What they may call it too; it is the same series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<&'static str>,
    /// What it is called on pages.
    pub(crate) title: &'static str,
    /// The unit of sessions' values. What clients write is stored as it is.
    pub(crate) unit: &'static str,
    /// What of a session it is made of.
    #[serde(skip)]
    pub(crate) source: Option<Source>,
}

/// Where the values of sessions come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    /// A [metric](rtcstats_features::series::Metric), as it is called in JSON.
    pub(crate) metric: &'static str,
    /// Of which plots.
    pub(crate) plots: Plots,
    /// How the values of one plot within a step become one.
    pub(crate) within: Within,
    /// How those of several plots become one.
    pub(crate) across: Across,
}

/// Which plots of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plots {
    /// Those of peer connections.
    Connections,
    /// Those of all streams.
    Streams,
    /// Those of received streams.
    Inbound,
    /// Those of streams that are sent.
    Outbound,
}

/// Several values of one plot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    Mean,
    Sum,
    Last,
}

/// Values of several plots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Across {
    Mean,
    Sum,
    Largest,
}

const fn entry(name: &'static str, title: &'static str, unit: &'static str) -> SeriesName {
    SeriesName {
        name,
        alias: None,
        title,
        unit,
        source: None,
    }
}

const fn source(
    metric: &'static str,
    plots: Plots,
    within: Within,
    across: Across,
) -> Option<Source> {
    Some(Source {
        metric,
        plots,
        within,
        across,
    })
}

/// All of them, those of rtcscope first. Units of sessions are those of W3C webrtc-stats, as nothing is known
/// of theirs.
#[rustfmt::skip]
const TABLE: &[SeriesName] = &[
    SeriesName { alias: Some("availableOutgoingBitrate"), source: source("availableOutgoingBitrate", Plots::Connections, Within::Mean, Across::Mean), ..entry("availableBandwidth", "Available bandwidth", "bit/s") },
    SeriesName { alias: Some("currentRoundTripTime"), source: source("currentRoundTripTime", Plots::Connections, Within::Mean, Across::Mean), ..entry("rtt", "Round-trip time", "s") },
    SeriesName { alias: Some("audioLevel"), source: source("audioLevel", Plots::Outbound, Within::Mean, Across::Largest), ..entry("inputLevel", "Level of the loudest microphone, 0 to 1", "") },
    SeriesName { source: source("packetsLost", Plots::Streams, Within::Last, Across::Sum), ..entry("packetsLost", "Packets lost since the beginning", "packets") },
    SeriesName { source: source("audioLevel", Plots::Inbound, Within::Mean, Across::Largest), ..entry("outputLevel", "Level of the loudest received stream, 0 to 1", "") },
    SeriesName { source: source("bitrateSent", Plots::Connections, Within::Mean, Across::Sum), ..entry("bitrateSent", "Bitrate sent", "bit/s") },
    SeriesName { source: source("bitrateReceived", Plots::Connections, Within::Mean, Across::Sum), ..entry("bitrateReceived", "Bitrate received", "bit/s") },
    SeriesName { source: source("packetLoss", Plots::Streams, Within::Mean, Across::Mean), ..entry("packetLoss", "Part of packets that was lost, 0 to 1", "") },
    SeriesName { source: source("roundTripTime", Plots::Outbound, Within::Mean, Across::Mean), ..entry("roundTripTime", "Round-trip time of streams", "s") },
    SeriesName { source: source("jitter", Plots::Inbound, Within::Mean, Across::Mean), ..entry("jitter", "Jitter of received streams", "s") },
    SeriesName { source: source("framesPerSecond", Plots::Inbound, Within::Mean, Across::Mean), ..entry("framesPerSecond", "Frame rate of received video", "1/s") },
    SeriesName { source: source("framesPerSecond", Plots::Outbound, Within::Mean, Across::Mean), ..entry("framesPerSecondSent", "Frame rate of sent video", "1/s") },
    SeriesName { source: source("frameHeight", Plots::Inbound, Within::Last, Across::Largest), ..entry("frameHeight", "Height of the largest received video", "pixels") },
    SeriesName { source: source("frameHeight", Plots::Outbound, Within::Last, Across::Largest), ..entry("frameHeightSent", "Height of the largest sent video", "pixels") },
    SeriesName { source: source("freezes", Plots::Inbound, Within::Sum, Across::Sum), ..entry("freezes", "Freezes of received video", "freezes") },
    SeriesName { source: source("concealment", Plots::Inbound, Within::Mean, Across::Mean), ..entry("concealment", "Part of received sound that was made up, 0 to 1", "") },
    SeriesName { source: source("cpuLimitation", Plots::Outbound, Within::Mean, Across::Largest), ..entry("cpuLimitation", "Part of the time with video limited by the CPU, 0 to 1", "") },
    SeriesName { source: source("bandwidthLimitation", Plots::Outbound, Within::Mean, Across::Largest), ..entry("bandwidthLimitation", "Part of the time with video limited by the bandwidth, 0 to 1", "") },
    // What clients write, and sessions have no series of.
    entry("bytesSent", "Bytes sent", "B"),
    entry("bytesReceived", "Bytes received", "B"),
    entry("packetsSent", "Packets sent", "packets"),
    entry("packetsReceived", "Packets received", "packets"),
];

/// The table, with the names that were given by a flag.
#[derive(Debug)]
pub(crate) struct SeriesNames(Vec<SeriesName>);

impl SeriesNames {
    /// With these names too, which live as long as the process.
    pub(crate) fn with(others: &[String]) -> Self {
        let mut names = Self(TABLE.to_vec());
        for other in others {
            if names.find(other).is_none() {
                let name: &'static str = other.clone().leak();
                names.0.push(entry(name, name, ""));
            }
        }
        names
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &SeriesName> {
        self.0.iter()
    }

    /// The series that a request calls so.
    pub(crate) fn find(&self, name: &str) -> Option<&SeriesName> {
        let mut names = self.0.iter();
        names.find(|own| own.name == name || own.alias == Some(name))
    }
}

/// Checks a name of a flag.
pub(crate) fn check_name(name: &str) -> Result<String, String> {
    const LONGEST: usize = 64;
    let is_name = name.starts_with(|character: char| character.is_ascii_alphabetic())
        && name.len() <= LONGEST
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match is_name {
        // In InfluxDB both would be columns of the measurement.
        true if !matches!(name, "id" | "source" | "time") => Ok(name.to_owned()),
        _ => Err("a name of letters, digits and underscores, that begins with a letter".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rtcstats_features::series::Metric;

    use super::*;

    #[test]
    fn each_name_is_there_once_and_fit_for_every_store() {
        let mut seen = HashSet::new();
        for entry in TABLE {
            for name in [Some(entry.name), entry.alias].into_iter().flatten() {
                assert!(seen.insert(name), "{name}");
                assert_eq!(check_name(name).as_deref(), Ok(name));
            }
        }
    }

    #[test]
    fn each_source_is_a_metric_of_its_plots_and_each_metric_but_the_rate_of_a_stream_has_a_series()
    {
        let in_json = |metric: &Metric| {
            let json = serde_json::to_value(metric).unwrap_or_default();
            json.as_str().unwrap_or_default().to_owned()
        };
        let (of_connections, of_streams) = (
            Metric::OF_CONNECTIONS
                .iter()
                .map(in_json)
                .collect::<HashSet<_>>(),
            Metric::OF_STREAMS
                .iter()
                .map(in_json)
                .collect::<HashSet<_>>(),
        );
        let mut used = HashSet::from(["bitrate".to_owned()]);
        for source in TABLE.iter().filter_map(|entry| entry.source) {
            let metrics = match source.plots {
                Plots::Connections => &of_connections,
                _ => &of_streams,
            };
            assert!(metrics.contains(source.metric), "{source:?}");
            used.insert(source.metric.to_owned());
        }
        assert_eq!(used, &of_connections | &of_streams);
    }

    #[test]
    fn names_of_a_flag_are_added_once() {
        let names = SeriesNames::with(&[
            "mosScore".to_owned(),
            "rtt".to_owned(),
            "mosScore".to_owned(),
        ]);
        assert_eq!(names.iter().count(), TABLE.len() + 1);
        assert_eq!(
            names.find("currentRoundTripTime").map(|entry| entry.name),
            Some("rtt")
        );
        for name in ["a b", "", "1a", "a\"", "time", "a;drop", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
