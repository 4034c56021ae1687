//! The upgrade request of a WebSocket: who connects, and for which session (Jitsi spec, section 1;
//! 5.0 spec, section 12.2; legacy spec, section 1).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use rtcstats_features::jitsi::StatsFormat;
use rtcstats_proto::jitsi::{ConnectionInfo, SessionId, SessionIdError};
use rtcstats_proto::{ClientType, Generation, select_subprotocol};

use crate::authorization::Claims;
use crate::header::{Header, LegacyHeader, Metadata};
use crate::target::{TOKEN_PARAMETER, hide_token, query_of, query_parameter};
use crate::{Limits, Privacy, Refusal};

/// What the upgrade request of a WebSocket, or the request of an upload, says.
///
/// Its `Debug` shows nothing of it, as it may hold a token.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// Request target: path and query.
    pub target: String,
    /// `Origin` header, or empty.
    pub origin: String,
    /// `User-Agent` header, or empty.
    pub user_agent: String,
    /// `Sec-WebSocket-Protocol` header, or empty.
    pub subprotocols: String,
    /// `X-Forwarded-For` header, or empty.
    pub forwarded_for: String,
    /// The address of the peer as text, without its port; empty if it is not known.
    pub peer_address: String,
    /// `Authorization` header, or empty.
    pub authorization: String,
}

impl Upgrade {
    /// The token by which it may be authorised: the query parameter `rtcstats-token`, else that of
    /// an `Authorization: Bearer` header; `None` if it has neither, or an empty one.
    pub fn token(&self) -> Option<Cow<'_, str>> {
        let bearer = || {
            let (scheme, token) = self.authorization.split_once(' ')?;
            let is_bearer = scheme.eq_ignore_ascii_case("bearer");
            is_bearer.then(|| Cow::Borrowed(token.trim()))
        };
        query_parameter(query_of(&self.target), TOKEN_PARAMETER)
            .or_else(bearer)
            .filter(|token| !token.is_empty())
    }

    /// The addresses that it came over, the client's first.
    fn addresses(&self) -> Vec<&str> {
        if !self.forwarded_for.is_empty() {
            self.forwarded_for.split(',').collect()
        } else if !self.peer_address.is_empty() {
            vec![&self.peer_address]
        } else {
            Vec::new()
        }
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Upgrade").finish_non_exhaustive()
    }
}

/// How upgrade requests are read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct HandshakeOptions {
    /// Bounds of what a request may cost.
    pub limits: Limits,
    /// What a client is taken for whose subprotocol says nothing: none, or an unknown one. Default
    /// [`Generation::Jitsi`], whose back ends come with names of their own.
    pub unnamed: Option<Generation>,
    /// What becomes of the addresses in the header of the dump.
    pub privacy: Privacy,
}

impl HandshakeOptions {
    /// Options with the given limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }
}

/// A parsed upgrade: who connects, and for which session.
///
/// Its `Debug` shows neither addresses nor names.
#[derive(Clone)]
pub struct Handshake {
    pub(crate) generation: Generation,
    pub(crate) header: Header,
    subprotocol: String,
    pub(crate) client_type: ClientType,
    pub(crate) session: Option<SessionId>,
    pub(crate) is_reconnect: bool,
    pub(crate) claims: Claims,
    pub(crate) privacy: Privacy,
}

/// An upgrade request that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The session id of the query is not allowed.
    #[error(transparent)]
    SessionId(#[from] SessionIdError),
    /// The request target or a header is too long.
    #[error("request target or header over the limit of {limit} bytes")]
    TooLong {
        /// [`Limits::request_bytes`]
        limit: usize,
    },
}

impl From<HandshakeError> for Refusal {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::SessionId(_) => Self::INVALID_SESSION_ID,
            HandshakeError::TooLong { .. } => Self::REQUEST_TOO_LONG,
        }
    }
}

