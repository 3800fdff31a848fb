//! The keyspace on the paths that GET, SET and INCR take.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use holdfast_core::keyspace::{Keyspace, Slot, Ttl};
use holdfast_core::rng::Rng;
use holdfast_core::value::ValueRef;

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
            match keyspace
                .db(0)
                .get(black_box(key))
                .map(|entry| entry.value())
            {
                Some(ValueRef::Str(text)) => text.len(),
                Some(ValueRef::List(_)) | None => 0,
            }
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

criterion_group!(benches, keyspace);
criterion_main!(benches);
