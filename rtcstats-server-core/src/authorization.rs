//! Who may send (5.0 spec, section 12.6).

use std::fmt;

use rtcstats_proto::RawJson;
use serde::Deserialize;

use crate::Refusal;

#[cfg(feature = "jwt")]
mod jwt;

#[cfg(feature = "jwt")]
pub use jwt::{JwtAuthorizer, KeyError};

/// Decides who may send. Called for every WebSocket of every generation, and for every upload.
pub trait Authorizer: fmt::Debug + Send + Sync + 'static {
    /// Checks the token of a request, if it has one; `now` is the time in Unix epoch milliseconds.
    ///
    /// Must not block, and must not log the token.
    ///
    /// # Errors
    ///
    /// If the request is refused.
    fn authorize(&self, token: Option<&str>, now: f64) -> Result<Claims, AuthorizationError>;
}

/// What a token says about the client: its member `rtcStats`, whose members are all optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Claims {
    /// Who it is.
    pub user: Option<String>,
    /// The conference it takes part in.
    pub conference: Option<String>,
    /// The application's name for this session.
    pub session: Option<String>,
}

impl Claims {
    /// Reads the payload of a token. Members of another type than text count as absent, and so does
    /// empty text.
    ///
    /// ```
    /// use rtcstats_proto::RawJson;
    /// use rtcstats_server_core::Claims;
    ///
    /// let payload = RawJson::parse(r#"{"rtcStats":{"user":"u","session":""},"exp":5}"#)?;
    /// let claims = Claims::from_payload(payload);
    /// assert_eq!((claims.user.as_deref(), claims.session), (Some("u"), None));
    /// # Ok::<(), rtcstats_proto::JsonError>(())
    /// ```
    pub fn from_payload(payload: RawJson<'_>) -> Self {
        let member = |name| {
            let text = payload.get("rtcStats")?.get(name)?.as_text()?;
            (!text.is_empty()).then(|| text.into_owned())
        };
        Self {
            user: member("user"),
            conference: member("conference"),
            session: member("session"),
        }
    }
}

/// Why a request is refused. Says nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizationError {
    /// It has no token.
    #[error("token is missing")]
    Missing,
    /// Its token is none, is signed by somebody else, or in a way that is not accepted.
    #[error("token is not valid")]
    Invalid,
    /// Its token was valid once.
    #[error("token has expired")]
    Expired,
    /// Its token will be valid later.
    #[error("token is not yet valid")]
    NotYetValid,
}

impl From<AuthorizationError> for Refusal {
    fn from(error: AuthorizationError) -> Self {
        let reason = match error {
            AuthorizationError::Missing => "token is missing",
            AuthorizationError::Invalid => "token is not valid",
            AuthorizationError::Expired => "token has expired",
            AuthorizationError::NotYetValid => "token is not yet valid",
        };
        Self { code: 1008, reason }
    }
}
