use std::collections::BTreeMap;

use super::*;
use crate::keyspace::Ttl;
use crate::limits::RDB_CHUNK_BYTES;
use crate::machine::Wall;
use crate::persist::rdb::{Decoder, Item, KeyMeta, Options};
use crate::rng::Rng;
use crate::value::{List, Value};

type Dataset = BTreeMap<(usize, Vec<u8>), (String, Option<Wall>)>;

const DATABASES: usize = 3;

fn keyspace() -> Keyspace {
    Keyspace::new(DATABASES, &mut Rng::new([5; 32]))
}

fn options() -> SnapshotOptions {
    SnapshotOptions {
        compress: true,
        checksum: true,
        ..SnapshotOptions::default()
    }
}

/// The content in a form that can be compared.
fn dataset(keyspace: &Keyspace) -> Dataset {
    let mut dataset = Dataset::new();
    for (index, db) in keyspace.dbs().iter().enumerate() {
        for entry in db.iter() {
            let value = text(&entry.value().to_value());
            dataset.insert((index, entry.key().to_vec()), (value, entry.expire()));
        }
    }
    dataset
}

fn text(value: &Value) -> String {
    match value {
        Value::Str(text) => text.as_ref().to_vec().escape_ascii().to_string(),
        Value::List(list) => list
            .as_ref()
            .iter()
            .map(|item| format!("{} ", item.escape_ascii()))
            .collect(),
        other @ (Value::Hash(_) | Value::Set(_) | Value::Zset(_) | Value::Stream(_)) => {
            format!("{other:?}")
        }
    }
}

fn decode(chunks: &[Bytes]) -> Dataset {
    let mut decoder = Decoder::new(Options::default());
    let (mut dataset, mut db) = (Dataset::new(), 0);
    for chunk in chunks {
        decoder.feed(chunk);
        while let Some(item) = decoder.next().expect("our own stream is sound") {
            match item {
                Item::SelectDb(selected) => db = usize::try_from(selected).unwrap(),
                Item::Key { key, value, meta } => {
                    let KeyMeta { expire_ms, .. } = meta;
                    let held = (text(&value), expire_ms.map(Wall::from_millis));
                    let before = dataset.insert((db, key.to_vec()), held);
                    assert_eq!(before, None, "every key comes once");
                }
                Item::Aux { .. } | Item::ResizeDb { .. } | Item::Eof => {}
                Item::EmptyKey { .. } | Item::Function { .. } | Item::ModuleAux { .. } => {
                    panic!("nothing of the kind was written")
                }
            }
        }
    }
    decoder.finish().expect("the stream is whole");
    dataset
}

/// Changes something at random.
fn change(keyspace: &mut Keyspace, rng: &mut Rng, keys: u64) {
    let db = usize::try_from(rng.below(DATABASES as u64)).unwrap();
    let key = format!("key {}", rng.below(keys)).into_bytes();
    let mut db_mut = keyspace.db_mut(db);
    match rng.below(12) {
        0..4 => db_mut.set_str(
            &key,
            format!("text {}", rng.next_u64()).as_bytes(),
            Ttl::Clear,
        ),
        4 => db_mut.set_str(&key, rng.below(1000).to_string().as_bytes(), Ttl::Keep),
        5 => db_mut.set_bytes(&key, &Bytes::from(vec![b'b'; 17_000]), Ttl::Clear),
        6 => {
            let list: List = (0..rng.below(30))
                .map(|_| b"some item".as_slice())
                .collect();
            if !list.as_ref().is_empty() {
                db_mut.insert(&key, Value::List(list), Ttl::At(Wall::from_millis(77)));
            }
        }
        7 => {
            if let Some(mut entry) = db_mut.get_mut(&key) {
                entry.edit::<List, _>(|list| list.push_back(b"pushed"));
            }
        }
        8 | 9 => {
            db_mut.delete(&key);
        }
        10 => {
            db_mut.set_expire(&key, Some(Wall::from_millis(123)));
        }
        _ => match rng.below(40) {
            0 => {
                keyspace.flush(db);
            }
            1 => keyspace.swap(db, (db + 1) % DATABASES),
            _ => {
                keyspace.db_mut(db).rename(&key, b"key 1");
            }
        },
    }
}

