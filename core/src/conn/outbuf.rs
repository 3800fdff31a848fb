//! The ordered replies of one connection, some of which may have to wait.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::limits;
use crate::machine::Slices;
use crate::resp::encode_command;

/// A position in the append-only log. Everything at or below it is written; at or below the
/// durable position, synced.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LogPos(pub u64);

/// A reply of an [`OutBuf`] that is to be filled in later.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SlotId(u64);

/// A place in an [`OutBuf`] where more can be inserted until anything of it is sent.
#[derive(Debug)]
pub struct Mark(Position);

/// The ordered replies of one connection.
///
/// Bytes behind a fence stay hidden until the log is durable up to the fence's position; bytes
/// behind a deferred reply, until that is filled in. The driver only ever sees what may be sent.
#[derive(Debug, Default)]
pub struct OutBuf {
    /// The last chunk, which grows.
    tail: Vec<u8>,
    /// Bytes of the first chunk that are sent.
    sent: usize,
    /// The number of the first chunk. Chunks are numbered as they come.
    first: u64,
    /// Ascending in both position and durability. Hardly ever more than one: with a log, each
    /// turn makes one, which goes with the replies.
    fences: SmallVec<[Fence; 1]>,
    /// What most connections never need.
    queue: Option<Box<Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// All chunks but the tail.
    chunks: VecDeque<Chunk>,
    /// Bytes in `chunks`, sent ones included.
    bytes: usize,
    /// How many of `chunks` are deferred replies.
    slots: usize,
}

#[derive(Debug)]
enum Chunk {
    Data(Bytes),
    /// A deferred reply.
    Slot,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Position {
    /// The number of a chunk.
    chunk: u64,
    offset: usize,
}

#[derive(Clone, Copy, Debug)]
struct Fence {
    at: Position,
    until: LogPos,
}

impl OutBuf {
    /// Appends a copy of `bytes`.
    pub fn push(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).extend_from_slice(bytes);
    }

