//! Which description is the base of which (rtcstats 5.0 spec, sections 7.3 and 7.4).

use super::Description;
use crate::{Limits, Method, RawJson};

/// Restores the descriptions of one peer connection while its events are read in order.
///
/// Remembers three descriptions, as existing readers do: the last that `createOffer` and `createAnswer`
/// yielded, and the last that was given to `setLocalDescription`. Only these calls are restored: the
/// base of a remote description is not in the dump. One longer than [`Limits::description_bytes`] is
/// not remembered, and what builds on it stays as it was sent.
///
/// ```
/// use rtcstats_proto::sdp::DescriptionReader;
/// use rtcstats_proto::{Limits, Method, RawJson};
///
/// let mut reader = DescriptionReader::new("PC_0", Limits::default());
/// let created = RawJson::parse(r#"{"type":"offer","sdp":"v=0\r\nm=audio 9\r\n"}"#)?;
/// let set = RawJson::parse(r#"{"type":"offer","sdp":"v=\r\nm=\r\n"}"#)?;
/// reader.read(Method::CreateOfferOnSuccess, created);
/// let restored = reader.read(Method::SetLocalDescription, set);
/// assert_eq!(restored.sdp(), Some("v=0\r\nm=audio 9\r\n"));
/// # Ok::<(), rtcstats_proto::JsonError>(())
/// ```
#[derive(Debug, Clone)]
pub struct DescriptionReader {
    has_unencoded_local: bool,
    created: Created,
    local: Option<Description<'static>>,
    limits: Limits,
}

/// Encodes the descriptions of one peer connection as the 5.0 client does.
///
/// The browser's current descriptions are bases, and only the caller knows them: tell them with
/// [`DescriptionWriter::set_current_local`] and [`DescriptionWriter::set_current_remote`] whenever a
/// call has changed them.
#[derive(Debug, Clone, Default)]
pub struct DescriptionWriter {
    current_local: Option<Description<'static>>,
    current_remote: Option<Description<'static>>,
    created: Created,
}

/// What was created last.
#[derive(Debug, Clone, Default)]
struct Created {
    offer: Option<Description<'static>>,
    answer: Option<Description<'static>>,
}

impl DescriptionReader {
    /// Begins with the connection's first event. Within the key `undefined-undefined`, that of dumps by
    /// Chrome before 145, what is given to `setLocalDescription` is not encoded.
    pub fn new(connection: &str, limits: Limits) -> Self {
        Self {
            has_unencoded_local: connection == "undefined-undefined",
            created: Created::default(),
            local: None,
            limits,
        }
    }

    /// Restores the value of an event, and remembers it where later ones may build on it. Values of
    /// other events pass.
    pub fn read<'a>(&mut self, method: Method, value: RawJson<'a>) -> Description<'a> {
        let new = Description::from_json(value);
        match method {
            Method::SetLocalDescription => {
                let base = match new.kind() {
                    _ if self.has_unencoded_local => None,
                    Some("offer") => self.created.offer.as_ref(),
                    Some("answer") => self.created.answer.as_ref(),
                    _ => None,
                };
                let restored = new.decoded(base);
                self.local = self.remembered(&restored);
                restored
            }
            Method::CreateOfferOnSuccess | Method::CreateAnswerOnSuccess => {
                let is_known = matches!(new.kind(), Some("offer" | "answer"));
                let restored = new.decoded(self.local.as_ref().filter(|_| is_known));
                let remembered = self.remembered(&restored);
                if method == Method::CreateOfferOnSuccess {
                    self.created.offer = remembered;
                } else {
                    self.created.answer = remembered;
                }
                restored
            }
            _ => new,
        }
    }

    fn remembered(&self, description: &Description<'_>) -> Option<Description<'static>> {
        let length = description.sdp()?.len() + description.kind().map_or(0, str::len);
        (length <= self.limits.description_bytes).then(|| description.clone().into_owned())
    }
}