/// Takes a snapshot to its end, with changes meanwhile.
fn take(keyspace: &mut Keyspace, rng: &mut Rng, keys: u64) -> Vec<Bytes> {
    let mut snapshot = Snapshot::begin(keyspace, &options());
    let mut chunks = Vec::new();
    while !snapshot.is_done() {
        snapshot.step(keyspace);
        for _ in 0..rng.below(20) {
            change(keyspace, rng, keys);
        }
        if rng.below(3) == 0 {
            while let Some(chunk) = snapshot.poll_chunk(keyspace) {
                chunks.push(chunk);
            }
        }
    }
    let progress = snapshot.progress(keyspace);
    assert_eq!(progress.keys, progress.keys_total);
    assert_eq!(
        progress.bytes,
        chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>()
    );
    assert_eq!(snapshot.memory(keyspace), 0);
    snapshot.end(keyspace);
    chunks
}

#[test]
fn a_snapshot_is_the_dataset_of_the_moment_it_began() {
    for seed in 0..9 {
        let mut rng = Rng::new([seed; 32]);
        let mut keyspace = keyspace();
        let keys = [3, 100, 3000][usize::from(seed) % 3];
        for _ in 0..keys * 4 {
            change(&mut keyspace, &mut rng, keys);
        }
        for _ in 0..3 {
            let expected = dataset(&keyspace);
            let chunks = take(&mut keyspace, &mut rng, keys);
            let got = decode(&chunks);
            assert_eq!(got.len(), expected.len());
            assert!(got == expected, "seed {seed}");
            keyspace.check_invariants();
        }
    }
}

#[test]
fn an_empty_dataset_gives_an_empty_stream() {
    let mut keyspace = keyspace();
    let chunks = take(&mut keyspace, &mut Rng::new([1; 32]), 5);
    assert_eq!(decode(&chunks), Dataset::new());
}

#[test]
fn functions_and_fields_come_at_the_head() {
    let mut keyspace = keyspace();
    keyspace.db_mut(1).set_str(b"k", b"v", Ttl::Clear);
    let functions = vec![Bytes::from_static(b"#!lua name=l")];
    let mut snapshot = Snapshot::begin(
        &mut keyspace,
        &SnapshotOptions {
            functions,
            ..options()
        },
    );
    while snapshot.step(&mut keyspace) {}
    let stream = snapshot.poll_chunk(&mut keyspace).unwrap();
    let mut decoder = Decoder::new(Options::default());
    decoder.feed(&stream);
    let mut seen = Vec::new();
    while let Some(item) = decoder.next().unwrap() {
        seen.push(match item {
            Item::Aux { .. } => "aux",
            Item::Function {
                library: b"#!lua name=l",
            } => "function",
            Item::SelectDb(1) => "select",
            Item::ResizeDb {
                keys: 1,
                expires: 0,
            } => "resize",
            Item::Key { key: b"k", .. } => "key",
            Item::Eof => "eof",
            Item::SelectDb(_)
            | Item::ResizeDb { .. }
            | Item::Key { .. }
            | Item::EmptyKey { .. }
            | Item::Function { .. }
            | Item::ModuleAux { .. } => panic!("nothing of the kind was written"),
        });
    }
    seen.dedup();
    assert_eq!(seen, ["aux", "function", "select", "resize", "key", "eof"]);
    assert!(snapshot.is_done());
}

