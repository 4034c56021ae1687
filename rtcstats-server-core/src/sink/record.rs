//! What is published of a session.

use std::io::{self, BufRead};

use rtcstats_features::FeatureSet;
use rtcstats_features::jitsi::{Extraction, MissingTime, RecordContext};
use rtcstats_proto::Limits;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::features::FeatureExtractor;
use crate::{DumpHead, DumpName, Privacy, Recovered, SessionFacts, SessionFeatures};

/// Everything that is published of one session.
#[derive(Debug, Clone)]
pub struct SessionRecord {
    /// The dump it was extracted from.
    pub name: DumpName,
    /// Its parts; no two have the same name.
    pub parts: Vec<RecordPart>,
}

/// One part of a record: a row, a document.
#[derive(Debug, Clone)]
pub struct RecordPart {
    /// What it is within the session, for example `features`, `meeting` or `pc/0`.
    pub part: String,
    /// Its content.
    pub json: Box<RawValue>,
}

/// What a record is made with, besides the dump.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordOptions<'a> {
    /// `appEnv` of published records: the name of the deployment.
    pub environment: &'a str,
    /// The time of publishing, in Unix epoch milliseconds.
    pub now: f64,
    /// Bytes of the dump as plain text.
    pub bytes: u64,
}

/// The part about the session as a whole: `session`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionPart<'a> {
    #[serde(flatten)]
    facts: &'a SessionFacts,
    #[serde(flatten)]
    head: &'a DumpHead,
    bytes: u64,
    /// The connections of part `rtcstats`, in its order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    connection_identifiers: Vec<&'a str>,
    extractor_version: &'a str,
}

impl SessionRecord {
    /// The version of the extractor that this crate is built with: member `extractorVersion` of part
    /// `session`.
    pub const EXTRACTOR_VERSION: &'static str = rtcstats_features::VERSION;

    /// The record of a session, to be stored under `name`.
    ///
    /// | Part | What | There |
    /// |---|---|---|
    /// | `features` | features of Jitsi's extractor | with that set |
    /// | `metadata` | what Jitsi's servers find the dump by | with that set |
    /// | `meeting`, `pc/0` …, `track/0` … | the records that Jitsi's servers publish | of browsers |
    /// | `rtcstats` | features of the rtcstats.com server | with that set |
    /// | `legacy` | what only the legacy server had | with that set |
    /// | `series` | [time series](rtcstats_features::series) | where they are wanted |
    /// | `session` | [`SessionFacts`], [`DumpHead`], `bytes`, `connectionIdentifiers`, `extractorVersion` | always |
    ///
    /// Apart from the time, its content depends on the dump and the facts only, so that a repetition
    /// publishes the same.
    pub fn of(
        name: DumpName,
        mut features: SessionFeatures,
        facts: &SessionFacts,
        options: &RecordOptions<'_>,
    ) -> Self {
        let mut parts = Vec::new();
        if let Some(extraction) = &mut features.jitsi {
            // The name that was free may be another than the one that was extracted under.
            extraction.dump_metadata.client_id = name.to_string();
            add_jitsi(&name, extraction, options, &mut parts);
        }
        if let Some(features) = &features.rtcstats {
            add_part(&mut parts, "rtcstats", features);
        }
        if let Some(features) = &features.legacy {
            add_part(&mut parts, "legacy", features);
        }
        if let Some(series) = &features.series {
            add_part(&mut parts, "series", series);
        }
        let connections = features
            .rtcstats
            .iter()
            .flat_map(|set| &set.peer_connections);
        let session = SessionPart {
            facts,
            head: &features.head,
            bytes: options.bytes,
            connection_identifiers: connections
                .map(|connection| connection.connection_identifier.as_str())
                .collect(),
            extractor_version: Self::EXTRACTOR_VERSION,
        };
        add_part(&mut parts, "session", &session);
        Self { name, parts }
    }

