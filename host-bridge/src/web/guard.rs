//! Connections with a time-out, and with an end in the middle where a test asks for it.

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// Says how many more bytes a connection may write; `usize::MAX` is no limit.
#[derive(Debug, Clone)]
pub(crate) struct Cut(Arc<AtomicUsize>);

impl Cut {
    /// Ends the connection after this many more bytes.
    pub(crate) fn after(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

/// A listener whose connections are guarded.
pub(super) struct Guard {
    pub(super) listener: TcpListener,
    pub(super) idle: Duration,
    pub(super) tls: Option<TlsAcceptor>,
}

/// The bytes of a connection.
enum Stream {
    Plain(TcpStream),
    /// The handshake isn't over: it is driven by whoever reads or writes first, so that nobody else waits for it.
    Greeting(Box<Accept<TcpStream>>),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// The stream once data can flow.
    fn ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut dyn Duplex>>> {
        if let Stream::Greeting(accept) = self {
            match Pin::new(accept).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Ready(Ok(stream)) => *self = Stream::Tls(Box::new(stream)),
            }
        }
        match self {
            Stream::Plain(stream) => Poll::Ready(Ok(Pin::new(stream))),
            Stream::Tls(stream) => Poll::Ready(Ok(Pin::new(stream.as_mut()))),
            Stream::Greeting(_) => Poll::Pending,
        }
    }
}

/// What is read from and written to.
trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl Listener for Guard {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    // An answer must not wait for the card's next segment.
                    let _ = stream.set_nodelay(true);
                    let guarded = Guarded {
                        stream: match &self.tls {
                            None => Stream::Plain(stream),
                            Some(acceptor) => Stream::Greeting(Box::new(acceptor.accept(stream))),
                        },
                        idle: self.idle,
                        deadline: Box::pin(sleep(self.idle)),
                        cut: Cut(Arc::new(AtomicUsize::new(usize::MAX))),
                    };
                    return (guarded, peer);
                }
                // Out of descriptors, or the peer went away: neither is worth spinning for.
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends when it is silent for too long.
pub(super) struct Guarded {
    stream: Stream,
    idle: Duration,
    deadline: Pin<Box<Sleep>>,
    cut: Cut,
}

impl Guarded {
    fn alive(&mut self) {
        let next = Instant::now() + self.idle;
        self.deadline.as_mut().reset(next);
    }

    fn late(&mut self, cx: &mut Context<'_>) -> bool {
        self.deadline.as_mut().poll(cx).is_ready()
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = match self.stream.ready(cx) {
            Poll::Ready(Ok(stream)) => stream.poll_read(cx, buf),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => Poll::Pending,
        };
        match polled {
            Poll::Pending if self.late(cx) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
            ready => {
                self.alive();
                ready
            }
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let left = self.cut.0.load(Ordering::Relaxed);
        if left == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let part = buf.get(..left).unwrap_or(buf);
        let polled = match self.stream.ready(cx) {
            Poll::Ready(Ok(stream)) => stream.poll_write(cx, part),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => Poll::Pending,
        };
        match polled {
            Poll::Pending if self.late(cx) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(n)) => {
                if left != usize::MAX {
                    self.cut.after(left.saturating_sub(n));
                }
                self.alive();
                Poll::Ready(Ok(n))
            }
            error => error,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream.ready(cx) {
            Poll::Ready(Ok(stream)) => stream.poll_flush(cx),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream.ready(cx) {
            Poll::Ready(Ok(stream)) => stream.poll_shutdown(cx),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Connected<IncomingStream<'_, Guard>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Guard>) -> Self {
        stream.io().cut.clone()
    }
}
