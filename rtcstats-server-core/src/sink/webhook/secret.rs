//! Signatures of events.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// What events are signed with: a secret that the receiver has too.
///
/// Events are signed as [Standard Webhooks](https://www.standardwebhooks.com) says, so that its
/// libraries check them. A request has the headers
///
/// - `webhook-id`: the id of the event, the same at each attempt;
/// - `webhook-timestamp`: when it is sent, in Unix epoch seconds;
/// - `webhook-signature`: `v1,` and the Base64 text of the HMAC-SHA256 over
///   `<webhook-id>.<webhook-timestamp>.<body>`.
///
/// A receiver checks the signature over the bytes that came, refuses a timestamp that is minutes away
/// from its own time, and passes over an id that it has seen.
///
/// ```
/// use rtcstats_server_core::WebhookSecret;
///
/// let secret = WebhookSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")?;
/// let (id, timestamp, body) = ("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367553", br#"{"a":1}"#);
/// let signature = secret.sign(id, timestamp, body);
/// assert!(secret.verify(id, timestamp, body, &signature));
/// assert!(!secret.verify(id, timestamp, br#"{"a":2}"#, &signature));
/// # Ok::<(), rtcstats_server_core::WebhookSecretError>(())
/// ```
///
/// In Python: `base64.b64encode(hmac.digest(secret, f"{id}.{timestamp}.".encode() + body, "sha256"))`.
#[derive(Clone)]
pub struct WebhookSecret {
    mac: Hmac<Sha256>,
}

/// A text that is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is whsec_ and the Base64 text of at least 16 bytes")]
pub struct WebhookSecretError;

impl WebhookSecret {
    const LEAST_BYTES: usize = 16;

    /// Reads `whsec_` and the Base64 text of at least 16 bytes; `openssl rand -base64 32` makes one.
    ///
    /// # Errors
    ///
    /// If it is something else.
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let text = text.strip_prefix("whsec_").ok_or(WebhookSecretError)?;
        let bytes = STANDARD.decode(text).map_err(|_| WebhookSecretError)?;
        if bytes.len() < Self::LEAST_BYTES {
            return Err(WebhookSecretError);
        }
        let mac = Hmac::new_from_slice(&bytes).map_err(|_| WebhookSecretError)?;
        Ok(Self { mac })
    }

    /// The header `webhook-signature` of an event. `timestamp` is in Unix epoch seconds.
    pub fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let digest = self.digest(id, timestamp, body).finalize().into_bytes();
        format!("v1,{}", STANDARD.encode(digest))
    }

    /// Whether one of the signatures in a header `webhook-signature`, separated by spaces, is that of
    /// the event. How old it is, the caller looks at.
    pub fn verify(&self, id: &str, timestamp: &str, body: &[u8], header: &str) -> bool {
        header.split(' ').any(|signature| {
            let text = signature.strip_prefix("v1,");
            let bytes = text.and_then(|text| STANDARD.decode(text).ok());
            // In constant time.
            let verify = |bytes: Vec<u8>| self.digest(id, timestamp, body).verify_slice(&bytes);
            bytes.is_some_and(|bytes| verify(bytes).is_ok())
        })
    }

    fn digest(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        for bytes in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(bytes);
        }
        mac
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebhookSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_an_independent_implementation() {
        let secret = WebhookSecret::parse("whsec_MDEyMzQ1Njc4OWFiY2RlZg==").unwrap();
        let signature = secret.sign("id-1", "1700000000", b"{\"a\":1}");
        assert_eq!(signature, "v1,NXIo6Hqv9psVb++1NHddD2YMdQBPEXIwdg+LFCwXLx4=");
        assert!(secret.verify(
            "id-1",
            "1700000000",
            b"{\"a\":1}",
            &format!("v1,AAAA {signature}")
        ));
        for (id, timestamp, header) in [
            ("id-2", "1700000000", signature.as_str()),
            ("id-1", "1700000001", &signature),
            ("id-1", "1700000000", signature.trim_start_matches("v1,")),
            ("id-1", "1700000000", ""),
        ] {
            assert!(!secret.verify(id, timestamp, b"{\"a\":1}", header));
        }
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for text in [
            "",
            "MDEyMzQ1Njc4OWFiY2RlZg==",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_***",
        ] {
            assert_eq!(WebhookSecret::parse(text).unwrap_err(), WebhookSecretError);
        }
    }
}
