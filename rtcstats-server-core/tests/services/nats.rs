//! NATS servers with JetStream, for tests: one, or a cluster of three, in a directory of their own.
//!
//! The program is the file that `RTCSTATS_NATS_SERVER` names, or else the first `nats-server` of `PATH`.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test that includes this file needs another part of it"
)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Running servers. Dropped, they are killed and their files removed.
pub struct NatsServers {
    program: PathBuf,
    directory: TempDir,
    servers: Vec<Server>,
}

struct Server {
    name: String,
    client_port: u16,
    monitor_port: u16,
    process: Option<Child>,
}

/// How long servers may take to become ready, or to agree on a leader.
const PATIENCE: Duration = Duration::from_secs(60);

impl NatsServers {
    /// Starts one server, or a cluster of more, and waits until JetStream works.
    ///
    /// `None`, with a line that says so, where the program is not installed; that is a failure if
    /// `RTCSTATS_SERVICES_REQUIRED` is set.
    pub fn start(count: usize) -> Option<Self> {
        Self::start_with(count, "")
    }

    /// [`start`](Self::start) with more lines for the block `jetstream` of the configuration, such as
    /// `max_file_store: 1000000`.
    pub fn start_with(count: usize, jetstream: &str) -> Option<Self> {
        let Some(program) = program() else {
            assert!(
                std::env::var_os("RTCSTATS_SERVICES_REQUIRED").is_none(),
                "nats-server is required and not installed"
            );
            eprintln!("skipped: nats-server is not installed");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let ports = free_ports(count * 3);
        let (client, rest) = ports.split_at(count);
        let (monitor, cluster) = rest.split_at(count);
        let routes: Vec<String> = cluster
            .iter()
            .map(|port| format!("\"nats://127.0.0.1:{port}\""))
            .collect();
        let routes = routes.join(", ");
        let mut servers = Vec::new();
        for index in 0..count {
            let name = format!("n{index}");
            let store = directory.path().join(&name);
            let mut configuration = format!(
                "server_name: {name}\nlisten: \"127.0.0.1:{}\"\nhttp: \"127.0.0.1:{}\"\n\
                 jetstream {{\nstore_dir: \"{}\"\n{jetstream}\n}}\n",
                client[index],
                monitor[index],
                store.display(),
            );
            if count > 1 {
                writeln!(
                    configuration,
                    "cluster {{\nname: test\nlisten: \"127.0.0.1:{}\"\nroutes: [{routes}]\nno_advertise: true\n}}",
                    cluster[index]
                )
                .unwrap();
            }
            std::fs::write(configuration_file(directory.path(), &name), configuration).unwrap();
            servers.push(Server {
                name,
                client_port: client[index],
                monitor_port: monitor[index],
                process: None,
            });
        }
        let mut servers = Self {
            program,
            directory,
            servers,
        };
        for index in 0..count {
            servers.launch(index);
        }
        servers.wait_until_ready();
        Some(servers)
    }

    /// URLs of all servers, separated by commas.
    pub fn url(&self) -> String {
        let urls: Vec<String> = (0..self.servers.len())
            .map(|index| self.url_of(index))
            .collect();
        urls.join(",")
    }

    /// URL of one server.
    pub fn url_of(&self, index: usize) -> String {
        format!("nats://127.0.0.1:{}", self.client_port(index))
    }

    /// Where clients of one server connect to on 127.0.0.1.
    pub fn client_port(&self, index: usize) -> u16 {
        self.servers[index].client_port
    }

    /// How many there are, running or not.
    pub fn count(&self) -> usize {
        self.servers.len()
    }

    /// Whether a server's process was started and not killed since.
    pub fn is_running(&self, index: usize) -> bool {
        self.servers[index].process.is_some()
    }

    /// Kills a server with SIGKILL. Its files stay.
    pub fn kill(&mut self, index: usize) {
        if let Some(mut process) = self.servers[index].process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Halts a server with SIGSTOP, and waits until it has come to a halt.
    pub fn pause(&self, index: usize) {
        self.signal(index, "STOP");
        let deadline = Instant::now() + PATIENCE;
        while self.is_halted(index) == Some(false) {
            assert!(Instant::now() < deadline, "it does not halt");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether all threads of a server's process are stopped, where that can be known.
    fn is_halted(&self, index: usize) -> Option<bool> {
        let process = self.servers[index].process.as_ref()?;
        let threads = std::fs::read_dir(format!("/proc/{}/task", process.id())).ok()?;
        let is_halted = |thread: std::fs::DirEntry| {
            let state = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            // The name of the program is in parentheses before it.
            let state = state.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
            state.is_none_or(|state| state.starts_with('T'))
        };
        Some(threads.flatten().all(is_halted))
    }

    /// Lets a halted server go on.
    pub fn resume(&self, index: usize) {
        self.signal(index, "CONT");
    }

    /// Starts a killed server again, with its files and ports. Does not wait until it is ready.
    pub fn launch(&mut self, index: usize) {
        let server = &mut self.servers[index];
        assert!(server.process.is_none(), "{} runs already", server.name);
        let log = self.directory.path().join(format!("{}.log", server.name));
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let process = Command::new(&self.program)
            .arg("--config")
            .arg(configuration_file(self.directory.path(), &server.name))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        server.process = Some(process);
    }

    /// [Launches](Self::launch) a killed server and waits until all are ready.
    pub fn restart(&mut self, index: usize) {
        self.launch(index);
        self.wait_until_ready();
    }

    /// Waits until all running servers say that they are healthy, and a cluster has a leader.
    pub fn wait_until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.is_ready() {
                return;
            }
            assert!(Instant::now() < deadline, "not ready\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn is_ready(&self) -> bool {
        let mut running = (0..self.servers.len()).filter(|index| self.is_running(*index));
        running.all(|index| {
            let healthy = self
                .get(index, "/healthz")
                .is_some_and(|body| body.contains("\"ok\""));
            healthy && (self.servers.len() == 1 || self.knows_meta_leader(index))
        })
    }

    fn knows_meta_leader(&self, index: usize) -> bool {
        let cluster = self
            .json(index, "/jsz")
            .map(|json| json["meta_cluster"].clone());
        cluster.is_some_and(|cluster| {
            let size = cluster["cluster_size"].as_u64().unwrap_or_default();
            let leader = cluster["leader"].as_str().unwrap_or_default();
            size == self.servers.len() as u64 && !leader.is_empty()
        })
    }

    /// Which server leads a stream; waits until one does.
    pub fn leader_of(&self, stream: &str) -> usize {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(leader) = self.known_leader_of(stream) {
                return leader;
            }
            assert!(Instant::now() < deadline, "no leader\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn known_leader_of(&self, stream: &str) -> Option<usize> {
        let running = (0..self.servers.len()).filter(|index| self.is_running(*index));
        running
            .filter_map(|index| self.json(index, "/jsz?accounts=true&streams=true"))
            .find_map(|json| {
                let accounts = json["account_details"].as_array()?.clone();
                let details = accounts
                    .iter()
                    .filter_map(|account| account["stream_detail"].as_array())
                    .flatten()
                    .find(|detail| detail["name"] == stream)?
                    .clone();
                let leader = details["cluster"]["leader"].as_str()?;
                let index = self
                    .servers
                    .iter()
                    .position(|server| server.name == leader)?;
                self.is_running(index).then_some(index)
            })
    }

    /// What the servers have logged.
    pub fn logs(&self) -> String {
        self.servers
            .iter()
            .map(|server| {
                let log = self.directory.path().join(format!("{}.log", server.name));
                format!(
                    "-- {}\n{}",
                    server.name,
                    std::fs::read_to_string(log).unwrap_or_default()
                )
            })
            .collect()
    }

    /// Where a server keeps its files.
    pub fn directory(&self, index: usize) -> PathBuf {
        self.directory.path().join(&self.servers[index].name)
    }

    fn json(&self, index: usize, path: &str) -> Option<serde_json::Value> {
        serde_json::from_str(&self.get(index, path)?).ok()
    }

    fn get(&self, index: usize, path: &str) -> Option<String> {
        let port = self.servers[index].monitor_port;
        let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
        socket.write_all(request.as_bytes()).ok()?;
        let mut response = String::new();
        socket.read_to_string(&mut response).ok()?;
        Some(response.split_once("\r\n\r\n")?.1.to_owned())
    }

    fn signal(&self, index: usize, signal: &str) {
        let Some(process) = &self.servers[index].process else {
            return;
        };
        let status = Command::new("kill")
            .args(["-s", signal, &process.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for NatsServers {
    fn drop(&mut self) {
        for index in 0..self.servers.len() {
            self.kill(index);
        }
    }
}

fn program() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("RTCSTATS_NATS_SERVER") {
        let program = PathBuf::from(program);
        assert!(program.is_file(), "{} is no file", program.display());
        return Some(program);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/bin")])
        .map(|directory| directory.join("nats-server"))
        .find(|program| program.is_file())
}

fn configuration_file(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.conf"))
}

/// Ports nobody listens on, and none that the system gives to clients while a server is down. They are all
/// held until the last is found, so that they differ.
fn free_ports(count: usize) -> Vec<u16> {
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 10_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(97);
    let mut listeners = Vec::new();
    while listeners.len() < count {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(next < PORTS, "no free ports");
        let port = FIRST + begin.wrapping_add(next) % PORTS;
        let address = ("127.0.0.1", u16::try_from(port).unwrap());
        listeners.extend(TcpListener::bind(address));
    }
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect()
}
