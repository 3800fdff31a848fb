//! What one replica is still to be sent.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use crate::machine::Slices;
use crate::repl::backlog::Backlog;
use crate::repl::history::Offset;

/// A queue of its own bytes (replies, keep-alives, a snapshot), then the shared stream.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    head: VecDeque<Bytes>,
    head_len: usize,
    /// Place in the stream; everything from here on is kept for the replica.
    cursor: Option<Offset>,
    /// Whether the stream may follow the head.
    flowing: bool,
}

impl Outbound {
    /// Sends bytes that are not part of the stream. They must not come after any of it.
    pub(super) fn push(&mut self, bytes: Bytes) {
        assert!(!self.flowing, "the stream is not interrupted");
        if !bytes.is_empty() {
            self.head_len += bytes.len();
            self.head.push_back(bytes);
        }
    }

    /// Keeps the stream from `at` on for the replica, which is not sent it yet.
    pub(super) fn pin(&mut self, at: Offset) {
        assert!(
            self.cursor.is_none(),
            "a replica has one place in the stream"
        );
        self.cursor = Some(at);
    }

    /// Lets the stream follow.
    pub(super) fn flow(&mut self) {
        assert!(self.cursor.is_some(), "there is a place to start from");
        self.flowing = true;
    }

    /// Lends the bytes that may be written now.
    pub(super) fn writable<'a>(&'a self, backlog: Option<&'a Backlog>, slices: &mut Slices<'a>) {
        for bytes in &self.head {
            if slices.len() == slices.inline_size() {
                return;
            }
            slices.push(IoSlice::new(bytes));
        }
        if let (true, Some(cursor), Some(backlog)) = (self.flowing, self.cursor, backlog) {
            backlog.slices(cursor, slices);
        }
    }

    /// Takes back what was written.
    pub(super) fn consume(&mut self, mut written: usize, end: Option<Offset>) {
        while written > 0 {
            let Some(first) = self.head.front_mut() else {
                break;
            };
            let now = written.min(first.len());
            bytes::Buf::advance(first, now);
            self.head_len -= now;
            written -= now;
            if first.is_empty() {
                self.head.pop_front();
            }
        }
        if written > 0 {
            assert!(self.flowing, "driver consumed bytes it was never lent");
            let cursor = self.cursor.expect("the stream flows from somewhere");
            let cursor = cursor.plus(written);
            assert!(
                end.is_some_and(|end| cursor <= end),
                "driver consumed bytes it was never lent"
            );
            self.cursor = Some(cursor);
        }
    }

    /// Whether there is something to write.
    pub(super) fn is_writable(&self, end: Option<Offset>) -> bool {
        self.head_len > 0 || (self.flowing && self.lag(end) > 0)
    }

    /// Everything kept for the replica, bytes.
    pub(super) fn pending(&self, end: Option<Offset>) -> u64 {
        self.head_len as u64 + self.lag(end)
    }

    /// Bytes of the stream kept for the replica.
    pub(super) fn lag(&self, end: Option<Offset>) -> u64 {
        match (self.cursor, end) {
            (Some(cursor), Some(end)) => end.since(cursor),
            (None, _) | (_, None) => 0,
        }
    }

    /// Bytes not part of the stream still to be written.
    pub(super) const fn head_len(&self) -> usize {
        self.head_len
    }

    /// Place in the stream.
    pub(super) const fn cursor(&self) -> Option<Offset> {
        self.cursor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lent(out: &Outbound, backlog: &Backlog) -> Vec<u8> {
        let mut slices = Slices::new();
        out.writable(Some(backlog), &mut slices);
        slices.iter().flat_map(|s| s.to_vec()).collect()
    }

    #[test]
    fn the_stream_follows_its_own_bytes_only_once_it_may() {
        let mut backlog = Backlog::new(Offset::START, 16 * 1024);
        let mut out = Outbound::default();
        out.push(Bytes::from_static(b"snapshot"));
        out.pin(backlog.end());
        backlog.append(b"stream");
        let end = Some(backlog.end());
        assert_eq!(lent(&out, &backlog), b"snapshot");
        assert_eq!(out.pending(end), 14);

        out.consume(4, end);
        assert_eq!(lent(&out, &backlog), b"shot");
        out.consume(4, end);
        assert!(!out.is_writable(end));

        out.flow();
        assert!(out.is_writable(end));
        assert_eq!(lent(&out, &backlog), b"stream");
        out.consume(2, end);
        assert_eq!(lent(&out, &backlog), b"ream");
        assert_eq!(out.cursor().map(Offset::get), Some(2));
    }

    #[test]
    fn one_write_may_cross_from_its_own_bytes_into_the_stream() {
        let mut backlog = Backlog::new(Offset::START, 16 * 1024);
        let mut out = Outbound::default();
        out.push(Bytes::from_static(b"+CONTINUE\r\n"));
        out.pin(Offset::START);
        out.flow();
        backlog.append(b"abc");
        let end = Some(backlog.end());
        assert_eq!(lent(&out, &backlog), b"+CONTINUE\r\nabc");
        out.consume(12, end);
        assert_eq!(lent(&out, &backlog), b"bc");
    }
}
