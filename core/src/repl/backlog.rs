//! The bytes of the replication stream, kept once for the backlog and for every replica.

use std::collections::VecDeque;
use std::io::IoSlice;

use super::history::Offset;
use crate::limits::{REPL_CHUNK_BYTES_MAX, REPL_CHUNK_BYTES_MIN};
use crate::machine::Slices;

/// The end of the replication stream, from `start` to `end`.
///
/// Replicas do not have the stream in buffers of their own, they have an [`Offset`] in this one;
/// so feeding costs the same however many there are. What the slowest of them still needs is
/// kept even beyond the configured size: their output buffer limit bounds that.
#[derive(Debug)]
pub struct Backlog {
    chunks: VecDeque<Chunk>,
    start: Offset,
    end: Offset,
    /// `repl-backlog-size`.
    size: usize,
    spare: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Chunk {
    start: Offset,
    bytes: Vec<u8>,
}

impl Chunk {
    fn end(&self) -> Offset {
        self.start.plus(self.bytes.len())
    }
}

impl Backlog {
    /// An empty backlog that continues the stream at `at`.
    #[must_use]
    pub const fn new(at: Offset, size: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            start: at,
            end: at,
            size,
            spare: None,
        }
    }

    /// Continues the stream.
    pub fn append(&mut self, mut bytes: &[u8]) {
        let before = self.end;
        let len = bytes.len();
        let chunk_bytes = self.chunk_bytes();
        while !bytes.is_empty() {
            let room = self
                .chunks
                .back()
                .map_or(0, |last| chunk_bytes.saturating_sub(last.bytes.len()));
            if room == 0 {
                self.push_chunk(chunk_bytes);
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            let last = self.chunks.back_mut().expect("a chunk has room");
            last.bytes.extend_from_slice(now);
            self.end = self.end.plus(now.len());
            bytes = later;
        }
        assert_eq!(self.end, before.plus(len));
    }

    /// Gives up what lies beyond the configured size and before `needed`, the place of the
    /// slowest replica.
    pub fn trim(&mut self, needed: Option<Offset>) {
        let needed = needed.unwrap_or(self.end);
        assert!(
            self.start <= needed,
            "a replica waits for bytes that are gone"
        );
        while self.chunks.len() > 1 {
            let first = &self.chunks[0];
            let kept = self.end.since(first.end());
            if first.end() > needed || kept <= self.size as u64 {
                break;
            }
            self.start = first.end();
            let mut chunk = self.chunks.pop_front().expect("there are two");
            if self.spare.is_none() && chunk.bytes.capacity() <= REPL_CHUNK_BYTES_MAX {
                chunk.bytes.clear();
                self.spare = Some(chunk.bytes);
            }
        }
        assert!(self.start <= needed);
    }

    /// Changes the configured size; the next [`trim`](Self::trim) obeys it.
    pub const fn resize(&mut self, size: usize) {
        self.size = size;
    }

    /// Lends the bytes after `cursor`, as many as `slices` holds without allocating.
    pub fn slices<'a>(&'a self, cursor: Offset, slices: &mut Slices<'a>) {
        assert!(self.start <= cursor && cursor <= self.end);
        let first = self.chunks.partition_point(|chunk| chunk.end() <= cursor);
        for chunk in self.chunks.range(first..) {
            if slices.len() == slices.inline_size() {
                break;
            }
            let skip = cursor.max(chunk.start).since(chunk.start);
            let skip = usize::try_from(skip).expect("it lies in the chunk");
            slices.push(IoSlice::new(&chunk.bytes[skip..]));
        }
    }

    /// Whether the stream can be continued from `cursor`.
    #[must_use]
    pub fn reaches(&self, cursor: Offset) -> bool {
        self.start <= cursor && cursor <= self.end
    }

    /// Where the oldest byte kept is.
    #[must_use]
    pub const fn start(&self) -> Offset {
        self.start
    }

    /// Where the stream ends.
    #[must_use]
    pub const fn end(&self) -> Offset {
        self.end
    }

    /// `repl_backlog_histlen`: bytes kept.
    #[must_use]
    pub fn histlen(&self) -> u64 {
        self.end.since(self.start)
    }

