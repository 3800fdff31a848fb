//! The form of small sorted sets: members and scores one behind the other, in order.

use super::{LexRange, ZsetChange};
use crate::value::{Pack, PackRef};
use core::ops::Range;
use smallvec::SmallVec;

/// Where an element lies, and what it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    /// The position of its member.
    at: usize,
    pub(super) member: &'a [u8],
    pub(super) score: f64,
    /// The position behind its score.
    pub(super) end: usize,
}

/// Where elements begin, to be read backwards.
pub(super) type Places = SmallVec<[u32; 64]>;

/// The element at a position.
#[inline]
pub(super) fn pair(pack: PackRef<'_>, at: usize) -> Pair<'_> {
    let (member, place) = pack.item(at);
    let (score, end) = pack.item(place);
    Pair {
        at,
        member,
        score: decode(score),
        end,
    }
}

/// All elements in order.
pub(super) fn pairs(pack: PackRef<'_>) -> impl Iterator<Item = Pair<'_>> {
    let mut at = pack.start();
    (0..len(pack)).map(move |_| {
        let pair = pair(pack, at);
        at = pair.end;
        pair
    })
}

/// How many elements there are.
#[inline]
pub(super) fn len(pack: PackRef<'_>) -> usize {
    pack.len() / 2
}

/// The element of a member.
#[inline]
pub(super) fn find<'a>(pack: PackRef<'a>, member: &[u8]) -> Option<Pair<'a>> {
    pack.find(member, 2).map(|at| pair(pack, at))
}

/// The rank and the score of a member.
pub(super) fn rank(pack: PackRef<'_>, member: &[u8]) -> Option<(usize, f64)> {
    let mut all = pairs(pack).enumerate();
    let found = all.find(|(_, pair)| pair.member == member);
    found.map(|(rank, pair)| (rank, pair.score))
}

/// How many elements have a score of which `before` holds, as it does of the lowest ones.
pub(super) fn count_scores(pack: PackRef<'_>, before: impl Fn(f64) -> bool) -> usize {
    pairs(pack).take_while(|pair| before(pair.score)).count()
}

/// The ranks of the members in a range, as Redis finds them from either end: where scores differ
/// members are in no order, and it stops where they first leave the range.
pub(super) fn members_within(pack: PackRef<'_>, range: LexRange<'_>, rev: bool) -> Range<usize> {
    let members: SmallVec<[&[u8]; 64]> = pairs(pack).map(|pair| pair.member).collect();
    let (Some(first), Some(last)) = (members.first(), members.last()) else {
        return 0..0;
    };
    if !range.is_behind_min(last) || !range.is_before_max(first) {
        return 0..0;
    }
    let found = if rev {
        let end = members.iter().rposition(|it| range.is_before_max(it));
        end.map(|last| {
            let inside = members[..=last].iter().rev();
            let count = inside.take_while(|it| range.is_behind_min(it)).count();
            last + 1 - count..last + 1
        })
    } else {
        let start = members.iter().position(|it| range.is_behind_min(it));
        start.map(|first| {
            let inside = members[first..].iter();
            let count = inside.take_while(|it| range.is_before_max(it)).count();
            first..first + count
        })
    };
    found.unwrap_or(0..0)
}

/// The places of the elements of some ranks.
pub(super) fn places(pack: PackRef<'_>, ranks: Range<usize>) -> Places {
    let some = pairs(pack).skip(ranks.start).take(ranks.len());
    some.map(|pair| pair.at as u32).collect()
}

/// The position of the element of a rank, or behind all.
pub(super) fn position(pack: PackRef<'_>, rank: usize) -> usize {
    pack.position(2 * rank).unwrap_or_else(|| pack.end())
}

/// Adds an element whose member is not there.
pub(super) fn insert(pack: &mut Pack, score: f64, member: &[u8]) {
    let read = pack.as_ref();
    let behind =
        |pair: &Pair<'_>| pair.score > score || (pair.score == score && pair.member > member);
    let next = pairs(read).find(behind);
    let at = next.map_or_else(|| read.end(), |pair| pair.at);
    let (bytes, len) = encode(score);
    let at = pack.insert(at, member);
    pack.insert(at, &bytes[..len]);
}

/// Gives an element another score.
pub(super) fn update(pack: &mut Pack, at: usize, score: f64, member: &[u8]) -> ZsetChange {
    pack.remove(at, 2);
    insert(pack, score, member);
    ZsetChange::Updated
}

impl Pair<'_> {
    /// The position of the element.
    pub(super) fn at(&self) -> usize {
        self.at
    }
}

/// A score in few bytes: a whole number of up to seven bytes, the lowest first, its sign in the
/// lowest bit; any other as the eight bytes it is. As in Redis's listpacks, no zero is negative.
pub(super) fn encode(score: f64) -> ([u8; SCORE_BYTES], usize) {
    if score.abs() < WHOLE_END && score.fract() == 0.0 {
        let whole = score as i64;
        let zigzag = (whole << 1 ^ whole >> 63) as u64;
        let len = (u64::BITS - zigzag.leading_zeros()).div_ceil(8);
        return (zigzag.to_le_bytes(), len as usize);
    }
    (score.to_le_bytes(), SCORE_BYTES)
}

#[inline]
fn decode(bytes: &[u8]) -> f64 {
    if let Ok(bits) = bytes.try_into() {
        return f64::from_le_bytes(bits);
    }
    let bytes = bytes.iter().rev();
    let zigzag = bytes.fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
    ((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)) as f64
}

/// The most bytes of a score.
pub(super) const SCORE_BYTES: usize = 8;
/// Whole numbers below it take seven bytes at most, with their sign.
const WHOLE_END: f64 = (1_u64 << 55) as f64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn through(score: f64) -> (f64, usize) {
        let (bytes, len) = encode(score);
        (decode(&bytes[..len]), len)
    }

    #[test]
    fn whole_scores_take_few_bytes() {
        let edge = WHOLE_END - 4.0;
        for (score, len) in [
            (0.0, 0),
            (-0.0, 0),
            (1.0, 1),
            (-1.0, 1),
            (127.0, 1),
            (128.0, 2),
            (1_700_000_000.0, 4),
            (1_700_000_000_000.0, 6),
            (0.5, 8),
            (f64::INFINITY, 8),
            (edge, 7),
            (-edge, 7),
            (WHOLE_END, 8),
        ] {
            assert_eq!(through(score), (score, len));
        }
        assert!(through(-0.0).0.is_sign_positive());
    }

    proptest! {
        #[test]
        fn a_score_reads_back(bits: u64, whole in -(1_i64 << 56)..1 << 56) {
            let score = f64::from_bits(bits);
            prop_assert!(score.is_nan() || through(score).0 == score);
            prop_assert_eq!(through(whole as f64).0, whole as f64);
        }
    }
}
