use super::*;
use crate::rng::Rng;
use crate::value::PackLimits;
use std::collections::BTreeMap;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn shape(entries: usize, value: usize) -> Shape {
    Shape {
        hash: PackLimits { entries, value },
        ..Shape::default()
    }
}

fn content(hash: HashRef<'_>) -> Model {
    let pairs: Vec<_> = hash.iter().collect();
    assert_eq!(pairs.len(), hash.len());
    let owned = |(field, value): (&[u8], &[u8])| (field.to_vec(), value.to_vec());
    pairs.into_iter().map(owned).collect()
}

fn numbered(count: usize, shape: &Shape) -> Hash {
    let mut hash = Hash::new();
    for number in 0..count {
        let text = number.to_string();
        assert!(hash.set(text.as_bytes(), b"v", shape));
    }
    hash
}

#[test]
fn a_small_hash_keeps_the_order_of_its_fields() {
    let shape = Shape::default();
    let mut hash = Hash::new();
    for field in [b"c", b"a", b"b"] {
        hash.set(field, b"1", &shape);
    }
    hash.set(b"c", b"2", &shape);
    hash.remove(b"a");
    hash.set(b"a", b"3", &shape);
    let pairs: Vec<(&[u8], &[u8])> = hash.as_ref().iter().collect();
    let expected: [(&[u8], &[u8]); 3] = [(b"c", b"2"), (b"b", b"1"), (b"a", b"3")];
    assert_eq!(pairs, expected);
}

#[test]
fn a_hash_grows_at_the_limits_and_never_goes_back() {
    let shape = shape(3, 5);
    let mut hash = numbered(3, &shape);
    assert_eq!(hash.as_ref().encoding(), "listpack");
    hash.set(b"1", b"12345", &shape);
    assert_eq!(hash.as_ref().encoding(), "listpack");
    hash.set(b"3", b"", &shape);
    assert_eq!(hash.as_ref().encoding(), "hashtable");
    for number in 0..4 {
        assert!(hash.remove(number.to_string().as_bytes()));
    }
    assert_eq!(hash.as_ref().encoding(), "hashtable");
    assert!(hash.is_empty());
    let mut long = numbered(1, &shape);
    long.set(b"0", b"123456", &shape);
    assert_eq!(long.as_ref().encoding(), "hashtable");
    assert_eq!(long.as_ref().get(b"0"), Some(&b"123456"[..]));
}

#[test]
fn all_that_is_given_at_once_counts() {
    let shape = shape(3, 5);
    let grown = |texts: &[&[u8]]| {
        let mut hash = numbered(1, &shape);
        hash.will_take(texts.iter().copied(), &shape);
        hash.as_ref().encoding() == "hashtable"
    };
    assert!(!grown(&[b"0", b"1", b"0", b"2", b"0", b"3"]));
    assert!(grown(&[b"0", b"1", b"0", b"2", b"0", b"3", b"0", b"4"]));
    assert!(!grown(&[b"12345", b"12345"]));
    assert!(grown(&[b"0", b"123456"]));
    assert!(grown(&[b"123456", b"0"]));
}

#[test]
fn a_hash_built_whole_tells_of_fields_that_are_there_twice() {
    for entries in [3, 100] {
        for twin in [0, 1, 39] {
            let shape = shape(entries, 64);
            let mut hash = Hash::new();
            let mut sound = true;
            for number in (0..40).chain([twin]) {
                let text = format!("{number}");
                sound &= hash.append(text.as_bytes(), b"v", 64, &shape);
            }
            assert!(!(sound && hash.is_sound(&shape.hasher)), "{entries} {twin}");
        }
    }
    let shape = shape(100, 64);
    assert!(numbered(40, &shape).is_sound(&shape.hasher));
    let mut few = Hash::new();
    for field in [b"a", b"b", b"a"] {
        assert!(few.append(field, b"v", 64, &shape));
    }
    assert!(!few.is_sound(&shape.hasher));
}

