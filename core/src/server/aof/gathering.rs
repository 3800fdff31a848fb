//! Waiting for more that one sync can cover.
//!
//! A sync costs so much that whoever is about to ask for a write had better share this one than
//! wait for the next: those who get their replies together ask again together. So what a turn has
//! left is handed over by the first turn that adds nothing to it.

use crate::limits::AOF_GATHER_MAX;
use crate::machine::Mono;

/// Since when it goes on, and how many bytes there were at the last look; `None` if it does not.
#[derive(Debug, Default)]
pub(super) struct Gathering(Option<(Mono, usize)>);

impl Gathering {
    /// Goes on from what it was `before`, with `len` bytes by now, unless nothing was added or it
    /// has gone on for [`AOF_GATHER_MAX`]; whether it is over.
    pub(super) fn is_over(&mut self, before: Self, now: Mono, len: usize) -> bool {
        let since = before.0.map_or(now, |(since, _)| since);
        let same = before.0.is_some_and(|(_, before)| before == len);
        let over = same || since + AOF_GATHER_MAX <= now;
        self.0 = (!over).then_some((since, len));
        over
    }

    /// Whether another turn is wanted.
    pub(super) fn goes_on(&self) -> bool {
        self.0.is_some()
    }
}
