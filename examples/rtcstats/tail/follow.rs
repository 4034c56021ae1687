//! Reads the messages of a server about a session, and connects again where it must.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderMap};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use super::Arguments;
use super::event_stream::EventStream;
use super::screen::Screen;
use crate::UsageError;
use crate::output::printable;

/// Servers send something more often, if only a comment.
const SILENCE: Duration = Duration::from_secs(60);

/// How long a request may take to be answered.
const ANSWER_PATIENCE: Duration = Duration::from_secs(15);

/// Between attempts, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// What came of a connection.
enum Outcome {
    /// The session is over.
    Over,
    /// The connection was lost; whether something came before.
    Lost { reason: String, had_message: bool },
}

/// Follows a session to its end.
pub(super) async fn follow(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let headers: HeaderMap = arguments.header.iter().cloned().collect();
    let client = Client::builder()
        .default_headers(headers)
        .connect_timeout(ANSWER_PATIENCE)
        .build()?;
    let session = session(arguments, &client).await?;
    let url = arguments.url.api(&format!("sessions/{session}/live"));
    let mut screen = Screen::new(arguments)?;
    let mut is_known = false;
    let mut lost_since = None;
    let mut pause = PAUSES.0;
    loop {
        match read(&client, &url, is_known, &mut screen).await? {
            Outcome::Over => return Ok(()),
            Outcome::Lost {
                reason,
                had_message,
            } => {
                if had_message {
                    (is_known, lost_since, pause) = (true, None, PAUSES.0);
                }
                // A server that was never reached is not waited for.
                let since = *lost_since.get_or_insert_with(Instant::now);
                if !is_known || since.elapsed() >= arguments.patience {
                    return Err(reason.into());
                }
                screen.show_loss(&reason, pause);
                sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// The session that is meant, as it is in URLs.
async fn session(arguments: &Arguments, client: &Client) -> Result<String, Box<dyn Error>> {
    #[derive(Deserialize)]
    struct List {
        sessions: Vec<Entry>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        id: String,
        state: String,
        start_ms: Option<f64>,
    }
    match (&arguments.url.session, arguments.latest) {
        (Some(_), true) => {
            let what = "--latest is for a server, and the URL names a session";
            return Err(UsageError(what.to_owned()).into());
        }
        (Some(session), false) => return Ok(session.clone()),
        (None, false) => {
            let what =
                "which session? Give the URL of its page, or --latest for the one that began last";
            return Err(UsageError(what.to_owned()).into());
        }
        (None, true) => {}
    }
    let url = arguments
        .url
        .api("sessions?state=live&sort=start&order=desc&limit=1");
    let answer = async {
        let response = client.get(&url).send().await?.error_for_status()?;
        response.text().await
    };
    let text = timeout(ANSWER_PATIENCE, answer)
        .await
        .map_err(|_| format!("{url}: no answer in time"))?
        .map_err(|error| in_full(&error))?;
    let list: List = serde_json::from_str(&text)
        .map_err(|error| format!("{url}: not a list of sessions of an rtcstats server: {error}"))?;
    let live = list
        .sessions
        .into_iter()
        .filter(|entry| entry.state == "live");
    let start = |entry: &Entry| entry.start_ms.unwrap_or_default();
    let latest = live.max_by(|one, other| start(one).total_cmp(&start(other)));
    let none = || format!("{}: no session is live", arguments.url.server());
    Ok(latest.ok_or_else(none)?.id)
}

/// Reads one connection to its end.
///
/// # Errors
///
/// Where it does not help to try again: the server says that it cannot, or output fails.
async fn read(
    client: &Client,
    url: &str,
    is_known: bool,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Box<dyn Error>> {
    let lost = |reason: String, had_message| {
        Ok(Outcome::Lost {
            reason,
            had_message,
        })
    };
    let request = client.get(url).header(ACCEPT, "text/event-stream").send();
    let mut response = match timeout(ANSWER_PATIENCE, request).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return lost(in_full(&error), false),
        Err(_) => return lost(format!("{url}: no answer in time"), false),
    };
    match response.status() {
        StatusCode::OK => {}
        // It was there, and has ended while nobody listened.
        StatusCode::NOT_FOUND | StatusCode::GONE if is_known => return Ok(Outcome::Over),
        StatusCode::NOT_FOUND => {
            return Err(
                format!("{url}: no such session; the server's page lists those there are").into(),
            );
        }
        status => {
            let reason = format!("{url}: {status}{}", reason(&mut response).await);
            if status.is_server_error() {
                return lost(reason, false);
            }
            return Err(reason.into());
        }
    }
    if !is_event_stream(&response) {
        return Err(format!("{url}: not an rtcstats server: no server-sent events").into());
    }
    let mut events = EventStream::default();
    let mut had_message = false;
    loop {
        let chunk = match timeout(SILENCE, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => {
                return lost("the server closed the connection".to_owned(), had_message);
            }
            Ok(Err(error)) => return lost(in_full(&error), had_message),
            Err(_) => return lost("the server is silent".to_owned(), had_message),
        };
        for message in events.push(&chunk)? {
            had_message = true;
            if screen.show(&message)? {
                return Ok(Outcome::Over);
            }
        }
    }
}

/// What a server says about an error: `{"error": …}`.
async fn reason(response: &mut Response) -> String {
    #[derive(Deserialize)]
    struct Reason {
        error: String,
    }
    // It is short: one piece has all of it.
    let Ok(Ok(Some(body))) = timeout(ANSWER_PATIENCE, response.chunk()).await else {
        return String::new();
    };
    let reason = serde_json::from_slice::<Reason>(&body).ok();
    reason.map_or_else(String::new, |reason| {
        format!(": {}", printable(&reason.error))
    })
}

fn is_event_stream(response: &Response) -> bool {
    let content_type = response.headers().get(reqwest::header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("text/event-stream"))
}

/// The error with its causes, which tell more than itself.
fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
