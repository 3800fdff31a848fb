//! Streams as commands: entries, then what is known of them, then the groups.
//!
//! XCLAIM brings back what a consumer has not acknowledged only where the entry is there. For one
//! that was deleted or trimmed away another stands in, until the groups have what is theirs.

use super::{Commands, array};
use crate::resp::bulk;
use crate::value::stream::{Group, Item, Log, Part, StreamId};
use crate::value::{StreamParts, StreamRef};

/// Unacknowledged entries that are written at a time.
const PENDING_AT_A_TIME: usize = 128;
/// What is counted for writing anything that has no length.
const FIXED_COST: usize = 64;
/// Looks into groups for entries that may be gone, at a time.
const LOOKS_AT_A_TIME: usize = 1024;

impl Commands {
    /// Writes the next part of a stream, as [`part`](Self::part).
    pub(super) fn stream_part(&mut self, parts: &mut StreamParts) -> Option<usize> {
        let (stream, next) = parts.split();
        let (cost, after) = match core::mem::replace(next, Part::End) {
            Part::End => return None,
            Part::Node(0) if may_miss(stream) => (FIXED_COST, Part::Known(StreamId::MIN)),
            Part::Node(at) => match stream.log().node(at) {
                Some(node) => {
                    for entry in node.entries() {
                        self.entry(entry.id, entry.field_count(), entry.fields());
                    }
                    (node.bytes(), Part::Node(at + 1))
                }
                None => {
                    self.figures(stream);
                    (FIXED_COST, stream.part_behind_group(None))
                }
            },
            Part::Known(from) => {
                let before = self.out.tail.len();
                let after = match self.known(stream, from) {
                    Some(id) => Part::Known(id),
                    None => stream.part_behind_group(None),
                };
                (FIXED_COST + self.out.tail.len() - before, after)
            }
            Part::Group(name) => {
                self.group(&name, group(stream, &name));
                (FIXED_COST, behind_consumer(stream, name, None))
            }
            Part::Pending(..) => unreachable!("what is pending is written by consumer"),
            Part::Consumer(name, consumer) => {
                self.of_key(&[b"XGROUP", b"CREATECONSUMER"], &[&name, &consumer]);
                (FIXED_COST, Part::Owned(name, consumer, StreamId::MIN))
            }
            Part::Owned(name, consumer, from) => {
                let after = match self.owned(group(stream, &name), &name, &consumer, from) {
                    Some(id) => Part::Owned(name, consumer, id),
                    None => behind_consumer(stream, name, Some(&consumer)),
                };
                (PENDING_AT_A_TIME * 100, after)
            }
            Part::Gone(from) => {
                let before = self.out.tail.len();
                let after = self.gone(stream, from).map_or(Part::End, Part::Gone);
                (FIXED_COST + self.out.tail.len() - before, after)
            }
        };
        *next = after;
        Some(cost)
    }

