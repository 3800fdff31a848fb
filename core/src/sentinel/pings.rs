//! When an instance was last heard of, and how long it has owed an answer.

use core::time::Duration;

use crate::machine::Mono;

/// The ping bookkeeping of one link.
///
/// One instant says it all for the failure detector: since when an acceptable answer is owed.
/// It is set by a PING, by the loss of the connection and by the making of the link, and only
/// an acceptable reply clears it. So neither a connection lost right after a PONG nor one that
/// is made anew again and again hides a dead instance, and a connection that is lost and made
/// again within the time limit is no reason to call a living one dead.
#[derive(Clone, Debug)]
pub struct Pings {
    owed_since: Option<Mono>,
    sent: Mono,
    available: Mono,
    answered: Mono,
    reached: Option<Mono>,
}

impl Pings {
    /// A link just made: the instance has to show itself.
    pub fn new(now: Mono) -> Self {
        Self {
            owed_since: Some(now),
            sent: now,
            available: now,
            answered: now,
            reached: None,
        }
    }

    /// Notes a PING.
    pub fn sent(&mut self, now: Mono) {
        self.owed_since.get_or_insert(now);
        self.sent = now;
    }

    /// Notes the loss of the connection.
    pub fn lost(&mut self, now: Mono) {
        self.owed_since.get_or_insert(now);
    }

    /// Notes the reply to a PING.
    pub fn answered(&mut self, now: Mono, acceptable: bool) {
        self.answered = now;
        if acceptable {
            self.available = now;
            self.owed_since = None;
        }
    }

    /// Notes that the instance was in reach when a PING was sent that it has answered.
    pub fn reach(&mut self, asked: Mono) {
        self.reached = self.reached.max(Some(asked));
    }

    /// Takes a time in which this process did not run off the instance's account.
    ///
    /// Its answers may lie in our own socket buffers.
    pub fn excuse(&mut self, now: Mono, paused: Duration) {
        if let Some(since) = &mut self.owed_since {
            *since = now.min(*since + paused);
        }
    }

    /// Since when an acceptable answer is owed.
    pub fn owed_since(&self) -> Option<Mono> {
        self.owed_since
    }

    /// How long an acceptable answer has been owed.
    pub fn silence(&self, now: Mono) -> Duration {
        self.owed_since
            .map_or(Duration::ZERO, |since| now.since(since))
    }

    /// When the next PING is due.
    pub fn due(&self, period: Duration) -> Mono {
        (self.answered + period).max(self.sent + period / 2)
    }

    /// When the last reply that counts as a sign of life came, or the link was made.
    pub fn available(&self) -> Mono {
        self.available
    }

    /// When the instance was last known to be in reach; `None` if it has never answered.
    ///
    /// That is when the PING was sent that it has answered, and not when the answer was read, which
    /// may have lain in our own socket buffer while this process stood still.
    pub fn reached(&self) -> Option<Mono> {
        self.reached
    }

    /// When the last reply of any sort came.
    pub fn last_answer(&self) -> Mono {
        self.answered
    }
}

/// Whether the reply to a PING says that the instance can be worked with.
pub fn is_acceptable(reply: &[u8]) -> bool {
    [&b"PONG"[..], b"LOADING", b"MASTERDOWN"]
        .iter()
        .any(|word| reply.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Mono {
        Mono::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn a_link_lost_right_after_a_pong_counts_from_its_loss() {
        let mut pings = Pings::new(at(0));
        pings.answered(at(10), true);
        assert_eq!(pings.silence(at(900)), Duration::ZERO);
        pings.lost(at(20));
        assert_eq!(pings.owed_since(), Some(at(20)));
        assert_eq!(pings.silence(at(1021)), Duration::from_millis(1001));
    }

    #[test]
    fn reconnecting_does_not_settle_what_is_owed() {
        let mut pings = Pings::new(at(0));
        pings.answered(at(10), true);
        pings.sent(at(100));
        pings.lost(at(200));
        pings.sent(at(300));
        assert_eq!(pings.owed_since(), Some(at(100)));
        pings.answered(at(400), false);
        assert_eq!(pings.owed_since(), Some(at(100)));
        pings.answered(at(410), true);
        assert_eq!(pings.owed_since(), None);
    }

    #[test]
    fn an_instance_was_in_reach_when_it_was_asked() {
        let mut pings = Pings::new(at(5));
        assert_eq!(pings.reached(), None);
        pings.answered(at(900), true);
        pings.reach(at(30));
        pings.reach(at(20));
        assert_eq!(pings.reached(), Some(at(30)));
    }

    #[test]
    fn a_pause_of_our_own_is_not_held_against_the_instance() {
        let mut pings = Pings::new(at(0));
        pings.sent(at(0));
        pings.excuse(at(1500), Duration::from_millis(1400));
        assert_eq!(pings.silence(at(1500)), Duration::from_millis(100));
        pings.excuse(at(1500), Duration::from_secs(9));
        assert_eq!(pings.silence(at(1500)), Duration::ZERO);
    }

    #[test]
    fn the_next_ping_waits_for_a_period_without_an_answer_and_half_a_period_since_the_last() {
        let mut pings = Pings::new(at(0));
        pings.answered(at(10), true);
        let period = Duration::from_secs(1);
        assert_eq!(pings.due(period), at(1010));
        pings.sent(at(1010));
        assert_eq!(pings.due(period), at(1510));
    }

    #[test]
    fn loading_and_masterdown_are_signs_of_life_and_misconf_is_not() {
        assert!(is_acceptable(b"PONG"));
        assert!(is_acceptable(b"LOADING Redis is loading"));
        assert!(is_acceptable(b"MASTERDOWN Link"));
        assert!(!is_acceptable(b"MISCONF Redis"));
        assert!(!is_acceptable(b"NOAUTH Authentication required."));
    }
}
