//! BIP channels over real sockets: connect, send, receive, with the terminal's buffers.
//!
//! Nothing here knows the card: the coding of commands and events is in the rooms beside.

use super::network::Network;
use applet_model::cat::ChannelStatus;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// How long to sleep between looks at a non-blocking socket.
const GLANCE: Duration = Duration::from_micros(200);
/// Real time that a peer may take to accept bytes that the card sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// One BIP channel of the terminal.
#[derive(Debug)]
pub(super) struct Channel {
    /// The address that the card asked for.
    pub(super) asked: SocketAddr,
    /// Size of either buffer in bytes.
    pub(super) buffer_size: usize,
    udp: bool,
    socket: Socket,
    rx: VecDeque<u8>,
    tx: Vec<u8>,
    received: u64,
    drop_after: Option<u64>,
    /// The card was told of what is in `rx`.
    announced: bool,
}

#[derive(Debug)]
enum Socket {
    /// On demand: connected with the first data.
    Waiting,
    Tcp(TcpStream),
    Udp(UdpSocket),
    Down,
}

/// What a look at the network brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pumped {
    /// Bytes that came, now in the receive buffer.
    pub(super) data: Vec<u8>,
    /// Why the link ended, if it did so just now.
    pub(super) ended: Option<String>,
    /// Bytes came into an empty buffer of which the card doesn't know yet.
    pub(super) announce: bool,
}

impl Channel {
    pub(super) fn new(asked: SocketAddr, udp: bool, buffer_size: usize) -> Self {
        Channel {
            asked,
            buffer_size,
            udp,
            socket: Socket::Waiting,
            rx: VecDeque::new(),
            tx: Vec::new(),
            received: 0,
            drop_after: None,
            announced: false,
        }
    }

    /// Makes the link fail after this many bytes from the network.
    pub(super) fn drop_after(&mut self, bytes: u64) {
        self.drop_after = Some(bytes);
    }

    /// Connects to where the network's overrides lead; gives that address.
    pub(super) fn connect(&mut self, network: &Network) -> io::Result<SocketAddr> {
        let to = network.target(self.asked);
        self.socket = if self.udp {
            let any: SocketAddr = if to.is_ipv4() {
                ([0, 0, 0, 0], 0).into()
            } else {
                ([0u16; 8], 0).into()
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect(to)?;
            socket.set_nonblocking(true)?;
            Socket::Udp(socket)
        } else {
            let stream = TcpStream::connect_timeout(&to, network.connect_timeout)?;
            // Small writes must not wait for the peer's delayed acknowledgement.
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Socket::Tcp(stream)
        };
        Ok(to)
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.socket, Socket::Waiting)
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(self.socket, Socket::Down)
    }

    /// True while something may still come: connected, and the card has read all there was.
    pub(super) fn expects_data(&self) -> bool {
        matches!(self.socket, Socket::Tcp(_) | Socket::Udp(_)) && self.rx.is_empty()
    }

    /// Bytes in the receive buffer.
    pub(super) fn available(&self) -> usize {
        self.rx.len()
    }

    /// Free bytes of the transmit buffer.
    pub(super) fn free(&self) -> usize {
        self.buffer_size.saturating_sub(self.tx.len())
    }

    pub(super) fn status(&self, id: u8) -> ChannelStatus {
        ChannelStatus {
            channel: id,
            established: matches!(self.socket, Socket::Tcp(_) | Socket::Udp(_)),
            info: if self.is_down() {
                ChannelStatus::LINK_DROPPED
            } else {
                ChannelStatus::NO_INFO
            },
        }
    }

    /// Ends the link, keeping what was received.
    pub(super) fn take_down(&mut self) {
        self.socket = Socket::Down;
        self.tx.clear();
    }

    /// Puts bytes into the transmit buffer; false if they don't fit.
    pub(super) fn store(&mut self, data: &[u8]) -> bool {
        if data.len() > self.free() {
            return false;
        }
        self.tx.extend(data);
        true
    }

    /// Sends the transmit buffer; gives the bytes.
    pub(super) fn flush(&mut self) -> io::Result<Vec<u8>> {
        let data = std::mem::take(&mut self.tx);
        match &mut self.socket {
            Socket::Tcp(stream) => write_all(stream, &data)?,
            Socket::Udp(socket) => {
                socket.send(&data)?;
            }
            Socket::Waiting | Socket::Down => {
                return Err(io::Error::new(ErrorKind::NotConnected, "not connected"));
            }
        }
        Ok(data)
    }

    /// Takes up to `n` bytes from the receive buffer.
    pub(super) fn read(&mut self, n: usize) -> Vec<u8> {
        let n = n.min(self.rx.len());
        let data = self.rx.drain(..n).collect();
        if self.rx.is_empty() {
            self.announced = false;
        }
        data
    }

    /// Looks at the network without waiting, except `settle` after bytes that came.
    pub(super) fn pump(&mut self, settle: Duration) -> Pumped {
        let mut pumped = Pumped::default();
        let mut last = Instant::now();
        let mut chunk = [0u8; 2048];
        loop {
            // One datagram is one unit of RECEIVE DATA: the next waits until this one is read.
            let room = match self.socket {
                Socket::Udp(_) if !self.rx.is_empty() => 0,
                Socket::Udp(_) => chunk.len(),
                _ => self.buffer_size.saturating_sub(self.rx.len()),
            };
            let Some(space) = chunk.get_mut(..room.min(2048)).filter(|s| !s.is_empty()) else {
                break;
            };
            let got = match &mut self.socket {
                Socket::Tcp(stream) => stream.read(space),
                Socket::Udp(socket) => socket.recv(space),
                Socket::Waiting | Socket::Down => break,
            };
            match got {
                Ok(0) if !self.udp => {
                    pumped.ended = Some("the peer closed the connection".into());
                }
                Ok(n) => {
                    last = Instant::now();
                    let kept = match self.drop_after {
                        Some(limit) => n.min(usize::try_from(limit - self.received).unwrap_or(n)),
                        None => n,
                    };
                    let data = space.get(..kept).unwrap_or_default();
                    self.rx.extend(data);
                    pumped.data.extend(data);
                    self.received += kept as u64;
                    if self.drop_after == Some(self.received) {
                        pumped.ended = Some(format!("dropped after {} bytes", self.received));
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    if pumped.data.is_empty() || last.elapsed() >= settle {
                        break;
                    }
                    std::thread::sleep(GLANCE);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => pumped.ended = Some(e.to_string()),
            }
            if pumped.ended.is_some() {
                self.take_down();
                break;
            }
        }
        if !self.rx.is_empty() && !self.announced {
            self.announced = true;
            pumped.announce = true;
        }
        pumped
    }
}

/// Writes all to a non-blocking stream, waiting for the peer up to [`WRITE_TIMEOUT`].
fn write_all(stream: &mut TcpStream, mut data: &[u8]) -> io::Result<()> {
    let begin = Instant::now();
    while !data.is_empty() {
        match stream.write(data) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => data = data.get(n..).unwrap_or_default(),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock && begin.elapsed() < WRITE_TIMEOUT => {
                std::thread::sleep(GLANCE);
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Sleeps a glance, for loops that wait for any of several channels.
pub(super) fn glance() {
    std::thread::sleep(GLANCE);
}
