//! What is sent of a session.

use reqwest::RequestBuilder;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io;
use uuid::Uuid;

use super::super::outbox::Delivery;
use super::{Failure, WebhookEvents};
use crate::{DumpName, RecordPart, SessionRecord};

/// The part that the `RTCSTATS_UPLOADED` event is made of.
const FEATURES: &str = "features";

/// The key of parts of a session, the same whenever it is made.
fn key<'a>(session: &DumpName, parts: impl IntoIterator<Item = &'a str>) -> Uuid {
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_OID, b"rtcstats webhook");
    let mut text = session.to_string();
    for part in parts {
        // Unambiguous, since a session has no zero byte, and the length of a part is told.
        text.push_str(&format!("\0{}\0{part}", part.len()));
    }
    Uuid::new_v5(&namespace, text.as_bytes())
}

/// What is kept for an `RTCSTATS_UPLOADED` event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Uploaded {
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meeting_fqn: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant_name: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_id: Option<Value>,
}

/// What is read of the part `features`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extraction {
    dump_metadata: Map<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UploadedEvent {
    event_type: &'static str,
    idempotency_key: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Value>,
    created: u64,
    submitted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    meeting_fqn: Option<Value>,
    data: UploadedData,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UploadedData {
    #[serde(skip_serializing_if = "Option::is_none")]
    stats_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant_name: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_id: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FinishedEvent<'a> {
    r#type: &'static str,
    id: Uuid,
    created: u64,
    session: &'a str,
    parts: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    dump_url: Option<String>,
}

impl WebhookEvents {
    /// What is to be sent of a record; `None` for nothing, or nothing that `is_known` does not know.
    pub(super) fn delivery(
        &self,
        record: &SessionRecord,
        now_ms: f64,
        is_known: impl Fn(&Uuid) -> bool,
    ) -> io::Result<Option<Delivery>> {
        let delivery = |id, keys, content| Delivery {
            id,
            created_ms: now_ms,
            session: record.name.to_string(),
            keys,
            content,
        };
        match self {
            Self::Uploaded(_) => {
                let id = key(&record.name, [FEATURES]);
                let part = record.parts.iter().find(|part| part.part == FEATURES);
                let Some(part) = part.filter(|_| !is_known(&id)) else {
                    return Ok(None);
                };
                let Some(uploaded) = uploaded(&part.json)? else {
                    return Ok(None);
                };
                Ok(Some(delivery(id, vec![id], to_raw_value(&uploaded)?)))
            }
            Self::Finished { parts, .. } => {
                let is_chosen = |part: &&RecordPart| {
                    let kind = part.part.split('/').next().unwrap_or_default();
                    let chosen = parts.as_ref();
                    chosen.is_none_or(|chosen| chosen.iter().any(|name| name == kind))
                };
                let mut content = BTreeMap::new();
                let mut keys = Vec::new();
                for part in record.parts.iter().filter(is_chosen) {
                    let key = key(&record.name, [part.part.as_str()]);
                    if !is_known(&key) {
                        keys.push(key);
                        content.insert(part.part.as_str(), &part.json);
                    }
                }
                if content.is_empty() {
                    return Ok(None);
                }
                let id = key(&record.name, content.keys().copied());
                Ok(Some(delivery(id, keys, to_raw_value(&content)?)))
            }
        }
    }

    /// Makes a request of it: headers that prove where it comes from, and the body.
    pub(super) fn fill(
        &self,
        request: RequestBuilder,
        delivery: &Delivery,
        link: Option<String>,
        now_ms: f64,
    ) -> Result<RequestBuilder, Failure> {
        let request = request.header("content-type", "application/json");
        match self {
            Self::Uploaded(key) => {
                let kept: Uploaded = serde_json::from_str(delivery.content.get())?;
                let event = UploadedEvent {
                    event_type: "RTCSTATS_UPLOADED",
                    idempotency_key: delivery.id,
                    customer_id: kept.customer_id,
                    session_id: kept.session_id,
                    created: delivery.created_ms as u64,
                    submitted: now_ms as u64,
                    meeting_fqn: kept.meeting_fqn,
                    data: UploadedData {
                        stats_url: link,
                        participant_name: kept.participant_name,
                        endpoint_id: kept.endpoint_id,
                    },
                };
                let token = key.token(now_ms)?;
                Ok(request.bearer_auth(token).body(serde_json::to_vec(&event)?))
            }
            Self::Finished { secret, .. } => {
                let body = serde_json::to_vec(&FinishedEvent {
                    r#type: "session.finished",
                    id: delivery.id,
                    created: delivery.created_ms as u64,
                    session: &delivery.session,
                    parts: &delivery.content,
                    dump_url: link,
                })?;
                let (id, timestamp) = (delivery.id.to_string(), (now_ms / 1000.0) as u64);
                let timestamp = timestamp.to_string();
                let signature = secret.sign(&id, &timestamp, &body);
                Ok(request
                    .header("webhook-id", id)
                    .header("webhook-timestamp", timestamp)
                    .header("webhook-signature", signature)
                    .body(body))
            }
        }
    }
}

/// What is told of a session of a JaaS tenant; `None` for others.
fn uploaded(features: &RawValue) -> serde_json::Result<Option<Uploaded>> {
    let Extraction { dump_metadata } = serde_json::from_str(features.get())?;
    let mut metadata = dump_metadata;
    if metadata.get("isJaaSTenant") != Some(&Value::Bool(true)) {
        return Ok(None);
    }
    Ok(Some(Uploaded {
        customer_id: metadata.remove("jaasClientId"),
        session_id: metadata.remove("sessionId"),
        meeting_fqn: metadata.remove("jaasMeetingFqn"),
        participant_name: metadata.remove("userId"),
        endpoint_id: metadata.remove("endpointId"),
    }))
}
