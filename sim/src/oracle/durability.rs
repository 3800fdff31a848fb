//! What a server has promised to its own disk: a write that was acknowledged by a node is in that
//! node's dataset when it is back, as its append-only file promises.
//!
//! Under `appendfsync always` that goes for every write, whatever the node died of. Under
//! `everysec` it goes for those that were acknowledged long enough before, not counting the time
//! in which the process stood still, and under `no` for every write if only the process died, and
//! for every write under each policy if the process was told to end. A dataset that a master has
//! replaced since, and a disk that was wiped, are promises of nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Violation;
use crate::client::record::{Element, Record};
use crate::ids::NodeId;
use crate::time::{Time, ms};

const ORACLE: &str = "durability";
/// How long a write may be undurable under `everysec` besides what a sync takes: a second until
/// it is synced, two that it may wait for another sync, and what is under way.
const EVERYSEC: Duration = ms(4_000);

/// What append-only files promise in a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Promise {
    /// Nothing.
    Nothing,
    /// Writes told of so long before the end are kept, unless the disk has failed.
    After(Duration),
    /// Every write is kept, unless the host loses power or its disk fails.
    Written,
    /// Every write is kept.
    Everything,
}

/// What is known of each node's disk.
#[derive(Debug)]
pub struct Durability {
    promise: Promise,
    nodes: BTreeMap<NodeId, Kept>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    /// Nothing asked before that need be there.
    since: Time,
    /// When its process last died.
    died: Option<Time>,
    /// Its disk has failed since it last started.
    failed: bool,
    /// It ends as it was told to, and keeps everything.
    leaves: bool,
    /// Its process stands still since then.
    stands: Option<Time>,
    /// When its process stood still since it last started, in order.
    stood: Vec<(Time, Time)>,
    /// Times before its deaths of which nothing need have been kept.
    gaps: Vec<(Time, Time)>,
}

impl Promise {
    /// By the settings.
    pub fn of(appendonly: bool, appendfsync: &str, sync_max: Duration) -> Self {
        match appendfsync {
            _ if !appendonly => Self::Nothing,
            "always" => Self::Everything,
            "everysec" => Self::After(EVERYSEC + 2 * sync_max),
            _ => Self::Written,
        }
    }
}

impl Durability {
    /// Nothing was written yet.
    pub const fn new(promise: Promise) -> Self {
        Self {
            promise,
            nodes: BTreeMap::new(),
        }
    }

    /// A node's dataset was replaced, or its disk was wiped.
    pub fn replaced(&mut self, node: NodeId, at: Time) {
        self.nodes.entry(node).or_default().since = at;
    }

    /// A node's process stands still from here on.
    pub fn stands(&mut self, node: NodeId, at: Time) {
        self.nodes.entry(node).or_default().stands.get_or_insert(at);
    }

    /// A node's process goes on, if it stood still.
    pub fn goes_on(&mut self, node: NodeId, at: Time) {
        let kept = self.nodes.entry(node).or_default();
        let since = kept.stands.take();
        kept.stood.extend(since.map(|since| (since, at)));
    }

    /// A node's process has died; its disk may have failed before.
    pub fn died(&mut self, node: NodeId, at: Time, disk_failed: bool, power: bool) {
        self.goes_on(node, at);
        let kept = self.nodes.entry(node).or_default();
        // One that dies again before it was looked at has lost what it may lose by that.
        kept.leaves &= kept.died.is_none();
        kept.died.get_or_insert(at);
        kept.failed |= disk_failed || power && self.promise == Promise::Written && !kept.leaves;
    }

    /// A node's process ends because it was told to.
    pub fn leaves(&mut self, node: NodeId) {
        self.nodes.entry(node).or_default().leaves = true;
    }

    /// Whether a node is back and its dataset has not been looked at since.
    pub fn is_due(&self, node: NodeId) -> bool {
        let died = self.nodes.get(&node).and_then(|kept| kept.died);
        self.promise != Promise::Nothing && died.is_some()
    }

    /// A node is back, with these elements in its lists. Answers how many writes were looked for.
    pub fn is_back(
        &mut self,
        node: NodeId,
        records: &[Record],
        mut has: impl FnMut(u32, Element) -> bool,
    ) -> Result<usize, Violation> {
        let kept = self.nodes.entry(node).or_default();
        let Some(died) = kept.died.take() else {
            return Ok(0);
        };
        let failed = std::mem::take(&mut kept.failed);
        let left = std::mem::take(&mut kept.leaves);
        let stood = std::mem::take(&mut kept.stood);
        match self.promise {
            Promise::Nothing => return Ok(0),
            Promise::After(_) | Promise::Written if failed => kept.since = died,
            Promise::After(_) if left => {}
            Promise::Written => {}
            Promise::After(window) => kept.gaps.push((ran_for(window, died, &stood), died)),
            Promise::Everything => {}
        }
        // An answer may have been under way when its server died.
        let within =
            |record: &Record, (from, to): &(Time, Time)| *from < record.told && record.asked <= *to;
        let promised = |record: &&Record| {
            record.server == node
                && record.acked()
                && kept.since < record.asked
                // The answer may have come when its server was dead already.
                && record.asked <= died
                && !kept.gaps.iter().any(|gap| within(record, gap))
        };
        let mut count = 0;
        for record in records.iter().filter(promised) {
            let Some((element, lists)) = record.pushed() else {
                continue;
            };
            for list in lists.into_iter().flatten() {
                count += 1;
                if !has(list, element) {
                    let message = format!(
                        "{element} pushed to list {list} was acknowledged by {node} at {}, which \
                         died at {died} and has come back without it",
                        record.told
                    );
                    return Err(Violation::new(ORACLE, message));
                }
            }
        }
        Ok(count)
    }
}

