//! A sink that sends NATS messages.

use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{ContextBuilder, GetStreamByNameErrorKind, PublishAckFuture};
use async_nats::{Client, ConnectOptions, HeaderMap, Subject};
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::{FeatureSink, RecordPart, SessionRecord, SinkError};
use crate::{BoxFuture, DumpName};

const NAME: &str = "nats";

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Sends each part of a record as a message.
///
/// The subject is `<prefix>.<kind>`, where the kind is what is before the first `/` of the part's
/// name: `rtcstats.pc` for `pc/0`. Characters other than letters, digits, `_` and `-` become `_`. The
/// content is the JSON text of the part. Headers:
///
/// | Header | Value |
/// |---|---|
/// | `Nats-Msg-Id` | `<session>/<part>`, by which a stream drops repetitions |
/// | `Rtcstats-Session` | the [`DumpName`] |
/// | `Rtcstats-Part` | the part |
/// | `Rtcstats-Omitted` | only where a part is larger than the server takes: its bytes; the content is `null` |
///
/// In header values, bytes other than printable ASCII, and `%`, are written as `%` and two hexadecimal digits.
///
/// **Delivery:** with a stream that captures `<prefix>.>`, publishing resolves when the stream has
/// acknowledged all parts; what fails is an error, and the caller publishes again. The stream tells
/// repetitions for as long as its `duplicate_window` says, two minutes unless configured. Without a
/// stream, messages are flushed to the server, and those get them who listen at that moment: at most
/// once. [`NatsDelivery`] says which of the two.
///
/// A connection that is lost is made again in the background. It works on the tokio runtime that it is
/// connected in; its futures can be polled anywhere.
pub struct NatsSink {
    connection: Connection,
    handle: Handle,
}

/// How a [`NatsSink`] works.
#[derive(Clone)]
pub struct NatsSinkOptions {
    /// What subjects begin with: tokens of letters, digits, `_` and `-`, separated by `.`. Default
    /// `rtcstats`.
    pub prefix: String,
    /// Whether a stream acknowledges messages. Default [`NatsDelivery::Detect`].
    pub delivery: NatsDelivery,
    /// A file of credentials (a JWT and the seed of a key), in place of a user or a token in the URL.
    pub credentials: Option<PathBuf>,
    /// How long connecting may take, and publishing a record. Default 10 s.
    pub timeout: Duration,
}

/// Whether a stream acknowledges what a [`NatsSink`] sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NatsDelivery {
    /// Asks, when it connects, whether there is a stream that captures the subjects: then as
    /// [`Stream`](Self::Stream), else as [`Core`](Self::Core), with a warning. If it cannot be told,
    /// connecting fails.
    Detect,
    /// A stream acknowledges each message; it is an error if there is none.
    Stream,
    /// Messages go to those who listen: at most once.
    Core,
}

