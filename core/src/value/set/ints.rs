//! Sets of integers in few bytes: a base, and how far each integer lies above it.
//!
//! The bytes are the width of an offset (1, 2, 4 or 8), the base (8 bytes, little endian), and
//! the offsets in ascending order, little endian as well. An empty set has no bytes.

use crate::value::Tail;

/// How many integers there are.
#[inline]
pub(super) fn len(bytes: &[u8]) -> usize {
    match bytes {
        [] => 0,
        [width, ..] => (bytes.len() - HEAD_BYTES) / usize::from(*width),
    }
}

/// The integer at an index, in ascending order.
#[inline]
pub(super) fn get(bytes: &[u8], index: usize) -> i64 {
    base(bytes).wrapping_add(offset(bytes, index).cast_signed())
}

/// All integers in ascending order.
pub(super) fn iter(bytes: &[u8]) -> impl ExactSizeIterator<Item = i64> + Clone {
    (0..len(bytes)).map(|index| get(bytes, index))
}

/// Whether an integer is there.
#[inline]
pub(super) fn has(bytes: &[u8], number: i64) -> bool {
    search(bytes, number).is_ok()
}

/// Adds an integer; whether it is new.
pub(super) fn insert(tail: &mut Tail, number: i64) -> bool {
    if tail.bytes().is_empty() {
        let bytes = tail.resize(0, 0, HEAD_BYTES + 1);
        bytes[0] = 1;
        bytes[1..HEAD_BYTES].copy_from_slice(&number.to_le_bytes());
        bytes[HEAD_BYTES] = 0;
        return true;
    }
    let Err(index) = search(tail.bytes(), number) else {
        return false;
    };
    make_room_for(tail, number);
    let width = usize::from(tail.bytes()[0]);
    let offset = distance(base(tail.bytes()), number).to_le_bytes();
    let at = HEAD_BYTES + index * width;
    tail.resize(at, 0, width).copy_from_slice(&offset[..width]);
    true
}

/// Removes an integer; whether it was there.
pub(super) fn remove(tail: &mut Tail, number: i64) -> bool {
    let Ok(index) = search(tail.bytes(), number) else {
        return false;
    };
    if len(tail.bytes()) == 1 {
        let all = tail.bytes().len();
        tail.resize(0, all, 0);
        return true;
    }
    let width = usize::from(tail.bytes()[0]);
    tail.resize(HEAD_BYTES + index * width, width, 0);
    true
}

/// Where an integer lies, or would lie.
#[inline]
fn search(bytes: &[u8], number: i64) -> Result<usize, usize> {
    if bytes.is_empty() || number < base(bytes) {
        return Err(0);
    }
    let (offsets, wanted) = (&bytes[HEAD_BYTES..], distance(base(bytes), number));
    match bytes[0] {
        1 => search_in::<1>(offsets, wanted),
        2 => search_in::<2>(offsets, wanted),
        4 => search_in::<4>(offsets, wanted),
        _ => search_in::<8>(offsets, wanted),
    }
}

fn search_in<const WIDTH: usize>(offsets: &[u8], wanted: u64) -> Result<usize, usize> {
    let (mut low, mut high) = (0, offsets.len() / WIDTH);
    // Numbers are often added in ascending order.
    if let Some(last) = high.checked_sub(1)
        && read::<WIDTH>(offsets, last) < wanted
    {
        return Err(high);
    }
    while low < high {
        let middle = low.midpoint(high);
        match read::<WIDTH>(offsets, middle).cmp(&wanted) {
            core::cmp::Ordering::Less => low = middle + 1,
            core::cmp::Ordering::Equal => return Ok(middle),
            core::cmp::Ordering::Greater => high = middle,
        }
    }
    Err(low)
}

/// Lowers the base and widens the offsets if an integer needs that.
fn make_room_for(tail: &mut Tail, number: i64) {
    let bytes = tail.bytes();
    let (old_base, old_width) = (base(bytes), bytes[0]);
    let count = len(bytes);
    let new_base = old_base.min(number);
    let highest = get(bytes, count - 1).max(number);
    let new_width = old_width.max(width_of(distance(new_base, highest)));
    if new_base == old_base && new_width == old_width {
        return;
    }
    let all: Vec<i64> = iter(bytes).collect();
    let width = usize::from(new_width);
    let old = bytes.len();
    let bytes = tail.resize(0, old, HEAD_BYTES + count * width);
    bytes[0] = new_width;
    bytes[1..HEAD_BYTES].copy_from_slice(&new_base.to_le_bytes());
    for (place, number) in bytes[HEAD_BYTES..].chunks_exact_mut(width).zip(all) {
        place.copy_from_slice(&distance(new_base, number).to_le_bytes()[..width]);
    }
}

#[inline]
fn base(bytes: &[u8]) -> i64 {
    let field = bytes[1..].first_chunk();
    i64::from_le_bytes(*field.expect("a set that is not empty has a base"))
}

#[inline]
fn offset(bytes: &[u8], index: usize) -> u64 {
    let offsets = &bytes[HEAD_BYTES..];
    match bytes[0] {
        1 => read::<1>(offsets, index),
        2 => read::<2>(offsets, index),
        4 => read::<4>(offsets, index),
        _ => read::<8>(offsets, index),
    }
}

/// An offset of a width that is known when this is compiled: one load instead of a copy.
#[inline]
fn read<const WIDTH: usize>(offsets: &[u8], index: usize) -> u64 {
    let mut wide = [0; 8];
    wide[..WIDTH].copy_from_slice(&offsets[index * WIDTH..][..WIDTH]);
    u64::from_le_bytes(wide)
}

/// How far a number lies above a base that is not greater.
#[inline]
fn distance(base: i64, number: i64) -> u64 {
    number.abs_diff(base)
}

fn width_of(distance: u64) -> u8 {
    match distance {
        0..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 4,
        0x1_0000_0000.. => 8,
    }
}

const HEAD_BYTES: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![
            4 => 0..40_i64,
            2 => -300..300_i64,
            1 => -70_000..70_000_i64,
            1 => any::<i64>(),
            1 => Just(i64::MIN),
            1 => Just(i64::MAX),
        ]
    }

    proptest! {
        #[test]
        fn integers_behave_as_a_set_does(ops in vec((any::<bool>(), number()), 0..200)) {
            let mut tail = Tail::new(b"key".to_vec(), 3);
            let mut model = BTreeSet::new();
            for (add, number) in ops {
                if add {
                    prop_assert_eq!(insert(&mut tail, number), model.insert(number));
                } else {
                    prop_assert_eq!(remove(&mut tail, number), model.remove(&number));
                }
                prop_assert_eq!(has(tail.bytes(), number), add);
                prop_assert_eq!(len(tail.bytes()), model.len());
                prop_assert!(iter(tail.bytes()).eq(model.iter().copied()));
            }
        }
    }

    #[test]
    fn neighbours_take_a_byte_each() {
        let mut tail = Tail::default();
        for number in (1_000_000..1_000_016).rev() {
            insert(&mut tail, number);
        }
        assert_eq!(tail.bytes().len(), HEAD_BYTES + 16);
    }
}
