//! Sorted sets: members with scores, in the order of the scores, equal ones in that of the bytes.
//!
//! What reads is on [`ZsetRef`]: `len`, `score`, `rank`, `iter`, `range` (elements by rank, in
//! either direction), and `scores_within` and `members_within`, which give ranks. What changes is
//! on [`Zset`]: `insert`, `upsert`, `remove`, `remove_range`. A rank counts from the lowest
//! score.

mod big;
mod index;
mod order;
mod pick;
mod records;
mod small;
#[cfg(test)]
mod tests;

use super::{Collection, Form, Pack, PackRef, Shape, Tail, Value, ValueRef, alloc_size};
pub use big::BigZset;
use core::ops::Range;
use order::Walk;
use records::Pages;
use small::Places;

/// A sorted set.
#[derive(Clone, Debug)]
pub enum Zset {
    /// Few short elements, in order: each member with its score behind it.
    Small(Pack),
    /// Many elements, or long ones.
    Big(Box<BigZset>),
}

/// A sorted set to read.
#[derive(Clone, Copy, Debug)]
pub enum ZsetRef<'a> {
    /// Few short elements.
    Small(PackRef<'a>),
    /// Many elements, or long ones.
    Big(&'a BigZset),
}

/// What adding an element came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ZsetChange {
    /// The member was not there.
    Inserted,
    /// It had another score.
    Updated,
    /// It had that score.
    Same,
}

/// Scores from one to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The lowest score.
    pub min: f64,
    /// Whether the lowest score itself is left out.
    pub above_min: bool,
    /// The highest score.
    pub max: f64,
    /// Whether the highest score itself is left out.
    pub below_max: bool,
}

/// Members from one to another, in the order of their bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LexRange<'a> {
    /// Where it begins.
    pub min: LexBound<'a>,
    /// Where it ends.
    pub max: LexBound<'a>,
}

