//! What an event is about.

use rtcstats_proto::{Event, Method, Scope};
use serde::Serialize;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Category {
    /// A call of the page on a peer connection, and what is not below.
    Api,
    /// A state of a peer connection.
    State,
    /// Offers, answers and descriptions.
    Negotiation,
    /// ICE candidates.
    Candidate,
    /// Devices, tracks and streams.
    Media,
    /// The client, its user and its conference.
    Client,
    /// Something that is not known.
    Other,
}

impl Category {
    /// That of an event.
    pub(super) fn of(event: &Event<'_>) -> Self {
        match event.method() {
            // Of the page, and of the socket.
            Some(Method::Create | Method::Close) if event.scope() == Scope::Client => Self::Client,
            Some(method) => Self::of_method(method),
            // What applications name themselves.
            None if event.name().starts_with(':') => Self::Client,
            None => Self::Other,
        }
    }

    /// Methods that are added are of the client.
    fn of_method(method: Method) -> Self {
        match method {
            Method::Create
            | Method::Constraints
            | Method::SetConfiguration
            | Method::CreateDataChannel
            | Method::OnDataChannel
            | Method::RestartIce
            | Method::SetParameters
            | Method::SetCodecPreferences
            | Method::SetHeaderExtensionsToNegotiate
            | Method::Close => Self::Api,

            Method::OnSignalingStateChange
            | Method::OnIceConnectionStateChange
            | Method::OnConnectionStateChange
            | Method::OnIceGatheringStateChange
            | Method::OnDtlsStateChange
            | Method::OnDtlsError => Self::State,

            Method::CreateOffer
            | Method::CreateOfferOnSuccess
            | Method::CreateOfferOnFailure
            | Method::CreateAnswer
            | Method::CreateAnswerOnSuccess
            | Method::CreateAnswerOnFailure
            | Method::SetLocalDescription
            | Method::SetLocalDescriptionOnSuccess
            | Method::SetLocalDescriptionOnFailure
            | Method::SetRemoteDescription
            | Method::SetRemoteDescriptionOnSuccess
            | Method::SetRemoteDescriptionOnFailure
            | Method::OnNegotiationNeeded => Self::Negotiation,

            Method::AddIceCandidate
            | Method::AddIceCandidateOnSuccess
            | Method::AddIceCandidateOnFailure
            | Method::OnIceCandidate
            | Method::OnIceCandidateError => Self::Candidate,

            Method::AddTrack
            | Method::AddTrackOnSuccess
            | Method::AddTrackOnFailure
            | Method::AddTransceiver
            | Method::AddTransceiverOnSuccess
            | Method::AddTransceiverOnFailure
            | Method::TransceiverAdded
            | Method::TransceiverModified
            | Method::RemoveTrack
            | Method::ReplaceTrack
            | Method::OnTrack
            | Method::AddStream
            | Method::RemoveStream
            | Method::OnAddStream
            | Method::OnRemoveStream
            | Method::GetUserMedia
            | Method::GetUserMediaOnSuccess
            | Method::GetUserMediaOnFailure
            | Method::LegacyGetUserMedia
            | Method::LegacyGetUserMediaOnSuccess
            | Method::LegacyGetUserMediaOnFailure
            | Method::GetDisplayMedia
            | Method::GetDisplayMediaOnSuccess
            | Method::GetDisplayMediaOnFailure
            | Method::EnumerateDevices
            | Method::OnDeviceChange
            | Method::MediaStreamTrackStop
            | Method::MediaStreamTrackApplyConstraints
            | Method::MediaStreamTrackOnEnded
            | Method::MediaStreamTrackOnMute
            | Method::MediaStreamTrackOnUnmute
            | Method::MediaStreamTrackEnabled
            | Method::MediaStreamTrackContentHint
            | Method::HtmlMediaElementResize
            | Method::AudioMutedChanged
            | Method::VideoMutedChanged
            | Method::ScreenshareToggled
            | Method::CodecChanged
            | Method::SetVideoType => Self::Media,

            _ => Self::Client,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_category_of_its_method() {
        for (line, category) in [
            (r#"["create","PC_0",{},1]"#, Category::Api),
            (r#"["close","PC_0",{},1]"#, Category::Api),
            (r#"["close",null,1005,1]"#, Category::Client),
            (
                r#"["onsignalingstatechange","PC_0","stable",1]"#,
                Category::State,
            ),
            (
                r#"["setLocalDescription","PC_0",{},1]"#,
                Category::Negotiation,
            ),
            (r#"["onicecandidate","PC_0",null,1]"#, Category::Candidate),
            (r#"["ontrack","PC_0","audio:x",1]"#, Category::Media),
            (r#"["identity",null,{},1]"#, Category::Client),
            (r#"[":joined",null,{},1]"#, Category::Client),
            (r#"["somethingNew",null,{},1]"#, Category::Other),
        ] {
            assert_eq!(
                Category::of(&Event::parse(line).unwrap()),
                category,
                "{line}"
            );
        }
    }
}
