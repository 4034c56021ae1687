//! Searching records: which, in which order, and which page of them.

use std::cmp::Ordering;

use serde::Serialize;

use super::summary::RecordSummary;
use crate::{DumpName, RecordQuery, SessionRecord};

/// A search for records: which ones, in which order, and which page of them.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSearch {
    /// Which ones, and how many of them: at most [`RecordSearch::MAX_ROWS`].
    pub filter: RecordQuery,
    /// Words, apart by white space, each of which is anywhere in what the record is
    /// [found by](SearchText), whatever the case. At most the first [`RecordSearch::MAX_WORDS`], and of
    /// each the first [`RecordSearch::MAX_WORD`] characters; none for all records.
    pub text: String,
    /// What they are sorted by. Where two are equal, their order is the store's own, the same for each
    /// page.
    pub key: RecordKey,
    /// Whether the largest, or the latest, come first. Those without the key come last either way.
    pub is_descending: bool,
    /// How many come before those that are wanted.
    pub offset: usize,
    /// Whether to [count](RecordPage::total) all that are found, which may take as long as the search.
    pub is_counted: bool,
}

impl RecordSearch {
    /// Rows at once: a page is some hundreds of kilobytes.
    pub const MAX_ROWS: usize = 1_000;
    /// Words of a search.
    pub const MAX_WORDS: usize = 8;
    /// Characters of a word.
    pub const MAX_WORD: usize = 128;

    /// The last `limit` records, whosever they are, and how many there are.
    pub fn last(limit: usize) -> Self {
        Self {
            filter: RecordQuery::last(limit),
            text: String::new(),
            key: RecordKey::Published,
            is_descending: true,
            offset: 0,
            is_counted: true,
        }
    }

    /// How many rows are answered at most.
    pub fn limit(&self) -> usize {
        self.filter.limit.min(Self::MAX_ROWS)
    }

    /// The words of the text that count, in lower case.
    pub fn words(&self) -> Vec<String> {
        let words = self.text.split_whitespace().take(Self::MAX_WORDS);
        words.map(|word| lower(word, Self::MAX_WORD)).collect()
    }

    /// Whether what a record is found by has all the words.
    pub fn is_found(&self, text: &SearchText) -> bool {
        let words = self.words();
        words.iter().all(|word| text.0.contains(word.as_str()))
    }

    /// Which of two comes first, as stores sort.
    pub fn compare(&self, one: &RecordRow, other: &RecordRow) -> Ordering {
        self.key
            .of(one)
            .compare(&self.key.of(other), self.is_descending)
    }

    /// The page of these records, in memory.
    pub(super) fn select(&self, records: impl Iterator<Item = (SessionRecord, f64)>) -> RecordPage {
        let mut rows = Vec::new();
        for (record, published) in records {
            let summary = RecordSummary::of(&record);
            if summary.matches(&self.filter) && self.is_found(&summary.search_text(&record.name)) {
                rows.push(summary.row(record.name, published));
            }
        }
        let total = self.is_counted.then_some(rows.len() as u64);
        rows.sort_by(|one, other| {
            let by_name = one.name.cmp(&other.name);
            let by_name = if self.is_descending {
                by_name.reverse()
            } else {
                by_name
            };
            self.compare(one, other).then(by_name)
        });
        let rows = rows.into_iter().skip(self.offset).take(self.limit());
        RecordPage {
            rows: rows.collect(),
            total,
        }
    }
}

/// What records are sorted by. Texts sort by their first 64 characters and by code points, letters of
/// ASCII whatever their case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordKey {
    /// [`RecordRow::published_ms`]
    Published,
    /// [`RecordRow::conference`]
    Conference,
    /// [`RecordRow::display_name`], without one [`RecordRow::user`]
    User,
    /// [`RecordRow::browser`]
    Browser,
    /// [`RecordRow::start_ms`]
    Started,
    /// [`RecordRow::end_ms`]
    Ended,
    /// [`RecordRow::duration_ms`]
    Duration,
    /// [`RecordRow::loss`]
    Loss,
    /// [`RecordRow::rtt_ms`]
    RoundTripTime,
}

impl RecordKey {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Published,
        Self::Conference,
        Self::User,
        Self::Browser,
        Self::Started,
        Self::Ended,
        Self::Duration,
        Self::Loss,
        Self::RoundTripTime,
    ];

    /// Characters of a text that it is sorted by.
    pub(super) const CHARACTERS: usize = 64;

    fn of(self, row: &RecordRow) -> KeyValue {
        let text = |text: &Option<String>| KeyValue::Text(text.as_deref().map(sorted_by));
        match self {
            Self::Published => KeyValue::Number(Some(row.published_ms)),
            Self::Conference => text(&row.conference),
            Self::User => match &row.display_name {
                Some(_) => text(&row.display_name),
                None => text(&row.user),
            },
            Self::Browser => text(&row.browser),
            Self::Started => KeyValue::Number(row.start_ms),
            Self::Ended => KeyValue::Number(row.end_ms),
            Self::Duration => KeyValue::Number(row.duration_ms),
            Self::Loss => KeyValue::Number(row.loss),
            Self::RoundTripTime => KeyValue::Number(row.rtt_ms),
        }
    }
}

