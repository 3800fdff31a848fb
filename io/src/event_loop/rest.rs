//! Rests between two turns of work that nobody waits for.
//!
//! A loop that never sleeps keeps its processor until the system takes it away, a tick later, and
//! a client on the same host that was to run there waits as long. While clients are served, the
//! loop gives way now and then for a moment.

use std::time::Duration;

use holdfast_core::machine::Mono;

use crate::limits::{BACKGROUND_REST, BACKGROUND_WORK, SERVING_LASTS};

/// When to rest, and for how long.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// When something was last read from a connection.
    read: Option<Mono>,
    /// When the last rest began.
    rested: Option<Mono>,
}

impl Rest {
    /// Takes note of input from a connection.
    pub(super) fn note_read(&mut self, now: Mono) {
        self.read = Some(now);
    }

    /// How long to rest now, unless something happens; `None` while nobody is being served, and for
    /// a while after a rest.
    pub(super) fn due(&mut self, now: Mono) -> Option<Duration> {
        let served = self.read.is_some_and(|at| now.since(at) < SERVING_LASTS);
        let fresh = self
            .rested
            .is_some_and(|at| now.since(at) < BACKGROUND_REST + BACKGROUND_WORK);
        if !served || fresh {
            return None;
        }
        self.rested = Some(now);
        Some(BACKGROUND_REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_only_while_somebody_is_served() {
        let at = |micros: u64| Mono::from_nanos(1 + micros * 1_000);
        let mut rest = Rest::default();
        assert_eq!(rest.due(at(0)), None);
        rest.note_read(at(10));
        assert_eq!(rest.due(at(20)), Some(BACKGROUND_REST));
        let lasts = u64::try_from(SERVING_LASTS.as_micros()).unwrap();
        assert_eq!(rest.due(at(10 + lasts)), None);
    }

    #[test]
    fn works_for_a_while_between_two_rests() {
        let at = |micros: u64| Mono::from_nanos(1 + micros * 1_000);
        let mut rest = Rest::default();
        rest.note_read(at(0));
        let rests = (0..600).filter(|&now| rest.due(at(now)).is_some());
        let spaced: Vec<u64> = rests.collect();
        let cycle = u64::try_from((BACKGROUND_REST + BACKGROUND_WORK).as_micros()).unwrap();
        assert_eq!(spaced, (0..600).step_by(cycle as usize).collect::<Vec<_>>());
    }
}
