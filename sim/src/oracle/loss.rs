//! Loss accounting: every acknowledged write is in the final dataset or has a proved excuse.
//!
//! Replication is asynchronous, so a master that is cut off or dies may take acknowledged writes
//! with it. The proof of that is in the tree: the write lies behind the point at which the final
//! history forked off, or never left its master; that master's reign ended; and some fault was
//! at work. A write that lies on the final history and is missing has no excuse.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Violation;
use super::history::{Position, Tree};
use crate::client::record::{Element, Outcome, Record};
use crate::ids::NodeId;
use crate::program::Id;
use crate::time::Time;

const ORACLE: &str = "loss";

/// A time during which a node's process was a master of one history.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reign {
    /// The node.
    pub node: NodeId,
    /// Its process.
    pub incarnation: u32,
    /// The history.
    pub replid: Id,
    /// When it was first seen.
    pub from: Time,
    /// When it was no longer so; `None` if it lasts.
    pub to: Option<Time>,
}

/// What is known of the world at the end of a run.
pub struct Ground {
    /// All reigns.
    pub reigns: Vec<Reign>,
    /// What replicas held when their master was rebooted, with nothing else to happen.
    pub held: Vec<Position>,
    /// When processes of data nodes died.
    pub deaths: Vec<(NodeId, Time)>,
    /// When faults were at work.
    pub faults: Vec<(Time, Time)>,
    /// How long after its end a fault may still show.
    pub grace: Duration,
    /// When replicas were sent everything anew.
    pub full_syncs: Vec<Time>,
    /// Data nodes of the run.
    pub data_nodes: usize,
    /// The final master.
    pub master: NodeId,
    /// The history of the final master.
    pub end: Position,
    /// When everything but the core was frozen.
    pub frozen: Time,
    /// Data nodes that were.
    pub frozen_out: BTreeSet<NodeId>,
    /// The final content of every list.
    pub lists: BTreeMap<u32, Vec<Element>>,
}

/// Acknowledged writes that are gone, by excuse.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Losses {
    /// They lie behind a fork of the history.
    pub forked: usize,
    /// They never left their master.
    pub unsent: usize,
    /// Their master's process died with them in memory.
    pub died: usize,
}

impl Losses {
    /// All of them.
    pub const fn total(&self) -> usize {
        self.forked + self.unsent + self.died
    }
}

/// Finds and excuses every lost write.
pub fn account(
    records: &[Record],
    tree: &Tree,
    index: &BTreeMap<Element, Vec<Position>>,
    ground: &Ground,
) -> Result<Losses, Violation> {
    let mut losses = Losses::default();
    let mut kept: BTreeMap<u32, Vec<Element>> = ground.lists.clone();
    for elements in kept.values_mut() {
        elements.sort_unstable();
    }
    whole(records, |list, element| {
        (kept.get(&list)).is_some_and(|elements| elements.binary_search(&element).is_ok())
    })?;
    in_one_place(records, index)?;
    for record in records.iter().filter(|record| record.acked()) {
        let Some((element, lists)) = record.pushed() else {
            continue;
        };
        let lost = lists.into_iter().flatten().find(|list| {
            (kept.get(list)).is_none_or(|elements| elements.binary_search(&element).is_err())
        });
        let Some(list) = lost else { continue };
        let places = index.get(&element).map_or(&[][..], |places| &places[..]);
        excuse(record, places, tree, ground, &mut losses).map_err(|why| {
            let message = format!(
                "{element} pushed to list {list} was acknowledged by {} at {} and is gone: {why}",
                record.server, record.told
            );
            Violation::new(ORACLE, message)
        })?;
    }
    Ok(losses)
}

/// Each transaction is part of a dataset as a whole or not at all, whatever its client was told.
pub fn whole(
    records: &[Record],
    mut has: impl FnMut(u32, Element) -> bool,
) -> Result<(), Violation> {
    for (element, list, other) in records.iter().filter_map(Record::pushed_to_both) {
        if has(list, element) != has(other, element) {
            let message = format!(
                "half a transaction: {element} is in one of the lists {list} and {other}, and not \
                 in the other"
            );
            return Err(Violation::new("atomicity", message));
        }
    }
    Ok(())
}

