//! Streams as RDB data: nodes as listpacks, then what is known of the entries, then the groups.
//!
//! The listpack of a node has the number of its entries, of those deleted, of the fields of the
//! first entry, their names, and a zero; then the entries, each with flags, how far its ID is from
//! that of the node, its values (with the number and names of its fields, if they differ from
//! those of the first entry), and how many elements these are.

use std::collections::BTreeMap;

use crate::persist::listpack::{self, Builder, Entry};
use crate::persist::rdb::encode::Encoder;
use crate::persist::rdb::fault::RdbFault;
use crate::persist::rdb::input::Input;
use crate::persist::rdb::kind::{TYPE_STREAM, TYPE_STREAM_2, TYPE_STREAM_3};
use crate::persist::rdb::read::{Progress, block, with_text};
use crate::value::stream::{Group, Item, Log, Node, Part, Pending, StreamEntry, StreamId};
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
        Part::Node(at) => match stream.log().node(at) {
            Some(node) => {
                write_node(out, node);
                (node.bytes(), Part::Node(at + 1))
            }
            None => {
                write_figures(out, stream.log());
                out.len(stream.group_count() as u64);
                (FIXED_COST, group_behind(stream, None))
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
                    consumer_behind(stream, name, None)
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
                None => consumer_behind(stream, name, Some(&consumer)),
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

fn group_behind(stream: StreamRef<'_>, name: Option<&[u8]>) -> Part {
    match stream.group_behind(name) {
        Some(name) => Part::Group(name.into()),
        None => Part::End,
    }
}

fn consumer_behind(stream: StreamRef<'_>, name: Box<[u8]>, consumer: Option<&[u8]>) -> Part {
    match group(stream, &name).consumer_behind(consumer) {
        Some(consumer) => Part::Consumer(name, consumer.into()),
        None => group_behind(stream, Some(&name)),
    }
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
        let offset = input.offset();
        Ok(match &mut self.next {
            Next::Nodes | Next::Groups => {
                let Some(left) = input.len()? else {
                    return Ok(None);
                };
                self.left = left;
                Some(match self.next {
                    Next::Nodes if left > 0 => Next::NodeKey,
                    Next::Nodes => Next::Figures,
                    _ => Next::GroupName,
                })
            }
            Next::NodeKey => {
                let Some(text) = input.text()? else {
                    return Ok(None);
                };
                let key = with_text(&text, input, |key| key.try_into().ok());
                let key = key.ok_or_else(|| {
                    fault("Stream node key entry is not the size of an ID", offset)
                })?;
                Some(Next::Node(StreamId::from_bytes(key)))
            }
            Next::Node(key) => {
                let key = *key;
                let Some(text) = input.text()? else {
                    return Ok(None);
                };
                let node = read_node(key, block(&text, input)?, input.text_offset())?;
                let last = self
                    .stream
                    .as_ref()
                    .log()
                    .nodes()
                    .next_back()
                    .map(Node::last);
                if last.is_some_and(|last| last >= node.master()) {
                    return Err(fault("Stream nodes are not in order", offset));
                }
                self.stream.log_mut().push_node(node);
                self.left -= 1;
                Some(if self.left > 0 {
                    Next::NodeKey
                } else {
                    Next::Figures
                })
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
                let reader = GroupReader {
                    name: core::mem::take(name),
                    group: Group::new(last_id, read),
                    active: self.kind == TYPE_STREAM_3,
                    left: 0,
                    consumers: 0,
                    free: BTreeMap::new(),
                    next: NextOfGroup::Pending,
                };
                Some(Next::Group(Box::new(reader)))
            }
            Next::Group(reader) => {
                if !reader.read(input)? {
                    return Ok(None);
                }
                let group = core::mem::take(&mut reader.group);
                if !self.stream.create_group(&reader.name, group) {
                    return Err(fault("Duplicated consumer group name", offset));
                }
                self.left -= 1;
                Some(Next::GroupName)
            }
        })
    }

    /// Reads what is known of the entries; false if more bytes are needed.
    fn read_figures(&mut self, input: &mut Input) -> Result<bool, RdbFault> {
        let offset = input.offset();
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
            return Err(fault("Stream length inconsistent with its nodes", offset));
        }
        log.last_id = StreamId::new(ms, seq);
        log.max_deleted = StreamId::new(deleted_ms, deleted_seq);
        log.added = added;
        if log
            .nodes()
            .next_back()
            .is_some_and(|node| node.last() > log.last_id)
        {
            return Err(fault("Stream has entries behind its last ID", offset));
        }
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

/// How far the reading of a group has come.
#[derive(Debug)]
struct GroupReader {
    name: Box<[u8]>,
    group: Group,
    /// Whether it is stored when consumers were active.
    active: bool,
    /// How many of what is being read are still to come.
    left: u64,
    consumers: u64,
    /// Unacknowledged entries of which it is not known yet who has them: when they were delivered
    /// and how often.
    free: BTreeMap<StreamId, (i64, i64)>,
    next: NextOfGroup,
}

/// What is read next of a group.
#[derive(Debug)]
enum NextOfGroup {
    Pending,
    PendingEntry,
    Deliveries(StreamId, i64),
    Consumers,
    ConsumerName,
    Times(Box<[u8]>),
    Owned(Box<[u8]>),
    OwnedEntry(Box<[u8]>),
}

impl GroupReader {
    /// Reads on as far as the input goes; true once the group is complete.
    fn read(&mut self, input: &mut Input) -> Result<bool, RdbFault> {
        while let Some(next) = self.step(input)? {
            self.next = self.pass_over(next);
            if matches!(self.next, NextOfGroup::ConsumerName) && self.consumers == 0 {
                if self.free.is_empty() {
                    return Ok(true);
                }
                let what = "Stream has pending entries that no consumer has";
                return Err(fault(what, input.offset()));
            }
        }
        Ok(false)
    }

    /// What is really next: nothing is read where there is none left.
    fn pass_over(&mut self, next: NextOfGroup) -> NextOfGroup {
        match next {
            NextOfGroup::PendingEntry if self.left == 0 => NextOfGroup::Consumers,
            NextOfGroup::OwnedEntry(_) if self.left == 0 => {
                self.consumers -= 1;
                NextOfGroup::ConsumerName
            }
            next => next,
        }
    }

    fn step(&mut self, input: &mut Input) -> Result<Option<NextOfGroup>, RdbFault> {
        let offset = input.offset();
        Ok(match &mut self.next {
            NextOfGroup::Pending => input.len()?.map(|left| {
                self.left = left;
                NextOfGroup::PendingEntry
            }),
            NextOfGroup::PendingEntry => {
                let Some(bytes) = input.array::<24>() else {
                    return Ok(None);
                };
                let (id, delivered) = bytes.split_at(16);
                let id = StreamId::from_bytes(id.try_into().expect("sixteen bytes"));
                let delivered = i64::from_le_bytes(delivered.try_into().expect("eight bytes"));
                Some(NextOfGroup::Deliveries(id, delivered))
            }
            NextOfGroup::Deliveries(id, delivered) => {
                let Some(deliveries) = input.len()? else {
                    return Ok(None);
                };
                let times = (*delivered, deliveries.cast_signed());
                if self.free.insert(*id, times).is_some() {
                    let what = "Duplicated global PEL entry loading stream consumer group";
                    return Err(fault(what, offset));
                }
                self.left -= 1;
                Some(NextOfGroup::PendingEntry)
            }
            NextOfGroup::Consumers => input.len()?.map(|count| {
                self.consumers = count;
                NextOfGroup::ConsumerName
            }),
            NextOfGroup::ConsumerName => {
                let Some(text) = input.text()? else {
                    return Ok(None);
                };
                Some(NextOfGroup::Times(with_text(&text, input, |name| {
                    name.into()
                })))
            }
            NextOfGroup::Times(name) => {
                let Some((seen, active)) = times(self.active, input) else {
                    return Ok(None);
                };
                let Some(number) = self.group.create(name, seen) else {
                    return Err(fault("Duplicate stream consumer detected", offset));
                };
                self.group.consumer_mut(number).active_ms = active;
                Some(NextOfGroup::Owned(core::mem::take(name)))
            }
            NextOfGroup::Owned(name) => {
                let Some(left) = input.len()? else {
                    return Ok(None);
                };
                self.left = left;
                Some(NextOfGroup::OwnedEntry(core::mem::take(name)))
            }
            NextOfGroup::OwnedEntry(name) => {
                let Some(id) = input.array::<16>() else {
                    return Ok(None);
                };
                let name = core::mem::take(name);
                self.own(&name, StreamId::from_bytes(id), offset)?;
                self.left -= 1;
                Some(NextOfGroup::OwnedEntry(name))
            }
        })
    }

    /// Notes that a consumer has an entry.
    fn own(&mut self, name: &[u8], id: StreamId, offset: u64) -> Result<(), RdbFault> {
        let missing = "Consumer entry not found in group global PEL";
        let times = self.free.remove(&id);
        let (delivered_ms, deliveries) = times.ok_or_else(|| fault(missing, offset))?;
        let consumer = self.group.find(name).expect("it was made above");
        let pending = Pending {
            consumer,
            delivered_ms,
            deliveries,
        };
        self.group.assign(id, pending);
        Ok(())
    }
}

/// When a consumer was seen, and when it was active.
fn times(active: bool, input: &mut Input) -> Option<(i64, Option<i64>)> {
    if !active {
        let seen = i64::from_le_bytes(input.array()?);
        // Redis takes the one for the other where only one is stored.
        return Some((seen, Some(seen)));
    }
    let bytes = input.array::<16>()?;
    let (seen, active) = bytes.split_at(8);
    let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let active = Some(number(active)).filter(|&at| at >= 0);
    Some((number(seen), active))
}

/// The elements of a node's listpack.
struct Elements<'a> {
    reader: listpack::Reader<'a>,
    offset: u64,
}

impl<'a> Elements<'a> {
    fn next(&mut self) -> Result<Option<Entry<'a>>, RdbFault> {
        let element = self.reader.next().transpose();
        element.map_err(|broken| fault(broken.what, self.offset))
    }

    fn expect(&mut self) -> Result<Entry<'a>, RdbFault> {
        let element = self.next()?;
        element.ok_or_else(|| fault(BROKEN_NODE, self.offset))
    }

    fn number(&mut self) -> Result<i64, RdbFault> {
        match self.expect()? {
            Entry::Int(number) => Ok(number),
            Entry::Str(_) => Err(fault(BROKEN_NODE, self.offset)),
        }
    }

    fn count(&mut self) -> Result<usize, RdbFault> {
        let number = self.number()?;
        usize::try_from(number).map_err(|_| fault(BROKEN_NODE, self.offset))
    }
}

