//! JSON Web Tokens.

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use rtcstats_proto::RawJson;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{AuthorizationError, Authorizer, Claims};

/// Accepts JSON Web Tokens that are signed with a secret (HS256, HS384, HS512), or with one of a set of
/// keys (RS256, RS384, RS512, ES256, ES384).
///
/// `exp` and `nbf` are honoured, without tolerance; other registered claims are not looked at. The key
/// decides which algorithms count, never the token.
///
/// ```
/// use rtcstats_server_core::{AuthorizationError, Authorizer, JwtAuthorizer};
///
/// let authorizer = JwtAuthorizer::from_secret(b"secret");
/// assert_eq!(authorizer.authorize(None, 0.0), Err(AuthorizationError::Missing));
/// assert_eq!(authorizer.authorize(Some("x"), 0.0), Err(AuthorizationError::Invalid));
/// ```
pub struct JwtAuthorizer {
    keys: Vec<Key>,
}

struct Key {
    id: Option<String>,
    algorithms: &'static [Algorithm],
    key: DecodingKey,
}

/// Keys that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is no JSON Web Key Set.
    #[error("malformed key set (line {}, column {})", .0.line(), .0.column())]
    Json(#[source] serde_json::Error),
    /// A key is malformed.
    #[error("key {index} is malformed")]
    Key {
        /// Which, counted from 0.
        index: usize,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// None of the keys can be used: only RSA keys and those of the curves P-256 and P-384 can.
    #[error("no key of the set can be used")]
    None,
}

const HMAC: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RSA: &[Algorithm] = &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512];
const P256: &[Algorithm] = &[Algorithm::ES256];
const P384: &[Algorithm] = &[Algorithm::ES384];

impl JwtAuthorizer {
    /// Accepts tokens signed with a secret.
    pub fn from_secret(secret: &[u8]) -> Self {
        Self {
            keys: vec![Key {
                id: None,
                algorithms: HMAC,
                key: DecodingKey::from_secret(secret),
            }],
        }
    }

    /// Accepts tokens signed with one of the keys of a JSON Web Key Set (RFC 7517). Keys for something
    /// else are left out.
    ///
    /// # Errors
    ///
    /// If the text is no such set, or has no key that can be used.
    pub fn from_jwks(json: &str) -> Result<Self, KeyError> {
        let set: KeySet = serde_json::from_str(json).map_err(KeyError::Json)?;
        let mut keys = Vec::new();
        for (index, value) in set.keys.into_iter().enumerate() {
            // One of a kind that is not known is left out (RFC 7517, section 5).
            let Ok(jwk) = serde_json::from_value::<Jwk>(value) else {
                continue;
            };
            let Some(algorithms) = algorithms(&jwk).filter(|_| is_for_signatures(&jwk)) else {
                continue;
            };
            let key = DecodingKey::from_jwk(&jwk).map_err(|source| KeyError::Key {
                index,
                source: Box::new(source),
            })?;
            keys.push(Key {
                id: jwk.common.key_id.clone(),
                algorithms,
                key,
            });
        }
        if keys.is_empty() {
            return Err(KeyError::None);
        }
        Ok(Self { keys })
    }
}

/// A JSON Web Key Set whose keys are not yet looked at.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// Whether a key may check signatures, as far as it says what it is for.
fn is_for_signatures(jwk: &Jwk) -> bool {
    let Jwk { common, .. } = jwk;
    let is_use = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let operations = common.key_operations.as_ref();
    is_use && operations.is_none_or(|operations| operations.contains(&KeyOperations::Verify))
}

fn algorithms(jwk: &Jwk) -> Option<&'static [Algorithm]> {
    match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Some(RSA),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => Some(P256),
            EllipticCurve::P384 => Some(P384),
            _ => None,
        },
        _ => None,
    }
}

impl Authorizer for JwtAuthorizer {
    fn authorize(&self, token: Option<&str>, now: f64) -> Result<Claims, AuthorizationError> {
        let token = token.ok_or(AuthorizationError::Missing)?;
        let header = decode_header(token).map_err(|_| AuthorizationError::Invalid)?;
        let candidates = self.keys.iter().filter(|key| {
            let is_named = header.kid.is_none() || key.id.is_none() || header.kid == key.id;
            is_named && key.algorithms.contains(&header.alg)
        });
        let mut payload = None;
        for key in candidates {
            let mut validation = Validation::new(header.alg);
            // The time is the caller's, and other claims are not ours to judge.
            validation.validate_exp = false;
            validation.validate_nbf = false;
            validation.validate_aud = false;
            validation.required_spec_claims.clear();
            if let Ok(data) = decode::<Box<RawValue>>(token, &key.key, &validation) {
                payload = Some(data.claims);
                break;
            }
        }
        let payload = payload.ok_or(AuthorizationError::Invalid)?;
        let payload = RawJson::parse(payload.get()).map_err(|_| AuthorizationError::Invalid)?;
        check_time(payload, now)?;
        Ok(Claims::from_payload(payload))
    }
}

fn check_time(payload: RawJson<'_>, now: f64) -> Result<(), AuthorizationError> {
    let seconds = |name| match payload.get(name).map(RawJson::as_number) {
        Some(None) => Err(AuthorizationError::Invalid),
        number => Ok(number.flatten()),
    };
    let now = (now / 1000.0).floor();
    if seconds("nbf")?.is_some_and(|begin| begin > now) {
        return Err(AuthorizationError::NotYetValid);
    }
    if seconds("exp")?.is_some_and(|end| now >= end) {
        return Err(AuthorizationError::Expired);
    }
    Ok(())
}

