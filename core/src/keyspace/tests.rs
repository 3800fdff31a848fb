use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::limits::SHARED_REPLY_BYTES;
use crate::machine::Wall;
use crate::rng::Rng;
use crate::value::{List, Str, Value, ValueRef};

const DBS: usize = 3;

/// What one key has: its value and its time of expiry.
type Held = (Content, Option<i64>);
type Model = Vec<BTreeMap<Vec<u8>, Held>>;

#[derive(Clone, Debug, Eq, PartialEq)]
enum Content {
    Str(Vec<u8>),
    List(Vec<Vec<u8>>),
}

fn content(value: ValueRef<'_>) -> Content {
    match value {
        ValueRef::Str(text) => Content::Str(text.to_vec()),
        ValueRef::List(list) => Content::List(list.iter().map(<[u8]>::to_vec).collect()),
        other
        @ (ValueRef::Hash(_) | ValueRef::Set(_) | ValueRef::Zset(_) | ValueRef::Stream(_)) => {
            panic!("no {} was put there", other.type_name())
        }
    }
}

fn held(entry: EntryRef<'_>) -> Held {
    (content(entry.value()), entry.expire().map(Wall::as_millis))
}

#[derive(Clone, Debug)]
enum Op {
    Write(Write),
    Edit(u16, Edit),
    Move(u16, usize),
    DeleteDue(i64),
    Select(usize),
    Swap(usize, usize),
    Flush(usize),
    FlushAll,
    FreeSome(usize),
    Spread(u64, bool),
    Snapshot(usize),
}

#[derive(Clone, Debug)]
enum Write {
    Set(u16, Vec<u8>, Option<i64>),
    SetKeeping(u16, Vec<u8>),
    Delete(u16),
    Rename(u16, u16),
    Copy(u16, u16),
    Expire(u16, Option<i64>),
    Fill(u16, u16),
    Clear(u16, u16),
}

#[derive(Clone, Debug)]
enum Edit {
    Increment,
    Append(Vec<u8>),
    SetRange(usize, Vec<u8>),
    Push(usize),
    Pop(usize),
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-200..2000i64).prop_map(|number| number.to_string().into_bytes()),
        4 => vec(any::<u8>(), 0..20),
        1 => vec(any::<u8>(), 40..130),
        1 => (SHARED_REPLY_BYTES - 3..SHARED_REPLY_BYTES + 3).prop_map(|len| vec![b'b'; len]),
    ]
}

fn expire() -> impl Strategy<Value = Option<i64>> {
    prop::option::of(1..1000i64)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        22 => write().prop_map(Op::Write),
        9 => (key_number(), edit()).prop_map(|(key, edit)| Op::Edit(key, edit)),
        1 => (key_number(), 0..DBS).prop_map(|(key, db)| Op::Move(key, db)),
        1 => (1..1000i64).prop_map(Op::DeleteDue),
        2 => (0..DBS).prop_map(Op::Select),
        1 => (0..DBS, 0..DBS).prop_map(|(one, other)| Op::Swap(one, other)),
        1 => (0..DBS).prop_map(Op::Flush),
        1 => Just(Op::FlushAll),
        2 => (1..500usize).prop_map(Op::FreeSome),
        1 => (0..10_000u64, any::<bool>()).prop_map(|(keys, room)| Op::Spread(keys, room)),
        8 => (1..1000usize).prop_map(Op::Snapshot),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    let key = key_number;
    prop_oneof![
        5 => (key(), text(), expire()).prop_map(|(key, text, at)| Write::Set(key, text, at)),
        2 => (key(), text()).prop_map(|(key, text)| Write::SetKeeping(key, text)),
        4 => key().prop_map(Write::Delete),
        2 => (key(), key()).prop_map(|(from, to)| Write::Rename(from, to)),
        1 => (key(), key()).prop_map(|(from, to)| Write::Copy(from, to)),
        2 => (key(), expire()).prop_map(|(key, at)| Write::Expire(key, at)),
        4 => (0..3000u16, 1..1500u16).prop_map(|(from, count)| Write::Fill(from, count)),
        3 => (0..3000u16, 1..2500u16).prop_map(|(from, count)| Write::Clear(from, count)),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        Just(Edit::Increment),
        text().prop_map(Edit::Append),
        (0..300usize, text()).prop_map(|(at, text)| Edit::SetRange(at, text)),
        (1..900usize).prop_map(Edit::Push),
        (1..900usize).prop_map(Edit::Pop),
    ]
}

fn key_number() -> core::ops::Range<u16> {
    0..600
}

/// A keyspace beside a model of it, and beside what the running snapshot must come to.
struct Pair {
    keyspace: Keyspace,
    model: Model,
    db: usize,
    expected: Option<Model>,
}

impl Pair {
    fn new() -> Self {
        Self {
            keyspace: Keyspace::new(DBS, &mut Rng::new([3; 32])),
            model: vec![BTreeMap::new(); DBS],
            db: 0,
            expected: None,
        }
    }

