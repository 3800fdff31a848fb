//! What it costs to find commands in bytes and to write replies.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast_core::conn::{Conns, LogPos, OutBuf};
use holdfast_core::machine::{ConnId, Slices};
use holdfast_core::resp::{Argv, ParseLimits, Proto, Reply, Sender, encode_command};

const LIMITS: ParseLimits = ParseLimits {
    bulk_max: 512 * 1024 * 1024,
    authenticated: true,
    from: Sender::Client,
};

/// Commands in one read, as of a client with this pipeline.
const PIPELINE: usize = 16;

fn pipeline(args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    (0..PIPELINE).for_each(|_| encode_command(&mut bytes, args));
    bytes
}

/// One read of a connection: the bytes come, the commands are found, the input is put back.
fn receive(conns: &mut Conns<()>, id: ConnId, argv: &mut Argv, bytes: &[u8]) -> usize {
    conns.read_space(id)[..bytes.len()].copy_from_slice(bytes);
    let mut input = conns.take_input(id, bytes.len());
    let mut found = 0;
    while let Ok(Some(args)) = input.next(argv, &LIMITS) {
        found += black_box(args).len();
    }
    conns.put_back(id, input);
    found
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    let value = [b'v'; 64];
    for (name, bytes) in [
        ("get", pipeline(&[b"GET", b"key:000000012345"])),
        ("set_3", pipeline(&[b"SET", b"key:000000012345", b"xxx"])),
        ("set_64", pipeline(&[b"SET", b"key:000000012345", &value])),
        ("inline_get", b"GET key:000000012345\r\n".repeat(PIPELINE)),
    ] {
        let mut conns = Conns::new();
        let mut argv = Argv::default();
        let id = conns.insert(None, ());
        group.bench_function(name, |b| {
            b.iter(|| receive(&mut conns, id, &mut argv, black_box(&bytes)));
        });
    }
    group.finish();
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    let value = [b'v'; 64];
    let mut run = |name, write: &dyn Fn(&mut Reply<'_>)| {
        let mut out = OutBuf::default();
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut reply = Reply::new(&mut out, Proto::Resp2);
                (0..PIPELINE).for_each(|_| write(&mut reply));
                drain(&mut out)
            });
        });
    };
    run("ok", &|reply| reply.ok());
    run("int", &|reply| reply.int(black_box(123_456)));
    run("bulk_3", &|reply| reply.bulk(black_box(b"xxx")));
    run("bulk_64", &|reply| reply.bulk(black_box(&value)));
    run("null", &|reply| reply.null());
    run("double", &|reply| reply.double(black_box(3.25)));
    group.finish();
}

/// A long reply that is sent in parts.
fn stream(c: &mut Criterion) {
    let mut group = c.benchmark_group("stream");
    let elements = 10_000;
    group.throughput(Throughput::Elements(elements as u64));
    let mut out = OutBuf::default();
    group.bench_function("array_of_bulk_10", |b| {
        b.iter(|| {
            let mut reply = Reply::new(&mut out, Proto::Resp2);
            reply.array(elements);
            (0..elements).for_each(|_| reply.bulk(black_box(b"0123456789")));
            drain(&mut out)
        });
    });
    group.finish();
}

fn drain(out: &mut OutBuf) -> usize {
    let mut sent = 0;
    while !out.is_empty() {
        let mut slices = Slices::new();
        out.writable(LogPos(0), &mut slices);
        let lent = black_box(slices).iter().map(|slice| slice.len()).sum();
        out.consume(lent, LogPos(0));
        sent += lent;
    }
    sent
}

criterion_group!(benches, parse, encode, stream);
criterion_main!(benches);
