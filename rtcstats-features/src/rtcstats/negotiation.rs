//! Offers and answers.

use rtcstats_proto::{Method, RawJson};
use serde_json::Value as Json;

use super::ConnectionFeatures;
use super::peer_connection::Step;
use super::quota::Quota;
use crate::javascript::is_identical;

/// What is known of the negotiations of a connection.
#[derive(Debug, Default)]
pub(super) struct Negotiation {
    times_stable: u64,
    /// The last signaling state but `closed` is another than `stable`.
    is_pending: Option<bool>,
    local: FirstCall,
    remote: FirstCall,
    signaling: Signaling,
    ice_restart: IceRestart,
    /// The client does not send descriptions.
    withholds: bool,
}

/// The first call of a method, until it succeeded.
#[derive(Debug, Default)]
enum FirstCall {
    #[default]
    NotYet,
    Pending {
        /// What ties the outcome to the call.
        correlation_id: Option<Json>,
        time: f64,
        role: Option<Json>,
    },
    Done {
        delay: f64,
        role: Option<Json>,
    },
}

/// From the first local offer to the answer.
#[derive(Debug, Default, Clone, Copy)]
enum Signaling {
    #[default]
    NotYet,
    Offered {
        time: f64,
    },
    Answered {
        delay: f64,
    },
}

/// How far the first restart of ICE came.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum IceRestart {
    #[default]
    No,
    Created,
    Offered,
    Answered,
}

impl Negotiation {
    pub(super) fn take(&mut self, step: &Step<'_>, quota: &mut Quota<'_>) {
        let value = step.value;
        match step.method {
            Method::OnSignalingStateChange => self.change_state(value),
            Method::CreateOffer => {
                let restarts = value.get("iceRestart").and_then(RawJson::as_bool) == Some(true);
                if restarts && self.ice_restart == IceRestart::No {
                    self.ice_restart = IceRestart::Created;
                }
            }
            Method::SetLocalDescription => {
                self.withholds |= step.is_withheld();
                self.local.call(step, quota);
                if self.awaits_offer() && is_of_type(value, "offer") {
                    self.set_local_offer(step.time);
                }
            }
            Method::SetRemoteDescription => {
                self.withholds |= step.is_withheld();
                self.remote.call(step, quota);
                if self.awaits_answer() && is_of_type(value, "answer") {
                    self.set_remote_answer(step.time);
                }
            }
            Method::SetLocalDescriptionOnSuccess => self.local.succeed(step),
            Method::SetRemoteDescriptionOnSuccess => self.remote.succeed(step),
            _ => {}
        }
    }

    fn change_state(&mut self, state: RawJson<'_>) {
        let is_stable = state.is_text("stable");
        self.times_stable += u64::from(is_stable);
        if !state.is_text("closed") {
            self.is_pending = Some(!is_stable);
        }
    }

    fn awaits_offer(&self) -> bool {
        matches!(self.signaling, Signaling::NotYet) || self.ice_restart == IceRestart::Created
    }

    fn awaits_answer(&self) -> bool {
        matches!(self.signaling, Signaling::Offered { .. })
            || self.ice_restart == IceRestart::Offered
    }

    fn set_local_offer(&mut self, time: f64) {
        if let Signaling::NotYet = self.signaling {
            self.signaling = Signaling::Offered { time };
        }
        if self.ice_restart == IceRestart::Created {
            self.ice_restart = IceRestart::Offered;
        }
    }

    fn set_remote_answer(&mut self, time: f64) {
        if let Signaling::Offered { time: offered } = self.signaling {
            let delay = time - offered;
            self.signaling = Signaling::Answered { delay };
        }
        if self.ice_restart == IceRestart::Offered {
            self.ice_restart = IceRestart::Answered;
        }
    }

