use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::keyspace::{Slot, Tracked, Ttl};
use crate::machine::Wall;
use crate::rng::Rng;

const SAMPLES: usize = 5;

fn key(number: usize) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

fn number(key: &[u8]) -> usize {
    let digits = key.strip_prefix(b"key:").expect("its prefix");
    core::str::from_utf8(digits).unwrap().parse().unwrap()
}

fn keyspace(seed: u8) -> Keyspace {
    Keyspace::new(3, &mut Rng::new([seed; 32]))
}

/// Chooses and removes as many entries; what went, in order.
fn evict(keys: &mut Keyspace, rule: Rule, count: usize, seed: u8) -> Vec<usize> {
    let mut rng = Rng::new([seed; 32]);
    let mut evictor = Evictor::default();
    let mut gone = Vec::new();
    while gone.len() < count {
        let mut budget = 10_000;
        match evictor.pick(keys, rule, SAMPLES, &mut rng, &mut budget) {
            Victim::Key { db, key } => {
                assert!(keys.db_mut(db).delete(&key), "what is chosen is there");
                gone.push(number(&key));
            }
            Victim::NotYet => {}
            Victim::Nothing => break,
        }
    }
    gone
}

fn rule(order: Order, expiring: bool) -> Rule {
    Rule { order, expiring }
}

fn at(secs: i64, tracked: Tracked) -> Usage {
    Usage::new(Wall::from_millis(1_700_000_000_000 + secs * 1_000), tracked)
}

/// A part of the whole.
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_oldest_half_goes_first(seed in any::<u8>(), total in 400..3_000usize) {
        let mut keys = keyspace(seed);
        for age in 0..total {
            keys.set_usage(at(age as i64, Tracked::Recency));
            keys.db_mut(age % 2).set_str(&key(age), b"x", Ttl::Clear);
        }
        let gone = evict(&mut keys, rule(Order::Recency, false), total / 2, seed);
        let old = gone.iter().filter(|&&age| age < total / 2).count();
        prop_assert!(share(old, gone.len()) > 0.85, "{old} of {}", gone.len());
        let young = gone.iter().filter(|&&age| age >= total * 9 / 10).count();
        prop_assert!(share(young, total / 10) < 0.02, "{young} of the youngest");
        keys.check_invariants();
    }

    #[test]
    fn the_rarely_used_go_first(seed in any::<u8>()) {
        let tracked = Tracked::Frequency { log_factor: 10, decay_minutes: 1 };
        let mut keys = keyspace(seed);
        keys.set_usage(at(0, tracked));
        let mut rng = Rng::new([seed; 32]);
        for name in 0..600 {
            keys.db_mut(0).set_str(&key(name), b"x", Ttl::Clear);
            for _ in 0..if name < 300 { 0 } else { 200 } {
                keys.db_mut(0).access(&key(name), Some(&mut rng));
            }
        }
        let gone = evict(&mut keys, rule(Order::Frequency, false), 250, seed);
        let rare = gone.iter().filter(|&&name| name < 300).count();
        prop_assert!(share(rare, gone.len()) > 0.97, "{rare} of {}", gone.len());
    }

    #[test]
    fn what_has_little_time_left_goes_first(seed in any::<u8>()) {
        let mut keys = keyspace(seed);
        for name in 0..1_000 {
            let expire = Ttl::At(Wall::from_millis(name as i64));
            keys.db_mut(0).set_str(&key(name), b"x", expire);
        }
        let gone = evict(&mut keys, rule(Order::Expiry, true), 500, seed);
        let soon = gone.iter().filter(|&&name| name < 500).count();
        prop_assert!(share(soon, gone.len()) > 0.85, "{soon} of {}", gone.len());
    }

    /// However few they are, and whatever else is done meanwhile, exactly those that expire go.
    #[test]
    fn only_what_expires_goes_where_only_that_may(
        seed in any::<u8>(),
        order in prop_oneof![
            Just(Order::Recency),
            Just(Order::Frequency),
            Just(Order::Expiry),
            Just(Order::Chance),
        ],
        total in 1..6_000usize,
        expiring in vec((0..6_000usize, any::<i64>()), 0..40),
    ) {
        let mut keys = keyspace(seed);
        for name in 0..total {
            keys.db_mut(name % 3).set_str(&key(name), b"x", Ttl::Clear);
        }
        let mut expected = BTreeMap::new();
        for (name, time) in expiring.into_iter().filter(|(name, _)| *name < total) {
            let time = Wall::from_millis(time);
            keys.db_mut(name % 3).set_expire(&key(name), Some(time));
            expected.insert(name, time);
        }
        let mut gone = evict(&mut keys, rule(order, true), usize::MAX, seed);
        gone.sort_unstable();
        prop_assert_eq!(gone, expected.into_keys().collect::<Vec<_>>());
        keys.check_invariants();
    }
}

