//! Views of dumps that are sent along.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{BodyDataStream, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::StreamExt;
use rtcstats_features::ExtractError;
use rtcstats_proto::Limits;
use rtcstats_proto::dump::{Format, Internals, InternalsError, decompress};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::answer::document;
use super::document::{ExtractOrWrite, ViewBuilder};
use super::work::Work;
use super::{store, too_many};
use crate::server::api::{accepts_gzip, failure};
use crate::server::state::AppState;
use crate::server::upload::{LONGEST, PATIENCE, discard};

/// What can be asked of an import.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ImportQuery {
    #[serde(default)]
    store: bool,
}

/// `POST /api/import`
pub(crate) async fn import(
    State(state): State<AppState>,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Response {
    if query.store {
        return store::store(&state, request).await;
    }
    let turn = match state.turns.import().await {
        Ok(turn) => turn,
        Err(answer) => return answer,
    };
    let Some(place) = state.turns.answer() else {
        return too_many("too many answers are being read");
    };
    let is_compressed = accepts_gzip(request.headers());
    let mut body = request.into_body().into_data_stream();
    let limit = state.max_upload_bytes;
    let (chunks, received) = mpsc::channel(4);
    let (mut work, _wanted) = Work::new();
    let computed = tokio::task::spawn_blocking(move || {
        let view = computed(received, limit, is_compressed, &mut work);
        drop(turn);
        view
    });
    let is_more = pump(&mut body, chunks).await;
    let error = match computed.await {
        Ok(Ok(json)) => return document(json, is_compressed, place),
        Ok(Err(error)) => error,
        Err(_) => ImportError::Failed,
    };
    if is_more {
        // A client that is still sending would not read the answer.
        discard_rest(&mut body).await;
    }
    failure(error.status(), &error.to_string())
}

/// Why there is no view of what was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImportError {
    #[error(
        "not a dump: it is none of the formats that rtcstats clients and servers, or webrtc-internals, write"
    )]
    Format,
    #[error("not a dump: none of its lines is an event")]
    NoEvents,
    #[error("the dump is over the limit of {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the export of webrtc-internals is malformed: {0}")]
    Export(#[from] InternalsError),
    #[error("the dump cannot be read: {0}")]
    Read(String),
    #[error("the dump could not be imported")]
    Failed,
}

impl ImportError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } | Self::Export(InternalsError::TooLong { .. }) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Format | Self::NoEvents | Self::Export(_) | Self::Read(_) => {
                StatusCode::BAD_REQUEST
            }
        }
    }
}

