//! What decides the form in which a collection is kept.

use super::Fill;
use super::table::KeyHasher;

/// How large a collection may be in which form, and where elements of a large one lie.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Places the elements of large hashes and sets.
    pub hasher: KeyHasher,
    /// `list-max-listpack-size`.
    pub list: Fill,
    /// `hash-max-listpack-entries` and `hash-max-listpack-value`.
    pub hash: PackLimits,
    /// `set-max-intset-entries`.
    pub set_ints: usize,
    /// `set-max-listpack-entries` and `set-max-listpack-value`.
    pub set: PackLimits,
    /// `zset-max-listpack-entries` and `zset-max-listpack-value`.
    pub zset: PackLimits,
    /// `stream-node-max-bytes` and `stream-node-max-entries`.
    pub stream: NodeLimits,
}

/// The most elements of a packed collection, and the longest one in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PackLimits {
    /// Elements; of a hash, fields.
    pub entries: usize,
    /// Bytes of an element; of a hash, of a field or a value.
    pub value: usize,
}

/// The most a node of a stream holds; 0 is no limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NodeLimits {
    /// Bytes, as Redis counts them.
    pub bytes: usize,
    /// Entries.
    pub entries: usize,
}

impl Shape {
    /// As an unchanged configuration has it.
    pub fn new(hasher: KeyHasher) -> Self {
        Self {
            hasher,
            list: Fill::default(),
            hash: PackLimits {
                entries: 512,
                value: 64,
            },
            set_ints: 512,
            set: PackLimits {
                entries: 128,
                value: 64,
            },
            zset: PackLimits {
                entries: 128,
                value: 64,
            },
            stream: NodeLimits {
                bytes: 4096,
                entries: 100,
            },
        }
    }
}

impl Default for Shape {
    /// With places that anyone can predict: for data that nobody else chose.
    fn default() -> Self {
        Self::new(KeyHasher::predictable())
    }
}
