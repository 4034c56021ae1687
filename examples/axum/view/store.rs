//! Dumps that are sent along to be stored: uploads without a form around them.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rtcstats_server_core::{UploadError, UploadReceiver};
use serde_json::json;
use tokio::sync::mpsc;

use super::import::{discard_rest, plain, pump};
use crate::server::api::failure;
use crate::server::state::AppState;
use crate::server::websocket::details;

/// What the body would have to hold, in a line of its own, to end there.
const BOUNDARY: &str = "rtcstats-import-4f0c1d8a9b7e4c6fa2d35e81";

/// Bytes that are handed on at once.
const CHUNK_BYTES: usize = 64 << 10;

/// The only type of bodies. Pages of other origins cannot send it without being asked first, and the answer is no:
/// so none of them makes its readers store something here.
const TYPE: &str = "application/octet-stream";

/// Stores the dump in the body, as an upload is stored, and answers its id.
pub(super) async fn store(state: &AppState, request: Request) -> Response {
    let own = request.headers().get(header::CONTENT_TYPE);
    if own.is_none_or(|own| own != TYPE) {
        discard_rest(&mut request.into_body().into_data_stream()).await;
        let error = format!("what is to be stored is sent as {TYPE}");
        return failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, &error);
    }
    let details = details(&request);
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let mut body = request.into_body().into_data_stream();
    let upload = match state.runtime.upload(&details, Some(&content_type)) {
        Ok(upload) => upload,
        Err(error) => {
            discard_rest(&mut body).await;
            return refusal(&error);
        }
    };
    let (chunks, received) = mpsc::channel(4);
    let (pieces, decompressed) = mpsc::channel(4);
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let limit = state.max_upload_bytes;
    let reading = tokio::task::spawn_blocking(move || {
        let last = decompress(received, limit, &over, &pieces);
        // An error is to be told apart from the end.
        if let Err(error) = last {
            let _ = pieces.blocking_send(Err(error));
        }
    });
    let (is_more, stored) = tokio::join!(pump(&mut body, chunks), receive(upload, decompressed));
    // It ends with the channels.
    let _ = reading.await;
    let error = match stored {
        Ok(id) => return Json(json!({ "id": id })).into_response(),
        Err(_) if is_over.load(Ordering::Relaxed) => UploadError::TooLarge { limit },
        Err(error) => error,
    };
    if is_more {
        discard_rest(&mut body).await;
    }
    refusal(&error)
}

fn decompress(
    received: mpsc::Receiver<io::Result<Bytes>>,
    limit: u64,
    is_over: &Arc<AtomicBool>,
    pieces: &mpsc::Sender<io::Result<Vec<u8>>>,
) -> io::Result<()> {
    let mut bytes = plain(received, limit, is_over)?;
    loop {
        let mut piece = Vec::with_capacity(CHUNK_BYTES);
        let most = CHUNK_BYTES as u64;
        let length = bytes.by_ref().take(most).read_to_end(&mut piece)?;
        // The upload was refused, if nobody takes it.
        if length == 0 || pieces.blocking_send(Ok(piece)).is_err() {
            return Ok(());
        }
    }
}

async fn receive(
    mut upload: UploadReceiver,
    mut pieces: mpsc::Receiver<io::Result<Vec<u8>>>,
) -> Result<String, UploadError> {
    let head = format!("--{BOUNDARY}\r\n\r\n");
    upload.receive(head.as_bytes()).await?;
    while let Some(piece) = pieces.recv().await {
        let piece = piece.map_err(|_| UploadError::Incomplete)?;
        upload.receive(&piece).await?;
    }
    let end = format!("\r\n--{BOUNDARY}--\r\n");
    upload.receive(end.as_bytes()).await?;
    Ok(upload.finish().await?.to_string())
}

fn refusal(error: &UploadError) -> Response {
    let status = StatusCode::from_u16(error.status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    failure(status, &error.to_string())
}
