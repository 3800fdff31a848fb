use crate::persist::crc::crc64;
use crate::persist::listpack;
use crate::persist::rdb::{
    Decoder, Encoder, Item, KeyMeta, Options, RdbFault, dump, restore, restore_unchecked,
};
use crate::value::{Hash, PackLimits, Shape, Value};
use proptest::prelude::*;

const HASH: u8 = 4;
const ZIPMAP: u8 = 9;
const ZIPLIST: u8 = 13;
const LISTPACK: u8 = 16;

fn shape(entries: usize, value: usize) -> Shape {
    Shape {
        hash: PackLimits { entries, value },
        ..Shape::default()
    }
}

fn hash(pairs: &[(&[u8], &[u8])], shape: &Shape) -> Hash {
    let mut hash = Hash::new();
    for (field, value) in pairs {
        hash.set(field, value, shape);
    }
    hash
}

fn numbered(count: usize, shape: &Shape) -> Hash {
    let mut hash = Hash::new();
    for number in 0..count {
        let text = number.to_string();
        hash.set(format!("f{number}").as_bytes(), text.as_bytes(), shape);
    }
    hash
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

fn plain(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut body = vec![u8::try_from(pairs.len()).unwrap()];
    for (field, value) in pairs {
        body.extend(text(field));
        body.extend(text(value));
    }
    payload(HASH, &body)
}

fn packed(items: &[&[u8]]) -> Vec<u8> {
    let mut builder = listpack::Builder::new();
    items.iter().for_each(|item| builder.push(item));
    payload(LISTPACK, &builder.finish(text))
}

fn restored(payload: &[u8], shape: &Shape) -> Result<Hash, RdbFault> {
    let value = restore(payload, shape)?;
    let Value::Hash(hash) = value else {
        panic!("{value:?} is no hash");
    };
    Ok(hash)
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
fn hashes_survive_dump_and_restore() {
    let shape = Shape::default();
    for count in [1, 2, 512, 513, 5_000] {
        let before = Value::Hash(numbered(count, &shape));
        for compress in [true, false] {
            let payload = dump(before.as_ref(), compress);
            assert_eq!(payload[0], if count > 512 { HASH } else { LISTPACK });
            let after = restored(&payload, &shape).unwrap();
            assert_eq!(
                after.as_ref().encoding(),
                before.as_ref().encoding().unwrap()
            );
            assert_eq!(Value::Hash(after), before);
        }
    }
}

#[test]
fn the_order_of_a_small_hash_survives() {
    let shape = Shape::default();
    let pairs: [(&[u8], &[u8]); 3] = [(b"z", b"-7"), (b"", b"x"), (b"a", b"")];
    let before = Value::Hash(hash(&pairs, &shape));
    let after = restored(&dump(before.as_ref(), true), &shape).unwrap();
    assert!(after.as_ref().iter().eq(pairs));
}

#[test]
fn every_form_of_older_versions_is_read() {
    let shape = Shape::default();
    let pairs: [(&[u8], &[u8]); 2] = [(b"foo", b"bar"), (b"hello", b"12")];
    let expected = hash(&pairs, &shape);
    let zipmap = b"\x02\x03foo\x03\x00bar\x05hello\x02\x0312---\xff";
    let ziplist = b"\x1f\0\0\0\x1b\0\0\0\x04\0\
                    \0\x03foo\x05\x03bar\x05\x05hello\x07\xfe\x0c\xff";
    for payload in [
        plain(&pairs),
        packed(&[b"foo", b"bar", b"hello", b"12"]),
        payload(ZIPMAP, &text(zipmap)),
        payload(ZIPLIST, &text(ziplist)),
    ] {
        let found = restored(&payload, &shape).unwrap();
        assert_eq!(found, expected, "type {}", payload[0]);
        assert_eq!(found.as_ref().encoding(), "listpack");
    }
}

#[test]
fn what_does_not_fit_a_small_hash_becomes_large() {
    let pairs: [(&[u8], &[u8]); 2] = [(b"foo", b"bar"), (b"hello", b"12")];
    let items: [&[u8]; 4] = [b"foo", b"bar", b"hello", b"12"];
    let zipmap = payload(
        ZIPMAP,
        &text(b"\x02\x03foo\x03\x00bar\x05hello\x02\x0012\xff"),
    );
    let encoding = |payload: &[u8], shape| {
        let found = restored(payload, &shape).unwrap();
        assert_eq!(found, hash(&pairs, &shape));
        found.as_ref().encoding()
    };
    for payload in [plain(&pairs), packed(&items), zipmap.clone()] {
        assert_eq!(encoding(&payload, shape(2, 5)), "listpack");
        assert_eq!(encoding(&payload, shape(1, 5)), "hashtable");
    }
    assert_eq!(encoding(&plain(&pairs), shape(2, 4)), "hashtable");
    assert_eq!(encoding(&zipmap, shape(2, 4)), "hashtable");
    // A block is kept as it is however long its values are.
    assert_eq!(encoding(&packed(&items), shape(2, 4)), "listpack");
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    let twin: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")];
    let items: Vec<&[u8]> = twin
        .iter()
        .flat_map(|(field, value)| [*field, *value])
        .collect();
    for shape in [shape(512, 64), shape(2, 64), shape(0, 64), shape(512, 0)] {
        assert!(refused(&plain(&twin), &shape).contains("twice"));
        assert!(refused(&packed(&items), &shape).contains("twice"));
    }
}

#[test]
fn what_makes_no_hash_is_refused() {
    let shape = Shape::default();
    assert!(refused(&packed(&[b"a", b"1", b"b"]), &shape).contains("without a value"));
    assert!(refused(&packed(&[]), &shape).contains("without elements"));
    assert!(refused(&plain(&[]), &shape).contains("without elements"));
    assert!(refused(&payload(LISTPACK, &[0xc0, 5]), &shape).contains("number"));
    assert!(refused(&payload(ZIPMAP, &text(b"\xff")), &shape).contains("Zipmap"));
    let short = payload(HASH, &[2, 1, b'a', 1, b'b', 1, b'c']);
    assert!(matches!(
        restored(&short, &shape),
        Err(RdbFault::Truncated { .. })
    ));
    // What a number announces is not taken for granted.
    let boast = payload(HASH, &[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, b'a', 1, b'b']);
    assert!(matches!(
        restored(&boast, &shape),
        Err(RdbFault::Truncated { .. })
    ));
}

#[test]
fn hashes_are_read_however_the_bytes_are_cut() {
    let shape = Shape::default();
    let values = [
        Value::Hash(numbered(3, &shape)),
        Value::Hash(numbered(600, &shape)),
        Value::Hash(hash(&[(&[b'f'; 300], &[b'v'; 40_000])], &shape)),
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
        count in 1..30usize, entries in 0..40usize, at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let shape = shape(entries, 64);
        let value = Value::Hash(numbered(count, &shape));
        let mut payload = dump(value.as_ref(), false);
        let at = at.index(payload.len());
        payload[at] = byte;
        if let Ok(Value::Hash(hash)) = restore_unchecked(&payload, &shape) {
            prop_assert!(!hash.as_ref().is_empty());
        }
    }
}
