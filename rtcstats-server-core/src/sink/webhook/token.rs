//! Tokens of requests (Jitsi spec, section 13.4).

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use pkcs8::PrivateKeyInfo;
use serde::{Deserialize, Serialize};

/// Makes the tokens of requests: JSON Web Tokens, signed with RS256.
///
/// A token is used again until nine tenths of its lifetime have passed.
pub struct WebhookKey {
    key: EncodingKey,
    header: Box<Header>,
    audience: String,
    issuer: String,
    lifetime: Duration,
    current: Mutex<Option<Token>>,
}

struct Token {
    text: String,
    /// In Unix epoch milliseconds.
    issued_ms: f64,
}

/// A document that has no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookKeyError {
    /// It is not of the form of the spec.
    #[error("malformed key document (line {}, column {})", .0.line(), .0.column())]
    Json(#[source] serde_json::Error),
    /// The private key is not the Base64 text of an RSA key in PKCS #8.
    #[error("the private key is not the Base64 text of an RSA key in PKCS #8")]
    Key(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// `{"auth":{"jwt":{"meetings":{"privateKey":"…","kid":"…"}}}}`
#[derive(Deserialize)]
struct Document {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    jwt: Jwt,
}

#[derive(Deserialize)]
struct Jwt {
    meetings: Meetings,
}

#[derive(Deserialize)]
struct Meetings {
    #[serde(rename = "privateKey")]
    private_key: String,
    kid: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    sub: &'static str,
    scd: &'static str,
    iss: &'a str,
    iat: u64,
    exp: u64,
}

impl WebhookKey {
    /// Lifetime of a token unless said otherwise.
    pub const LIFETIME: Duration = Duration::from_secs(7_200);

    /// Reads the document of section 13.4:
    /// `{"auth":{"jwt":{"meetings":{"privateKey":…,"kid":…}}}}`, the key as Base64 text of PKCS #8,
    /// without armour and line breaks. Tokens are for `audience` (`aud`), by `issuer` (`iss`), and
    /// valid for `lifetime`, to the second.
    ///
    /// # Errors
    ///
    /// If it is of another form, or the key is no RSA key.
    pub fn from_document(
        json: &str,
        audience: impl Into<String>,
        issuer: impl Into<String>,
        lifetime: Duration,
    ) -> Result<Self, WebhookKeyError> {
        let document: Document = serde_json::from_str(json).map_err(WebhookKeyError::Json)?;
        let Meetings { private_key, kid } = document.auth.jwt.meetings;
        let der = STANDARD
            .decode(private_key.trim())
            .map_err(|error| WebhookKeyError::Key(error.into()))?;
        let info = PrivateKeyInfo::try_from(der.as_slice())
            .map_err(|error| WebhookKeyError::Key(error.to_string().into()))?;
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(kid);
        let key = Self {
            key: EncodingKey::from_rsa_der(info.private_key),
            header: Box::new(header),
            audience: audience.into(),
            issuer: issuer.into(),
            lifetime,
            current: Mutex::new(None),
        };
        // A key of another kind shows when it is used.
        key.make(0.0)
            .map_err(|error| WebhookKeyError::Key(error.into()))?;
        Ok(key)
    }

    /// A token to use at this time, in Unix epoch milliseconds.
    pub(super) fn token(&self, now_ms: f64) -> Result<String, jsonwebtoken::errors::Error> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let used_for = self.lifetime.as_secs_f64() * 900.0;
        let is_usable = |token: &&Token| (0.0..used_for).contains(&(now_ms - token.issued_ms));
        if let Some(token) = current.as_ref().filter(is_usable) {
            return Ok(token.text.clone());
        }
        let text = self.make(now_ms)?;
        *current = Some(Token {
            text: text.clone(),
            issued_ms: now_ms,
        });
        Ok(text)
    }

    fn make(&self, now_ms: f64) -> Result<String, jsonwebtoken::errors::Error> {
        let issued = (now_ms / 1000.0) as u64;
        let claims = Claims {
            aud: &self.audience,
            sub: "*",
            scd: "any",
            iss: &self.issuer,
            iat: issued,
            exp: issued.saturating_add(self.lifetime.as_secs()),
        };
        encode(&self.header, &claims, &self.key)
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WebhookKey")
            .field("kid", &self.header.kid)
            .field("audience", &self.audience)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}
