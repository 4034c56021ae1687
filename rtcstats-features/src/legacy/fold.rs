//! The fold of this feature set.

use std::fmt;

use indexmap::IndexMap;
use rtcstats_proto::jitsi::ConnectionInfo;
use rtcstats_proto::legacy::Identifiers;
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Event, EventForm, Method, RawJson, Scope};

use super::budget::Budget;
use super::client::ClientState;
use super::connection::ConnectionState;
use super::{Dropped, Features};
use crate::{Context, Fold, FoldError, Limits};

/// Computes the features of one session, of a client of any generation.
///
/// It takes every event; none is an error. Of a client of rtcstats 5.0 it holds three descriptions of
/// each connection, which later ones build on; of others a few hundred bytes and the streams.
///
/// ```
/// use rtcstats_features::{Extractor, legacy::LegacyFold};
///
/// let mut extractor = Extractor::new(LegacyFold::default());
/// for line in [
///     r#"["onconnectionstatechange","PC_0","connecting",1700000000000]"#,
///     r#"["onconnectionstatechange","PC_0","connected",1700000000250]"#,
/// ] {
///     extractor.push_line(line)?;
/// }
/// let features = extractor.snapshot(1_700_000_001_000.0);
/// assert_eq!(features.connections["PC_0"].ice.connection_time, Some(250.0));
/// # Ok::<(), rtcstats_features::ExtractError>(())
/// ```
#[derive(Default)]
pub struct LegacyFold {
    client: ClientState,
    /// Of the whole session.
    identifiers: Identifiers,
    is_firefox: bool,
    connections: IndexMap<Box<str>, Box<ConnectionState>, foldhash::fast::RandomState>,
    dropped: Dropped,
}

impl LegacyFold {
    fn note_browser(&mut self, event: &Event<'_>) {
        let is_firefox = |user_agent: &str| user_agent.contains("Firefox/");
        if event.form() == EventForm::Metadata {
            let user_agent = event.payload().get("userAgent").and_then(RawJson::as_text);
            self.is_firefox = user_agent.is_some_and(|text| is_firefox(&text));
        } else if event.method() == Some(Method::ConnectionInfo) {
            let info = ConnectionInfo::from_payload(event.payload());
            self.is_firefox = info.is_ok_and(|info| is_firefox(&info.user_agent));
        }
    }

    /// The connection that an event is about, which may be new; none if there are too many.
    fn connection<'a>(
        &'a mut self,
        event: &Event<'_>,
        limits: &'a Limits,
    ) -> Option<(&'a mut ConnectionState, Budget<'a>)> {
        let Scope::PeerConnection(key) = event.scope() else {
            return None;
        };
        let index = match self.connections.get_index_of(key) {
            Some(index) => index,
            None if self.connections.len() >= limits.connections
                || key.len() > limits.text_bytes =>
            {
                self.dropped.connections += 1;
                return None;
            }
            None => {
                let state = Box::new(ConnectionState::new(self.is_firefox));
                self.connections.insert_full(key.into(), state).0
            }
        };
        let (_, connection) = self.connections.get_index_mut(index)?;
        let dropped = &mut self.dropped;
        Some((connection, Budget { limits, dropped }))
    }
}

impl Fold for LegacyFold {
    type Output = Features;

    fn event(&mut self, event: &Event<'_>, context: &Context<'_>) -> Result<(), FoldError> {
        self.note_browser(event);
        self.identifiers.collect(event);
        let mut budget = Budget {
            limits: context.limits(),
            dropped: &mut self.dropped,
        };
        if !self.client.take(event, &mut budget)
            && let Some((connection, mut budget)) = self.connection(event, context.limits())
        {
            connection.take(event, &mut budget);
        }
        Ok(())
    }

    fn stats(
        &mut self,
        event: &Event<'_>,
        stats: &Stats,
        context: &Context<'_>,
    ) -> Result<(), FoldError> {
        if let Some((connection, mut budget)) = self.connection(event, context.limits()) {
            connection.take_report(event, stats, &mut budget);
        }
        Ok(())
    }

    fn snapshot(&self, _: f64) -> Features {
        let identifier = |text: Option<&str>| text.map(str::to_owned);
        let mut client = self.client.features();
        client.client_identifier = identifier(self.identifiers.client());
        client.conference_identifier = identifier(self.identifiers.conference());
        let connections = self.connections.iter();
        Features {
            client,
            connections: connections
                .map(|(key, connection)| (key.to_string(), connection.features()))
                .collect(),
            dropped: self.dropped,
        }
    }
}

/// Shows how much is known only: the rest holds personal data.
impl fmt::Debug for LegacyFold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LegacyFold")
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}
