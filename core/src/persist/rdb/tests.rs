use super::*;
use crate::limits::{RDB_CHUNK_BYTES, RDB_PLAIN_NODE_BYTES};
use crate::machine::Wall;
use crate::persist::crc::crc64;
use crate::value::{Fill, List, Shape, Str, Value, ValueRef};
use bytes::Bytes;
use proptest::prelude::*;

/// An item that lends nothing.
#[derive(Clone, Debug, PartialEq)]
enum Owned {
    Aux(Vec<u8>, Vec<u8>),
    SelectDb(u32),
    ResizeDb(u64, u64),
    Key(Vec<u8>, Value, KeyMeta),
    EmptyKey(Vec<u8>),
    Function(Vec<u8>),
    ModuleAux([u8; 9]),
    Eof,
}

fn owned(item: Item<'_>) -> Owned {
    match item {
        Item::Aux { name, value } => Owned::Aux(name.to_vec(), value.to_vec()),
        Item::SelectDb(db) => Owned::SelectDb(db),
        Item::ResizeDb { keys, expires } => Owned::ResizeDb(keys, expires),
        Item::Key { key, value, meta } => Owned::Key(key.to_vec(), value, meta),
        Item::EmptyKey { key } => Owned::EmptyKey(key.to_vec()),
        Item::Function { library } => Owned::Function(library.to_vec()),
        Item::ModuleAux { module } => Owned::ModuleAux(module),
        Item::Eof => Owned::Eof,
    }
}

fn decode_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Owned>, RdbFault> {
    let mut decoder = Decoder::new(Options::default());
    let mut items = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        while let Some(item) = decoder.next()? {
            items.push(owned(item));
        }
    }
    decoder.finish()?;
    Ok(items)
}

fn decode(bytes: &[u8]) -> Result<Vec<Owned>, RdbFault> {
    decode_pieces([bytes])
}

fn drain(encoder: &mut Encoder) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = encoder.poll_chunk() {
        assert!(chunk.len() < 2 * RDB_CHUNK_BYTES);
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

fn list(items: &[&[u8]]) -> Value {
    Value::List(items.iter().copied().collect())
}

/// A file of version 9 with `body` between header and end, without a checksum.
fn file(body: &[u8]) -> Vec<u8> {
    let mut bytes = b"REDIS0009".to_vec();
    bytes.extend_from_slice(body);
    bytes.push(0xff);
    bytes.extend_from_slice(&[0; 8]);
    bytes
}

fn sample(compress: bool) -> (Vec<u8>, Vec<Owned>) {
    let big: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    let meta = KeyMeta {
        expire_ms: Some(1_700_000_000_123),
        idle_secs: None,
        freq: Some(5),
    };
    let idle = KeyMeta {
        expire_ms: None,
        idle_secs: Some(70_000),
        freq: None,
    };
    let long = vec![b'n'; RDB_PLAIN_NODE_BYTES];
    let many: Vec<Vec<u8>> = (0..5_000)
        .map(|n| format!("item {n}").into_bytes())
        .collect();
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    let keys = [
        (
            0,
            b"a".to_vec(),
            Value::Str(Str::new(b"hello")),
            KeyMeta::default(),
        ),
        (0, b"123".to_vec(), Value::Str(Str::Int(-5)), meta),
        (7, b"wide".to_vec(), Value::Str(Str::Int(i64::MIN)), idle),
        (
            7,
            vec![b'k'; 300],
            Value::Str(Str::Shared(Bytes::from(vec![b'z'; 20_000]))),
            KeyMeta::default(),
        ),
        (
            7,
            b"big".to_vec(),
            Value::Str(Str::Shared(Bytes::from(big))),
            KeyMeta::default(),
        ),
        (
            0,
            b"list".to_vec(),
            list(&[b"1", b"", b"-70000", &long, b"x"]),
            KeyMeta::default(),
        ),
        (0, b"many".to_vec(), list(&many), KeyMeta::default()),
        (
            0,
            b"empty".to_vec(),
            Value::Str(Str::new(b"")),
            KeyMeta::default(),
        ),
    ];
    let mut encoder = Encoder::new(compress, true);
    encoder.preamble(&Preamble {
        created: Wall::from_millis(1_600_000_000_999),
        used_memory: 12_345_678,
        repl: Some(ReplPoint {
            stream_db: -1,
            id: [b'f'; 40],
            offset: 1 << 40,
        }),
        aof_base: false,
    });
    let aux = |name: &str, value: &str| Owned::Aux(name.into(), value.into());
    let mut expected = vec![
        aux("redis-ver", "7.2.4"),
        aux("redis-bits", "64"),
        aux("ctime", "1600000000"),
        aux("used-mem", "12345678"),
        aux("repl-stream-db", "-1"),
        aux("repl-id", &"f".repeat(40)),
        aux("repl-offset", "1099511627776"),
        aux("aof-base", "0"),
    ];
    encoder.function(b"#!lua name=l\n");
    expected.push(Owned::Function(b"#!lua name=l\n".to_vec()));
    let mut db_now = None;
    for (db, key, value, meta) in keys {
        encoder.select_db(db);
        if db_now.replace(db) != Some(db) {
            expected.push(Owned::SelectDb(db));
        }
        encoder.key(&key, value.as_ref(), meta);
        expected.push(Owned::Key(key, value, meta));
    }
    encoder.resize_db(1 << 33, 3);
    encoder.eof();
    expected.extend([Owned::ResizeDb(1 << 33, 3), Owned::Eof]);
    (drain(&mut encoder), expected)
}

/// Compares without printing megabytes.
fn assert_items(got: &[Owned], expected: &[Owned]) {
    assert_eq!(got.len(), expected.len());
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(got == expected, "item {index} differs");
    }
}

