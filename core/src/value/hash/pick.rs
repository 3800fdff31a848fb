//! Fields of a hash by chance.

use super::HashRef;
use crate::rng::Rng;
use crate::value::pick;

impl<'a> HashRef<'a> {
    /// A field with its value, each as likely as any other; none if there is none.
    pub fn random(self, rng: &mut Rng) -> Option<(&'a [u8], &'a [u8])> {
        match self {
            Self::Small(pack) => {
                let index = pick::below(rng, self.len())?;
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
            let drawn = match pick::below(rng, pairs.len()) {
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
        match self {
            Self::Big(fields) if pick::is_sparse(count, self.len()) => {
                let draw = || fields.random(rng).expect("there are more than wanted");
                pick::sample_sparse(count, draw, |(field, _)| field, |(f, v)| visit(f, v));
            }
            Self::Small(_) | Self::Big(_) => {
                pick::sample(count, self.iter(), self.len(), rng, |(f, v)| visit(f, v));
            }
        }
    }
}
