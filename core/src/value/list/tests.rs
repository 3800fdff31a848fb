use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::VecDeque;

#[derive(Clone, Debug)]
enum Op {
    PushBack(Vec<u8>),
    PushFront(Vec<u8>),
    PopBack(usize),
    PopFront(usize),
    Insert(usize, Vec<u8>),
    Set(usize, Vec<u8>),
    Remove(usize, usize),
    RemoveEqual(usize, usize, bool),
}

fn item() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..100_000i64).prop_map(|number| number.to_string().into_bytes()),
        3 => Just(vec![b'x'; 600]),
        4 => vec(any::<u8>(), 0..9),
        4 => vec(any::<u8>(), 200..700),
        1 => vec(any::<u8>(), 8_000..9_000),
        1 => vec(any::<u8>(), 20_000..20_001),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => item().prop_map(Op::PushBack),
        6 => item().prop_map(Op::PushFront),
        2 => (1..8usize).prop_map(Op::PopBack),
        2 => (1..8usize).prop_map(Op::PopFront),
        3 => (any::<usize>(), item()).prop_map(|(at, item)| Op::Insert(at, item)),
        3 => (any::<usize>(), item()).prop_map(|(at, item)| Op::Set(at, item)),
        1 => (any::<usize>(), 0..40usize).prop_map(|(at, count)| Op::Remove(at, count)),
        2 => (any::<usize>(), 0..4usize, any::<bool>())
            .prop_map(|(at, most, tail)| Op::RemoveEqual(at, most, tail)),
    ]
}

fn apply(list: &mut List, model: &mut VecDeque<Vec<u8>>, op: Op) {
    match op {
        Op::PushBack(item) => {
            list.push_back(&item);
            model.push_back(item);
        }
        Op::PushFront(item) => {
            list.push_front(&item);
            model.push_front(item);
        }
        Op::PopBack(count) => {
            for _ in 0..count {
                assert_eq!(list.pop_back(), model.pop_back());
            }
        }
        Op::PopFront(count) => {
            for _ in 0..count {
                assert_eq!(list.pop_front(), model.pop_front());
            }
        }
        Op::Insert(at, item) => {
            let at = at % (model.len() + 1);
            list.insert(at, &item);
            model.insert(at, item);
        }
        Op::Set(at, item) => {
            if !model.is_empty() {
                let at = at % model.len();
                list.set(at, &item);
                model[at] = item;
            }
        }
        Op::Remove(at, count) => {
            let at = at % (model.len() + 1);
            let count = count.min(model.len() - at);
            list.remove(at, count);
            model.drain(at..at + count);
        }
        Op::RemoveEqual(at, most, from_tail) => {
            let item = model
                .get(at % model.len().max(1))
                .cloned()
                .unwrap_or_default();
            let most = if most == 0 { usize::MAX } else { most };
            let places = || (0..model.len()).filter(|&at| model[at] == item);
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
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_list_behaves_as_a_deque_does(ops in vec(op(), 0..250)) {
        let mut list = List::new();
        let mut model = VecDeque::new();
        for op in ops {
            apply(&mut list, &mut model, op);
            list.has_shrunk(Fill::default());
            list.check_invariants();
            prop_assert_eq!(list.as_ref().len(), model.len());
        }
        prop_assert!(list.as_ref().iter().eq(model.iter().map(Vec::as_slice)));
        prop_assert!(list.as_ref().iter().rev().eq(model.iter().rev().map(Vec::as_slice)));
        for index in 0..=model.len() {
            prop_assert_eq!(list.as_ref().get(index), model.get(index).map(Vec::as_slice));
        }
    }

    #[test]
    fn a_range_is_walked_from_both_ends(
        items in vec(item(), 1..120),
        from: prop::sample::Index,
        to: prop::sample::Index,
        turns in vec(any::<bool>(), 120),
    ) {
        let list = items.iter().map(Vec::as_slice).collect::<List>();
        let (a, b) = (from.index(items.len() + 1), to.index(items.len() + 1));
        let (from, to) = (a.min(b), a.max(b));
        let mut walk = list.as_ref().range(from, to);
        let mut model = items[from..to].iter().map(Vec::as_slice);
        for forwards in turns {
            prop_assert_eq!(walk.len(), model.len());
            if forwards {
                prop_assert_eq!(walk.next(), model.next());
            } else {
                prop_assert_eq!(walk.next_back(), model.next_back());
            }
        }
    }
}

#[test]
fn a_small_list_is_one_allocation() {
    let list = [b"a".as_slice(), b"b", b"c"].into_iter().collect::<List>();
    assert!(list.is_small());
    assert_eq!(list.memory(), 8);
}

#[test]
fn the_encoding_changes_where_that_of_redis_does() {
    let fill = Fill::default();
    let item = [b'x'; 100];
    let mut list = List::new();
    let mut pushes = 0;
    while list.as_ref().encoding() == "listpack" {
        list.will_grow(fill, 1, item.len());
        list.push_back(&item);
        pushes += 1;
    }
    // 7 + 79 * 103 + 100 > 8192, and one less is not.
    assert_eq!(pushes, 80);
    while list.as_ref().encoding() == "quicklist" {
        list.drop_front();
        list.has_shrunk(fill);
    }
    assert_eq!(list.as_ref().len(), (4096 - 7) / 103);
}

#[test]
fn the_bytes_of_a_copy_are_counted_as_they_are() {
    for items in [30, 900] {
        let mut list = List::new();
        for _ in 0..items {
            list.push_back(&[b'x'; 25]);
        }
        // What was there leaves room behind.
        for _ in 0..5 {
            list.drop_back();
        }
        let mut copy = list.as_ref().to_list();
        copy.check_invariants();
        copy.set(items - 6, b"z");
        copy.check_invariants();
        assert!(list.memory() >= copy.memory());
    }
}

#[test]
fn a_queue_that_is_pushed_and_popped_stays_small() {
    let mut list = List::new();
    let item = [7; 30];
    for _ in 0..300 {
        list.push_back(&item);
    }
    for _ in 0..100_000 {
        list.push_back(&item);
        list.drop_front();
    }
    assert!(list.memory() < 40_000, "{} bytes", list.memory());
}