#[test]
fn what_is_encoded_is_decoded_again() {
    for compress in [true, false] {
        let (bytes, expected) = sample(compress);
        assert_eq!(&bytes[..9], b"REDIS0010");
        assert_items(&decode(&bytes).unwrap(), &expected);
    }
}

#[test]
fn pieces_of_any_size_decode_alike() {
    let (bytes, expected) = sample(true);
    for size in [7, 64, 1000, 65_536] {
        assert_items(&decode_pieces(bytes.chunks(size)).unwrap(), &expected);
    }
}

#[test]
fn bytes_one_by_one_decode_alike() {
    let mut encoder = Encoder::new(true, true);
    encoder.preamble(&Preamble::default());
    encoder.select_db(3);
    encoder.key(
        &[b'k'; 70],
        list(&[b"1", &[b'v'; 90]]).as_ref(),
        KeyMeta::default(),
    );
    encoder.key(
        b"n",
        Value::Str(Str::Int(70_000)).as_ref(),
        KeyMeta::default(),
    );
    encoder.eof();
    let bytes = drain(&mut encoder);
    assert_items(
        &decode_pieces(bytes.chunks(1)).unwrap(),
        &decode(&bytes).unwrap(),
    );
}

#[test]
fn a_cut_file_is_an_unexpected_end_wherever_it_is_cut() {
    let (bytes, _) = sample(true);
    for len in (0..300).chain([bytes.len() / 2, bytes.len() - 9, bytes.len() - 1]) {
        let fault = decode(&bytes[..len]).unwrap_err();
        assert!(
            matches!(fault, RdbFault::Truncated { .. }),
            "{len}: {fault}"
        );
    }
}

#[test]
fn a_changed_byte_breaks_the_checksum() {
    let (mut bytes, _) = sample(false);
    let at = bytes.len() - 12;
    bytes[at] ^= 1;
    let fault = decode(&bytes).unwrap_err();
    assert!(matches!(fault, RdbFault::Checksum { .. }), "{fault}");
    assert!(fault.to_string().contains("CRC error"));
    let end = bytes.len() - 8;
    bytes[end..].fill(0);
    assert!(decode(&bytes).is_ok(), "a checksum of 0 was not computed");
}

