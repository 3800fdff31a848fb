//! Listening sockets.

use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use holdfast_core::machine::{Addr, Mono, Peer, UnixAccess};
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use slab::Slab;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::limits::ACCEPT_RETRY;
use crate::sockets::{RESERVED_INDEX, Stream};
use crate::sys;

/// The sockets that wait for connections.
#[derive(Default)]
pub(crate) struct Listeners {
    slots: Slab<Listener>,
    /// When to try again, while the system lacks files or memory for one more connection.
    retry_at: Option<Mono>,
    /// The log tells of a shortage once, until nobody waits any more.
    shortage_told: bool,
}

struct Listener {
    socket: Kind,
    addr: Addr,
    /// Connections may be waiting.
    ready: bool,
}

enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// What came of one attempt to accept.
enum Attempt {
    Taken(Stream, Peer),
    /// This one connection came to nothing; others may wait.
    Lost,
    Empty,
    Failed(io::Error),
}

impl Listeners {
    /// Opens a listener and returns the address it has.
    pub(crate) fn listen(
        &mut self,
        registry: &Registry,
        addr: &Addr,
        backlog: u32,
        access: &UnixAccess,
    ) -> io::Result<Addr> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        let (mut socket, addr) = match addr {
            Addr::Tcp(at) => listen_tcp(*at, backlog)?,
            Addr::Unix(path) => listen_unix(path, backlog, access)?,
        };
        let entry = self.slots.vacant_entry();
        socket.register(registry, token_of(entry.key()))?;
        entry.insert(Listener {
            socket,
            addr: addr.clone(),
            ready: false,
        });
        Ok(addr)
    }

    /// Stops listening there.
    pub(crate) fn unlisten(&mut self, addr: &Addr) {
        let found = self.slots.iter().find(|(_, one)| one.addr == *addr);
        if let Some(key) = found.map(|(key, _)| key) {
            self.slots.remove(key).close();
        }
    }

    /// Stops listening at all.
    pub(crate) fn close(&mut self) {
        self.slots.drain().for_each(Listener::close);
    }

    /// Notes that connections wait; false if the token is not that of a listener.
    pub(crate) fn note_ready(&mut self, token: Token) -> bool {
        let Some(key) = key_of(token) else {
            return false;
        };
        if let Some(listener) = self.slots.get_mut(key) {
            listener.ready = true;
        }
        true
    }

    /// The next connection that waits.
    pub(crate) fn accept(&mut self, now: Mono) -> Option<(Stream, Peer)> {
        if self.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        self.retry_at = None;
        for (_, listener) in &mut self.slots {
            while listener.ready {
                match listener.accept() {
                    Attempt::Taken(stream, peer) => return Some((stream, peer)),
                    Attempt::Lost => {}
                    Attempt::Empty => {
                        listener.ready = false;
                        self.shortage_told = false;
                    }
                    Attempt::Failed(error) => {
                        if !self.shortage_told {
                            self.shortage_told = true;
                            tracing::warn!("Accepting client connection: accept: {}", text(&error));
                        }
                        self.retry_at = Some(now + ACCEPT_RETRY);
                        return None;
                    }
                }
            }
        }
        None
    }

    /// When to call [`accept`](Self::accept) again without an event; an instant that has passed
    /// means at once.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        let waiting = self.slots.iter().any(|(_, listener)| listener.ready);
        waiting.then(|| self.retry_at.unwrap_or_default())
    }
}

impl Listener {
    fn accept(&self) -> Attempt {
        let accepted = match &self.socket {
            Kind::Tcp(socket) => socket.accept().map(|(stream, remote)| {
                let local = self.local_of(&stream);
                let remote = Addr::Tcp(remote);
                (Stream::Tcp(stream), Peer { remote, local })
            }),
            Kind::Unix(socket) => socket.accept().map(|(stream, _)| {
                // A client's socket has no path of its own; Redis shows ours for both sides.
                let (remote, local) = (self.addr.clone(), self.addr.clone());
                (Stream::Unix(stream), Peer { remote, local })
            }),
        };
        match accepted {
            Ok((stream, peer)) => Attempt::Taken(stream, peer),
            Err(error) => failed(error),
        }
    }

    /// Only a listener on every address has to ask which one a peer chose.
    fn local_of(&self, stream: &mio::net::TcpStream) -> Addr {
        match &self.addr {
            Addr::Tcp(at) if at.ip().is_unspecified() => match stream.local_addr() {
                Ok(local) => Addr::Tcp(local),
                Err(_) => self.addr.clone(),
            },
            Addr::Tcp(_) | Addr::Unix(_) => self.addr.clone(),
        }
    }

    /// Removes the file of a Unix socket as well.
    fn close(self) {
        if let Addr::Unix(path) = &self.addr {
            remove_stale(Path::new(&**path));
        }
    }
}

impl Kind {
    fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => registry.register(socket, token, Interest::READABLE),
            Self::Unix(socket) => registry.register(socket, token, Interest::READABLE),
        }
    }
}