    fn apply(&mut self, op: Op) {
        let db = self.db;
        match op {
            Op::Select(db) => self.db = db,
            Op::Swap(one, other) => {
                self.keyspace.swap(one, other);
                self.model.swap(one, other);
            }
            Op::Flush(db) => {
                let gone = core::mem::take(&mut self.model[db]);
                assert_eq!(self.keyspace.flush(db), gone.len());
            }
            Op::FlushAll => {
                let gone = self.model.iter_mut().map(core::mem::take);
                let gone = gone.map(|keys| keys.len()).sum::<usize>();
                assert_eq!(self.keyspace.flush_all(), gone);
            }
            Op::FreeSome(count) => {
                self.keyspace.free_some(count);
            }
            Op::Spread(keys, room) => self.keyspace.db_mut(db).spread(keys, room),
            Op::Snapshot(budget) => self.snapshot(budget),
            Op::DeleteDue(now) => self.delete_due(Wall::from_millis(now)),
            Op::Move(from, to) => {
                let key = key(from);
                let moved = self.keyspace.db_mut(db).remove(&key);
                assert_eq!(moved.is_some(), self.model[db].contains_key(&key));
                if let Some(moved) = moved {
                    self.keyspace.db_mut(to).put(&key, moved);
                    let value = self.model[db].remove(&key).unwrap();
                    self.model[to].insert(key, value);
                }
            }
            Op::Write(write) => {
                write_both(self.keyspace.db_mut(db), &mut self.model[db], write);
            }
            Op::Edit(number, edit) => {
                let db = self.keyspace.db_mut(db);
                edit_both(db, &mut self.model[self.db], &key(number), edit);
            }
        }
    }

    fn delete_due(&mut self, now: Wall) {
        let mut due = Vec::new();
        let mut budget = 100;
        let mut lap = self
            .keyspace
            .db_mut(self.db)
            .due(now, &mut budget, &mut due);
        while !lap {
            budget = 100;
            lap = self
                .keyspace
                .db_mut(self.db)
                .due(now, &mut budget, &mut due);
        }
        let model = &mut self.model[self.db];
        let before = model.len();
        model.retain(|_, (_, at)| at.is_none_or(|at| at >= now.as_millis()));
        let mut db = self.keyspace.db_mut(self.db);
        let deleted = due.iter().filter(|key| db.delete(key)).count();
        assert_eq!(deleted, before - model.len());
    }

    /// Begins a snapshot, goes on with the one under way, or gives it up.
    fn snapshot(&mut self, budget: usize) {
        if self.expected.is_none() {
            self.keyspace.begin_snapshot(Box::new(Collected::default()));
            self.expected = Some(self.model.clone());
        } else if budget.is_multiple_of(16) {
            // One that is given up leaves nothing behind that the next one could mistake.
            self.keyspace.end_snapshot();
            self.expected = None;
        } else if self.keyspace.step_snapshot(budget) {
            let sink: Box<dyn Any> = self.keyspace.end_snapshot().unwrap();
            let collected = sink.downcast::<Collected>().unwrap();
            let expected = self.expected.take().unwrap();
            let mut emitted: Model = vec![BTreeMap::new(); DBS];
            for (db, key, held) in collected.0 {
                assert_eq!(emitted[db].insert(key, held), None, "an entry came twice");
            }
            assert!(emitted == expected, "the snapshot is of another moment");
        }
    }

    fn compare(&self) {
        self.keyspace.check_invariants();
        for (db, model) in self.model.iter().enumerate() {
            let db = self.keyspace.db(db);
            assert_eq!(db.len(), model.len());
            let expires = model.values().filter(|(_, at)| at.is_some()).count();
            assert_eq!(db.expires(), expires);
            for (key, expected) in model {
                assert_eq!(held(db.get(key).expect("the key is there")), *expected);
            }
        }
    }
}

/// A sink that keeps everything.
#[derive(Default)]
struct Collected(Vec<(usize, Vec<u8>, Held)>);

impl SegmentSink for Collected {
    fn segment(&mut self, db: usize, entries: &mut dyn Iterator<Item = EntryRef<'_>>) {
        let entries = entries.map(|entry| (db, entry.key().to_vec(), held(entry)));
        self.0.extend(entries);
    }
}

fn key(number: u16) -> Vec<u8> {
    let mut key = format!("key:{number}").into_bytes();
    if number.is_multiple_of(50) {
        key.resize(200, b'k');
    }
    key
}