/// An end of a range of members.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LexBound<'a> {
    /// Before all members.
    Lowest,
    /// Behind all members.
    Highest,
    /// At this one, which is inside.
    Including(&'a [u8]),
    /// At this one, which is outside.
    Excluding(&'a [u8]),
}

impl Zset {
    /// An empty sorted set.
    pub fn new() -> Self {
        Self::Small(Pack::new())
    }

    /// Lends it for reading.
    #[inline]
    pub fn as_ref(&self) -> ZsetRef<'_> {
        match self {
            Self::Small(pack) => ZsetRef::Small(pack.as_ref()),
            Self::Big(big) => ZsetRef::Big(big),
        }
    }

    /// Gives a member a score.
    pub fn insert(&mut self, score: f64, member: &[u8], shape: &Shape) -> ZsetChange {
        let change = self.upsert(member, shape, |_| Some(score));
        change.expect("it always gets a score")
    }

    /// Gives a member the score that `decide` makes of the one it has, if it makes one.
    pub fn upsert(
        &mut self,
        member: &[u8],
        shape: &Shape,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Option<ZsetChange> {
        let pack = match self {
            Self::Big(big) => return big.upsert(member, decide),
            Self::Small(pack) => pack,
        };
        if let Some(found) = small::find(pack.as_ref(), member) {
            let (at, before) = (found.at(), found.score);
            let score = decide(Some(before))?;
            if score == before {
                return Some(ZsetChange::Same);
            }
            return Some(small::update(pack, at, score, member));
        }
        let score = decide(None)?;
        let read = pack.as_ref();
        let fits = small::len(read) < shape.zset.entries
            && member.len() <= shape.zset.value
            && read.has_room(2, member.len() + small::SCORE_BYTES);
        if fits {
            small::insert(pack, score, member);
        } else {
            self.make_big(shape).add_new(score, member);
        }
        Some(ZsetChange::Inserted)
    }

    /// Removes a member; false if it is not there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Self::Big(big) => big.remove(member),
            Self::Small(pack) => {
                let found = pack.as_ref().find(member, 2);
                if let Some(at) = found {
                    pack.remove(at, 2);
                }
                found.is_some()
            }
        }
    }

    /// Removes the elements of some ranks.
    pub fn remove_range(&mut self, ranks: Range<usize>) {
        assert!(
            ranks.end <= self.as_ref().len(),
            "only what is there is removed"
        );
        if ranks.is_empty() {
            return;
        }
        match self {
            Self::Small(pack) => {
                let at = small::position(pack.as_ref(), ranks.start);
                pack.remove(at, 2 * ranks.len());
            }
            Self::Big(big) => {
                let (mut bytes, mut ends) = (Vec::new(), Vec::new());
                for (member, _) in ZsetRef::Big(big).range(ranks, false) {
                    bytes.extend_from_slice(member);
                    ends.push(bytes.len());
                }
                let mut start = 0;
                for end in ends {
                    big.remove(&bytes[start..end]);
                    start = end;
                }
            }
        }
    }

    /// Makes it a large one if so many elements, or one so long, ask for that. Redis looks at what
    /// a command brings before it looks at what of that is there already.
    pub fn will_grow(&mut self, count: usize, len: usize, shape: &Shape) {
        if count > shape.zset.entries || len > shape.zset.value {
            self.make_big(shape);
        }
    }

    /// Makes a large one small if it could have been made so. Redis does that only with what it
    /// has built whole.
    pub fn settle(&mut self, shape: &Shape) {
        let Self::Big(big) = self else {
            return;
        };
        let read = ZsetRef::Big(big);
        if read.len() > shape.zset.entries {
            return;
        }
        let mut pack = Pack::new();
        for (member, score) in read.iter() {
            let room = pack.as_ref().has_room(2, member.len() + small::SCORE_BYTES);
            if member.len() > shape.zset.value || !room {
                return;
            }
            let (bytes, len) = small::encode(score);
            pack.push(member);
            pack.push(&bytes[..len]);
        }
        *self = Self::Small(pack);
    }

    fn make_big(&mut self, shape: &Shape) -> &mut BigZset {
        if let Self::Small(pack) = self {
            let mut big = BigZset::new(shape.hasher);
            for pair in small::pairs(pack.as_ref()) {
                big.add_new(pair.score, pair.member);
            }
            *self = Self::Big(Box::new(big));
        }
        match self {
            Self::Big(big) => big,
            Self::Small(_) => unreachable!("it was made large above"),
        }
    }

    /// Bytes of its allocations.
    pub fn memory(&self) -> usize {
        self.as_ref().memory()
    }

    /// How many allocations freeing it takes.
    pub fn free_effort(&self) -> usize {
        match self {
            Self::Small(_) => 1,
            Self::Big(big) => big.allocations(),
        }
    }

    /// Frees elements while `left` allocations may be freed; true when none is left.
    pub(crate) fn free_some(&mut self, left: &mut usize) -> bool {
        let done = match self {
            Self::Small(_) => true,
            Self::Big(big) => big.free_some(left),
        };
        if done {
            *self = Self::new();
        }
        done
    }

    /// Panics if it contradicts itself.
    pub fn check_invariants(&self) {
        match self {
            Self::Big(big) => big.check_invariants(),
            Self::Small(_) => {
                let mut last = None;
                for (member, score) in self.as_ref().iter() {
                    let inside = last.is_none_or(|last| last < (score, member));
                    assert!(inside, "elements are in order");
                    last = Some((score, member));
                }
            }
        }
    }
}

