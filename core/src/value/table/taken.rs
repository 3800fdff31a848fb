//! Which entries of a segment a snapshot has got already.

use crate::limits::SEGMENT_ENTRIES_MAX;

/// The entries of a segment, by place, that the snapshot of one version need not take any more:
/// it has taken them before they changed, or they are younger than it.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// Of the snapshot; for any other this means nothing.
    pub(crate) version: u64,
    bits: [u64; WORDS],
}

impl Taken {
    /// None yet.
    pub(crate) fn new(version: u64) -> Self {
        Self {
            version,
            bits: [0; WORDS],
        }
    }

    pub(crate) fn has(&self, entry: usize) -> bool {
        self.bits[entry / WORD] >> (entry % WORD) & 1 != 0
    }

    pub(crate) fn set(&mut self, entry: usize, taken: bool) {
        let bit = 1 << (entry % WORD);
        if taken {
            self.bits[entry / WORD] |= bit;
        } else {
            self.bits[entry / WORD] &= !bit;
        }
    }

    /// Follows an entry's removal, after which the last one lies in its place.
    pub(crate) fn swap_remove(&mut self, entry: usize, last: usize) {
        self.set(entry, self.has(last));
        self.set(last, false);
    }
}

const WORD: usize = u64::BITS as usize;
const WORDS: usize = SEGMENT_ENTRIES_MAX.div_ceil(WORD);
