//! `min-replicas-to-write`: a master that too few replicas can reach soon takes no more writes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Violation;
use crate::client::record::Record;
use crate::ids::NodeId;
use crate::options::Options;
use crate::time::{Time, ms};

const ORACLE: &str = "min-replicas";

/// Which data nodes are out of reach of which others, and since when.
#[derive(Debug)]
pub struct Alone {
    /// Replicas that a write needs; none if that is not asked for.
    needed: usize,
    lag: Duration,
    /// How much longer it may take; `None` where acknowledgements may be on their way for any time.
    slack: Option<Duration>,
    data: Vec<NodeId>,
    /// By who is not reached and by whom.
    since: BTreeMap<(NodeId, NodeId), Time>,
    longest: Option<Duration>,
}

impl Alone {
    /// An oracle for a run; without `min-replicas-to-write` it sees nothing.
    pub fn new(options: &Options) -> Self {
        // A master that stands still finds what waited for it and takes it for fresh.
        let families = &options.families;
        let prompt = families.slow.is_none() && families.pause.is_none();
        let prompt = prompt && options.network.loss_ppm == 0;
        let lag = Duration::from_secs(options.knobs.min_replicas_lag_s);
        // Ages count in whole seconds. Half a second is for what is on its way.
        let slack = ms(1_500);
        // Clocks may be slow by a fifth.
        let slack = match options.families.clock {
            Some(_) => slack + (lag + slack) / 4,
            None => slack,
        };
        Self {
            needed: options.knobs.min_replicas as usize,
            lag,
            slack: prompt.then_some(slack),
            data: options.topology.data().collect(),
            since: BTreeMap::new(),
            longest: None,
        }
    }

    /// Whether there is anything to observe.
    pub fn is_on(&self) -> bool {
        self.needed > 0
    }

    /// Takes in whether packets of another data node reach one.
    pub fn observe(&mut self, now: Time, node: NodeId, other: NodeId, is_reached: bool) {
        if is_reached {
            self.since.remove(&(node, other));
        } else {
            self.since.entry((node, other)).or_insert(now);
        }
    }

    /// For how long so many replicas as a write needs could not all reach a server.
    fn alone(&self, server: NodeId, at: Time) -> Duration {
        let others = self.data.iter().filter(|other| **other != server);
        let mut ages: Vec<Duration> = others
            .map(|other| match self.since.get(&(server, *other)) {
                Some(since) if *since <= at => at.since(*since),
                Some(_) | None => Duration::ZERO,
            })
            .collect();
        ages.sort_unstable();
        ages.get(self.needed - 1).copied().unwrap_or_default()
    }

    /// Takes in what a client was told.
    pub fn wrote(&mut self, record: &Record) -> Result<(), Violation> {
        if !self.is_on() || !record.writes() {
            return Ok(());
        }
        // The server has taken it after that, so by then it was alone for at least so long.
        let alone = self.alone(record.server, record.asked);
        let most = self.slack.map(|slack| self.lag + slack);
        if most.is_some_and(|most| alone > most) {
            let message = format!(
                "{} took a write asked for at {}, {alone:?} after too few replicas could reach it",
                record.server, record.asked
            );
            return Err(Violation::new(ORACLE, message));
        }
        if self.slack.is_some() && alone > Duration::ZERO {
            self.longest = self.longest.max(Some(alone));
        }
        Ok(())
    }

    /// How long at most a master was alone that took a write, and what it was allowed to be by
    /// `min-replicas-max-lag`.
    pub fn longest(&self) -> Option<(Duration, Duration)> {
        self.longest.map(|longest| (longest, self.lag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::record::{Op, Outcome};
    use crate::oracle::session::tests::done;
    use crate::rng::Keys;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);
    const C: NodeId = NodeId(2);

    fn oracle() -> Alone {
        let mut options = Options::draw(Keys::new(1));
        options.knobs.min_replicas = 1;
        options.knobs.min_replicas_lag_s = 2;
        options.families.slow = None;
        options.families.clock = None;
        options.families.pause = None;
        options.network.loss_ppm = 0;
        options.topology.above = vec![0, 0, 0];
        Alone::new(&options)
    }

    fn write(asked: u64) -> Record {
        Record {
            server: A,
            asked: Time::from_millis(asked),
            told: Time::from_millis(asked + 10),
            ..done(
                1,
                Op::Push {
                    list: 1,
                    element: 1,
                },
                Outcome::Done,
            )
        }
    }

    #[test]
    fn who_is_alone_may_write_for_the_lag_and_a_little_more() {
        let mut oracle = oracle();
        oracle.observe(Time::ZERO, A, C, false);
        oracle.wrote(&write(900)).unwrap();
        assert_eq!(oracle.longest(), None);
        oracle.observe(Time::from_millis(1_000), A, B, false);
        oracle.wrote(&write(500)).unwrap();
        assert_eq!(oracle.longest(), None);
        oracle.wrote(&write(4_000)).unwrap();
        assert_eq!(oracle.longest(), Some((ms(3_000), ms(2_000))));
        assert!(oracle.wrote(&write(4_600)).is_err());
        oracle.observe(Time::from_millis(4_700), A, B, true);
        oracle.wrote(&write(9_000)).unwrap();
    }

    #[test]
    fn each_replica_has_a_time_of_its_own() {
        let mut oracle = oracle();
        oracle.needed = 2;
        oracle.observe(Time::from_millis(1_000), A, C, false);
        oracle.wrote(&write(4_000)).unwrap();
        oracle.observe(Time::from_millis(4_100), A, B, false);
        oracle.observe(Time::from_millis(4_200), A, C, true);
        oracle.wrote(&write(7_000)).unwrap();
        assert!(oracle.wrote(&write(7_700)).is_err());
    }
}
