//! Answers with documents, which are in memory until they are read.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::stream::unfold;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

/// How long a client may take to read an answer, in all.
const LONGEST: Duration = Duration::from_secs(120);

/// Bytes that are handed on at once.
const CHUNK_BYTES: usize = 64 << 10;

/// The answer with a document. The place is free again as soon as the document is sent, or the client gone or too
/// slow, who then gets less than the whole.
pub(super) fn document(
    json: Vec<u8>,
    is_compressed: bool,
    place: OwnedSemaphorePermit,
) -> Response {
    let length = HeaderValue::from(json.len());
    let mut response = Response::new(body(json, place, LONGEST));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CONTENT_LENGTH, length);
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// A body that is given up after a time. Nobody asks it for more while the client does not read, so that a task of
/// its own has the bytes.
fn body(json: Vec<u8>, place: OwnedSemaphorePermit, longest: Duration) -> Body {
    let rest = json.len();
    let (chunks, received) = mpsc::channel(1);
    tokio::spawn(async move {
        let sending = async {
            for chunk in json.chunks(CHUNK_BYTES) {
                // Copied, as a part of the whole would keep all of it.
                if chunks.send(Bytes::copy_from_slice(chunk)).await.is_err() {
                    return;
                }
            }
        };
        let _ = timeout(longest, sending).await;
        drop((json, place));
    });
    Body::from_stream(unfold((received, rest), next_chunk))
}

/// The next chunk, and how many bytes come after it; an error where they do not.
async fn next_chunk(
    (mut received, rest): (mpsc::Receiver<Bytes>, usize),
) -> Option<(io::Result<Bytes>, (mpsc::Receiver<Bytes>, usize))> {
    match received.recv().await {
        Some(chunk) => {
            let rest = rest.saturating_sub(chunk.len());
            Some((Ok(chunk), (received, rest)))
        }
        None if rest == 0 => None,
        None => Some((Err(io::ErrorKind::TimedOut.into()), (received, 0))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    async fn begun(length: usize, longest: Duration) -> (Body, Arc<Semaphore>) {
        let places = Arc::new(Semaphore::new(1));
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        (body(vec![b'1'; length], place, longest), places)
    }

    async fn is_given_back(places: &Semaphore) -> bool {
        matches!(timeout(PATIENCE, places.acquire()).await, Ok(Ok(_)))
    }

    #[tokio::test]
    async fn a_document_that_is_read_is_whole_and_gives_its_place_back() {
        for length in [0, 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 5] {
            let (body, places) = begun(length, PATIENCE).await;
            let read = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            assert_eq!(read.len(), length);
            assert!(is_given_back(&places).await);
        }
    }

    #[tokio::test]
    async fn a_document_that_nobody_reads_gives_its_place_back_and_ends_with_an_error() {
        let (body, places) = begun(10 * CHUNK_BYTES, Duration::from_millis(20)).await;
        assert!(is_given_back(&places).await);
        assert!(axum::body::to_bytes(body, usize::MAX).await.is_err());
    }

    #[tokio::test]
    async fn a_client_that_is_gone_gives_its_place_back() {
        let (body, places) = begun(10 * CHUNK_BYTES, 100 * PATIENCE).await;
        drop(body);
        assert!(is_given_back(&places).await);
    }
}
