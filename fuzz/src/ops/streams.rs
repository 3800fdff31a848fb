use std::collections::BTreeMap;

use holdfast_core::value::stream::{Bound, Group, Item, Log, Pending, StreamEntry, StreamId, Trim};
use holdfast_core::value::{NodeLimits, Shape, Stream};

use super::input::Input;
use super::stage::Kind;

pub(super) struct Streams;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

#[derive(Clone, Default)]
pub(super) struct Model {
    entries: BTreeMap<StreamId, Pairs>,
    last_id: StreamId,
    max_deleted: StreamId,
    added: u64,
    groups: BTreeMap<Vec<u8>, GroupModel>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct GroupModel {
    last_id: StreamId,
    entries_read: Option<i64>,
    /// When each consumer was seen, and when it was active.
    consumers: BTreeMap<Vec<u8>, (i64, Option<i64>)>,
    /// Who has an entry, since when, and how often it was delivered.
    pending: BTreeMap<StreamId, (Vec<u8>, i64, i64)>,
}

impl Kind for Streams {
    type Value = Stream;
    type Model = Model;

    fn limit(shape: &mut Shape, input: &mut Input<'_>) {
        shape.stream = NodeLimits {
            bytes: input.pick(&[4_096, 0, 1, 100]),
            entries: input.pick(&[100, 0, 1, 2, 10]),
        };
    }

    fn change(stream: &mut Stream, model: &mut Model, shape: &Shape, input: &mut Input<'_>) {
        match input.below(16) {
            0..=3 => append(stream, model, shape.stream, input),
            4 => {
                for _ in 0..input.below(200) {
                    let id = model.last_id.next();
                    let pairs = vec![(b"field".to_vec(), vec![b'v'; model.entries.len() % 70])];
                    add(stream, model, shape.stream, id, pairs);
                }
            }
            5 | 6 => {
                let id = some_id(model, input);
                let is_there = model.entries.remove(&id).is_some();
                assert_eq!(stream.log_mut().delete(id), is_there);
                if is_there {
                    model.max_deleted = model.max_deleted.max(id);
                }
            }
            7 => trim(stream, model, input),
            8 => range(stream, model, some_id(model, input), some_id(model, input)),
            9 => {
                let log = stream.log_mut();
                let last = log.last().map_or(StreamId::MIN, |entry| entry.id);
                log.set_last_id(some_id(model, input).max(last));
                log.added = input.integer().cast_unsigned() >> 1;
                (model.last_id, model.added) = (log.last_id, log.added);
            }
            10 => {
                let (name, last_id) = (name(input), some_id(model, input));
                let entries_read = input.is().then(|| input.below(100) as i64);
                let created = stream.create_group(&name, Group::new(last_id, entries_read));
                assert_eq!(created, !model.groups.contains_key(&name));
                model.groups.entry(name).or_insert_with(|| GroupModel {
                    last_id,
                    entries_read,
                    ..GroupModel::default()
                });
            }
            11 if input.below(4) == 0 => {
                let name = name(input);
                let destroyed = stream.destroy_group(&name);
                assert_eq!(destroyed, model.groups.remove(&name).is_some());
            }
            _ => {
                let (name, id) = (name(input), some_id(model, input));
                let model = model.groups.get_mut(&name);
                let edit = |_: &Log, group: &mut Group| {
                    let model = model.expect("both have the group");
                    edit_group(group, model, id, input);
                };
                stream.edit_group(&name, edit);
            }
        }
        assert_eq!(stream.as_ref().log().len(), model.entries.len());
    }

    fn len(model: &Model) -> usize {
        let pending = model.groups.values().map(|group| group.pending.len());
        model.entries.len() + pending.sum::<usize>()
    }

    fn stored(model: &mut Model) {
        for group in model.groups.values_mut() {
            for (seen, active) in group.consumers.values_mut() {
                *active = Some(*seen);
            }
        }
    }