fn failed(error: io::Error) -> Attempt {
    match error.raw_os_error() {
        Some(libc::EAGAIN) => Attempt::Empty,
        Some(
            libc::ECONNABORTED
            | libc::EINTR
            | libc::EPROTO
            | libc::EPERM
            | libc::ENETDOWN
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::ENOPROTOOPT
            | libc::ENONET
            | libc::EOPNOTSUPP,
        ) => Attempt::Lost,
        Some(_) | None => Attempt::Failed(error),
    }
}

/// The system's words alone, as Redis prints them.
pub(crate) fn text(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(number) = text.find(" (os error ") {
        text.truncate(number);
    }
    text
}

fn listen_tcp(at: SocketAddr, backlog: i32) -> io::Result<(Kind, Addr)> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(at), kind, Some(Protocol::TCP))?;
    if at.is_ipv6() {
        // So that the same port can be listened on for IPv4 beside it.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&at.into())?;
    socket.listen(backlog)?;
    let listener = TcpListener::from_std(socket.into());
    let at = listener.local_addr()?;
    Ok((Kind::Tcp(listener), Addr::Tcp(at)))
}

fn listen_unix(path: &str, backlog: i32, access: &UnixAccess) -> io::Result<(Kind, Addr)> {
    remove_stale(Path::new(path));
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    if let Some(group) = &access.group {
        std::os::unix::fs::chown(path, None, Some(group_id(group)?))?;
    }
    // Behind the change of the group, which may take bits away.
    if let Some(mode) = access.mode {
        std::fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    socket.listen(backlog)?;
    let listener = UnixListener::from_std(OwnedFd::from(socket).into());
    Ok((Kind::Unix(listener), Addr::Unix(path.into())))
}

/// The number of a group, by its name or as it stands.
fn group_id(group: &str) -> io::Result<u32> {
    match sys::group_id(group)? {
        Some(id) => Ok(id),
        None => group.parse().map_err(|_| {
            tracing::warn!("There is no group '{group}'");
            io::Error::from_raw_os_error(libc::EINVAL)
        }),
    }
}

/// Removes what a process before us left. What is not a socket stays: it is somebody's file.
fn remove_stale(path: &Path) {
    let is_socket = path
        .symlink_metadata()
        .is_ok_and(|found| found.file_type().is_socket());
    if is_socket && let Err(error) = std::fs::remove_file(path) {
        tracing::warn!("Can't remove the Unix socket '{}': {error}", path.display());
    }
}

/// Tokens of listeners lie beside those of connections: their slot is one no connection has.
fn token_of(key: usize) -> Token {
    Token(((key + FIRST_KEY) << 32) | RESERVED_INDEX as usize)
}

fn key_of(token: Token) -> Option<usize> {
    let reserved = token.0 & 0xffff_ffff == RESERVED_INDEX as usize;
    reserved.then(|| (token.0 >> 32).checked_sub(FIRST_KEY))?
}

/// The tokens below are the loop's own.
const FIRST_KEY: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use mio::Poll;

    fn any_port(ip: &str) -> Addr {
        Addr::Tcp(SocketAddr::new(ip.parse().unwrap(), 0))
    }

    fn listen(listeners: &mut Listeners, poll: &Poll, addr: &Addr) -> io::Result<Addr> {
        let access = UnixAccess {
            mode: Some(0o700),
            group: None,
        };
        listeners.listen(poll.registry(), addr, 16, &access)
    }

    #[test]
    fn both_families_take_the_same_port_on_every_address() {
        let poll = Poll::new().unwrap();
        let mut listeners = Listeners::default();
        let Addr::Tcp(four) = listen(&mut listeners, &poll, &any_port("0.0.0.0")).unwrap() else {
            panic!("not a TCP address");
        };
        assert_ne!(four.port(), 0);
        let six = Addr::Tcp(SocketAddr::new("::".parse().unwrap(), four.port()));
        match listen(&mut listeners, &poll, &six) {
            Ok(bound) => assert_eq!(bound, six),
            // A machine without IPv6.
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EAFNOSUPPORT)),
        }
        let again = listen(&mut listeners, &poll, &Addr::Tcp(four)).unwrap_err();
        assert_eq!(again.raw_os_error(), Some(libc::EADDRINUSE));

        listeners.unlisten(&Addr::Tcp(four));
        listen(&mut listeners, &poll, &Addr::Tcp(four)).unwrap();
    }

    #[test]
    fn a_stale_unix_socket_is_replaced_but_a_file_is_not() {
        let poll = Poll::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let addr = Addr::Unix(path.to_str().unwrap().into());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let mut listeners = Listeners::default();
        listen(&mut listeners, &poll, &addr).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        listeners.close();
        assert!(!path.exists());

        std::fs::write(&path, "precious").unwrap();
        let error = listen(&mut listeners, &poll, &addr).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn listeners_have_tokens_of_their_own() {
        assert_eq!(key_of(token_of(0)), Some(0));
        assert_eq!(key_of(token_of(12)), Some(12));
        assert_eq!(key_of(Token(RESERVED_INDEX as usize)), None);
        assert_eq!(key_of(Token(5)), None);
    }

    #[test]
    fn an_error_is_told_in_the_systems_words() {
        let error = io::Error::from_raw_os_error(libc::EMFILE);
        assert_eq!(text(&error), "Too many open files");
    }
}
