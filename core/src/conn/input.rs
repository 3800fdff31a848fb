//! What a connection has received and not yet consumed.

use core::ops::Range;

use crate::limits;
use crate::resp::{Argv, ArgvRef, ParseLimits, Parsed, Parser, ProtocolError, Sender};

/// The bytes received on one connection, and how far they are understood.
///
/// A value of its own: it can be taken out of its connection, so that the machine is free while
/// arguments borrow from it.
#[must_use = "unless it is put back, the bytes are lost"]
#[derive(Debug, Default)]
pub struct Input {
    /// Initialised as far as bytes may be read into it.
    bytes: Vec<u8>,
    /// Where the first byte not consumed is, and where the received ones end.
    pending: Range<usize>,
    /// Where the last command is.
    last: Range<usize>,
    consumed: u64,
    parser: Parser,
    /// Whether `bytes` is the buffer that all connections share.
    borrowed: bool,
}

impl Input {
    /// The next command, with its arguments in `argv`.
    ///
    /// From a client, empty commands are skipped; from a replica or master they come as commands
    /// without arguments, so that signs of life and offsets can be counted.
    pub fn next<'a>(
        &'a mut self,
        argv: &'a mut Argv,
        limits: &ParseLimits,
    ) -> Result<Option<ArgvRef<'a>>, ProtocolError> {
        loop {
            let parsed = self
                .parser
                .parse(&self.bytes[self.pending.clone()], argv, limits)?;
            let len = match parsed {
                Parsed::Command { len } => len,
                Parsed::Nothing { len } if limits.from == Sender::Client => {
                    self.advance(len);
                    continue;
                }
                Parsed::Nothing { len } => len,
                Parsed::Incomplete => return Ok(None),
                Parsed::Diverted { keep } => {
                    self.pending.end = self.pending.start + keep;
                    return Ok(None);
                }
            };
            self.advance(len);
            self.consumed += argv.big_bytes() as u64;
            return Ok(Some(self.last_args(argv)));
        }
    }

    /// The bytes of the command that [`next`](Self::next) returned last, as they came, in order.
    pub fn last_raw<'a>(&'a self, argv: &'a Argv) -> impl Iterator<Item = &'a [u8]> {
        argv.raw(&self.bytes[self.last.clone()])
    }

    /// The arguments of the command that [`next`](Self::next) returned last.
    pub fn last_args<'a>(&'a self, argv: &'a Argv) -> ArgvRef<'a> {
        argv.over(&self.bytes[self.last.clone()])
    }

    /// The bytes not consumed, for what is no stream of commands.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.pending.clone()]
    }

    /// Consumes the first `count` of [`bytes`](Self::bytes).
    pub fn skip(&mut self, count: usize) {
        assert!(
            count <= self.pending.len(),
            "only received bytes can be skipped"
        );
        if count > 0 {
            self.parser.reset();
            self.advance(count);
        }
    }

    /// Room for more bytes; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        if self.parser.big_space().is_some() {
            return self.parser.big_space().expect("it was there");
        }
        self.compact();
        let room = self
            .pending
            .end
            .clamp(limits::READ_GROW_BYTES, limits::READ_SCRATCH_BYTES);
        if self.bytes.len() < self.pending.end + room {
            self.bytes.resize(self.pending.end + room, 0);
        }
        &mut self.bytes[self.pending.end..]
    }

    /// Takes `count` bytes that were put at the start of [`space`](Self::space).
    pub fn filled(&mut self, count: usize) {
        if self.parser.big_space().is_some() {
            self.parser.big_filled(count);
        } else {
            assert!(
                count <= self.bytes.len() - self.pending.end,
                "more bytes than room"
            );
            self.pending.end += count;
        }
    }

    /// Bytes received and not consumed.
    pub fn len(&self) -> usize {
        self.pending.len() + self.parser.big_len()
    }

    /// Whether everything received is consumed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the next byte starts a command.
    pub fn is_idle(&self) -> bool {
        self.is_empty() && self.parser.is_idle()
    }

    /// All bytes ever consumed.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Memory held beyond the struct itself.
    pub fn memory(&self) -> usize {
        let own = if self.borrowed {
            0
        } else {
            self.bytes.capacity()
        };
        own + self.parser.memory()
    }

    /// Whether a big argument is on its way, whose bytes go to a buffer of its own.
    pub(super) fn wants_big(&mut self) -> bool {
        self.parser.big_space().is_some()
    }

    /// Moves the bytes not consumed to a place in a shared buffer, to be worked on there.
    pub(super) fn borrow(&mut self, mut shared: Vec<u8>, start: usize) {
        let pending = start..start + self.pending.len();
        shared[pending.clone()].copy_from_slice(&self.bytes[self.pending.clone()]);
        self.place(shared, pending);
        self.borrowed = true;
    }

    /// Gives a shared buffer back and moves the bytes not consumed to a buffer of their own.
    pub(super) fn give_back(&mut self) -> Option<Vec<u8>> {
        if !self.borrowed {
            return None;
        }
        self.borrowed = false;
        let own = self.bytes[self.pending.clone()].to_vec();
        let len = own.len();
        Some(self.place(own, 0..len))
    }

    /// Gives the memory back if nothing is pending.
    pub(super) fn settle(&mut self) {
        if self.pending.is_empty() {
            self.place(Vec::new(), 0..0);
        }
    }

    /// Gives back the room that is left for the bytes to come, of which nothing is lent.
    pub(super) fn shrink(&mut self) {
        assert!(!self.borrowed, "at rest the bytes are its own");
        self.bytes.truncate(self.pending.end);
        self.bytes.shrink_to_fit();
        self.parser.shrink();
    }

    fn advance(&mut self, len: usize) {
        let start = self.pending.start;
        self.pending.start += len;
        self.last = start..self.pending.start;
        self.consumed += len as u64;
    }

    fn place(&mut self, bytes: Vec<u8>, pending: Range<usize>) -> Vec<u8> {
        self.pending = pending;
        self.last = 0..0;
        core::mem::replace(&mut self.bytes, bytes)
    }

    /// Moves the bytes not consumed to the front.
    fn compact(&mut self) {
        if self.pending.start > 0 {
            self.bytes.copy_within(self.pending.clone(), 0);
            self.pending = 0..self.pending.len();
            self.last = 0..0;
        }
    }
}
