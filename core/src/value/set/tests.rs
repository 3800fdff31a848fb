use super::*;
use crate::rng::Rng;
use std::collections::BTreeSet;

type Model = BTreeSet<Vec<u8>>;

fn shape(ints: usize, entries: usize, value: usize) -> Shape {
    Shape {
        set_ints: ints,
        set: PackLimits { entries, value },
        ..Shape::default()
    }
}

fn content(set: SetRef<'_>) -> Model {
    let members: Vec<Vec<u8>> = set.iter().map(StrRef::to_vec).collect();
    assert_eq!(members.len(), set.len());
    members.into_iter().collect()
}

#[test]
fn the_encoding_changes_where_that_of_redis_does() {
    let shape = shape(3, 4, 5);
    let after = |members: &[&str]| {
        let mut set = Set::new();
        for member in members {
            set.add(member.as_bytes(), &shape);
        }
        set.as_ref().encoding()
    };
    assert_eq!(after(&["1", "2", "3"]), "intset");
    assert_eq!(after(&["1", "2", "3", "4"]), "hashtable");
    assert_eq!(after(&["1", "2", "3", "a"]), "listpack");
    assert_eq!(after(&["1", "2", "3", "a", "b"]), "hashtable");
    assert_eq!(after(&["a", "123456"]), "hashtable");
    assert_eq!(after(&["123456", "a"]), "hashtable");
    let first = |first: &str, count| {
        let mut set = Set::new();
        set.will_take(first.as_bytes(), count, &shape);
        set.as_ref().encoding()
    };
    assert_eq!(first("1", 3), "intset");
    assert_eq!(first("1", 4), "listpack");
    assert_eq!(first("a", 4), "listpack");
    assert_eq!(first("a", 5), "hashtable");
}

#[test]
fn members_are_drawn_evenly() {
    let mut rng = Rng::new([1; 32]);
    for (ints, entries) in [(512, 128), (0, 128), (0, 0)] {
        let shape = shape(ints, entries, 64);
        let mut set = Set::new();
        set.will_take(b"x", 1, &shape);
        (0..20).for_each(|number: u32| {
            set.add(number.to_string().as_bytes(), &shape);
        });
        let mut hits = std::collections::BTreeMap::new();
        for _ in 0..2_000 {
            let member = set.as_ref().random(&mut rng).unwrap();
            *hits.entry(member.to_vec()).or_insert(0) += 1;
        }
        for count in [2, 10] {
            for _ in 0..2_000 / count {
                set.as_ref().sample(count, &mut rng, |member| {
                    *hits.entry(member.to_vec()).or_insert(0) += 1;
                });
            }
        }
        assert_eq!(hits.len(), 20);
        assert_eq!(hits.values().sum::<usize>(), 6_000);
        assert!(
            hits.values().all(|hits| (200..400).contains(hits)),
            "{hits:?}"
        );
    }
}

#[test]
fn parts_are_of_the_moment_they_were_taken() {
    let shape = Shape::default();
    let mut set = Set::new();
    for number in 0..2_000 {
        set.add(format!("m{number}").as_bytes(), &shape);
    }
    let before = content(set.as_ref());
    let mut parts = set.as_ref().parts().unwrap();
    for number in 0..2_000 {
        set.remove(format!("m{number}").as_bytes());
    }
    let mut taken = Model::new();
    assert_eq!(parts.members(), 2_000);
    while let Some(part) = parts.take() {
        taken.extend(part.iter().map(<[u8]>::to_vec));
    }
    assert_eq!(taken, before);
}
