//! Collections of one kind in a keyspace, beside models of them.

use std::collections::BTreeMap;

use holdfast_core::keyspace::{Detached, EntryRef, Keyspace, Slot, Ttl};
use holdfast_core::machine::Wall;
use holdfast_core::persist::load::{Expired, Intake};
use holdfast_core::persist::rdb::{Decoder, Options, dump, restore};
use holdfast_core::persist::snapshot::{Snapshot, SnapshotOptions};
use holdfast_core::rng::Rng;
use holdfast_core::value::{Collection, PackLimits, Shape};

use super::input::Input;

/// A kind of collection, and what it must be like.
pub(super) trait Kind {
    /// The collection.
    type Value: Collection;
    /// The same without a structure worth the name.
    type Model: Clone + Default;

    /// Chooses when a collection changes its form.
    fn limit(shape: &mut Shape, input: &mut Input<'_>);
    /// Does the same to both, and compares what comes of it.
    fn change(
        value: &mut Self::Value,
        model: &mut Self::Model,
        shape: &Shape,
        input: &mut Input<'_>,
    );
    /// How many elements there are.
    fn len(model: &Self::Model) -> usize;
    /// Forgets what RDB data does not tell.
    fn stored(_: &mut Self::Model) {}
    /// Panics unless the collection is sound and as the model.
    fn check(value: &Self::Value, model: &Self::Model);
}

/// Collections are changed, copied, deleted, freed in slices, held by snapshots and read back, as
/// the bytes say, and are at all times as their models.
pub(super) fn run<K: Kind>(data: &[u8]) {
    let mut input = Input::new(data);
    let mut stage = Stage::<K>::new(&mut input);
    while !input.is_empty() && stage.steps < STEPS_MAX {
        stage.step(&mut input);
        stage.keyspace.check_invariants();
    }
    stage.check();
    stage.clear();
}

/// So few that copies, renamed ones and their origins meet.
const KEYS: [&[u8]; 4] = [b"", b"a", b"key:2", b"a longer key than the others"];
/// A collection of so many elements is looked at as a whole after each change.
const CHECKED_LEN: usize = 40;
/// The others are looked at after so many.
const CHECKED_STEPS: usize = 32;
/// More of the bytes are left alone, so that no input takes long.
const STEPS_MAX: usize = 400;
/// What a snapshot may take until it is done.
const SNAPSHOT_STEPS_MAX: usize = 100_000;

type Models<K> = BTreeMap<usize, <K as Kind>::Model>;

struct Stage<K: Kind> {
    keyspace: Keyspace,
    models: Models<K>,
    /// What belongs to no database.
    detached: Option<(Detached, K::Model)>,
    /// The snapshot under way, what was taken of it, and what it must come to.
    snapshot: Option<(Snapshot, Vec<u8>, Models<K>)>,
    shape: Shape,
    steps: usize,
}

impl<K: Kind> Stage<K> {
    fn new(input: &mut Input<'_>) -> Self {
        let keyspace = empty();
        let mut shape = Shape::new(keyspace.hasher());
        K::limit(&mut shape, input);
        Self {
            keyspace,
            models: BTreeMap::new(),
            detached: None,
            snapshot: None,
            shape,
            steps: 0,
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        self.steps += 1;
        if self.steps.is_multiple_of(CHECKED_STEPS) {
            self.check();
        }
        let kind = input.below(32);
        let key = input.below(KEYS.len());
        match kind {
            0..=19 => self.edit(key, input),
            20 | 21 => self.copy(key, input.below(KEYS.len())),
            22 => self.delete(key),
            23 => self.detach(key),
            24 => self.put_back(key),
            25 => {
                self.keyspace.free_some(1 + input.below(100));
            }
            26..=29 => self.advance_snapshot(input),
            30 => self.restore(key, input.is()),
            _ => self.clear(),
        }
    }

    /// Changes a collection some times, as one command does.
    fn edit(&mut self, key: usize, input: &mut Input<'_>) {
        let mut db = self.keyspace.db_mut(0);
        let mut entry = match db.slot(KEYS[key]) {
            Slot::Taken(entry) => entry,
            Slot::Vacant(vacant) => vacant.insert(K::Value::default().into(), None),
        };
        let model = self.models.entry(key).or_default();
        let shape = &self.shape;
        let is_empty = entry.edit::<K::Value, _>(|value| {
            for _ in 0..=input.below(4) {
                K::change(value, model, shape, input);
            }
            value.is_empty()
        });
        if is_empty.expect("it is of this kind") {
            assert_eq!(K::len(model), 0);
            entry.delete();
            self.models.remove(&key);
        } else if K::len(model) <= CHECKED_LEN {
            check::<K>(entry.as_ref(), model);
        }
    }

    fn copy(&mut self, from: usize, to: usize) {
        let copy = self.keyspace.db(0).get(KEYS[from]).map(EntryRef::copy);
        assert_eq!(copy.is_some(), self.models.contains_key(&from));
        if let Some(copy) = copy {
            self.keyspace.db_mut(0).put(KEYS[to], copy);
            let model = self.models[&from].clone();
            self.models.insert(to, model);
        }
    }

    fn delete(&mut self, key: usize) {
        let deleted = self.keyspace.db_mut(0).delete(KEYS[key]);
        assert_eq!(deleted, self.models.remove(&key).is_some());
    }

    fn detach(&mut self, key: usize) {
        let removed = self.keyspace.db_mut(0).remove(KEYS[key]);
        let model = self.models.remove(&key);
        assert_eq!(removed.is_some(), model.is_some());
        self.detached = removed.zip(model);
    }

    fn put_back(&mut self, key: usize) {
        if let Some((detached, model)) = self.detached.take() {
            check::<K>(detached.as_ref(), &model);
            self.keyspace.db_mut(0).put(KEYS[key], detached);
            self.models.insert(key, model);
        }
    }

    /// Begins a snapshot, goes on with the one under way, or gives it up.
    fn advance_snapshot(&mut self, input: &mut Input<'_>) {
        let steps = input.below(16);
        let Some((snapshot, _, _)) = &mut self.snapshot else {
            let options = SnapshotOptions {
                compress: input.is(),
                checksum: true,
                ..SnapshotOptions::default()
            };
            let begun = Snapshot::begin(&mut self.keyspace, &options);
            self.snapshot = Some((begun, Vec::new(), self.models.clone()));
            return;
        };
        if steps == 15 {
            let (snapshot, _, _) = self.snapshot.take().expect("it was found");
            snapshot.end(&mut self.keyspace);
            return;
        }
        for _ in 0..steps {
            snapshot.step(&mut self.keyspace);
        }
        self.take_chunks();
    }

    /// Takes what the snapshot has encoded, and loads it once that is all.
    fn take_chunks(&mut self) {
        let Some((snapshot, taken, _)) = &mut self.snapshot else {
            return;
        };
        while let Some(chunk) = snapshot.poll_chunk(&mut self.keyspace) {
            taken.extend_from_slice(&chunk);
        }
        if !snapshot.is_done() {
            return;
        }
        assert_eq!(snapshot.memory(&mut self.keyspace), 0, "it holds nothing");
        let (snapshot, taken, mut models) = self.snapshot.take().expect("it was found");
        snapshot.end(&mut self.keyspace);
        models.values_mut().for_each(K::stored);
        check_all::<K>(&load(&taken, self.shape), &models);
    }

    /// Puts what is read from the payload of a collection in its place.
    fn restore(&mut self, key: usize, compress: bool) {
        let Some(entry) = self.keyspace.db(0).get(KEYS[key]) else {
            return;
        };
        let payload = dump(entry.value(), compress);
        let value = restore(&payload, &self.shape).expect("we wrote it");
        self.keyspace.db_mut(0).insert(KEYS[key], value, Ttl::Keep);
        let entry = self.keyspace.db(0).get(KEYS[key]);
        let model = self.models.get_mut(&key).expect("it has a model");
        K::stored(model);
        check::<K>(entry.expect("it was put there"), model);
    }

    /// Lets the snapshot come to its end, deletes everything and frees it all: no byte is left.
    fn clear(&mut self) {
        for _ in 0..SNAPSHOT_STEPS_MAX {
            let Some((snapshot, _, _)) = &mut self.snapshot else {
                break;
            };
            snapshot.step(&mut self.keyspace);
            self.take_chunks();
        }
        assert!(self.snapshot.is_none(), "a snapshot comes to its end");
        self.detached = None;
        (0..KEYS.len()).for_each(|key| self.delete(key));
        while !self.keyspace.free_some(7) {
            self.keyspace.check_invariants();
        }
        assert_eq!(self.keyspace.memory(), empty().memory());
    }

    fn check(&self) {
        check_all::<K>(&self.keyspace, &self.models);
    }
}

fn empty() -> Keyspace {
    Keyspace::new(1, &mut Rng::new([7; 32]))
}

/// What RDB data holds.
fn load(data: &[u8], shape: Shape) -> Keyspace {
    let mut decoder = Decoder::new(Options {
        checksum: true,
        shape,
    });
    let mut intake = Intake::new(Wall::from_millis(0), Expired::Drop);
    let mut keyspace = empty();
    decoder.feed(data);
    let all = intake.take_from(&mut decoder, &mut keyspace, &mut { usize::MAX });
    assert_eq!(all, Ok(true), "we wrote it, and it all fits");
    decoder.finish().expect("we wrote all of it");
    keyspace
}

fn check_all<K: Kind>(keyspace: &Keyspace, models: &Models<K>) {
    assert_eq!(keyspace.len(), models.len());
    for (&key, model) in models {
        let entry = keyspace.db(0).get(KEYS[key]);
        check::<K>(entry.expect("every key is there"), model);
    }
}

fn check<K: Kind>(entry: EntryRef<'_>, model: &K::Model) {
    let mut value = entry.value().to_value();
    K::check(K::Value::of(&mut value).expect("it is of this kind"), model);
}

/// Limits that a few elements reach.
pub(super) fn pack_limits(input: &mut Input<'_>) -> PackLimits {
    PackLimits {
        entries: input.pick(&[0, 1, 2, 4, 8, 16, 128]),
        value: input.pick(&[0, 4, 20, 64, 300]),
    }
}
