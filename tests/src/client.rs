//! A small client.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use holdfast_core::resp::{ReplyParser, Value, encode_command};

use crate::wait::PATIENCE;

/// A connection to a server or Sentinel, mostly on loopback.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    parser: ReplyParser,
    /// Received and not parsed yet.
    pending: Vec<u8>,
}

impl Client {
    /// Connects, with patience for answers.
    pub fn connect(port: u16) -> io::Result<Self> {
        Self::connect_within(port, PATIENCE)
    }

    /// Connects, and gives up on an answer after a while.
    pub fn connect_within(port: u16, patience: Duration) -> io::Result<Self> {
        Self::connect_to((Ipv4Addr::LOCALHOST, port).into(), patience)
    }

    /// The same to any address, as it is reached from the network namespace of the thread.
    pub fn connect_to(addr: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            parser: ReplyParser::default(),
            pending: Vec::new(),
        })
    }

    /// Sends a command and waits for its reply.
    pub fn ask(&mut self, words: &[&str]) -> io::Result<Value> {
        self.send(words)?;
        self.receive()
    }

    /// Sends a command.
    pub fn send(&mut self, words: &[&str]) -> io::Result<()> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let mut bytes = Vec::new();
        encode_command(&mut bytes, &words);
        self.send_raw(&bytes)
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Waits for the next reply or message.
    pub fn receive(&mut self) -> io::Result<Value> {
        let mut chunk = [0; 16 * 1024];
        loop {
            let mut bytes = self.pending.as_slice();
            let parsed = self.parser.next(&mut bytes).map_err(io::Error::other)?;
            let left = bytes.len();
            self.pending.drain(..self.pending.len() - left);
            if let Some(value) = parsed {
                return Ok(value);
            }
            let read = self.stream.read(&mut chunk)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.pending.extend_from_slice(&chunk[..read]);
        }
    }

    /// The reply to a command, as [`text_of`] shows it.
    ///
    /// # Panics
    ///
    /// If there is no reply.
    #[track_caller]
    pub fn text(&mut self, words: &[&str]) -> String {
        match self.ask(words) {
            Ok(reply) => text_of(&reply),
            Err(error) => panic!("{words:?}: {error}"),
        }
    }
}

/// A reply for people and comparisons: strings as they are, errors with their dash, `(nil)` for
/// nothing, elements joined by blanks.
pub fn text_of(value: &Value) -> String {
    let join = |items: &[Value]| items.iter().map(text_of).collect::<Vec<_>>().join(" ");
    let lossy = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    match value {
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim(_, text) => lossy(text),
        Value::Error(text) => format!("-{}", lossy(text)),
        Value::Int(value) => value.to_string(),
        Value::Null => "(nil)".to_owned(),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => join(items),
        Value::Map(pairs) => {
            let pair =
                |(key, value): &(Value, Value)| format!("{} {}", text_of(key), text_of(value));
            pairs.iter().map(pair).collect::<Vec<_>>().join(" ")
        }
        Value::Double(value) => value.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::BigNumber(digits) => lossy(digits),
    }
}
