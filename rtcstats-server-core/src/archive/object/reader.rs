//! Objects, read by code that blocks.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use object_store::GetResult;
use tokio::sync::mpsc::{self, Receiver};

use crate::block_on::block_on;

/// Reads an object while it is fetched by a task, at most one chunk ahead. Called on a runtime.
pub(super) fn read(object: GetResult) -> Box<dyn Read + Send> {
    let (sender, chunks) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut stream = object.into_stream();
        while let Some(chunk) = stream.next().await {
            let failed = chunk.is_err();
            let chunk = chunk.map(Some).map_err(io::Error::from);
            // Whoever reads may have seen enough.
            if sender.send(chunk).await.is_err() || failed {
                return;
            }
        }
        let _ = sender.send(Ok(None)).await;
    });
    Box::new(ObjectReader {
        chunks,
        chunk: Bytes::new(),
        is_ended: false,
    })
}

struct ObjectReader {
    /// `None` is the end; without it the object is not whole.
    chunks: Receiver<io::Result<Option<Bytes>>>,
    chunk: Bytes,
    is_ended: bool,
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.is_ended && !buffer.is_empty() {
            match block_on(self.chunks.recv()) {
                Some(Ok(Some(chunk))) => self.chunk = chunk,
                Some(Ok(None)) => self.is_ended = true,
                Some(Err(error)) => return Err(error),
                None => return Err(io::Error::other("reading the object was cut short")),
            }
        }
        let length = self.chunk.len().min(buffer.len());
        let (target, _) = buffer.split_at_mut(length);
        self.chunk.copy_to_slice(target);
        Ok(length)
    }
}