    /// The record of an archived dump, made anew from its plain text; [`RecordOptions::bytes`] is
    /// counted. Lines that cannot be read are passed over.
    ///
    /// What only the server knew of the session is not in its dump: how often its client came back, and
    /// what a token said. See [`SessionRecord::keep_facts`].
    ///
    /// # Errors
    ///
    /// Those of the reader; [`InvalidData`](io::ErrorKind::InvalidData) if none of the lines can be
    /// read.
    pub fn extract(
        name: DumpName,
        mut dump: impl BufRead,
        sets: &[FeatureSet],
        limits: Limits,
        options: &RecordOptions<'_>,
    ) -> io::Result<Self> {
        let mut recovered = Recovered::begin(name.clone(), options.now);
        let mut extractor =
            FeatureExtractor::new(name.to_string(), sets, None, &Privacy::default(), limits);
        let (mut line, mut lines) = (Vec::new(), 0);
        loop {
            line.clear();
            if dump.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            recovered.push(&line);
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            extractor.push(line);
            lines += 1;
        }
        if lines > 0 && extractor.errors() == lines {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not a dump: none of its lines can be read",
            ));
        }
        let options = RecordOptions {
            bytes: recovered.bytes,
            ..*options
        };
        let features = extractor.snapshot(options.now);
        Ok(Self::of(name, features, &recovered.facts, &options))
    }

    /// Takes over from an earlier record of the same dump what is not in the dump, and the series where
    /// none were made anew.
    pub fn keep_facts(&mut self, earlier: &Self) {
        if let Some(series) = earlier
            .part("series")
            .filter(|_| self.part("series").is_none())
        {
            let session = self.parts.iter().position(|part| part.part == "session");
            let series = RecordPart {
                part: "series".to_owned(),
                json: series.to_owned(),
            };
            self.parts
                .insert(session.unwrap_or(self.parts.len()), series);
        }
        let facts = |record: &Self| -> Option<Map<String, Value>> {
            serde_json::from_str(record.part("session")?.get()).ok()
        };
        let (Some(mut own), Some(earlier)) = (facts(self), facts(earlier)) else {
            return;
        };
        const OF_THE_EXTRACTION: [&str; 3] = ["bytes", "connectionIdentifiers", "extractorVersion"];
        let kept = earlier
            .into_iter()
            .filter(|(member, _)| !OF_THE_EXTRACTION.contains(&member.as_str()));
        own.extend(kept);
        if let (Ok(json), Some(part)) = (
            to_raw_value(&own),
            self.parts.iter_mut().find(|part| part.part == "session"),
        ) {
            part.json = json;
        }
    }

    /// The content of a part, if there is one of this name.
    pub fn part(&self, name: &str) -> Option<&RawValue> {
        let part = self.parts.iter().find(|part| part.part == name)?;
        Some(&part.json)
    }
}

/// The records that Jitsi's servers publish.
fn add_jitsi(
    name: &DumpName,
    extraction: &Extraction,
    options: &RecordOptions<'_>,
    parts: &mut Vec<RecordPart>,
) {
    add_part(parts, "features", extraction);
    add_part(parts, "metadata", &extraction.metadata_row(options.now));
    let mut ids = 0_u64;
    let mut uuid = || {
        ids += 1;
        Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{name}/{ids}").as_bytes()).to_string()
    };
    let context = RecordContext {
        environment: options.environment,
        now: options.now,
        uuid: &mut uuid,
        missing_time: MissingTime::Null,
    };
    if let Some(records) = extraction.records(context) {
        add_part(parts, "meeting", &records.meeting_record);
        for (index, record) in records.pc_records.iter().enumerate() {
            add_part(parts, &format!("pc/{index}"), record);
        }
        for (index, record) in records.track_records.iter().enumerate() {
            add_part(parts, &format!("track/{index}"), record);
        }
    }
}

fn add_part<T: Serialize>(parts: &mut Vec<RecordPart>, part: &str, value: &T) {
    match to_raw_value(value) {
        Ok(json) => parts.push(RecordPart {
            part: part.to_owned(),
            json,
        }),
        Err(error) => tracing::error!(part, %error, "part of a record cannot be written"),
    }
}