/// Texts in a row.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, element: Entry<'_>) {
        element.with_bytes(|text| self.bytes.extend_from_slice(text));
        self.ends.push(self.bytes.len());
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn get(&self, at: usize) -> &[u8] {
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[from..self.ends[at]]
    }
}

/// Reads a node out of its listpack, of which the ID is known from which those in it are told.
fn read_node(key: StreamId, block: &[u8], offset: u64) -> Result<Node, RdbFault> {
    let reader = listpack::Reader::new(block).map_err(|broken| fault(broken.what, offset))?;
    let mut elements = Elements { reader, offset };
    let (live, deleted) = (elements.count()?, elements.count()?);
    let mut names = Texts::default();
    for _ in 0..elements.count()? {
        names.push(elements.expect()?);
    }
    if elements.number()? != 0 {
        return Err(fault(BROKEN_NODE, offset));
    }
    let mut node = None;
    let mut texts = Texts::default();
    while let Some(flags) = elements.next()? {
        let Entry::Int(flags) = flags else {
            return Err(fault(BROKEN_NODE, offset));
        };
        let (ms, seq) = (elements.number()?, elements.number()?);
        let ms = key.ms.wrapping_add(ms.cast_unsigned());
        let id = StreamId::new(ms, key.seq.wrapping_add(seq.cast_unsigned()));
        let same = flags & SAME_FIELDS != 0;
        let fields = if same {
            names.ends.len()
        } else {
            elements.count()?
        };
        texts.clear();
        let wanted = if same {
            fields
        } else {
            fields.saturating_mul(2)
        };
        for _ in 0..wanted {
            texts.push(elements.expect()?);
        }
        if elements.count()? != element_count(fields, same) {
            return Err(fault(BROKEN_NODE, offset));
        }
        let master = (0..names.ends.len()).map(|at| names.get(at));
        let node = node.get_or_insert_with(|| Node::new(id, master));
        if node.live() + node.deleted() > 0 && node.last() >= id {
            return Err(fault("Stream entries are not in order", offset));
        }
        let pairs = (0..fields).map(|at| {
            if same {
                (names.get(at), texts.get(at))
            } else {
                (texts.get(2 * at), texts.get(2 * at + 1))
            }
        });
        node.push(id, pairs, flags & DELETED != 0);
    }
    let node = node.ok_or_else(|| fault("Empty listpack inside stream", offset))?;
    if node.live() != live || node.deleted() != deleted {
        return Err(fault(BROKEN_NODE, offset));
    }
    Ok(node)
}

fn fault(what: &'static str, offset: u64) -> RdbFault {
    RdbFault::Corrupt { what, offset }
}

const BROKEN_NODE: &str = "Stream listpack integrity check failed";
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
