//! Encoded bytes that wait to be taken in chunks.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::RDB_CHUNK_BYTES;

/// Finished pieces and the one being written.
#[derive(Debug, Default)]
pub(super) struct Out {
    /// Oldest first, none empty.
    ready: VecDeque<Bytes>,
    ready_bytes: usize,
    /// What comes after them.
    pub(super) tail: Vec<u8>,
}

impl Out {
    /// Makes a piece of what was written if that is enough for one.
    pub(super) fn cut(&mut self) {
        if self.tail.len() >= RDB_CHUNK_BYTES {
            self.push_tail();
        }
    }

    /// Adds bytes without a copy.
    pub(super) fn push_shared(&mut self, bytes: Bytes) {
        self.push_tail();
        self.push_ready(bytes);
    }

    /// The next chunk of what is finished.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let front = self.ready.front_mut()?;
        // A rest that is no chunk of its own goes along.
        let len = if front.len() < 2 * RDB_CHUNK_BYTES {
            front.len()
        } else {
            RDB_CHUNK_BYTES
        };
        let chunk = front.split_to(len);
        if front.is_empty() {
            self.ready.pop_front();
        }
        self.ready_bytes -= chunk.len();
        Some(chunk)
    }

    /// Bytes of the finished pieces.
    pub(super) fn ready_bytes(&self) -> usize {
        self.ready_bytes
    }

    /// Bytes that were not taken.
    pub(super) fn len(&self) -> usize {
        self.ready_bytes + self.tail.len()
    }

    /// All of it in one.
    pub(super) fn into_vec(self) -> Vec<u8> {
        if self.ready.is_empty() {
            return self.tail;
        }
        let mut whole = Vec::with_capacity(self.len());
        self.ready
            .iter()
            .for_each(|piece| whole.extend_from_slice(piece));
        whole.extend_from_slice(&self.tail);
        whole
    }

    /// Makes a piece of all that was written.
    pub(super) fn push_tail(&mut self) {
        if !self.tail.is_empty() {
            let room = Vec::with_capacity(RDB_CHUNK_BYTES + RDB_CHUNK_BYTES / 8);
            let piece = core::mem::replace(&mut self.tail, room);
            self.push_ready(Bytes::from(piece));
        }
    }

    fn push_ready(&mut self, piece: Bytes) {
        self.ready_bytes += piece.len();
        self.ready.push_back(piece);
    }
}
