//! The figures' work under criterion: `cargo bench -p chartseal-benches`.

use std::hint::black_box;

use chartseal_benches::{codec, merkle};
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_wire::Entry;
use criterion::{Criterion, criterion_group, criterion_main};

fn primitives(c: &mut Criterion) {
    let entry = codec::entry();
    let bytes = to_bytes(&entry);
    c.bench_function("codec/encode", |b| b.iter(|| to_bytes(black_box(&entry))));
    c.bench_function("codec/decode", |b| {
        b.iter(|| from_bytes::<Entry>(black_box(&bytes)));
    });

    c.bench_function("merkle/append 10,000", |b| b.iter(|| merkle::log(10_000)));
    let (map, changes) = (merkle::map(100_000), merkle::changes(1_000));
    c.bench_function("merkle/map-update 1,000", |b| {
        b.iter(|| map.update(changes.clone()));
    });
}

criterion_group!(benches, primitives);
criterion_main!(benches);
