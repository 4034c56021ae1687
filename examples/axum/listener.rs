//! The socket that is listened on, and those that are accepted from it.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::server::options::Options;
use crate::server::patience::Patience;

/// Listens as the options say.
pub(crate) struct Listener {
    listener: TcpListener,
    request_patience: Duration,
}

/// An accepted socket. The first read after a pause yields no more than the header of a WebSocket frame.
///
/// The WebSocket makes room for a whole message when it has read the header, and that beyond
/// what it has read already. So its buffer gets exactly as long as a large message, nothing of it is
/// left for the next one, and it is given back as soon as the message is done.
pub(crate) struct SocketStream {
    stream: TcpStream,
    /// `None` from when it is a WebSocket. In a box, as that lasts longest.
    patience: Option<Box<Patience>>,
    /// There was nothing left to read.
    has_paused: bool,
}

/// The longest header of a frame.
const FRAME_HEADER_BYTES: usize = 14;

impl Listener {
    pub(crate) fn bind(options: &Options) -> io::Result<Self> {
        const BACKLOG: u32 = 4_096;
        let socket = match options.listen {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        // Accepted sockets have the buffers of this one.
        if let Some(bytes) = options.limits.socket_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
            socket.set_send_buffer_size(bytes)?;
        }
        socket.bind(options.listen)?;
        Ok(Self {
            listener: socket.listen(BACKLOG)?,
            request_patience: options.limits.request_patience,
        })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl serve::Listener for Listener {
    type Io = SocketStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (SocketStream, SocketAddr) {
        let (stream, address) = serve::Listener::accept(&mut self.listener).await;
        // An acknowledgement is not to wait for the one before it.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "small frames of a connection may be late");
        }
        let stream = SocketStream {
            stream,
            patience: Some(Box::new(Patience::new(self.request_patience))),
            has_paused: true,
        };
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl SocketStream {
    /// A response, or a part of one, is on its way.
    fn note_written(&mut self, bytes: &[u8]) {
        if bytes.starts_with(b"HTTP/1.1 101") {
            self.patience = None;
        } else if bytes == b"HTTP/1.1 100 Continue\r\n\r\n" {
            // The body is still to come, whose time it is. With an answer behind it the request is over.
        } else if let Some(patience) = &mut self.patience {
            patience.begin_again();
        }
    }
}

impl AsyncRead for SocketStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let stream = Pin::new(&mut this.stream);
        let before = buffer.filled().len();
        let read = if this.has_paused {
            let length = buffer.remaining().min(FRAME_HEADER_BYTES);
            let mut header = ReadBuf::new(buffer.initialize_unfilled_to(length));
            let read = stream.poll_read(context, &mut header);
            let filled = header.filled().len();
            buffer.advance(filled);
            read
        } else {
            stream.poll_read(context, buffer)
        };
        this.has_paused = read.is_pending();
        if let Some(patience) = &mut this.patience {
            let bytes = buffer.filled().get(before..).unwrap_or_default();
            if patience.is_over(context, bytes) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        Poll::Ready(ready!(read))
    }
}

impl AsyncWrite for SocketStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.note_written(bytes);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.note_written(parts.first().map_or(&[], |part| part));
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
