//! Members of a set by chance.

use std::collections::BTreeSet;

use super::SetRef;
use crate::rng::Rng;
use crate::value::StrRef;

impl<'a> SetRef<'a> {
    /// A member, each as likely as any other; none if there is none.
    pub fn random(self, rng: &mut Rng) -> Option<StrRef<'a>> {
        match self {
            Self::Ints(_) | Self::Small(_) => self.at(below(rng, self.len())?),
            Self::Big(members) => members.random(rng).map(StrRef::Raw),
        }
    }

    /// Visits `count` different members, or all if there are no more.
    pub fn sample(self, count: usize, rng: &mut Rng, mut visit: impl FnMut(StrRef<'a>)) {
        if let Self::Big(members) = self
            && count < self.len() / SPARSE
        {
            let mut seen = BTreeSet::new();
            while seen.len() < count {
                let drawn = members.random(rng);
                let member = drawn.expect("there are more members than wanted");
                if seen.insert(member) {
                    visit(StrRef::Raw(member));
                }
            }
            return;
        }
        let (mut wanted, mut left) = (count, self.len());
        for member in self.iter() {
            if below(rng, left).is_some_and(|drawn| drawn < wanted) {
                wanted -= 1;
                visit(member);
            }
            left -= 1;
        }
    }
}

/// A number below `bound`; none if there is no such number.
fn below(rng: &mut Rng, bound: usize) -> Option<usize> {
    let drawn = rng.below((bound > 0).then_some(bound)? as u64);
    usize::try_from(drawn).ok()
}

/// Where at most one member of so many is wanted, it is drawn instead of going through all.
const SPARSE: usize = 3;
