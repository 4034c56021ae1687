//! `POST /v1/stats/write/`: what clients of rtcscope tell.
//!
//! The body is a form (`application/x-www-form-urlencoded`, or the plain text of the same) with the field
//! `rtc_stats,id`, whose value is `<call-id> <name=value,…> [time]`:
//!
//! - **call-id**: up to 256 bytes without spaces, control characters and backslashes.
//! - **name=value**: up to 64 of them; values are finite numbers of no more than 1e18 either way, with an `i`
//!   behind integers if one likes. Names that are not among the [series](super::names) are passed over, as
//!   clients may know more; there has to be one that is.
//! - **time**: RFC 3339, `YYYY-MM-DD hh:mm:ss` (UTC), or an integer of seconds, milliseconds, microseconds or
//!   nanoseconds since the epoch; without it the time of the request. Not before what is kept, nor more
//!   than a day ahead.
//!
//! A value of the same call, name and time as another takes its place. The answer comes when the numbers are
//! stored.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::bounds::Bounds;
use super::names::SeriesNames;
use super::point::{CallId, Origin, Point};
use super::refusal::Refusal;
use super::{Scope, ScopeState, time};

/// The longest body.
const BODY_BYTES: usize = 64 << 10;

/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Values of one request, at most.
const VALUES: usize = 64;

/// The longest name.
const NAME_BYTES: usize = 64;

const FIELD: &str = "rtc_stats,id";

/// Stores the numbers of a request.
pub(super) async fn write(
    State(state): State<ScopeState>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let scope = &state.scope;
    scope.admit(&request)?;
    let body = read(request.into_body()).await?;
    let points = parse(&body, &scope.names, scope.bounds, time::now())?;
    scope.queue.store(points).await?;
    Ok(Json(json!({ "success": true })))
}

impl Scope {
    /// Where clients need a token, this one needs it too.
    fn admit(&self, request: &Request) -> Result<(), Refusal> {
        let Some(authorizer) = &self.authorizer else {
            return Ok(());
        };
        let token = token(request);
        let now = time::now() as f64 / 1e6;
        authorizer
            .authorize(token.as_deref(), now)
            .map(drop)
            .map_err(|error| Refusal::Unauthorized(error.to_string()))
    }
}

/// The query parameter `rtcstats-token`, or the bearer token.
fn token(request: &Request) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let in_query = pairs.find(|(name, _)| name == "rtcstats-token");
    in_query
        .map(|(_, token)| token.into_owned())
        .or_else(|| bearer(request.headers()))
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(str::to_owned)
}

async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    let mut body = body.into_data_stream();
    let read = timeout(PATIENCE, collect(&mut body)).await;
    let read = read.unwrap_or(Err(Refusal::Slow));
    if let Err(Refusal::TooLarge(_)) = read {
        // A client that is still sending would not read the answer.
        let _ = timeout(PATIENCE, discard(&mut body)).await;
    }
    read
}

