//! One dump, compressed and uploaded at the same time.

use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, MultipartUpload, PutMultipartOptions, PutOptions, PutPayload,
    PutPayloadMut,
};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;

use super::{Failure, Objects};

/// Uploads a dump as a whole, or not at all.
pub(super) async fn upload(
    objects: &Objects,
    location: &Path,
    dump: Box<dyn BufRead + Send>,
) -> Result<(), Failure> {
    let (sender, parts) = mpsc::channel(1);
    let (level, part_bytes) = (objects.level, objects.part_bytes);
    let rest = tokio::task::spawn_blocking(move || compress(dump, level, part_bytes, sender));
    let mut begun = None;
    let result = transfer(objects, location, parts, rest, &mut begun).await;
    let Err(error) = result else {
        return Ok(());
    };
    if let Some(mut upload) = begun
        && let Err(abort) = upload.abort().await
    {
        tracing::warn!(%location, error = %abort, "parts of a failed upload stay in the store");
    }
    Err(error)
}

/// Transfers parts as they come, and at last the rest; `begun` is the upload in parts, if there is one.
async fn transfer(
    objects: &Objects,
    location: &Path,
    mut parts: Receiver<PutPayload>,
    rest: JoinHandle<io::Result<PutPayload>>,
    begun: &mut Option<Box<dyn MultipartUpload>>,
) -> Result<(), Failure> {
    while let Some(part) = parts.recv().await {
        let upload = match begun {
            Some(upload) => upload,
            None => begun.insert(begin(objects, location).await?),
        };
        upload.put_part(part).await?;
    }
    let rest = rest.await??;
    let Some(upload) = begun else {
        let options = PutOptions {
            attributes: objects.attributes(Some(&rest)),
            ..PutOptions::default()
        };
        objects.store.put_opts(location, rest, options).await?;
        return Ok(());
    };
    if rest.content_length() > 0 {
        upload.put_part(rest).await?;
    }
    upload.complete().await?;
    Ok(())
}

async fn begin(
    objects: &Objects,
    location: &Path,
) -> Result<Box<dyn MultipartUpload>, object_store::Error> {
    let options = PutMultipartOptions {
        attributes: objects.attributes(None),
        ..PutMultipartOptions::default()
    };
    objects.store.put_multipart_opts(location, options).await
}

impl Objects {
    /// What is kept with an object, as far as its content is known.
    fn attributes(&self, content: Option<&PutPayload>) -> Attributes {
        let mut attributes = Attributes::new();
        if self.directory.is_some() {
            return attributes;
        }
        attributes.insert(Attribute::ContentType, "application/gzip".into());
        if let Some(content) = content {
            let name = Attribute::Metadata("sha256".into());
            attributes.insert(name, sha256(content).into());
        }
        attributes
    }
}

fn sha256(content: &PutPayload) -> String {
    let mut digest = Sha256::new();
    content.iter().for_each(|chunk| digest.update(chunk));
    let mut text = String::new();
    for byte in digest.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Compresses a dump; gives away all parts but the last, incomplete one.
fn compress(
    mut dump: Box<dyn BufRead + Send>,
    level: Compression,
    part_bytes: usize,
    sender: Sender<PutPayload>,
) -> io::Result<PutPayload> {
    let parts = Parts {
        sender,
        part: new_part(),
        part_bytes,
    };
    let mut encoder = GzEncoder::new(parts, level);
    io::copy(&mut dump, &mut encoder)?;
    Ok(encoder.finish()?.part.freeze())
}

/// Cuts what is written into parts of one size, as some stores demand.
struct Parts {
    sender: Sender<PutPayload>,
    part: PutPayloadMut,
    part_bytes: usize,
}

/// Grows in blocks, so that it takes little more than it holds.
fn new_part() -> PutPayloadMut {
    PutPayloadMut::new().with_block_size(32 << 10)
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.part_bytes - self.part.content_length();
        let (taken, _) = bytes.split_at(bytes.len().min(room));
        self.part.extend_from_slice(taken);
        if self.part.content_length() >= self.part_bytes {
            let part = std::mem::replace(&mut self.part, new_part());
            let sent = self.sender.blocking_send(part.freeze());
            sent.map_err(|_| io::Error::other("the upload failed"))?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