#[test]
fn what_follows_the_end_is_left_alone() {
    let mut decoder = Decoder::new(Options::default());
    let mut bytes = file(&[]);
    bytes.extend_from_slice(b"*1\r\n");
    decoder.feed(&bytes);
    assert_eq!(decoder.next().unwrap(), Some(Item::Eof));
    assert_eq!(decoder.next().unwrap(), None);
    assert_eq!(decoder.rest(), b"*1\r\n");
    assert_eq!(decoder.offset(), 18);
    assert!(decoder.is_done());
}

#[test]
fn versions_and_signatures_are_checked() {
    let head = |head: &[u8; 9]| decode(&[head.as_slice(), &[0xff; 9]].concat());
    assert_eq!(head(b"RADIS0009"), Err(RdbFault::BadSignature));
    assert_eq!(head(b"REDIS00x9"), Err(RdbFault::BadSignature));
    assert_eq!(
        head(b"REDIS0012"),
        Err(RdbFault::UnsupportedVersion { version: 12 })
    );
    assert_eq!(
        head(b"REDIS0000"),
        Err(RdbFault::UnsupportedVersion { version: 0 })
    );
    assert_eq!(decode(b"REDIS0003\xff"), Ok(vec![Owned::Eof]));
}

#[test]
fn old_forms_of_lists_and_times_are_read() {
    let ziplist = [15, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 2, b'h', b'i', 0xff];
    let body = [
        [0xfd].as_slice(),
        &(-1i32).to_le_bytes(),
        &[1, 1, b'l', 2, 1, b'x', 0xc1, 0x10, 0x27],
        &[10, 1, b'z', 15],
        &ziplist,
        &[14, 1, b'q', 2, 15],
        &ziplist,
        &[15],
        &ziplist,
    ]
    .concat();
    let expired = KeyMeta {
        expire_ms: Some(-1000),
        ..KeyMeta::default()
    };
    let expected = [
        Owned::Key(b"l".to_vec(), list(&[b"x", b"10000"]), expired),
        Owned::Key(b"z".to_vec(), list(&[b"hi"]), KeyMeta::default()),
        Owned::Key(b"q".to_vec(), list(&[b"hi", b"hi"]), KeyMeta::default()),
        Owned::Eof,
    ];
    assert_items(&decode(&file(&body)).unwrap(), &expected);
}

#[test]
fn lists_without_items_are_told_apart() {
    let empty_ziplist = [11, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0xff];
    let body = [
        [
            1, 1, b'a', 0, 14, 1, b'b', 0, 18, 1, b'c', 0, 14, 1, b'd', 1, 11,
        ]
        .as_slice(),
        &empty_ziplist,
    ]
    .concat();
    let empty = |key: &[u8; 1]| Owned::EmptyKey(key.to_vec());
    let expected = [
        empty(b"a"),
        empty(b"b"),
        empty(b"c"),
        empty(b"d"),
        Owned::Eof,
    ];
    assert_items(&decode(&file(&body)).unwrap(), &expected);
}

#[test]
fn a_node_of_its_own_without_bytes_is_refused() {
    let fault = decode(&file(&[18, 1, b'k', 1, 1, 0])).unwrap_err();
    let text = fault.to_string();
    assert!(text.contains("Quicklist integrity check failed"), "{text}");
}

#[test]
fn data_of_modules_and_slots_is_skipped() {
    let body = [
        [0xf7, 0x81].as_slice(),
        &(((1u64 << 6 | 2) << 10) | 1).to_be_bytes(),
        &[
            2, 2, 1, 5, 2, b'h', b'i', 3, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0,
        ],
        &[0xf4, 1, 2, 3],
    ]
    .concat();
    let expected = [Owned::ModuleAux(*b"AAAAAAABC"), Owned::Eof];
    assert_items(&decode(&file(&body)).unwrap(), &expected);
}

