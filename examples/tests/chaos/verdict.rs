//! What is in the stores in the end, beside what clients sent and were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rtcstats_features::{Extractor, FeatureSet, SetsFold};
use rtcstats_server_core::{DumpName, SessionRecord};
use serde_json::Value;

use crate::client::{Outcome, Part};
use crate::rows::{self, Rows};
use crate::stores::{Dumps, Stores};
use crate::story::{Story, number_of};

/// A session, as its client saw it.
pub(crate) struct Played {
    pub(crate) id: String,
    pub(crate) story: Arc<Story>,
    pub(crate) is_hasty: bool,
    pub(crate) outcome: Outcome,
}

impl Played {
    pub(crate) fn new(part: &Part, outcome: Outcome) -> Self {
        Self {
            id: part.id.clone(),
            story: Arc::clone(&part.story),
            is_hasty: part.is_hasty,
            outcome,
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) sessions: u64,
    pub(crate) plain_sessions: u64,
    pub(crate) connections: u64,
    pub(crate) emitted: u64,
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) stored: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) overflowed: u64,
    pub(crate) longest_wait_seconds: f64,
    /// Sessions whose lines are in more than one dump.
    pub(crate) split: u64,
    pub(crate) plain_emitted: u64,
    pub(crate) plain_stored: u64,
    pub(crate) dumps: u64,
    pub(crate) records_compared: u64,
    pub(crate) rows: u64,
    pub(crate) rows_doubled: u64,
    /// What must not be.
    pub(crate) faults: Vec<String>,
}

/// What dumps would be if nothing had gone wrong: only where one ends and the next begins is taken from
/// what is there.
type Undisturbed = BTreeMap<DumpName, String>;

/// Compares everything.
pub(crate) async fn judge(stores: &Stores, played: &[Played], plain: &[Played]) -> Figures {
    let mut figures = Figures::default();
    let dumps = stores.dumps();
    let records = stores.records(&dumps).await;
    figures.dumps = dumps.len() as u64;
    let mut undisturbed = Undisturbed::new();
    for session in played {
        judge_session(session, &dumps, &mut undisturbed, &mut figures);
    }
    for session in plain {
        judge_plain(session, &dumps, &mut figures);
    }
    for (name, dump) in &dumps {
        let undisturbed = undisturbed.get(name).unwrap_or(dump);
        judge_features(name, undisturbed, records.get(name), &mut figures);
    }
    for rows in rows::count(&stores.database, &records).await {
        judge_rows(rows, &mut figures);
    }
    figures
}

fn judge_session(
    session: &Played,
    dumps: &Dumps,
    undisturbed: &mut Undisturbed,
    figures: &mut Figures,
) {
    let outcome = &session.outcome;
    figures.sessions += 1;
    figures.connections += outcome.connections;
    figures.emitted += outcome.emitted;
    figures.sent += outcome.sent;
    figures.acknowledged += outcome.acknowledged;
    figures.overflowed += outcome.overflowed;
    figures.longest_wait_seconds = figures
        .longest_wait_seconds
        .max(outcome.longest_wait.as_secs_f64());
    figures.faults.extend(outcome.offences.iter().cloned());
    if !outcome.has_left {
        let emitted = outcome.emitted;
        let acknowledged = outcome.acknowledged;
        let (id, story) = (&session.id, &session.story.name);
        let fault = format!("{id} ({story}): {acknowledged} of {emitted} acknowledged at the end");
        figures.faults.push(fault);
    }
    let own: Vec<_> = dumps
        .iter()
        .filter(|(name, _)| name.session_id().as_str() == session.id)
        .collect();
    figures.split += u64::from(own.len() > 1);
    let mut last = 0;
    let mut seen = BTreeSet::new();
    for (name, dump) in own {
        let mut lines = dump.lines();
        let head = lines.next().unwrap_or_default();
        let first = last + 1;
        if !head.starts_with("[\"connectionInfo\",") || !dump.ends_with('\n') {
            figures
                .faults
                .push(format!("{name} has no head, or no end"));
        }
        for line in lines {
            figures.stored += 1;
            let Some(number) = number_of(line) else {
                figures
                    .faults
                    .push(format!("{name} has a line without a number"));
                continue;
            };
            if !seen.insert(number) {
                figures.doubled += 1;
                continue;
            }
            if number < last {
                figures
                    .faults
                    .push(format!("{name} has {number} behind {last}"));
            }
            last = number;
            let is_known = number > 0 && number <= outcome.emitted;
            if !is_known || session.story.line(number as usize - 1, &session.id) != line {
                figures
                    .faults
                    .push(format!("{name} has another {number} than was sent"));
            }
        }
        if outcome.overflowed == 0 && last <= outcome.emitted {
            let mut text = format!("{head}\n");
            for number in first..=last {
                text += &session.story.line(number as usize - 1, &session.id);
                text.push('\n');
            }
            undisturbed.insert(name.clone(), text);
        }
    }
    let expected = match session.is_hasty {
        true => outcome.acknowledged,
        // It left when all was acknowledged.
        false => outcome.emitted - outcome.overflowed,
    };
    let lost = (1..=expected)
        .filter(|number| !seen.contains(number))
        .count();
    if lost > 0 {
        figures
            .faults
            .push(format!("{}: {lost} of {expected} are lost", session.id));
    }
    figures.lost += lost as u64;
    let whole = (1..=last).count() == seen.len();
    if !whole && outcome.overflowed == 0 {
        figures.faults.push(format!("{} has holes", session.id));
    }
}

