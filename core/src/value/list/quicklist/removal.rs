//! Removing items by what they are.

use super::{Quicklist, listpack_entry_size};
use crate::limits::LIST_CHUNK_BYTES;
use crate::value::Packed;

impl Quicklist {
    /// Removes up to `most` items that equal `item`, the nearest to the head first or to the
    /// tail, and returns how many.
    pub fn remove_equal(&mut self, item: &[u8], most: usize, from_tail: bool) -> usize {
        let mut left = most;
        // From either end on, so that a chunk that goes does not move those to come.
        let (mut next, mut to_come) = (0, self.chunks.len());
        while left > 0 && to_come > 0 {
            to_come -= 1;
            let chunk = if from_tail { to_come } else { next };
            let removed = self.remove_from_chunk(chunk, item, left, from_tail);
            left -= removed;
            let before = self.chunks.len();
            self.drop_if_empty(chunk);
            next += usize::from(self.chunks.len() == before);
        }
        if left < most {
            self.merge_small_chunks();
        }
        most - left
    }

    /// Writes a chunk anew without up to `most` items that equal `item`.
    fn remove_from_chunk(
        &mut self,
        index: usize,
        item: &[u8],
        most: usize,
        from_tail: bool,
    ) -> usize {
        let chunk = self.chunks.at(index);
        let found = chunk.iter().filter(|other| *other == item).count();
        let gone = found.min(most);
        if gone == 0 {
            return 0;
        }
        let spared_first = if from_tail { found - gone } else { 0 };
        let mut kept = Packed::new();
        let mut seen = 0;
        for other in chunk.iter() {
            if other == item {
                seen += 1;
                if seen > spared_first && seen <= spared_first + gone {
                    continue;
                }
            }
            kept.push_back(other);
        }
        kept.shrink();
        self.resize_chunk(index, |chunk| *chunk = kept);
        self.len -= gone;
        self.listpack -= gone * listpack_entry_size(item);
        gone
    }

    /// Joins neighbours that are small together.
    fn merge_small_chunks(&mut self) {
        for index in (1..self.chunks.len()).rev() {
            let bytes = self.chunks.at(index - 1).bytes() + self.chunks.at(index).bytes();
            if bytes <= LIST_CHUNK_BYTES / 2 {
                self.merge_with_next(index - 1);
            }
        }
    }
}
