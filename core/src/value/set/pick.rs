//! Members of a set by chance.

use super::SetRef;
use crate::rng::Rng;
use crate::value::StrRef;
use crate::value::pick;

impl<'a> SetRef<'a> {
    /// A member, each as likely as any other; none if there is none.
    pub fn random(self, rng: &mut Rng) -> Option<StrRef<'a>> {
        match self {
            Self::Ints(_) | Self::Small(_) => self.at(pick::below(rng, self.len())?),
            Self::Big(members) => members.random(rng).map(StrRef::Raw),
        }
    }

    /// Visits `count` members drawn one by one, so that some may come more than once.
    pub fn draw(self, count: usize, rng: &mut Rng, mut visit: impl FnMut(StrRef<'a>)) {
        // A pack is walked through to find any of its members.
        let all: Vec<StrRef<'a>> = match self {
            Self::Small(_) if count > 1 => self.iter().collect(),
            Self::Ints(_) | Self::Small(_) | Self::Big(_) => Vec::new(),
        };
        for _ in 0..count {
            let drawn = match pick::below(rng, all.len()) {
                Some(index) => Some(all[index]),
                None => self.random(rng),
            };
            if let Some(member) = drawn {
                visit(member);
            }
        }
    }

    /// Visits `count` different members, or all if there are no more.
    pub fn sample(self, count: usize, rng: &mut Rng, mut visit: impl FnMut(StrRef<'a>)) {
        match self {
            Self::Big(members) if pick::is_sparse(count, self.len()) => {
                let draw = || members.random(rng).expect("there are more than wanted");
                pick::sample_sparse(count, draw, |member| member, |it| visit(StrRef::Raw(it)));
            }
            Self::Ints(_) | Self::Small(_) | Self::Big(_) => {
                pick::sample(count, self.iter(), self.len(), rng, visit);
            }
        }
    }
}
