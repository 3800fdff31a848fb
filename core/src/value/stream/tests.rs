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

fn texts() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..6),
        2 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        2 => (-300i64..300).prop_map(|number| number.to_string().into_bytes()),
        1 => (0usize..5000).prop_map(|len| vec![b'x'; len]),
    ]
}

proptest! {
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
fn ids_that_were_deleted_can_be_given_again() {
    let mut stream = Stream::default();
    let pairs = vec![(b"f".to_vec(), b"v".to_vec())];
    for n in [1, 2, 5, 6, 7] {
        append(stream.log_mut(), StreamId::new(n, 0), &pairs);
    }
    for n in [2, 6, 7] {
        assert!(stream.log_mut().delete(StreamId::new(n, 0)));
    }
    stream.log_mut().set_last_id(StreamId::new(5, 0));
    stream.check_invariants();
    append(stream.log_mut(), StreamId::new(6, 0), &pairs);
    stream.check_invariants();
    let log = stream.as_ref().log();
    let ids: Vec<_> = log.range(StreamId::MIN, StreamId::MAX).collect();
    assert_eq!(
        ids.iter().map(|entry| entry.id.ms).collect::<Vec<_>>(),
        [1, 5, 6]
    );
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
