//! Durable state: at most one save in flight, and the newest state wins.

use core::time::Duration;

use crate::machine::Mono;

/// A state of the configuration file; later ones contain the earlier ones.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version(u64);

/// Decides when the state is written, and knows which state the disk holds.
#[derive(Debug, Default)]
pub struct Saver {
    wanted: Version,
    in_flight: Option<Version>,
    /// The newest version whose save failed with nothing newer saved since.
    failed: Option<Version>,
    durable: Version,
    retry_at: Option<Mono>,
}

/// How long a state that could not be saved is left alone.
const RETRY: Duration = Duration::from_secs(1);

impl Saver {
    /// Notes that the state changed; whatever depends on the change waits for this version.
    pub fn touch(&mut self) -> Version {
        self.wanted = Version(self.wanted.0 + 1);
        self.wanted
    }

    /// The version to save now. Its image must be made at once, from the state as it is.
    pub fn poll(&mut self, now: Mono) -> Option<Version> {
        if self.in_flight.is_some() || self.durable == self.wanted {
            return None;
        }
        let retried = self.failed == Some(self.wanted);
        if retried && self.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        self.retry_at = None;
        self.in_flight = Some(self.wanted);
        self.in_flight
    }

    /// Takes the end of the save in flight and returns the version it was of.
    pub fn finish(&mut self, now: Mono, saved: bool) -> Version {
        let version = self
            .in_flight
            .take()
            .expect("a completion answers exactly one save");
        if saved {
            assert!(
                self.durable < version,
                "the same version is not saved twice"
            );
            assert!(
                version <= self.wanted,
                "only a version there is can be saved"
            );
            self.durable = version;
            self.failed = None;
        } else {
            self.failed = Some(version);
            self.retry_at = Some(now + RETRY);
        }
        version
    }

    /// Whether a crash would not lose this version.
    pub fn is_durable(&self, version: Version) -> bool {
        version <= self.durable
    }

    /// Whether the latest attempt to save this version came to nothing, and no other is due yet.
    pub fn has_failed(&self, version: Version) -> bool {
        !self.is_durable(version) && self.failed.is_some_and(|failed| version <= failed)
    }

    /// When a state that could not be saved is tried again.
    pub fn deadline(&self) -> Option<Mono> {
        if self.in_flight.is_some() {
            return None;
        }
        self.retry_at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Mono = Mono::from_nanos(5_000_000_000);

    #[test]
    fn changes_during_a_save_ride_on_the_next_one() {
        let mut saver = Saver::default();
        let first = saver.touch();
        assert_eq!(saver.poll(NOW), Some(first));
        saver.touch();
        let last = saver.touch();
        assert_eq!(saver.poll(NOW), None);
        assert_eq!(saver.finish(NOW, true), first);
        assert!(saver.is_durable(first));
        assert!(!saver.is_durable(last));
        assert_eq!(saver.poll(NOW), Some(last));
    }

    #[test]
    fn a_state_that_could_not_be_saved_is_tried_again_later_and_a_newer_one_at_once() {
        let mut saver = Saver::default();
        let version = saver.touch();
        saver.poll(NOW);
        saver.finish(NOW, false);
        assert!(saver.has_failed(version));
        assert_eq!(saver.poll(NOW), None);
        assert_eq!(saver.deadline(), Some(NOW + RETRY));
        assert_eq!(saver.poll(NOW + RETRY), Some(version));
        saver.finish(NOW + RETRY, false);
        let newer = saver.touch();
        assert_eq!(saver.poll(NOW + RETRY), Some(newer));
        saver.finish(NOW + RETRY, true);
        assert!(saver.is_durable(version));
        assert_eq!(saver.deadline(), None);
    }

    proptest! {
        #[test]
        fn durability_never_goes_back_and_never_runs_ahead(steps: Vec<(u8, bool)>) {
            let mut saver = Saver::default();
            let mut now = NOW;
            for (step, flag) in steps {
                now = now + Duration::from_millis(300);
                let before = saver.durable;
                match step % 3 {
                    0 => drop(saver.touch()),
                    1 => drop(saver.poll(now)),
                    _ if saver.in_flight.is_some() => drop(saver.finish(now, flag)),
                    _ => {}
                }
                prop_assert!(before <= saver.durable);
                prop_assert!(saver.durable <= saver.wanted);
            }
        }
    }
}
