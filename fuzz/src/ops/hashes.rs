use std::collections::BTreeMap;

use holdfast_core::value::{Hash, Shape};

use super::input::Input;
use super::stage::{Kind, pack_limits};

pub(super) struct Hashes;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

impl Kind for Hashes {
    type Value = Hash;
    type Model = Model;

    fn limit(shape: &mut Shape, input: &mut Input<'_>) {
        shape.hash = pack_limits(input);
    }

    fn change(hash: &mut Hash, model: &mut Model, shape: &Shape, input: &mut Input<'_>) {
        match input.below(16) {
            0..=7 => set(hash, model, shape, input.text(), input.text()),
            8 => {
                let (field, value) = (input.text(), input.text());
                hash.will_take([field.as_slice(), &value].into_iter(), shape);
                set(hash, model, shape, field, value);
            }
            9..=12 => remove(hash, model, &input.text()),
            13 => {
                let (from, count) = (input.below(1_000), input.below(700));
                for number in from..from + count {
                    let value = vec![b'v'; number % 70];
                    set(hash, model, shape, named(number), value);
                }
            }
            14 => {
                let (from, count) = (input.below(1_000), input.below(1_700));
                (from..from + count).for_each(|number| remove(hash, model, &named(number)));
            }
            _ => scan(hash, model, 1 + input.below(300)),
        }
        assert_eq!(hash.as_ref().len(), model.len());
    }

    fn len(model: &Model) -> usize {
        model.len()
    }

    fn check(hash: &Hash, model: &Model) {
        hash.check_invariants();
        let read = hash.as_ref();
        assert_eq!(read.len(), model.len());
        assert_eq!(read.iter().count(), model.len());
        for (field, value) in model {
            assert_eq!(read.get(field), Some(value.as_slice()));
        }
        assert_eq!(read.get(b"nowhere"), None);
    }
}

/// Fields enough to split segments.
fn named(number: usize) -> Vec<u8> {
    format!("field:{number}").into_bytes()
}

fn set(hash: &mut Hash, model: &mut Model, shape: &Shape, field: Vec<u8>, value: Vec<u8>) {
    let is_new = hash.set(&field, &value, shape);
    assert_eq!(is_new, model.insert(field, value).is_none());
}

fn remove(hash: &mut Hash, model: &mut Model, field: &[u8]) {
    assert_eq!(hash.remove(field), model.remove(field).is_some());
}

fn scan(hash: &Hash, model: &Model, count: usize) {
    let (mut cursor, mut seen) = (0, Model::new());
    loop {
        cursor = hash.as_ref().scan(cursor, count, |field, value| {
            assert_eq!(seen.insert(field.to_vec(), value.to_vec()), None);
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen, *model);
}
