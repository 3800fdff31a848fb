//! The sockets of connections, found by connection id.

use std::io::{self, IoSlice, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use holdfast_core::machine::{Addr, ConnId};
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, Protocol, SockRef, TcpKeepalive, Type};

const _: () = assert!(usize::BITS == 64, "a token holds a slot and its generation");

/// Never the slot of a connection; marks the tokens of other things.
pub(crate) const RESERVED_INDEX: u32 = u32::MAX;

/// The token under which a connection's events come. It names the generation too, so an event
/// for a socket that is closed by the time it is looked at finds nothing.
pub(crate) fn token_of(conn: ConnId) -> Token {
    Token(((conn.generation as usize) << 32) | conn.index as usize)
}

/// The connection a token stands for.
pub(crate) fn conn_of(token: Token) -> ConnId {
    let half = |bits: usize| u32::try_from(bits & 0xffff_ffff).expect("32 bits");
    ConnId {
        index: half(token.0),
        generation: half(token.0 >> 32),
    }
}

/// A stream socket of either family.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Whether there may be something to read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReadSide {
    /// Everything was read; an event tells of more.
    Drained,
    /// In the queue of connections to read from.
    Queued,
    /// There may be something, but the machine does not want it.
    Paused,
}

/// Whether bytes can be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WriteSide {
    /// Not connected.
    Connecting,
    /// The socket took everything so far.
    Free,
    /// In the queue of connections to write to.
    Queued,
    /// The socket is full; an event tells of room.
    Full,
}

/// The driver's side of a connection.
pub(crate) struct Socket {
    pub(crate) stream: Stream,
    id: ConnId,
    pub(crate) read: ReadSide,
    pub(crate) write: WriteSide,
    /// The peer has closed its side: behind what there is to read lies the end.
    pub(crate) ending: bool,
}

/// All sockets, each in the slot its machine gave the connection.
#[derive(Default)]
pub(crate) struct Sockets {
    slots: Vec<Option<Socket>>,
}

impl Sockets {
    /// Takes a socket and asks for its events. Whatever had the slot before is closed: the
    /// machine has given it up, though its `Close` may not be carried out yet.
    pub(crate) fn insert(
        &mut self,
        registry: &Registry,
        conn: ConnId,
        mut stream: Stream,
        write: WriteSide,
    ) -> io::Result<()> {
        assert_ne!(conn.index, RESERVED_INDEX, "no machine has that many slots");
        let index = conn.index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        self.slots[index] = None;
        stream.register(registry, token_of(conn))?;
        self.slots[index] = Some(Socket {
            stream,
            id: conn,
            read: ReadSide::Drained,
            write,
            ending: false,
        });
        Ok(())
    }

    /// The socket of a connection that is not closed.
    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Socket> {
        let slot = self.slots.get_mut(conn.index as usize)?;
        slot.as_mut().filter(|socket| socket.id == conn)
    }

    /// Closes a connection, if it is open; the system stops reporting on it by itself.
    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Socket> {
        self.get_mut(conn)?;
        self.slots[conn.index as usize].take()
    }

    /// Every connection.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ConnId> {
        self.slots.iter().flatten().map(|socket| socket.id)
    }
}

impl Stream {
    /// Begins to connect. It is connected when it has become writable and has no error.
    pub(crate) fn connect(to: &Addr, from: Option<IpAddr>) -> io::Result<Self> {
        match to {
            Addr::Tcp(to) => connect_tcp(*to, from).map(Self::Tcp),
            Addr::Unix(path) => UnixStream::connect(&**path).map(Self::Unix),
        }
    }

    /// Our address, once the connection stands; an error if it came to nothing; None while it
    /// is being made.
    pub(crate) fn connected(&self) -> io::Result<Option<Addr>> {
        match self {
            Self::Tcp(stream) => {
                if let Some(error) = stream.take_error()? {
                    return Err(error);
                }
                match stream.peer_addr() {
                    Ok(_) => stream.local_addr().map(Addr::Tcp).map(Some),
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(None),
                    Err(error) => Err(error),
                }
            }
            Self::Unix(stream) => {
                if let Some(error) = stream.take_error()? {
                    return Err(error);
                }
                let peer = stream.peer_addr()?;
                let path = peer.as_pathname().map(|path| path.to_string_lossy());
                Ok(Some(Addr::Unix(path.unwrap_or_default().into())))
            }
        }
    }

