use std::collections::BTreeMap;

use holdfast_core::value::{LexBound, LexRange, ScoreRange, Shape, Zset, ZsetChange};

use super::input::Input;
use super::stage::{Kind, pack_limits};

pub(super) struct Zsets;

type Model = BTreeMap<Vec<u8>, f64>;

impl Kind for Zsets {
    type Value = Zset;
    type Model = Model;

    fn limit(shape: &mut Shape, input: &mut Input<'_>) {
        shape.zset = pack_limits(input);
    }

    fn change(zset: &mut Zset, model: &mut Model, shape: &Shape, input: &mut Input<'_>) {
        match input.below(16) {
            0..=6 => insert(zset, model, shape, score(input), input.text()),
            7 => {
                let (count, member) = (1 + input.below(40), input.text());
                zset.will_grow(count, member.len(), shape);
                insert(zset, model, shape, score(input), member);
            }
            8 => {
                let (first, from, count) = (score(input), input.below(2_000), input.below(500));
                for number in from..from + count {
                    let score = first + (number * 7 % 11) as f64;
                    insert(zset, model, shape, score, named(number));
                }
            }
            9 | 10 => {
                let member = input.text();
                assert_eq!(zset.remove(&member), model.remove(&member).is_some());
            }
            11 => {
                let at = input.below(model.len() + 1);
                let some = input.below(300).min(model.len() - at);
                let all = sorted(model).into_iter().skip(at).take(some);
                let gone: Vec<Vec<u8>> = all.map(|(member, _)| member.to_vec()).collect();
                zset.remove_range(at..at + some);
                model.retain(|member, _| !gone.contains(member));
            }
            12 => zset.settle(shape),
            13 => within_scores(zset, model, input),
            14 => within_members(shape, input),
            _ => scan(zset, model, 1 + input.below(300)),
        }
        assert_eq!(zset.as_ref().len(), model.len());
    }

    fn len(model: &Model) -> usize {
        model.len()
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
        let some = all.len() / 3..all.len() / 2;
        let part = all[some.clone()].iter().copied();
        assert!(read.range(some.clone(), false).eq(part.clone()));
        assert!(read.range(some, true).eq(part.rev()));
    }
}

fn score(input: &mut Input<'_>) -> f64 {
    match input.below(8) {
        0..=3 => input.below(16) as f64 - 8.0,
        4 => input.pick(&[f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.5, 1e300]),
        5 => f64::from_bits(input.integer().cast_unsigned()),
        _ => input.integer() as f64 / 3.0,
    }
}

/// Members of many lengths, a few of them beyond what lies in a page.
fn named(number: usize) -> Vec<u8> {
    let mut name = format!("member:{number}").into_bytes();
    let longer = if number % 50 == 49 {
        1_001
    } else {
        number % 23
    };
    name.resize(name.len() + longer, b'x');
    name
}

fn sorted(model: &Model) -> Vec<(&[u8], f64)> {
    let mut all: Vec<(&[u8], f64)> = model.iter().map(|(m, &s)| (m.as_slice(), s)).collect();
    all.sort_by(|one, other| {
        let order = one.1.partial_cmp(&other.1).expect("no score is none");
        order.then(one.0.cmp(other.0))
    });
    all
}

fn insert(zset: &mut Zset, model: &mut Model, shape: &Shape, score: f64, member: Vec<u8>) {
    // Commands refuse what is no number.
    let score = if score.is_nan() { 0.0 } else { score };
    let change = match model.get(&member) {
        None => ZsetChange::Inserted,
        Some(&before) if before == score => ZsetChange::Same,
        Some(_) => ZsetChange::Updated,
    };
    assert_eq!(zset.insert(score, &member, shape), change);
    model.insert(member, score);
}

fn within_scores(zset: &Zset, model: &Model, input: &mut Input<'_>) {
    let range = ScoreRange {
        min: score(input),
        above_min: input.is(),
        max: score(input),
        below_max: input.is(),
    };
    if range.min.is_nan() || range.max.is_nan() {
        return;
    }
    let inside = |score: f64| range.is_behind_min(score) && range.is_before_max(score);
    let all = sorted(model);
    let ranks = zset.as_ref().scores_within(range);
    let count = all.iter().filter(|(_, score)| inside(*score)).count();
    assert_eq!(ranks.len(), if range.is_empty() { 0 } else { count });
    assert!(all[ranks].iter().all(|(_, score)| inside(*score)));
}

/// Ranges of members, for which all scores have to be equal.
fn within_members(shape: &Shape, input: &mut Input<'_>) {
    let mut zset = Zset::new();
    for _ in 0..input.below(40) {
        zset.insert(1.0, &input.text(), shape);
    }
    let ends = (input.text(), input.text());
    let bound = |end, kind| match kind {
        0 => LexBound::Lowest,
        1 => LexBound::Highest,
        2 => LexBound::Including(end),
        _ => LexBound::Excluding(end),
    };
    let range = LexRange {
        min: bound(ends.0.as_slice(), input.below(4)),
        max: bound(ends.1.as_slice(), input.below(4)),
    };
    let read = zset.as_ref();
    let within = |member: &[u8]| range.is_behind_min(member) && range.is_before_max(member);
    let count = read.iter().filter(|(member, _)| within(member)).count();
    for rev in [false, true] {
        let ranks = read.members_within(range, rev);
        assert_eq!(ranks.len(), count);
        assert!(read.range(ranks, rev).all(|(member, _)| within(member)));
    }
}

fn scan(zset: &Zset, model: &Model, count: usize) {
    let (mut cursor, mut seen) = (0, Model::new());
    loop {
        cursor = zset.as_ref().scan(cursor, count, |member, score| {
            assert_eq!(seen.insert(member.to_vec(), score), None);
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen, *model);
}