    /// Appends `bytes`, shared instead of copied if they are many.
    pub fn push_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < limits::SHARED_REPLY_BYTES {
            self.push(bytes);
        } else {
            self.seal();
            self.queue_mut().push(Chunk::Data(bytes.clone()));
        }
    }

    /// Appends a command to another server.
    pub fn push_command(&mut self, args: &[&[u8]]) {
        encode_command(self.room(0), args);
    }

    /// Room for `len` more bytes, to be appended to what is returned.
    pub(crate) fn room(&mut self, len: usize) -> &mut Vec<u8> {
        if self.tail.capacity() - self.tail.len() < len {
            self.grow(len);
        }
        &mut self.tail
    }

    /// Hides everything appended from here on until the log is durable up to `until`.
    pub fn fence(&mut self, until: LogPos) {
        let at = self.end();
        match self.fences.last_mut() {
            // What comes is hidden for as long already.
            Some(last) if until <= last.until => {}
            Some(last) if last.at == at => last.until = until,
            Some(_) | None => self.fences.push(Fence { at, until }),
        }
    }

    /// Leaves a place for a reply and hides everything appended from here on until it is filled.
    pub fn defer(&mut self) -> SlotId {
        self.seal();
        let slot = SlotId(self.end().chunk);
        let queue = self.queue_mut();
        queue.slots += 1;
        queue.push(Chunk::Slot);
        slot
    }

    /// Fills in a deferred reply.
    pub fn fill(&mut self, slot: SlotId, reply: &[u8]) {
        let index = self.index(slot.0);
        let queue = self
            .queue
            .as_deref_mut()
            .expect("a deferred reply is queued");
        let chunk = &mut queue.chunks[index];
        assert!(
            matches!(chunk, Chunk::Slot),
            "a deferred reply is filled once"
        );
        *chunk = Chunk::Data(Bytes::copy_from_slice(reply));
        queue.bytes += reply.len();
        queue.slots -= 1;
    }

    /// The place where the next byte goes, to insert something before it later.
    pub fn mark(&self) -> Mark {
        Mark(self.end())
    }

    /// Inserts bytes at a mark, which moves all marks behind it; a fence at the very place hides
    /// them. Nothing behind the mark may have been sent since it was made.
    pub fn insert(&mut self, mark: Mark, bytes: &[u8]) {
        let Mark(at) = mark;
        let end = self.end();
        assert!(at <= end, "a mark lies in its buffer");
        if at.chunk == end.chunk {
            self.tail
                .splice(at.offset..at.offset, bytes.iter().copied());
        } else {
            let index = self.index(at.chunk);
            let queue = self
                .queue
                .as_deref_mut()
                .expect("chunks before the tail are queued");
            queue.insert(index, at.offset, bytes);
        }
        for fence in &mut self.fences {
            if fence.at.chunk == at.chunk && fence.at.offset > at.offset {
                fence.at.offset += bytes.len();
            }
        }
    }

    /// Takes back the first `written` bytes of those lent by [`writable`](Self::writable).
    pub fn consume(&mut self, written: usize, durable: LogPos) {
        assert!(
            written <= self.writable_len(durable),
            "the driver wrote bytes it was never lent"
        );
        let hiding = self.fences.iter().position(|fence| durable < fence.until);
        let passed = hiding.unwrap_or(self.fences.len());
        self.fences.drain(..passed);
        self.sent += written;
        self.drop_sent();
        if self.is_empty() {
            self.rewind();
        }
    }

    /// Takes the buffer out of drained output, so that it can serve another connection.
    pub fn take_spare(&mut self) -> Option<Vec<u8>> {
        if self.tail.is_empty() && self.tail.capacity() > 0 {
            return Some(core::mem::take(&mut self.tail));
        }
        None
    }

    /// Gives a buffer to output that has none.
    pub fn give_spare(&mut self, spare: Vec<u8>) {
        debug_assert!(spare.is_empty());
        if self.tail.capacity() == 0 {
            self.tail = spare;
        }
    }

    /// Adds the bytes that may be written now to `slices`, as far as those hold them without
    /// memory of their own.
    pub fn writable<'a>(&'a self, durable: LogPos, slices: &mut Slices<'a>) {
        let mut skip = self.sent;
        let limit = self.limit(durable);
        let Some(queue) = self.queue.as_deref() else {
            // The usual case: the tail is all there is.
            if skip < limit.offset {
                slices.push(IoSlice::new(&self.tail[skip..limit.offset]));
            }
            return;
        };
        let chunks = queue.chunks.iter().map(Chunk::bytes);
        let chunks = chunks.chain([&self.tail[..]]);
        for (number, chunk) in (self.first..=limit.chunk).zip(chunks) {
            if slices.len() == slices.inline_size() {
                return;
            }
            let end = if number == limit.chunk {
                limit.offset
            } else {
                chunk.len()
            };
            if skip < end {
                slices.push(IoSlice::new(&chunk[skip..end]));
            }
            skip = 0;
        }
    }

    /// Whether any byte may be written now.
    pub fn has_writable(&self, durable: LogPos) -> bool {
        self.writable_len(durable) > 0
    }

    /// Whether anything is hidden until the log is durable beyond `durable`.
    pub fn is_fenced(&self, durable: LogPos) -> bool {
        let last = self.fences.last();
        last.is_some_and(|fence| durable < fence.until)
    }

    /// Bytes not sent yet, hidden ones included.
    pub fn len(&self) -> usize {
        self.queue.as_deref().map_or(0, |queue| queue.bytes) + self.tail.len() - self.sent
    }

    /// Whether nothing is to be sent, neither now nor when a deferred reply is filled in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.queue.as_deref().is_none_or(|queue| queue.slots == 0)
    }

    /// How many chunks wait besides the one that grows.
    pub fn chunks(&self) -> usize {
        self.queue.as_deref().map_or(0, |queue| queue.chunks.len())
    }

    /// Memory held beyond the struct itself; shared bytes count as if they were copied.
    pub fn memory(&self) -> usize {
        let queue = self.queue.as_deref().map_or(0, |queue| {
            size_of::<Queue>() + queue.bytes + queue.chunks.capacity() * size_of::<Chunk>()
        });
        let fences = if self.fences.spilled() {
            self.fences.capacity() * size_of::<Fence>()
        } else {
            0
        };
        queue + fences + self.tail.capacity()
    }

    /// All bytes, in order, out of output that nothing was sent of and nothing is hidden in.
    pub fn into_bytes(mut self) -> Vec<u8> {
        assert_eq!(self.sent, 0, "nothing was sent");
        let Some(queue) = self.queue.take() else {
            return self.tail;
        };
        assert_eq!(queue.slots, 0, "all replies are there");
        let mut bytes = Vec::with_capacity(queue.bytes + self.tail.len());
        for chunk in &queue.chunks {
            bytes.extend_from_slice(chunk.bytes());
        }
        bytes.extend_from_slice(&self.tail);
        bytes
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        if self.tail.len() + len <= limits::REPLY_CHUNK_BYTES {
            let doubled = (self.tail.capacity() * 2)
                .max(self.tail.len() + len)
                .max(TAIL_MIN);
            let capacity = doubled.min(limits::REPLY_CHUNK_BYTES);
            self.tail.reserve_exact(capacity - self.tail.len());
        } else {
            if !self.tail.is_empty() {
                self.seal();
            }
            self.tail.reserve_exact(len.max(limits::REPLY_CHUNK_BYTES));
        }
    }

    /// Moves the tail into the queue, even an empty one, so that a mark or a fence at its end
    /// never lies in what is queued next.
    fn seal(&mut self) {
        // A chunk keeps its whole allocation: not worth it for a few bytes of it.
        let chunk = if self.tail.len() * 2 < self.tail.capacity() {
            let chunk = Bytes::copy_from_slice(&self.tail);
            self.tail.clear();
            chunk
        } else {
            core::mem::take(&mut self.tail).into()
        };
        self.queue_mut().push(Chunk::Data(chunk));
    }

    /// Drops the chunks that are sent whole, up to the first that a fence lies in.
    fn drop_sent(&mut self) {
        let fenced = self.fences.first().map(|fence| fence.at.chunk);
        let Some(queue) = self.queue.as_deref_mut() else {
            return;
        };
        while let Some(Chunk::Data(chunk)) = queue.chunks.front() {
            if self.sent < chunk.len() || fenced == Some(self.first) {
                return;
            }
            self.sent -= chunk.len();
            queue.bytes -= chunk.len();
            queue.chunks.pop_front();
            self.first += 1;
        }
    }

    /// Starts over in the memory at hand, with nothing but the fences left.
    fn rewind(&mut self) {
        self.tail.clear();
        self.sent = 0;
        if self.tail.capacity() > limits::REPLY_CHUNK_BYTES {
            self.tail = Vec::new();
        }
        if let Some(queue) = self.queue.take() {
            self.first += queue.chunks.len() as u64;
        }
        // Whatever is not durable yet can only lie at the end, and the last one outlasts the rest.
        if let Some(last) = self.fences.pop() {
            let at = self.end();
            self.fences = SmallVec::from_buf([Fence { at, ..last }]);
        }
    }

    fn queue_mut(&mut self) -> &mut Queue {
        self.queue.get_or_insert_default()
    }

    fn index(&self, number: u64) -> usize {
        assert!(self.first <= number, "the chunk is not sent yet");
        usize::try_from(number - self.first).expect("chunks fit in memory")
    }

    /// Where the next byte goes.
    fn end(&self) -> Position {
        Position {
            chunk: self.first + self.chunks() as u64,
            offset: self.tail.len(),
        }
    }

    /// Where the first hidden byte is.
    fn limit(&self, durable: LogPos) -> Position {
        let fence = self.fences.iter().find(|fence| durable < fence.until);
        let limit = fence.map_or_else(|| self.end(), |fence| fence.at);
        let Some(queue) = self.queue.as_deref() else {
            return limit;
        };
        let slot = (queue.slots > 0)
            .then(|| {
                queue
                    .chunks
                    .iter()
                    .position(|chunk| matches!(chunk, Chunk::Slot))
            })
            .flatten()
            .map(|index| Position {
                chunk: self.first + index as u64,
                offset: 0,
            });
        slot.map_or(limit, |slot| slot.min(limit))
    }

    fn writable_len(&self, durable: LogPos) -> usize {
        let limit = self.limit(durable);
        if limit == self.end() {
            return self.len();
        }
        let whole = self.index(limit.chunk);
        let chunks = self
            .queue
            .as_deref()
            .map(|queue| queue.chunks.iter().take(whole));
        let before: usize = chunks
            .into_iter()
            .flatten()
            .map(|chunk| chunk.bytes().len())
            .sum();
        before + limit.offset - self.sent
    }
}

impl Queue {
    fn push(&mut self, chunk: Chunk) {
        self.bytes += chunk.bytes().len();
        self.chunks.push_back(chunk);
    }

    fn insert(&mut self, index: usize, offset: usize, bytes: &[u8]) {
        let Chunk::Data(chunk) = &mut self.chunks[index] else {
            unreachable!("a mark never lies in a deferred reply");
        };
        let mut joined = Vec::with_capacity(chunk.len() + bytes.len());
        joined.extend_from_slice(&chunk[..offset]);
        joined.extend_from_slice(bytes);
        joined.extend_from_slice(&chunk[offset..]);
        *chunk = joined.into();
        self.bytes += bytes.len();
    }
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Data(bytes) => bytes,
            Self::Slot => &[],
        }
    }
}

/// The first allocation of a tail.
const TAIL_MIN: usize = 256;

#[cfg(test)]
mod tests;
