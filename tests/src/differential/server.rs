//! One of the two servers, and the connections to it.

use std::fs;
use std::io::{self, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use holdfast_core::resp::encode_command;
use tempfile::TempDir;

use super::reply::Reply;
use super::rules::{Peer, is_message};
use super::sequence::Words;
use crate::ports::Port;
use crate::process::Process;
use crate::wait::{PATIENCE, wait_until};

/// After so long, there is no answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Settings that sequences change.
const CHANGED: &[&str] = &[
    "list-max-listpack-size",
    "list-compress-depth",
    "hash-max-listpack-entries",
    "hash-max-listpack-value",
    "set-max-intset-entries",
    "set-max-listpack-entries",
    "set-max-listpack-value",
    "zset-max-listpack-entries",
    "zset-max-listpack-value",
    "stream-node-max-entries",
    "stream-node-max-bytes",
    "hll-sparse-max-bytes",
    "lazyfree-lazy-user-del",
    "notify-keyspace-events",
];

/// A server that was started for this.
#[derive(Debug)]
pub struct Server {
    // Before the directory, so that the process ends first.
    process: Process,
    port: Port,
    _dir: TempDir,
    control: Link,
    links: Vec<Option<Link>>,
    version: String,
    peer: Peer,
    /// `CONFIG SET` with every setting that sequences change.
    defaults: Words,
}

/// A connection, and what has to be known of it to tell its replies apart.
#[derive(Debug)]
pub(crate) struct Link {
    stream: BufReader<TcpStream>,
    /// Between MULTI and EXEC.
    in_multi: bool,
}

/// What came back on a connection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Answer {
    /// Replies and messages, in order.
    pub replies: Vec<Reply>,
    /// Whether the server closed the connection behind them.
    pub closed: bool,
}