    pub(super) fn write(&self, features: &mut ConnectionFeatures) {
        features.number_of_negotiations = self.times_stable;
        features.pending_negotiation_at_end = self.is_pending;
        (
            features.set_local_description_delay,
            features.set_local_description_role,
        ) = self.local.outcome();
        (
            features.set_remote_description_delay,
            features.set_remote_description_role,
        ) = self.remote.outcome();
        features.signaling_delay = match self.signaling {
            Signaling::Answered { delay } => Some(delay),
            _ => None,
        };
        features.ice_restart = self.ice_restart != IceRestart::No;
        let is_unknown =
            self.withholds && matches!(self.ice_restart, IceRestart::Created | IceRestart::Offered);
        features.ice_restart_followed_by_set_remote_description =
            (!is_unknown).then_some(self.ice_restart == IceRestart::Answered);
    }
}

impl FirstCall {
    fn call(&mut self, step: &Step<'_>, quota: &mut Quota<'_>) {
        if let Self::NotYet = self {
            let id = step.event.extra().next();
            let role = type_of(step.value);
            *self = Self::Pending {
                correlation_id: id.and_then(|id| quota.keep(id)),
                time: step.time,
                role: role.and_then(|role| quota.keep(role)),
            };
        }
    }

    fn succeed(&mut self, step: &Step<'_>) {
        let Self::Pending {
            correlation_id,
            time,
            role,
        } = self
        else {
            return;
        };
        let id = step.event.extra().next().map(crate::javascript::json);
        if is_identical(correlation_id.as_ref(), id.as_ref()) {
            *self = Self::Done {
                delay: step.time - *time,
                role: role.take(),
            };
        }
    }

    /// Delay and role.
    fn outcome(&self) -> (Option<f64>, Option<Json>) {
        match self {
            Self::Done { delay, role } => (Some(*delay), role.clone()),
            _ => (None, None),
        }
    }
}

fn is_of_type(description: RawJson<'_>, name: &str) -> bool {
    type_of(description).is_some_and(|own| own.is_text(name))
}

/// The member `type`, which current clients put in front of the long one.
fn type_of(description: RawJson<'_>) -> Option<RawJson<'_>> {
    let mut members = description.members();
    members
        .find(|(name, _)| name == "type")
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::rtcstats::testing::{connection, features};

    #[test]
    fn the_first_restart_of_ice_counts() {
        let create = || ("createOffer", json!({"iceRestart": true}));
        let set = |method, name| (method, json!({"type": name, "sdp": "v=0"}));
        let followed = |events: &[_]| {
            connection(events)["iceRestartFollowedBySetRemoteDescription"] == json!(true)
        };
        let offer = || set("setLocalDescription", "offer");
        let answer = || set("setRemoteDescription", "answer");
        assert!(followed(&[create(), offer(), create(), answer()]));
        assert!(!followed(&[create(), answer(), offer()]));
        assert!(!followed(&[offer(), create(), answer()]));
    }

    #[test]
    fn a_success_belongs_to_the_call_with_its_id() {
        let call = |id: &str| json!([6, "PC_0", {"type": "offer"}, id, 5]);
        let success = |id: &str| json!([7, "PC_0", null, id, 5]);
        let create = json!([39, "PC_0", {}, 1e12]);
        let delay = |lines: &[_]| features(lines).peer_connections[0].set_local_description_delay;
        let lines = [
            create,
            call("6-0"),
            call("6-1"),
            success("6-1"),
            success("6-0"),
        ];
        assert_eq!(delay(&lines), Some(15.0));
        assert_eq!(delay(&lines[..4]), None);
    }

    #[test]
    fn what_a_client_withholds_is_not_known() {
        let event = |name: &str, value| json!([name, "PC_0", value, 1e12, 1]);
        let found = features(&[
            event("createOffer", json!({"iceRestart": true})),
            event("setLocalDescription", json!("")),
            event("setLocalDescriptionOnSuccess", json!(null)),
            event("setRemoteDescription", json!("")),
            event("addIceCandidate", json!("")),
        ]);
        let found = &found.peer_connections[0];
        assert!(found.ice_restart && found.set_local_description_delay.is_some());
        assert_eq!(found.ice_restart_followed_by_set_remote_description, None);
        assert_eq!(found.using_ice_lite, None);
        assert_eq!(found.added_turn_candidate, None);
        assert_eq!(found.added_connectable_ice_tcp_candidate, None);
    }
}