    /// Memory in use.
    #[must_use]
    pub fn memory(&self) -> usize {
        let chunks = self.chunks.len() * (self.chunk_bytes() + size_of::<Chunk>());
        chunks + self.spare.as_ref().map_or(0, Vec::capacity)
    }

    fn push_chunk(&mut self, chunk_bytes: usize) {
        let bytes = match self.spare.take() {
            Some(spare) if spare.capacity() >= chunk_bytes => spare,
            Some(_) | None => Vec::with_capacity(chunk_bytes),
        };
        let start = self.end;
        self.chunks.push_back(Chunk { start, bytes });
    }

    /// Trimming goes by whole chunks, so they are small beside the whole.
    fn chunk_bytes(&self) -> usize {
        (self.size / 16).clamp(REPL_CHUNK_BYTES_MIN, REPL_CHUNK_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(backlog: &Backlog, mut cursor: Offset) -> Vec<u8> {
        let mut out = Vec::new();
        while cursor < backlog.end() {
            let mut slices = Slices::new();
            backlog.slices(cursor, &mut slices);
            for slice in &slices {
                out.extend_from_slice(slice);
                cursor = cursor.plus(slice.len());
            }
        }
        out
    }

    #[test]
    fn the_stream_can_be_read_from_any_place_it_reaches() {
        let mut backlog = Backlog::new(Offset::new(5).unwrap(), 16 * 1024);
        let bytes: Vec<u8> = (0..5000u32).flat_map(u32::to_le_bytes).collect();
        backlog.append(&bytes);
        for skip in [0, 1, 1023, 1024, 1025, 19_999, 20_000] {
            let cursor = Offset::new(5).unwrap().plus(skip);
            assert!(backlog.reaches(cursor));
            assert_eq!(read(&backlog, cursor), bytes[skip..]);
        }
        assert!(!backlog.reaches(Offset::new(4).unwrap()));
        assert!(!backlog.reaches(backlog.end().plus(1)));
    }

    #[test]
    fn at_least_the_configured_size_is_kept_and_hardly_more() {
        let mut backlog = Backlog::new(Offset::START, 16 * 1024);
        for _ in 0..1000 {
            backlog.append(&[b'x'; 777]);
            backlog.trim(None);
        }
        assert!(backlog.histlen() >= 16 * 1024);
        assert!(backlog.histlen() <= 18 * 1024);
        assert_eq!(backlog.end().get(), 777_000);
    }

    #[test]
    fn what_a_replica_still_needs_is_kept() {
        let mut backlog = Backlog::new(Offset::START, 16 * 1024);
        backlog.append(&[b'x'; 100_000]);
        let cursor = Offset::new(10_000).unwrap();
        backlog.trim(Some(cursor));
        assert!(backlog.reaches(cursor));
        backlog.trim(None);
        assert!(!backlog.reaches(cursor));
    }

    #[test]
    fn a_smaller_size_takes_effect_with_the_next_trim() {
        let mut backlog = Backlog::new(Offset::START, 1024 * 1024);
        backlog.append(&vec![b'x'; 1024 * 1024]);
        backlog.trim(None);
        assert_eq!(backlog.histlen(), 1024 * 1024);
        backlog.resize(16 * 1024);
        backlog.trim(None);
        assert!(backlog.histlen() <= 128 * 1024);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_string(
            pieces in proptest::collection::vec((0usize..4000, any::<bool>()), 1..60),
            size in 16usize..64,
        ) {
            let mut backlog = Backlog::new(Offset::START, size * 1024);
            let mut model = Vec::new();
            for (n, (len, trim)) in pieces.into_iter().enumerate() {
                let piece = vec![u8::try_from(n % 251).unwrap(); len];
                model.extend_from_slice(&piece);
                backlog.append(&piece);
                if trim {
                    backlog.trim(None);
                }
                prop_assert_eq!(backlog.end().get(), model.len() as u64);
                let kept = usize::try_from(backlog.histlen()).unwrap();
                prop_assert!(kept >= model.len().min(size * 1024));
                let tail = &model[model.len() - kept..];
                prop_assert_eq!(read(&backlog, backlog.start()), tail);
            }
        }
    }
}
