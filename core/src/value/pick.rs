//! Elements by chance: what collections have in common.

use std::collections::BTreeSet;

use crate::rng::Rng;

/// A number below `bound`; none if there is no such number.
pub(super) fn below(rng: &mut Rng, bound: usize) -> Option<usize> {
    let drawn = rng.below((bound > 0).then_some(bound)? as u64);
    usize::try_from(drawn).ok()
}

/// Whether so few of `len` elements are wanted that drawing them takes less than going through
/// all.
pub(super) fn is_sparse(count: usize, len: usize) -> bool {
    count < len / SPARSE
}

/// Visits `count` different elements that `draw` finds by chance; there must be some more.
/// `key` tells them apart.
pub(super) fn sample_sparse<'a, T: Copy>(
    count: usize,
    mut draw: impl FnMut() -> T,
    key: impl Fn(T) -> &'a [u8],
    mut visit: impl FnMut(T),
) {
    let mut seen = BTreeSet::new();
    while seen.len() < count {
        let drawn = draw();
        if seen.insert(key(drawn)) {
            visit(drawn);
        }
    }
}

/// Visits `count` of the elements, or all if there are no more.
pub(super) fn sample<T>(
    count: usize,
    elements: impl Iterator<Item = T>,
    len: usize,
    rng: &mut Rng,
    mut visit: impl FnMut(T),
) {
    let (mut wanted, mut left) = (count, len);
    for element in elements {
        if wanted == 0 {
            return;
        }
        if below(rng, left).is_some_and(|drawn| drawn < wanted) {
            wanted -= 1;
            visit(element);
        }
        left -= 1;
    }
}

/// Where at most one element of so many is wanted, it is drawn.
const SPARSE: usize = 3;
