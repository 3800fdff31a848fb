//! Replies in a client's protocol, written straight into its output.

use bytes::Bytes;

use super::encode::{HEADER_MAX, header};
use super::{Proto, ProtocolError, fmt_double};
use crate::conn::{Mark, OutBuf};

/// Writes one client's replies in its protocol, or drops them if it shall have none.
#[derive(Debug)]
pub struct Reply<'a> {
    out: &'a mut OutBuf,
    proto: Proto,
    silent: bool,
}

/// An aggregate whose length is still to be told, by [`Reply::set_len`].
#[must_use = "the reply is broken until its length is set"]
#[derive(Debug)]
pub struct Later {
    kind: Kind,
    mark: Option<Mark>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Array,
    Map,
    Set,
}

impl<'a> Reply<'a> {
    /// Writes to `out` in protocol `proto`.
    pub const fn new(out: &'a mut OutBuf, proto: Proto) -> Self {
        Self {
            out,
            proto,
            silent: false,
        }
    }

    /// Writes nothing from here on if `silent`.
    #[must_use]
    pub const fn silenced(mut self, silent: bool) -> Self {
        self.silent = silent;
        self
    }

    /// Goes on writing.
    pub const fn unmute(&mut self) {
        self.silent = false;
    }

    /// Changes the protocol from here on.
    pub const fn set_proto(&mut self, proto: Proto) {
        self.proto = proto;
    }

    /// The protocol it writes.
    pub const fn proto(&self) -> Proto {
        self.proto
    }

    /// Whether nothing is written.
    pub const fn is_silent(&self) -> bool {
        self.silent
    }

    /// The output behind it, for fences and deferred replies.
    pub const fn out(&mut self) -> &mut OutBuf {
        self.out
    }

    /// `+OK`.
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A status. The text must be one line.
    pub fn simple(&mut self, text: &str) {
        debug_assert!(!text.contains(['\r', '\n']));
        self.line(b'+', text.as_bytes());
    }

    /// An error: its code and text, without the `-`. Line ends become spaces.
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// An error whose text may hold any byte. Line ends become spaces, as in Redis.
    pub fn error_bytes(&mut self, text: &[u8]) {
        if self.silent {
            return;
        }
        let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        let text = &text[..end.map_or(0, |last| last + 1)];
        let to = self.out.room(text.len() + 3);
        to.push(b'-');
        to.extend(text.iter().map(|&byte| match byte {
            b'\r' | b'\n' => b' ',
            byte => byte,
        }));
        to.extend_from_slice(b"\r\n");
    }

    /// The answer to a client that broke the protocol.
    pub fn protocol_error(&mut self, error: ProtocolError) {
        let mut text = b"ERR ".to_vec();
        text.extend_from_slice(&error.reply());
        self.error_bytes(&text);
    }

    /// An integer.
    pub fn int(&mut self, value: i64) {
        match value {
            0 => self.raw(b":0\r\n"),
            1 => self.raw(b":1\r\n"),
            _ => self.line(b':', itoa::Buffer::new().format(value).as_bytes()),
        }
    }

    /// A bulk string.
    pub fn bulk(&mut self, text: &[u8]) {
        if self.silent {
            return;
        }
        let to = self.out.room(text.len() + HEADER_MAX + 2);
        header(to, b'$', text.len());
        to.extend_from_slice(text);
        to.extend_from_slice(b"\r\n");
    }

    /// A bulk string that is shared instead of copied if it is long.
    pub fn bulk_shared(&mut self, text: &Bytes) {
        if self.silent {
            return;
        }
        header(self.out.room(HEADER_MAX), b'$', text.len());
        self.out.push_shared(text);
        self.out.push(b"\r\n");
    }

