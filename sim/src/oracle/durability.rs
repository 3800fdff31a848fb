//! What a server has promised to its own disk: a write that was acknowledged by a node is in that
//! node's dataset when it is back, as the files promise that it starts from.
//!
//! From an append-only file: under `appendfsync always` that goes for every write, whatever the
//! node died of. Under `everysec` it goes for those that were acknowledged long enough before, not
//! counting the time in which the process stood still, and under `no` for every write if only the
//! process died, and for every write under each policy if the process was told to end.
//!
//! From an RDB file: every write that was acknowledged before a save began that has succeeded,
//! whatever the node died of, and every write if the process was told to end and saves then.
//!
//! What WAITAOF has said to be durable on the server itself is in the append-only file whatever the
//! policy.
//!
//! A dataset that a master has replaced since, and a disk that was wiped, are promises of nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Violation;
use crate::client::record::{Element, Outcome, Record};
use crate::ids::NodeId;
use crate::time::{Time, ms};

const ORACLE: &str = "durability";
/// How long a write may be undurable under `everysec` besides what a sync takes: a second until
/// it is synced, two that it may wait for another sync, and what is under way.
const EVERYSEC: Duration = ms(4_000);

/// What append-only files promise in a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Promise {
    /// Writes told of so long before the end are kept.
    After(Duration),
    /// Every write is kept, unless the host loses power.
    Written,
    /// Every write is kept.
    Everything,
}

/// What is known of each node's disk.
#[derive(Clone, Debug)]
pub struct Durability {
    /// By node.
    promises: Vec<Promise>,
    nodes: BTreeMap<NodeId, Kept>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    /// Nothing asked before that need be there.
    since: Time,
    /// What its server does is not all in the append-only file.
    doubt: Option<Doubt>,
    /// Its server says that all is well with that.
    sound: bool,
    /// It starts from the append-only file, and not from the RDB file.
    from_log: bool,
    /// When the last save began that has succeeded.
    saved: Time,
    /// When the save began that is under way.
    saving: Option<Time>,
    /// Saves of its process that have succeeded.
    saves: u64,
    /// When its process last died.
    died: Option<Time>,
    /// Its host has lost power with that.
    power: bool,
    /// It ends as it was told to.
    leaves: Option<Leaves>,
    /// Its process stands still since then.
    stands: Option<Time>,
    /// When its process stood still since it last started, in order.
    stood: Vec<(Time, Time)>,
    /// Times before its deaths of which nothing need have been kept, but what was told to be
    /// durable.
    gaps: Vec<(Time, Time)>,
    /// When it last died and started from the RDB file. Nothing asked before that is known to be
    /// in the append-only file only because it was told to be durable there.
    left_log: Time,
}

/// A time in which a server says that there is no append-only file that counts, or that something
/// is wrong with it.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    since: Time,
    /// It has everything since then, and it takes a while until that is durable.
    over: Option<Time>,
}

/// What a process does that was told to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Leaves {
    /// Makes the append-only file durable.
    Logged,
    /// And saves.
    Saved,
}

impl Promise {
    /// By `appendfsync`.
    pub fn of(appendfsync: &str, sync_max: Duration) -> Self {
        match appendfsync {
            "always" => Self::Everything,
            "everysec" | "" => Self::After(EVERYSEC + 2 * sync_max),
            _ => Self::Written,
        }
    }

    /// How long it may take until what is in the file is durable.
    const fn window(self) -> Duration {
        match self {
            Self::After(window) => window,
            Self::Written | Self::Everything => Duration::ZERO,
        }
    }
}

impl Kept {
    /// From when on its death may have cost the append-only file what was told of.
    fn lost_from(&self, promise: Promise, died: Time) -> Option<Time> {
        let durable = ran_for(promise.window(), died, &self.stood);
        let doubt = self
            .doubt
            .filter(|doubt| doubt.over.is_none_or(|over| durable < over))
            .map(|doubt| doubt.since);
        let ends_well = self.leaves.is_some();
        match promise {
            Promise::Written if self.power && !ends_well => Some(Time::ZERO),
            Promise::After(_) if ends_well && doubt.is_none() => None,
            Promise::After(window) => Some(ran_for(window, doubt.unwrap_or(died), &self.stood)),
            Promise::Written | Promise::Everything => doubt,
        }
    }
}

impl Durability {
    /// Nothing was written yet.
    pub const fn new(promises: Vec<Promise>) -> Self {
        Self {
            promises,
            nodes: BTreeMap::new(),
        }
    }

