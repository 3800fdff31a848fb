//! Durable state: at most one save in flight, and the newest state wins.

use core::time::Duration;

use crate::machine::Mono;

/// A state of the configuration file; later ones contain the earlier ones.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version(u64);

/// Decides when the state is written, and knows which state the disk holds.
#[derive(Debug)]
pub struct Saver {
    wanted: Version,
    under_way: Option<UnderWay>,
    /// The newest version whose save failed with nothing newer saved since.
    failed: Option<Version>,
    durable: Version,
    /// How long a state that could not be saved is left alone; `None` is until it changes.
    retry: Option<Duration>,
    retry_at: Option<Mono>,
}

/// How far a save is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum UnderWay {
    /// The file is being read; the state may still change.
    Reading,
    /// This version is being written.
    Writing(Version),
}

/// How long a state that could not be saved is left alone.
const RETRY: Duration = Duration::from_secs(1);

impl Default for Saver {
    fn default() -> Self {
        Self {
            wanted: Version::default(),
            under_way: None,
            failed: None,
            durable: Version::default(),
            retry: Some(RETRY),
            retry_at: None,
        }
    }
}

impl Saver {
    /// One that tries each state once.
    pub fn once() -> Self {
        Self {
            retry: None,
            ..Self::default()
        }
    }

    /// Notes that the state changed; whatever depends on the change waits for this version.
    pub fn touch(&mut self) -> Version {
        self.wanted = Version(self.wanted.0 + 1);
        self.wanted
    }

    /// Begins a save, if one is due.
    pub fn begin(&mut self, now: Mono) -> bool {
        if self.under_way.is_some() || self.durable == self.wanted {
            return false;
        }
        let retried = self.failed == Some(self.wanted);
        if retried && self.retry_at.is_none_or(|at| now < at) {
            return false;
        }
        self.retry_at = None;
        self.under_way = Some(UnderWay::Reading);
        true
    }

    /// Fixes which version is saved: the image is made of the state as it is at this moment.
    pub fn seal(&mut self) {
        assert_eq!(
            self.under_way,
            Some(UnderWay::Reading),
            "a save has one image"
        );
        self.under_way = Some(UnderWay::Writing(self.wanted));
    }

    /// Takes the end of the save under way.
    pub fn finish(&mut self, now: Mono, saved: bool) {
        let version = match self.under_way.take() {
            Some(UnderWay::Writing(version)) => version,
            // It failed before there was an image, for everything there is.
            Some(UnderWay::Reading) => self.wanted,
            None => panic!("a completion answers exactly one save"),
        };
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
            self.retry_at = self.retry.map(|delay| now + delay);
        }
    }

    /// Whether a crash would not lose this version.
    pub fn is_durable(&self, version: Version) -> bool {
        version <= self.durable
    }

    /// Whether the latest attempt to save this version came to nothing, and no other is due yet.
    pub fn has_failed(&self, version: Version) -> bool {
        !self.is_durable(version) && self.failed.is_some_and(|failed| version <= failed)
    }

    /// Whether the latest save came to nothing.
    pub fn is_failing(&self) -> bool {
        self.failed.is_some()
    }

    /// When a state that could not be saved is tried again.
    pub fn deadline(&self) -> Option<Mono> {
        if self.under_way.is_some() {
            return None;
        }
        self.retry_at
    }

    /// Whether there is nothing to save, or it was tried and failed.
    pub fn is_settled(&self) -> bool {
        self.under_way.is_none()
            && (self.durable == self.wanted || self.failed == Some(self.wanted))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Mono = Mono::from_nanos(5_000_000_000);

    #[test]
    fn changes_after_the_image_was_made_ride_on_the_next_save() {
        let mut saver = Saver::default();
        let first = saver.touch();
        assert!(saver.begin(NOW));
        let second = saver.touch();
        saver.seal();
        let last = saver.touch();
        assert!(!saver.begin(NOW));
        saver.finish(NOW, true);
        assert!(saver.is_durable(first));
        assert!(saver.is_durable(second));
        assert!(!saver.is_durable(last));
        assert!(saver.begin(NOW));
    }

    #[test]
    fn a_state_that_could_not_be_saved_is_tried_again_later_and_a_newer_one_at_once() {
        let mut saver = Saver::default();
        let version = saver.touch();
        assert!(saver.begin(NOW));
        saver.finish(NOW, false);
        assert!(saver.has_failed(version));
        assert!(saver.is_settled());
        assert!(!saver.begin(NOW));
        assert_eq!(saver.deadline(), Some(NOW + RETRY));
        assert!(saver.begin(NOW + RETRY));
        saver.seal();
        saver.finish(NOW + RETRY, false);
        saver.touch();
        assert!(saver.begin(NOW + RETRY));
        saver.seal();
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
                match (step % 4, saver.under_way) {
                    (0, _) => drop(saver.touch()),
                    (1, _) => drop(saver.begin(now)),
                    (2, Some(UnderWay::Reading)) => saver.seal(),
                    (3, Some(UnderWay::Writing(_))) => saver.finish(now, flag),
                    (3, Some(UnderWay::Reading)) => saver.finish(now, false),
                    (_, _) => {}
                }
                prop_assert!(before <= saver.durable);
                prop_assert!(saver.durable <= saver.wanted);
            }
        }
    }
}
