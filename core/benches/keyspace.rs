//! The keyspace on the paths that GET, SET and INCR take.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use holdfast_core::keyspace::{Evictor, Keyspace, Order, Rule, Slot, Ttl, Victim};
use holdfast_core::machine::Wall;
use holdfast_core::rng::Rng;

const KEYS: u64 = 100_000;

fn keyspace(c: &mut Criterion) {
    let mut rng = Rng::new([1; 32]);
    let keys = (0..KEYS)
        .map(|number| format!("key:{number:012}").into_bytes())
        .collect::<Vec<_>>();
    let order = (0..KEYS)
        .map(|_| usize::try_from(rng.below(KEYS)).expect("an index"))
        .collect::<Vec<_>>();
    let mut picks = order.iter().cycle().map(|&index| keys[index].as_slice());
    let mut keyspace = Keyspace::new(1, &mut rng);
    for key in &keys {
        keyspace.db_mut(0).set_str(key, b"xxx", Ttl::Clear);
    }
    let mut group = c.benchmark_group("keyspace");
    group.bench_function("get hit", |bencher| {
        bencher.iter(|| {
            let key = picks.next().expect("endless");
            let found = keyspace.db(0).get(black_box(key));
            let text = found.and_then(|entry| entry.value().as_str());
            text.map_or(0, |text| text.len())
        });
    });
    group.bench_function("set existing", |bencher| {
        bencher.iter(|| {
            let key = picks.next().expect("endless");
            keyspace
                .db_mut(0)
                .set_str(black_box(key), b"yyy", Ttl::Clear);
        });
    });
    for key in &keys {
        keyspace.db_mut(0).set_str(key, b"0", Ttl::Clear);
    }
    group.bench_function("incr", |bencher| {
        bencher.iter(|| {
            let key = picks.next().expect("endless");
            let mut db = keyspace.db_mut(0);
            if let Slot::Taken(mut entry) = db.slot(black_box(key)) {
                let number = entry.value().as_str().and_then(|text| text.as_int());
                entry.set_int(number.unwrap_or(0) + 1, Ttl::Keep);
            }
        });
    });
    group.bench_function("set 10,000 new", |bencher| {
        bencher.iter_batched(
            || Keyspace::new(1, &mut Rng::new([2; 32])),
            |mut keyspace| {
                for key in &keys[..10_000] {
                    keyspace.db_mut(0).set_str(key, b"xxx", Ttl::Clear);
                }
                keyspace
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("scan of ten", |bencher| {
        let mut cursor = 0;
        bencher.iter(|| {
            cursor = keyspace.db(0).scan(cursor, 10, |entry| {
                black_box(entry.key());
            });
        });
    });
    group.finish();
}

/// Choosing and removing an entry, which is put back, so that there are always as many.
fn eviction(c: &mut Criterion) {
    let mut group = c.benchmark_group("evict");
    for (name, every, expiring) in [
        ("any, by recency", 1, false),
        ("one of those that expire, all do", 1, true),
        ("one of those that expire, 1 in 1,000 does", 1_000, true),
    ] {
        let mut rng = Rng::new([3; 32]);
        let mut keyspace = Keyspace::new(1, &mut rng);
        let ttl = Ttl::At(Wall::from_millis(1));
        for number in 0..KEYS {
            let key = format!("key:{number:012}");
            let ttl = if number % every == 0 { ttl } else { Ttl::Clear };
            keyspace.db_mut(0).set_str(key.as_bytes(), b"xxx", ttl);
        }
        let rule = Rule {
            order: Order::Recency,
            expiring,
        };
        let mut evictor = Evictor::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut budget = usize::MAX;
                let victim = evictor.pick(&mut keyspace, rule, 5, &mut rng, &mut budget);
                let Victim::Key { db, key } = victim else {
                    panic!("there is always one");
                };
                keyspace.db_mut(db).delete(&key);
                keyspace.db_mut(db).set_str(&key, b"xxx", ttl);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, keyspace, eviction);
criterion_main!(benches);
