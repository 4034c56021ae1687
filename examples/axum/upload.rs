//! Uploads of dumps.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use rtcstats_server_core::{Upgrade, UploadError, UploadReceiver};
use serde_json::json;
use tokio::time::timeout;

use crate::server::state::AppState;
use crate::server::websocket::details;

/// How long a body may make no progress.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long a body may take in all. A few that trickle in would otherwise keep all others out, and a
/// shutdown waiting.
pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 60);

/// `POST` of a form with a dump, on the path of uploads.
pub(crate) async fn upload(State(state): State<AppState>, request: Request) -> Response {
    if request.method() != Method::POST {
        return StatusCode::NOT_FOUND.into_response();
    }
    let details = details(&request);
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let content_type = content_type.map(str::to_owned);
    let mut body = request.into_body().into_data_stream();
    match store(&state, &details, content_type.as_deref(), &mut body).await {
        Ok(id) => {
            // As text, so that the members keep their order.
            let json = format!(
                "{{\"message\":\"Upload successful\",\"clientId\":{}}}",
                json!(id)
            );
            answer(StatusCode::OK, "application/json", json)
        }
        Err(error) => {
            // A client that is still sending would not read the answer.
            let _ = timeout(Duration::from_secs(5), discard(&mut body)).await;
            let status = StatusCode::from_u16(error.status());
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            answer(status, "text/plain", error.body().into_owned())
        }
    }
}

async fn store(
    state: &AppState,
    details: &Upgrade,
    content_type: Option<&str>,
    body: &mut BodyDataStream,
) -> Result<String, UploadError> {
    let mut upload = state.runtime.upload(details, content_type)?;
    let received = timeout(LONGEST, receive(&mut upload, body)).await;
    received.map_err(|_| UploadError::Incomplete)??;
    Ok(upload.finish().await?.to_string())
}

async fn receive(
    upload: &mut UploadReceiver,
    body: &mut BodyDataStream,
) -> Result<(), UploadError> {
    while let Some(chunk) = timeout(PATIENCE, body.next())
        .await
        .map_err(|_| UploadError::Incomplete)?
    {
        let chunk = chunk.map_err(|_| UploadError::Incomplete)?;
        upload.receive(&chunk).await?;
    }
    Ok(())
}

pub(crate) async fn discard(body: &mut BodyDataStream) {
    const MOST_BYTES: usize = 64 << 20;
    let mut bytes = 0;
    while let Some(Ok(chunk)) = body.next().await {
        bytes += chunk.len();
        if bytes > MOST_BYTES {
            return;
        }
    }
}

fn answer(status: StatusCode, content_type: &'static str, text: String) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, content_type)],
        Body::from(text),
    )
        .into_response()
}
