//! Databases beside maps, with snapshots under way.

use core::any::Any;
use std::collections::BTreeMap;

use holdfast_core::keyspace::{DbMut, EntryRef, Keyspace, SegmentSink, Slot, StrMut, Ttl};
use holdfast_core::limits::SHARED_REPLY_BYTES;
use holdfast_core::machine::Wall;
use holdfast_core::rng::Rng;
use holdfast_core::value::{List, Value, ValueRef};

use super::input::Input;

const DBS: usize = 3;
/// What else the numbers of keys are drawn below, so that some are met again.
const KEYS: usize = 600;
/// The keyspace is compared with its model after so many steps.
const CHECKED_STEPS: usize = 64;
/// What a snapshot may take until it is done.
const SNAPSHOT_STEPS_MAX: usize = 100_000;

/// What one key has: its value and its time of expiry.
type Held = (Content, Option<i64>);
type Model = Vec<BTreeMap<Vec<u8>, Held>>;

#[derive(Clone, Debug, Eq, PartialEq)]
enum Content {
    Str(Vec<u8>),
    List(Vec<Vec<u8>>),
}

/// Keys are written, edited, renamed, copied, moved and expire, databases are swapped, flushed
/// and freed in slices while snapshots are taken, and all is as in the models.
pub fn keyspace_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let mut pair = Pair::new();
    let mut steps = 0_usize;
    while !input.is_empty() {
        pair.step(&mut input);
        steps += 1;
        if steps.is_multiple_of(CHECKED_STEPS) {
            pair.compare();
        }
    }
    pair.compare();
    pair.clear();
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
            keyspace: empty(),
            model: vec![BTreeMap::new(); DBS],
            db: 0,
            expected: None,
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let db = self.db;
        match input.below(48) {
            0..=22 => write(self.keyspace.db_mut(db), &mut self.model[db], input),
            23..=31 => {
                let key = key(input.below(KEYS));
                edit(self.keyspace.db_mut(db), &mut self.model[db], &key, input);
            }
            32 | 33 => self.move_to(key(input.below(KEYS)), input.below(DBS)),
            34 => self.delete_due(Wall::from_millis(input.below(1_000) as i64)),
            35 | 36 => self.db = input.below(DBS),
            37 => {
                let (one, other) = (input.below(DBS), input.below(DBS));
                self.keyspace.swap(one, other);
                self.model.swap(one, other);
            }
            38 => {
                let gone = core::mem::take(&mut self.model[db]);
                assert_eq!(self.keyspace.flush(db), gone.len());
            }
            39 => {
                let gone = self.model.iter_mut().map(core::mem::take);
                let gone = gone.map(|keys| keys.len()).sum::<usize>();
                assert_eq!(self.keyspace.flush_all(), gone);
            }
            40 | 41 => {
                self.keyspace.free_some(1 + input.below(500));
            }
            42 => self.scan(1 + input.below(500)),
            43 if input.below(4) == 0 => {
                // One that is given up leaves nothing behind that the next one could mistake.
                self.keyspace.end_snapshot();
                self.expected = None;
            }
            44 => {
                let (keys, room) = (input.below(10_000) as u64, input.below(2) == 0);
                self.keyspace.db_mut(db).spread(keys, room);
            }
            _ => self.snapshot(1 + input.below(1_000)),
        }
    }

    fn move_to(&mut self, key: Vec<u8>, to: usize) {
        let moved = self.keyspace.db_mut(self.db).remove(&key);
        assert_eq!(moved.is_some(), self.model[self.db].contains_key(&key));
        if let Some(moved) = moved {
            self.keyspace.db_mut(to).put(&key, moved);
            let value = self.model[self.db].remove(&key).expect("it was found");
            self.model[to].insert(key, value);
        }
    }

    fn delete_due(&mut self, now: Wall) {
        let mut due = Vec::new();
        loop {
            let mut db = self.keyspace.db_mut(self.db);
            if db.due(now, &mut 100, &mut due) {
                break;
            }
        }
        let model = &mut self.model[self.db];
        let before = model.len();
        model.retain(|_, (_, at)| at.is_none_or(|at| at >= now.as_millis()));
        let mut db = self.keyspace.db_mut(self.db);
        let deleted = due.iter().filter(|key| db.delete(key)).count();
        assert_eq!(deleted, before - model.len());
    }

    fn scan(&self, count: usize) {
        let (mut cursor, mut seen) = (0, BTreeMap::new());
        loop {
            cursor = self.keyspace.db(self.db).scan(cursor, count, |entry| {
                let before = seen.insert(entry.key().to_vec(), held(entry));
                assert_eq!(before, None, "a key is visited once");
            });
            assert!(cursor < 1 << 53);
            if cursor == 0 {
                break;
            }
        }
        assert!(seen == self.model[self.db]);
    }

    /// Begins a snapshot or goes on with the one under way.
    fn snapshot(&mut self, budget: usize) {
        if self.expected.is_none() {
            self.keyspace.begin_snapshot(Box::new(Collected::default()));
            self.expected = Some(self.model.clone());
        } else if self.keyspace.step_snapshot(budget) {
            let sink = self.keyspace.end_snapshot();
            let sink: Box<dyn Any> = sink.expect("it was under way");
            let collected = sink.downcast::<Collected>().expect("it was begun with it");
            let expected = self.expected.take().expect("it was under way");
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

    /// Lets the snapshot come to its end and frees everything: no byte is left.
    fn clear(&mut self) {
        for _ in 0..SNAPSHOT_STEPS_MAX {
            if self.expected.is_none() {
                break;
            }
            self.snapshot(50);
        }
        assert!(self.expected.is_none(), "a snapshot comes to its end");
        self.keyspace.flush_all();
        while !self.keyspace.free_some(10) {}
        assert_eq!(self.keyspace.memory(), empty().memory());
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

fn empty() -> Keyspace {
    Keyspace::new(DBS, &mut Rng::new([3; 32]))
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

fn key(number: usize) -> Vec<u8> {
    let mut key = format!("key:{number}").into_bytes();
    if number.is_multiple_of(50) {
        key.resize(200, b'k');
    }
    key
}

fn text(input: &mut Input<'_>) -> Vec<u8> {
    if input.below(16) == 0 {
        return vec![b'b'; SHARED_REPLY_BYTES - 3 + input.below(6)];
    }
    input.text()
}

fn expire(input: &mut Input<'_>) -> Option<i64> {
    input.is().then(|| 1 + input.below(1_000) as i64)
}

fn write(mut db: DbMut<'_>, model: &mut BTreeMap<Vec<u8>, Held>, input: &mut Input<'_>) {
    let kept = |model: &BTreeMap<Vec<u8>, Held>, key: &[u8]| model.get(key).and_then(|it| it.1);
    let (kind, key) = (input.below(23), key(input.below(KEYS)));
    match kind {
        0..=4 => {
            let (text, at) = (text(input), expire(input));
            let ttl = at.map_or(Ttl::Clear, |at| Ttl::At(Wall::from_millis(at)));
            db.set_str(&key, &text, ttl);
            model.insert(key, (Content::Str(text), at));
        }
        5 | 6 => {
            let (text, at) = (text(input), kept(model, &key));
            db.set_bytes(&key, &text.clone().into(), Ttl::Keep);
            model.insert(key, (Content::Str(text), at));
        }
        7..=10 => assert_eq!(db.delete(&key), model.remove(&key).is_some()),
        11 | 12 => rename(&mut db, model, &key, input),
        13 | 14 => {
            let to = self::key(input.below(KEYS));
            if let Some(copy) = db
                .reborrow()
                .get_mut(&key)
                .map(|entry| entry.as_ref().copy())
            {
                db.put(&to, copy);
                let value = model[&key].clone();
                model.insert(to, value);
            }
        }
        15 | 16 => {
            let at = expire(input);
            let found = db.set_expire(&key, at.map(Wall::from_millis));
            assert_eq!(found, model.contains_key(&key));
            if let Some(held) = model.get_mut(&key) {
                held.1 = at;
            }
        }
        17..=19 => {
            let (from, count) = (input.below(3_000), input.below(1_500));
            for key in (from..from + count).map(self::key) {
                db.set_str(&key, b"filled", Ttl::Keep);
                let at = kept(model, &key);
                model.insert(key, (Content::Str(b"filled".to_vec()), at));
            }
        }
        _ => {
            let (from, count) = (input.below(3_000), input.below(2_500));
            for key in (from..from + count).map(self::key) {
                assert_eq!(db.delete(&key), model.remove(&key).is_some());
            }
        }
    }
}

fn rename(
    db: &mut DbMut<'_>,
    model: &mut BTreeMap<Vec<u8>, Held>,
    from: &[u8],
    input: &mut Input<'_>,
) {
    let to = key(input.below(KEYS));
    assert_eq!(db.rename(from, &to), model.contains_key(from));
    if let Some(value) = model.remove(from) {
        model.insert(to, value);
    }
}

fn edit(mut db: DbMut<'_>, model: &mut BTreeMap<Vec<u8>, Held>, key: &[u8], input: &mut Input<'_>) {
    let kind = input.below(5);
    let mut entry = match db.slot(key) {
        Slot::Taken(entry) => entry,
        Slot::Vacant(vacant) if kind == 3 => {
            model.insert(key.to_vec(), (Content::List(Vec::new()), None));
            vacant.insert(Value::List(List::new()), None)
        }
        Slot::Vacant(vacant) => {
            model.insert(key.to_vec(), (Content::Str(b"7".to_vec()), None));
            vacant.set_int(7, None)
        }
    };
    match &mut model.get_mut(key).expect("it was put there").0 {
        Content::Str(expected) => {
            edit_text(entry.str_mut().expect("it is one"), expected, kind, input);
        }
        Content::List(expected) => {
            let edited = entry.edit::<List, _>(|list| edit_list(list, expected, kind, input));
            assert!(edited.is_some());
            if expected.is_empty() {
                entry.delete();
                model.remove(key);
            }
        }
    }
}

fn edit_text(mut text: StrMut<'_>, expected: &mut Vec<u8>, kind: usize, input: &mut Input<'_>) {
    match kind {
        0 => {
            let next = text.get().as_int().and_then(|number| number.checked_add(1));
            if let Some(next) = next {
                text.set_int(next);
                *expected = next.to_string().into_bytes();
            }
        }
        1 => {
            let tail = self::text(input);
            expected.extend_from_slice(&tail);
            assert_eq!(text.append(&tail), expected.len());
        }
        2 => {
            let (at, with) = (input.below(300), self::text(input));
            let end = at + with.len();
            expected.resize(expected.len().max(end), 0);
            expected[at..end].copy_from_slice(&with);
            assert_eq!(text.set_range(at, &with), expected.len());
        }
        _ => (),
    }
}

fn edit_list(list: &mut List, expected: &mut Vec<Vec<u8>>, kind: usize, input: &mut Input<'_>) {
    match kind {
        3 => {
            for number in 0..1 + input.below(900) {
                let item = format!("{number:0600}").into_bytes();
                list.push_back(&item);
                expected.push(item);
            }
        }
        4 => {
            for _ in 0..1 + input.below(900) {
                assert_eq!(list.pop_back(), expected.pop());
            }
        }
        _ => (),
    }
}
