//! Streams as RDB data: nodes as listpacks, then what is known of the entries, then the groups.
//!
//! The listpack of a node has the number of its entries, of those deleted, of the fields of the
//! first entry, their names, and a zero; then the entries, each with flags, how far its ID is from
//! that of the node, its values (with the number and names of its fields, if they differ from
//! those of the first entry), and how many elements these are.

mod group;
mod node;

use group::GroupReader;

use crate::persist::listpack::Builder;
use crate::persist::rdb::encode::Encoder;
use crate::persist::rdb::fault::RdbFault;
use crate::persist::rdb::input::Input;
use crate::persist::rdb::kind::{TYPE_STREAM, TYPE_STREAM_2, TYPE_STREAM_3};
use crate::persist::rdb::read::{Progress, block, with_text};
use crate::value::stream::{Group, Item, Log, Node, Part, StreamEntry, StreamId};
use crate::value::{Shape, Stream, StreamParts, StreamRef, Value};

/// The type that streams are written as: the newest one that Redis 7.0 reads.
pub(super) const PARTS_KIND: u8 = TYPE_STREAM_2;

/// Writes how many nodes follow.
pub(super) fn write_head(out: &mut Encoder, parts: &StreamParts) {
    out.len(parts.stream().log().nodes().len() as u64);
}

/// Writes the next part and returns what that cost in bytes, about; none if there is none left.
pub(super) fn write_part(out: &mut Encoder, parts: &mut StreamParts) -> Option<usize> {
    let (stream, next) = parts.split();
    let (cost, after) = match core::mem::replace(next, Part::End) {
        Part::End => return None,
        Part::Known(_) | Part::Gone(_) => unreachable!("only commands need entries that are gone"),
        Part::Node(at) => match stream.log().node(at) {
            Some(node) => {
                write_node(out, node);
                (node.bytes(), Part::Node(at + 1))
            }
            None => {
                write_figures(out, stream.log());
                out.len(stream.group_count() as u64);
                (FIXED_COST, stream.part_behind_group(None))
            }
        },
        Part::Group(name) => {
            let group = group(stream, &name);
            out.string(&name);
            write_id(out, group.last_id);
            // That nobody knows it is written as -1.
            out.len(group.entries_read.unwrap_or(-1).cast_unsigned());
            out.len(group.pending().len() as u64);
            (FIXED_COST, Part::Pending(name, StreamId::MIN))
        }
        Part::Pending(name, from) => {
            let group = group(stream, &name);
            let after = write_pending(out, group, from);
            let after = match after {
                Some(from) => Part::Pending(name, from),
                None => {
                    out.len(group.consumer_count() as u64);
                    stream.part_behind_consumer(name, None)
                }
            };
            (PENDING_AT_A_TIME * 25, after)
        }
        Part::Consumer(name, consumer) => {
            let group = group(stream, &name);
            let number = group.find(&consumer).expect("it is one of the group");
            let member = group.consumer(number);
            out.string(&consumer);
            out.raw(&member.seen_ms.to_le_bytes());
            out.len(member.pending().len() as u64);
            (FIXED_COST, Part::Owned(name, consumer, StreamId::MIN))
        }
        Part::Owned(name, consumer, from) => {
            let group = group(stream, &name);
            let number = group.find(&consumer).expect("it is one of the group");
            let mut own = group.consumer(number).pending().since(from);
            for (id, ()) in own.by_ref().take(PENDING_AT_A_TIME) {
                out.raw(&id.to_bytes());
            }
            let after = match own.next() {
                Some((id, ())) => Part::Owned(name, consumer, id),
                None => stream.part_behind_consumer(name, Some(&consumer)),
            };
            (PENDING_AT_A_TIME * 16, after)
        }
    };
    *next = after;
    Some(cost)
}

fn group<'a>(stream: StreamRef<'a>, name: &[u8]) -> &'a Group {
    stream.group(name).expect("the parts stay as they were")
}

/// Writes some unacknowledged entries and returns where to go on.
fn write_pending(out: &mut Encoder, group: &Group, from: StreamId) -> Option<StreamId> {
    let mut all = group.pending().since(from);
    for (id, pending) in all.by_ref().take(PENDING_AT_A_TIME) {
        out.raw(&id.to_bytes());
        out.raw(&pending.delivered_ms.to_le_bytes());
        out.len(pending.deliveries.cast_unsigned());
    }
    all.next().map(|(id, _)| id)
}

