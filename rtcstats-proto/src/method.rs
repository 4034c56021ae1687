//! The table of API calls and events that clients trace.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use foldhash::fast::FixedState;

use crate::table::number;

macro_rules! methods {
    ($($variant:ident $name:literal $(= $number:literal)?,)*) => {
        /// A known API call, its outcome, or an event, of any protocol generation.
        ///
        /// Clients may send any other name; an [`Event`](crate::Event) keeps it as text.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[non_exhaustive]
        #[allow(missing_docs, reason = "the macro writes the name as documentation")]
        pub enum Method {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Method {
            /// Every known name, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the wire and in dumps.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The number that stands for it in rtcstats 5.0, if it has one. Readers understand
            /// them all; writers use [`Method::code`].
            pub fn number(self) -> Option<u16> {
                match self {
                    $(Self::$variant => number!($($number)?),)*
                }
            }
        }
    };
}

methods! {
    // RTCPeerConnection, in the order of the numbers of rtcstats 5.0 (getStats is "g" there)
    GetStats "getStats",
    CreateOffer "createOffer" = 2,
    CreateOfferOnSuccess "createOfferOnSuccess" = 3,
    CreateOfferOnFailure "createOfferOnFailure" = 12,
    CreateAnswer "createAnswer" = 4,
    CreateAnswerOnSuccess "createAnswerOnSuccess" = 5,
    CreateAnswerOnFailure "createAnswerOnFailure" = 13,
    SetLocalDescription "setLocalDescription" = 6,
    SetLocalDescriptionOnSuccess "setLocalDescriptionOnSuccess" = 7,
    SetLocalDescriptionOnFailure "setLocalDescriptionOnFailure" = 14,
    SetRemoteDescription "setRemoteDescription" = 8,
    SetRemoteDescriptionOnSuccess "setRemoteDescriptionOnSuccess" = 9,
    SetRemoteDescriptionOnFailure "setRemoteDescriptionOnFailure" = 15,
    AddIceCandidate "addIceCandidate" = 10,
    AddIceCandidateOnSuccess "addIceCandidateOnSuccess" = 11,
    AddIceCandidateOnFailure "addIceCandidateOnFailure" = 16,
    OnIceCandidate "onicecandidate" = 20,
    OnIceCandidateError "onicecandidateerror" = 21,
    OnTrack "ontrack" = 22,
    OnSignalingStateChange "onsignalingstatechange" = 23,
    OnIceConnectionStateChange "oniceconnectionstatechange" = 24,
    OnConnectionStateChange "onconnectionstatechange" = 25,
    OnIceGatheringStateChange "onicegatheringstatechange" = 26,
    OnNegotiationNeeded "onnegotiationneeded" = 27,
    OnDataChannel "ondatachannel" = 28,
    AddTrack "addTrack" = 30,
    AddTrackOnSuccess "addTrackOnSuccess" = 31,
    AddTransceiver "addTransceiver" = 32,
    AddTransceiverOnSuccess "addTransceiverOnSuccess" = 33,
    RemoveTrack "removeTrack" = 34,
    CreateDataChannel "createDataChannel" = 35,
    Close "close" = 36,
    RestartIce "restartIce" = 37,
    SetConfiguration "setConfiguration" = 38,
    Create "create" = 39,
    Constraints "constraints" = 40,
    SetCodecPreferences "setCodecPreferences" = 41,
    SetHeaderExtensionsToNegotiate "setHeaderExtensionsToNegotiate" = 42,
    SetParameters "setParameters" = 50,
    ReplaceTrack "replaceTrack" = 51,
    // RTCPeerConnection, names without a number
    AddStream "addStream",
    RemoveStream "removeStream",
    OnAddStream "onaddstream",
    OnRemoveStream "onremovestream",
    OnDtlsStateChange "ondtlsstatechange",
    OnDtlsError "ondtlserror",
    AddTransceiverOnFailure "addTransceiverOnFailure",
    AddTrackOnFailure "addTrackOnFailure",
    // Capture
    GetUserMedia "navigator.mediaDevices.getUserMedia" = 60,
    GetUserMediaOnSuccess "navigator.mediaDevices.getUserMediaOnSuccess" = 61,
    GetUserMediaOnFailure "navigator.mediaDevices.getUserMediaOnFailure" = 65,
    GetDisplayMedia "navigator.mediaDevices.getDisplayMedia" = 63,
    GetDisplayMediaOnSuccess "navigator.mediaDevices.getDisplayMediaOnSuccess" = 64,
    EnumerateDevices "navigator.mediaDevices.enumerateDevices" = 66,
    OnDeviceChange "navigator.mediaDevices.ondevicechange" = 67,
    MediaStreamTrackStop "MediaStreamTrack.stop" = 70,
    MediaStreamTrackApplyConstraints "MediaStreamTrack.applyConstraints" = 71,
    MediaStreamTrackOnEnded "MediaStreamTrack.onended" = 72,
    MediaStreamTrackOnMute "MediaStreamTrack.onmute" = 73,
    MediaStreamTrackOnUnmute "MediaStreamTrack.onunmute" = 74,
    HtmlMediaElementResize "HTMLMediaElement.resize" = 80,
    MediaStreamTrackEnabled "MediaStreamTrack.enabled",
    MediaStreamTrackContentHint "MediaStreamTrack.contentHint",
    // Capture, decoded only or without a number
    GetDisplayMediaOnFailure "navigator.mediaDevices.getDisplayMediaOnFailure" = 68,
    LegacyGetUserMedia "getUserMedia",
    LegacyGetUserMediaOnSuccess "getUserMediaOnSuccess",
    LegacyGetUserMediaOnFailure "getUserMediaOnFailure",
    // rtcstats 5.0: the page
    WebSocket "websocket",
    // Chrome's own event log
    TransceiverAdded "transceiverAdded",
    TransceiverModified "transceiverModified",
    // Legacy and Jitsi: delta-compressed stats
    CompressedGetStats "getstats",
    // Legacy: the session
    PublicIp "publicIP",
    UserFeedback "userfeedback",
    Tags "tags",
    WsConnect "wsconnect",
    WsConnectError "wsconnecterror",
    // Jitsi: the session
    ConnectionInfo "connectionInfo",
    Identity "identity",
    ConferenceStartTimestamp "conferenceStartTimestamp",
    DominantSpeaker "dominantSpeaker",
    E2eRtt "e2eRtt",
    FaceLandmarks "faceLandmarks",
    SetVideoType "setVideoType",
    Logs "logs",
    // Jitsi: names of newer lib-jitsi-meet versions
    AudioMutedChanged "audioMutedChanged",
    VideoMutedChanged "videoMutedChanged",
    ScreenshareToggled "screenshareToggled",
    CodecChanged "codecChanged",
    CpuRestricted "cpuRestricted",
    DominantSpeakerChanged "dominantSpeakerChanged",
    JvbIceRestarted "jvbIceRestarted",
    RemoteSourceInterrupted "remoteSourceInterrupted",
    RemoteSourceSuspended "remoteSourceSuspended",
    StropheDisconnected "stropheDisconnected",
    StropheReconnected "stropheReconnected",
    StropheError "strophe.error",
}

static BY_NAME: LazyLock<HashMap<&'static str, Method, FixedState>> = LazyLock::new(|| {
    Method::ALL
        .iter()
        .map(|method| (method.as_str(), *method))
        .collect()
});

