//! What is worked on.

use rtcstats_proto::dump::Converter;
use rtcstats_proto::{Generation, Limits};

use crate::{full_reports, long_session, recording, short_sessions};

/// The lines of one dump.
#[derive(Debug, Clone, Default)]
pub struct Dump {
    /// Without terminators.
    pub lines: Vec<String>,
}

/// A set of dumps.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Its name in figures.
    pub name: String,
    /// In the order they are worked on.
    pub dumps: Vec<Dump>,
}

impl Dump {
    /// Splits the text of a dump.
    pub fn new(text: &str) -> Self {
        Self {
            lines: text.lines().map(str::to_owned).collect(),
        }
    }
}

impl Workload {
    /// The workload with this name: `s200`, `full`, `call`, or `L` or `R` with a number of megabytes.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "s200" => Some(Self::short_sessions()),
            "full" => Some(Self::full_reports()),
            "call" => Some(Self::recorded_call()),
            _ => {
                let make = match name.get(..1)? {
                    "L" => Self::long_session,
                    "R" => Self::long_rtcstats_session,
                    _ => return None,
                };
                Some(make(name.get(1..)?.parse().ok()?))
            }
        }
    }

    /// 200 sessions of some minutes: the five recorded calls that [`recording::seeds`] names in
    /// turn, perturbed.
    pub fn short_sessions() -> Self {
        Self {
            name: "s200".to_owned(),
            dumps: short_sessions::perturbed(&recording::seeds(), 200),
        }
    }

    /// One session of `megabytes` (10⁶ bytes): three peer connections, polled every second.
    pub fn long_session(megabytes: usize) -> Self {
        Self {
            name: format!("L{megabytes}"),
            dumps: vec![spun(3, megabytes)],
        }
    }

    /// The same session as a client of rtcstats 5.0 sends it.
    pub fn long_rtcstats_session(megabytes: usize) -> Self {
        Self {
            name: format!("R{megabytes}"),
            dumps: vec![spun_rtcstats(3, megabytes)],
        }
    }

    /// One session of `megabytes` of a single peer connection, polled every second.
    pub fn connection(megabytes: usize) -> Self {
        Self {
            name: format!("C{megabytes}"),
            dumps: vec![spun(1, megabytes)],
        }
    }

    /// The same session as a client of rtcstats 5.0 sends it.
    pub fn rtcstats_connection(megabytes: usize) -> Self {
        Self {
            name: format!("RC{megabytes}"),
            dumps: vec![spun_rtcstats(1, megabytes)],
        }
    }

    /// The one recording inside the project, as it is.
    pub fn recorded_call() -> Self {
        let lines = recording::own().lines().map(str::to_owned).collect();
        Self {
            name: "call".to_owned(),
            dumps: vec![Dump { lines }],
        }
    }

    /// A session of one peer connection whose reports are all complete, as some clients send them.
    pub fn full_reports() -> Self {
        Self {
            name: "full".to_owned(),
            dumps: vec![full_reports::session(&recording::reports())],
        }
    }

    /// Bytes of all lines, terminators included.
    pub fn bytes(&self) -> usize {
        self.lines().map(|line| line.len() + 1).sum()
    }

    /// The lines of all dumps.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.dumps
            .iter()
            .flat_map(|dump| &dump.lines)
            .map(String::as_str)
    }
}

fn spun(connections: usize, megabytes: usize) -> Dump {
    let bytes = megabytes * 1_000_000;
    long_session::spun(&recording::reports(), connections, bytes)
}

fn spun_rtcstats(connections: usize, megabytes: usize) -> Dump {
    /// A 5.0 delta has less than half the bytes of Jitsi's.
    const JITSI_MEGABYTES: usize = 3;
    let source = spun(connections, megabytes * JITSI_MEGABYTES);
    let mut converter = Converter::new(Generation::Rtcstats, Limits::default());
    let mut text = String::new();
    for line in &source.lines {
        if text.len() >= megabytes * 1_000_000 {
            break;
        }
        converter.push_line(line, &mut text).unwrap();
    }
    Dump::new(&text)
}
