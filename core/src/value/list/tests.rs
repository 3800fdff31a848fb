use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

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
