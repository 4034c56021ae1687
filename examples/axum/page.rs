//! The frame of all pages; what is in it is made by the page's script.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use rtcstats_server_core::DumpName;

/// Scripts and data of this host only; nothing of a client can become a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
    media-src 'self' blob: mediastream:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

/// What is in the menu of each page.
const MENU: &[(&str, &str)] = &[
    ("/", "Sessions"),
    ("/import", "Import"),
    ("/demo", "Demo"),
    ("/dashboard", "Graphs"),
];

/// A page: its path in the menu, its title, and its script below `/assets/`. The script fills `<main>`.
pub(crate) fn page(path: &str, title: &str, script: &str) -> Response {
    let items = MENU.iter().map(|(target, name)| {
        let current = if *target == path {
            " aria-current=\"page\""
        } else {
            ""
        };
        format!("<li><a href=\"{target}\"{current}>{name}</a></li>")
    });
    let menu: String = items.collect();
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · rtcstats</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"/assets/style.css\">\n\
         <script type=\"module\" src=\"/assets/{script}\"></script>\n\
         <a class=\"skip\" href=\"#main\">Skip to content</a>\n\
         <header class=\"site\"><a class=\"brand\" href=\"/\">rtcstats</a><nav aria-label=\"Pages\"><ul>{menu}</ul></nav></header>\n\
         <main id=\"main\" tabindex=\"-1\"><noscript>This page needs JavaScript; its data is also at /api/sessions.</noscript></main>\n\
         </html>\n"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, Html(html)).into_response()
}

/// `GET /`: all sessions.
pub(crate) async fn sessions() -> Response {
    page("/", "Sessions", "sessions.js")
}

/// `GET /sessions/{id}`: one of them. Whether it is there is for the script to find out.
pub(crate) async fn session(Path(id): Path<String>) -> Response {
    let page = page("/sessions", "Session", "session-page.js");
    match id.parse::<DumpName>() {
        Ok(_) => page,
        Err(_) => (StatusCode::NOT_FOUND, page).into_response(),
    }
}

/// `GET /import`: a dump, as if it were a session.
pub(crate) async fn import() -> Response {
    page("/import", "Import", "import.js")
}

/// `GET /demo`: a call within the browser.
pub(crate) async fn demo() -> Response {
    page("/demo", "Demo", "demo.js")
}