async fn collect(body: &mut BodyDataStream) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Refusal::Slow)?;
        if bytes.len() + chunk.len() > BODY_BYTES {
            return Err(Refusal::TooLarge(BODY_BYTES));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn discard(body: &mut BodyDataStream) {
    const MOST_BYTES: usize = 8 << 20;
    let mut bytes = 0;
    while let Some(Ok(chunk)) = body.next().await {
        bytes += chunk.len();
        if bytes > MOST_BYTES {
            return;
        }
    }
}

/// The points of a body.
fn parse(
    body: &[u8],
    names: &SeriesNames,
    bounds: Bounds,
    now: i64,
) -> Result<Vec<Point>, Refusal> {
    let malformed = |reason: &str| Refusal::Malformed(reason.to_owned());
    if std::str::from_utf8(body).is_err() {
        return Err(malformed("the body is not UTF-8"));
    }
    let mut fields = form_urlencoded::parse(body).filter(|(name, _)| name == FIELD);
    let Some((_, line)) = fields.next() else {
        return Err(malformed("the form has no field rtc_stats,id"));
    };
    if fields.next().is_some() {
        return Err(malformed(
            "the form has the field rtc_stats,id more than once",
        ));
    }
    let line = line.trim_matches([' ', '\r', '\n']);
    let (call, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim_start_matches(' ');
    let (values, time) = rest.split_once(' ').unwrap_or((rest, ""));
    let time = time.trim_start_matches(' ');

    let call = CallId::parse(call).map_err(|error| Refusal::Malformed(error.to_string()))?;
    let time = if time.is_empty() {
        now
    } else {
        time::parse_time(time).ok_or_else(|| malformed("the time is none"))?
    };
    if !bounds.at(now).contains(&time) {
        return Err(malformed(
            "the time is before what is kept, or more than a day ahead",
        ));
    }
    let mut points: Vec<Point> = Vec::new();
    for (count, pair) in values.split(',').enumerate() {
        if count == VALUES {
            return Err(Refusal::Malformed(format!("more than {VALUES} values")));
        }
        let (name, value) = parse_value(pair)?;
        let Some(series) = names.find(name) else {
            continue;
        };
        if points.iter().any(|point| point.series == series.name) {
            return Err(Refusal::Malformed(format!(
                "{} has more than one value",
                series.name
            )));
        }
        points.push(Point {
            call: call.clone(),
            origin: Origin::Api,
            series: series.name,
            time,
            value,
        });
    }
    if points.is_empty() {
        return Err(Refusal::unknown_series(names));
    }
    Ok(points)
}

fn parse_value(pair: &str) -> Result<(&str, f64), Refusal> {
    let malformed = |reason: &str| Refusal::Malformed(reason.to_owned());
    let Some((name, value)) = pair.split_once('=') else {
        return Err(malformed("values are written as name=value,name=value"));
    };
    if name.is_empty() || name.len() > NAME_BYTES {
        return Err(malformed("a name is empty or too long"));
    }
    // Integers of the line protocol of InfluxDB.
    let digits = value.strip_suffix('i').filter(|digits| {
        let digits = digits.trim_start_matches('-');
        digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    let number: Option<f64> = digits.unwrap_or(value).parse().ok();
    let number = number.filter(|number| Point::is_sane(*number));
    Ok((
        name,
        number.ok_or_else(|| malformed("a value is not a number"))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_264_200_000_000_000;

    fn parsed(body: &[u8]) -> Result<Vec<Point>, String> {
        let keep = Duration::from_secs(3_600);
        let names = SeriesNames::with(&["mosScore".to_owned()]);
        parse(body, &names, Bounds { keep }, NOW).map_err(|error| error.to_string())
    }

    #[test]
    fn the_form_of_a_client_and_its_plain_text_are_the_same() {
        let expected = parsed(
            b"rtc_stats%2Cid=call%3D1+rtt%3D0.25%2CpacketsLost%3D3i%2Cother%3D7+1795264199000",
        );
        let points = expected.clone().unwrap_or_default();
        let found: Vec<_> = points
            .iter()
            .map(|point| (point.call.as_str(), point.series, point.time, point.value))
            .collect();
        let time = NOW - 1_000_000_000;
        assert_eq!(
            found,
            [
                ("call=1", "rtt", time, 0.25),
                ("call=1", "packetsLost", time, 3.0)
            ]
        );
        let plain = "rtc_stats,id=call=1 rtt=0.25,packetsLost=3i,other=7 2026-11-21T12:29:59Z\n";
        assert_eq!(parsed(plain.as_bytes()), expected);
        let spaced = "a=b&rtc_stats,id=call=1  rtt=0.25,packetsLost=3   2026-11-21 12:29:59";
        assert_eq!(parsed(spaced.as_bytes()), expected);
    }

    #[test]
    fn without_a_time_it_is_now_and_an_alias_is_the_same_series() {
        let points =
            parsed(b"rtc_stats,id=c currentRoundTripTime=1,mosScore=-1e-3").unwrap_or_default();
        let found: Vec<_> = points
            .iter()
            .map(|point| (point.series, point.time, point.value))
            .collect();
        assert_eq!(found, [("rtt", NOW, 1.0), ("mosScore", NOW, -1e-3)]);
    }
}