    /// Nothing is in a file before a server has said so.
    fn kept(&mut self, node: NodeId) -> &mut Kept {
        self.nodes.entry(node).or_insert_with(|| Kept {
            doubt: Some(Doubt {
                since: Time::ZERO,
                over: None,
            }),
            ..Kept::default()
        })
    }

    /// A node's dataset was replaced, or its disk was wiped.
    pub fn replaced(&mut self, node: NodeId, at: Time) {
        self.kept(node).since = at;
    }

    /// A node's server says whether all it does is in an append-only file that counts and with
    /// which nothing is wrong, and whether all that is in it is durable.
    pub fn logs(&mut self, node: NodeId, at: Time, sound: bool, durable: bool) {
        let promise = self.promises[node.index()];
        let kept = self.kept(node);
        kept.sound = sound;
        let Some(doubt) = &mut kept.doubt else {
            kept.doubt = (!sound).then_some(Doubt {
                since: at,
                over: None,
            });
            return;
        };
        let settled = ran_for(promise.window(), at, &kept.stood);
        let durable = durable || promise != Promise::Everything;
        match doubt.over {
            Some(over) if over <= settled => {
                kept.doubt = None;
                self.logs(node, at, sound, durable);
            }
            None if sound && durable => doubt.over = Some(at),
            Some(_) | None if sound => {}
            Some(_) | None => doubt.over = None,
        }
    }

    /// A node's process starts, from the append-only file or from the RDB file.
    pub fn starts(&mut self, node: NodeId, from_log: bool) {
        self.kept(node).from_log = from_log;
    }

    /// A node's server says how many saves have succeeded and whether one is under way. One that
    /// took the place of another counts from when that began.
    pub fn saves(&mut self, node: NodeId, at: Time, done: u64, under_way: bool) {
        let kept = self.kept(node);
        if kept.saves < done {
            // One that is over with the turn it began in has what was told of before.
            kept.saved = kept.saving.take().unwrap_or(at);
            kept.saves = done;
        }
        kept.saving = under_way.then(|| kept.saving.unwrap_or(at));
    }

    /// A node's process stands still from here on.
    pub fn stands(&mut self, node: NodeId, at: Time) {
        self.kept(node).stands.get_or_insert(at);
    }

    /// A node's process goes on, if it stood still.
    pub fn goes_on(&mut self, node: NodeId, at: Time) {
        let kept = self.kept(node);
        let since = kept.stands.take();
        kept.stood.extend(since.map(|since| (since, at)));
    }

    /// A node's process has died.
    pub fn died(&mut self, node: NodeId, at: Time, power: bool) {
        self.goes_on(node, at);
        let kept = self.kept(node);
        // One that dies again before it was looked at has lost what it may lose by that.
        kept.leaves = kept.leaves.filter(|_| kept.died.is_none());
        kept.died.get_or_insert(at);
        (kept.saves, kept.saving, kept.sound) = (0, None, false);
        kept.power |= power;
    }

    /// A node's process ends because it was told to.
    pub fn leaves(&mut self, node: NodeId, how: Leaves) {
        self.kept(node).leaves = Some(how);
    }

    /// Whether a node that starts from the append-only file has said that something is wrong with
    /// that, and not for long enough that it is well again.
    pub fn doubts_log(&self, node: NodeId) -> bool {
        let kept = self.nodes.get(&node);
        kept.is_some_and(|kept| kept.from_log && kept.doubt.is_some())
    }

    /// Whether whoever is told of a write by this node can rely on it, whatever happens.
    pub fn promises_everything(&self, node: NodeId) -> bool {
        let sound = self.nodes.get(&node).is_some_and(|kept| kept.sound);
        self.promises[node.index()] == Promise::Everything && sound
    }

    /// Whether a node is back and its dataset has not been looked at since.
    pub fn is_due(&self, node: NodeId) -> bool {
        self.nodes
            .get(&node)
            .is_some_and(|kept| kept.died.is_some())
    }

