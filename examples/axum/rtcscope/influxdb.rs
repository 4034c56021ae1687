//! Points in InfluxDB 1.x: the measurement `rtc_stats` with the tag `id`, and a field for each series.
//!
//! As rtcscope had it, so that boards of Grafana go on working. Points of sessions have the tag
//! `source=session` besides.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, Url, redirect};
use rtcstats_proto::jitsi::SessionId;
use rtcstats_server_core::BoxFuture;

use super::point::{CallId, Point};
use super::store::{CallSum, Calls, Life, PointStore, Query, StoreError};

mod answer;
mod language;
mod line;

use answer::{Answer, Series};
use language::{identifier, left_out_condition, statement_of_sums, text};

/// How long InfluxDB may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lines of one request, as InfluxDB recommends.
const LINES: usize = 5_000;

/// The database where the URL names none.
const DATABASE: &str = "rtcscope";

/// A database of InfluxDB.
pub(crate) struct InfluxStore {
    client: Client,
    /// Without credentials.
    url: Url,
    database: String,
    credentials: Option<(String, String)>,
}

impl InfluxStore {
    /// The database of a URL, `http://user:password@host:8086/database`. Where there is none, one is made that
    /// keeps points for that long; one that is there keeps them as it is set up.
    pub(crate) async fn open(url: &str, keep: Duration) -> Result<Self, StoreError> {
        let store = Self::parse(url)?;
        let databases = store.ask("SHOW DATABASES").await?;
        let is_there = databases
            .iter()
            .flat_map(|series| &series.values)
            .any(|row| {
                let name = row.first().and_then(serde_json::Value::as_str);
                name == Some(store.database.as_str())
            });
        if !is_there {
            let make = format!(
                "CREATE DATABASE {} WITH DURATION {}s",
                identifier(&store.database),
                // It keeps nothing for less than that.
                keep.as_secs().max(3_600)
            );
            store.ask(&make).await?;
        }
        Ok(store)
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        let wrong = |reason: &str| StoreError::Options(format!("--scope-store: {reason}"));
        let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        let is_web = matches!(url.scheme(), "http" | "https");
        let database = url.path().trim_matches('/');
        let decoded = decode(database).filter(|database| {
            !database.contains(|character: char| character.is_control() || character == '/')
        });
        let Some(database) = decoded.filter(|_| is_web) else {
            return Err(wrong(
                "sqlite, none, or http://host:8086/database is wanted",
            ));
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => {
                let user = decode(user).ok_or_else(|| wrong("the user is no text"))?;
                let password = decode(password.unwrap_or_default());
                Some((
                    user,
                    password.ok_or_else(|| wrong("the password is no text"))?,
                ))
            }
        };
        let database = if database.is_empty() {
            DATABASE.to_owned()
        } else {
            database
        };
        let no_base = |()| wrong("the URL has no host");
        url.set_username("").map_err(no_base)?;
        url.set_password(None).map_err(no_base)?;
        url.set_query(None);
        let client = Client::builder()
            .timeout(PATIENCE)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(StoreError::Unreachable)?;
        Ok(Self {
            client,
            url,
            database,
            credentials,
        })
    }

    fn post(&self, path: &str, parameters: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.url.clone();
        url.set_path(path);
        url.query_pairs_mut().extend_pairs(parameters);
        let request = self.client.post(url);
        match &self.credentials {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        }
    }

    /// What a query finds.
    async fn ask(&self, query: &str) -> Result<Vec<Series>, StoreError> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("q", query)
            .finish();
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let request = self
            .post("/query", &[("db", &self.database), ("epoch", "ns")])
            .header(CONTENT_TYPE, form_type)
            .body(form);
        let body = send(request).await?;
        let answer: Answer = serde_json::from_slice(&body)?;
        answer.series()
    }

    async fn write_lines(&self, points: &[Point]) -> Result<(), StoreError> {
        for body in line::bodies(points, LINES) {
            let target = [("db", self.database.as_str()), ("precision", "ns")];
            match send(self.post("/write", &target).body(body)).await {
                // It keeps nothing that old: no more is wanted.
                Err(StoreError::Refused { message, .. })
                    if message.contains("beyond retention policy") => {}
                result => drop(result?),
            }
        }
        Ok(())
    }
}

