use crate::persist::crc::crc64;
use crate::persist::listpack;
use crate::persist::rdb::{
    Decoder, Encoder, Item, KeyMeta, Options, RdbFault, dump, restore, restore_unchecked,
};
use crate::value::{PackLimits, Shape, Value, Zset};
use proptest::collection::vec;
use proptest::prelude::*;

const TEXT: u8 = 3;
const BINARY: u8 = 5;
const ZIPLIST: u8 = 12;
const LISTPACK: u8 = 17;

fn shape(entries: usize, value: usize) -> Shape {
    Shape {
        zset: PackLimits { entries, value },
        ..Shape::default()
    }
}

fn zset(elements: &[(&[u8], f64)], shape: &Shape) -> Zset {
    let mut zset = Zset::new();
    for &(member, score) in elements {
        zset.insert(score, member, shape);
    }
    zset
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

fn binary(elements: &[(&[u8], f64)]) -> Vec<u8> {
    let mut body = vec![u8::try_from(elements.len()).unwrap()];
    for (member, score) in elements {
        body.extend(text(member));
        body.extend(score.to_le_bytes());
    }
    payload(BINARY, &body)
}

fn packed(items: &[&[u8]]) -> Vec<u8> {
    let mut builder = listpack::Builder::new();
    items.iter().for_each(|item| builder.push(item));
    payload(LISTPACK, &builder.finish(text))
}

fn restored(payload: &[u8], shape: &Shape) -> Result<Zset, RdbFault> {
    let value = restore(payload, shape)?;
    let Value::Zset(zset) = value else {
        panic!("{value:?} is no sorted set");
    };
    Ok(zset)
}

#[track_caller]
fn refused(payload: &[u8]) -> &'static str {
    let fault = restored(payload, &Shape::default()).unwrap_err();
    let RdbFault::Corrupt { what, .. } = fault else {
        panic!("{fault}");
    };
    what
}

#[test]
fn scores_as_text_are_read() {
    let body = [
        &[5][..],
        &text(b"a"),
        &[3],
        b"1.5",
        &text(b"b"),
        &[254],
        &text(b"c"),
        &[255],
        &text(b"d"),
        &[2],
        b"-7",
        &text(b"e"),
        &[22],
        b"0.10000000000000000555",
    ]
    .concat();
    let expected: [(&[u8], f64); 5] = [
        (b"a", 1.5),
        (b"b", f64::INFINITY),
        (b"c", f64::NEG_INFINITY),
        (b"d", -7.0),
        (b"e", 0.1),
    ];
    let shape = Shape::default();
    let read = restored(&payload(TEXT, &body), &shape).unwrap();
    assert_eq!(read, zset(&expected, &shape));
}

