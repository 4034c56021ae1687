//! The socket that is listened on, and those that are accepted from it.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::serve;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::options::Options;

/// Listens as the options say.
pub(crate) struct Listener(TcpListener);

/// An accepted socket. The first read after a pause yields no more than the header of a WebSocket frame.
///
/// The WebSocket makes room for a whole message when it has read the header, and that beyond
/// what it has read already. So its buffer gets exactly as long as a large message, nothing of it is
/// left for the next one, and it is given back as soon as the message is done.
pub(crate) struct SocketStream {
    stream: TcpStream,
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
        if let Some(bytes) = options.socket_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
            socket.set_send_buffer_size(bytes)?;
        }
        socket.bind(options.listen)?;
        Ok(Self(socket.listen(BACKLOG)?))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl serve::Listener for Listener {
    type Io = SocketStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (SocketStream, SocketAddr) {
        let (stream, address) = serve::Listener::accept(&mut self.0).await;
        // An acknowledgement is not to wait for the one before it.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "small frames of a connection may be late");
        }
        let stream = SocketStream {
            stream,
            has_paused: true,
        };
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
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
        Poll::Ready(ready!(read))
    }
}

impl AsyncWrite for SocketStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