impl Default for NatsSinkOptions {
    fn default() -> Self {
        Self {
            prefix: "rtcstats".to_owned(),
            delivery: NatsDelivery::Detect,
            credentials: None,
            timeout: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for NatsSinkOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NatsSinkOptions")
            .field("prefix", &self.prefix)
            .field("delivery", &self.delivery)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Connection {
    client: Client,
    /// Absent for [`NatsDelivery::Core`].
    stream: Option<Context>,
    prefix: String,
    timeout: Duration,
}

impl NatsSink {
    /// Connects to one of some servers: `nats://host:4222` or `tls://host:4222`, with `user:password@`
    /// if need be, several separated by commas.
    ///
    /// # Errors
    ///
    /// If no server can be reached, if the prefix or a URL is none, outside of a tokio runtime, and as
    /// [`NatsDelivery`] says.
    pub async fn connect(servers: &str, options: NatsSinkOptions) -> Result<Self, SinkError> {
        let connect = async {
            let handle = Handle::try_current()?;
            let time = options.timeout;
            let connection = timeout(time, Connection::open(servers, options)).await??;
            Ok(Self { connection, handle })
        };
        let failed = |error: Failure| SinkError::new(NAME, None, error);
        connect.await.map_err(failed)
    }
}

impl FeatureSink for NatsSink {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        let (connection, record) = (self.connection.clone(), record.clone());
        Box::pin(async move {
            let session = record.name.clone();
            let publish = async move {
                match timeout(connection.timeout, connection.publish(&record)).await {
                    Ok(result) => result,
                    Err(_) => Err("no answer in time".into()),
                }
            };
            let result = match self.handle.spawn(publish).await {
                Ok(result) => result,
                Err(error) => Err(error.into()),
            };
            result.map_err(|error| SinkError::new(NAME, Some(session), error))
        })
    }

    fn name(&self) -> &str {
        NAME
    }
}

impl Connection {
    async fn open(servers: &str, options: NatsSinkOptions) -> Result<Self, Failure> {
        let is_token = |token: &str| !token.is_empty() && token.bytes().all(is_token_byte);
        if !options.prefix.split('.').all(is_token) {
            return Err("the prefix is no subject".into());
        }
        let mut connect = ConnectOptions::new().name("rtcstats");
        if let Some(path) = &options.credentials {
            connect = connect.credentials_file(path).await?;
        }
        let servers: Vec<&str> = servers.split(',').map(str::trim).collect();
        let client = connect.connect(servers).await?;
        let context = ContextBuilder::new()
            .timeout(options.timeout)
            .ack_timeout(options.timeout)
            .build(client.clone());
        let is_stream = match options.delivery {
            NatsDelivery::Core => false,
            NatsDelivery::Stream => true,
            NatsDelivery::Detect => has_stream(&context, &options.prefix).await?,
        };
        Ok(Self {
            client,
            stream: is_stream.then_some(context),
            prefix: options.prefix,
            timeout: options.timeout,
        })
    }

    /// Sends all parts in their order, and waits until all are acknowledged.
    async fn publish(&self, record: &SessionRecord) -> Result<(), Failure> {
        let mut acknowledgements: Vec<PublishAckFuture> = Vec::new();
        for part in &record.parts {
            let (subject, headers, content) = self.message(&record.name, part);
            match &self.stream {
                Some(stream) => {
                    let sent = stream
                        .publish_with_headers(subject, headers, content)
                        .await?;
                    acknowledgements.push(sent);
                }
                None => {
                    let client = &self.client;
                    client
                        .publish_with_headers(subject, headers, content)
                        .await?;
                }
            }
        }
        for acknowledgement in acknowledgements {
            acknowledgement.await?;
        }
        if self.stream.is_none() {
            self.client.flush().await?;
        }
        Ok(())
    }

    fn message(&self, session: &DumpName, part: &RecordPart) -> (Subject, HeaderMap, Bytes) {
        /// More than the headers take besides names.
        const HEADERS: usize = 1_024;
        let kind = part.part.split('/').next().unwrap_or_default();
        let subject = format!("{}.{}", self.prefix, token(kind));
        let name = header_text(&part.part);
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("{session}/{name}"));
        headers.insert("Rtcstats-Session", session.to_string());
        headers.insert("Rtcstats-Part", name.as_str());
        let json = part.json.get();
        let limit = self.client.max_payload();
        let mut content = Bytes::copy_from_slice(json.as_bytes());
        if json.len() + HEADERS + 2 * name.len() > limit {
            tracing::error!(%session, part = name, bytes = json.len(), limit, "a part is larger than the NATS server takes; it is left out");
            headers.insert("Rtcstats-Omitted", json.len().to_string());
            content = Bytes::from_static(b"null");
        }
        (subject.into(), headers, content)
    }
}

/// Whether a stream captures all subjects of a prefix.
async fn has_stream(context: &Context, prefix: &str) -> Result<bool, Failure> {
    match context.stream_by_subject(format!("{prefix}.>")).await {
        Ok(stream) => {
            tracing::info!(stream, "records are acknowledged by a stream");
            Ok(true)
        }
        Err(error) if error.kind() == GetStreamByNameErrorKind::NotFound => {
            tracing::warn!(
                prefix,
                "no stream captures records: they are sent at most once"
            );
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// A token of a subject.
fn token(text: &str) -> String {
    const LONGEST: usize = 64;
    let is_token = |character: char| u8::try_from(character).is_ok_and(is_token_byte);
    let characters = text.chars().take(LONGEST);
    let token: String = characters
        .map(|character| if is_token(character) { character } else { '_' })
        .collect();
    if token.is_empty() {
        "_".to_owned()
    } else {
        token
    }
}

/// The value of a header.
fn header_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            out.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

impl fmt::Debug for NatsSink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NatsSink")
            .field("prefix", &self.connection.prefix)
            .field("is_acknowledged", &self.connection.stream.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_remote_chose_stays_within_its_token_and_its_header() {
        for (text, expected) in [
            ("pc", "pc"),
            ("", "_"),
            ("a.b.>", "a_b__"),
            ("a b\r\nPUB x", "a_b__PUB_x"),
            ("é*", "__"),
        ] {
            assert_eq!(token(text), expected, "{text:?}");
        }
        assert_eq!(token(&"x".repeat(1_000)).len(), 64);
        assert_eq!(
            header_text("pc/\"odd\"\n\\ %é"),
            "pc/\"odd\"%0A\\%20%25%C3%A9"
        );
    }
}