#[test]
fn types_that_are_not_supported_are_named_with_their_place() {
    for kind in [6, 7, 8, 22, 243] {
        let fault = decode(&file(&[kind, 1, b'k', 1, 1])).unwrap_err();
        assert_eq!(fault, RdbFault::UnsupportedType { kind, offset: 9 });
    }
    let fault = RdbFault::UnsupportedType { kind: 7, offset: 9 };
    assert!(
        fault
            .to_string()
            .starts_with("Value type 7 (module value) at byte 9 is not supported")
    );
}

#[test]
fn announced_lengths_take_no_memory() {
    let huge_raw = [0, 1, b'k', 0x80, 0xff, 0xff, 0xff, 0xff, b'x'];
    let fault = decode(&file(&huge_raw)).unwrap_err();
    assert!(matches!(fault, RdbFault::Truncated { .. }), "{fault}");
    let beyond = [0, 1, b'k', 0x81, 0xff, 0, 0, 0, 0, 0, 0, 0];
    let fault = decode(&file(&beyond)).unwrap_err();
    assert!(
        matches!(fault, RdbFault::TooLong { offset: 12, .. }),
        "{fault}"
    );
    let inflated = [0, 1, b'k', 0xc3, 2, 0x80, 0x7f, 0xff, 0xff, 0xff, 0, b'x'];
    let fault = decode(&file(&inflated)).unwrap_err();
    assert!(
        matches!(fault, RdbFault::Corrupt { offset: 12, .. }),
        "{fault}"
    );
    let items = [
        1, 1, b'k', 0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    ];
    assert!(matches!(
        decode(&file(&items)),
        Err(RdbFault::Truncated { .. } | RdbFault::Corrupt { .. })
    ));
}

#[test]
fn a_payload_is_restored_and_a_damaged_one_is_not() {
    let values = [
        Value::Str(Str::Int(7)),
        Value::Str(Str::new(&[b'a'; 1000])),
        Value::Str(Str::Shared(Bytes::from(vec![3; 500_000]))),
        list(&[b"a", b"1"]),
    ];
    for value in values {
        let payload = dump(value.as_ref(), true);
        assert_eq!(payload[payload.len() - 10..][..2], [10, 0]);
        assert!(restore(&payload, &Shape::default()).unwrap() == value);
        for at in [0, payload.len() / 2, payload.len() - 9, payload.len() - 1] {
            let mut damaged = payload.clone();
            damaged[at] ^= 0x40;
            assert_eq!(
                restore(&damaged, &Shape::default()),
                Err(RdbFault::BadFooter)
            );
        }
    }
}

#[test]
fn a_payload_with_a_sound_footer_is_still_checked() {
    let sealed = |body: &[u8]| {
        let mut payload = [body, &[11, 0]].concat();
        payload.extend_from_slice(&crc64(&payload).to_le_bytes());
        restore(&payload, &Shape::default())
    };
    assert_eq!(sealed(&[0, 1, b'x']), Ok(Value::Str(Str::new(b"x"))));
    assert!(matches!(sealed(&[]), Err(RdbFault::Truncated { .. })));
    assert!(matches!(
        sealed(&[0, 2, b'x']),
        Err(RdbFault::Truncated { .. })
    ));
    assert!(matches!(
        sealed(&[0, 1, b'x', 0]),
        Err(RdbFault::Corrupt { .. })
    ));
    assert!(matches!(sealed(&[18, 0]), Err(RdbFault::Corrupt { .. })));
    assert!(matches!(
        sealed(&[7, 0]),
        Err(RdbFault::UnsupportedType { kind: 7, .. })
    ));
    assert_eq!(
        restore(&[0; 9], &Shape::default()),
        Err(RdbFault::BadFooter)
    );
}

