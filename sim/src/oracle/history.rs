//! The history tree. Every byte of a replication stream is known by (replid, offset); a promotion
//! makes a branch. The tree is built from the bytes that masters write to their replicas, which
//! no machine can colour, and from the ids and offsets that nodes claim.

use std::collections::{BTreeMap, BTreeSet};

use super::{Violation, short};
use crate::ids::NodeId;
use crate::program::{Id, ServerView};
use crate::resp::{Reader, Reply};

const ORACLE: &str = "history";
const NO_ID: Id = [b'0'; 40];
/// Datasets are compared at one offset in this many.
const DIGEST_EVERY: u64 = 16;

/// All histories of a run.
#[derive(Default)]
pub struct Tree {
    branches: BTreeMap<Id, Branch>,
}

#[derive(Default)]
struct Branch {
    /// What was seen on the wire, in order of offset, without overlap.
    seen: Vec<Segment>,
    /// The history this one goes on from, and the last offset they share.
    fork: Option<(Id, u64)>,
    /// The greatest offset a master of this history claimed or sent.
    head: u64,
    digests: BTreeMap<u64, (u128, NodeId)>,
}

struct Segment {
    /// The offset of the first byte; streams count from 1.
    start: u64,
    bytes: Vec<u8>,
}

impl Segment {
    const fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// A place in the tree: everything up to and including `offset` of `replid`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The history.
    pub replid: Id,
    /// Its last byte that counts.
    pub offset: u64,
}

impl Tree {
    /// Takes in bytes that `from` sent as part of a history, the first at offset `start`.
    pub fn wrote(
        &mut self,
        from: NodeId,
        replid: &Id,
        start: u64,
        bytes: &[u8],
    ) -> Result<(), Violation> {
        let branch = self.branches.entry(*replid).or_default();
        if let Some((parent, last)) = branch.fork
            && start <= last
        {
            let shared = usize::try_from(last + 1 - start).unwrap_or(usize::MAX);
            let shared = shared.min(bytes.len());
            self.wrote(from, &parent, start, &bytes[..shared])?;
            if shared == bytes.len() {
                return Ok(());
            }
            return self.wrote(from, replid, last + 1, &bytes[shared..]);
        }
        branch.head = branch.head.max(start + bytes.len() as u64 - 1);
        branch.add(start, bytes).map_err(|offset| {
            Violation::new(
                ORACLE,
                format!(
                    "{from} sent a byte at offset {offset} of {} that differs from what was \
                     sent there before",
                    short(replid)
                ),
            )
        })
    }

    /// Takes in what a node claims of itself.
    pub fn claims(&mut self, node: NodeId, view: &ServerView) -> Result<(), Violation> {
        let branch = self.branches.entry(view.replid).or_default();
        if view.replid2 != NO_ID && view.second_offset > 0 {
            let last = u64::try_from(view.second_offset - 1).expect("positive");
            match branch.fork {
                None => {
                    branch.fork = Some((view.replid2, last));
                    branch.head = branch.head.max(last);
                }
                Some((parent, known)) if parent == view.replid2 && last <= known => {}
                Some((parent, known)) => {
                    return Err(Violation::new(
                        ORACLE,
                        format!(
                            "{node} claims that {} shares {} with {}, but it began from {} at {known}",
                            short(&view.replid),
                            last,
                            short(&view.replid2),
                            short(&parent),
                        ),
                    ));
                }
            }
        }
        if view.master.is_none() {
            let sent = branch.seen.last().map_or(0, |last| last.end() - 1);
            if view.placed && sent > view.offset {
                return Err(Violation::new(
                    ORACLE,
                    format!(
                        "master {node} sent {sent} bytes of {}, but counts only {}",
                        short(&view.replid),
                        view.offset
                    ),
                ));
            }
            branch.head = branch.head.max(view.offset);
        } else if view.offset > branch.head && view.placed && !view.loading && view.link_up {
            return Err(Violation::new(
                ORACLE,
                format!(
                    "replica {node} claims offset {} of {}, of which only {} exists",
                    view.offset,
                    short(&view.replid),
                    branch.head
                ),
            ));
        }
        Ok(())
    }

