use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::limits::SHARED_REPLY_BYTES;
use crate::machine::Wall;
use crate::rng::Rng;
use crate::value::{List, Str, Value, ValueRef};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_scan_meets_every_lasting_key_exactly_once(
        lasting in 0..2500u32,
        steps in vec((1..120usize, 0..4000u32, 0..3000u32, any::<bool>()), 1..60),
    ) {
        let mut keyspace = Keyspace::new(1, &mut Rng::new([4; 32]));
        let mut db = keyspace.db_mut(0);
        for number in 0..lasting {
            db.set_str(format!("lasting:{number}").as_bytes(), b"", Ttl::Clear);
        }
        let mut met = BTreeMap::<Vec<u8>, usize>::new();
        let mut cursor = 0;
        let mut steps = steps.into_iter();
        loop {
            let (count, from, range, grow) = steps.next().unwrap_or((500, 0, 0, true));
            cursor = db.scan(cursor, count, |entry| {
                *met.entry(entry.key().to_vec()).or_default() += 1;
            });
            prop_assert!(cursor < 1 << 53);
            if cursor == 0 {
                break;
            }
            for number in from..from + range {
                let key = format!("passing:{number}");
                if grow {
                    db.set_str(key.as_bytes(), b"", Ttl::Clear);
                } else {
                    db.delete(key.as_bytes());
                }
            }
        }
        for number in 0..lasting {
            let times = met.get(format!("lasting:{number}").as_bytes());
            prop_assert_eq!(times, Some(&1), "lasting:{}", number);
        }
        prop_assert!(met.values().all(|&times| times == 1));
    }
}

/// A sink that keeps the keys.
#[derive(Default)]
struct Collected(Vec<Vec<u8>>);

impl SegmentSink for Collected {
    fn segment(&mut self, _: usize, entries: &mut dyn Iterator<Item = EntryRef<'_>>) {
        self.0.extend(entries.map(|entry| entry.key().to_vec()));
    }
}

fn filled(keys: u32) -> Keyspace {
    let mut keyspace = Keyspace::new(1, &mut Rng::new([5; 32]));
    let mut db = keyspace.db_mut(0);
    for number in 0..keys {
        db.set_str(&number.to_le_bytes(), b"value", Ttl::Clear);
    }
    keyspace
}

#[test]
fn a_table_grows_and_shrinks_with_its_keys() {
    let mut keyspace = filled(50_000);
    keyspace.check_invariants();
    let full = keyspace.memory();
    assert!(keyspace.db(0).segment_count() > 100);
    let mut db = keyspace.db_mut(0);
    for number in 0..49_000_u32 {
        assert!(db.delete(&number.to_le_bytes()));
    }
    keyspace.check_invariants();
    assert!(keyspace.db(0).segment_count() < 30);
    assert!(keyspace.memory() < full / 10);
}

#[test]
fn segments_that_merge_during_a_snapshot_are_both_in_it() {
    let mut keyspace = filled(600);
    let mut ordered = Vec::new();
    keyspace
        .db(0)
        .scan(0, usize::MAX, |entry| ordered.push(entry.key().to_vec()));
    assert_eq!(keyspace.db(0).segment_count(), 2);
    let mut db = keyspace.db_mut(0);
    assert!(ordered[320..].iter().all(|key| db.delete(key)));
    keyspace.begin_snapshot(Box::new(Collected::default()));
    let mut db = keyspace.db_mut(0);
    assert!(ordered[..250].iter().all(|key| db.delete(key)));
    assert_eq!(keyspace.db(0).segment_count(), 1);
    while !keyspace.step_snapshot(1) {}
    let collected = keyspace.snapshot_sink::<Collected>().unwrap();
    let mut emitted = collected.0.iter().collect::<Vec<_>>();
    let mut expected = ordered[..320].iter().collect::<Vec<_>>();
    emitted.sort();
    expected.sort();
    assert_eq!(emitted, expected);
}

#[test]
fn random_keys_are_spread_evenly() {
    let keyspace = filled(2_000);
    let mut rng = Rng::new([6; 32]);
    let mut times = vec![0_u32; 2_000];
    for _ in 0..200_000 {
        let key = keyspace.db(0).random(&mut rng).unwrap().key();
        times[u32::from_le_bytes(key.try_into().unwrap()) as usize] += 1;
    }
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(*least > 50, "a key came {least} times instead of about 100");
    assert!(*most < 160, "a key came {most} times instead of about 100");
}

