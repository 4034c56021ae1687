//! The server people run: point rtcstats clients at it, and get dumps and features of their calls.
//!
//! `cargo run --release --example axum` starts it with everything embedded; `--help` lists what can
//! be set.

mod api;
mod erasure;
mod health;
mod listener;
mod metrics;
mod options;
mod page;
mod patience;
mod state;
mod upload;
mod websocket;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, delete, get};
use axum::serve::ListenerExt;
use clap::Parser;
use rtcstats_server_core::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::listener::Listener;
use crate::options::Options;
use crate::state::AppState;

/// Measured: features of short sessions take a tenth less time than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&options.process.log))
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
    router
        .route("/", get(page::index))
        .route("/sessions/{id}", get(page::session))
        .route("/api/sessions", get(api::sessions))
        .route("/api/sessions/{id}", get(api::session))
        .route("/api/sessions/{id}/dump", get(api::dump))
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
    eprintln!("axum: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}
