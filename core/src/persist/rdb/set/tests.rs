use crate::persist::crc::crc64;
use crate::persist::listpack;
use crate::persist::rdb::{
    Decoder, Encoder, Item, KeyMeta, Options, RdbFault, dump, restore, restore_unchecked,
};
use crate::value::{PackLimits, Set, Shape, StrRef, Value};
use proptest::prelude::*;

const SET: u8 = 2;
const INTSET: u8 = 11;
const LISTPACK: u8 = 20;

fn shape(ints: usize, entries: usize, value: usize) -> Shape {
    Shape {
        set_ints: ints,
        set: PackLimits { entries, value },
        ..Shape::default()
    }
}

fn set(members: &[&[u8]], shape: &Shape) -> Set {
    let mut set = Set::new();
    for member in members {
        set.add(member, shape);
    }
    set
}

fn numbered(count: usize, prefix: &str, shape: &Shape) -> Set {
    let mut set = Set::new();
    for number in 0..count {
        set.add(format!("{prefix}{number}").as_bytes(), shape);
    }
    set
}

/// A payload of a value that is written by hand.
fn payload(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut payload = vec![kind];
    payload.extend_from_slice(body);
    payload.extend_from_slice(&11_u16.to_le_bytes());
    let checksum = crc64(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let mut text = vec![0x80];
    text.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    text.extend_from_slice(bytes);
    text
}

fn plain(members: &[&[u8]]) -> Vec<u8> {
    let mut body = vec![u8::try_from(members.len()).unwrap()];
    members.iter().for_each(|member| body.extend(text(member)));
    payload(SET, &body)
}

fn packed(members: &[&[u8]]) -> Vec<u8> {
    let mut builder = listpack::Builder::new();
    members.iter().for_each(|member| builder.push(member));
    payload(LISTPACK, &builder.finish(text))
}

fn intset(width: u32, count: u32, body: &[u8]) -> Vec<u8> {
    let mut block = width.to_le_bytes().to_vec();
    block.extend_from_slice(&count.to_le_bytes());
    block.extend_from_slice(body);
    payload(INTSET, &text(&block))
}

fn restored(payload: &[u8], shape: &Shape) -> Result<Set, RdbFault> {
    let value = restore(payload, shape)?;
    let Value::Set(set) = value else {
        panic!("{value:?} is no set");
    };
    Ok(set)
}

#[track_caller]
fn refused(payload: &[u8], shape: &Shape) -> &'static str {
    let fault = restored(payload, shape).unwrap_err();
    let RdbFault::Corrupt { what, .. } = fault else {
        panic!("{fault}");
    };
    what
}

#[test]
fn sets_survive_dump_and_restore() {
    let shape = Shape::default();
    for (prefix, count, kind) in [
        ("", 1, INTSET),
        ("", 512, INTSET),
        ("", 513, SET),
        ("m", 1, SET),
        ("m", 128, SET),
        ("m", 129, SET),
        ("m", 5_000, SET),
    ] {
        let before = Value::Set(numbered(count, prefix, &shape));
        for compress in [true, false] {
            let payload = dump(before.as_ref(), compress);
            assert_eq!(payload[0], kind);
            let after = restored(&payload, &shape).unwrap();
            assert_eq!(
                after.as_ref().encoding(),
                before.as_ref().encoding().unwrap()
            );
            assert_eq!(Value::Set(after), before);
        }
    }
}

#[test]
fn the_order_of_a_small_set_survives() {
    let shape = Shape::default();
    let members: [&[u8]; 4] = [b"z", b"-7", b"", b"a"];
    for payload in [
        dump(Value::Set(set(&members, &shape)).as_ref(), true),
        packed(&members),
    ] {
        let after = restored(&payload, &shape).unwrap();
        let after: Vec<Vec<u8>> = after.as_ref().iter().map(StrRef::to_vec).collect();
        assert_eq!(after, members);
    }
}

/// What Redis 7.0 and 7.2 answer to DUMP, without the footer.
#[test]
fn an_intset_is_the_same_as_in_redis() {
    let shape = Shape::default();
    let cases: [(&[&[u8]], &[u8]); 4] = [
        (
            &[b"3", b"1", b"2"],
            b"\x0b\x0e\x02\0\0\0\x03\0\0\0\x01\0\x02\0\x03\0",
        ),
        (&[b"-32768"], b"\x0b\x0a\x02\0\0\0\x01\0\0\0\0\x80"),
        (
            &[b"1", b"70000"],
            b"\x0b\x10\x04\0\0\0\x02\0\0\0\x01\0\0\0\x70\x11\x01\0",
        ),
        (
            &[b"1", b"-9000000000"],
            b"\x0b\x18\x08\0\0\0\x02\0\0\0\0\xe6\x8e\xe7\xfd\xff\xff\xff\x01\0\0\0\0\0\0\0",
        ),
    ];
    for (members, bytes) in cases {
        let value = Value::Set(set(members, &shape));
        let payload = dump(value.as_ref(), false);
        assert_eq!(&payload[..payload.len() - 10], bytes);
        assert_eq!(Value::Set(restored(&payload, &shape).unwrap()), value);
    }
}