impl Handshake {
    /// Reads an upgrade request, with the default options but for the limits.
    ///
    /// # Errors
    ///
    /// See [`Handshake::with_options`].
    pub fn new(upgrade: &Upgrade, limits: &Limits) -> Result<Self, HandshakeError> {
        Self::with_options(upgrade, &HandshakeOptions::new(*limits))
    }

    /// Reads an upgrade request. The generation of the client follows from its subprotocol. Clients
    /// of Jitsi's name their session; for others see [`Handshake::identified`].
    ///
    /// # Errors
    ///
    /// If the query of a Jitsi client has a `statsSessionId` that is not allowed (none at all is no
    /// error: back-end clients have none), or a part is longer than [`Limits::request_bytes`].
    pub fn with_options(
        upgrade: &Upgrade,
        options: &HandshakeOptions,
    ) -> Result<Self, HandshakeError> {
        let limit = options.limits.request_bytes;
        let parts = [
            &upgrade.target,
            &upgrade.origin,
            &upgrade.user_agent,
            &upgrade.subprotocols,
            &upgrade.forwarded_for,
        ];
        if parts.iter().any(|part| part.len() > limit) {
            return Err(HandshakeError::TooLong { limit });
        }
        let subprotocol = select_subprotocol(&upgrade.subprotocols).unwrap_or_default();
        let client_type = ClientType::from_subprotocol(subprotocol);
        let generation = match (Generation::from_subprotocol(subprotocol), client_type) {
            (Generation::Jitsi, ClientType::Unsupported) => {
                options.unnamed.unwrap_or(Generation::Jitsi)
            }
            (generation, _) => generation,
        };
        let mut handshake = Self {
            generation,
            header: Header::Jitsi(ConnectionInfo::default()),
            subprotocol: subprotocol.to_owned(),
            client_type,
            session: None,
            is_reconnect: false,
            claims: Claims::default(),
            privacy: options.privacy.clone(),
        };
        let privacy = &options.privacy;
        match generation {
            Generation::Jitsi => handshake.read_jitsi(upgrade)?,
            Generation::Rtcstats => {
                let metadata = Metadata::new(upgrade, upgrade.addresses(), privacy);
                handshake.header = Header::Rtcstats(Arc::new(metadata));
            }
            Generation::Legacy => {
                let header = LegacyHeader::new(upgrade, upgrade.addresses(), privacy);
                handshake.header = Header::Legacy(Arc::new(header));
            }
        }
        Ok(handshake)
    }

    fn read_jitsi(&mut self, upgrade: &Upgrade) -> Result<(), HandshakeError> {
        let query = query_of(&upgrade.target);
        let session = query_parameter(query, "statsSessionId");
        self.session = session.map(|id| SessionId::new(&id)).transpose()?;
        self.is_reconnect =
            query_parameter(query, "isReconnect").is_some_and(|value| value == "true");
        let stats_format = StatsFormat::from_user_agent(&upgrade.user_agent);
        let target = hide_token(&upgrade.target);
        self.header = Header::Jitsi(ConnectionInfo {
            url: format!("{}{target}", upgrade.origin),
            path: target.into_owned(),
            origin: upgrade.origin.clone(),
            user_agent: upgrade.user_agent.clone(),
            client_protocol: self.subprotocol.clone(),
            stats_format: stats_format.as_str().to_owned(),
            client_type_name: self.client_type.as_str().to_owned(),
        });
        Ok(())
    }

    /// Gives the session of a client that does not name it an id: a UUID (version 4) of these random
    /// bits, which must not be guessable. Changes nothing for clients that name theirs.
    #[must_use]
    pub fn identified(mut self, random: u128) -> Self {
        if self.generation != Generation::Jitsi {
            let id = uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid();
            self.session = SessionId::new(&id.hyphenated().to_string()).ok();
        }
        self
    }

    /// Adds what a token says about the client.
    #[must_use]
    pub fn authorized(mut self, claims: Claims) -> Self {
        self.claims = claims;
        self
    }