#[test]
fn ziplists_are_read() {
    // Of two elements: "a" with the score 3 and "b" with "1.5".
    let mut block = vec![0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
    block.extend(b"\x00\x01b\x03\x031.5\x05\x01a\x03\xf4");
    block.push(0xff);
    let len = u32::try_from(block.len()).unwrap();
    block[..4].copy_from_slice(&len.to_le_bytes());
    block[4..8].copy_from_slice(&(len - 3).to_le_bytes());
    let shape = Shape::default();
    let read = restored(&payload(ZIPLIST, &text(&block)), &shape).unwrap();
    assert_eq!(read, zset(&[(b"b", 1.5), (b"a", 3.0)], &shape));
}

#[test]
fn the_form_is_that_which_redis_chooses() {
    let encoding = |payload: &[u8], shape: &Shape| {
        let zset = restored(payload, shape).unwrap();
        zset.check_invariants();
        zset.as_ref().encoding()
    };
    let long = [b'x'; 65];
    let few = binary(&[(b"a", 1.0), (b"b", 2.0)]);
    assert_eq!(encoding(&few, &shape(2, 64)), "listpack");
    assert_eq!(encoding(&few, &shape(1, 64)), "skiplist");
    assert_eq!(
        encoding(&binary(&[(&long, 1.0)]), &shape(9, 64)),
        "skiplist"
    );
    // A listpack stays one for its number of elements alone.
    let block = packed(&[&long, b"1"]);
    assert_eq!(encoding(&block, &shape(1, 64)), "listpack");
    assert_eq!(encoding(&block, &shape(0, 64)), "skiplist");
}

#[test]
fn elements_in_any_order_are_put_in_theirs() {
    let read = restored(&packed(&[b"b", b"2", b"a", b"1.5"]), &Shape::default()).unwrap();
    read.check_invariants();
    let members: Vec<&[u8]> = read.as_ref().iter().map(|it| it.0).collect();
    assert_eq!(members, [b"a", b"b"]);
}

#[test]
fn what_is_no_sorted_set_is_refused() {
    let twin = "Sorted set integrity check failed: the same member twice";
    let no_number = "Sorted set integrity check failed: a score that is no number";
    let no_score = "Sorted set integrity check failed: a member without a score";
    assert_eq!(refused(&binary(&[(b"a", 1.0), (b"a", 1.0)])), twin);
    assert_eq!(refused(&binary(&[(b"a", f64::NAN)])), no_number);
    let text_scores = |scores: &[u8]| [&[1][..], &text(b"a"), scores].concat();
    assert_eq!(refused(&payload(TEXT, &text_scores(&[253]))), no_number);
    assert_eq!(refused(&payload(TEXT, &text_scores(b"\x01x"))), no_number);
    assert_eq!(refused(&packed(&[b"a", b"1", b"a", b"2"])), twin);
    assert_eq!(refused(&packed(&[b"a", b"x"])), no_number);
    assert_eq!(refused(&packed(&[b"a", b"nan"])), no_number);
    assert_eq!(refused(&packed(&[b"a", b"1", b"b"])), no_score);
    assert!(restored(&packed(&[]), &Shape::default()).is_err());
    assert!(restored(&binary(&[]), &Shape::default()).is_err());
}

/// Reads RDB data fed in pieces of `step` bytes; the values it holds.
fn fed(bytes: &[u8], step: usize, shape: &Shape) -> Vec<Value> {
    let mut decoder = Decoder::new(Options {
        shape: *shape,
        ..Options::default()
    });
    let mut values = Vec::new();
    for piece in bytes.chunks(step) {
        decoder.feed(piece);
        while let Some(item) = decoder.next().unwrap() {
            if let Item::Key { value, .. } = item {
                values.push(value);
            }
        }
    }
    values
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-100..100_i32).prop_map(f64::from),
        any::<f64>().prop_filter("a score is a number", |score| !score.is_nan()),
    ]
}

proptest! {
    #[test]
    fn a_sorted_set_comes_back_from_a_dump_and_from_a_file_in_pieces(
        elements in vec((vec(any::<u8>(), 0..80), score()), 1..60),
        entries in 0..80_usize,
        step in 1..40_usize,
    ) {
        let shape = shape(entries, 64);
        let mut zset = Zset::new();
        for (member, score) in &elements {
            zset.insert(*score, member, &shape);
        }
        let value = Value::Zset(zset);
        for compress in [false, true] {
            let payload = dump(value.as_ref(), compress);
            prop_assert_eq!(&restore(&payload, &shape).unwrap(), &value);
        }
        let mut encoder = Encoder::new(true, true);
        encoder.preamble(&crate::persist::rdb::Preamble::default());
        encoder.select_db(0);
        encoder.key(b"key", value.as_ref(), KeyMeta::default());
        encoder.eof();
        let mut file = Vec::new();
        while let Some(chunk) = encoder.poll_chunk() {
            file.extend_from_slice(&chunk);
        }
        prop_assert_eq!(fed(&file, step, &shape), vec![value]);
    }

    #[test]
    fn spoilt_payloads_never_panic(
        elements in vec((vec(any::<u8>(), 0..10), score()), 1..20),
        at: prop::sample::Index,
        byte: u8,
        entries in 0..30_usize,
    ) {
        let shape = shape(entries, 64);
        let mut zset = Zset::new();
        for (member, score) in &elements {
            zset.insert(*score, member, &shape);
        }
        let mut payload = dump(Value::Zset(zset).as_ref(), false);
        let at = at.index(payload.len() - 10);
        payload[at] = byte;
        if let Ok(Value::Zset(zset)) = restore_unchecked(&payload, &shape) {
            zset.check_invariants();
        }
    }
}
