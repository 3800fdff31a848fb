//! Elements of a sorted set by chance.

use super::ZsetRef;
use crate::rng::Rng;
use crate::value::pick;

impl<'a> ZsetRef<'a> {
    /// An element, each as likely as any other; none if there is none.
    pub fn random(self, rng: &mut Rng) -> Option<(&'a [u8], f64)> {
        let rank = pick::below(rng, self.len())?;
        self.range(rank..rank + 1, false).next()
    }

    /// Visits `count` different elements, or all if there are no more.
    pub fn sample(self, count: usize, rng: &mut Rng, mut visit: impl FnMut(&'a [u8], f64)) {
        if pick::is_sparse(count, self.len()) {
            let draw = || self.random(rng).expect("there are more than wanted");
            let visit = |(member, score)| visit(member, score);
            return pick::sample_sparse(count, draw, |(member, _)| member, visit);
        }
        pick::sample(count, self.iter(), self.len(), rng, |(member, score)| {
            visit(member, score);
        });
    }
}
