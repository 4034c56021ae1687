//! An archive in an object store.

mod key;
mod place;
mod reader;
mod upload;

use std::fmt;
use std::future::Future;
use std::io::{BufRead, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::signer::{Method, Signer};
use object_store::{Error, ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{Archive, ArchiveError, ArchiveOperation, ArchivedDump, DumpLinks};
use crate::{BoxFuture, DumpName};
use key::KeyTemplate;
use place::Place;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Stores each dump as an object: in S3 or what speaks its protocol, in Google Cloud Storage, in Azure
/// Blob Storage, in a directory.
///
/// | URL | Store |
/// |---|---|
/// | `s3://bucket/prefix` | S3 |
/// | `gs://bucket/prefix` | Google Cloud Storage |
/// | `az://container/prefix` | Azure Blob Storage |
/// | `file:///directory` | a directory; [`DirectoryArchive`](super::DirectoryArchive) also removes what crashes leave |
/// | `memory:///` | this process' memory, for tests |
///
/// A dump is compressed by a blocking thread of the runtime while it is uploaded. One that fits into a
/// part ([`part_bytes`](ObjectArchiveOptions::part_bytes)) is put as a whole; a larger one goes up in
/// parts, and becomes visible when all of them are there. After an error the upload is aborted. Where
/// a process dies in the middle of an upload, its parts stay in the store, invisible: have the
/// bucket's rules remove incomplete uploads after a day.
///
/// **Memory:** three parts for each upload under way, whatever the size of the dump; small dumps take
/// their compressed size.
///
/// **Integrity:** the content type is `application/gzip`. gzip has a CRC-32 of the content. S3 gets the
/// SHA-256 of each object or part and refuses what does not match
/// (`checksum_algorithm`, see [`settings`](ObjectArchiveOptions::settings)). A dump that is put as a
/// whole carries the SHA-256 of the object as metadata `sha256`, in hexadecimal digits; that of a
/// larger one is not known when the upload begins, which is when stores take metadata. A
/// directory has no metadata and no content types.
///
/// **Failures:** connecting may take 5 s, a request 30 s (`connect_timeout`, `timeout`). Requests that
/// fail for a reason that may pass are repeated with growing pauses, up to 10 times within 3 minutes.
/// Then the operation fails, and the caller repeats it.
///
/// It works on the tokio runtime that it is [opened](ObjectArchive::open) in; its futures can be polled
/// anywhere. An upload goes on when its future is dropped.
pub struct ObjectArchive {
    objects: Arc<Objects>,
    handle: Handle,
}

/// How an [`ObjectArchive`] works.
#[derive(Clone, PartialEq, Eq)]
pub struct ObjectArchiveOptions {
    /// Settings of the store, as the crate `object_store` names them; they win over the environment.
    /// For S3 the usual ones are `endpoint`, `region`, `access_key_id`, `secret_access_key`,
    /// `allow_http` (`true` for an endpoint without TLS), `virtual_hosted_style_request` (default
    /// `false`: the bucket is in the path) and `checksum_algorithm` (`sha256`, the default here;
    /// `crc64nvme`; or `none` for stores that do not know it). A setting that is not known is an error.
    pub settings: Vec<(String, String)>,
    /// Whether settings are also taken from the environment: `AWS_…`, `GOOGLE_…`, `AZURE_…`. Default
    /// true.
    pub environment: bool,
    /// The key of a dump, below the prefix of the URL. Default `{name}.gz`, as the Jitsi spec says in
    /// section 13.3.
    ///
    /// `{name}` is the [`DumpName`]; it occurs once, in the last segment. `{session}` is the session's
    /// id, `{shard}` two hexadecimal digits that are made of it: `{shard}/{name}.gz` spreads dumps over
    /// 256 directories. There is nothing else, as a dump must be found by its name alone. Besides there
    /// may be letters, digits, `.`, `_`, `-`, `=` and `/`.
    pub key: String,
    /// Compression level, 0 to 9. Default 6.
    pub level: u32,
    /// The size of a part, in bytes. Default 5 MiB, which is also the least that stores take. S3 takes
    /// 10,000 parts.
    pub part_bytes: usize,
    /// How many dumps are compressed and uploaded at the same time; others wait. Default 4.
    pub uploads: usize,
    /// How long [links](DumpLinks) are valid. Default two days, as the Jitsi spec says in section 13.3.
    pub link_validity: Duration,
}

impl ObjectArchiveOptions {
    const LEAST_PART: usize = 5 << 20;
}

impl Default for ObjectArchiveOptions {
    fn default() -> Self {
        Self {
            settings: Vec::new(),
            environment: true,
            key: "{name}.gz".to_owned(),
            level: 6,
            part_bytes: Self::LEAST_PART,
            uploads: 4,
            link_validity: Duration::from_secs(172_800),
        }
    }
}

impl fmt::Debug for ObjectArchiveOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Their values are secrets.
        let settings: Vec<&str> = self.settings.iter().map(|(key, _)| key.as_str()).collect();
        formatter
            .debug_struct("ObjectArchiveOptions")
            .field("settings", &settings)
            .field("environment", &self.environment)
            .field("key", &self.key)
            .field("level", &self.level)
            .field("part_bytes", &self.part_bytes)
            .field("uploads", &self.uploads)
            .field("link_validity", &self.link_validity)
            .finish()
    }
}