impl fmt::Debug for JwtAuthorizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("JwtAuthorizer")
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    const NOW: f64 = 1_700_000_000_000.0;

    fn token(algorithm: Algorithm, key: &EncodingKey, payload: &Value) -> String {
        encode(&Header::new(algorithm), payload, key).unwrap()
    }

    fn authorize(payload: Value) -> Result<Claims, AuthorizationError> {
        let key = EncodingKey::from_secret(b"secret");
        let token = token(Algorithm::HS256, &key, &payload);
        JwtAuthorizer::from_secret(b"secret").authorize(Some(&token), NOW)
    }

    #[test]
    fn claims_are_those_of_the_payload() {
        let claims =
            authorize(json!({ "rtcStats": { "user": "u", "conference": "c", "session": 5 } }));
        let claims = claims.unwrap();
        assert_eq!(claims.user.as_deref(), Some("u"));
        assert_eq!(
            (claims.conference.as_deref(), claims.session),
            (Some("c"), None)
        );
        assert_eq!(
            authorize(json!({ "sub": "x", "aud": "y" })),
            Ok(Claims::default())
        );
    }

    #[test]
    fn time_is_kept_to_the_second() {
        let seconds = 1_700_000_000;
        assert!(authorize(json!({ "exp": seconds + 1, "nbf": seconds })).is_ok());
        assert_eq!(
            authorize(json!({ "exp": seconds })),
            Err(AuthorizationError::Expired)
        );
        assert_eq!(
            authorize(json!({ "nbf": seconds + 1 })),
            Err(AuthorizationError::NotYetValid)
        );
        assert_eq!(
            authorize(json!({ "exp": "never" })),
            Err(AuthorizationError::Invalid)
        );
    }

    #[test]
    fn only_signatures_with_the_secret_count() {
        let authorizer = JwtAuthorizer::from_secret(b"secret");
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            for (secret, is_valid) in [("secret", true), ("other", false)] {
                let key = EncodingKey::from_secret(secret.as_bytes());
                let token = token(algorithm, &key, &json!({}));
                assert_eq!(authorizer.authorize(Some(&token), NOW).is_ok(), is_valid);
            }
        }
        // {"alg":"none"}
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJydGNTdGF0cyI6e319.";
        for bad in [none, "", "a.b.c", "..", "\u{0}"] {
            assert_eq!(
                authorizer.authorize(Some(bad), NOW),
                Err(AuthorizationError::Invalid)
            );
        }
    }

    /// Those of RFC 7515, appendix A.3, and RFC 7517, appendix A.1.
    const KEYS: &str = r#"{"keys":[
        {"kty":"oct","k":"c2VjcmV0"},
        {"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        {"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","kid":"2011-04-29"}
    ]}"#;

    /// RFC 7515, appendix A.3.1, with the payload of its examples: it expired in 2011.
    const SIGNED: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    #[test]
    fn keys_of_a_set_check_signatures() {
        let authorizer = JwtAuthorizer::from_jwks(KEYS).unwrap();
        assert_eq!(
            authorizer.authorize(Some(SIGNED), 0.0),
            Ok(Claims::default())
        );
        assert_eq!(
            authorizer.authorize(Some(SIGNED), NOW),
            Err(AuthorizationError::Expired)
        );
        let forged = SIGNED.replace("DtEh", "DtEi");
        assert_eq!(
            authorizer.authorize(Some(&forged), 0.0),
            Err(AuthorizationError::Invalid)
        );
    }

    #[test]
    fn keys_for_something_else_are_left_out() {
        let marked = |mark: &str| KEYS.replace(r#""kty":"EC","#, &format!(r#""kty":"EC",{mark},"#));
        for (mark, expected) in [
            (r#""use":"sig""#, Ok(Claims::default())),
            (r#""key_ops":["verify"]"#, Ok(Claims::default())),
            (r#""use":"enc""#, Err(AuthorizationError::Invalid)),
            (
                r#""key_ops":["deriveKey"]"#,
                Err(AuthorizationError::Invalid),
            ),
        ] {
            let authorizer = JwtAuthorizer::from_jwks(&marked(mark)).unwrap();
            assert_eq!(authorizer.authorize(Some(SIGNED), 0.0), expected, "{mark}");
        }
        let unknown = KEYS.replace(r#"{"keys":["#, r#"{"keys":[{"kty":"AKP","pub":"x"},5,"#);
        let authorizer = JwtAuthorizer::from_jwks(&unknown).unwrap();
        assert!(authorizer.authorize(Some(SIGNED), 0.0).is_ok());
    }

    #[test]
    fn a_public_key_is_no_secret() {
        let authorizer = JwtAuthorizer::from_jwks(KEYS).unwrap();
        // The set has an octet key too, which must not make HS256 count.
        let key = EncodingKey::from_secret(b"secret");
        let token = token(Algorithm::HS256, &key, &json!({}));
        assert_eq!(
            authorizer.authorize(Some(&token), NOW),
            Err(AuthorizationError::Invalid)
        );
    }

    #[test]
    fn sets_without_a_key_that_can_be_used_are_errors() {
        assert!(matches!(
            JwtAuthorizer::from_jwks("{"),
            Err(KeyError::Json(_))
        ));
        assert!(matches!(
            JwtAuthorizer::from_jwks(r#"{"keys":[]}"#),
            Err(KeyError::None)
        ));
        let oct = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#;
        assert!(matches!(JwtAuthorizer::from_jwks(oct), Err(KeyError::None)));
    }
}
