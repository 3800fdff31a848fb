use super::*;
use crate::value::{KeyHasher, PackLimits};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Members with their scores; sorted when asked.
type Model = BTreeMap<Vec<u8>, f64>;

#[derive(Clone, Debug)]
enum Op {
    Insert(u32, f64, bool),
    Remove(u32),
    RemoveRange(usize, usize),
    Clone,
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-8..8_i32).prop_map(f64::from),
        1 => Just(f64::INFINITY),
        1 => Just(-0.5),
        2 => any::<i32>().prop_map(|it| f64::from(it) / 3.0),
    ]
}

fn op(members: u32) -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..members, score(), any::<bool>()).prop_map(|(m, s, l)| Op::Insert(m, s, l)),
        4 => (0..members).prop_map(Op::Remove),
        1 => (0..64_usize, 0..20_usize).prop_map(|(at, count)| Op::RemoveRange(at, count)),
        1 => Just(Op::Clone),
    ]
}

fn name(member: u32) -> Vec<u8> {
    // Of many lengths, a few of them beyond what lies in a page.
    let len = match member % 50 {
        49 => crate::limits::ZSET_INLINE_BYTES_MAX + 1,
        rest => rest as usize % 23,
    };
    let mut name = member.to_string().into_bytes();
    name.resize(name.len() + len, b'x');
    name
}

fn shape(entries: usize) -> Shape {
    Shape {
        zset: PackLimits { entries, value: 64 },
        ..Shape::new(KeyHasher::predictable())
    }
}

fn sorted(model: &Model) -> Vec<(&[u8], f64)> {
    let mut all: Vec<(&[u8], f64)> = model.iter().map(|(m, &s)| (m.as_slice(), s)).collect();
    all.sort_by(|a, b| (a.1, a.0).partial_cmp(&(b.1, b.0)).unwrap());
    all
}

fn check(zset: &Zset, model: &Model) {
    zset.check_invariants();
    let read = zset.as_ref();
    let all = sorted(model);
    assert_eq!(read.len(), all.len());
    assert!(read.iter().eq(all.iter().copied()));
    assert!(read.range(0..all.len(), true).eq(all.iter().rev().copied()));
    for (rank, &(member, score)) in all.iter().enumerate() {
        assert_eq!(read.score(member), Some(score));
        assert_eq!(read.rank(member), Some((rank, score)));
    }
    assert_eq!(read.score(b"nobody"), None);
    let half = all.len() / 3..all.len() / 2;
    assert!(
        read.range(half.clone(), false)
            .eq(all[half.clone()].iter().copied())
    );
    assert!(
        read.range(half.clone(), true)
            .eq(all[half].iter().rev().copied())
    );
    for bound in [-3.0, -0.5, 0.0, 2.0, f64::INFINITY] {
        for out in [false, true] {
            let range = ScoreRange {
                min: -2.0,
                above_min: out,
                max: bound,
                below_max: !out,
            };
            let inside = |s: f64| range.is_behind_min(s) && range.is_before_max(s);
            let within = range.is_empty().then_some(0);
            let count = within.unwrap_or_else(|| all.iter().filter(|it| inside(it.1)).count());
            let ranks = read.scores_within(range);
            assert_eq!(ranks.len(), count);
            assert!(all[ranks].iter().all(|it| inside(it.1)));
        }
    }
}

fn scanned(zset: ZsetRef<'_>, count: usize) -> Model {
    let (mut cursor, mut seen) = (0, Model::new());
    loop {
        cursor = zset.scan(cursor, count, |member, score| {
            assert_eq!(seen.insert(member.to_vec(), score), None);
        });
        if cursor == 0 {
            return seen;
        }
    }
}