#[test]
fn the_form_follows_the_configuration() {
    let members: [&[u8]; 3] = [b"1", b"70000", b"-5"];
    let sorted = [-5_i64, 1, 70_000];
    let body: Vec<u8> = sorted.iter().flat_map(|n| n.to_le_bytes()).collect();
    let (plain, packed, ints) = (plain(&members), packed(&members), intset(8, 3, &body));
    let encoding = |payload: &[u8], shape| {
        let found = restored(payload, &shape).unwrap();
        assert_eq!(found, set(&members, &shape));
        found.as_ref().encoding()
    };
    for payload in [&plain, &ints] {
        assert_eq!(encoding(payload, shape(3, 0, 5)), "intset");
        assert_eq!(encoding(payload, shape(2, 0, 5)), "hashtable");
    }
    // One that was no set of integers stays none, and a block is kept however long its members.
    assert_eq!(encoding(&packed, shape(3, 3, 5)), "listpack");
    assert_eq!(encoding(&packed, shape(3, 3, 4)), "listpack");
    assert_eq!(encoding(&packed, shape(3, 2, 5)), "hashtable");
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    let few: Vec<&[u8]> = vec![b"a", b"b", b"a"];
    let ints: Vec<&[u8]> = vec![b"1", b"2", b"1"];
    let texts: Vec<String> = (0..40).chain([3]).map(|n| format!("m{n}")).collect();
    let many: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    for members in [few, ints, many] {
        for shape in [shape(512, 128, 64), shape(2, 2, 64), shape(0, 0, 0)] {
            assert!(refused(&plain(&members), &shape).contains("twice"));
            assert!(refused(&packed(&members), &shape).contains("twice"));
        }
    }
}

#[test]
fn what_makes_no_set_is_refused() {
    let shape = Shape::default();
    assert!(refused(&plain(&[]), &shape).contains("without elements"));
    assert!(refused(&packed(&[]), &shape).contains("without elements"));
    assert!(refused(&payload(LISTPACK, &[0xc0, 5]), &shape).contains("number"));
    assert!(refused(&payload(INTSET, &[0xc0, 5]), &shape).contains("number"));
    for broken in [
        payload(INTSET, &text(b"\x02\0\0\0\x01\0\0")),
        intset(2, 0, b""),
        intset(3, 1, b"\0\0\0"),
        intset(0, 1, b""),
        intset(2, 2, b"\x01\0"),
        intset(2, 1, b"\x01\0\x02\0"),
        intset(2, 2, b"\x02\0\x01\0"),
        intset(2, 2, b"\x01\0\x01\0"),
        intset(2, 2, b"\x01\0\xff\xff"),
        intset(8, u32::MAX, b""),
    ] {
        assert!(refused(&broken, &shape).contains("Intset"));
    }
    let short = payload(SET, &[2, 1, b'a']);
    assert!(matches!(
        restored(&short, &shape),
        Err(RdbFault::Truncated { .. })
    ));
    // What a number announces is not taken for granted.
    let boast = payload(SET, &[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, b'a']);
    assert!(matches!(
        restored(&boast, &shape),
        Err(RdbFault::Truncated { .. })
    ));
}

#[test]
fn sets_are_read_however_the_bytes_are_cut() {
    let shape = Shape::default();
    let values = [
        Value::Set(numbered(3, "", &shape)),
        Value::Set(numbered(500, "", &shape)),
        Value::Set(numbered(30, "m", &shape)),
        Value::Set(numbered(600, "m", &shape)),
        Value::Set(set(&[&[b'f'; 40_000], b"x"], &shape)),
    ];
    let mut encoder = Encoder::new(false, true);
    encoder.preamble(&crate::persist::rdb::Preamble::default());
    for (number, value) in values.iter().enumerate() {
        let key = number.to_string();
        encoder.key(key.as_bytes(), value.as_ref(), KeyMeta::default());
    }
    encoder.eof();
    let mut file = Vec::new();
    while let Some(chunk) = encoder.poll_chunk() {
        file.extend_from_slice(&chunk);
    }
    for len in [1, 2, 7, 1_000, 1_000_000] {
        let mut decoder = Decoder::new(Options::default());
        let mut found = Vec::new();
        for piece in file.chunks(len) {
            decoder.feed(piece);
            while let Some(item) = decoder.next().unwrap() {
                if let Item::Key { value, .. } = item {
                    found.push(value);
                }
            }
        }
        decoder.finish().unwrap();
        assert!(found == values, "in pieces of {len}");
    }
}

proptest! {
    #[test]
    fn damage_never_panics(
        count in 1..30_usize, entries in 0..40_usize, prefix in "m?",
        at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let shape = shape(entries, entries, 64);
        let value = Value::Set(numbered(count, &prefix, &shape));
        let mut payload = dump(value.as_ref(), false);
        let at = at.index(payload.len());
        payload[at] = byte;
        if let Ok(Value::Set(set)) = restore_unchecked(&payload, &shape) {
            prop_assert!(!set.as_ref().is_empty());
        }
    }
}
