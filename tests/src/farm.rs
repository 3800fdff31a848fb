//! Thousands of masters with one replica each, as far as a Sentinel can tell, in one thread.
//!
//! Each has a loopback address of its own, so that one port does for all.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use holdfast_core::resp::{Argv, ParseLimits, Parsed, Parser, Sender as From, encode_command};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::ports::Port;

/// The servers, until this value goes.
#[derive(Debug)]
pub struct Farm {
    port: Port,
    masters: u16,
    kills: Sender<u16>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    promoted: AtomicUsize,
}

/// All servers and the connections to them.
struct Field {
    poll: Poll,
    servers: Vec<Server>,
    conns: Slab<Conn>,
    kills: Receiver<u16>,
    shared: Arc<Shared>,
}

struct Server {
    listener: Option<TcpListener>,
    /// Of a replica, the address it says it follows.
    master: Option<SocketAddr>,
    /// Those who listen for hellos.
    subscribers: Vec<usize>,
}

struct Conn {
    server: usize,
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    queued: Option<Vec<Vec<Vec<u8>>>>,
}

impl Farm {
    /// Starts masters with a replica each.
    ///
    /// # Panics
    ///
    /// If the system does not give it the sockets.
    pub fn start(masters: u16) -> Self {
        let port = Port::free();
        let (kills, orders) = channel();
        let shared = Arc::new(Shared::default());
        let field = Field::new(port.number(), masters, orders, Arc::clone(&shared));
        let mut field = field.expect("the system gives sockets");
        let thread = std::thread::spawn(move || field.run());
        Self {
            port,
            masters,
            kills,
            shared,
            thread: Some(thread),
        }
    }

    /// Where a master is.
    pub fn master(&self, number: u16) -> SocketAddr {
        address(2 * usize::from(number), self.port.number())
    }

    /// How many masters there are.
    pub const fn masters(&self) -> u16 {
        self.masters
    }

    /// Ends a master: its connections break, and it takes no others.
    ///
    /// # Panics
    ///
    /// If the farm has failed.
    pub fn kill(&self, number: u16) {
        self.kills.send(number).expect("the farm works");
    }

    /// How many replicas have been made masters.
    pub fn promoted(&self) -> usize {
        self.shared.promoted.load(Ordering::SeqCst)
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // Its panic was reported already.
            drop(thread.join());
        }
    }
}

impl Field {
    fn new(port: u16, masters: u16, kills: Receiver<u16>, shared: Arc<Shared>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut servers = Vec::new();
        for index in 0..2 * usize::from(masters) {
            let mut listener = TcpListener::bind(address(index, port))?;
            poll.registry()
                .register(&mut listener, Token(index), Interest::READABLE)?;
            servers.push(Server {
                listener: Some(listener),
                master: (index % 2 == 1).then(|| address(index - 1, port)),
                subscribers: Vec::new(),
            });
        }
        Ok(Self {
            poll,
            servers,
            conns: Slab::new(),
            kills,
            shared,
        })
    }