    fn check(stream: &Stream, model: &Model) {
        stream.check_invariants();
        let log = stream.as_ref().log();
        assert_eq!(log.len(), model.entries.len());
        assert_eq!(log.last_id, model.last_id);
        assert_eq!(log.max_deleted, model.max_deleted);
        assert_eq!(log.added, model.added);
        let all = || log.range(StreamId::MIN, StreamId::MAX).map(read);
        let expected = || model.entries.iter().map(|(&id, pairs)| (id, pairs.clone()));
        assert!(all().eq(expected()));
        let backwards = log.range_backwards(StreamId::MIN, StreamId::MAX);
        assert!(backwards.map(read).eq(expected().rev()));
        let first = model.entries.keys().next().copied();
        assert_eq!(log.first_id(), first.unwrap_or_default());
        let last = model.entries.keys().next_back().copied();
        assert_eq!(log.last().map(|entry| entry.id), last);
        let groups = stream.as_ref().groups();
        let groups: BTreeMap<Vec<u8>, GroupModel> = groups
            .map(|(name, group)| (name.to_vec(), modelled(group)))
            .collect();
        assert_eq!(groups, model.groups);
    }
}

/// Few, so that they meet.
fn name(input: &mut Input<'_>) -> Vec<u8> {
    vec![b'n'; input.below(4)]
}

/// The ID of an entry, or any.
fn some_id(model: &Model, input: &mut Input<'_>) -> StreamId {
    match input.below(4) {
        0 => StreamId::new(input.below(300) as u64, input.below(3) as u64),
        1 => model.last_id,
        _ => {
            let at = input.below(model.entries.len() + 1);
            let id = model.entries.keys().nth(at).copied();
            id.unwrap_or(StreamId::MAX)
        }
    }
}

fn append(stream: &mut Stream, model: &mut Model, limits: NodeLimits, input: &mut Input<'_>) {
    let last = model.last_id;
    let id = match input.below(4) {
        0 | 1 => last.next(),
        2 => Some(StreamId::new(
            last.ms,
            last.seq.saturating_add(input.below(300) as u64),
        )),
        _ => Some(StreamId::new(
            last.ms.saturating_add(input.integer().cast_unsigned() >> 2),
            input.integer().cast_unsigned(),
        )),
    };
    let names = [b"a".as_slice(), b"7", b""];
    let pairs = (0..=input.below(3)).map(|_| match input.below(4) {
        kind @ 0..=2 => (names[kind].to_vec(), input.text()),
        _ => (input.text(), input.text()),
    });
    add(stream, model, limits, id, pairs.collect());
}

/// Adds an entry, if IDs are left.
fn add(
    stream: &mut Stream,
    model: &mut Model,
    limits: NodeLimits,
    id: Option<StreamId>,
    pairs: Pairs,
) {
    let Some(id) = id.filter(|&id| id > model.last_id) else {
        return;
    };
    if model.added == i64::MAX.cast_unsigned() {
        return;
    }
    let lent = pairs.iter().map(|(name, value)| (&name[..], &value[..]));
    stream.log_mut().append(id, lent, limits);
    model.entries.insert(id, pairs);
    model.last_id = id;
    model.added += 1;
}

fn trim(stream: &mut Stream, model: &mut Model, input: &mut Input<'_>) {
    let bound = if input.is() {
        Bound::Length(input.below(300) as u64)
    } else {
        Bound::Id(some_id(model, input))
    };
    let roughly = input.is();
    let limit = if roughly { input.below(30) as u64 } else { 0 };
    let excess = match bound {
        Bound::Length(most) => (model.entries.len() as u64).saturating_sub(most),
        Bound::Id(least) => model.entries.range(..least).count() as u64,
    };
    let trim = Trim {
        bound,
        roughly,
        limit,
    };
    let removed = stream.log_mut().trim(trim);
    if roughly {
        assert!(removed <= excess);
        assert!(limit == 0 || removed <= limit);
    } else {
        assert_eq!(removed, excess);
    }
    for _ in 0..removed {
        model.entries.pop_first();
    }
}

fn range(stream: &Stream, model: &Model, from: StreamId, to: StreamId) {
    let log = stream.as_ref().log();
    let inside = |id: &&StreamId| from <= **id && **id <= to;
    let expected: Vec<StreamId> = model.entries.keys().filter(inside).copied().collect();
    assert!(
        log.range(from, to)
            .map(|entry| entry.id)
            .eq(expected.iter().copied())
    );
    let back = log.range_backwards(from, to).map(|entry| entry.id);
    assert!(back.eq(expected.iter().rev().copied()));
    let found = log.get(from).map(read);
    let pairs = model.entries.get(&from).cloned();
    assert_eq!(found, pairs.map(|pairs| (from, pairs)));
}

fn edit_group(group: &mut Group, model: &mut GroupModel, id: StreamId, input: &mut Input<'_>) {
    let (kind, name) = (input.below(8), name(input));
    let now = i64::from(input.byte());
    match kind {
        0 | 1 => {
            let created = group.create(&name, now).is_some();
            assert_eq!(created, !model.consumers.contains_key(&name));
            model.consumers.entry(name).or_insert((now, None));
        }
        2 => {
            let had = model.pending.len();
            model.pending.retain(|_, (owner, _, _)| *owner != name);
            let removed = model.consumers.remove(&name);
            let count = removed.map(|_| had - model.pending.len());
            assert_eq!(group.remove(&name), count);
        }
        3 => assert_eq!(
            group.acknowledge(id).is_some(),
            model.pending.remove(&id).is_some()
        ),
        4 => {
            group.deliver_again(id, now);
            if let Some((_, delivered, deliveries)) = model.pending.get_mut(&id) {
                *delivered = now;
                *deliveries += 1;
            }
        }
        5 => {
            (group.last_id, group.entries_read) = (id, Some(now));
            (model.last_id, model.entries_read) = (id, Some(now));
        }
        _ => {
            let count = if kind == 6 {
                1
            } else {
                input.below(200) as u64
            };
            let Some(consumer) = group.find(&name) else {
                return;
            };
            let pending = Pending {
                consumer,
                delivered_ms: now,
                deliveries: 1,
            };
            for step in 0..count {
                let id = StreamId::new(id.ms, id.seq.saturating_sub(step));
                group.assign(id, pending);
                model.pending.insert(id, (name.clone(), now, 1));
            }
            group.consumer_mut(consumer).active_ms = Some(now);
            let (_, active) = model.consumers.get_mut(&name).expect("both have it");
            *active = Some(now);
        }
    }
}

fn read(entry: StreamEntry<'_>) -> (StreamId, Pairs) {
    let text = |item: Item<'_>| item.with_bytes(<[u8]>::to_vec);
    let fields = entry
        .fields()
        .map(|(name, value)| (text(name), text(value)));
    (entry.id, fields.collect())
}

fn modelled(group: &Group) -> GroupModel {
    let times = |name: &[u8]| {
        let consumer = group.consumer(group.find(name).expect("it was listed"));
        (consumer.seen_ms, consumer.active_ms)
    };
    let consumers = group.consumers();
    let pending = group.pending().since(StreamId::MIN).map(|(id, pending)| {
        let owner = group.consumer(pending.consumer).name().to_vec();
        (id, (owner, pending.delivered_ms, pending.deliveries))
    });
    GroupModel {
        last_id: group.last_id,
        entries_read: group.entries_read,
        consumers: consumers
            .map(|consumer| (consumer.name().to_vec(), times(consumer.name())))
            .collect(),
        pending: pending.collect(),
    }
}
