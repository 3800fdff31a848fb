use super::*;
use crate::value::NodeLimits;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

const LIMITS: NodeLimits = NodeLimits {
    bytes: 4096,
    entries: 10,
};

fn append(log: &mut Log, id: StreamId, pairs: &Pairs) {
    let pairs = pairs.iter().map(|(name, value)| (&name[..], &value[..]));
    log.append(id, pairs, LIMITS);
}

fn read(entry: StreamEntry<'_>) -> (StreamId, Pairs) {
    let text = |item: Item<'_>| item.with_bytes(<[u8]>::to_vec);
    let fields = entry
        .fields()
        .map(|(name, value)| (text(name), text(value)));
    (entry.id, fields.collect())
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..6),
        2 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        2 => (-300i64..300).prop_map(|number| number.to_string().into_bytes()),
        1 => (0usize..5000).prop_map(|len| vec![b'x'; len]),
    ]
}

fn fields() -> impl Strategy<Value = Pairs> {
    let name = prop_oneof![3 => Just(b"a".to_vec()), 1 => Just(b"7".to_vec()), 1 => texts()];
    prop::collection::vec((name, texts()), 1..4)
}

#[derive(Clone, Debug)]
enum Op {
    Add(u64, u64, Pairs),
    Delete(prop::sample::Index),
    TrimTo(u64, bool, u64),
    TrimBefore(prop::sample::Index, bool),
    Share,
}

fn ops() -> impl Strategy<Value = Op> {
    let step = prop_oneof![3 => Just(0u64), 2 => 1u64..5, 1 => 1u64..1 << 40];
    prop_oneof![
        8 => (step.clone(), step, fields()).prop_map(|(ms, seq, f)| Op::Add(ms, seq, f)),
        3 => any::<prop::sample::Index>().prop_map(Op::Delete),
        1 => (0u64..60, any::<bool>(), 0u64..30).prop_map(|(n, r, l)| Op::TrimTo(n, r, l)),
        1 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(i, r)| Op::TrimBefore(i, r)),
        1 => Just(Op::Share),
    ]
}

fn check(stream: &Stream, model: &BTreeMap<StreamId, Pairs>) {
    stream.check_invariants();
    let log = stream.as_ref().log();
    let all: Vec<_> = log.range(StreamId::MIN, StreamId::MAX).map(read).collect();
    let expected: Vec<_> = model.clone().into_iter().collect();
    assert_eq!(all, expected);
    let back = log.range_backwards(StreamId::MIN, StreamId::MAX).map(read);
    let expected: Vec<_> = expected.into_iter().rev().collect();
    assert_eq!(back.collect::<Vec<_>>(), expected);
    let first = model.keys().next().copied();
    assert_eq!(log.first_id(), first.unwrap_or_default());
    assert_eq!(
        log.last().map(|entry| entry.id),
        model.keys().last().copied()
    );
}

proptest! {
    #[test]
    fn a_log_holds_what_a_map_would(ops in prop::collection::vec(ops(), 1..120)) {
        let mut stream = Stream::default();
        let mut model = BTreeMap::new();
        let mut shared = None;
        for op in ops {
            match op {
                Op::Add(ms, seq, pairs) => {
                    let last = stream.as_ref().log().last_id;
                    let seq = if ms == 0 { last.seq + seq } else { seq };
                    let id = StreamId::new(last.ms + ms, seq);
                    let id = if id > last { id } else { last.next().expect("IDs are left") };
                    append(stream.log_mut(), id, &pairs);
                    model.insert(id, pairs);
                }
                Op::Delete(at) => {
                    let id = model.keys().nth(at.index(model.len() + 1)).copied();
                    let id = id.unwrap_or(StreamId::new(5, 5));
                    prop_assert_eq!(stream.log_mut().delete(id), model.remove(&id).is_some());
                }
                Op::TrimTo(length, roughly, limit) => {
                    let bound = Bound::Length(length);
                    let limit = if roughly { limit } else { 0 };
                    let removed = stream.log_mut().trim(Trim { bound, roughly, limit });
                    for _ in 0..removed {
                        model.pop_first();
                    }
                    prop_assert!(model.len() as u64 >= length.min(model.len() as u64 + removed));
                    prop_assert!(roughly || model.len() as u64 <= length);
                }
                Op::TrimBefore(at, roughly) => {
                    let id = model.keys().nth(at.index(model.len() + 1)).copied();
                    let Some(id) = id else { continue };
                    let bound = Bound::Id(id);
                    let removed = stream.log_mut().trim(Trim { bound, roughly, limit: 0 });
                    let kept = model.split_off(&id);
                    prop_assert!(roughly || removed == model.len() as u64);
                    let stay = model.len() - usize::try_from(removed).expect("few");
                    let left: Vec<_> = model.into_iter().rev().take(stay).collect();
                    model = kept;
                    model.extend(left);
                }
                Op::Share => shared = Some((stream.clone(), model.clone())),
            }
            check(&stream, &model);
        }
        if let Some((stream, model)) = shared {
            check(&stream, &model);
        }
    }

    #[test]
    fn ranges_are_those_of_a_map(
        ids in prop::collection::btree_set((0u64..30, 0u64..4), 0..80),
        from in (0u64..32, 0u64..5), to in (0u64..32, 0u64..5),
    ) {
        let mut log = Log::default();
        let ids: Vec<_> = ids.into_iter().map(|(ms, seq)| StreamId::new(ms, seq)).collect();
        let ids: Vec<_> = ids.into_iter().filter(|&id| id > StreamId::MIN).collect();
        for &id in &ids {
            append(&mut log, id, &vec![(b"f".to_vec(), b"v".to_vec())]);
        }
        let (from, to) = (StreamId::new(from.0, from.1), StreamId::new(to.0, to.1));
        prop_assert_eq!(log.get(from).is_some(), ids.contains(&from));
        let mut expected: Vec<_> = ids.into_iter().filter(|&id| from <= id && id <= to).collect();
        let found: Vec<_> = log.range(from, to).map(|entry| entry.id).collect();
        prop_assert_eq!(&found, &expected);
        expected.reverse();
        let found: Vec<_> = log.range_backwards(from, to).map(|entry| entry.id).collect();
        prop_assert_eq!(&found, &expected);
    }

    #[test]
    fn a_map_by_id_is_a_map(ops in prop::collection::vec((0u64..400, 0u8..4), 0..600)) {
        let (mut map, mut model) = (IdMap::default(), BTreeMap::new());
        let copy = map.clone();
        for (number, (id, kind)) in ops.into_iter().enumerate() {
            let id = StreamId::new(id, 0);
            match kind {
                0 | 1 => prop_assert_eq!(
                    map.insert(id, number),
                    model.insert(id, number).is_none()
                ),
                2 => prop_assert_eq!(map.remove(id), model.remove(&id)),
                _ => {
                    let all: Vec<_> = map.since(id).map(|(id, &n)| (id, n)).collect();
                    let expected: Vec<_> = model.range(id..).map(|(&id, &n)| (id, n)).collect();
                    prop_assert_eq!(all, expected);
                    prop_assert_eq!(map.get(id), model.get(&id));
                }
            }
            prop_assert_eq!(map.len(), model.len());
            prop_assert_eq!(map.first(), model.keys().next().copied());
            prop_assert_eq!(map.last(), model.keys().last().copied());
        }
        prop_assert!(copy.is_empty());
    }

    #[test]
    fn every_text_survives(text in texts()) {
        let mut bytes = Vec::new();
        item::push(&mut bytes, &text);
        let (read, end) = item::read(&bytes, 0);
        prop_assert_eq!(read.with_bytes(<[u8]>::to_vec), text);
        prop_assert_eq!(end, bytes.len());
        prop_assert_eq!(item::skip(&bytes, 0), end);
    }
}