#[test]
fn chance_spares_no_part_of_the_keys() {
    let mut keys = keyspace(5);
    for name in 0..1_000 {
        keys.db_mut(0).set_str(&key(name), b"x", Ttl::Clear);
    }
    let gone = evict(&mut keys, rule(Order::Chance, false), 500, 8);
    for part in 0..10 {
        let hit = gone.iter().filter(|&&name| name / 100 == part).count();
        assert!((30..70).contains(&hit), "{hit} of part {part}");
    }
    assert_eq!(
        evict(&mut keys, rule(Order::Chance, false), 600, 8).len(),
        500
    );
}

#[test]
fn a_candidate_that_changed_its_mind_is_passed_over() {
    let mut keys = keyspace(7);
    for name in 0..20 {
        let expire = Ttl::At(Wall::from_millis(name as i64));
        keys.db_mut(0).set_str(&key(name), b"x", expire);
    }
    let rule = rule(Order::Expiry, true);
    let (mut rng, mut evictor) = (Rng::new([1; 32]), Evictor::default());
    let mut pick = |keys: &mut Keyspace| {
        let mut budget = 1_000;
        evictor.pick(keys, rule, SAMPLES, &mut rng, &mut budget)
    };
    assert!(matches!(pick(&mut keys), Victim::Key { .. }));
    for name in 0..20 {
        match keys.db_mut(0).slot(&key(name)) {
            Slot::Taken(mut entry) if name % 2 == 0 => entry.set_expire(None),
            Slot::Taken(entry) if name != 19 => entry.delete(),
            Slot::Taken(_) | Slot::Vacant(_) => {}
        }
    }
    let left = Victim::Key {
        db: 0,
        key: key(19).into(),
    };
    assert_eq!(pick(&mut keys), left);
    keys.db_mut(0).delete(&key(19));
    assert_eq!(pick(&mut keys), Victim::Nothing);
}

#[test]
fn a_search_that_ran_out_of_its_budget_goes_on_where_it_was() {
    let mut keys = keyspace(9);
    for name in 0..30_000 {
        keys.db_mut(0).set_str(&key(name), b"x", Ttl::Clear);
    }
    keys.db_mut(0)
        .set_expire(&key(77), Some(Wall::from_millis(1)));
    let segments = keys.db(0).segment_count();
    let (mut rng, mut evictor) = (Rng::new([4; 32]), Evictor::default());
    for searches in 1.. {
        let mut budget = 50;
        let rule = rule(Order::Recency, true);
        match evictor.pick(&mut keys, rule, SAMPLES, &mut rng, &mut budget) {
            Victim::Key { key: found, .. } => {
                assert_eq!(*found, *key(77));
                break;
            }
            Victim::NotYet => assert!(searches <= segments, "it comes to an end"),
            Victim::Nothing => panic!("there is one"),
        }
    }
}

/// However large the database, and however few its keys that expire, finding one takes about as
/// many steps as there are segments between two of them.
#[test]
fn entries_that_expire_are_found_in_few_steps() {
    let rule = rule(Order::Recency, true);
    for (every, steps_max) in [(1, 20), (10, 80), (100, 130), (1_000, 150), (10_000, 300)] {
        let mut keys = keyspace(11);
        for name in 0..40_000 {
            let at = Wall::from_millis(1_000);
            let ttl = if name % every == 0 {
                Ttl::At(at)
            } else {
                Ttl::Clear
            };
            keys.db_mut(0).set_str(&key(name), b"x", ttl);
        }
        let (mut rng, mut evictor) = (Rng::new([2; 32]), Evictor::default());
        let mut steps = 0;
        for _ in 0..100 {
            let mut budget = 1_000_000;
            let victim = evictor.pick(&mut keys, rule, SAMPLES, &mut rng, &mut budget);
            assert!(matches!(victim, Victim::Key { .. }), "{every}");
            steps += 1_000_000 - budget;
        }
        assert!(
            steps / 100 <= steps_max,
            "one in {every}: {} steps",
            steps / 100
        );
    }
}
