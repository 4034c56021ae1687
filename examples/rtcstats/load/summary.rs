//! What became of all sessions.

use std::error::Error;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::latency::Latencies;
use crate::output::Format;
use crate::table;

/// So many failures are told one by one.
const MOST_REMARKS: usize = 20;

/// Counts while sessions run.
#[derive(Debug, Default)]
pub(super) struct Summary {
    finished: AtomicU64,
    failed: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    /// Messages with a number, which are to be acknowledged.
    numbered: AtomicU64,
    acknowledged: AtomicU64,
    passed_over: AtomicU64,
    latest_us: AtomicU64,
    latencies: Mutex<Latencies>,
    remarks: Mutex<Vec<String>>,
}

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    sessions: u64,
    failed: u64,
    seconds: f64,
    messages: u64,
    bytes: u64,
    messages_per_second: f64,
    to_acknowledge: u64,
    acknowledged: u64,
    lines_passed_over: u64,
    latest_ms: f64,
    latency_p50_ms: Option<f64>,
    latency_p95_ms: Option<f64>,
    latency_p99_ms: Option<f64>,
    latency_max_ms: Option<f64>,
}

impl Summary {
    /// A message was sent, so much after its time.
    pub(super) fn sent(&self, bytes: usize, is_numbered: bool, late: Duration) {
        self.messages.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.numbered.fetch_add(is_numbered.into(), Relaxed);
        let late = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        self.latest_us.fetch_max(late, Relaxed);
    }

    /// A message was acknowledged, so long after it was sent.
    pub(super) fn acknowledged(&self, latency: Duration) {
        self.acknowledged.fetch_add(1, Relaxed);
        lock(&self.latencies).add(latency);
    }

    /// A line of a dump is no event, and was not sent.
    pub(super) fn passed_over(&self) {
        self.passed_over.fetch_add(1, Relaxed);
    }

    /// A session has left as it wanted to.
    pub(super) fn finished(&self) {
        self.finished.fetch_add(1, Relaxed);
    }

    /// A session has failed.
    pub(super) fn failed(&self, remark: String) {
        self.failed.fetch_add(1, Relaxed);
        let mut remarks = lock(&self.remarks);
        if remarks.len() < MOST_REMARKS {
            remarks.push(remark);
        }
    }

    /// Whether all that was to be sent was sent, and all that was to be acknowledged was.
    pub(super) fn is_perfect(&self) -> bool {
        self.failed.load(Relaxed) == 0
            && self.passed_over.load(Relaxed) == 0
            && self.acknowledged.load(Relaxed) == self.numbered.load(Relaxed)
    }

    /// What went wrong.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = lock(&self.remarks).clone();
        let more = (self.failed.load(Relaxed) as usize).saturating_sub(remarks.len());
        if more > 0 {
            remarks.push(format!("{more} more failures are not shown"));
        }
        remarks
    }

    /// How far it is, in a line.
    pub(super) fn progress(&self, elapsed: Duration) -> String {
        let figures = self.figures(elapsed);
        format!(
            "{:.0} s: {} sessions over, {} messages, {} of {} acknowledged",
            figures.seconds,
            figures.sessions,
            figures.messages,
            figures.acknowledged,
            figures.to_acknowledge
        )
    }

    pub(super) fn print(&self, elapsed: Duration, format: Format) -> Result<(), Box<dyn Error>> {
        let figures = self.figures(elapsed);
        let mut output = io::stdout().lock();
        match format {
            Format::Json => {
                serde_json::to_writer_pretty(&mut output, &figures).map_err(io::Error::from)?;
                writeln!(output)?;
            }
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(output);
                csv.serialize(&figures)?;
                csv.flush()?;
            }
            Format::Table => {
                let text = table::render(&["load", ""], figures.rows(), &[]);
                output.write_all(text.as_bytes())?;
            }
        }
        Ok(())
    }

    fn figures(&self, elapsed: Duration) -> Figures {
        let seconds = elapsed.as_secs_f64();
        let messages = self.messages.load(Relaxed);
        let failed = self.failed.load(Relaxed);
        let latencies = lock(&self.latencies);
        let quantile = |part| latencies.quantile(part).map(milliseconds);
        Figures {
            sessions: self.finished.load(Relaxed) + failed,
            failed,
            seconds,
            messages,
            bytes: self.bytes.load(Relaxed),
            messages_per_second: messages as f64 / seconds.max(1e-6),
            to_acknowledge: self.numbered.load(Relaxed),
            acknowledged: self.acknowledged.load(Relaxed),
            lines_passed_over: self.passed_over.load(Relaxed),
            latest_ms: self.latest_us.load(Relaxed) as f64 / 1e3,
            latency_p50_ms: quantile(0.5),
            latency_p95_ms: quantile(0.95),
            latency_p99_ms: quantile(0.99),
            latency_max_ms: latencies.greatest().map(milliseconds),
        }
    }
}

impl Figures {
    fn rows(&self) -> Vec<Vec<String>> {
        let megabytes = self.bytes as f64 / 1e6;
        let known = |latency: Option<f64>| {
            latency.map_or("–".to_owned(), |latency| format!("{latency:.1} ms"))
        };
        let rows = [
            (
                "sessions",
                format!("{}, of them {} failed", self.sessions, self.failed),
            ),
            (
                "messages",
                format!(
                    "{} in {:.1} s, {:.0} a second; {megabytes:.1} MB",
                    self.messages, self.seconds, self.messages_per_second
                ),
            ),
            (
                "acknowledged",
                format!("{} of {}", self.acknowledged, self.to_acknowledge),
            ),
            (
                "latency",
                format!(
                    "half within {}, 95 % within {}, 99 % within {}, all within {}",
                    known(self.latency_p50_ms),
                    known(self.latency_p95_ms),
                    known(self.latency_p99_ms),
                    known(self.latency_max_ms)
                ),
            ),
            ("sent late", format!("by {:.1} ms at most", self.latest_ms)),
            (
                "not sent",
                format!("{} lines that are no events", self.lines_passed_over),
            ),
        ];
        let rows = rows.into_iter();
        rows.map(|(name, value)| vec![name.to_owned(), value])
            .collect()
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// What is counted is whole, whoever panicked meanwhile.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
