//! When a list is a listpack and when a quicklist, by Redis 7.2's rules.

use crate::value::parse_int;

/// The directive list-max-listpack-size: the most items of a listpack if positive, else a class
/// of size from -1 (4 KB) to -5 (64 KB).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fill(pub i32);

impl Default for Fill {
    fn default() -> Self {
        Self(-2)
    }
}

impl Fill {
    /// Whether a listpack of this size is too large.
    pub(super) fn is_exceeded(self, bytes: usize, count: usize) -> bool {
        match self.node_bytes() {
            Some(limit) => bytes > limit,
            None => bytes > COUNTED_NODE_BYTES_MAX || count > self.count(),
        }
    }

    /// Whether a listpack of this size is at most half of what is allowed, so that a list whose
    /// length goes up and down does not change its encoding each time.
    pub(super) fn is_far_below(self, bytes: usize, count: usize) -> bool {
        match self.node_bytes() {
            Some(limit) => bytes <= limit / 2,
            None => count <= self.count() / 2,
        }
    }

    /// The most bytes of one node, if bytes are what limits it.
    pub(super) fn node_bytes(self) -> Option<usize> {
        let class = usize::try_from(self.0.checked_neg()?)
            .ok()?
            .checked_sub(1)?;
        Some(NODE_BYTES[class.min(NODE_BYTES.len() - 1)])
    }

    fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or(0).max(1)
    }
}

/// Bytes that an item takes as an entry of a Redis listpack.
pub(super) fn listpack_entry_size(item: &[u8]) -> usize {
    let body = match parse_int(item) {
        Some(0..=127) => 1,
        Some(-4096..=4095) => 2,
        Some(-0x8000..=0x7fff) => 3,
        Some(-0x80_0000..=0x7f_ffff) => 4,
        Some(-0x8000_0000..=0x7fff_ffff) => 5,
        Some(_) => 9,
        None => match item.len() {
            len @ 0..64 => 1 + len,
            len @ 64..4096 => 2 + len,
            len => 5 + len,
        },
    };
    body + match body {
        0..128 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// The size classes -1 to -5.
const NODE_BYTES: [usize; 5] = [4096, 8192, 16384, 32768, 65536];
/// What a listpack may take where the directive counts items.
const COUNTED_NODE_BYTES_MAX: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_as_long_as_those_redis_writes() {
        // Header, body and back length, as the listpack format has them.
        let long = [b'x'; 4096];
        let cases: [(&[u8], usize); 9] = [
            (b"0", 2),
            (b"127", 2),
            (b"128", 3),
            (b"-4097", 4),
            (b"40000", 5),
            (b"9000000", 6),
            (b"9223372036854775807", 10),
            (b"abc", 5),
            (&long, 5 + 4096 + 2),
        ];
        for (item, bytes) in cases {
            assert_eq!(listpack_entry_size(item), bytes, "{}", item.escape_ascii());
        }
    }

    #[test]
    fn a_positive_fill_counts_and_a_negative_one_weighs() {
        assert!(!Fill(3).is_exceeded(100, 3));
        assert!(Fill(3).is_exceeded(100, 4));
        assert!(Fill(3).is_exceeded(8193, 1));
        assert!(!Fill(-2).is_exceeded(8192, 5000));
        assert!(Fill(-2).is_exceeded(8193, 1));
        assert!(!Fill(-9).is_exceeded(65536, 1));
        assert!(Fill(0).is_exceeded(10, 2));
        assert!(Fill(i32::MIN).is_exceeded(10, 2));
    }
}