/// A transaction, or what a script has done, is one unit of a stream.
fn in_one_place(
    records: &[Record],
    index: &BTreeMap<Element, Vec<Position>>,
) -> Result<(), Violation> {
    for (element, list, other) in records.iter().filter_map(Record::pushed_to_both) {
        let places = index.get(&element).map_or(&[][..], Vec::as_slice);
        let apart = places
            .windows(2)
            .find(|pair| pair[0].replid == pair[1].replid && pair[0].offset != pair[1].offset);
        if let Some(pair) = apart {
            let message = format!(
                "half a transaction: {element} went to list {list} or {other} at offset {}, and to \
                 the other at {}",
                pair[0].offset, pair[1].offset
            );
            return Err(Violation::new("atomicity", message));
        }
    }
    Ok(())
}

fn excuse(
    record: &Record,
    places: &[Position],
    tree: &Tree,
    ground: &Ground,
    losses: &mut Losses,
) -> Result<(), String> {
    if (places.iter()).any(|place| tree.is_ancestor(*place, ground.end)) {
        return Err("it is part of the final history and not of the final dataset".to_owned());
    }
    let reign = (ground.reigns.iter())
        .filter(|reign| (reign.node, reign.incarnation) == (record.server, record.incarnation))
        .rfind(|reign| reign.from <= record.told && reign.to.is_none_or(|to| to >= record.asked));
    let holds = |held: &Position| places.iter().any(|at| tree.is_ancestor(*at, *held));
    if ground.held.iter().any(holds) {
        return Err("a replica held it when its master was rebooted".to_owned());
    }
    let Some(reign) = reign else {
        return Err("the server was no master when it acknowledged".to_owned());
    };
    let end = match reign.to {
        Some(end) => {
            let start = record.asked - ground.grace;
            if !(ground.faults.iter()).any(|(from, to)| *from <= end && start <= *to) {
                return Err(format!(
                    "no fault was at work before its master was replaced at {end}"
                ));
            }
            end
        }
        // It thinks what it likes, and its clients with it: what keeps the core from it has no end.
        None if ground.frozen_out.contains(&reign.node) => ground.frozen,
        None => return Err("its master still reigns".to_owned()),
    };
    let since = |at: &Time| *at >= record.asked;
    if let Outcome::Waited(reached) = record.outcome {
        let everybody = reached as usize + 1 >= ground.data_nodes;
        let died = ground.deaths.iter().any(|(_, at)| since(at));
        if everybody && !died && !ground.full_syncs.iter().any(since) {
            return Err("every replica had it by WAIT and none has died since".to_owned());
        }
    }
    let died = (ground.deaths.iter()).any(|(node, at)| *node == record.server && *at == end);
    if died {
        losses.died += 1;
    } else if places.is_empty() {
        losses.unsent += 1;
    } else {
        losses.forked += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::record::Op;
    use crate::oracle::session::tests::done;
    use crate::program::ServerView;
    use crate::resp::command;
    use crate::time::ms;

    const OLD: Id = [b'a'; 40];
    const NEW: Id = [b'b'; 40];
    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    fn write(element: Element) -> Record {
        done(1, Op::Push { list: 1, element }, Outcome::Done)
    }

    fn stream(elements: &[Element]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for element in elements {
            command(
                &mut bytes,
                &[b"RPUSH", b"list:1", element.to_string().as_bytes()],
            );
        }
        bytes
    }

    /// A reigned with elements 1 and 2; B took over after 1.
    fn world() -> (Tree, Ground) {
        let mut tree = Tree::default();
        tree.wrote(A, &OLD, 1, &stream(&[1, 2])).unwrap();
        let fork = stream(&[1]).len() as u64;
        let promoted = ServerView {
            replid: NEW,
            replid2: OLD,
            second_offset: i64::try_from(fork).unwrap() + 1,
            offset: fork,
            master: None,
            link_up: false,
            loading: false,
            placed: true,
            hands_over: false,
            backlog_from: None,
        };
        tree.claims(B, &promoted).unwrap();
        let ground = Ground {
            reigns: vec![Reign {
                node: A,
                incarnation: 1,
                replid: OLD,
                from: Time::ZERO,
                to: Some(Time::from_millis(50)),
            }],
            held: Vec::new(),
            deaths: Vec::new(),
            faults: vec![(Time::from_millis(3), Time::from_millis(40))],
            grace: ms(1),
            full_syncs: Vec::new(),
            data_nodes: 3,
            master: B,
            end: Position {
                replid: NEW,
                offset: 1_000,
            },
            frozen: Time::from_millis(100),
            frozen_out: BTreeSet::new(),
            lists: BTreeMap::from([(1, vec![1])]),
        };
        (tree, ground)
    }

    fn judge(records: &[Record], tree: &Tree, ground: &Ground) -> Result<Losses, Violation> {
        account(records, tree, &tree.index().unwrap(), ground)
    }

    const BOTH: Op = Op::PushTwo {
        between: None,
        script: Some(0),
        list: 1,
        other: 2,
        element: 9,
    };

    #[test]
    fn what_is_one_has_one_place_in_a_history() {
        let records = [done(1, BOTH, Outcome::Unknown)];
        let at = |id, offset| Position {
            replid: [id; 40],
            offset,
        };
        let judge = |places: &[Position]| {
            let index = BTreeMap::from([(9, places.to_vec())]);
            in_one_place(&records, &index)
        };
        judge(&[]).unwrap();
        judge(&[at(b'a', 7), at(b'a', 7)]).unwrap();
        judge(&[at(b'a', 7), at(b'a', 7), at(b'b', 5), at(b'b', 5)]).unwrap();
        assert!(judge(&[at(b'a', 7), at(b'a', 9)]).is_err());
    }

    #[test]
    fn half_a_transaction_is_a_violation_even_if_nobody_was_told_of_it() {
        let both = BOTH;
        let records = [done(1, both, Outcome::Unknown)];
        whole(&records, |_, _| false).unwrap();
        whole(&records, |_, _| true).unwrap();
        assert!(whole(&records, |list, _| list == 2).is_err());
    }

    #[test]
    fn a_write_behind_the_fork_is_explained() {
        let (tree, ground) = world();
        let losses = judge(&[write(1), write(2)], &tree, &ground).unwrap();
        assert_eq!(
            losses,
            Losses {
                forked: 1,
                ..Losses::default()
            }
        );
    }

    #[test]
    fn a_write_on_the_final_history_that_is_missing_is_a_violation() {
        let (tree, mut ground) = world();
        ground.lists.clear();
        assert!(judge(&[write(1)], &tree, &ground).is_err());
    }

    #[test]
    fn a_write_that_a_replica_held_when_its_master_was_rebooted_has_no_excuse() {
        let (tree, mut ground) = world();
        let end = stream(&[1, 2]).len() as u64;
        let at = |offset| Position {
            replid: OLD,
            offset,
        };
        ground.held = vec![at(end - 1)];
        judge(&[write(2)], &tree, &ground).unwrap();
        ground.held = vec![at(end)];
        assert!(judge(&[write(2)], &tree, &ground).is_err());
    }

    #[test]
    fn a_loss_without_a_fault_or_under_a_lasting_reign_is_a_violation() {
        let (tree, mut ground) = world();
        ground.faults.clear();
        assert!(judge(&[write(2)], &tree, &ground).is_err());
        let (tree, mut ground) = world();
        ground.reigns[0].to = None;
        assert!(judge(&[write(2)], &tree, &ground).is_err());
    }

    #[test]
    fn a_master_frozen_out_of_the_core_loses_what_it_takes_however_late() {
        let (tree, mut ground) = world();
        let late = Record {
            asked: ground.frozen + ms(3_000),
            told: ground.frozen + ms(3_001),
            ..write(2)
        };
        ground.reigns[0].to = None;
        ground.frozen_out.insert(A);
        let losses = judge(std::slice::from_ref(&late), &tree, &ground).unwrap();
        assert_eq!(losses.forked, 1);
        // The freeze is no excuse for whoever replaces a master.
        ground.reigns[0].to = Some(late.told);
        assert!(judge(&[late], &tree, &ground).is_err());
    }

    #[test]
    fn a_write_that_every_replica_had_is_not_lost_while_they_live() {
        let (tree, mut ground) = world();
        let waited = Record {
            outcome: Outcome::Waited(2),
            ..write(2)
        };
        assert!(judge(std::slice::from_ref(&waited), &tree, &ground).is_err());
        ground.deaths.push((B, Time::from_millis(20)));
        judge(&[waited], &tree, &ground).unwrap();
    }

    #[test]
    fn excuses_tell_apart_what_died_and_what_was_never_sent() {
        let (tree, ground) = world();
        let losses = judge(&[write(3)], &tree, &ground).unwrap();
        assert_eq!((losses.unsent, losses.died), (1, 0));
        let (tree, mut ground) = world();
        ground.deaths.push((A, Time::from_millis(50)));
        let losses = judge(&[write(3)], &tree, &ground).unwrap();
        assert_eq!((losses.unsent, losses.died), (0, 1));
    }

    #[test]
    fn writes_that_were_not_acknowledged_are_nobodys_loss() {
        let (tree, ground) = world();
        let unknown = Record {
            outcome: Outcome::Unknown,
            ..write(9)
        };
        assert_eq!(judge(&[unknown], &tree, &ground).unwrap().total(), 0);
    }
}
