//! Keys that were decoded and are put into a keyspace together.

use smallvec::SmallVec;

use crate::keyspace::WarmKeys;
use crate::limits::WARM_KEYS_MAX;
use crate::persist::rdb::KeyMeta;
use crate::value::Value;

/// A few keys with their values, in the order in which they came.
///
/// Put into a table one after the other, each key waits for memory; together their waits overlap.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The keys, one behind the other.
    text: Vec<u8>,
    parts: SmallVec<[Part; WARM_KEYS_MAX]>,
}

#[derive(Debug)]
struct Part {
    /// Where its key ends.
    end: usize,
    value: Value,
    meta: KeyMeta,
    offset: u64,
}

/// A key that was taken out of a [`Batch`].
pub(super) struct Taken<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: Value,
    pub(super) meta: KeyMeta,
    /// The byte up to which the data was read before it.
    pub(super) offset: u64,
}

impl Batch {
    pub(super) fn is_full(&self) -> bool {
        self.parts.len() == WARM_KEYS_MAX || self.text.len() >= TEXT_BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn push(&mut self, key: &[u8], value: Value, meta: KeyMeta, offset: u64) {
        if self.is_empty() {
            self.text.clear();
        }
        self.text.extend_from_slice(key);
        self.parts.push(Part {
            end: self.text.len(),
            value,
            meta,
            offset,
        });
    }

    pub(super) fn keys(&self) -> WarmKeys<'_> {
        let mut start = 0;
        let parts = self.parts.iter();
        parts
            .map(|part| &self.text[core::mem::replace(&mut start, part.end)..part.end])
            .collect()
    }

    /// Takes all out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Taken<'_>> {
        let mut start = 0;
        let text = &self.text;
        self.parts.drain(..).map(move |part| Taken {
            key: &text[core::mem::replace(&mut start, part.end)..part.end],
            value: part.value,
            meta: part.meta,
            offset: part.offset,
        })
    }
}

/// With so many bytes of keys a batch is full, however few they are.
const TEXT_BYTES_MAX: usize = 16 * 1024;
