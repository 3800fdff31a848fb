//! Where ranges of elements begin and end.

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