#[test]
fn what_is_not_taken_holds_the_walk_up() {
    let mut keyspace = keyspace();
    for key in 0..50_000 {
        let text = Rng::new([7; 32]).fork(&key.to_string()).hex40();
        keyspace
            .db_mut(0)
            .set_str(format!("key {key}").as_bytes(), &text, Ttl::Clear);
    }
    let mut snapshot = Snapshot::begin(&mut keyspace, &options());
    while snapshot.step(&mut keyspace) {}
    assert!(!snapshot.is_done());
    let memory = snapshot.memory(&mut keyspace);
    assert!(
        memory < SNAPSHOT_AHEAD_BYTES + 2 * RDB_CHUNK_BYTES,
        "{memory}"
    );
    assert!(!snapshot.wants_stall(&mut keyspace));
    assert!(snapshot.poll_chunk(&mut keyspace).is_some());
    assert!(snapshot.poll_chunk(&mut keyspace).is_some());
    assert!(snapshot.step(&mut keyspace));
}

#[test]
fn writes_are_held_up_when_the_reader_is_too_slow() {
    let mut keyspace = keyspace();
    let big = Bytes::from(vec![b'x'; 100_000]);
    for key in 0..500 {
        keyspace
            .db_mut(0)
            .set_bytes(format!("key {key}").as_bytes(), &big, Ttl::Clear);
    }
    let mut snapshot = Snapshot::begin(&mut keyspace, &options());
    assert!(!snapshot.wants_stall(&mut keyspace));
    for key in 0..500 {
        keyspace.db_mut(0).delete(format!("key {key}").as_bytes());
    }
    assert!(snapshot.wants_stall(&mut keyspace));
    let mut bytes = 0;
    while snapshot.wants_stall(&mut keyspace) {
        snapshot.step(&mut keyspace);
        bytes += snapshot
            .poll_chunk(&mut keyspace)
            .map_or(0, |chunk| chunk.len());
    }
    assert!(bytes > 0);
    assert!(!snapshot.is_done());
}

#[test]
fn a_write_makes_the_snapshot_hold_what_it_changes_and_no_more() {
    let mut keyspace = keyspace();
    for key in 0..20_000 {
        keyspace
            .db_mut(0)
            .set_str(format!("key {key}").as_bytes(), &[b'v'; 50], Ttl::Clear);
    }
    let snapshot = Snapshot::begin(&mut keyspace, &options());
    let before = snapshot.memory(&mut keyspace);
    for key in (0..20_000).step_by(200) {
        for _ in 0..10 {
            keyspace
                .db_mut(0)
                .set_str(format!("key {key}").as_bytes(), b"changed", Ttl::Clear);
        }
        keyspace
            .db_mut(0)
            .set_str(format!("new {key}").as_bytes(), b"text", Ttl::Clear);
    }
    let held = snapshot.memory(&mut keyspace) - before;
    assert!((100 * 50..100 * 200).contains(&held), "{held}");
}

#[test]
fn an_abandoned_snapshot_leaves_nothing_behind() {
    let mut rng = Rng::new([9; 32]);
    let mut keyspace = keyspace();
    for _ in 0..2000 {
        change(&mut keyspace, &mut rng, 500);
    }
    let mut snapshot = Snapshot::begin(&mut keyspace, &options());
    snapshot.step(&mut keyspace);
    change(&mut keyspace, &mut rng, 500);
    snapshot.end(&mut keyspace);
    assert!(!keyspace.has_snapshot());
    let expected = dataset(&keyspace);
    let chunks = take(&mut keyspace, &mut rng, 500);
    assert!(decode(&chunks) == expected);
}

#[test]
fn a_long_list_is_encoded_in_slices() {
    let mut keyspace = keyspace();
    let list: List = (0..200_000)
        .map(|_| b"an item of a long list".as_slice())
        .collect();
    keyspace
        .db_mut(0)
        .insert(b"long", Value::List(list), Ttl::Clear);
    let expected = dataset(&keyspace);
    let mut snapshot = Snapshot::begin(&mut keyspace, &SnapshotOptions::default());
    let (mut chunks, mut steps) = (Vec::new(), 0);
    while !snapshot.is_done() {
        snapshot.step(&mut keyspace);
        steps += 1;
        if steps == 5 {
            keyspace.db_mut(0).delete(b"long");
        }
        while let Some(chunk) = snapshot.poll_chunk(&mut keyspace) {
            chunks.push(chunk);
        }
    }
    assert!(steps > 100);
    assert!(decode(&chunks) == expected);
}