#[test]
fn nodes_end_where_those_of_redis_do() {
    let mut log = Log::default();
    let limits = NodeLimits {
        bytes: 4096,
        entries: 100,
    };
    for n in 1..=250 {
        log.append(
            StreamId::new(n, 0),
            [(&b"f"[..], &b"value"[..])].into_iter(),
            limits,
        );
    }
    let lens: Vec<_> = log.nodes().map(Node::live).collect();
    assert_eq!(lens, [100, 100, 50]);
}

#[test]
fn entries_of_groups_go_from_hand_to_hand() {
    let mut group = Group::new(StreamId::MIN, None);
    let one = group.create(b"one", 1).expect("it is new");
    let two = group.create(b"two", 1).expect("it is new");
    assert_eq!(group.create(b"two", 1), None);
    let id = |ms| StreamId::new(ms, 0);
    let pending = |consumer| Pending {
        consumer,
        delivered_ms: 5,
        deliveries: 1,
    };
    for ms in 1..200 {
        group.assign(id(ms), pending(one));
    }
    group.assign(id(7), pending(two));
    group.check_invariants();
    assert_eq!(group.consumer(two).pending().len(), 1);
    assert_eq!(group.acknowledge(id(7)), Some(pending(two)));
    assert_eq!(group.acknowledge(id(7)), None);
    assert_eq!(group.remove(b"one"), Some(198));
    assert!(group.pending().is_empty());
    assert_eq!(group.create(b"three", 1), Some(one), "its number is free");
    group.check_invariants();
}

#[test]
fn entries_cost_less_than_in_redis() {
    let mut log = Log::default();
    let limits = NodeLimits {
        bytes: 4096,
        entries: 100,
    };
    let mut at = 1_700_000_000_000;
    for n in 0..1000u64 {
        at += 7;
        let value = (n * 977).to_string();
        let pairs = [(&b"sensor"[..], value.as_bytes()), (b"state", b"running")];
        log.append(StreamId::new(at, 0), pairs.into_iter(), limits);
    }
    let redis: usize = log.nodes().map(Node::listpack_bytes).sum();
    assert!(log.memory() * 10 < redis * 9, "{} of {redis}", log.memory());
}

#[test]
fn a_stream_is_freed_bit_by_bit() {
    let mut stream = Stream::default();
    for n in 1..100 {
        append(
            stream.log_mut(),
            StreamId::new(n, 0),
            &vec![(b"f".to_vec(), b"v".to_vec())],
        );
    }
    for name in [b"g", b"h"] {
        stream.create_group(name, Group::default());
        stream.edit_group(name, |_, group| {
            let consumer = group.create(b"c", 0).expect("it is new");
            for n in 1..100 {
                let pending = Pending {
                    consumer,
                    delivered_ms: 0,
                    deliveries: 1,
                };
                group.assign(StreamId::new(n, 0), pending);
            }
        });
    }
    stream.check_invariants();
    let mut rounds = 0;
    while !stream.free_some(&mut 3) {
        rounds += 1;
        assert!(rounds < 50);
    }
    assert!(rounds > 3);
}