impl<'a> ZsetRef<'a> {
    /// A small one out of its bytes.
    #[inline]
    pub(super) fn small(bytes: &'a [u8]) -> Self {
        Self::Small(PackRef::new(bytes))
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Small(_) => "listpack",
            Self::Big(_) => "skiplist",
        }
    }

    /// How many elements there are.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Small(pack) => small::len(pack),
            Self::Big(big) => big.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Bytes of its allocations.
    pub fn memory(self) -> usize {
        match self {
            Self::Small(pack) => alloc_size(pack.bytes().len()),
            Self::Big(big) => alloc_size(size_of::<BigZset>()) + big.memory(),
        }
    }

    /// The score of a member.
    #[inline]
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Small(pack) => small::find(pack, member).map(|pair| pair.score),
            Self::Big(big) => big.score(member),
        }
    }

    /// The rank of a member, and its score.
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            Self::Small(pack) => small::rank(pack, member),
            Self::Big(big) => big.rank(member),
        }
    }

    /// All elements in order.
    pub fn iter(self) -> ZsetIter<'a> {
        self.range(0..self.len(), false)
    }

    /// The elements of some ranks, from the lowest on or, if `rev`, from the highest on.
    pub fn range(self, ranks: Range<usize>, rev: bool) -> ZsetIter<'a> {
        let left = ranks.len();
        let source = match (self, rev) {
            (Self::Small(pack), false) => Source::Small {
                pack,
                at: small::position(pack, ranks.start),
            },
            (Self::Small(pack), true) => Source::SmallRev {
                pack,
                places: small::places(pack, ranks),
            },
            (Self::Big(big), false) => Source::Big(big, big.walk(ranks.start)),
            (Self::Big(big), true) => Source::BigRev(big, big.walk(ranks.end)),
        };
        ZsetIter { source, left }
    }

    /// The ranks of the elements whose scores lie in a range.
    pub fn scores_within(self, range: ScoreRange) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        let before_min = |score| !range.is_behind_min(score);
        let before_max = |score| range.is_before_max(score);
        let (start, end) = match self {
            Self::Small(pack) => (
                small::count_scores(pack, before_min),
                small::count_scores(pack, before_max),
            ),
            Self::Big(big) => (big.count_scores(before_min), big.count_scores(before_max)),
        };
        start..end.max(start)
    }

    /// The ranks of the elements whose members lie in a range, if all scores are equal. What it
    /// means otherwise depends on where the search begins: at the last element if `rev`.
    pub fn members_within(self, range: LexRange<'_>, rev: bool) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        match self {
            Self::Small(pack) => small::members_within(pack, range, rev),
            Self::Big(big) => {
                // Redis looks at both ends first.
                let member = |rank| self.range(rank..rank + 1, false).next().map(|it| it.0);
                let (first, last) = (member(0), member(big.len().saturating_sub(1)));
                let reaches = first.is_some_and(|it| range.is_before_max(it))
                    && last.is_some_and(|it| range.is_behind_min(it));
                if !reaches {
                    return 0..0;
                }
                let start = big.count_members(|member| !range.is_behind_min(member));
                let end = big.count_members(|member| range.is_before_max(member));
                start..end.max(start)
            }
        }
    }

    /// Calls `each` with about `count` elements from a cursor on, and returns the cursor that
    /// goes on behind them; 0 at the end. A small set is visited whole.
    pub fn scan(self, cursor: u64, count: usize, mut each: impl FnMut(&'a [u8], f64)) -> u64 {
        match self {
            Self::Small(_) => {
                self.iter().for_each(|(member, score)| each(member, score));
                0
            }
            Self::Big(big) => big.scan(cursor, count, each),
        }
    }

    /// A copy. A large one shares its parts with the copy until one of them changes.
    pub fn to_zset(self) -> Zset {
        match self {
            Self::Small(pack) => Zset::Small(Pack::from_tail(Tail::new(pack.bytes().to_vec(), 0))),
            Self::Big(big) => Zset::Big(Box::new(big.clone())),
        }
    }

    /// The parts of a large one.
    pub fn parts(self) -> Option<ZsetParts> {
        match self {
            Self::Small(_) => None,
            Self::Big(big) => Some(big.parts()),
        }
    }
}

impl ScoreRange {
    /// Whether no score lies in it.
    pub fn is_empty(&self) -> bool {
        self.min > self.max || (self.min == self.max && (self.above_min || self.below_max))
    }

    /// Whether a score is not too low.
    #[inline]
    pub fn is_behind_min(&self, score: f64) -> bool {
        score > self.min || (score == self.min && !self.above_min)
    }

