//! The server people run: point rtcstats clients at it, and get dumps and features of their calls.
//!
//! `cargo run --release --example axum` starts it with everything embedded; `--help` lists what can
//! be set.

mod api;
mod listener;
mod metrics;
mod options;
mod page;
mod state;
mod upload;
mod websocket;

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use axum::serve::ListenerExt;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::listener::Listener;
use crate::options::Options;
use crate::state::AppState;

/// Measured: features of short sessions take a tenth less time than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(&options.log))
        .with_writer(std::io::stderr)
        .init();
    // Each socket is a file; the usual soft limit of 1,024 would be felt first by the journal.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let state = AppState::open(&options).await?;
    let listener = Listener::bind(&options)?;
    say_where(&listener, &options)?;

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (runtime, patience) = (state.runtime.clone(), options.shutdown_patience);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down");
        if let Err(error) = runtime.shutdown(patience).await {
            tracing::error!(%error, "the journal did not close in good order");
        }
    };
    let service = router(state, &options).into_make_service_with_connect_info::<SocketAddr>();
    // It is `tap_io` that hands addresses of other listeners than tokio's on.
    let listener = listener.tap_io(|_| {});
    axum::serve(listener, service)
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
}

fn router(state: AppState, options: &Options) -> Router {
    let mut router = Router::new();
    if let Some(path) = &options.upload_path {
        router = router.route(path, any(upload::upload));
    }
    router
        .route("/", get(page::index))
        .route("/sessions/{id}", get(page::session))
        .route("/api/sessions", get(api::sessions))
        .route("/api/sessions/{id}", get(api::session))
        .route("/api/sessions/{id}/dump", get(api::dump))
        .route("/healthz", get(api::health))
        .route("/healthcheck", any(api::health_check))
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
