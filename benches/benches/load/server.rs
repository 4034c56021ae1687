//! The server under load: a child process, and what it takes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::ops::Sub;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;

use super::Options;

/// A server, and what is known of its process.
pub(crate) struct Server {
    address: SocketAddr,
    /// Of its process, if it is on this machine.
    pid: Option<u32>,
    child: Option<Started>,
}

/// A server that was started here.
struct Started {
    process: Child,
    command: Command,
    /// Kept open: the server has more to say.
    _stdout: BufReader<ChildStdout>,
    data: TempDir,
}

/// Builds the example as it is shipped; where it is then.
pub(crate) fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--package", "rtcstats-examples"])
        .args(["--example", "axum"])
        .status()
        .unwrap();
    assert!(status.success(), "the server does not build");
    // From `release/deps` to `release/examples`.
    let own = std::env::current_exe().unwrap();
    let release = own.parent().and_then(Path::parent).unwrap();
    release.join("examples").join("axum")
}

impl Server {
    pub(crate) fn start(binary: &Path, options: &Options, sets: &str, connections: usize) -> Self {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("rtcstats-load-");
        let data = match &options.data {
            Some(directory) => builder.tempdir_in(directory).unwrap(),
            None => builder.tempdir().unwrap(),
        };
        let mut command = Command::new(binary);
        command
            .args(["--listen", "127.0.0.1:0", "--log", "error"])
            .args(["--sets", sets])
            .arg("--data")
            .arg(data.path())
            .arg(format!("--max-connections={connections}"))
            .args(&options.server_argument);
        if options.acknowledge_at_once || options.overload {
            command.arg("--acknowledge-events=1");
        }
        if options.overload {
            command.arg("--grace=2s");
        }
        let (process, address, stdout) = spawn(&mut command);
        Self {
            address,
            pid: Some(process.id()),
            child: Some(Started {
                process,
                command,
                _stdout: stdout,
                data,
            }),
        }
    }

    /// One that is running already.
    pub(crate) fn running(address: SocketAddr, pid: Option<u32>) -> Self {
        Self {
            address,
            pid,
            child: None,
        }
    }

    /// Kills it in the middle of what it does.
    pub(crate) fn kill(&mut self) {
        let child = self.child.as_mut().expect("it was started here");
        child.process.kill().unwrap();
        child.process.wait().unwrap();
    }

    /// Starts it again with the same data, once it was killed.
    pub(crate) fn restart(&mut self) {
        let child = self.child.as_mut().expect("it was started here");
        (child.process, self.address, child._stdout) = spawn(&mut child.command);
        self.pid = Some(child.process.id());
    }

    /// Where its data is.
    pub(crate) fn data(&self) -> &Path {
        let child = self.child.as_ref().expect("it was started here");
        child.data.path()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Memory of the process that is in use; 0 if it is not on this machine.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most that it ever was.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, what: &str) -> u64 {
        let Some(pid) = self.pid else { return 0 };
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        let kib = line.split_whitespace().nth(1).unwrap();
        kib.parse::<u64>().unwrap() * 1024
    }

    /// CPU time of its threads. None of them ends while it is measured.
    pub(crate) fn cpu_time(&self) -> CpuTime {
        let Some(pid) = self.pid else {
            return CpuTime(Vec::new());
        };
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let mut threads = Vec::new();
        for task in tasks {
            let path = task.unwrap().path();
            let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
            let times = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            let nanoseconds = times.split_whitespace().next().unwrap_or_default();
            let time = Duration::from_nanos(nanoseconds.parse().unwrap_or_default());
            threads.push((path, name.trim().to_owned(), time));
        }
        CpuTime(threads)
    }

    /// Waits until it has nothing left to do.
    pub(crate) async fn settle(&self) {
        const STEP: Duration = Duration::from_millis(250);
        /// For one that cannot be looked at: the time in which it acknowledges everything.
        const BLIND: Duration = Duration::from_secs(3);
        if self.pid.is_none() {
            return sleep(BLIND).await;
        }
        for _ in 0..100 {
            let cpu = self.cpu_time();
            sleep(STEP).await;
            let used = (self.cpu_time() - cpu).total();
            if used < STEP / 50 {
                return;
            }
        }
    }
}

/// Starts a server, and reads where it listens.
fn spawn(command: &mut Command) -> (Child, SocketAddr, BufReader<ChildStdout>) {
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    stdout.read_line(&mut first).unwrap();
    let (_, rest) = first.split_once("http://").expect("the server starts");
    let address = rest.split('/').next().unwrap().parse().unwrap();
    (process, address, stdout)
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// CPU time by thread: where it is counted, its name, its time.
#[derive(Clone)]
pub(crate) struct CpuTime(Vec<(PathBuf, String, Duration)>);

impl CpuTime {
    fn total(&self) -> Duration {
        self.0.iter().map(|(_, _, time)| time).sum()
    }

    pub(crate) fn as_micros(&self) -> f64 {
        self.total().as_secs_f64() * 1e6
    }

    /// The part of each kind of thread.
    pub(crate) fn by_thread(&self) -> String {
        let total = self.total().as_secs_f64();
        let mut parts: Vec<(&str, f64)> = Vec::new();
        for (_, name, time) in &self.0 {
            let part = time.as_secs_f64() / total;
            match parts.iter_mut().find(|(other, _)| other == name) {
                Some((_, sum)) => *sum += part,
                None => parts.push((name, part)),
            }
        }
        let parts = parts.iter().filter(|(_, part)| *part > 0.01);
        let parts: Vec<String> = parts
            .map(|(name, part)| format!("{name} {:.0} %", part * 100.0))
            .collect();
        parts.join(", ")
    }
}

impl Sub for CpuTime {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        let threads = self.0.into_iter().map(|(path, name, time)| {
            let before = earlier.0.iter().find(|(other, _, _)| *other == path);
            let before = before.map(|(_, _, time)| *time).unwrap_or_default();
            (path, name, time.saturating_sub(before))
        });
        Self(threads.collect())
    }
}