fn write_id(out: &mut Encoder, id: StreamId) {
    out.len(id.ms);
    out.len(id.seq);
}

fn write_figures(out: &mut Encoder, log: &Log) {
    out.len(log.len() as u64);
    write_id(out, log.last_id);
    write_id(out, log.first_id());
    write_id(out, log.max_deleted);
    out.len(log.added);
}

fn write_node(out: &mut Encoder, node: &Node) {
    out.string(&node.master().to_bytes());
    out.listpack_of(|block| {
        push_number(block, node.live());
        push_number(block, node.deleted());
        push_number(block, node.name_count());
        node.names().for_each(|name| push_item(block, name));
        block.push_int(0);
        let entries = node.all_entries();
        entries.for_each(|entry| push_entry(block, node.master(), entry));
    });
}

fn push_entry(block: &mut Builder, master: StreamId, entry: StreamEntry<'_>) {
    let same = entry.has_master_fields();
    let mut flags = if same { SAME_FIELDS } else { 0 };
    flags |= if entry.is_deleted() { DELETED } else { 0 };
    block.push_int(flags);
    block.push_int(entry.id.ms.wrapping_sub(master.ms).cast_signed());
    block.push_int(entry.id.seq.wrapping_sub(master.seq).cast_signed());
    if !same {
        push_number(block, entry.field_count());
    }
    for (name, value) in entry.fields() {
        if !same {
            push_item(block, name);
        }
        push_item(block, value);
    }
    push_number(block, element_count(entry.field_count(), same));
}

/// How many elements an entry has before the number of them.
fn element_count(fields: usize, same: bool) -> usize {
    if same { fields + 3 } else { 2 * fields + 4 }
}

fn push_number(block: &mut Builder, number: usize) {
    block.push_int(number as i64);
}

fn push_item(block: &mut Builder, item: Item<'_>) {
    match item {
        Item::Text(text) => block.push(text),
        Item::Int(number) => block.push_int(number),
    }
}

/// How far the reading of a stream has come.
#[derive(Debug)]
pub(super) struct Reader {
    kind: u8,
    stream: Stream,
    /// How many nodes, then groups, are still to come.
    left: u64,
    next: Next,
}

/// What is read next.
#[derive(Debug)]
enum Next {
    Nodes,
    NodeKey,
    Node(StreamId),
    Figures,
    Groups,
    GroupName,
    GroupFigures(Box<[u8]>),
    Group(Box<GroupReader>),
}

impl Reader {
    /// Starts on a value of a type; none for a type of something else.
    pub(super) fn new(kind: u8) -> Option<Self> {
        matches!(kind, TYPE_STREAM | TYPE_STREAM_2 | TYPE_STREAM_3).then(|| Self {
            kind,
            stream: Stream::default(),
            left: 0,
            next: Next::Nodes,
        })
    }

    /// Reads on as far as the input goes.
    pub(super) fn read(&mut self, input: &mut Input, _: &Shape) -> Result<Progress, RdbFault> {
        while let Some(next) = self.step(input)? {
            self.next = next;
            if self.left == 0 && matches!(self.next, Next::GroupName) {
                let stream = core::mem::take(&mut self.stream);
                return Ok(Progress::Ready(Value::Stream(stream)));
            }
        }
        Ok(Progress::Wait)
    }