#[test]
fn fields_are_drawn_evenly() {
    let mut rng = Rng::new([1; 32]);
    for entries in [0, 512] {
        let hash = numbered(20, &shape(entries, 64));
        let mut hits = BTreeMap::new();
        let mut count = |field: &[u8]| *hits.entry(field.to_vec()).or_insert(0) += 1;
        for _ in 0..2_000 {
            let (field, value) = hash.as_ref().random(&mut rng).unwrap();
            assert_eq!(value, b"v");
            count(field);
        }
        hash.as_ref().draw(2_000, &mut rng, |field, _| count(field));
        for _ in 0..1_000 {
            hash.as_ref().sample(2, &mut rng, |field, _| count(field));
        }
        for _ in 0..200 {
            hash.as_ref().sample(10, &mut rng, |field, _| count(field));
        }
        assert_eq!(hits.len(), 20);
        assert_eq!(hits.values().sum::<usize>(), 8_000);
        assert!(
            hits.values().all(|&hits| (300..500).contains(&hits)),
            "{hits:?}"
        );
    }
    assert_eq!(Hash::new().as_ref().random(&mut rng), None);
}

#[test]
fn a_sample_has_no_field_twice() {
    let mut rng = Rng::new([2; 32]);
    for entries in [0, 512] {
        let hash = numbered(50, &shape(entries, 64));
        for count in [0, 1, 5, 40, 50, 51, usize::MAX] {
            let mut fields = Vec::new();
            hash.as_ref()
                .sample(count, &mut rng, |field, _| fields.push(field.to_vec()));
            assert_eq!(fields.len(), count.min(50));
            fields.sort();
            fields.dedup();
            assert_eq!(fields.len(), count.min(50));
        }
    }
}

#[test]
fn a_walk_in_steps_meets_every_field_once() {
    let hash = numbered(3_000, &Shape::default());
    let mut seen = Vec::new();
    let mut cursor = 0;
    loop {
        let before = seen.len();
        cursor = hash
            .as_ref()
            .scan(cursor, 7, |field, _| seen.push(field.to_vec()));
        assert!(seen.len() - before <= 8);
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen.len(), 3_000);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3_000);
    let small = numbered(100, &Shape::default());
    let mut count = 0;
    assert_eq!(small.as_ref().scan(5, 1, |_, _| count += 1), 0);
    assert_eq!(count, 100);
}

#[test]
fn parts_are_of_the_moment_they_were_taken() {
    let shape = Shape::default();
    let mut hash = numbered(2_000, &shape);
    let before = content(hash.as_ref());
    let mut parts = hash.as_ref().parts().unwrap();
    for number in 0..2_000 {
        hash.set(number.to_string().as_bytes(), b"other", &shape);
        hash.remove((number / 2).to_string().as_bytes());
    }
    hash.check_invariants();
    let mut taken = Model::new();
    assert_eq!(parts.fields(), 2_000);
    while let Some(part) = parts.take() {
        taken.extend(
            part.iter()
                .map(|(field, value)| (field.to_vec(), value.to_vec())),
        );
    }
    assert_eq!(taken, before);
    assert!(numbered(2, &shape).as_ref().parts().is_none());
}

#[test]
fn a_large_hash_is_freed_in_slices() {
    let mut hash = numbered(5_000, &Shape::default());
    let copy = hash.as_ref().to_hash();
    let mut slices = 0;
    loop {
        let before = hash.memory();
        let mut left = 600;
        let done = hash.free_some(&mut left);
        assert!(hash.memory() < before);
        slices += 1;
        if done {
            break;
        }
    }
    assert!((4..=9).contains(&slices), "{slices}");
    assert_eq!(copy.as_ref().len(), 5_000);
    copy.check_invariants();
}

#[test]
fn a_short_field_takes_few_bytes() {
    let shape = Shape::default();
    let mut hash = Hash::new();
    for number in 0..100_000 {
        hash.set(format!("field:{number:06}").as_bytes(), b"value", &shape);
    }
    let each = hash.memory() / 100_000;
    assert!(each <= 56, "{each}");
}
