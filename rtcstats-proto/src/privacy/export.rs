//! Exports of `chrome://webrtc-internals`: one object that holds JSON in strings.

use super::obfuscate::{Mode, Obfuscator};
use super::rule::Rule;
use super::splice::Splice;
use crate::json::{JsonKind, write_normal, write_text};
use crate::{JsonError, Limits, RawJson};

/// Why an export cannot be masked.
#[derive(Debug)]
pub(super) enum ExportFailure {
    /// It is not JSON.
    Json(JsonError),
    /// A member is missing, or a value has not the shape that its rule wants.
    Shape,
}

/// Appends the export with its addresses masked, and counts the values that became `null`.
pub(super) fn mask(
    text: &str,
    obfuscator: &mut Obfuscator,
    limits: &Limits,
    out: &mut String,
) -> Result<u64, ExportFailure> {
    let document = RawJson::parse_within(text, limits).map_err(ExportFailure::Json)?;
    let is_strict = obfuscator.mode() == Mode::Strict;
    let mut masked = String::with_capacity(text.len());
    let mut masking = Masking {
        splice: Splice::new(text, &mut masked),
        obfuscator,
        limits,
        is_strict,
        failures: 0,
    };
    masking.document(document)?;
    let Masking {
        splice, failures, ..
    } = masking;
    splice.finish();
    if is_strict {
        obfuscator.sweep(&masked, out);
    } else {
        out.push_str(&masked);
    }
    Ok(failures)
}

struct Masking<'l, 'o> {
    splice: Splice<'l, 'o>,
    obfuscator: &'o mut Obfuscator,
    limits: &'o Limits,
    is_strict: bool,
    failures: u64,
}

type Result<T, E = ExportFailure> = std::result::Result<T, E>;

impl<'l> Masking<'l, '_> {
    fn document(&mut self, document: RawJson<'l>) -> Result<()> {
        self.demand(document, "PeerConnections")?;
        for (name, member) in document.members() {
            match &*name {
                "PeerConnections" => {
                    for (_, connection) in member.members() {
                        self.connection(connection)?;
                    }
                }
                "getUserMedia" if self.obfuscator.empties_labels() => {
                    for request in member.elements() {
                        self.track_labels(request);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The reference fails where a member is missing.
    fn demand(&self, object: RawJson<'l>, name: &str) -> Result<()> {
        if self.is_strict || object.get(name).is_some_and(|member| !member.is_null()) {
            Ok(())
        } else {
            Err(ExportFailure::Shape)
        }
    }

    fn connection(&mut self, connection: RawJson<'l>) -> Result<()> {
        self.demand(connection, "stats")?;
        self.demand(connection, "updateLog")?;
        for (name, member) in connection.members() {
            match &*name {
                "stats" => {
                    for (name, series) in member.members() {
                        let kind = name.rsplit('-').next().unwrap_or_default();
                        if matches!(kind, "address" | "ip" | "relatedAddress") {
                            self.series(series)?;
                        }
                    }
                }
                "updateLog" => {
                    for update in member.elements() {
                        self.update(update)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The values of one member of one report over time: an array as text.
    fn series(&mut self, series: RawJson<'l>) -> Result<()> {
        let Some(values) = series.get("values") else {
            return self.fail(None);
        };
        let Some(text) = values.as_text() else {
            return self.fail(Some(values));
        };
        let array = RawJson::parse_within(&text, self.limits).ok();
        let Some(array) = array.filter(|array| array.kind() == JsonKind::Array) else {
            return self.fail(Some(values));
        };
        let mut masked = "[".to_owned();
        for (place, address) in array.elements().enumerate() {
            let Some(address) = address.as_text() else {
                return self.fail(Some(values));
            };
            if place > 0 {
                masked.push(',');
            }
            write_text(&self.obfuscator.mode().mask(&address), &mut masked);
        }
        masked.push(']');
        self.splice.replace_text(values, &text, &masked);
        Ok(())
    }

    /// An event: its value is text, JSON as a rule.
    fn update(&mut self, update: RawJson<'l>) -> Result<()> {
        let Some(value) = update.get("value").filter(|value| value.is_truthy()) else {
            return Ok(());
        };
        let kind = update.get("type").unwrap_or(RawJson::NULL).to_key();
        let Some(text) = value.as_text() else {
            // The sweep sees it.
            return if self.is_strict {
                Ok(())
            } else {
                Err(ExportFailure::Shape)
            };
        };
        let Ok(inner) = RawJson::parse_within(&text, self.limits) else {
            // A bare word, as older browsers write.
            return if self.is_strict {
                Ok(())
            } else {
                Err(ExportFailure::Shape)
            };
        };
        let mode = self.obfuscator.mode();
        let mut masked = String::with_capacity(text.len());
        let mut splice = Splice::new(&text, &mut masked);
        // What the reference masks of a public address it does not keep.
        let rule =
            Rule::of(mode, &kind).filter(|rule| self.is_strict || *rule != Rule::PublicAddress);
        if rule.is_some_and(|rule| rule.apply(mode, inner, &mut splice).is_err()) {
            return self.fail(Some(value));
        }
        splice.finish();
        if self.is_strict {
            let mut swept = String::with_capacity(masked.len());
            self.obfuscator.sweep(&masked, &mut swept);
            masked = swept;
        }
        let mut normal = String::with_capacity(masked.len());
        write_normal(RawJson::trusted(masked.trim_ascii()), &mut normal);
        self.splice.replace_text(value, &text, &normal);
        Ok(())
    }

    /// A value that no rule can be applied to is lost, or all is.
    fn fail(&mut self, value: Option<RawJson<'l>>) -> Result<()> {
        if !self.is_strict {
            return Err(ExportFailure::Shape);
        }
        self.failures += 1;
        if let Some(value) = value {
            // Text, as readers expect.
            self.splice
                .replace_value(value, |out| out.push_str("\"null\""));
        }
        Ok(())
    }

    /// Empties the labels in the `audio_track_info` and `video_track_info` of a request.
    fn track_labels(&mut self, request: RawJson<'l>) {
        for (name, value) in request.members() {
            let Some(text) = value.as_text().filter(|_| name.ends_with("_track_info")) else {
                continue;
            };
            let Ok(track) = RawJson::parse_within(&text, self.limits) else {
                continue;
            };
            if let Some(label) = track.get("label") {
                let mut masked = String::with_capacity(text.len());
                let mut splice = Splice::new(&text, &mut masked);
                splice.replace_value(label, |out| out.push_str("\"\""));
                splice.finish();
                self.splice.replace_text(value, &text, &masked);
            }
        }
    }
}