/// Numbers of rtcstats 5.0 are below.
const NUMBERS: usize = 128;

static BY_NUMBER: LazyLock<[Option<Method>; NUMBERS]> = LazyLock::new(|| {
    let mut table = [None; NUMBERS];
    for method in Method::ALL {
        let entry = method
            .number()
            .and_then(|number| table.get_mut(usize::from(number)));
        if let Some(entry) = entry {
            *entry = Some(*method);
        }
    }
    table
});

impl Method {
    /// The method with this name, if it is known.
    ///
    /// ```
    /// use rtcstats_proto::Method;
    /// assert_eq!(Method::from_name("createOffer"), Some(Method::CreateOffer));
    /// assert_eq!(Method::from_name("somethingNew"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        BY_NAME.get(name).copied()
    }

    /// The method that a code of rtcstats 5.0 stands for: `g`, or a number as text.
    ///
    /// ```
    /// use rtcstats_proto::Method;
    /// assert_eq!(Method::from_code("g"), Some(Method::GetStats));
    /// assert_eq!(Method::from_code("39"), Some(Method::Create));
    /// assert_eq!(Method::from_code("62"), None);
    /// ```
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "g" | "1" => Some(Self::GetStats),
            // What the standard library reads as a number may have a sign, or zeros in front.
            _ if !code.starts_with(|first| matches!(first, '1'..='9')) => None,
            _ => {
                let number: usize = code.parse().ok()?;
                BY_NUMBER.get(number).copied().flatten()
            }
        }
    }

    /// What a client of rtcstats 5.0 writes for it: `"g"` with its quotes, or a number; `None`
    /// where it writes the name.
    ///
    /// ```
    /// use rtcstats_proto::Method;
    /// assert_eq!(Method::GetStats.code().as_deref(), Some("\"g\""));
    /// assert_eq!(Method::Create.code().as_deref(), Some("39"));
    /// // Understood since 5.0, to be written by the next generation only.
    /// assert_eq!(Method::GetDisplayMediaOnFailure.code(), None);
    /// ```
    pub fn code(self) -> Option<Cow<'static, str>> {
        match self {
            Self::GetStats => Some(Cow::Borrowed("\"g\"")),
            Self::GetDisplayMediaOnFailure => None,
            _ => Some(Cow::Owned(self.number()?.to_string())),
        }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_back_to_their_method() {
        for method in Method::ALL {
            if let Some(number) = method.number() {
                assert_eq!(Method::from_code(&number.to_string()), Some(*method));
            }
            if let Some(code) = method.code() {
                assert_eq!(Method::from_code(code.trim_matches('"')), Some(*method));
            }
        }
        for code in ["", "0", "02", "-1", "+39", "1000000", "createOffer"] {
            assert_eq!(Method::from_code(code), None, "{code}");
        }
    }

    #[test]
    fn names_lead_back_to_their_method() {
        for method in Method::ALL {
            assert_eq!(Method::from_name(method.as_str()), Some(*method));
        }
    }
}
