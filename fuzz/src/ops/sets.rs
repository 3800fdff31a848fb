use std::collections::BTreeSet;

use holdfast_core::value::{IntText, Set, Shape, StrRef};

use super::input::Input;
use super::stage::{Kind, pack_limits};

pub(super) struct Sets;

type Model = BTreeSet<Vec<u8>>;

impl Kind for Sets {
    type Value = Set;
    type Model = Model;

    fn limit(shape: &mut Shape, input: &mut Input<'_>) {
        shape.set_ints = input.pick(&[0, 1, 4, 16, 512, 100_000]);
        shape.set = pack_limits(input);
    }

    fn change(set: &mut Set, model: &mut Model, shape: &Shape, input: &mut Input<'_>) {
        match input.below(16) {
            0..=3 => add(set, model, shape, input.text()),
            4..=6 => add(set, model, shape, decimal(input.integer())),
            7 => {
                let member = input.text();
                set.will_take(&member, 1 + input.below(40), shape);
                add(set, model, shape, member);
            }
            8 => {
                let number = input.integer();
                let is_new = set.take(StrRef::Int(number), shape);
                assert_eq!(is_new, model.insert(decimal(number)));
            }
            9..=11 => remove(set, model, &input.text()),
            12 => {
                let (from, count) = (input.integer(), input.below(700) as i64);
                for step in 0..count {
                    add(set, model, shape, decimal(from.wrapping_add(step * 3)));
                }
            }
            13 => {
                let (at, count) = (input.below(model.len() + 1), input.below(700));
                let gone: Vec<Vec<u8>> = model.iter().skip(at).take(count).cloned().collect();
                gone.iter().for_each(|member| remove(set, model, member));
            }
            14 => set.settle(shape),
            _ => scan(set, model, 1 + input.below(300)),
        }
        assert_eq!(set.as_ref().len(), model.len());
    }

    fn len(model: &Model) -> usize {
        model.len()
    }

    fn check(set: &Set, model: &Model) {
        set.check_invariants();
        let read = set.as_ref();
        assert_eq!(read.len(), model.len());
        assert_eq!(read.iter().count(), model.len());
        assert!(model.iter().all(|member| read.has(member)));
        assert!(!read.has(b"nowhere"));
    }
}

fn decimal(number: i64) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn add(set: &mut Set, model: &mut Model, shape: &Shape, member: Vec<u8>) {
    assert_eq!(set.add(&member, shape), model.insert(member));
}

fn remove(set: &mut Set, model: &mut Model, member: &[u8]) {
    assert_eq!(set.remove(member), model.remove(member));
}

fn scan(set: &Set, model: &Model, count: usize) {
    let (mut cursor, mut seen) = (0, Model::new());
    loop {
        cursor = set.as_ref().scan(cursor, count, |member| {
            let member = member.text(&mut IntText::default()).to_vec();
            assert!(seen.insert(member), "a member comes once");
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen, *model);
}