impl Server {
    /// Starts what `command` starts, with a configuration file, and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn start(mut command: Command) -> Self {
        let dir = tempfile::Builder::new().prefix("holdfast-diff-").tempdir();
        let dir = dir.expect("a temporary directory can be made");
        let port = Port::free();
        let path = dir.path().join("redis.conf");
        let config = format!(
            "bind 127.0.0.1\nport {}\ndir {}\nlogfile {}\nsave \"\"\nenable-debug-command yes\n",
            port.number(),
            dir.path().display(),
            dir.path().join("log").display()
        );
        fs::write(&path, config).expect("a temporary file can be written");
        command.arg(&path).stdout(Stdio::null());
        let mut process = Process::start(&mut command);
        let control = wait_until(PATIENCE, "the server answers PING", || {
            let ended = process.ended();
            assert!(ended.is_none(), "{command:?} ended: {ended:?}");
            let mut link = Link::connect(port.number()).ok()?;
            let reply = link.ask(&["PING"]).ok()?;
            (reply.text() == b"PONG").then_some(link)
        });
        let mut server = Self {
            process,
            port,
            _dir: dir,
            control,
            links: Vec::new(),
            version: String::new(),
            peer: Peer::Redis72,
            defaults: Vec::new(),
        };
        server.learn().expect("a server tells of itself");
        server
    }

    fn learn(&mut self) -> io::Result<()> {
        let info = self.ask(&["INFO", "server"])?;
        let info = crate::Info::parse(&String::from_utf8_lossy(info.text()));
        info.get("redis_version").clone_into(&mut self.version);
        if info.get("server_name") == "valkey" {
            self.peer = Peer::Valkey;
        } else if self.version.starts_with("7.0.") {
            self.peer = Peer::Redis70;
        }
        Ok(())
    }

    /// Lets both begin every sequence with the settings that ours has.
    pub fn settings(ours: &mut Self, theirs: &mut Self) -> io::Result<()> {
        let mut set = vec![b"CONFIG".to_vec(), b"SET".to_vec()];
        for name in CHANGED {
            let reply = ours.ask(&["CONFIG", "GET", name])?;
            if let Some(value) = reply
                .field(name)
                .filter(|_| theirs.has_setting(name).is_ok_and(|has| has))
            {
                set.extend([name.as_bytes().to_vec(), value.text().to_vec()]);
            }
        }
        ours.defaults.clone_from(&set);
        theirs.defaults = set;
        Ok(())
    }

    /// The version of Redis that it says it is like.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whose it is.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// How the process ended, if it has.
    pub fn ended(&mut self) -> Option<String> {
        self.process.ended().map(|status| status.to_string())
    }

    /// Asks on a connection of its own that no sequence uses.
    pub fn ask(&mut self, words: &[&str]) -> io::Result<Reply> {
        self.control.ask(words)
    }

    /// The same for many commands at once.
    pub fn ask_all(&mut self, commands: &[Words]) -> io::Result<Vec<Reply>> {
        self.control.ask_all(commands)
    }

    /// The connection of its own that no sequence uses.
    pub(super) const fn control(&mut self) -> &mut Link {
        &mut self.control
    }

    /// Empties it, with all settings as they were and no connection but the one to ask on.
    pub fn reset(&mut self) -> io::Result<()> {
        self.links.clear();
        let flush = vec![b"FLUSHALL".to_vec()];
        let replies = self.ask_all(&[flush, self.defaults.clone()])?;
        match replies.iter().find(|reply| reply.is_error()) {
            None => Ok(()),
            Some(error) => Err(io::Error::other(error.show())),
        }
    }

    /// Whether it has a command, or the subcommand its second word names.
    pub fn knows(&mut self, name: &[&str]) -> io::Result<bool> {
        let Some(first) = name.first() else {
            return Ok(false);
        };
        let reply = self.ask(&["COMMAND", "INFO", first])?;
        let Some(info) = reply
            .items()
            .first()
            .filter(|info| !info.items().is_empty())
        else {
            return Ok(false);
        };
        let contains = info
            .items()
            .get(9)
            .is_some_and(|all| !all.items().is_empty());
        let Some(second) = name.get(1).filter(|_| contains) else {
            return Ok(true);
        };
        let reply = self.ask(&["COMMAND", "INFO", &format!("{first}|{second}")])?;
        Ok(reply
            .items()
            .first()
            .is_some_and(|info| !info.items().is_empty()))
    }

    /// Whether it has a directive.
    pub fn has_setting(&mut self, name: &str) -> io::Result<bool> {
        let reply = self.ask(&["CONFIG", "GET", name])?;
        Ok(!reply.items().is_empty())
    }

    /// DUMP of what a command makes under the key `payload`.
    pub fn payload_of(&mut self, command: &str) -> io::Result<Option<Vec<u8>>> {
        let words: Vec<&str> = command.split(' ').collect();
        self.ask(&words)?;
        let payload = self.ask(&["DUMP", "payload"])?;
        self.ask(&["DEL", "payload"])?;
        Ok((payload.kind() == b'$').then(|| payload.text().to_vec()))
    }

    /// Sends commands on one of the connections of a sequence, without waiting.
    pub fn send(&mut self, link: usize, commands: &[Words], pipelined: bool) -> io::Result<()> {
        if self.links.len() <= link {
            self.links.resize_with(link + 1, || None);
        }
        let slot = &mut self.links[link];
        let link = match slot {
            Some(link) => link,
            None => slot.insert(Link::connect(self.port.number())?),
        };
        let sent = if pipelined || link.ending(commands) != Ending::Marker {
            link.send(commands)
        } else {
            let marker = vec![b"PING".to_vec(), MARKER.to_vec()];
            let all: Vec<Words> = commands.iter().cloned().chain([marker]).collect();
            link.send(&all)
        };
        // A connection that is closed already shows when its replies are read.
        match sent {
            Err(error) if is_closed(&error) => Ok(()),
            sent => sent,
        }
    }

    /// Reads what came back for [`Self::send`] with the same arguments.
    pub fn receive(
        &mut self,
        link: usize,
        commands: &[Words],
        pipelined: bool,
    ) -> io::Result<Answer> {
        let slot = &mut self.links[link];
        let link = slot.as_mut().expect("something was sent on it");
        let answer = link.receive(commands, pipelined)?;
        if answer.closed {
            *slot = None;
        }
        Ok(answer)
    }
}