    /// The error the system holds for the socket, which this clears.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        match self {
            Self::Tcp(stream) => stream.take_error(),
            Self::Unix(stream) => stream.take_error(),
        }
        .unwrap_or_else(Some)
    }

    /// Sends small writes at once.
    pub(crate) fn set_nodelay(&self) {
        if let Self::Tcp(stream) = self
            && let Err(error) = stream.set_nodelay(true)
        {
            tracing::debug!("Can't set TCP_NODELAY: {error}");
        }
    }

    /// Probes a silent peer after `idle`, then three times within as long again, as Redis does.
    pub(crate) fn set_keepalive(&self, idle: Duration) {
        let Self::Tcp(stream) = self else { return };
        let keepalive = TcpKeepalive::new()
            .with_time(idle)
            .with_interval((idle / KEEPALIVE_PROBES).max(Duration::from_secs(1)))
            .with_retries(KEEPALIVE_PROBES);
        if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&keepalive) {
            tracing::debug!("Can't turn keep-alive probes on: {error}");
        }
    }

    /// Reads once, whatever is there.
    pub(crate) fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_io(|| receive(stream, space)),
            Self::Unix(stream) => stream.try_io(|| receive(stream, space)),
        }
    }

    /// Writes once, as much as fits.
    pub(crate) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, slices) {
            (Self::Tcp(stream), [slice]) => stream.try_io(|| send(stream, slice)),
            (Self::Tcp(stream), _) => (&mut &*stream).write_vectored(slices),
            (Self::Unix(stream), [slice]) => stream.try_io(|| send(stream, slice)),
            (Self::Unix(stream), _) => (&mut &*stream).write_vectored(slices),
        }
    }

    fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Tcp(stream) => registry.register(stream, token, both),
            Self::Unix(stream) => registry.register(stream, token, both),
        }
    }
}

// These two are most of what a server does. Straight to the kernel they spare what the C library
// adds so that a thread can be cancelled in them.
#[inline]
fn receive(stream: impl AsFd, space: &mut [u8]) -> io::Result<usize> {
    let (received, _) = rustix::net::recv(stream, space, RecvFlags::empty())?;
    Ok(received)
}

#[inline]
fn send(stream: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(stream, bytes, SendFlags::NOSIGNAL)?)
}

const KEEPALIVE_PROBES: u32 = 3;

fn connect_tcp(to: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(from) = from else {
        return TcpStream::connect(to);
    };
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = socket2::Socket::new(Domain::for_address(to), kind, Some(Protocol::TCP))?;
    // Redis binds with it so that ports in TIME_WAIT can serve again.
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        Ok(()) | Err(_) => Ok(TcpStream::from_std(socket.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_slot_and_generation() {
        for (index, generation) in [(0, 0), (7, 1), (u32::MAX - 1, u32::MAX)] {
            let conn = ConnId { index, generation };
            assert_eq!(conn_of(token_of(conn)), conn);
        }
    }

    #[test]
    fn an_older_generation_finds_nothing() {
        let poll = mio::Poll::new().unwrap();
        let mut sockets = Sockets::default();
        let conn = |generation| ConnId {
            index: 2,
            generation,
        };
        for generation in 0..2 {
            let (stream, _) = UnixStream::pair().unwrap();
            let stream = Stream::Unix(stream);
            sockets
                .insert(poll.registry(), conn(generation), stream, WriteSide::Free)
                .unwrap();
        }
        assert!(sockets.get_mut(conn(0)).is_none());
        assert!(sockets.remove(conn(0)).is_none());
        assert_eq!(sockets.ids().collect::<Vec<_>>(), [conn(1)]);
        assert!(sockets.remove(conn(1)).is_some());
        assert_eq!(sockets.ids().count(), 0);
    }
}