/// What is there of a client that could not come back is the beginning of what it sent, and an end.
fn judge_plain(session: &Played, dumps: &Dumps, figures: &mut Figures) {
    figures.plain_sessions += 1;
    figures.plain_emitted += session.outcome.emitted;
    let path = format!("\"/{}\"", session.id);
    let own: Vec<_> = dumps
        .iter()
        .filter(|(_, dump)| dump.lines().take(2).any(|line| line.contains(&path)))
        .collect();
    if own.len() > 1 {
        figures
            .faults
            .push(format!("{} has {} dumps", session.id, own.len()));
    }
    let Some((name, dump)) = own.first() else {
        return;
    };
    let mut lines: Vec<Value> = dump
        .lines()
        .skip(2)
        .map(|line| serde_json::from_str(line).unwrap_or_default())
        .collect();
    if lines.pop().is_none_or(|line| line[0] != "close") {
        figures.faults.push(format!("{name} has no end"));
    }
    figures.plain_stored += lines.len() as u64;
    for (index, line) in lines.iter().enumerate() {
        if index as u64 >= session.outcome.emitted || *line != sent_line(&session.story, index) {
            let fault = format!(
                "{name}: line {index} of {} is not what was sent",
                session.id
            );
            figures.faults.push(fault);
            return;
        }
    }
}

/// An event of a plain client, with the repair that legacy ones get.
fn sent_line(story: &Story, index: usize) -> Value {
    let mut sent: Value = serde_json::from_str(&story.frame(index, "")).unwrap();
    let repaired = sent[0].as_str().and_then(|call| {
        let call = call.strip_suffix("OnError")?;
        Some(format!("{call}OnFailure"))
    });
    if let Some(call) = repaired {
        sent[0] = call.into();
    }
    sent
}

/// The record of a dump is that of its lines, folded in one go.
fn judge_features(
    name: &DumpName,
    dump: &str,
    record: Option<&SessionRecord>,
    figures: &mut Figures,
) {
    let Some(record) = record else {
        figures.faults.push(format!("{name} has no record"));
        return;
    };
    let mut extractor = Extractor::new(SetsFold::new(name.to_string(), &FeatureSet::ALL));
    for line in dump.lines() {
        // What cannot be read is left out, as nodes do.
        let _ = extractor.push_line(line);
    }
    let mut undisturbed = serde_json::to_value(extractor.finish(0.0)).unwrap();
    for (set, part) in [
        ("jitsi", "features"),
        ("rtcstats", "rtcstats"),
        ("legacy", "legacy"),
    ] {
        let undisturbed = undisturbed[set].take();
        if part_of(record, part).as_ref() != Some(&undisturbed) {
            let fault = format!("{name}: {part} differ from those of an undisturbed run");
            figures.faults.push(fault);
        }
        figures.records_compared += 1;
    }
    let events = part_of(record, "session").and_then(|facts| facts["events"].as_u64());
    let lines = dump.lines().count() as u64;
    if dump.starts_with("[\"connectionInfo\"") && events != Some(lines - 1) {
        figures
            .faults
            .push(format!("{name}: {events:?} events in {lines} lines"));
    }
}

fn part_of(record: &SessionRecord, wanted: &str) -> Option<Value> {
    let mut parts = record.parts.iter();
    let part = parts.find(|part| part.part == wanted)?;
    serde_json::from_str(part.json.get()).ok()
}

fn judge_rows(rows: Rows, figures: &mut Figures) {
    let Rows {
        table,
        count,
        expected,
    } = rows;
    figures.rows += count;
    figures.rows_doubled += count.saturating_sub(expected);
    if count != expected {
        let fault = format!("{count} rows in {table} instead of {expected}");
        figures.faults.push(fault);
    }
}