    fn entry<'a>(
        &mut self,
        id: StreamId,
        count: usize,
        fields: impl Iterator<Item = (Item<'a>, Item<'a>)>,
    ) {
        let out = &mut self.out.tail;
        array(out, 3 + 2 * count);
        bulk(out, b"XADD");
        bulk(out, &self.key);
        bulk(out, id.text().bytes());
        for (name, value) in fields {
            name.with_bytes(|text| bulk(out, text));
            value.with_bytes(|text| bulk(out, text));
        }
    }

    /// Writes some entries, with those that stand in for others, and returns where to go on.
    fn known(&mut self, stream: StreamRef<'_>, mut from: StreamId) -> Option<StreamId> {
        let mut entries = stream.log().range(from, StreamId::MAX).peekable();
        for _ in 0..looks(stream) {
            let owned = stream.unacknowledged(from);
            let there = entries.peek().map(|entry| entry.id);
            let id = owned.into_iter().chain(there).min()?;
            if Some(id) == there {
                let entry = entries.next().expect("it was looked at");
                self.entry(id, entry.field_count(), entry.fields());
            } else if can_stand_in(stream.log(), id) {
                self.of_key(&[b"XADD"], &[id.text().bytes(), b"x", b"y"]);
            }
            from = id.next()?;
        }
        Some(from)
    }

    /// Takes away some of what stands in for other entries, and returns where to go on.
    fn gone(&mut self, stream: StreamRef<'_>, mut from: StreamId) -> Option<StreamId> {
        let log = stream.log();
        let first = log.first().map(|entry| entry.id);
        if from == StreamId::MIN {
            // Trimming does not count as deleting, which XSETID could not take back.
            match first {
                None => self.of_key(&[b"XTRIM"], &[b"MAXLEN", b"=", b"0"]),
                Some(first) => self.of_key(&[b"XTRIM"], &[b"MINID", b"=", first.text().bytes()]),
            }
        }
        from = from.max(first.unwrap_or(StreamId::MAX));
        for _ in 0..looks(stream) {
            let Some(id) = stream.unacknowledged(from) else {
                self.set_id(log);
                return None;
            };
            if can_stand_in(log, id) && log.get(id).is_none() {
                self.of_key(&[b"XDEL"], &[id.text().bytes()]);
            }
            let Some(next) = id.next() else {
                self.set_id(log);
                return None;
            };
            from = next;
        }
        Some(from)
    }

    /// Writes what is known of the entries as such.
    fn figures(&mut self, stream: StreamRef<'_>) {
        let log = stream.log();
        if log.is_empty() {
            // An entry that is trimmed at once leaves a stream without any.
            let words: [&[u8]; 5] = [b"MAXLEN", b"0", b"0-1", b"x", b"y"];
            self.of_key(&[b"XADD"], &words);
        }
        self.set_id(log);
    }

    fn set_id(&mut self, log: &Log) {
        let (last, deleted) = (log.last_id.text(), log.max_deleted.text());
        let mut added = itoa::Buffer::new();
        let args = [
            last.bytes(),
            b"ENTRIESADDED",
            added.format(log.added).as_bytes(),
            b"MAXDELETEDID",
            deleted.bytes(),
        ];
        self.of_key(&[b"XSETID"], &args);
    }

    fn group(&mut self, name: &[u8], group: &Group) {
        let last = group.last_id.text();
        let mut read = itoa::Buffer::new();
        // That nobody knows it is written as -1.
        let read = read.format(group.entries_read.unwrap_or(-1)).as_bytes();
        let args = [name, last.bytes(), b"ENTRIESREAD", read];
        self.of_key(&[b"XGROUP", b"CREATE"], &args);
    }

    /// Writes some entries that a consumer has not acknowledged and returns where to go on.
    fn owned(
        &mut self,
        group: &Group,
        name: &[u8],
        consumer: &[u8],
        from: StreamId,
    ) -> Option<StreamId> {
        let number = group.find(consumer).expect("it is one of the group");
        let mut own = group.consumer(number).pending().since(from);
        for (id, ()) in own.by_ref().take(PENDING_AT_A_TIME) {
            let pending = group.pending().get(id).expect("it has that consumer");
            let id = id.text();
            let mut at = itoa::Buffer::new();
            let mut deliveries = itoa::Buffer::new();
            let args = [
                name,
                consumer,
                b"0",
                id.bytes(),
                b"TIME",
                at.format(pending.delivered_ms).as_bytes(),
                b"RETRYCOUNT",
                deliveries.format(pending.deliveries).as_bytes(),
                b"JUSTID",
                b"FORCE",
            ];
            self.of_key(&[b"XCLAIM"], &args);
        }
        own.next().map(|(id, ())| id)
    }
}

/// Whether consumers may hold entries that are gone: older ones than the first, or deleted ones.
fn may_miss(stream: StreamRef<'_>) -> bool {
    let Some(owned) = stream.unacknowledged(StreamId::MIN) else {
        return false;
    };
    let log = stream.log();
    log.is_empty() || owned < log.first_id() || log.has_gaps_from(owned)
}

/// Whether an entry may stand in for one that is gone. It must have been the first ones that went,
/// or XDEL must have been told: nothing else takes an entry away without a trace.
fn can_stand_in(log: &Log, id: StreamId) -> bool {
    log.is_empty() || id < log.first_id() || id <= log.max_deleted
}

/// How often to look for the next entry at a time.
fn looks(stream: StreamRef<'_>) -> usize {
    (LOOKS_AT_A_TIME / stream.group_count().max(1)).max(1)
}

fn behind_consumer(stream: StreamRef<'_>, name: Box<[u8]>, consumer: Option<&[u8]>) -> Part {
    let after = stream.part_behind_consumer(name, consumer);
    if after == Part::End && may_miss(stream) {
        return Part::Gone(StreamId::MIN);
    }
    after
}

fn group<'a>(stream: StreamRef<'a>, name: &[u8]) -> &'a Group {
    stream.group(name).expect("the parts stay as they were")
}