fn run(ops: Vec<Op>, shape: &Shape) -> (Zset, Model) {
    let (mut zset, mut model) = (Zset::new(), Model::new());
    let mut clones = Vec::new();
    for op in ops {
        match op {
            Op::Insert(member, score, longer) => {
                let mut member = name(member);
                if longer {
                    member.push(b'y');
                }
                let before = model.insert(member.clone(), score);
                let change = match before {
                    None => ZsetChange::Inserted,
                    Some(before) if before == score => ZsetChange::Same,
                    Some(_) => ZsetChange::Updated,
                };
                assert_eq!(zset.insert(score, &member, shape), change);
            }
            Op::Remove(member) => {
                let member = name(member);
                assert_eq!(zset.remove(&member), model.remove(&member).is_some());
            }
            Op::RemoveRange(at, count) => {
                let at = at.min(model.len());
                let end = (at + count).min(model.len());
                let gone: Vec<Vec<u8>> = sorted(&model)[at..end]
                    .iter()
                    .map(|it| it.0.to_vec())
                    .collect();
                zset.remove_range(at..end);
                gone.iter().for_each(|member| {
                    model.remove(member);
                });
            }
            Op::Clone => clones.push((zset.clone(), model.clone())),
        }
    }
    for (zset, model) in &clones {
        check(zset, model);
    }
    (zset, model)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_small_set_behaves_as_the_model(ops in vec(op(40), 0..120)) {
        let (zset, model) = run(ops, &shape(128));
        check(&zset, &model);
        prop_assert_eq!(scanned(zset.as_ref(), 3), model);
    }

    #[test]
    fn a_large_set_behaves_as_the_model(ops in vec(op(2_000), 0..4_000)) {
        let (mut zset, model) = run(ops, &shape(0));
        check(&zset, &model);
        for count in [1, 10, 1_000] {
            prop_assert_eq!(scanned(zset.as_ref(), count), model.clone());
        }
        let mut parts = Model::new();
        if let Some(mut taken) = zset.as_ref().parts() {
            prop_assert_eq!(taken.len(), model.len());
            while taken.take(|member, score| { parts.insert(member.to_vec(), score); }).is_some() {}
            prop_assert_eq!(&parts, &model);
        }
        zset.settle(&shape(10_000));
        let long = model.keys().any(|member| member.len() > 64);
        prop_assert_eq!(zset.is_small(), !long);
        let steps = (0..).find(|_| zset.free_some(&mut 3));
        prop_assert!(steps.is_some());
        prop_assert_eq!(zset.memory(), 0);
    }

    #[test]
    fn members_of_equal_scores_are_found_by_their_bytes(
        members in vec(vec(any::<u8>(), 0..3), 1..400),
        ends in (vec(any::<u8>(), 0..3), vec(any::<u8>(), 0..3)),
        inside: (bool, bool),
    ) {
        let bound = |end, inside| if inside {
            LexBound::Including(end)
        } else {
            LexBound::Excluding(end)
        };
        let range = LexRange { min: bound(&ends.0, inside.0), max: bound(&ends.1, inside.1) };
        for entries in [0, 1_000] {
            let mut zset = Zset::new();
            for member in &members {
                zset.insert(1.0, member, &shape(entries));
            }
            let read = zset.as_ref();
            let within = |it: &[u8]| range.is_behind_min(it) && range.is_before_max(it);
            let count = read.iter().filter(|it| within(it.0)).count();
            for rev in [false, true] {
                let ranks = read.members_within(range, rev);
                prop_assert_eq!(ranks.len(), count);
                prop_assert!(read.range(ranks, rev).all(|it| within(it.0)));
            }
        }
    }
}

#[test]
fn an_ordered_or_shrinking_set_stays_sound_and_gives_memory_back() {
    let shape = shape(128);
    for step in [1, 7_919] {
        let (mut zset, count) = (Zset::new(), 30_000_u32);
        for at in 0..count {
            let score = f64::from(at * step % count);
            zset.insert(score, format!("member:{at:010}").as_bytes(), &shape);
        }
        zset.check_invariants();
        let full = zset.memory();
        assert!(full < 66 * count as usize, "{full} bytes");
        for at in (0..count).filter(|at| at % 20 != 0) {
            assert!(zset.remove(format!("member:{at:010}").as_bytes()));
        }
        zset.check_invariants();
        let left = zset.memory();
        assert!(left < full / 6, "{left} of {full} bytes are left");
        for at in 0..count / 2 {
            zset.insert(1.0, format!("other:{at}").as_bytes(), &shape);
        }
        zset.check_invariants();
        let len = zset.as_ref().len();
        assert_eq!(scanned(zset.as_ref(), 100).len(), len);
        zset.remove_range(0..len);
        zset.check_invariants();
        assert!(zset.is_empty());
    }
}