fn sorted_by(text: &str) -> String {
    let start = text.chars().take(RecordKey::CHARACTERS);
    start
        .map(|character| character.to_ascii_lowercase())
        .collect()
}

enum KeyValue {
    Text(Option<String>),
    Number(Option<f64>),
}

impl KeyValue {
    fn compare(&self, other: &Self, is_descending: bool) -> Ordering {
        let directed = |order: Ordering| {
            if is_descending {
                order.reverse()
            } else {
                order
            }
        };
        let absent = |one: bool, other: bool| one.cmp(&other);
        match (self, other) {
            (Self::Text(Some(one)), Self::Text(Some(other))) => directed(one.cmp(other)),
            (Self::Number(Some(one)), Self::Number(Some(other))) => directed(one.total_cmp(other)),
            (Self::Text(one), Self::Text(other)) => absent(one.is_none(), other.is_none()),
            (Self::Number(one), Self::Number(other)) => absent(one.is_none(), other.is_none()),
            _ => Ordering::Equal,
        }
    }
}

/// What a record is found by: the name of the dump, user, display name, conference, its name and its
/// URL, the application's names for session and client, browser with its version; in lower case, and of
/// each the first [`SearchText::MAX_PART`] characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchText(String);

impl SearchText {
    /// Characters of one of its parts: names of people and rooms are shorter.
    pub const MAX_PART: usize = 256;

    /// What this record is found by.
    pub fn of(record: &SessionRecord) -> Self {
        RecordSummary::of(record).search_text(&record.name)
    }

    pub(super) fn from_parts<'a>(parts: impl Iterator<Item = &'a str>) -> Self {
        let parts = parts.filter(|part| !part.is_empty());
        let parts: Vec<_> = parts.map(|part| lower(part, Self::MAX_PART)).collect();
        Self(parts.join("\n"))
    }

    /// The text, its parts a line each.
    #[cfg(feature = "sql")]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn lower(text: &str, characters: usize) -> String {
    let start: String = text.chars().take(characters).collect();
    start.to_lowercase()
}

/// What a search finds.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct RecordPage {
    /// The page, in its order.
    pub rows: Vec<RecordRow>,
    /// How many there are on all pages, if that was [asked](RecordSearch::is_counted).
    pub total: Option<u64>,
}

/// A record in a list. Absent is what its features do not tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RecordRow {
    /// Whose record it is.
    #[serde(rename = "id")]
    pub name: DumpName,
    /// What the application calls the conference; without, its name in a Jitsi client's identity, or
    /// its URL.
    pub conference: Option<String>,
    /// Who it was, by the application.
    pub user: Option<String>,
    /// The name that a Jitsi client shows to others.
    pub display_name: Option<String>,
    /// By the user agent, such as `Chrome`.
    pub browser: Option<String>,
    /// Such as `114.0.5735.99`.
    pub browser_version: Option<String>,
    /// [`Identifiers::client_id`](crate::Identifiers::client_id)
    pub client: Option<String>,
    /// When the server saw it begin, in Unix epoch milliseconds.
    pub start_ms: Option<f64>,
    /// When it ended, in Unix epoch milliseconds.
    pub end_ms: Option<f64>,
    /// From the first event to the last, by the clock of the client, in milliseconds.
    pub duration_ms: Option<f64>,
    /// Peer connections.
    pub connections: Option<u64>,
    /// Packets lost, of those that were to arrive, from 0 to 1: of the peer connection and direction with
    /// the largest share. From `totalReceivedPacketsLost`, `totalPacketsReceived`,
    /// `totalSentPacketsLost` and `totalPacketsSent` of
    /// [`TrackAggregates`](rtcstats_features::jitsi::TrackAggregates); absent without any packets.
    pub loss: Option<f64>,
    /// Mean round-trip time in milliseconds, of the peer connection with the longest: that of
    /// [STUN checks](rtcstats_features::rtcstats::ConnectionFeatures::average_stun_round_trip_time); where
    /// no connection has one,
    /// [`mean_rtt`](rtcstats_features::jitsi::TransportAggregates::mean_rtt), which counts as
    /// milliseconds from 10 on: no connection bears a mean of ten seconds.
    pub rtt_ms: Option<f64>,
    /// Bytes of the dump as plain text.
    pub bytes: Option<u64>,
    /// [`SessionFacts::events`](crate::SessionFacts::events)
    pub events: Option<u64>,
    /// When it was published, in Unix epoch milliseconds.
    #[serde(skip)]
    pub published_ms: f64,
}

impl RecordRow {
    /// The row of a record that was published at this time, in Unix epoch milliseconds.
    pub fn of(record: &SessionRecord, published_ms: f64) -> Self {
        RecordSummary::of(record).row(record.name.clone(), published_ms)
    }
}
