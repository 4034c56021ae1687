//! One peer connection.

use indexmap::IndexMap;
use rtcstats_proto::legacy::{Identifiers, Translator};
use rtcstats_proto::sdp::{Description, DescriptionReader};
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Event, EventForm, Method};
use serde::Serialize;

use super::budget::Budget;
use super::configuration::Configuration;
use super::ice::{Ice, IceState};
use super::negotiation::{Negotiation, NegotiationState};
use super::stream::{Stream, Streams};
use super::transport::{Transport, TransportState};

/// What is known of one peer connection.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConnectionFeatures {
    /// `rtcStatsClientId` in the constraints (`clientIdentifier`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_identifier: Option<String>,
    /// `rtcStatsPeerId` in the constraints: the other end (`peerIdentifier`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_identifier: Option<String>,
    /// `rtcStatsConferenceId` in the constraints (`conferenceIdentifier`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conference_identifier: Option<String>,
    /// How it was configured.
    pub configuration: Configuration,
    /// How it was negotiated.
    pub negotiation: Negotiation,
    /// How candidates were gathered and the transport came up.
    pub ice: Ice,
    /// What reports say of the transport.
    pub transport: Transport,
    /// The RTP streams by stats id, in order of appearance.
    pub streams: IndexMap<String, Stream>,
    /// First argument of `close`, if it is a text (`closeReason`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_reason: Option<String>,
}

/// The state of it.
#[derive(Debug, Default)]
pub(super) struct ConnectionState {
    identifiers: Identifiers,
    configuration: Option<Configuration>,
    negotiation: NegotiationState,
    ice: IceState,
    /// How the last report was looked at.
    reading: Option<Reading>,
    transport: TransportState,
    streams: Streams,
    close_reason: Option<String>,
    /// Of the last event.
    end: Option<f64>,
    /// Only clients of rtcstats 5.0 leave sections out.
    descriptions: Option<Box<DescriptionReader>>,
    /// Of Chrome's first statistics, and for no others.
    translator: Option<Box<Translator>>,
}

/// What decides which objects of a report are looked at, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    arrangement: u64,
    is_goog: bool,
    /// Of the translation, if there is one.
    layout: u64,
}

impl ConnectionState {
    pub(super) fn new(is_firefox: bool) -> Self {
        let mut state = Self::default();
        state.ice.is_firefox = is_firefox;
        state
    }

    pub(super) fn take(&mut self, event: &Event<'_>, budget: &mut Budget<'_>) {
        let time = event.timestamp();
        self.end = time.or(self.end);
        self.identifiers.collect(event);
        let Some(method) = event.method() else {
            return;
        };
        let value = event.payload();
        self.ice
            .take(method, value, time, &self.negotiation, budget);
        self.negotiation.take(method, time);
        match method {
            Method::Create if self.configuration.is_none() => {
                self.configuration = Some(Configuration::of(value, budget));
                // The legacy client takes newer versions of Firefox for something else.
                let browser = value.get("browserType");
                self.ice.is_firefox |= browser.is_some_and(|browser| browser.is_text("moz"));
            }
            Method::CreateOfferOnSuccess | Method::CreateAnswerOnSuccess => {
                self.description(event, method, budget);
            }
            Method::SetLocalDescription => {
                let description = self.description(event, method, budget);
                self.negotiation.take_local(&description, time, budget);
            }
            Method::SetRemoteDescription => {
                let description = self.description(event, method, budget);
                self.negotiation.take_remote(&description, budget);
            }
            Method::Close if self.close_reason.is_none() => {
                let reason = value.get("0").or_else(|| value.elements().next());
                self.close_reason = reason.and_then(|reason| budget.text(reason));
            }
            _ => {}
        }
    }

    /// The description of an event, whole.
    fn description<'a>(
        &mut self,
        event: &Event<'a>,
        method: Method,
        budget: &Budget<'_>,
    ) -> Description<'a> {
        if event.form() != EventForm::Delta {
            return Description::from_json(event.payload());
        }
        let key = event.connection_key();
        let reader = self
            .descriptions
            .get_or_insert_with(|| Box::new(DescriptionReader::new(key, budget.limits.proto)));
        reader.read(method, event.payload())
    }

    pub(super) fn take_report(
        &mut self,
        event: &Event<'_>,
        stats: &Stats,
        budget: &mut Budget<'_>,
    ) {
        let time = event.timestamp();
        self.end = time.or(self.end);
        let arrangement = stats.arrangement();
        let is_goog = match self.reading {
            Some(reading) if reading.arrangement == arrangement => reading.is_goog,
            _ => Translator::is_needed(stats),
        };
        let stats = if is_goog {
            self.translator.get_or_insert_default().translate(stats)
        } else {
            stats
        };
        let reading = Some(Reading {
            arrangement,
            is_goog,
            layout: stats.layout(),
        });
        let is_new = self.reading != reading;
        if is_new {
            self.reading = reading;
            self.transport.arrange(stats, is_goog, budget);
            self.streams.arrange(stats, is_goog, budget);
        }
        let is_connected = self.ice.is_connected();
        self.transport
            .take(stats, is_new, is_connected, time, budget);
        self.streams.take(stats, budget);
    }

    pub(super) fn features(&self) -> ConnectionFeatures {
        let identifier = |text: Option<&str>| text.map(str::to_owned);
        ConnectionFeatures {
            client_identifier: identifier(self.identifiers.client()),
            peer_identifier: identifier(self.identifiers.peer()),
            conference_identifier: identifier(self.identifiers.conference()),
            configuration: self.configuration.clone().unwrap_or_default(),
            negotiation: self.negotiation.negotiation(self.end),
            ice: self.ice.ice(&self.negotiation, self.end),
            transport: self.transport.transport(),
            streams: self.streams.streams(),
            close_reason: self.close_reason.clone(),
        }
    }
}