impl DescriptionWriter {
    /// Encodes the description that an event carries. Those of events that carry none pass.
    pub fn encode<'a>(&mut self, method: Method, new: Description<'a>) -> Description<'a> {
        match method {
            Method::CreateOfferOnSuccess => {
                self.created.offer = self
                    .current_local
                    .is_none()
                    .then(|| new.clone().into_owned());
                new.encoded(self.current_local.as_ref())
            }
            Method::CreateAnswerOnSuccess => {
                self.created.answer = self
                    .current_local
                    .is_none()
                    .then(|| new.clone().into_owned());
                new.encoded(self.current_local.as_ref())
            }
            Method::SetLocalDescription => {
                // The implicit form, which has no value, leaves them.
                let created = if new.is_truthy() {
                    std::mem::take(&mut self.created)
                } else {
                    Created::default()
                };
                let created = match new.kind() {
                    Some("offer") => created.offer,
                    Some("answer") => created.answer,
                    _ => None,
                };
                new.encoded(self.current_local.as_ref().or(created.as_ref()))
            }
            Method::SetLocalDescriptionOnSuccess => new.encoded(self.current_local.as_ref()),
            Method::SetRemoteDescription => new.encoded(self.current_remote.as_ref()),
            _ => new,
        }
    }

    /// Tells what the browser's `localDescription` is now.
    pub fn set_current_local(&mut self, description: Option<Description<'static>>) {
        self.current_local = description;
    }

    /// Tells what the browser's `remoteDescription` is now.
    pub fn set_current_remote(&mut self, description: Option<Description<'static>>) {
        self.current_remote = description;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\nm=audio 9\r\n";
    const SAME: &str = "v=\r\nm=\r\n";

    fn json(kind: &str, sdp: &str) -> String {
        serde_json::json!({"type": kind, "sdp": sdp}).to_string()
    }

    fn read(reader: &mut DescriptionReader, method: Method, kind: &str, sdp: &str) -> String {
        let value = json(kind, sdp);
        let value = RawJson::parse(&value).unwrap();
        reader.read(method, value).sdp().unwrap().to_owned()
    }

    #[test]
    fn local_descriptions_build_on_created_ones_and_the_other_way_round() {
        let mut reader = DescriptionReader::new("PC_0", Limits::default());
        let created = Method::CreateOfferOnSuccess;
        assert_eq!(read(&mut reader, created, "offer", OFFER), OFFER);
        assert_eq!(
            read(&mut reader, Method::SetLocalDescription, "offer", SAME),
            OFFER
        );
        assert_eq!(read(&mut reader, created, "offer", SAME), OFFER);
        // The last local description was an offer.
        assert_eq!(
            read(&mut reader, Method::CreateAnswerOnSuccess, "answer", SAME),
            SAME
        );
        // No base is known for these.
        assert_eq!(
            read(&mut reader, Method::SetRemoteDescription, "offer", SAME),
            SAME
        );
        assert_eq!(
            read(
                &mut reader,
                Method::SetLocalDescriptionOnSuccess,
                "offer",
                SAME
            ),
            SAME
        );
    }

    #[test]
    fn an_implicit_call_leaves_what_is_created_next_encoded() {
        let mut reader = DescriptionReader::new("PC_0", Limits::default());
        let created = Method::CreateOfferOnSuccess;
        read(&mut reader, created, "offer", OFFER);
        read(&mut reader, Method::SetLocalDescription, "offer", SAME);
        reader.read(Method::SetLocalDescription, RawJson::NULL);
        assert_eq!(read(&mut reader, created, "offer", SAME), SAME);
    }

    #[test]
    fn old_dumps_of_chrome_have_local_descriptions_that_are_not_encoded() {
        let mut reader = DescriptionReader::new("undefined-undefined", Limits::default());
        read(&mut reader, Method::CreateOfferOnSuccess, "offer", OFFER);
        assert_eq!(
            read(&mut reader, Method::SetLocalDescription, "offer", SAME),
            SAME
        );
    }

    #[test]
    fn a_description_over_the_limit_is_not_remembered() {
        let limits = Limits {
            description_bytes: 10,
            ..Limits::default()
        };
        let mut reader = DescriptionReader::new("PC_0", limits);
        read(&mut reader, Method::CreateOfferOnSuccess, "offer", OFFER);
        assert_eq!(
            read(&mut reader, Method::SetLocalDescription, "offer", SAME),
            SAME
        );
    }

    #[test]
    fn a_reader_restores_what_the_writer_encoded() {
        let mut writer = DescriptionWriter::default();
        let mut reader = DescriptionReader::new("PC_0", Limits::default());
        for (method, sdp) in [
            (Method::CreateOfferOnSuccess, OFFER),
            (Method::SetLocalDescription, OFFER),
            (
                Method::CreateOfferOnSuccess,
                "v=0\r\nm=audio 9\r\nm=video 9\r\n",
            ),
        ] {
            let mut encoded = String::new();
            writer
                .encode(method, Description::new("offer", sdp))
                .write(&mut encoded);
            assert_eq!(
                encoded.contains("v=0"),
                sdp == OFFER && method == Method::CreateOfferOnSuccess
            );
            let value = RawJson::parse(&encoded).unwrap();
            assert_eq!(reader.read(method, value).sdp(), Some(sdp));
            if method == Method::SetLocalDescription {
                writer.set_current_local(Some(Description::new("offer", OFFER)));
            }
        }
    }
}