    /// A node is back, with these elements in its lists. Answers how many writes were looked for.
    pub fn is_back(
        &mut self,
        node: NodeId,
        records: &[Record],
        mut has: impl FnMut(u32, Element) -> bool,
    ) -> Result<usize, Violation> {
        let promise = self.promises[node.index()];
        let kept = self.kept(node);
        let Some(died) = kept.died.take() else {
            return Ok(0);
        };
        let lost = if kept.from_log {
            let lost = kept.lost_from(promise, died);
            // What it has read is what is in the file.
            kept.doubt = None;
            lost
        } else {
            kept.left_log = died;
            Some(kept.saved).filter(|_| kept.leaves != Some(Leaves::Saved))
        };
        kept.gaps.extend(lost.map(|from| (from, died)));
        (kept.power, kept.leaves) = (false, None);
        kept.stood.clear();
        // An answer may have been under way when its server died.
        let within =
            |record: &Record, (from, to): &(Time, Time)| *from < record.told && record.asked <= *to;
        let durable =
            |record: &Record| record.outcome == Outcome::Kept && kept.left_log < record.asked;
        let promised = |record: &&Record| {
            record.server == node
                && record.acked()
                && kept.since < record.asked
                // The answer may have come when its server was dead already.
                && record.asked <= died
                && (durable(record) || !kept.gaps.iter().any(|gap| within(record, gap)))
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
    use crate::client::record::Op;
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

    fn logged(promise: Promise) -> Durability {
        let mut durability = Durability::new(vec![promise]);
        durability.starts(A, true);
        durability.logs(A, at(1), true, true);
        durability.logs(A, at(1), true, true);
        durability
    }

    /// One whose log counts from 1 s on.
    fn looked_for(
        promise: Promise,
        power: bool,
        lost: &[Element],
        doubts: &[(u64, bool)],
    ) -> Result<usize, Violation> {
        let records = [
            write(1, 100, 101),
            write(2, 5_000, 5_001),
            write(3, 9_000, 9_001),
        ];
        let mut durability = logged(promise);
        durability.replaced(A, at(4_000));
        for &(ms, sound) in doubts {
            durability.logs(A, at(ms), sound, true);
        }
        durability.died(A, at(10_000), power);
        durability.is_back(A, &records, |list, element| {
            assert_eq!(list, 1);
            !lost.contains(&element)
        })
    }

    const NONE: &[(u64, bool)] = &[];

    #[test]
    fn always_keeps_every_write_since_the_dataset_was_replaced() {
        assert_eq!(looked_for(Promise::Everything, true, &[1], NONE), Ok(2));
        assert!(looked_for(Promise::Everything, true, &[3], NONE).is_err());
    }

    #[test]
    fn everysec_keeps_what_is_older_than_its_window() {
        let promise = Promise::of("everysec", ms(10));
        assert_eq!(looked_for(promise, false, &[3], NONE), Ok(1));
        assert!(looked_for(promise, false, &[2], NONE).is_err());
    }

    #[test]
    fn what_was_told_of_while_something_was_wrong_with_the_file_may_be_lost() {
        let broken = &[(4_500, false)][..];
        for promise in [
            Promise::Everything,
            Promise::Written,
            Promise::After(ms(300)),
        ] {
            assert_eq!(looked_for(promise, false, &[2, 3], broken), Ok(0));
            // It has everything again, and that long enough.
            let mended = &[(4_500, false), (6_000, true), (7_000, true)][..];
            assert!(looked_for(promise, false, &[2], mended).is_err());
        }
        // Under `everysec` it takes a while until it is durable.
        let promise = Promise::After(ms(2_000));
        let mended = &[(4_500, false), (9_500, true), (9_600, true)][..];
        assert_eq!(looked_for(promise, false, &[2, 3], mended), Ok(0));
        // Before that it was whole.
        let broken = &[(8_500, false)][..];
        assert!(looked_for(promise, false, &[2], broken).is_err());
    }

    #[test]
    fn always_keeps_what_was_told_of_before_the_file_counted_once_it_is_durable() {
        for (durable, kept) in [(true, true), (false, false)] {
            let mut durability = Durability::new(vec![Promise::Everything]);
            durability.starts(A, true);
            durability.logs(A, at(3_000), false, false);
            durability.logs(A, at(4_000), true, durable);
            durability.logs(A, at(4_001), true, durable);
            durability.died(A, at(10_000), true);
            let records = [write(1, 3_500, 3_501)];
            let result = durability.is_back(A, &records, |_, _| false);
            assert_eq!(result.is_err(), kept);
        }
    }

    #[test]
    fn a_process_that_stands_still_does_not_sync() {
        let died_at = |at_ms| {
            let mut durability = logged(Promise::After(ms(1_000)));
            durability.stands(A, at(2_000));
            durability.goes_on(A, at(3_000));
            durability.stands(A, at(9_600));
            durability.goes_on(A, at(20_000));
            durability.died(A, at(at_ms), true);
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
        let mut durability = logged(Promise::After(ms(1_000)));
        durability.died(A, at(10_000), false);
        let records = [write(1, 9_500, 9_501), write(2, 11_000, 11_001)];
        assert_eq!(durability.is_back(A, &records[..1], |_, _| false), Ok(0));
        durability.died(A, at(20_000), false);
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
    fn what_was_told_to_be_durable_is_kept_whatever_the_policy() {
        let kept = Record {
            outcome: Outcome::Kept,
            ..write(1, 9_500, 9_501)
        };
        for policy in ["everysec", "no"] {
            let mut durability = logged(Promise::of(policy, ms(10)));
            durability.died(A, at(10_000), true);
            let records = [kept.clone(), write(2, 9_502, 9_503)];
            let result = durability
                .clone()
                .is_back(A, &records, |_, element| element == 1);
            assert_eq!(result, Ok(1));
            assert!(
                durability
                    .clone()
                    .is_back(A, &records, |_, _| false)
                    .is_err()
            );
            // There is nothing of the append-only file in an RDB file.
            durability.starts(A, false);
            assert_eq!(durability.is_back(A, &records, |_, _| false), Ok(0));
            durability.died(A, at(11_000), false);
            durability.starts(A, true);
            assert_eq!(durability.is_back(A, &records, |_, _| false), Ok(0));
        }
    }

    #[test]
    fn without_syncs_every_write_is_kept_until_the_power_is_lost() {
        let promise = Promise::of("no", ms(10));
        assert_eq!(looked_for(promise, false, &[1], NONE), Ok(2));
        assert!(looked_for(promise, false, &[3], NONE).is_err());
        assert_eq!(looked_for(promise, true, &[1, 2, 3], NONE), Ok(0));
        let mut durability = logged(promise);
        durability.died(A, at(10_000), true);
        let records = [write(1, 9_500, 9_501)];
        assert_eq!(durability.is_back(A, &records, |_, _| false), Ok(0));
    }

    #[test]
    fn a_process_that_was_told_to_end_keeps_everything() {
        for policy in ["everysec", "no"] {
            let mut durability = logged(Promise::of(policy, ms(10)));
            durability.leaves(A, Leaves::Logged);
            durability.died(A, at(10_000), true);
            let records = [write(1, 9_500, 9_501)];
            assert!(durability.is_back(A, &records, |_, _| false).is_err());
        }
    }

    /// One that starts from an RDB file, and has saved twice by 8 s and died at 10 s.
    fn saved() -> Durability {
        let mut durability = Durability::new(vec![Promise::Everything]);
        for (ms, done, under_way) in [
            (1_000, 0, true),
            (2_000, 0, true),
            (3_000, 1, true),
            (8_000, 2, false),
        ] {
            durability.saves(A, at(ms), done, under_way);
        }
        durability.died(A, at(10_000), true);
        durability
    }

    #[test]
    fn a_save_keeps_what_was_told_of_before_it_began() {
        let records = [
            write(1, 500, 501),
            write(2, 2_998, 2_999),
            write(3, 2_999, 3_001),
            write(4, 9_000, 9_001),
        ];
        let has = |lost: Element| move |_: u32, element| element != lost && element < 3;
        assert_eq!(saved().is_back(A, &records, has(0)), Ok(2));
        assert!(saved().is_back(A, &records, has(2)).is_err());
        // What was lost once is not in the saves that follow.
        let mut durability = saved();
        durability.is_back(A, &records, has(0)).unwrap();
        durability.saves(A, at(12_000), 1, false);
        durability.died(A, at(13_000), true);
        assert_eq!(durability.is_back(A, &records, has(0)), Ok(2));
    }

    #[test]
    fn a_save_that_did_not_succeed_keeps_nothing() {
        let mut durability = Durability::new(vec![Promise::Everything]);
        durability.saves(A, at(3_000), 0, true);
        durability.died(A, at(4_000), false);
        durability.saves(A, at(5_000), 0, false);
        let records = [write(1, 500, 501)];
        assert_eq!(durability.is_back(A, &records, |_, _| false), Ok(0));
    }

    #[test]
    fn a_process_that_saves_when_told_to_end_keeps_everything() {
        for (how, kept) in [(Leaves::Saved, true), (Leaves::Logged, false)] {
            let mut durability = Durability::new(vec![Promise::Everything]);
            durability.leaves(A, how);
            durability.died(A, at(10_000), true);
            let records = [write(1, 9_999, 10_000)];
            let result = durability.is_back(A, &records, |_, _| false);
            assert_eq!(result.is_err(), kept);
        }
    }
}
