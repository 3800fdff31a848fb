use super::*;
use crate::persist::rdb::dump::{dump, restore, restore_unchecked};
use crate::value::stream::{Bound, Trim};
use crate::value::{NodeLimits, ValueRef};

/// What Redis 7.0 makes of a stream with two groups and a deleted entry.
const REDIS_7_0: &str = "13011000000000000000050000000000000001406b6b0000001f00030101010201846e616d650583\
     61676504000102010001000185616c696365061e01050103010001010183626f6204dd4402050100\
     010401dfff020101856f74686572068378797a040601020104010001856361726f6c06f4cb04fb71\
     1f010000090501ff03090105010502040201670901040300000000000000050000000000000001a8\
     93d823a20100000100000000000000090000000000000000a893d823a20100000100000000000000\
     090000000000000001b493d823a20100000103026331a893d823a201000002000000000000000500\
     0000000000000100000000000000090000000000000000026332b493d823a2010000010000000000\
     00000900000000000000010469646c65cc93d823a2010000000168090081ffffffffffffffff0000\
     0a0026c0103cc0dcf18d";

/// The same from a server that writes as Redis 7.2 does.
const REDIS_7_2: &str = "15011000000000000000050000000000000001406b6b0000001f00030101010201846e616d650583\
     61676504000102010001000185616c696365061e01050103010001010183626f6204dd4402050100\
     010401dfff020101856f74686572068378797a040601020104010001856361726f6c06f4cb04fb71\
     1f010000090501ff03090105010502040201670901040300000000000000050000000000000001a0\
     94d823a20100000100000000000000090000000000000000a094d823a20100000100000000000000\
     090000000000000001b094d823a20100000103026331a094d823a2010000a094d823a20100000200\
     00000000000005000000000000000100000000000000090000000000000000026332b094d823a201\
     0000b094d823a201000001000000000000000900000000000000010469646c65cc94d823a2010000\
     ffffffffffffffff000168090081ffffffffffffffff00000b00ff4329c762601720";

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn restored(payload: &[u8]) -> Stream {
    match restore(payload, &Shape::default()) {
        Ok(Value::Stream(stream)) => stream,
        other => panic!("{other:?}"),
    }
}

fn dumped(stream: &Stream) -> Vec<u8> {
    dump(ValueRef::Stream(stream.as_ref()), false)
}

#[test]
fn what_redis_wrote_is_written_again_to_the_byte() {
    let payload = bytes(REDIS_7_0);
    assert_eq!(dumped(&restored(&payload)), payload);
}

#[test]
fn the_newest_form_tells_when_consumers_were_active() {
    let stream = restored(&bytes(REDIS_7_2));
    let stream = stream.as_ref();
    let log = stream.log();
    assert_eq!(log.len(), 3);
    assert_eq!(log.added, 4);
    assert_eq!(log.max_deleted, StreamId::new(5, 2));
    assert_eq!(log.nodes().next().map(Node::deleted), Some(1));
    let group = stream.group(b"g").expect("it is there");
    assert_eq!(group.entries_read, Some(4));
    assert_eq!(group.pending().len(), 3);
    let active: Vec<_> = group.consumers().map(|one| one.active_ms).collect();
    assert_eq!(active[2], None);
    assert!(active[0].is_some_and(|at| active[1] > Some(at)));
    let unread = stream.group(b"h").expect("it is there");
    assert_eq!(unread.entries_read, None);
}

