//! One connection of a client.

use std::io::IoSlice;
use std::net::SocketAddr;

use holdfast_core::machine::ConnId;

use super::Env;
use crate::ids::End;
use crate::net::Read;
use crate::resp::{Malformed, Reader, Reply};

const OWNER: ConnId = ConnId {
    index: 0,
    generation: 0,
};

/// A connection that is being made or is up.
pub struct Line {
    /// The client's end.
    pub end: End,
    /// The server.
    pub to: SocketAddr,
    up: bool,
    unsent: Vec<u8>,
    reader: Reader,
}

/// The connection is of no more use.
#[derive(Debug)]
pub enum Gone {
    /// Closed, reset or refused.
    Closed,
    /// The server sent something that is not RESP.
    Malformed(Malformed),
}

impl Line {
    /// Begins to connect.
    pub fn connect(env: &mut Env<'_>, to: SocketAddr) -> Self {
        Self {
            end: env.net.connect(env.queue, env.node, to, OWNER),
            to,
            up: false,
            unsent: Vec::new(),
            reader: Reader::default(),
        }
    }

    /// The attempt to connect has ended.
    pub fn on_connected(&mut self, env: &mut Env<'_>, result: Result<(), i32>) -> Result<(), Gone> {
        result.map_err(|_| Gone::Closed)?;
        self.up = true;
        self.flush(env);
        Ok(())
    }

    /// Sends, now or as soon as it is connected.
    pub fn send(&mut self, env: &mut Env<'_>, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
        self.flush(env);
    }

    /// There is room to write.
    pub fn flush(&mut self, env: &mut Env<'_>) {
        if !self.up || self.unsent.is_empty() {
            return;
        }
        let part = [IoSlice::new(&self.unsent)];
        let written = env.net.write(env.queue, self.end, &part);
        env.sink
            .wire(env.queue.now(), env.net, self.end, &part, written);
        self.unsent.drain(..written);
    }

    /// Takes in what has arrived.
    pub fn read(&mut self, env: &mut Env<'_>) -> Result<(), Gone> {
        let mut buffer = [0; 4096];
        loop {
            match env.net.read(env.queue, self.end, &mut buffer) {
                Read::Bytes(len) => self.reader.push(&buffer[..len]),
                Read::Empty => return Ok(()),
                Read::Eof | Read::Broken(_) => return Err(Gone::Closed),
            }
        }
    }

    /// The next reply that has come whole.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, Gone> {
        self.reader.next_reply().map_err(Gone::Malformed)
    }

    /// Closes it.
    pub fn close(self, env: &mut Env<'_>) {
        env.net.close(env.queue, self.end);
    }
}
