//! A snapshot of small strings, its loading, and LZF.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_core::keyspace::{Keyspace, Ttl};
use holdfast_core::machine::Wall;
use holdfast_core::persist::load::{Expired, Intake};
use holdfast_core::persist::lzf::{Compressor, decompress};
use holdfast_core::persist::rdb::{Decoder, Options};
use holdfast_core::persist::snapshot::{Snapshot, SnapshotOptions};
use holdfast_core::rng::Rng;

const KEYS: u64 = 100_000;

fn filled() -> Keyspace {
    let mut keyspace = Keyspace::new(1, &mut Rng::new([1; 32]));
    for number in 0..KEYS {
        let (key, text) = (format!("key:{number:012}"), format!("{number:0100}"));
        keyspace
            .db_mut(0)
            .set_str(key.as_bytes(), text.as_bytes(), Ttl::Clear);
    }
    keyspace
}

fn snapshot(keyspace: &mut Keyspace, compress: bool) -> Vec<Bytes> {
    let options = SnapshotOptions {
        compress,
        checksum: true,
        ..SnapshotOptions::default()
    };
    let mut snapshot = Snapshot::begin(keyspace, &options);
    let mut chunks = Vec::new();
    while !snapshot.is_done() {
        snapshot.step(keyspace);
        while let Some(chunk) = snapshot.poll_chunk(keyspace) {
            chunks.push(chunk);
        }
    }
    snapshot.end(keyspace);
    chunks
}

fn load(chunks: &[Bytes]) -> Keyspace {
    let mut keyspace = Keyspace::new(1, &mut Rng::new([2; 32]));
    let mut decoder = Decoder::new(Options::default());
    let mut intake = Intake::new(Wall::from_millis(0), Expired::Keep);
    for chunk in chunks {
        decoder.feed(chunk);
        let taken = intake.take_from(&mut decoder, &mut keyspace, &mut { usize::MAX });
        taken.expect("we wrote it, and it fits");
    }
    keyspace
}

fn dataset(c: &mut Criterion) {
    let mut keyspace = filled();
    let mut group = c.benchmark_group("rdb");
    group.sample_size(10).throughput(Throughput::Elements(KEYS));
    for (name, compress) in [("compressed", true), ("plain", false)] {
        group.bench_function(format!("snapshot {name}"), |bencher| {
            bencher.iter(|| snapshot(black_box(&mut keyspace), compress));
        });
        let chunks = snapshot(&mut keyspace, compress);
        group.bench_function(format!("load {name}"), |bencher| {
            bencher.iter_batched(
                || (),
                |()| load(black_box(&chunks)),
                BatchSize::PerIteration,
            );
        });
    }
}

fn lzf(c: &mut Criterion) {
    let words = [
        "master ",
        "replica ",
        "sentinel ",
        "offset ",
        "epoch ",
        "42 ",
        "failover ",
    ];
    let mut rng = Rng::new([3; 32]);
    let mut text = Vec::new();
    while text.len() < 8192 {
        let word = usize::try_from(rng.below(words.len() as u64)).expect("an index");
        text.extend_from_slice(words[word].as_bytes());
    }
    let mut noise = vec![0; 8192];
    rng.fill(&mut noise);
    let mut group = c.benchmark_group("lzf");
    // As values often are: short, and alike within themselves.
    let short = format!("{:0100}", 7_919).into_bytes();
    for (name, input) in [("text", &text), ("noise", &noise), ("short", &short)] {
        group.throughput(Throughput::Bytes(input.len() as u64));
        let mut compressor = Compressor::new();
        let mut block = Vec::new();
        group.bench_function(format!("compress {name}"), |bencher| {
            bencher.iter(|| {
                block.clear();
                compressor.compress(black_box(input), input.len(), &mut block)
            });
        });
        if !block.is_empty() {
            let mut plain = Vec::new();
            group.bench_function(format!("decompress {name}"), |bencher| {
                bencher.iter(|| {
                    plain.clear();
                    decompress(black_box(&block), input.len(), &mut plain)
                });
            });
        }
    }
}

criterion_group!(benches, dataset, lzf);
criterion_main!(benches);