/// The moment from which on a process ran for so long until it died, without the times at which it
/// stood still: what it does every second it does by its own.
fn ran_for(window: Duration, died: Time, stood: &[(Time, Time)]) -> Time {
    let mut from = died - window;
    for &(since, until) in stood.iter().rev() {
        if from < until {
            from = from - until.since(since);
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::record::{Op, Outcome};
    use crate::oracle::session::tests::done;

    const A: NodeId = NodeId(0);

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    fn write(element: Element, asked: u64, told: u64) -> Record {
        Record {
            server: A,
            asked: at(asked),
            told: at(told),
            ..done(1, Op::Push { list: 1, element }, Outcome::Done)
        }
    }

    fn looked_for(promise: Promise, failed: bool, lost: &[Element]) -> Result<usize, Violation> {
        let records = [
            write(1, 100, 101),
            write(2, 5_000, 5_001),
            write(3, 9_000, 9_001),
        ];
        let mut durability = Durability::new(promise);
        durability.replaced(A, at(4_000));
        durability.died(A, at(10_000), failed, false);
        durability.is_back(A, &records, |list, element| {
            assert_eq!(list, 1);
            !lost.contains(&element)
        })
    }

    #[test]
    fn always_keeps_every_write_since_the_dataset_was_replaced() {
        assert_eq!(looked_for(Promise::Everything, true, &[1]), Ok(2));
        assert!(looked_for(Promise::Everything, true, &[3]).is_err());
    }

    #[test]
    fn everysec_keeps_what_is_older_than_its_window() {
        let promise = Promise::of(true, "everysec", ms(10));
        assert_eq!(looked_for(promise, false, &[3]), Ok(1));
        assert!(looked_for(promise, false, &[2]).is_err());
        assert_eq!(looked_for(promise, true, &[2, 3]), Ok(0));
    }

    #[test]
    fn a_process_that_stands_still_does_not_sync() {
        let died_at = |at_ms| {
            let mut durability = Durability::new(Promise::After(ms(1_000)));
            durability.stands(A, at(2_000));
            durability.goes_on(A, at(3_000));
            durability.stands(A, at(9_600));
            durability.goes_on(A, at(20_000));
            durability.died(A, at(at_ms), false, true);
            durability
        };
        let records = [write(1, 8_500, 8_501), write(2, 9_500, 9_501)];
        let has_first = |_: u32, element| element == 1;
        assert_eq!(died_at(20_010).is_back(A, &records, has_first), Ok(1));
        assert!(died_at(20_010).is_back(A, &records, |_, _| false).is_err());
        // It has run for long enough since.
        assert!(died_at(21_010).is_back(A, &records, has_first).is_err());
    }

    #[test]
    fn what_one_crash_may_take_is_not_looked_for_after_the_next() {
        let mut durability = Durability::new(Promise::After(ms(1_000)));
        durability.died(A, at(10_000), false, false);
        let records = [write(1, 9_500, 9_501), write(2, 11_000, 11_001)];
        assert_eq!(durability.is_back(A, &records[..1], |_, _| false), Ok(0));
        durability.died(A, at(20_000), false, false);
        assert_eq!(
            durability.is_back(A, &records, |_, element| element == 2),
            Ok(1)
        );
        assert_eq!(
            durability.is_back(A, &records, |_, _| false),
            Ok(0),
            "it is up"
        );
    }

    #[test]
    fn without_syncs_every_write_is_kept_until_the_power_is_lost() {
        let promise = Promise::of(true, "no", ms(10));
        assert_eq!(looked_for(promise, false, &[1]), Ok(2));
        assert!(looked_for(promise, false, &[3]).is_err());
        assert_eq!(looked_for(promise, true, &[1, 2, 3]), Ok(0));
        let mut durability = Durability::new(promise);
        durability.died(A, at(10_000), false, true);
        let records = [write(1, 9_500, 9_501)];
        assert_eq!(durability.is_back(A, &records, |_, _| false), Ok(0));
    }

    #[test]
    fn a_process_that_was_told_to_end_keeps_everything() {
        for policy in ["everysec", "no"] {
            let mut durability = Durability::new(Promise::of(true, policy, ms(10)));
            durability.leaves(A);
            durability.died(A, at(10_000), false, true);
            let records = [write(1, 9_500, 9_501)];
            assert!(durability.is_back(A, &records, |_, _| false).is_err());
        }
    }

    #[test]
    fn without_a_file_nothing_is_promised() {
        let promise = Promise::of(false, "always", ms(10));
        assert_eq!(looked_for(promise, false, &[1, 2, 3]), Ok(0));
        assert!(!Durability::new(promise).is_due(A));
    }
}