fn write_both(mut db: DbMut<'_>, model: &mut BTreeMap<Vec<u8>, Held>, write: Write) {
    match write {
        Write::Set(k, text, at) => {
            let ttl = at.map_or(Ttl::Clear, |at| Ttl::At(Wall::from_millis(at)));
            db.set_str(&key(k), &text, ttl);
            model.insert(key(k), (Content::Str(text), at));
        }
        Write::SetKeeping(k, text) => {
            db.set_bytes(&key(k), &text.clone().into(), Ttl::Keep);
            let at = model.get(&key(k)).and_then(|&(_, at)| at);
            model.insert(key(k), (Content::Str(text), at));
        }
        Write::Delete(k) => assert_eq!(db.delete(&key(k)), model.remove(&key(k)).is_some()),
        Write::Rename(from, to) => {
            assert_eq!(
                db.rename(&key(from), &key(to)),
                model.contains_key(&key(from))
            );
            if let Some(value) = model.remove(&key(from)) {
                model.insert(key(to), value);
            }
        }
        Write::Copy(from, to) => {
            let copy = db.get(&key(from)).map(EntryRef::copy);
            if let Some(copy) = copy {
                db.put(&key(to), copy);
                let value = model[&key(from)].clone();
                model.insert(key(to), value);
            }
        }
        Write::Expire(k, at) => {
            assert_eq!(
                db.set_expire(&key(k), at.map(Wall::from_millis)),
                model.contains_key(&key(k))
            );
            if let Some(held) = model.get_mut(&key(k)) {
                held.1 = at;
            }
        }
        Write::Fill(from, count) => {
            for k in from..from + count {
                db.set_str(&key(k), b"filled", Ttl::Keep);
                let at = model.get(&key(k)).and_then(|&(_, at)| at);
                model.insert(key(k), (Content::Str(b"filled".to_vec()), at));
            }
        }
        Write::Clear(from, count) => {
            for k in from..from + count {
                assert_eq!(db.delete(&key(k)), model.remove(&key(k)).is_some());
            }
        }
    }
}

fn edit_both(mut db: DbMut<'_>, model: &mut BTreeMap<Vec<u8>, Held>, key: &[u8], edit: Edit) {
    let mut entry = match db.slot(key) {
        Slot::Taken(entry) => entry,
        Slot::Vacant(vacant) if matches!(edit, Edit::Push(_)) => {
            model.insert(key.to_vec(), (Content::List(Vec::new()), None));
            vacant.insert(Value::List(List::new()), None)
        }
        Slot::Vacant(vacant) => {
            model.insert(key.to_vec(), (Content::Str(b"7".to_vec()), None));
            vacant.set_int(7, None)
        }
    };
    let expected = &mut model.get_mut(key).unwrap().0;
    match expected {
        Content::Str(expected) => edit_text(entry.str_mut().unwrap(), expected, &edit),
        Content::List(expected) => {
            let edited = entry.edit::<List, _>(|list| edit_list(list, expected, &edit));
            assert!(edited.is_some());
            if expected.is_empty() {
                entry.delete();
                model.remove(key);
            }
        }
    }
}

fn edit_text(mut text: StrMut<'_>, expected: &mut Vec<u8>, edit: &Edit) {
    match edit {
        Edit::Increment => {
            if let Some(number) = text.get().as_int() {
                text.set_int(number + 1);
                *expected = (number + 1).to_string().into_bytes();
            }
        }
        Edit::Append(tail) => {
            expected.extend_from_slice(tail);
            assert_eq!(text.append(tail), expected.len());
        }
        Edit::SetRange(at, with) => {
            let end = at + with.len();
            expected.resize(expected.len().max(end), 0);
            expected[*at..end].copy_from_slice(with);
            assert_eq!(text.set_range(*at, with), expected.len());
        }
        Edit::Push(_) | Edit::Pop(_) => (),
    }
}

fn edit_list(list: &mut List, expected: &mut Vec<Vec<u8>>, edit: &Edit) {
    match *edit {
        Edit::Push(count) => {
            for number in 0..count {
                let item = format!("{number:0600}").into_bytes();
                list.push_back(&item);
                expected.push(item);
            }
        }
        Edit::Pop(count) => {
            for _ in 0..count {
                assert_eq!(list.pop_back(), expected.pop());
            }
        }
        Edit::Increment | Edit::Append(_) | Edit::SetRange(..) => (),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_keyspace_and_its_snapshots_agree_with_a_model(ops in vec(op(), 1..80)) {
        let mut pair = Pair::new();
        for (at, op) in ops.into_iter().enumerate() {
            pair.apply(op);
            if at % 8 == 0 {
                pair.keyspace.check_invariants();
            }
        }
        pair.compare();
        while pair.expected.is_some() {
            pair.snapshot(50);
        }
        pair.keyspace.flush_all();
        while !pair.keyspace.free_some(10) {}
        let empty = Keyspace::new(DBS, &mut Rng::new([3; 32])).memory();
        prop_assert_eq!(pair.keyspace.memory(), empty);
    }

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
    let mut emitted = collected
        .0
        .iter()
        .map(|(_, key, _)| key)
        .collect::<Vec<_>>();
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