impl PointStore for InfluxStore {
    fn write<'a>(&'a self, points: &'a [Point]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.write_lines(points))
    }

    /// Points of the same times take the place of those that are there; others stay.
    fn write_session<'a>(
        &'a self,
        _: &'a CallId,
        points: &'a [Point],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.write_lines(points))
    }

    fn sums<'a>(&'a self, query: &'a Query<'a>) -> BoxFuture<'a, Result<Vec<CallSum>, StoreError>> {
        Box::pin(async move {
            let found = self.ask(&statement_of_sums(query)).await?;
            let is_each = matches!(query.calls, Calls::Each);
            let sums = found.iter().flat_map(|series| {
                let call = series.tags.get("id").filter(|_| is_each);
                series.sums(call.map_or("", String::as_str))
            });
            Ok(sums.collect())
        })
    }

    fn life<'a>(
        &'a self,
        call: &'a CallId,
        series: &'a str,
        left_out: &'a [CallId],
    ) -> BoxFuture<'a, Result<Option<Life>, StoreError>> {
        Box::pin(async move {
            let calls = format!(
                "\"id\" = {}{}",
                text(call.as_str()),
                left_out_condition(left_out.iter().filter(|other| *other == call))
            );
            let field = identifier(series);
            let ends = ["ASC", "DESC"].map(|order| {
                format!(
                    "SELECT {field} FROM \"rtc_stats\" WHERE {calls} ORDER BY time {order} LIMIT 1"
                )
            });
            let found = self.ask(&ends.join("; ")).await?;
            let times = found.iter().flat_map(|series| &series.values);
            let times = times.filter_map(|row| row.first()?.as_i64());
            let life = times.fold(Life::default(), Life::with);
            if life.0.is_some() {
                return Ok(Some(life));
            }
            let known = format!("SHOW SERIES FROM \"rtc_stats\" WHERE {calls} LIMIT 1");
            let known = self.ask(&known).await?;
            Ok((!known.is_empty()).then_some(life))
        })
    }

    fn find<'a>(
        &'a self,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            // Ids of sessions have letters, digits, _ and - only, which mean themselves.
            let find = format!(
                "SHOW TAG VALUES FROM \"rtc_stats\" WITH KEY = \"id\" WHERE \"id\" =~ /^{session}(_[0-9]+)?$/"
            );
            let found = self.ask(&find).await?;
            let values = found.iter().flat_map(|series| &series.values);
            let calls = values.filter_map(|row| Some(row.get(1)?.as_str()?.to_owned()));
            Ok(calls.collect())
        })
    }

    fn erase<'a>(&'a self, calls: &'a [CallId]) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut erased = 0;
            for call in calls {
                let condition = format!("WHERE \"id\" = {}", text(call.as_str()));
                let known = format!("SHOW SERIES FROM \"rtc_stats\" {condition} LIMIT 1");
                if !self.ask(&known).await?.is_empty() {
                    self.ask(&format!("DROP SERIES FROM \"rtc_stats\" {condition}"))
                        .await?;
                    erased += 1;
                }
            }
            Ok(erased)
        })
    }

    /// Its retention policies do that.
    fn expire(&self, _: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A percent-encoded part of a URL.
fn decode(part: &str) -> Option<String> {
    let escaped = part.replace('+', "%2B");
    let mut pairs = form_urlencoded::parse(escaped.as_bytes());
    let (decoded, _) = pairs.next().unwrap_or_default();
    (!decoded.contains('\u{fffd}')).then(|| decoded.into_owned())
}

/// The body of the answer, if it is not an error.
async fn send(request: RequestBuilder) -> Result<Vec<u8>, StoreError> {
    const MOST_BYTES: usize = 64 << 20;
    const MOST_CHARACTERS: usize = 500;
    // The URL says nothing new.
    let unreachable = |error: reqwest::Error| StoreError::Unreachable(error.without_url());
    let mut response: Response = request.send().await.map_err(unreachable)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(StoreError::LongAnswer(MOST_BYTES));
        }
        body.extend_from_slice(&chunk);
    }
    if response.status().is_success() {
        return Ok(body);
    }
    let message = String::from_utf8_lossy(&body);
    Err(StoreError::Refused {
        status: response.status().as_u16(),
        message: message.chars().take(MOST_CHARACTERS).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_the_database_and_the_credentials() {
        let store = InfluxStore::parse("http://ann:p%40ss+@host:8086/my%20calls/")
            .unwrap_or_else(|error| unreachable!("{error}"));
        assert_eq!(store.database, "my calls");
        assert_eq!(
            store.credentials,
            Some(("ann".to_owned(), "p@ss+".to_owned()))
        );
        assert_eq!(store.url.as_str(), "http://host:8086/my%20calls/");
        let store =
            InfluxStore::parse("http://host:8086").unwrap_or_else(|error| unreachable!("{error}"));
        assert_eq!(
            (store.database.as_str(), store.credentials),
            (DATABASE, None)
        );
        for url in [
            "",
            "nothing",
            "ftp://host/x",
            "http://host/a/b",
            "http://host/a%00",
        ] {
            assert!(InfluxStore::parse(url).is_err(), "{url}");
        }
    }
}