#[test]
fn a_scan_returns_about_as_many_as_asked_for() {
    let keyspace = filled(10_000);
    let (mut cursor, mut calls, mut most) = (0, 0, 0);
    loop {
        let mut met = 0;
        cursor = keyspace.db(0).scan(cursor, 10, |_| met += 1);
        (calls, most) = (calls + 1, most.max(met));
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(most, 10);
    assert!((1000..=1001).contains(&calls));
    assert_eq!(
        keyspace.db(0).scan(1 << 53, 10, |_| panic!("at the end")),
        0
    );
    assert_eq!(
        keyspace.db(0).scan(u64::MAX, 10, |_| panic!("at the end")),
        0
    );
}

#[test]
fn encodings_are_those_of_redis() {
    let mut keyspace = Keyspace::new(1, &mut Rng::new([7; 32]));
    let mut db = keyspace.db_mut(0);
    let mut encoding = |text: &[u8], tail: &[u8]| {
        db.set_str(b"key", text, Ttl::Clear);
        let mut entry = db.get_mut(b"key").unwrap();
        if !tail.is_empty() {
            entry.str_mut().unwrap().append(tail);
        }
        entry.as_ref().encoding()
    };
    assert_eq!(encoding(b"123", b""), "int");
    assert_eq!(encoding(b"0123", b""), "embstr");
    assert_eq!(encoding(&[b'x'; 44], b""), "embstr");
    assert_eq!(encoding(&[b'x'; 45], b""), "raw");
    assert_eq!(encoding(b"x", b"y"), "raw");
    assert_eq!(encoding(b"1", b"2"), "raw");
    assert_eq!(encoding(&[b'x'; SHARED_REPLY_BYTES], b""), "raw");
}

#[test]
fn a_change_of_the_same_length_moves_nothing() {
    let mut keyspace = filled(1);
    let mut db = keyspace.db_mut(0);
    let place = |db: &DbMut<'_>| db.get(&[0; 4]).unwrap().key().as_ptr();
    let before = place(&db);
    db.set_str(&[0; 4], b"other", Ttl::Clear);
    assert_eq!(place(&db), before);
    db.set_str(&[0; 4], b"41", Ttl::Clear);
    let before = place(&db);
    let mut entry = db.get_mut(&[0; 4]).unwrap();
    entry.str_mut().unwrap().set_int(-1_000_000);
    drop(entry);
    assert_eq!(place(&db), before);
}

#[test]
fn long_values_are_freed_by_and_by() {
    let mut keyspace = Keyspace::new(1, &mut Rng::new([8; 32]));
    let empty = keyspace.memory();
    let list = core::iter::repeat_n(&[b'x'; 4000][..], 1000).collect::<List>();
    let long = list.memory();
    keyspace
        .db_mut(0)
        .insert(b"key", Value::List(list), Ttl::Clear);
    keyspace.db_mut(0).set_str(b"key", b"x", Ttl::Clear);
    assert!(keyspace.has_garbage());
    assert!(keyspace.memory() > long);
    let mut slices = 1;
    while !keyspace.free_some(100) {
        slices += 1;
    }
    assert!((5..=6).contains(&slices));
    assert!(keyspace.db_mut(0).delete(b"key"));
    assert!(keyspace.memory() <= empty + 1000);
}

#[test]
fn shared_bytes_are_not_copied_until_they_change() {
    let mut keyspace = Keyspace::new(1, &mut Rng::new([9; 32]));
    let bytes = bytes::Bytes::from(vec![b'x'; SHARED_REPLY_BYTES]);
    let mut db = keyspace.db_mut(0);
    db.set_bytes(b"key", &bytes, Ttl::Clear);
    let Some(ValueRef::Str(crate::value::StrRef::Shared(held))) =
        db.get(b"key").map(EntryRef::value)
    else {
        panic!("a long string is shared");
    };
    assert_eq!(held.as_ptr(), bytes.as_ptr());
    let mut entry = db.get_mut(b"key").unwrap();
    entry.str_mut().unwrap().set_range(0, b"y");
    drop(entry);
    assert_eq!(bytes[0], b'x');
    let value = db.remove(b"key").unwrap().into_value();
    let Value::Str(Str::Shared(held)) = value else {
        panic!("a long string stays shared");
    };
    assert_eq!(held[..2], *b"yx");
}

#[test]
fn the_mean_time_to_live_is_exact() {
    let mut keyspace = filled(3);
    let mut db = keyspace.db_mut(0);
    db.set_expire(&0_u32.to_le_bytes(), Some(Wall::from_millis(5_000)));
    db.set_expire(&1_u32.to_le_bytes(), Some(Wall::from_millis(7_000)));
    assert_eq!(db.avg_ttl(Wall::from_millis(1_000)), 5_000);
    assert_eq!(db.avg_ttl(Wall::from_millis(10_000)), 0);
}