/// Commands that are under way at once at most.
pub(super) const BATCH: usize = 32;
/// Nothing else is answered with it.
const MARKER: &[u8] = b"the replies end here";

/// How the end of the replies to a step is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    /// By the reply to a PING behind it.
    Marker,
    /// There are as many as commands: a PING would be queued.
    Count,
    /// The server closes the connection.
    Close,
}

impl Link {
    /// Connects to the server on a port.
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect_timeout(&addr, ANSWER_MAX)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            in_multi: false,
        })
    }

    fn ask(&mut self, words: &[&str]) -> io::Result<Reply> {
        let words: Words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        self.send(&[words])?;
        Reply::read(&mut self.stream)
    }

    /// Sends many commands at once and waits for their replies.
    pub(crate) fn ask_all(&mut self, commands: &[Words]) -> io::Result<Vec<Reply>> {
        let mut replies = Vec::with_capacity(commands.len());
        for batch in commands.chunks(BATCH) {
            self.send(batch)?;
            for _ in batch {
                replies.push(Reply::read(&mut self.stream)?);
            }
        }
        Ok(replies)
    }

    fn send(&mut self, commands: &[Words]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for words in commands {
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            encode_command(&mut bytes, &words);
        }
        self.stream.get_mut().write_all(&bytes)
    }

    fn ending(&self, commands: &[Words]) -> Ending {
        let is = |words: &Words, name: &str| words[0].eq_ignore_ascii_case(name.as_bytes());
        if commands.iter().any(|words| is(words, "QUIT")) {
            return Ending::Close;
        }
        let ends = |words: &Words| {
            let ends = is(words, "EXEC") || is(words, "DISCARD") || is(words, "RESET");
            ends && words.len() == 1
        };
        let begins = commands.iter().any(|words| is(words, "MULTI"));
        if begins || self.in_multi && !commands.iter().any(ends) {
            Ending::Count
        } else {
            Ending::Marker
        }
    }

    fn receive(&mut self, commands: &[Words], pipelined: bool) -> io::Result<Answer> {
        let ending = if pipelined {
            Ending::Count
        } else {
            self.ending(commands)
        };
        let mut answer = Answer::default();
        let mut counted = 0;
        while ending != Ending::Count || counted < commands.len() {
            match Reply::read(&mut self.stream) {
                Ok(reply) if ending == Ending::Marker && is_marker(&reply) => break,
                Ok(reply) => {
                    counted += usize::from(answers(&reply));
                    answer.replies.push(reply);
                }
                Err(error) if is_closed(&error) => {
                    answer.closed = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        match ending {
            Ending::Marker => self.in_multi = false,
            Ending::Count | Ending::Close => {
                let replies = answer.replies.iter().filter(|reply| answers(reply));
                for (words, reply) in commands.iter().zip(replies) {
                    if words[0].eq_ignore_ascii_case(b"MULTI") && reply.text() == b"OK" {
                        self.in_multi = true;
                    } else if reply.text().starts_with(b"EXECABORT ") {
                        // An EXEC with a word too many ends it, too.
                        self.in_multi = false;
                    }
                }
            }
        }
        Ok(answer)
    }
}

/// Whether this answers a command: messages to a subscriber come at any time.
fn answers(reply: &Reply) -> bool {
    reply.kind() != b'>' && !is_message(reply)
}

/// The reply to PING, in either protocol and with subscriptions or without.
fn is_marker(reply: &Reply) -> bool {
    reply.text() == MARKER
        || reply
            .items()
            .last()
            .is_some_and(|last| last.text() == MARKER)
}

fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
}