    /// The subprotocol that the server must echo, if the client offered one.
    pub fn subprotocol(&self) -> Option<&str> {
        Some(self.subprotocol.as_str()).filter(|protocol| !protocol.is_empty())
    }

    /// How the client speaks.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Who connects, among the clients of Jitsi's generation.
    pub fn client_type(&self) -> ClientType {
        self.client_type
    }

    /// The session that the query names, or that [`Handshake::identified`] gave it.
    pub fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// Whether the client says that it was here before.
    pub fn is_reconnect(&self) -> bool {
        self.is_reconnect
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Handshake")
            .field("generation", &self.generation)
            .field("client_type", &self.client_type)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upgrade(target: &str) -> Upgrade {
        Upgrade {
            target: target.to_owned(),
            origin: "https://meet.example.org".to_owned(),
            subprotocols: "3.1_STANDARD, other".to_owned(),
            ..Upgrade::default()
        }
    }

    #[test]
    fn the_query_names_the_session() {
        let handshake = Handshake::new(
            &upgrade("/room?a=%26&statsSessionId=7c9e&isReconnect=true"),
            &Limits::default(),
        )
        .unwrap();
        assert_eq!(handshake.session().unwrap().as_str(), "7c9e");
        assert!(handshake.is_reconnect());
        assert_eq!(handshake.subprotocol(), Some("3.1_STANDARD"));
        let Header::Jitsi(info) = &handshake.header else {
            panic!("{:?}", handshake.header)
        };
        assert_eq!(info.client_type_name, "RTCSTATS_CLIENT");
        assert_eq!(
            info.url,
            "https://meet.example.org/room?a=%26&statsSessionId=7c9e&isReconnect=true"
        );
    }

    #[test]
    fn an_id_that_is_not_allowed_is_refused() {
        assert!(Handshake::new(&upgrade("/?statsSessionId=..%2Fetc"), &Limits::default()).is_err());
        assert!(Handshake::new(&upgrade("/?statsSessionId="), &Limits::default()).is_err());
        assert!(
            Handshake::new(&upgrade("/"), &Limits::default())
                .unwrap()
                .session()
                .is_none()
        );
    }

    #[test]
    fn a_session_without_a_name_gets_a_random_one() {
        for (subprotocol, generation) in [
            ("rtcstats#5.0", Generation::Rtcstats),
            ("2.0", Generation::Legacy),
        ] {
            let upgrade = Upgrade {
                subprotocols: subprotocol.to_owned(),
                ..upgrade("/?statsSessionId=chosen")
            };
            let handshake = Handshake::new(&upgrade, &Limits::default()).unwrap();
            assert_eq!(
                (handshake.generation(), handshake.session()),
                (generation, None)
            );
            let handshake = handshake.identified(u128::MAX);
            assert_eq!(
                handshake.session().unwrap().as_str(),
                "ffffffff-ffff-4fff-bfff-ffffffffffff"
            );
        }
        let named = Handshake::new(&upgrade("/?statsSessionId=s"), &Limits::default());
        let named = named.unwrap().identified(7);
        assert_eq!(named.session().unwrap().as_str(), "s");
    }

    #[test]
    fn the_token_is_in_the_query_or_the_header_and_never_shown() {
        let mut upgrade = upgrade("/?a=b&rtcstats-token=x%2By&rtcstats-token=z");
        assert_eq!(upgrade.token().as_deref(), Some("x+y"));
        assert!(!format!("{upgrade:?}").contains('x'));
        let handshake = Handshake::new(&upgrade, &Limits::default()).unwrap();
        assert!(!format!("{handshake:?}").contains("x%2By"));
        upgrade.target = "/?rtcstats-token=".to_owned();
        assert_eq!(upgrade.token(), None);
        upgrade.target = "/".to_owned();
        upgrade.authorization = "bearer abc".to_owned();
        assert_eq!(upgrade.token().as_deref(), Some("abc"));
        upgrade.authorization = "Basic abc".to_owned();
        assert_eq!(upgrade.token(), None);
    }
}
