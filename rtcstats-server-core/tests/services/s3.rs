//! An S3 server of the test's own: in this process, on a free port, in a directory that goes with it.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError, HttpResponse};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

const BUCKET: &str = "dumps";
const ACCESS_KEY: &str = "test-access-key";
const SECRET_KEY: &str = "test-secret-key";

/// A server with one bucket. It ends when it is dropped.
pub(crate) struct S3Server {
    root: TempDir,
    address: SocketAddr,
    watch: Arc<Watch>,
    runtime: Option<Runtime>,
}

/// What the server was asked, and what it refuses.
#[derive(Default)]
struct Watch {
    requests: Mutex<Vec<String>>,
    checksums: AtomicUsize,
    refusal: Mutex<Option<Refusal>>,
}

/// Tells by the line of a request, `PUT /dumps/a.gz?partNumber=1&uploadId=…`, with which status it is
/// refused.
type Refusal = Box<dyn Fn(&str) -> Option<u16> + Send>;

impl S3Server {
    /// Starts a server; it is ready at once.
    pub(crate) fn start() -> io::Result<Self> {
        let root = tempfile::tempdir()?;
        fs::create_dir(root.path().join(BUCKET))?;
        let files =
            FileSystem::new(root.path()).map_err(|error| io::Error::other(format!("{error:?}")))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("s3-server")
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let watch = Arc::new(Watch::default());
        runtime.spawn(accept(listener, service, Arc::clone(&watch)));
        Ok(Self {
            root,
            address,
            watch,
            runtime: Some(runtime),
        })
    }

    /// `s3://…/<prefix>`
    pub(crate) fn url(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}")
    }

    /// `http://127.0.0.1:<port>`
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a client must be told besides the URL.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let setting = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        vec![
            setting("endpoint", &self.endpoint()),
            setting("allow_http", "true"),
            setting("region", "us-east-1"),
            setting("access_key_id", ACCESS_KEY),
            setting("secret_access_key", SECRET_KEY),
        ]
    }

    /// The lines of all requests until now.
    pub(crate) fn requests(&self) -> Vec<String> {
        lock(&self.watch.requests).clone()
    }

    /// How many requests had a SHA-256 for the server to check.
    pub(crate) fn checksums(&self) -> usize {
        self.watch.checksums.load(Ordering::Relaxed)
    }

    /// Refuses requests from now on, by their lines.
    pub(crate) fn refuse(&self, refusal: impl Fn(&str) -> Option<u16> + Send + 'static) {
        *lock(&self.watch.refusal) = Some(Box::new(refusal));
    }

    /// Refuses nothing any more.
    pub(crate) fn accept(&self) {
        *lock(&self.watch.refusal) = None;
    }

    /// The keys of all objects in the bucket, sorted.
    pub(crate) fn keys(&self) -> Vec<String> {
        let bucket = self.root.path().join(BUCKET);
        let mut keys = Vec::new();
        for path in files(&bucket) {
            let key = path.strip_prefix(&bucket).ok().and_then(Path::to_str);
            keys.extend(key.map(str::to_owned));
        }
        keys.sort();
        keys
    }

    /// What is left of uploads in parts that were neither completed nor aborted.
    pub(crate) fn open_uploads(&self) -> Vec<PathBuf> {
        let all = files(self.root.path()).into_iter();
        all.filter(|path| file_name(path).starts_with(".upload"))
            .collect()
    }

    /// The attributes of all objects, each a JSON text as the server keeps it.
    pub(crate) fn attributes(&self) -> Vec<String> {
        let all = files(self.root.path()).into_iter();
        let kept = all.filter(|path| file_name(path).ends_with(".metadata.json"));
        kept.filter_map(|path| fs::read_to_string(path).ok())
            .collect()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, service: S3Service, watch: Arc<Watch>) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(serve(socket, service.clone(), Arc::clone(&watch)));
    }
}

async fn serve(socket: TcpStream, service: S3Service, watch: Arc<Watch>) {
    let answer = service_fn(move |request| {
        let (service, watch) = (service.clone(), Arc::clone(&watch));
        async move { watch.answer(&service, request).await }
    });
    // A client that goes away is its own affair.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(socket), answer)
        .await;
}

impl Watch {
    async fn answer(
        &self,
        service: &S3Service,
        request: Request<Incoming>,
    ) -> Result<HttpResponse, HttpError> {
        let has_checksum = request.headers().contains_key("x-amz-checksum-sha256");
        self.checksums
            .fetch_add(has_checksum.into(), Ordering::Relaxed);
        let line = format!("{} {}", request.method(), request.uri());
        let status = lock(&self.refusal)
            .as_ref()
            .and_then(|refuse| refuse(&line));
        lock(&self.requests).push(line);
        let Some(status) = status else {
            return Service::call(service, request).await;
        };
        let mut refused = HttpResponse::new(Body::empty());
        *refused.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Ok(refused)
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