    /// Whether a score is not too high.
    #[inline]
    pub fn is_before_max(&self, score: f64) -> bool {
        score < self.max || (score == self.max && !self.below_max)
    }
}

impl LexRange<'_> {
    /// Whether it cannot have any member.
    pub fn is_empty(&self) -> bool {
        match (self.min, self.max) {
            (LexBound::Highest, LexBound::Highest) | (LexBound::Lowest, LexBound::Lowest) => false,
            (LexBound::Highest, _) | (_, LexBound::Lowest) => true,
            (LexBound::Lowest, _) | (_, LexBound::Highest) => false,
            (LexBound::Including(min), LexBound::Including(max)) => min > max,
            (
                LexBound::Including(min) | LexBound::Excluding(min),
                LexBound::Including(max) | LexBound::Excluding(max),
            ) => min >= max,
        }
    }

    /// Whether a member is not too low.
    pub fn is_behind_min(&self, member: &[u8]) -> bool {
        match self.min {
            LexBound::Lowest => true,
            LexBound::Highest => false,
            LexBound::Including(min) => member >= min,
            LexBound::Excluding(min) => member > min,
        }
    }

    /// Whether a member is not too high.
    pub fn is_before_max(&self, member: &[u8]) -> bool {
        match self.max {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Including(max) => member <= max,
            LexBound::Excluding(max) => member < max,
        }
    }
}

/// The elements of a range, each with its score.
#[derive(Clone, Debug)]
pub struct ZsetIter<'a> {
    source: Source<'a>,
    left: usize,
}

#[derive(Clone, Debug)]
enum Source<'a> {
    Small { pack: PackRef<'a>, at: usize },
    SmallRev { pack: PackRef<'a>, places: Places },
    Big(&'a BigZset, Walk<'a>),
    BigRev(&'a BigZset, Walk<'a>),
}

impl<'a> Iterator for ZsetIter<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], f64)> {
        self.left = self.left.checked_sub(1)?;
        match &mut self.source {
            Source::Small { pack, at } => {
                let pair = small::pair(*pack, *at);
                *at = pair.end;
                Some((pair.member, pair.score))
            }
            Source::SmallRev { pack, places } => {
                let pair = small::pair(*pack, places.pop()? as usize);
                Some((pair.member, pair.score))
            }
            Source::Big(big, walk) => walk.next().map(|item| big.element(item)),
            Source::BigRev(big, walk) => walk.prev().map(|item| big.element(item)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for ZsetIter<'_> {}

/// The parts of a large sorted set, to read its elements in no particular order.
#[derive(Debug)]
pub struct ZsetParts {
    pages: Pages,
    len: usize,
}

impl ZsetParts {
    /// How many elements all parts had.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads the next part and drops it; about the bytes it has, none if there is no further
    /// part.
    pub fn take(&mut self, each: impl FnMut(&[u8], f64)) -> Option<usize> {
        self.pages.take(each)
    }

    /// Bytes of the parts.
    pub fn memory(&self) -> usize {
        self.pages.memory()
    }
}

impl Collection for Zset {
    type Ref<'a> = ZsetRef<'a>;

    fn lent(value: ValueRef<'_>) -> Option<ZsetRef<'_>> {
        match value {
            ValueRef::Zset(zset) => Some(zset),
            _ => None,
        }
    }

    fn of(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Zset(zset) => Some(zset),
            _ => None,
        }
    }

    fn from_small(form: Form, tail: Tail) -> Option<Self> {
        (form == Form::Zset).then(|| Self::Small(Pack::from_tail(tail)))
    }

    fn into_small(self) -> Result<(Form, Tail), Self> {
        match self {
            Self::Small(pack) => Ok((Form::Zset, pack.into_tail())),
            Self::Big(_) => Err(self),
        }
    }

    fn is_small(&self) -> bool {
        matches!(self, Self::Small(_))
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }
}

impl Default for Zset {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Zset {
    /// Equal elements are an equal set, in whichever form.
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.as_ref(), other.as_ref());
        one.len() == other.len() && one.iter().eq(other.iter())
    }
}

impl Eq for Zset {}
