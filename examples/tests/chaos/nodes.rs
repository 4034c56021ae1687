//! The servers: the axum example as processes, supervised as an init system does.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::disk::Disk;
use crate::setting;

/// A process that is started again whenever it ends.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) disk: Option<Disk>,
    log: PathBuf,
    state: Arc<Mutex<State>>,
    supervision: JoinHandle<()>,
}

struct State {
    process: Option<Child>,
    is_wanted: bool,
    /// How often it ended by itself.
    failures: u64,
}

/// What a node says of itself.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Gauges {
    pub(crate) sessions: u64,
    pub(crate) completing: u64,
    pub(crate) journal_bytes: u64,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.supervision.abort();
        let mut state = self.state.lock().unwrap();
        state.is_wanted = false;
        if let Some(mut process) = state.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Node {
    /// Starts a node with its data below `folder`. `flags` come after those for address and data.
    pub(crate) fn start(
        folder: &Path,
        name: &str,
        flags: &[String],
        disk_bytes: Option<u64>,
    ) -> Self {
        let data = folder.join(name);
        std::fs::create_dir_all(&data).unwrap();
        let disk = disk_bytes.and_then(|bytes| Disk::mount(&data, bytes));
        let address = free_address();
        let log = folder.join(format!("{name}.log"));
        let state = Arc::new(Mutex::new(State {
            process: None,
            is_wanted: true,
            failures: 0,
        }));
        let start = {
            let (data, log, flags) = (data.clone(), log.clone(), flags.to_vec());
            move || spawn(address, &data, &log, &flags)
        };
        state.lock().unwrap().process = Some(start().unwrap());
        Self {
            address,
            disk,
            log,
            supervision: tokio::spawn(supervise(Arc::clone(&state), start)),
            state,
        }
    }

    /// `kill -9`, and nobody starts it until [`Node::revive`].
    pub(crate) fn kill(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_wanted = false;
        if let Some(mut process) = state.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub(crate) fn revive(&self) {
        self.state.lock().unwrap().is_wanted = true;
    }

    /// `STOP` or `CONT`.
    pub(crate) fn signal(&self, signal: &str) {
        let state = self.state.lock().unwrap();
        if let Some(process) = &state.process {
            send_signal(process.id(), signal);
        }
    }

    /// How often it ended though nobody killed it.
    pub(crate) fn failures(&self) -> u64 {
        self.state.lock().unwrap().failures
    }

    /// What it said last.
    pub(crate) fn last_words(&self) -> String {
        const LINES: usize = 30;
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(LINES).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    pub(crate) async fn gauges(&self) -> Option<Gauges> {
        const PATIENCE: Duration = Duration::from_secs(5);
        let text = timeout(PATIENCE, get(self.address, "/metrics"));
        let text = text.await.ok()?.ok()?;
        let value = |name: &str| -> Option<u64> {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
        };
        Some(Gauges {
            sessions: value("rtcstats_live_sessions")? + value("rtcstats_resumable_sessions")?,
            completing: value("rtcstats_queue_size")?,
            journal_bytes: value("rtcstats_disk_queue_size")?,
        })
    }

    /// Waits until it answers.
    pub(crate) async fn ready(&self) {
        const PATIENCE: Duration = Duration::from_secs(60);
        let begin = Instant::now();
        while self.gauges().await.is_none() {
            let words = self.last_words();
            assert!(begin.elapsed() < PATIENCE, "node does not start: {words}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn spawn(address: SocketAddr, data: &Path, log: &Path, flags: &[String]) -> io::Result<Child> {
    let log: File = OpenOptions::new().create(true).append(true).open(log)?;
    Command::new(example("axum"))
        .args(["--listen", &address.to_string(), "--data"])
        .arg(data)
        .args(flags)
        .args(["--log", &setting("RTCSTATS_CHAOS_LOG", "warn".to_owned())])
        .env("NO_COLOR", "1")
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
}

/// Starts the process again whenever it is wanted and not there.
async fn supervise(state: Arc<Mutex<State>>, start: impl Fn() -> io::Result<Child>) {
    const PAUSE: Duration = Duration::from_millis(100);
    loop {
        sleep(PAUSE).await;
        let mut state = state.lock().unwrap();
        let has_ended = match &mut state.process {
            Some(process) => matches!(process.try_wait(), Ok(Some(_))),
            None => false,
        };
        if has_ended {
            state.process = None;
            state.failures += 1;
        }
        if state.is_wanted && state.process.is_none() {
            state.process = start().ok();
        }
    }
}

pub(crate) fn send_signal(process: u32, signal: &str) {
    let status = Command::new("kill")
        .args([format!("-{signal}"), process.to_string()])
        .status()
        .unwrap();
    assert!(status.success(), "kill -{signal} {process}");
}

/// An address to listen on, again and again: its port is none that the system gives to clients
/// meanwhile.
pub(crate) fn free_address() -> SocketAddr {
    // Far from those of a test that was started at the same time.
    let first = 20_000 + std::process::id().wrapping_mul(97) % 10_000;
    let ports = (first..32_000).chain(20_000..first);
    let mut free = ports.filter_map(|port| {
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).ok()?));
        TcpListener::bind(address).ok()?;
        is_first_use(address).then_some(address)
    });
    free.next().unwrap()
}

/// Whether this process has not given the address out before.
fn is_first_use(address: SocketAddr) -> bool {
    static USED: Mutex<Vec<SocketAddr>> = Mutex::new(Vec::new());
    let mut used = USED.lock().unwrap();
    let is_first = !used.contains(&address);
    used.push(address);
    is_first
}

async fn get(address: SocketAddr, target: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response)
}

/// Examples are built along with the tests, beside the folder that this test is in.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let target = test.ancestors().nth(2).unwrap_or(Path::new(""));
    let path = target.join("examples").join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo test --workspace`",
        path.display()
    );
    path
}