    /// An integer as a bulk string.
    pub fn bulk_int(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// No value.
    pub fn null(&mut self) {
        self.raw(match self.proto {
            Proto::Resp2 => b"$-1\r\n",
            Proto::Resp3 => b"_\r\n",
        });
    }

    /// No array.
    pub fn null_array(&mut self) {
        self.raw(match self.proto {
            Proto::Resp2 => b"*-1\r\n",
            Proto::Resp3 => b"_\r\n",
        });
    }

    /// The start of an array of `len` elements.
    pub fn array(&mut self, len: usize) {
        self.aggregate(Kind::Array, len);
    }

    /// The start of a map of `len` pairs; in RESP2 an array of twice as many elements.
    pub fn map(&mut self, len: usize) {
        self.aggregate(Kind::Map, len);
    }

    /// The start of a set of `len` elements; in RESP2 an array.
    pub fn set(&mut self, len: usize) {
        self.aggregate(Kind::Set, len);
    }

    /// The start of a push of `len` elements; in RESP2 an array.
    pub fn push(&mut self, len: usize) {
        let kind = match self.proto {
            Proto::Resp2 => b'*',
            Proto::Resp3 => b'>',
        };
        self.header(kind, len);
    }

    /// A whole push of `len` elements, which is sent even where replies are silenced.
    pub fn pushed(&mut self, len: usize, write: impl FnOnce(&mut Self)) {
        let silent = core::mem::replace(&mut self.silent, false);
        self.push(len);
        write(self);
        self.silent = silent;
    }

    /// The start of an attribute of `len` pairs, to be followed by the reply it belongs to.
    ///
    /// False if the protocol has none; then the pairs must be left out.
    #[must_use]
    pub fn attribute(&mut self, len: usize) -> bool {
        let known = self.proto == Proto::Resp3;
        if known {
            self.header(b'|', len);
        }
        known
    }

    /// The start of an array whose length is told when its elements are written.
    pub fn array_later(&self) -> Later {
        self.later(Kind::Array)
    }

    /// As [`array_later`](Self::array_later), for a map.
    pub fn map_later(&self) -> Later {
        self.later(Kind::Map)
    }

    /// As [`array_later`](Self::array_later), for a set.
    pub fn set_later(&self) -> Later {
        self.later(Kind::Set)
    }

    /// Tells the length of an aggregate. Of nested ones, the inner ones have to come first.
    pub fn set_len(&mut self, later: Later, len: usize) {
        if let Some(mark) = later.mark {
            let (kind, len) = self.kind(later.kind, len);
            let mut line = Vec::with_capacity(HEADER_MAX);
            header(&mut line, kind, len);
            self.out.insert(mark, &line);
        }
    }

    /// A double; in RESP2 a bulk string.
    pub fn double(&mut self, value: f64) {
        let text = fmt_double(value);
        match self.proto {
            Proto::Resp2 => self.bulk(text.as_bytes()),
            Proto::Resp3 => self.line(b',', text.as_bytes()),
        }
    }

    /// A boolean; in RESP2 the integer 1 or 0.
    pub fn bool(&mut self, value: bool) {
        self.raw(match (self.proto, value) {
            (Proto::Resp2, false) => b":0\r\n",
            (Proto::Resp2, true) => b":1\r\n",
            (Proto::Resp3, false) => b"#f\r\n",
            (Proto::Resp3, true) => b"#t\r\n",
        });
    }

    /// An integer of any size in decimal digits; in RESP2 a bulk string.
    pub fn bignum(&mut self, digits: &[u8]) {
        match self.proto {
            Proto::Resp2 => self.bulk(digits),
            Proto::Resp3 => self.line(b'(', digits),
        }
    }

    /// A text with its format, three letters; in RESP2 a bulk string without it.
    pub fn verbatim(&mut self, format: [u8; 3], text: &[u8]) {
        match self.proto {
            Proto::Resp2 => self.bulk(text),
            Proto::Resp3 if self.silent => {}
            Proto::Resp3 => {
                let to = self.out.room(text.len() + HEADER_MAX + 6);
                header(to, b'=', text.len() + 4);
                to.extend_from_slice(&format);
                to.push(b':');
                to.extend_from_slice(text);
                to.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A reply that is in the right form already.
    pub fn raw(&mut self, reply: &[u8]) {
        if !self.silent {
            self.out.push(reply);
        }
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        if self.silent {
            return;
        }
        let to = self.out.room(text.len() + 3);
        to.push(kind);
        to.extend_from_slice(text);
        to.extend_from_slice(b"\r\n");
    }

    fn header(&mut self, kind: u8, len: usize) {
        if !self.silent {
            header(self.out.room(HEADER_MAX), kind, len);
        }
    }

    fn aggregate(&mut self, kind: Kind, len: usize) {
        let (kind, len) = self.kind(kind, len);
        self.header(kind, len);
    }

    fn later(&self, kind: Kind) -> Later {
        Later {
            kind,
            mark: (!self.silent).then(|| self.out.mark()),
        }
    }

    const fn kind(&self, kind: Kind, len: usize) -> (u8, usize) {
        match (self.proto, kind) {
            (Proto::Resp2 | Proto::Resp3, Kind::Array) | (Proto::Resp2, Kind::Set) => (b'*', len),
            (Proto::Resp2, Kind::Map) => (b'*', len * 2),
            (Proto::Resp3, Kind::Map) => (b'%', len),
            (Proto::Resp3, Kind::Set) => (b'~', len),
        }
    }
}

#[cfg(test)]
mod tests;