#[test]
fn a_list_takes_its_encoding_from_the_fill() {
    let payload = dump(list(&[b"a", b"b", b"c"]).as_ref(), true);
    for (fill, encoding) in [(Fill(2), "quicklist"), (Fill(3), "listpack")] {
        let Value::List(list) = restore(
            &payload,
            &Shape {
                list: fill,
                ..Shape::default()
            },
        )
        .unwrap() else {
            panic!("it is a list")
        };
        assert_eq!(list.as_ref().encoding(), encoding);
    }
}

#[test]
fn a_list_in_parts_is_the_same_as_in_one() {
    let items: Vec<Vec<u8>> = (0..9_000)
        .map(|n| format!("item {n}").into_bytes())
        .collect();
    let mut long: List = items.iter().map(Vec::as_slice).collect();
    let mut whole = Encoder::new(true, true);
    whole.key(b"list", ValueRef::List(long.as_ref()), KeyMeta::default());
    whole.eof();
    let whole = drain(&mut whole);
    let mut encoder = Encoder::new(true, true);
    let mut parts = ValueRef::List(long.as_ref()).parts().unwrap();
    encoder.parts_head(b"list", &parts, KeyMeta::default());
    let mut count = 0;
    while encoder.part(&mut parts).is_some() {
        long.push_front(b"later");
        long.drop_back();
        count += 1;
    }
    assert!(count > 5, "a long list has parts");
    encoder.eof();
    assert!(drain(&mut encoder) == whole);
}

fn any_value() -> impl Strategy<Value = Value> {
    let bytes = || {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            any::<i64>().prop_map(|number| number.to_string().into_bytes()),
            (any::<u8>(), 0..2000usize).prop_map(|(byte, len)| vec![byte; len]),
        ]
    };
    prop_oneof![
        bytes().prop_map(|bytes| Value::Str(Str::new(&bytes))),
        prop::collection::vec(bytes(), 1..40)
            .prop_map(|items| { Value::List(items.iter().map(Vec::as_slice).collect::<List>()) }),
    ]
}

proptest! {
    #[test]
    fn any_value_survives_dump_and_restore(value in any_value(), compress: bool) {
        let payload = dump(value.as_ref(), compress);
        prop_assert!(restore(&payload, &Shape::default()).unwrap() == value);
    }

    #[test]
    fn any_cut_of_any_file_decodes_alike(
        values in prop::collection::vec((any_value(), any::<Option<i64>>()), 0..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut encoder = Encoder::new(true, true);
        encoder.preamble(&Preamble::default());
        for (index, (value, expire_ms)) in values.iter().enumerate() {
            encoder.select_db(u32::try_from(index / 2).unwrap());
            let meta = KeyMeta { expire_ms: *expire_ms, ..KeyMeta::default() };
            encoder.key(format!("key {index}").as_bytes(), value.as_ref(), meta);
        }
        encoder.eof();
        let bytes = drain(&mut encoder);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
        let items = decode_pieces(pieces).unwrap();
        let mut keys = Vec::new();
        for item in items {
            if let Owned::Key(_, value, meta) = item {
                keys.push((value, meta.expire_ms));
            }
        }
        prop_assert!(keys == values);
    }

    #[test]
    fn any_bytes_behind_a_header_never_panic(
        body in prop::collection::vec(any::<u8>(), 0..300), size in 1usize..50,
    ) {
        let bytes = [b"REDIS0011", body.as_slice()].concat();
        let _ = decode_pieces(bytes.chunks(size));
    }

    #[test]
    fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = decode_sample();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&bytes);
    }
}

fn decode_sample() -> Vec<u8> {
    let mut encoder = Encoder::new(true, false);
    encoder.preamble(&Preamble::default());
    encoder.key(
        b"l",
        list(&[b"1", &[b'v'; 90], b"-7"]).as_ref(),
        KeyMeta::default(),
    );
    encoder.key(
        b"s",
        Value::Str(Str::new(&[b'x'; 90])).as_ref(),
        KeyMeta::default(),
    );
    encoder.eof();
    drain(&mut encoder)
}
