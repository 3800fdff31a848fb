//! RDB data and DUMP payloads: any bytes, in any pieces.

use bytes::Bytes;
use holdfast_core::keyspace::Keyspace;
use holdfast_core::machine::Wall;
use holdfast_core::persist::load::{Expired, Intake, LoadFault};
use holdfast_core::persist::rdb::{Decoder, Item, Options, RdbFault, dump, restore};
use holdfast_core::persist::snapshot::{Snapshot, SnapshotOptions};
use holdfast_core::rng::Rng;
use holdfast_core::value::{Shape, Value};

/// Reads any bytes without a panic, finds the same in them whatever the pieces, and gets back
/// what it understood after writing it again.
///
/// The first byte chooses what the rest is: RDB data, RDB data behind a sound header, or the body
/// of a DUMP payload. The second chooses the pieces.
pub fn rdb_decoder(data: &[u8]) {
    let [kind, seed, body @ ..] = data else {
        return;
    };
    match kind % 4 {
        0 => decode_in_pieces(body, *seed),
        1 => decode_in_pieces(&[b"REDIS0011", body].concat(), *seed),
        2 => restore_and_dump(&sealed(body)),
        _ => restore_and_dump(body),
    }
}

fn decode_in_pieces(bytes: &[u8], seed: u8) {
    let mut keyspace = Keyspace::new(16, &mut Rng::new([seed; 32]));
    let whole = decode([bytes]);
    assert_eq!(decode(bytes.chunks(1)), whole);
    assert_eq!(decode(bytes.chunks(usize::from(seed) + 1)), whole);
    fill(&mut keyspace, [bytes]);
    if whole.is_ok() {
        reload(&mut keyspace);
    }
}

/// What the data says, as text, or why it can't be read.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<String>, RdbFault> {
    let mut decoder = Decoder::new(Options::default());
    let mut items = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        while let Some(item) = decoder.next()? {
            items.push(format!("{item:?}"));
            if let Item::Key { value, .. } = &item {
                round_trip(value);
            }
        }
    }
    decoder.finish()?;
    Ok(items)
}

/// Puts as much of the data into a keyspace as fits.
fn fill<'a>(keyspace: &mut Keyspace, pieces: impl IntoIterator<Item = &'a [u8]>) {
    let mut decoder = Decoder::new(Options::default());
    let mut intake = Intake::new(Wall::from_millis(0), Expired::Drop);
    for piece in pieces {
        decoder.feed(piece);
        let mut take = || intake.take_from(&mut decoder, keyspace, &mut { usize::MAX });
        // What does not fit is refused, which is no fault of the data.
        while let Err(LoadFault::Intake { .. }) = take() {}
    }
}

/// Takes a snapshot and loads it into an empty keyspace.
fn reload(keyspace: &mut Keyspace) {
    let options = SnapshotOptions {
        compress: true,
        checksum: true,
        ..SnapshotOptions::default()
    };
    let mut snapshot = Snapshot::begin(keyspace, &options);
    let mut chunks: Vec<Bytes> = Vec::new();
    while !snapshot.is_done() {
        snapshot.step(keyspace);
        chunks.extend(snapshot.poll_chunk(keyspace));
    }
    snapshot.end(keyspace);
    let mut copy = Keyspace::new(16, &mut Rng::new([1; 32]));
    let pieces = || chunks.iter().map(|chunk| &chunk[..]);
    decode(pieces()).expect("we wrote it");
    fill(&mut copy, pieces());
    for (db, copy) in keyspace.dbs().iter().zip(copy.dbs()) {
        assert_eq!(db.len(), copy.len());
        for entry in db.iter() {
            let copied = copy.get(entry.key()).expect("every key was written");
            let (copied_value, value) = (copied.value().to_value(), entry.value().to_value());
            assert!(is_copy(&copied_value, &value));
            assert_eq!(entry.expire(), copied.expire());
        }
    }
}

fn restore_and_dump(payload: &[u8]) {
    if let Ok(value) = restore(payload, &Shape::default()) {
        round_trip(&value);
    }
}

fn round_trip(value: &Value) {
    for compress in [false, true] {
        let payload = dump(value.as_ref(), compress);
        let back = restore(&payload, &Shape::default()).expect("we wrote it");
        assert!(is_copy(&back, value));
    }
}

/// Whether all is there that can be written: when a consumer was active has no place in it.
fn is_copy(copy: &Value, value: &Value) -> bool {
    match value {
        Value::Stream(_) => dump(copy.as_ref(), false) == dump(value.as_ref(), false),
        Value::Str(_) | Value::List(_) | Value::Hash(_) | Value::Set(_) | Value::Zset(_) => {
            same(copy, value)
        }
    }
}

pub(crate) fn same(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Str(one), Value::Str(two)) => one.as_ref() == two.as_ref(),
        (one, two) => one == two,
    }
}

/// The body with a sound footer, which no fuzzer would find.
pub(crate) fn sealed(body: &[u8]) -> Vec<u8> {
    let mut payload = [body, &[11, 0]].concat();
    let checksum = holdfast_core::persist::crc::crc64(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::persist::rdb::Encoder;
    use proptest::prelude::*;

    #[test]
    fn the_corpus_is_read_without_a_panic() {
        crate::corpus::replay("rdb_decoder", rdb_decoder);
    }

    #[test]
    fn what_the_encoder_writes_passes() {
        let mut encoder = Encoder::new(true, true);
        encoder.preamble(&Default::default());
        encoder.eof();
        let bytes: Vec<u8> = core::iter::from_fn(|| encoder.poll_chunk())
            .flatten()
            .collect();
        rdb_decoder(&[&[0, 5], &bytes[..]].concat());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(data in prop::collection::vec(any::<u8>(), 0..120)) {
            rdb_decoder(&data);
        }
    }
}
