//! A PostgreSQL server of the test's own.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server with its data in a directory of its own, on a free port of this machine. It ends with this.
pub(crate) struct Postgres {
    process: Child,
    programs: PathBuf,
    directory: TempDir,
    port: u16,
    databases: AtomicU32,
}

/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

impl Postgres {
    /// The server that all tests of this process share; `None`, after a visible note, where PostgreSQL
    /// is not installed.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        let mut shared = SHARED
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Some(running);
        }
        let started = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&started);
        Some(started)
    }

    /// A new server; `None` as above.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            super::skip("PostgreSQL");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        if is_root() {
            // The server refuses to run as root.
            let owned = Command::new("chown")
                .arg("postgres")
                .arg(directory.path())
                .status();
            assert!(owned.unwrap().success());
        }
        let data = directory.path().join("data");
        let mut create = as_owner(&programs.join("initdb"));
        create.args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        let output = create.arg(&data).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        // Somebody else may take the port meanwhile.
        for _ in 0..4 {
            let port = free_port();
            let mut server = as_owner(&programs.join("postgres"));
            server
                .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-D"])
                .arg(&data)
                .arg("-k")
                .arg(directory.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let mut process = server.spawn().unwrap();
            if is_ready(&programs, port, &mut process) {
                return Some(Self {
                    process,
                    programs,
                    directory,
                    port,
                    databases: AtomicU32::new(0),
                });
            }
        }
        panic!("PostgreSQL does not start");
    }

    /// The URL of a new, empty database.
    pub(crate) fn new_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let created = Command::new(self.programs.join("createdb"))
            .args([
                "-h",
                "127.0.0.1",
                "-U",
                "postgres",
                "-p",
                &self.port.to_string(),
                &name,
            ])
            .output()
            .unwrap();
        assert!(
            created.status.success(),
            "{}",
            String::from_utf8_lossy(&created.stderr)
        );
        format!(
            "postgres://postgres@127.0.0.1:{}/{name}?sslmode=disable",
            self.port
        )
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = as_owner(&self.programs.join("pg_ctl"));
        stop.args(["stop", "-m", "immediate", "-D"])
            .arg(self.directory.path().join("data"));
        let stopped = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

fn is_ready(programs: &Path, port: u16, process: &mut Child) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && process.try_wait().unwrap().is_none() {
        let asked = Command::new(programs.join("pg_isready"))
            .args([
                "-q",
                "-h",
                "127.0.0.1",
                "-U",
                "postgres",
                "-p",
                &port.to_string(),
            ])
            .status();
        if asked.unwrap().success() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = process.kill();
    let _ = process.wait();
    false
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Where the programs are: in a directory of their version, or among all others.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut versions: Vec<_> = versions
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    versions.sort();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let mut all = versions
        .into_iter()
        .rev()
        .chain(std::env::split_paths(&others));
    all.find(|directory| directory.join("initdb").exists() && directory.join("postgres").exists())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// A command by the user who owns the data.
fn as_owner(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(program)
        // Theirs may not be readable for that user.
        .current_dir("/");
    command
}
