use std::collections::VecDeque;

use holdfast_core::value::{Fill, List, Shape};

use super::input::Input;
use super::stage::Kind;

pub(super) struct Lists;

type Model = VecDeque<Vec<u8>>;

/// Many items at once are no longer than this.
const MANY_BYTES: usize = 300;

impl Kind for Lists {
    type Value = List;
    type Model = Model;

    fn limit(shape: &mut Shape, input: &mut Input<'_>) {
        shape.list = Fill(input.pick(&[-2, -1, -5, 0, 1, 4, 128]));
    }

    fn change(list: &mut List, model: &mut Model, shape: &Shape, input: &mut Input<'_>) {
        let kind = input.below(16);
        match kind {
            0..=3 => push(list, model, shape.list, false, input),
            4..=6 => push(list, model, shape.list, true, input),
            7 => {
                let mut item = input.text();
                item.truncate(MANY_BYTES);
                for _ in 0..input.below(80) {
                    add(list, model, shape.list, 0, &item);
                }
            }
            8 | 9 => pop(list, model, kind == 8, input.below(8)),
            10 => {
                let at = input.below(model.len() + 1);
                add(list, model, shape.list, at, &input.text());
            }
            11 => set(list, model, shape.list, input),
            12 | 13 => {
                let at = input.below(model.len() + 1);
                let count = input.below(100).min(model.len() - at);
                list.remove(at, count);
                model.drain(at..at + count);
            }
            14 => remove_equal(list, model, input),
            _ => walk(list, model, input),
        }
        if kind > 7 {
            list.has_shrunk(shape.list);
        }
        list.check_invariants();
        assert_eq!(list.as_ref().len(), model.len());
    }

    fn len(model: &Model) -> usize {
        model.len()
    }

    fn check(list: &List, model: &Model) {
        list.check_invariants();
        let read = list.as_ref();
        assert_eq!(read.len(), model.len());
        assert!(read.iter().eq(model.iter().map(Vec::as_slice)));
        assert!(read.iter().rev().eq(model.iter().rev().map(Vec::as_slice)));
        for (index, item) in model.iter().enumerate() {
            assert_eq!(read.get(index), Some(item.as_slice()));
        }
        assert_eq!(read.get(model.len()), None);
        assert_eq!(read.front(), model.front().map(Vec::as_slice));
        assert_eq!(read.back(), model.back().map(Vec::as_slice));
    }
}

fn push(list: &mut List, model: &mut Model, fill: Fill, front: bool, input: &mut Input<'_>) {
    let item = input.text();
    list.will_grow(fill, 1, item.len());
    if front {
        list.push_front(&item);
        model.push_front(item);
    } else {
        list.push_back(&item);
        model.push_back(item);
    }
}

fn add(list: &mut List, model: &mut Model, fill: Fill, at: usize, item: &[u8]) {
    list.will_grow(fill, 1, item.len());
    list.insert(at, item);
    model.insert(at, item.to_vec());
}

fn set(list: &mut List, model: &mut Model, fill: Fill, input: &mut Input<'_>) {
    if model.is_empty() {
        return;
    }
    let (at, item) = (input.below(model.len()), input.text());
    list.will_grow(fill, 1, item.len());
    list.set(at, &item);
    model[at] = item;
}

fn pop(list: &mut List, model: &mut Model, front: bool, count: usize) {
    for _ in 0..count {
        if front {
            assert_eq!(list.pop_front(), model.pop_front());
        } else {
            assert_eq!(list.pop_back(), model.pop_back());
        }
    }
}

fn remove_equal(list: &mut List, model: &mut Model, input: &mut Input<'_>) {
    let at = input.below(model.len() + 1);
    let item = model.get(at).cloned().unwrap_or_default();
    let most = input.pick(&[usize::MAX, 1, 2, 3]);
    let places = || (0..model.len()).filter(|&at| model[at] == item);
    let from_tail = input.is();
    let gone: Vec<usize> = if from_tail {
        places().rev().take(most).collect()
    } else {
        let first: Vec<usize> = places().take(most).collect();
        first.into_iter().rev().collect()
    };
    assert_eq!(list.remove_equal(&item, most, from_tail), gone.len());
    for at in gone {
        model.remove(at);
    }
}

/// A range is read from both ends in turns.
fn walk(list: &List, model: &Model, input: &mut Input<'_>) {
    let (one, other) = (input.below(model.len() + 1), input.below(model.len() + 1));
    let (from, to) = (one.min(other), one.max(other));
    let mut walk = list.as_ref().range(from, to);
    let mut expected = model.range(from..to).map(Vec::as_slice);
    let turns = input.byte();
    for turn in 0..16 {
        assert_eq!(walk.len(), expected.len());
        if turns >> (turn % 8) & 1 == 0 {
            assert_eq!(walk.next(), expected.next());
        } else {
            assert_eq!(walk.next_back(), expected.next_back());
        }
    }
}
