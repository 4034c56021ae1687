//! How long a connection may take to say what it wants: who sends a byte a second holds a socket, and
//! costs next to nothing himself.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// What ends the head of a request.
const END: &[u8] = b"\r\n\r\n";

/// The time that is left for the head of a request, from when the connection was opened, or the last
/// response was written to.
pub(crate) struct Patience {
    sleep: Pin<Box<Sleep>>,
    length: Duration,
    /// How much of [`END`] the last bytes were.
    matched: usize,
    /// The head is complete: what follows is the body's business.
    is_complete: bool,
}

impl Patience {
    pub(crate) fn new(length: Duration) -> Self {
        Self {
            sleep: Box::pin(sleep(length)),
            length,
            matched: 0,
            is_complete: false,
        }
    }

    /// Whether it is over, now that these bytes were read.
    pub(crate) fn is_over(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.is_complete {
                break;
            }
            self.matched = match END.get(self.matched) {
                Some(expected) if expected == byte => self.matched + 1,
                _ => usize::from(*byte == b'\r'),
            };
            self.is_complete = self.matched == END.len();
        }
        !self.is_complete && self.sleep.as_mut().poll(context).is_ready()
    }

    /// Another request may follow.
    pub(crate) fn begin_again(&mut self) {
        self.is_complete = false;
        self.matched = 0;
        self.sleep.as_mut().reset(Instant::now() + self.length);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    async fn is_over(patience: &mut Patience, bytes: &[u8]) -> bool {
        poll_fn(|context| Poll::Ready(patience.is_over(context, bytes))).await
    }

    #[tokio::test]
    async fn the_head_has_to_be_complete_in_time_and_the_body_has_not() {
        const LENGTH: Duration = Duration::from_millis(20);
        let mut patience = Patience::new(LENGTH);
        assert!(!is_over(&mut patience, b"GET / HTTP/1.1\r\n\r").await);
        sleep(LENGTH * 2).await;
        assert!(is_over(&mut patience, b"").await);

        let mut patience = Patience::new(LENGTH);
        assert!(!is_over(&mut patience, b"GET / HTTP/1.1\r\n\r").await);
        assert!(!is_over(&mut patience, b"\nbody").await);
        sleep(LENGTH * 2).await;
        assert!(!is_over(&mut patience, b"more").await);
        patience.begin_again();
        assert!(!is_over(&mut patience, b"GET").await);
        sleep(LENGTH * 2).await;
        assert!(is_over(&mut patience, b"").await);
    }
}
