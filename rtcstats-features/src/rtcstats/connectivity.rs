//! How the connection came about.

use memchr::memmem;
use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, StatsObject};
use rtcstats_proto::{Method, RawJson};
use serde_json::Value as Json;

use super::ConnectionFeatures;
use super::peer_connection::Step;
use super::quota::Quota;
use crate::javascript::trim;

/// What is known of ICE and DTLS.
#[derive(Debug, Default)]
pub(super) struct Connectivity {
    ice: Progress,
    connection: Progress,
    ice_lite: bool,
    /// The client does not send descriptions.
    withholds: bool,
    dtls: Option<Dtls>,
    clock_skew: Option<f64>,
}

/// From an attempt to a connection.
#[derive(Debug, Default)]
struct Progress {
    is_connected: bool,
    attempt: Option<f64>,
    duration: Option<f64>,
}

const ICE_LITE: &str = "a=ice-lite";

#[derive(Debug)]
struct Dtls {
    role: Option<Json>,
    version: Option<Json>,
    srtp_cipher: Option<Json>,
}

impl Connectivity {
    pub(super) fn take(&mut self, step: &Step<'_>) {
        match step.method {
            Method::OnIceConnectionStateChange => {
                self.ice.take(step.value, "checking", step.time);
            }
            Method::OnConnectionStateChange => {
                self.connection.take(step.value, "connecting", step.time);
            }
            Method::SetRemoteDescription => {
                self.withholds |= step.is_withheld();
                self.ice_lite =
                    self.ice_lite || has_line(step.value, ICE_LITE, |line| line == ICE_LITE);
            }
            _ => {}
        }
    }

    /// Whether the connection state was `connected`.
    pub(super) fn is_connected(&self) -> bool {
        self.connection.is_connected
    }

    /// Takes the transports of a report, in its order, for the first with a `tlsVersion`.
    pub(super) fn take_transports<'a>(
        &mut self,
        mut transports: impl Iterator<Item = StatsObject<'a>>,
        quota: &mut Quota<'_>,
    ) {
        if self.dtls.is_some() {
            return;
        }
        let version = |transport: &StatsObject<'a>| transport.get(Field::TlsVersion);
        let has_version =
            |transport: &StatsObject<'a>| version(transport).is_some_and(Value::is_truthy);
        self.dtls = transports.find(has_version).map(|transport| Dtls {
            role: quota.keep_member(transport.get(Field::DtlsRole)),
            version: quota.keep_member(version(&transport)),
            srtp_cipher: quota.keep_member(transport.get(Field::SrtpCipher)),
        });
    }

    /// Takes the object of the connection itself in a report at `time`, for the first time in it.
    pub(super) fn take_connection(&mut self, object: StatsObject<'_>, time: f64) {
        if self.clock_skew.is_none() {
            let timestamp = object.get(Field::Timestamp).and_then(Value::as_number);
            let timestamp = timestamp.filter(|timestamp| !timestamp.is_nan());
            self.clock_skew = timestamp.map(|timestamp| (time - timestamp + 0.5).floor());
        }
    }

    pub(super) fn write(&self, features: &mut ConnectionFeatures) {
        features.ice_connected = self.ice.is_connected;
        features.ice_connection_time = self.ice.duration;
        features.connected = self.connection.is_connected;
        features.connection_time = self.connection.duration;
        features.using_ice_lite = (self.ice_lite || !self.withholds).then_some(self.ice_lite);
        if let Some(dtls) = &self.dtls {
            features.dtls_role = dtls.role.clone();
            features.dtls_version = dtls.version.clone();
            features.srtp_cipher = dtls.srtp_cipher.clone();
        }
        features.clock_skew = self.clock_skew;
    }
}

impl Progress {
    fn take(&mut self, state: RawJson<'_>, attempt: &str, time: f64) {
        if state.is_text(attempt) {
            self.attempt.get_or_insert(time);
        } else if state.is_text("connected") {
            self.is_connected = true;
            if let Some(attempt) = self.attempt {
                self.duration.get_or_insert(time - attempt);
            }
        }
    }
}

/// Whether one line of a description, trimmed, is as wanted; all such lines contain `sign`.
pub(super) fn has_line(
    description: RawJson<'_>,
    sign: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> bool {
    // Descriptions are long, and nearly none has it. An escape may hide it.
    let has = |text: &str| memmem::find(description.as_str().as_bytes(), text.as_bytes()).is_some();
    if !has(sign) && !has("\\u") {
        return false;
    }
    let sdp = description.get("sdp").and_then(RawJson::as_text);
    sdp.is_some_and(|sdp| trim(&sdp).split('\n').any(|line| is_wanted(trim(line))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_connection_behind_the_attempt_has_a_time() {
        let mut progress = Progress::default();
        let state = |text| RawJson::parse(text).unwrap();
        progress.take(state("\"connected\""), "checking", 1.0);
        assert_eq!((progress.is_connected, progress.duration), (true, None));
        progress.take(state("\"checking\""), "checking", 2.0);
        progress.take(state("\"checking\""), "checking", 3.0);
        progress.take(state("\"connected\""), "checking", 7.0);
        progress.take(state("\"connected\""), "checking", 9.0);
        assert_eq!(progress.duration, Some(5.0));
    }

    #[test]
    fn lines_are_trimmed() {
        let text = r#"{"sdp":"v=0\r\n  a=ice-lite \r\nm=x"}"#;
        let description = RawJson::parse(text).unwrap();
        assert!(has_line(description, ICE_LITE, |line| line == ICE_LITE));
        assert!(!has_line(description, "ice", |line| line == "a=ice"));
        let hidden = RawJson::parse(r#"{"sdp":"\u0061=ice-lite"}"#).unwrap();
        assert!(has_line(hidden, ICE_LITE, |line| line == ICE_LITE));
        assert!(!has_line(RawJson::NULL, "null", |_| true));
    }
}
