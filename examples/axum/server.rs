//! The server people run, as a library: the example `axum` starts it, and so does `rtcstats serve`.

mod api;
mod assets;
mod erasure;
mod health;
mod listener;
mod metrics;
mod options;
mod page;
mod patience;
mod rtcscope;
mod sessions;
mod state;
mod upload;
mod view;
mod websocket;

use std::error::Error;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, delete, get, post};
use axum::serve::ListenerExt;
use rtcstats_server_core::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

pub use self::options::Options;

use self::listener::Listener;
use self::state::AppState;

/// Starts the server, and runs it until it is told to end.
pub async fn serve(options: Options) -> ExitCode {
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&options.process.log))
        .with_ansi(std::io::stderr().is_terminal() && !is_plain)
        .with_writer(std::io::stderr)
        .init();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say_why(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    // Each socket is a file; the usual soft limit of 1,024 would be felt first by the journal.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    // From here on, so that a signal during the start does not just kill it.
    let (terminate, interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let state = AppState::open(&options).await?;
    let listener = Listener::bind(&options)?;
    say_where(&listener, &options)?;

    let runtime = state.runtime.clone();
    let patience = options.process.shutdown_patience;
    let service = router(state, &options).into_make_service_with_connect_info::<SocketAddr>();
    // It is `tap_io` that hands addresses of other listeners than tokio's on.
    let listener = listener.tap_io(|_| {});
    axum::serve(listener, service)
        .with_graceful_shutdown(stop(runtime, patience, terminate, interrupt))
        .await?;
    Ok(())
}

/// Stops the runtime when the process is told to end: in good order, so that other nodes go on; or quickly,
/// when somebody waits at the terminal.
async fn stop(runtime: Runtime, patience: Duration, mut terminate: Signal, mut interrupt: Signal) {
    const QUICK: Duration = Duration::from_secs(1);
    let is_quick = tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => true,
    };
    tracing::info!(is_quick, "shutting down");
    let stopped = if is_quick {
        runtime.shutdown(patience.min(QUICK)).await
    } else {
        runtime.drain(patience).await
    };
    if let Err(error) = stopped {
        tracing::error!(%error, "the journal did not close in good order");
    }
}

fn router(state: AppState, options: &Options) -> Router {
    let mut router = Router::new();
    if let Some(path) = &options.clients.upload_path {
        router = router.route(path, any(upload::upload));
    }
    router = router.merge(match &state.scope {
        Some(scope) => rtcscope::routes(Arc::clone(scope), state.runtime.clone()),
        None => rtcscope::absent_pages(),
    });
    router
        .route("/", get(page::sessions))
        .route("/sessions/{id}", get(page::session))
        .route("/import", get(page::import))
        .route("/demo", get(page::demo))
        .route("/assets/{name}", get(assets::asset))
        .route("/api/sessions", get(sessions::sessions))
        .route("/api/sessions/{id}", get(api::session))
        .route("/api/sessions/{id}/dump", get(api::dump))
        .route("/api/sessions/{id}/view", get(view::view))
        .route("/api/sessions/{id}/live", get(view::live))
        .route("/api/import", post(view::import))
        .route("/api/data", delete(erasure::erase))
        .route("/healthz", get(health::health))
        .route("/livez", get(health::live))
        .route("/healthcheck", any(health::check))
        .route("/bindcheck", get(|| async {}))
        .route("/metrics", get(metrics::metrics))
        // Clients connect on any path: theirs is the name of the room.
        .layer(from_fn_with_state(state.clone(), websocket::upgrade))
        .with_state(state)
}

#[expect(
    clippy::print_stdout,
    reason = "says to whoever started it what to do next"
)]
fn say_where(listener: &Listener, options: &Options) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    println!(
        "rtcstats server listening on http://{address}/ (data in {})",
        options.data.display()
    );
    println!("Watch a call of your own at http://{address}/demo");
    println!("Point a client at ws://{address}/");
    println!(
        "Jitsi Meet, config.js: analytics: {{ rtcstatsEnabled: true, rtcstatsEndpoint: 'ws://{address}/' }}"
    );
    Ok(())
}

#[expect(
    clippy::print_stderr,
    reason = "whoever started it is to know, whatever is logged"
)]
fn say_why(error: &dyn Error) {
    eprintln!("rtcstats server: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}