/// Hands the body on, as fast as it is read; whether more of it may come.
pub(super) async fn pump(
    body: &mut BodyDataStream,
    chunks: mpsc::Sender<io::Result<Bytes>>,
) -> bool {
    let pumping = async {
        loop {
            let chunk = match timeout(PATIENCE, body.next()).await {
                Ok(Some(chunk)) => chunk.map_err(io::Error::other),
                Ok(None) => return false,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
            let is_broken = chunk.is_err();
            // Nobody reads the rest of what is refused.
            if chunks.send(chunk).await.is_err() {
                return true;
            }
            if is_broken {
                return false;
            }
        }
    };
    let pumped = timeout(LONGEST, pumping).await;
    if let Ok(is_more) = pumped {
        return is_more;
    }
    // It would be taken for the end.
    let _ = chunks.try_send(Err(io::ErrorKind::TimedOut.into()));
    true
}

/// Reads what a client goes on sending that was refused, for some seconds.
pub(super) async fn discard_rest(body: &mut BodyDataStream) {
    const LONGEST: std::time::Duration = std::time::Duration::from_secs(5);
    let _ = timeout(LONGEST, discard(body)).await;
}

/// The view of a body, as JSON.
fn computed(
    received: mpsc::Receiver<io::Result<Bytes>>,
    limit: u64,
    is_compressed: bool,
    work: &mut Work,
) -> Result<Vec<u8>, ImportError> {
    let is_over = Arc::new(AtomicBool::new(false));
    let result = read(received, limit, &is_over, work).and_then(|(builder, format)| {
        if !work.is_wanted() {
            return Err(ImportError::Failed);
        }
        let counters = builder.counters();
        if counters.errors + counters.torn >= counters.lines {
            return Err(ImportError::NoEvents);
        }
        let session = json!({
            "id": "imported",
            "state": "imported",
            "format": format.as_str(),
            "lines": counters.lines,
            "malformed": counters.errors,
        });
        let view = builder.view(&session);
        drop(builder);
        let json = view.encode(is_compressed);
        json.map_err(|_: ExtractOrWrite| ImportError::Failed)
    });
    match result {
        // Whatever else became of it then.
        Err(_) if is_over.load(Ordering::Relaxed) => Err(ImportError::TooLarge { limit }),
        result => result,
    }
}

fn read(
    received: mpsc::Receiver<io::Result<Bytes>>,
    limit: u64,
    is_over: &Arc<AtomicBool>,
    work: &mut Work,
) -> Result<(ViewBuilder, Format), ImportError> {
    let mut bytes = plain(received, limit, is_over).map_err(unreadable)?;
    let mut head = Vec::new();
    let head_bytes = Format::HEAD_BYTES as u64;
    let read = bytes.by_ref().take(head_bytes).read_to_end(&mut head);
    read.map_err(unreadable)?;
    let format = Format::detect(&head).ok_or(ImportError::Format)?;
    let bytes = Cursor::new(head).chain(bytes);
    let mut builder = ViewBuilder::new("imported");
    if format == Format::Internals {
        let limits = Limits::default();
        let text = Internals::read_text(bytes, &limits).map_err(|error| too_long(error, limits))?;
        let mut export = Internals::parse(&text, &limits)?;
        builder.read_export(&mut export, work);
    } else {
        builder.read(bytes, work).map_err(unextracted)?;
    }
    Ok((builder, format))
}

/// The body decompressed, up to the limit.
pub(super) fn plain(
    received: mpsc::Receiver<io::Result<Bytes>>,
    limit: u64,
    is_over: &Arc<AtomicBool>,
) -> io::Result<Box<dyn BufRead + Send>> {
    let body = BodyReader {
        received,
        chunk: Bytes::new(),
    };
    let body = Limited::new(body, limit, is_over);
    let text = Limited::new(decompress(BufReader::new(body))?, limit, is_over);
    Ok(Box::new(BufReader::new(text)))
}

fn unreadable(error: io::Error) -> ImportError {
    ImportError::Read(error.to_string())
}

fn unextracted(error: ExtractError) -> ImportError {
    ImportError::Read(error.to_string())
}

fn too_long(error: io::Error, limits: Limits) -> ImportError {
    match error.kind() {
        io::ErrorKind::InvalidData => ImportError::TooLarge {
            limit: limits.import_bytes as u64,
        },
        _ => unreadable(error),
    }
}

/// Reads the chunks of a body, by blocking.
struct BodyReader {
    received: mpsc::Receiver<io::Result<Bytes>>,
    chunk: Bytes,
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.received.blocking_recv() {
                Some(chunk) => self.chunk = chunk?,
                None => return Ok(0),
            }
        }
        let length = self.chunk.as_ref().read(buffer)?;
        drop(self.chunk.split_to(length));
        Ok(length)
    }
}

/// Fails beyond so many bytes.
struct Limited<R> {
    inner: R,
    rest: u64,
    is_over: Arc<AtomicBool>,
}

impl<R> Limited<R> {
    fn new(inner: R, limit: u64, is_over: &Arc<AtomicBool>) -> Self {
        Self {
            inner,
            rest: limit,
            is_over: Arc::clone(is_over),
        }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        match self.rest.checked_sub(length as u64) {
            Some(rest) => {
                self.rest = rest;
                Ok(length)
            }
            None => {
                self.is_over.store(true, Ordering::Relaxed);
                Err(io::ErrorKind::FileTooLarge.into())
            }
        }
    }
}
