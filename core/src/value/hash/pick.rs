//! Fields of a hash by chance.

use std::collections::BTreeSet;

use super::HashRef;
use crate::rng::Rng;

impl<'a> HashRef<'a> {
    /// A field with its value, each as likely as any other; none if there is none.
    pub fn random(self, rng: &mut Rng) -> Option<(&'a [u8], &'a [u8])> {
        match self {
            Self::Small(pack) => {
                let index = below(rng, self.len())?;
                let (field, at) = pack.item(pack.position(2 * index)?);
                Some((field, pack.item(at).0))
            }
            Self::Big(fields) => fields.random(rng),
        }
    }

    /// Visits `count` fields drawn one by one, so that some may come more than once.
    pub fn draw(self, count: usize, rng: &mut Rng, mut visit: impl FnMut(&'a [u8], &'a [u8])) {
        let pairs: Vec<_> = match self {
            Self::Small(_) if count > 1 => self.iter().collect(),
            Self::Small(_) | Self::Big(_) => Vec::new(),
        };
        for _ in 0..count {
            let drawn = match below(rng, pairs.len()) {
                Some(index) => Some(pairs[index]),
                None => self.random(rng),
            };
            if let Some((field, value)) = drawn {
                visit(field, value);
            }
        }
    }

    /// Visits `count` different fields, or all if there are no more.
    pub fn sample(self, count: usize, rng: &mut Rng, mut visit: impl FnMut(&'a [u8], &'a [u8])) {
        let few = count < self.len() / SPARSE;
        match self {
            Self::Big(_) if few => {
                let mut seen = BTreeSet::new();
                while seen.len() < count {
                    let drawn = self.random(rng);
                    let (field, value) = drawn.expect("there are more fields than wanted");
                    if seen.insert(field) {
                        visit(field, value);
                    }
                }
            }
            Self::Small(_) | Self::Big(_) => {
                let (mut wanted, mut left) = (count, self.len());
                for (field, value) in self.iter() {
                    if below(rng, left).is_some_and(|drawn| drawn < wanted) {
                        wanted -= 1;
                        visit(field, value);
                    }
                    left -= 1;
                }
            }
        }
    }
}

/// A number below `bound`; none if there is no such number.
fn below(rng: &mut Rng, bound: usize) -> Option<usize> {
    let drawn = rng.below((bound > 0).then_some(bound)? as u64);
    usize::try_from(drawn).ok()
}

/// Where at most one field of so many is wanted, it is drawn instead of going through all.
const SPARSE: usize = 3;