    /// Reads the next thing and returns what follows; none if more bytes are needed.
    fn step(&mut self, input: &mut Input) -> Result<Option<Next>, RdbFault> {
        Ok(match &mut self.next {
            Next::Nodes => input.len()?.map(|left| {
                self.left = left;
                if left > 0 {
                    Next::NodeKey
                } else {
                    Next::Figures
                }
            }),
            Next::Groups => input.len()?.map(|left| {
                self.left = left;
                Next::GroupName
            }),
            Next::NodeKey => {
                let Some(text) = input.text()? else {
                    return Ok(None);
                };
                let key = with_text(&text, input, |key| key.try_into().ok());
                let key = key.ok_or_else(|| {
                    fault(
                        "Stream node key entry is not the size of an ID",
                        input.text_offset(),
                    )
                })?;
                Some(Next::Node(StreamId::from_bytes(key)))
            }
            Next::Node(key) => {
                let key = *key;
                self.read_node(key, input)?
            }
            Next::Figures => self.read_figures(input)?.then_some(Next::Groups),
            Next::GroupName => {
                let Some(text) = input.text()? else {
                    return Ok(None);
                };
                let name = with_text(&text, input, |name| name.into());
                Some(Next::GroupFigures(name))
            }
            Next::GroupFigures(name) => {
                let Some((last_id, read)) = group_figures(self.kind, &self.stream, input)? else {
                    return Ok(None);
                };
                let name = core::mem::take(name);
                let group = Group::new(last_id, read);
                let reader = GroupReader::new(name, group, self.kind == TYPE_STREAM_3);
                Some(Next::Group(Box::new(reader)))
            }
            Next::Group(reader) => {
                if !reader.read(input)? {
                    return Ok(None);
                }
                let (name, group) = reader.take();
                if !self.stream.create_group(&name, group) {
                    return Err(fault("Duplicated consumer group name", input.text_offset()));
                }
                self.left -= 1;
                Some(Next::GroupName)
            }
        })
    }

    fn read_node(&mut self, key: StreamId, input: &mut Input) -> Result<Option<Next>, RdbFault> {
        let Some(text) = input.text()? else {
            return Ok(None);
        };
        let offset = input.text_offset();
        let node = node::read(key, block(&text, input)?, offset)?;
        let last = self.stream.as_ref().log().nodes().next_back();
        if last.is_some_and(|last| last.last() >= node.master()) {
            return Err(fault("Stream nodes are not in order", offset));
        }
        self.stream.log_mut().push_node(node);
        self.left -= 1;
        Ok(Some(if self.left > 0 {
            Next::NodeKey
        } else {
            Next::Figures
        }))
    }

    /// Reads what is known of the entries; false if more bytes are needed.
    fn read_figures(&mut self, input: &mut Input) -> Result<bool, RdbFault> {
        let lens = if self.kind == TYPE_STREAM {
            let lens: Option<[u64; 3]> = input.lens()?;
            // What older versions did not know is as if nothing had been removed.
            lens.map(|[len, ms, seq]| [len, ms, seq, 0, 0, 0, 0, len])
        } else {
            input.lens()?
        };
        let Some([len, ms, seq, _, _, deleted_ms, deleted_seq, added]) = lens else {
            return Ok(false);
        };
        let log = self.stream.log_mut();
        if len != log.len() as u64 {
            return Err(fault(
                "Stream length inconsistent with its nodes",
                input.offset(),
            ));
        }
        log.max_deleted = StreamId::new(deleted_ms, deleted_seq);
        log.added = added;
        let last_id = StreamId::new(ms, seq);
        if log.last().is_some_and(|entry| entry.id > last_id) {
            return Err(fault(
                "Stream has entries behind its last ID",
                input.offset(),
            ));
        }
        log.set_last_id(last_id);
        Ok(true)
    }
}

/// The last ID of a group, and how many entries it has read.
fn group_figures(
    kind: u8,
    stream: &Stream,
    input: &mut Input,
) -> Result<Option<(StreamId, Option<i64>)>, RdbFault> {
    if kind == TYPE_STREAM {
        let lens: Option<[u64; 2]> = input.lens()?;
        return Ok(lens.map(|[ms, seq]| {
            let last = StreamId::new(ms, seq);
            (last, stream.as_ref().log().count_up_to(last))
        }));
    }
    let lens: Option<[u64; 3]> = input.lens()?;
    Ok(lens.map(|[ms, seq, read]| {
        let read = Some(read.cast_signed()).filter(|&read| read >= 0);
        (StreamId::new(ms, seq), read)
    }))
}

fn fault(what: &'static str, offset: u64) -> RdbFault {
    RdbFault::Corrupt { what, offset }
}

/// Flag of an entry in a listpack: it is deleted.
const DELETED: i64 = 1;
/// Flag of an entry in a listpack: its fields are those of the first entry.
const SAME_FIELDS: i64 = 2;
/// Unacknowledged entries written at a time.
const PENDING_AT_A_TIME: usize = 128;
/// About what a part of few bytes costs.
const FIXED_COST: usize = 64;

#[cfg(test)]
mod tests;
