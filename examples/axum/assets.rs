//! The scripts and styles of the pages. All of it is in the program: pages work without any other host.

use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use plotly::Plot;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Files below `assets/`, with their texts.
macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("assets/", $name)))),+]
    };
}

const STYLES: &[(&str, &str)] = files!["demo.css", "style.css",];

const SCRIPTS: &[(&str, &str)] = files![
    "chart-groups.js",
    "charts.js",
    "connection-tables.js",
    "dashboard.js",
    "demo-call.js",
    "demo-media.js",
    "demo.js",
    "elements.js",
    "export.js",
    "feature-tables.js",
    "graph.js",
    "graphs.js",
    "import.js",
    "list-query.js",
    "live-graph.js",
    "live-updates.js",
    "quantities.js",
    "rtcstats-client.js",
    "rtcstats-connections.js",
    "rtcstats-media.js",
    "rtcstats-patches.js",
    "rtcstats-recorder.js",
    "rtcstats-reports.js",
    "selection.js",
    "session-facts.js",
    "session-model.js",
    "session-page.js",
    "session-table.js",
    "session-view.js",
    "sessions.js",
    "share-link.js",
    "thinning.js",
    "time-axis.js",
    "time-toolbar.js",
    "timeline.js",
    "upload.js",
];

/// The library that draws charts, below `/assets/`.
const CHARTS: &str = "plotly.js";

/// An asset as it is sent.
struct Asset {
    content_type: &'static str,
    etag: String,
    gzip: Vec<u8>,
    text: &'static str,
}

static PLOTLY: LazyLock<Asset> = LazyLock::new(|| {
    let sources = Plot::offline_js_sources();
    // The first of the script elements; what follows typesets mathematics, of which there is none.
    let script = sources
        .split_once('>')
        .and_then(|(_, rest)| rest.split_once("</script>"))
        .map_or("", |(script, _)| script);
    Asset::new(SCRIPT, script.to_owned().leak())
});

static OTHERS: LazyLock<Vec<(&'static str, Asset)>> = LazyLock::new(|| {
    let styles = STYLES.iter().map(|file| (STYLE, file));
    let scripts = SCRIPTS.iter().map(|file| (SCRIPT, file));
    let all = styles.chain(scripts);
    all.map(|(content_type, (name, text))| (*name, Asset::new(content_type, text)))
        .collect()
});

impl Asset {
    fn new(content_type: &'static str, text: &'static str) -> Self {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing to a vector does not fail.
        let _ = gzip.write_all(text.as_bytes());
        Self {
            content_type,
            etag: format!(
                "\"{:08x}-{}\"",
                crc32fast::hash(text.as_bytes()),
                text.len()
            ),
            gzip: gzip.finish().unwrap_or_default(),
            text,
        }
    }

    fn response(&'static self, request: &HeaderMap) -> Response {
        let has = |name: header::HeaderName, part: &str| {
            let value = request.get(name).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| value.contains(part))
        };
        let headers = [
            (header::CONTENT_TYPE, self.content_type),
            (header::ETAG, self.etag.as_str()),
            (header::CACHE_CONTROL, "no-cache"),
            (header::VARY, "accept-encoding"),
            // Pages of other hosts import the tracing script; there is no secret in any of it.
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        if has(header::IF_NONE_MATCH, &self.etag) {
            (StatusCode::NOT_MODIFIED, headers).into_response()
        } else if has(header::ACCEPT_ENCODING, "gzip") {
            let encoding = [(header::CONTENT_ENCODING, "gzip")];
            (headers, encoding, self.gzip.as_slice()).into_response()
        } else {
            (headers, self.text).into_response()
        }
    }
}

/// `GET /assets/{name}`
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    if name == CHARTS {
        return PLOTLY.response(&headers);
    }
    match OTHERS.iter().find(|(own, _)| *own == name) {
        Some((_, asset)) => asset.response(&headers),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