    fn run(&mut self) {
        let mut events = Events::with_capacity(1024);
        while !self.shared.stop.load(Ordering::SeqCst) {
            match self.poll.poll(&mut events, Some(Duration::from_millis(20))) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => panic!("{error}"),
            }
            while let Ok(number) = self.kills.try_recv() {
                self.kill(2 * usize::from(number));
            }
            for event in &events {
                let Token(at) = event.token();
                match at.checked_sub(self.servers.len()) {
                    None => self.accept(at),
                    Some(conn) => self.serve(conn),
                }
            }
        }
    }

    fn kill(&mut self, server: usize) {
        self.servers[server].listener = None;
        self.servers[server].subscribers.clear();
        self.conns.retain(|_, conn| conn.server != server);
    }

    fn accept(&mut self, server: usize) {
        while let Some(listener) = &self.servers[server].listener {
            let Ok((mut stream, _)) = listener.accept() else {
                return;
            };
            let entry = self.conns.vacant_entry();
            let token = Token(self.servers.len() + entry.key());
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            registry
                .register(&mut stream, token, interest)
                .expect("the system watches a socket");
            entry.insert(Conn {
                server,
                stream,
                input: Vec::new(),
                output: Vec::new(),
                queued: None,
            });
        }
    }

    fn serve(&mut self, at: usize) {
        let Some(conn) = self.conns.get_mut(at) else {
            return;
        };
        if conn.read().is_err() {
            return self.hang_up(at);
        }
        let input = std::mem::take(&mut conn.input);
        let mut rest = input.as_slice();
        let limits = ParseLimits {
            bulk_max: 1 << 20,
            authenticated: true,
            from: From::Client,
        };
        loop {
            let mut argv = Argv::default();
            match Parser::default().parse(rest, &mut argv, &limits) {
                Ok(Parsed::Command { len }) => {
                    let args = argv.over(&rest[..len]);
                    let words = args.iter().map(<[u8]>::to_vec).collect();
                    self.command(at, words);
                    rest = &rest[len..];
                }
                Ok(Parsed::Nothing { len }) => rest = &rest[len..],
                Ok(Parsed::Incomplete | Parsed::Diverted { .. }) | Err(_) => break,
            }
        }
        self.conns[at].input = rest.to_vec();
        if self.conns[at].write().is_err() {
            self.hang_up(at);
        }
    }

    fn hang_up(&mut self, at: usize) {
        let conn = self.conns.remove(at);
        self.servers[conn.server]
            .subscribers
            .retain(|&one| one != at);
    }

    fn command(&mut self, at: usize, words: Vec<Vec<u8>>) {
        let conn = &mut self.conns[at];
        match words[0].to_ascii_uppercase().as_slice() {
            b"MULTI" => {
                conn.queued = Some(Vec::new());
                conn.output.extend_from_slice(b"+OK\r\n");
            }
            b"EXEC" => {
                let queued = conn.queued.take().unwrap_or_default();
                let header = format!("*{}\r\n", queued.len());
                conn.output.extend_from_slice(header.as_bytes());
                queued.iter().for_each(|words| self.execute(at, words));
            }
            _ => match &mut conn.queued {
                Some(queued) => {
                    queued.push(words);
                    conn.output.extend_from_slice(b"+QUEUED\r\n");
                }
                None => self.execute(at, &words),
            },
        }
    }

    fn execute(&mut self, at: usize, words: &[Vec<u8>]) {
        let server = self.conns[at].server;
        let reply = match words[0].to_ascii_uppercase().as_slice() {
            b"PING" => b"+PONG\r\n".to_vec(),
            b"INFO" => {
                let info = self.info(server);
                format!("${}\r\n{info}\r\n", info.len()).into_bytes()
            }
            b"SUBSCRIBE" => {
                self.servers[server].subscribers.push(at);
                let len = words[1].len();
                let channel = String::from_utf8_lossy(&words[1]);
                format!("*3\r\n$9\r\nsubscribe\r\n${len}\r\n{channel}\r\n:1\r\n").into_bytes()
            }
            b"PUBLISH" => {
                let mut message = Vec::new();
                encode_command(&mut message, &[b"message", &words[1], &words[2]]);
                for to in self.servers[server].subscribers.clone() {
                    self.conns[to].output.extend_from_slice(&message);
                    // One that is broken is noticed when it is read from.
                    drop(self.conns[to].write());
                }
                b":1\r\n".to_vec()
            }
            b"SLAVEOF" => {
                self.slaveof(server, &words[1], &words[2]);
                b"+OK\r\n".to_vec()
            }
            _ => b"+OK\r\n".to_vec(),
        };
        self.conns[at].output.extend_from_slice(&reply);
    }

    fn slaveof(&mut self, server: usize, host: &[u8], port: &[u8]) {
        let text = format!(
            "{}:{}",
            String::from_utf8_lossy(host),
            String::from_utf8_lossy(port)
        );
        let master = text.parse().ok();
        if master.is_none() && self.servers[server].master.is_some() {
            self.shared.promoted.fetch_add(1, Ordering::SeqCst);
        }
        self.servers[server].master = master;
    }

    /// About as long as that of a real server.
    fn info(&self, server: usize) -> String {
        let mut info = format!("# Server\r\nrun_id:{server:0>40}\r\n");
        for line in 0..180 {
            info += &format!("some_statistic_of_a_server_{line}:{}\r\n", line * 4711);
        }
        let history = server / 2;
        match self.servers[server].master {
            None => {
                info += "role:master\r\n";
                let own = address_of(&self.servers[server]);
                let neighbour = &self.servers[server ^ 1];
                let at = address_of(neighbour).filter(|_| neighbour.master == own);
                if let Some(at) = at {
                    info += &format!(
                        "slave0:ip={},port={},state=online,offset=100,lag=0\r\n",
                        at.ip(),
                        at.port()
                    );
                }
            }
            Some(master) => {
                info += &format!(
                    "role:slave\r\nmaster_host:{}\r\nmaster_port:{}\r\nmaster_link_status:up\r\n\
                     slave_repl_offset:100\r\nslave_priority:100\r\nreplica_announced:1\r\n",
                    master.ip(),
                    master.port()
                );
            }
        }
        info + &format!(
            "master_replid:{history:a>40}\r\nmaster_replid2:{:0>40}\r\n",
            0
        )
    }
}

fn address_of(server: &Server) -> Option<SocketAddr> {
    server.listener.as_ref()?.local_addr().ok()
}

impl Conn {
    fn read(&mut self) -> io::Result<()> {
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.input.extend_from_slice(&bytes[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(written) => drop(self.output.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn address(index: usize, port: u16) -> SocketAddr {
    let part = |number: usize| u8::try_from(number).expect("a farm is not that large");
    let ip = Ipv4Addr::new(127, 77, part(index / 250), part(index % 250 + 1));
    SocketAddr::from((ip, port))
}
