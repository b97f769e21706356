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
}

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
                        stream,
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
    stream: TcpStream,
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
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
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
        let polled = Pin::new(&mut self.stream).poll_write(cx, part);
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
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Connected<IncomingStream<'_, Guard>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Guard>) -> Self {
        stream.io().cut.clone()
    }
}
