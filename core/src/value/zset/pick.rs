//! Elements of a sorted set by chance.

use std::collections::BTreeSet;

use super::ZsetRef;
use crate::rng::Rng;

impl<'a> ZsetRef<'a> {
    /// An element, each as likely as any other; none if there is none.
    pub fn random(self, rng: &mut Rng) -> Option<(&'a [u8], f64)> {
        let rank = below(rng, self.len())?;
        self.range(rank..rank + 1, false).next()
    }

    /// Visits `count` different elements, or all if there are no more.
    pub fn sample(self, count: usize, rng: &mut Rng, mut visit: impl FnMut(&'a [u8], f64)) {
        if count < self.len() / SPARSE {
            let mut seen = BTreeSet::new();
            while seen.len() < count {
                let rank = below(rng, self.len()).expect("there are more elements than wanted");
                if seen.insert(rank)
                    && let Some((member, score)) = self.range(rank..rank + 1, false).next()
                {
                    visit(member, score);
                }
            }
            return;
        }
        let (mut wanted, mut left) = (count, self.len());
        for (member, score) in self.iter() {
            if below(rng, left).is_some_and(|drawn| drawn < wanted) {
                wanted -= 1;
                visit(member, score);
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

/// Where at most one element of so many is wanted, they are drawn instead of going through all.
const SPARSE: usize = 3;