#[test]
fn the_oldest_form_knows_nothing_of_what_was_removed() {
    let mut payload = bytes(REDIS_7_0);
    let figures = bytes("0309010501050204");
    let at = payload.windows(8).position(|part| part == figures);
    let at = at.expect("length, last, first and highest deleted ID, entries added");
    // Without the groups, of which there are two.
    payload.truncate(at);
    payload[0] = TYPE_STREAM;
    payload.extend_from_slice(&[3, 9, 1, 1, 1, b'g', 9, 1, 0, 0]);
    payload.extend_from_slice(&[10, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let Ok(Value::Stream(stream)) = restore_unchecked(&payload, &Shape::default()) else {
        panic!("it is sound");
    };
    let log = stream.as_ref().log();
    assert_eq!((log.added, log.max_deleted), (3, StreamId::MIN));
    let group = stream.as_ref().group(b"g").expect("it is there");
    assert_eq!(group.entries_read, Some(3));
}

/// A stream of several nodes and more of everything than is written at a time.
fn large() -> Stream {
    let mut stream = Stream::default();
    let limits = NodeLimits {
        bytes: 4096,
        entries: 100,
    };
    for n in 1..=1000u64 {
        let text = n.to_string();
        let pairs = [(&b"n"[..], text.as_bytes()), (b"same", b"-7")];
        let fields = if n % 7 == 0 { 1 } else { 2 };
        let id = StreamId::new(n / 3, n);
        stream
            .log_mut()
            .append(id, pairs[..fields].iter().copied(), limits);
    }
    for n in [5, 500, 501, 999] {
        stream.log_mut().delete(StreamId::new(n / 3, n));
    }
    let bound = Bound::Length(950);
    stream.log_mut().trim(Trim {
        bound,
        roughly: false,
        limit: 0,
    });
    for name in [&b"one"[..], b"two"] {
        stream.create_group(name, Group::new(StreamId::new(7, 7), Some(3)));
        stream.edit_group(name, |_, group| {
            for consumer in [&b"a"[..], b"b", b"c"] {
                let number = group.create(consumer, 77).expect("it is new");
                group.consumer_mut(number).active_ms = Some(77);
            }
            let consumer = group.find(b"b").expect("it was made");
            for n in 0..400 {
                let pending = Pending {
                    consumer,
                    delivered_ms: 5,
                    deliveries: 2,
                };
                group.assign(StreamId::new(n, n), pending);
            }
        });
    }
    stream
}

#[test]
fn a_large_stream_survives() {
    let stream = large();
    let payload = dumped(&stream);
    let twin = restored(&payload);
    assert_eq!(twin, stream);
    assert_eq!(dumped(&twin), payload);
    let compressed = dump(ValueRef::Stream(stream.as_ref()), true);
    assert!(compressed.len() < payload.len());
    assert_eq!(restored(&compressed), stream);
    assert_eq!(restored(&dumped(&Stream::default())), Stream::default());
}

#[test]
fn bytes_may_come_one_by_one() {
    let payload = dumped(&large());
    let mut input = Input::new(false);
    let mut reader = Reader::new(payload[0]).expect("it is a stream");
    let body = &payload[1..payload.len() - 10];
    for (at, byte) in body.iter().enumerate() {
        input.feed(core::slice::from_ref(byte));
        match reader.read(&mut input, &Shape::default()) {
            Ok(Progress::Wait) => assert!(at + 1 < body.len()),
            Ok(Progress::Ready(value)) => {
                assert_eq!(at + 1, body.len());
                assert_eq!(value, Value::Stream(large()));
            }
            _ => panic!("it is sound"),
        }
    }
}

#[test]
fn no_change_of_a_byte_is_taken_for_sound_and_makes_us_panic() {
    let payload = bytes(REDIS_7_2);
    let mut refused = 0;
    for at in 1..payload.len() - 10 {
        for byte in [0, 1, 0x7f, 0x80, 0xff, payload[at] ^ 1] {
            let mut changed = payload.clone();
            changed[at] = byte;
            refused += usize::from(restore_unchecked(&changed, &Shape::default()).is_err());
        }
    }
    assert!(refused > 500, "{refused}");
}

#[test]
fn contradictions_are_refused() {
    let refuse = |from: &str, to: &str| {
        let text = REDIS_7_0.replacen(from, to, 1);
        assert_ne!(text, REDIS_7_0);
        match restore_unchecked(&bytes(&text), &Shape::default()) {
            Err(RdbFault::Corrupt { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    };
    let figures = "0309010501050204";
    assert!(refuse(figures, "0409010501050204").contains("length inconsistent"));
    assert!(refuse(figures, "0309000501050204").contains("behind its last ID"));
    // One of the fields of the first entry more than there are.
    assert!(refuse("0301010102018", "0301010103018").contains("integrity check"));
    // The marks of the entries, the numbers of which are told before.
    assert!(refuse("030101010201", "040100010201").contains("integrity check"));
    // The number of elements of the first entry.
    assert!(refuse("061e010501", "061e010601").contains("integrity check"));
    // Another entry than one of those that are pending.
    let own = "0200000000000000050000000000000001";
    let other = "0200000000000000060000000000000001";
    assert!(refuse(own, other).contains("not found in group global PEL"));
}
