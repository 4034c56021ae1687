//! Answers that say no.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::names::SeriesNames;
use super::store::StoreError;

/// Why a request is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It is not as documented.
    #[error("{0}")]
    Malformed(String),
    /// There is no such series; these there are.
    #[error("no such series; there are {0}")]
    UnknownSeries(String),
    /// Nothing is known of the call.
    #[error("no such call")]
    UnknownCall,
    /// The body does not come to its end.
    #[error("the body did not come in time")]
    Slow,
    /// The body is too long.
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
    /// The client may not write.
    #[error("{0}")]
    Unauthorized(String),
    /// The store does not do it.
    #[error("the store of the points does not answer as it should")]
    Store(#[from] Arc<StoreError>),
    /// There is too much to do.
    #[error("too many requests wait to be stored")]
    Busy,
}

impl Refusal {
    pub(crate) fn unknown_series(names: &SeriesNames) -> Self {
        Self::UnknownSeries(
            names
                .iter()
                .map(|name| name.name)
                .collect::<Vec<_>>()
                .join(", "),
        )
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Malformed(_) | Self::UnknownSeries(_) => StatusCode::BAD_REQUEST,
            Self::UnknownCall => StatusCode::NOT_FOUND,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Store(_) | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        };
        if let Self::Store(error) = &self {
            tracing::warn!(error = %error.chain(), "points could not be stored or read");
        }
        let body = json!({ "success": false, "error": self.to_string() });
        (status, Json(body)).into_response()
    }
}