/// The dumps of a store.
struct Objects {
    store: Arc<dyn ObjectStore>,
    signer: Option<Arc<dyn Signer>>,
    /// Where the objects are files: their directory.
    directory: Option<PathBuf>,
    prefix: Path,
    key: KeyTemplate,
    level: Compression,
    part_bytes: usize,
    uploads: Semaphore,
    link_validity: Duration,
}

impl ObjectArchive {
    /// Opens an archive by its URL. It is not asked for anything yet: that it cannot be reached shows
    /// at the first use.
    ///
    /// # Errors
    ///
    /// If the URL, a setting or the key is none, if a directory cannot be created, or outside of a
    /// tokio runtime.
    pub fn open(url: &str, options: ObjectArchiveOptions) -> Result<Self, ArchiveError> {
        let open = || -> Result<Self, Failure> {
            let handle = Handle::try_current()?;
            let place = Place::open(url, &options)?;
            let objects = Objects {
                store: place.store,
                signer: place.signer,
                directory: place.directory,
                prefix: place.prefix,
                key: KeyTemplate::new(&options.key)?,
                level: Compression::new(options.level.min(9)),
                part_bytes: options.part_bytes.max(ObjectArchiveOptions::LEAST_PART),
                uploads: Semaphore::new(options.uploads.clamp(1, Semaphore::MAX_PERMITS)),
                link_validity: options.link_validity,
            };
            let objects = Arc::new(objects);
            Ok(Self { objects, handle })
        };
        open().map_err(|error| ArchiveError::new(ArchiveOperation::Prepare, None, error))
    }

    /// Does something on the runtime of the archive.
    fn run<T: Send + 'static>(
        &self,
        operation: ArchiveOperation,
        name: Option<&DumpName>,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, ArchiveError>> {
        let (handle, name) = (self.handle.clone(), name.cloned());
        Box::pin(async move {
            let result = match handle.spawn(work).await {
                Ok(result) => result,
                Err(error) => Err(error.into()),
            };
            result.map_err(|error| ArchiveError::new(operation, name, error))
        })
    }
}

impl Archive for ObjectArchive {
    fn store(
        &self,
        name: &DumpName,
        dump: Box<dyn BufRead + Send>,
    ) -> BoxFuture<'_, Result<(), ArchiveError>> {
        let (objects, location) = (Arc::clone(&self.objects), self.objects.location(name));
        self.run(ArchiveOperation::Store, Some(name), async move {
            let _turn = objects.uploads.acquire().await?;
            upload::upload(&objects, &location?, dump).await
        })
    }

    fn open(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Option<Box<dyn Read + Send>>, ArchiveError>> {
        let (objects, location) = (Arc::clone(&self.objects), self.objects.location(name));
        self.run(ArchiveOperation::Open, Some(name), async move {
            match objects.store.get(&location?).await {
                Ok(object) => Ok(Some(reader::read(object))),
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ArchivedDump>, ArchiveError>> {
        let objects = Arc::clone(&self.objects);
        self.run(
            ArchiveOperation::List,
            None,
            async move { objects.list().await },
        )
    }

    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), ArchiveError>> {
        let (objects, location) = (Arc::clone(&self.objects), self.objects.location(name));
        self.run(ArchiveOperation::Remove, Some(name), async move {
            objects.remove(&location?).await
        })
    }
}

/// Signed by the store, for everybody who has them, until they expire. A directory has none.
impl DumpLinks for ObjectArchive {
    fn link(&self, name: &DumpName) -> BoxFuture<'_, Result<Option<String>, ArchiveError>> {
        let (objects, location) = (Arc::clone(&self.objects), self.objects.location(name));
        self.run(ArchiveOperation::Link, Some(name), async move {
            objects.link(&location?).await
        })
    }
}

impl Objects {
    fn location(&self, name: &DumpName) -> Result<Path, object_store::path::Error> {
        Path::parse(format!("{}/{}", self.prefix, self.key.expand(name)))
    }

    async fn list(&self) -> Result<Vec<ArchivedDump>, Failure> {
        let mut found = self.store.list(Some(&self.prefix));
        let mut dumps = Vec::new();
        while let Some(object) = found.try_next().await? {
            let Some(name) = self.name(&object.location) else {
                continue;
            };
            dumps.push(ArchivedDump {
                name,
                bytes: object.size,
                modified_ms: object.last_modified.timestamp_millis() as f64,
            });
        }
        dumps.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(dumps)
    }

    fn name(&self, location: &Path) -> Option<DumpName> {
        let segments = location.prefix_match(&self.prefix)?;
        let key: Vec<String> = segments.map(|part| part.as_ref().to_owned()).collect();
        self.key.parse(&key.join("/"))
    }

    async fn remove(&self, location: &Path) -> Result<(), Failure> {
        match self.store.delete(location).await {
            Err(Error::NotFound { .. }) => return Ok(()),
            result => result?,
        }
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let file = directory.join(location.as_ref());
        tokio::task::spawn_blocking(move || crate::directory::sync_parent(&file)).await??;
        Ok(())
    }

    async fn link(&self, location: &Path) -> Result<Option<String>, Failure> {
        let signer = self.signer.as_ref().ok_or("the store has no links")?;
        match self.store.head(location).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            result => result?,
        };
        let link = signer
            .signed_url(Method::GET, location, self.link_validity)
            .await?;
        Ok(Some(link.into()))
    }
}

impl fmt::Debug for ObjectArchive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ObjectArchive")
            .field("prefix", &self.objects.prefix)
            .finish_non_exhaustive()
    }
}