    /// Whether datasets are to be compared at this place.
    pub fn wants_digest(view: &ServerView) -> bool {
        let mut mixed = view.offset;
        for chunk in view.replid.chunks_exact(8) {
            let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
            mixed = (mixed ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        view.placed && !view.loading && (mixed >> 32).is_multiple_of(DIGEST_EVERY)
    }

    /// Takes in the digest of a node's dataset.
    pub fn digest(
        &mut self,
        node: NodeId,
        view: &ServerView,
        digest: u128,
    ) -> Result<(), Violation> {
        let branch = self.branches.entry(view.replid).or_default();
        let (first, by) = *branch.digests.entry(view.offset).or_insert((digest, node));
        if first == digest {
            return Ok(());
        }
        Err(Violation::new(
            "equality",
            format!(
                "{node} and {by} hold different datasets at offset {} of {}",
                view.offset,
                short(&view.replid)
            ),
        ))
    }

    /// Checks that a partial resynchronisation continues a history the replica really has.
    pub fn continued(
        &self,
        master: NodeId,
        asked: Position,
        granted: &Id,
    ) -> Result<(), Violation> {
        let end = Position {
            replid: *granted,
            offset: u64::MAX,
        };
        if self.is_ancestor(asked, end) {
            return Ok(());
        }
        Err(Violation::new(
            ORACLE,
            format!(
                "{master} continued {} from offset {} of {}, which is not part of it",
                short(granted),
                asked.offset,
                short(&asked.replid)
            ),
        ))
    }

    /// Whether everything up to `old` is part of everything up to `new`.
    pub fn is_ancestor(&self, old: Position, new: Position) -> bool {
        let mut at = new;
        // Forks lead back in time, so the walk ends; the bound is for wrong claims in a circle.
        for _ in 0..=self.branches.len() {
            if at.replid == old.replid {
                return old.offset <= at.offset;
            }
            let Some((parent, last)) = self.branches.get(&at.replid).and_then(|b| b.fork) else {
                return false;
            };
            at = Position {
                replid: parent,
                offset: at.offset.min(last),
            };
        }
        false
    }

    /// Where each pushed value is, with the offset at which its command (or the transaction
    /// around it) ends; and whether every stream is well formed.
    pub fn index(&self) -> Result<BTreeMap<u64, Vec<Position>>, Violation> {
        let mut forks: BTreeMap<Id, BTreeSet<u64>> = BTreeMap::new();
        for (parent, last) in self.branches.values().filter_map(|branch| branch.fork) {
            forks.entry(parent).or_default().insert(last);
        }
        let none = BTreeSet::new();
        let mut found: BTreeMap<u64, Vec<Position>> = BTreeMap::new();
        for (replid, branch) in &self.branches {
            let forks = forks.get(replid).unwrap_or(&none);
            for segment in &branch.seen {
                index_segment(replid, segment, forks, &mut found)?;
            }
        }
        Ok(found)
    }

    /// Histories seen.
    pub fn len(&self) -> usize {
        self.branches.len()
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.branches.is_empty()
    }
}

impl Branch {
    /// Adds bytes; the error is the first offset at which they differ from what is known.
    fn add(&mut self, start: u64, bytes: &[u8]) -> Result<(), u64> {
        let end = start + bytes.len() as u64;
        if let Some(last) = self.seen.last_mut()
            && last.end() == start
        {
            last.bytes.extend_from_slice(bytes);
            return Ok(());
        }
        let mut merged = Segment {
            start,
            bytes: bytes.to_vec(),
        };
        let mut kept = Vec::new();
        for segment in self.seen.drain(..) {
            if segment.end() < start || end < segment.start {
                kept.push(segment);
            } else {
                merged = join(merged, segment)?;
            }
        }
        kept.push(merged);
        kept.sort_by_key(|segment| segment.start);
        self.seen = kept;
        Ok(())
    }
}

/// Joins two segments that touch or overlap.
fn join(one: Segment, two: Segment) -> Result<Segment, u64> {
    let (mut first, second) = if one.start <= two.start {
        (one, two)
    } else {
        (two, one)
    };
    let from = usize::try_from(second.start - first.start).expect("in memory");
    let shared = (first.bytes.len() - from).min(second.bytes.len());
    let differs = (first.bytes[from..from + shared].iter())
        .zip(&second.bytes[..shared])
        .position(|(a, b)| a != b);
    if let Some(at) = differs {
        return Err(second.start + at as u64);
    }
    first.bytes.extend_from_slice(&second.bytes[shared..]);
    Ok(first)
}

fn index_segment(
    replid: &Id,
    segment: &Segment,
    forks: &BTreeSet<u64>,
    found: &mut BTreeMap<u64, Vec<Position>>,
) -> Result<(), Violation> {
    let mut reader = Reader::default();
    reader.push(&segment.bytes);
    // The last offset behind a command and outside a transaction.
    let mut whole = segment.start - 1;
    let mut in_multi = false;
    let mut waiting: Vec<u64> = Vec::new();
    loop {
        let left = reader.rest().len() as u64;
        let at = segment.end() - left;
        let broken = |what: &str| {
            let done = usize::try_from(at - segment.start).expect("in memory");
            let (before, after) = segment.bytes.split_at(done);
            let message = format!(
                "the stream of {}, known from {}, {what} at offset {at}, between {:?} and {:?}",
                short(replid),
                segment.start,
                String::from_utf8_lossy(&before[done.saturating_sub(160)..]),
                String::from_utf8_lossy(&after[..after.len().min(160)])
            );
            Violation::new(ORACLE, message)
        };
        let reply = match reader.next_reply() {
            Ok(Some(reply)) => reply,
            // The last write may have ended within a command.
            Ok(None) => return Ok(()),
            Err(_) => return Err(broken("is not RESP")),
        };
        let args = arguments(&reply).ok_or_else(|| broken("is not a command"))?;
        let name = args[0].to_ascii_lowercase();
        match (&name[..], in_multi) {
            (b"multi", false) => in_multi = true,
            (b"multi", true) => return Err(broken("has a MULTI inside a MULTI")),
            (b"exec", true) => in_multi = false,
            (b"exec", false) => return Err(broken("has an EXEC without a MULTI")),
            (b"eval" | b"evalsha", _) => return Err(broken("has a script, not what it did")),
            (b"rpush", _) => waiting.extend(args[2..].iter().filter_map(|arg| value(arg))),
            (_, _) => {}
        }
        if !in_multi {
            let offset = segment.end() - reader.rest().len() as u64 - 1;
            if forks.range(whole + 1..offset).next().is_some() {
                return Err(broken("is gone on from inside a command or transaction"));
            }
            whole = offset;
            for value in waiting.drain(..) {
                let position = Position {
                    replid: *replid,
                    offset,
                };
                found.entry(value).or_default().push(position);
            }
        }
    }
}

fn arguments(reply: &Reply) -> Option<Vec<&[u8]>> {
    let Reply::Array(Some(items)) = reply else {
        return None;
    };
    let args: Option<Vec<&[u8]>> = (items.iter())
        .map(|item| match item {
            Reply::Bulk(Some(bytes)) => Some(&bytes[..]),
            Reply::Bulk(None)
            | Reply::Simple(_)
            | Reply::Error(_)
            | Reply::Int(_)
            | Reply::Array(_) => None,
        })
        .collect();
    args.filter(|args| !args.is_empty())
}

fn value(arg: &[u8]) -> Option<u64> {
    str::from_utf8(arg).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::command;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);
    const OLD: Id = [b'a'; 40];
    const NEW: Id = [b'b'; 40];

    fn view(replid: Id, offset: u64) -> ServerView {
        ServerView {
            replid,
            replid2: NO_ID,
            second_offset: -1,
            offset,
            master: None,
            link_up: false,
            loading: false,
            placed: true,
            hands_over: false,
            backlog_from: None,
        }
    }

    fn promoted(offset: u64, from: u64) -> ServerView {
        ServerView {
            replid2: OLD,
            second_offset: i64::try_from(from).unwrap() + 1,
            ..view(NEW, offset)
        }
    }

    fn at(replid: Id, offset: u64) -> Position {
        Position { replid, offset }
    }

    #[test]
    fn the_same_bytes_may_be_sent_again_in_any_pieces_and_other_bytes_may_not() {
        let mut tree = Tree::default();
        tree.wrote(A, &OLD, 1, b"hello ").unwrap();
        tree.wrote(A, &OLD, 20, b"later").unwrap();
        tree.wrote(A, &OLD, 7, b"world").unwrap();
        tree.wrote(B, &OLD, 3, b"llo wor").unwrap();
        tree.wrote(B, &OLD, 9, b"rld").unwrap();
        tree.wrote(B, &OLD, 12, b"12345678later").unwrap();
        assert_eq!(tree.wrote(B, &OLD, 10, b"lX").unwrap_err().oracle, ORACLE);
    }

    #[test]
    fn a_branch_begins_behind_a_command_and_outside_a_transaction() {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for words in [&[&b"SET"[..], b"a", b"1"][..], &[b"MULTI"], &[b"EXEC"]] {
            command(&mut bytes, words);
            ends.push(bytes.len() as u64);
        }
        for (fork, sound) in [
            (0, true),
            (5, false),
            (ends[0], true),
            (ends[1], false),
            (ends[2], true),
        ] {
            let mut tree = Tree::default();
            tree.wrote(A, &OLD, 1, &bytes).unwrap();
            tree.claims(B, &promoted(fork, fork)).unwrap();
            assert_eq!(tree.index().is_ok(), sound, "{fork}");
        }
    }

    #[test]
    fn a_branch_shares_its_parents_bytes_up_to_the_fork() {
        let mut tree = Tree::default();
        tree.wrote(A, &OLD, 1, b"abcdef").unwrap();
        tree.claims(B, &promoted(4, 4)).unwrap();
        tree.wrote(A, &OLD, 7, b"lost").unwrap();
        tree.wrote(B, &NEW, 3, b"cdXY").unwrap();
        assert!(tree.wrote(B, &NEW, 2, b"bX").is_err());
        assert!(tree.is_ancestor(at(OLD, 4), at(NEW, 9)));
        assert!(!tree.is_ancestor(at(OLD, 5), at(NEW, 9)));
        assert!(!tree.is_ancestor(at(NEW, 5), at(OLD, 9)));
    }

    #[test]
    fn a_fork_can_be_claimed_for_less_than_it_is_and_not_for_more() {
        let mut tree = Tree::default();
        tree.wrote(A, &OLD, 1, &[b'x'; 100]).unwrap();
        tree.claims(B, &promoted(50, 50)).unwrap();
        tree.claims(A, &promoted(40, 40)).unwrap();
        assert!(tree.claims(A, &promoted(60, 60)).is_err());
    }

    #[test]
    fn a_replica_cannot_be_ahead_of_its_history() {
        let mut tree = Tree::default();
        tree.wrote(A, &OLD, 1, b"abc").unwrap();
        let replica = ServerView {
            master: Some(A.at(6379)),
            link_up: true,
            ..view(OLD, 3)
        };
        tree.claims(B, &replica).unwrap();
        let ahead = ServerView {
            offset: 4,
            ..replica
        };
        assert!(tree.claims(B, &ahead).is_err());
    }

    #[test]
    fn a_master_counts_what_it_sends() {
        let mut tree = Tree::default();
        tree.wrote(A, &OLD, 1, b"abc").unwrap();
        tree.claims(A, &view(OLD, 3)).unwrap();
        assert!(tree.claims(A, &view(OLD, 2)).is_err());
    }

    #[test]
    fn a_partial_resync_must_continue_what_the_replica_has() {
        let mut tree = Tree::default();
        tree.wrote(A, &OLD, 1, &[b'x'; 100]).unwrap();
        tree.claims(B, &promoted(50, 50)).unwrap();
        tree.continued(B, at(OLD, 50), &NEW).unwrap();
        assert!(tree.continued(B, at(OLD, 51), &NEW).is_err());
        assert!(tree.continued(B, at([b'c'; 40], 5), &NEW).is_err());
    }

    #[test]
    fn datasets_at_the_same_place_must_be_equal() {
        let mut tree = Tree::default();
        tree.digest(A, &view(OLD, 9), 1).unwrap();
        tree.digest(B, &view(OLD, 9), 1).unwrap();
        tree.digest(B, &view(OLD, 10), 2).unwrap();
        assert_eq!(
            tree.digest(B, &view(OLD, 9), 2).unwrap_err().oracle,
            "equality"
        );
    }

    #[test]
    fn pushes_are_found_and_transactions_count_at_their_end() {
        let mut stream = Vec::new();
        command(&mut stream, &[b"SELECT", b"0"]);
        command(&mut stream, &[b"RPUSH", b"list:1", b"7"]);
        let first = stream.len() as u64;
        command(&mut stream, &[b"MULTI"]);
        command(&mut stream, &[b"RPUSH", b"list:1", b"8"]);
        command(&mut stream, &[b"EXEC"]);
        let whole = stream.len() as u64;
        let mut tree = Tree::default();
        tree.wrote(A, &OLD, 1, &stream).unwrap();
        let index = tree.index().unwrap();
        assert_eq!(index[&7], [at(OLD, first)]);
        assert_eq!(index[&8], [at(OLD, whole)]);
    }

    #[test]
    fn a_malformed_stream_is_a_violation() {
        let bad: [&[&[&[u8]]]; 3] = [
            &[&[b"MULTI"], &[b"MULTI"]],
            &[&[b"EXEC"]],
            &[&[b"EVAL", b"return 1", b"0"]],
        ];
        for commands in bad {
            let mut stream = Vec::new();
            for args in commands {
                command(&mut stream, args);
            }
            let mut tree = Tree::default();
            tree.wrote(A, &OLD, 1, &stream).unwrap();
            assert!(tree.index().is_err());
        }
        let mut tree = Tree::default();
        tree.wrote(A, &OLD, 1, b"-ERR oops\r\n").unwrap();
        assert!(tree.index().is_err());
    }
}
