//! A client's octets as frames, for a machine where loopback may not be captured.
//!
//! The tap sits between the client and its socket. What passes becomes Ethernet frames with the socket's own addresses
//! and running sequence numbers, so that everything behind the capture works as it does on a sniffed interface.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use crossbeam_channel::Sender;
use etherparse::PacketBuilder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::clock;
use crate::model::{LinkType, OwnedFrame};

/// Frames that wait for the agent; past that they are dropped, as a kernel would.
pub(super) const QUEUE: usize = 65_536;

/// Payload octets in one frame, as on an Ethernet.
const SEGMENT: usize = 1_448;

/// Where tapped frames go.
#[derive(Debug, Clone)]
pub(super) struct Tap {
    sender: Sender<OwnedFrame>,
}

/// One connection's state, as both ends' TCP would have it.
#[derive(Debug)]
struct Connection {
    client: SocketAddr,
    server: SocketAddr,
    sent: u32,
    received: u32,
}

/// A socket whose octets are copied into frames.
#[derive(Debug)]
pub(super) struct Tapped {
    stream: TcpStream,
    tap: Option<(Tap, Arc<Mutex<Connection>>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

impl Tap {
    pub(super) const fn new(sender: Sender<OwnedFrame>) -> Self {
        Self { sender }
    }

    fn frame(&self, connection: &Connection, direction: Direction, syn: bool, fin: bool, payload: &[u8]) {
        let (from, to, sequence, acknowledgment) = match direction {
            Direction::ToServer => (connection.client, connection.server, connection.sent, connection.received),
            Direction::ToClient => (connection.server, connection.client, connection.received, connection.sent),
        };
        let (SocketAddr::V4(source), SocketAddr::V4(destination)) = (from, to) else { return };
        let mut builder = PacketBuilder::ethernet2([0; 6], [0; 6])
            .ipv4(source.ip().octets(), destination.ip().octets(), 64)
            .tcp(from.port(), to.port(), sequence, 65_535);
        if syn {
            builder = builder.syn();
        }
        if fin {
            builder = builder.fin();
        }
        if !syn || direction == Direction::ToClient {
            builder = builder.ack(acknowledgment);
        }
        let mut octets = Vec::with_capacity(builder.size(payload.len()));
        if builder.write(&mut octets, payload).is_ok() {
            // A full queue drops, and the decoder counts the gap.
            let _ = self.sender.try_send(OwnedFrame { at: clock::now(), link: LinkType(1), octets });
        }
    }
}

impl Tapped {
    pub(super) fn new(stream: TcpStream, tap: Option<Tap>) -> io::Result<Self> {
        let Some(tap) = tap else { return Ok(Self { stream, tap: None }) };
        let mut connection =
            Connection { client: stream.local_addr()?, server: stream.peer_addr()?, sent: 1_000, received: 5_000 };
        tap.frame(&connection, Direction::ToServer, true, false, &[]);
        connection.sent += 1;
        tap.frame(&connection, Direction::ToClient, true, false, &[]);
        connection.received += 1;
        tap.frame(&connection, Direction::ToServer, false, false, &[]);
        Ok(Self { stream, tap: Some((tap, Arc::new(Mutex::new(connection)))) })
    }

    fn copy(&self, direction: Direction, octets: &[u8]) {
        let Some((tap, connection)) = &self.tap else { return };
        let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        for payload in octets.chunks(SEGMENT) {
            tap.frame(&connection, direction, false, false, payload);
            let count = u32::try_from(payload.len()).unwrap_or(0);
            match direction {
                Direction::ToServer => connection.sent = connection.sent.wrapping_add(count),
                Direction::ToClient => connection.received = connection.received.wrapping_add(count),
            }
        }
    }
}

impl Drop for Tapped {
    fn drop(&mut self) {
        if let Some((tap, connection)) = &self.tap {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            tap.frame(&connection, Direction::ToServer, false, true, &[]);
            tap.frame(&connection, Direction::ToClient, false, true, &[]);
        }
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(octets) = buffer.filled().get(before..) {
            self.copy(Direction::ToClient, octets);
        }
        done
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, octets);
        if let Poll::Ready(Ok(count)) = done {
            self.copy(Direction::ToServer, octets.get(..count).unwrap_or_default());
        }
        done
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
