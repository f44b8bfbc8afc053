//! Each stage of an analysis by itself: `cargo bench --no-default-features --bench stages`.
//!
//! Measures the snapshot in `HEAPWARDEN_BENCH_SNAPSHOT`, plain or compressed; without that the small one of the tests.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use heapwarden::analysis::{
    Chosen, HistogramBuilder, Newer, OlderBuilder, SummaryOptions, retaining_paths, summarize,
};
use heapwarden::compress::Decoder;
use heapwarden::control::Control;
use heapwarden::graph::distance::Distances;
use heapwarden::graph::dominators::Dominators;
use heapwarden::graph::holding::Holding;
use heapwarden::graph::path::Paths;
use heapwarden::graph::{Graph, NodeSink, SparseStrings};
use heapwarden::snapshot::{NodeParser, SnapshotParser};

const CHUNK: usize = 256 * 1024;

fn text() -> Vec<u8> {
    let small =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("__test__/golden/devtools/node20.b.heapsnapshot.zst");
    let path = std::env::var_os("HEAPWARDEN_BENCH_SNAPSHOT").map_or(small, PathBuf::from);
    let mut stored = Vec::new();
    File::open(&path).expect("a snapshot").read_to_end(&mut stored).expect("readable");
    let (mut decoder, mut text) = (Decoder::new(), Vec::new());
    let mut sink = |piece: &[u8]| {
        text.extend_from_slice(piece);
        Ok(())
    };
    decoder.feed(&stored, &mut sink).expect("whole");
    decoder.finish(&mut sink).expect("whole");
    text
}

fn parse(text: &[u8]) -> Graph {
    let mut parser = SnapshotParser::new();
    text.chunks(CHUNK).for_each(|chunk| parser.feed(chunk).expect("a snapshot"));
    parser.finish().expect("a snapshot")
}

fn nodes(text: &[u8], sink: &mut dyn NodeSink) -> SparseStrings {
    let mut parser = NodeParser::new();
    text.chunks(CHUNK).for_each(|chunk| parser.feed(chunk, sink).expect("a snapshot"));
    parser.finish().expect("a snapshot")
}

fn stages(c: &mut Criterion) {
    let text = text();
    let go = AtomicBool::new(false);
    let graph = parse(&text);
    let holding = Holding::of(&graph, &go).expect("memory");
    let ids: Vec<u32> =
        graph.nodes().step_by(graph.node_count() / 10 + 1).map(|node| graph.id(node)).collect();

    // What is timed is right: the same counts by three ways.
    let mut histogram = HistogramBuilder::default();
    let names = nodes(&text, &mut histogram);
    let histogram = histogram.finish(&names);
    assert_eq!(histogram.node_count, graph.node_count() as u64);
    let summary = summarize(parse(&text), SummaryOptions::default(), &Control::new()).expect("memory");
    assert_eq!(histogram.total_shallow_size, summary.total_shallow_size);

    let mut group = c.benchmark_group("text");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(10);
    group.measurement_time(Duration::from_secs(3));
    group.bench_function("parse", |b| b.iter(|| parse(black_box(&text))));
    group.bench_function("histogram", |b| {
        b.iter(|| {
            let mut builder = HistogramBuilder::default();
            let names = nodes(black_box(&text), &mut builder);
            builder.finish(&names)
        });
    });
    group.bench_function("diff of nodes", |b| {
        b.iter(|| {
            let mut older = OlderBuilder::default();
            let names = nodes(black_box(&text), &mut older);
            let mut newer = Newer::new(older.finish(&names).expect("memory")).expect("memory");
            let names = nodes(&text, &mut newer);
            newer.finish(&names)
        });
    });
    for threads in [1, 2] {
        let options = SummaryOptions { threads, ..SummaryOptions::default() };
        group.bench_function(format!("summary without the parse, {threads} threads"), |b| {
            let summary = |graph| summarize(graph, options, &Control::new()).expect("memory");
            b.iter_batched(|| parse(&text), summary, BatchSize::PerIteration);
        });
    }
    group.finish();

    let mut group = c.benchmark_group("graph");
    group.throughput(Throughput::Elements(graph.edge_count() as u64)).sample_size(10);
    group.measurement_time(Duration::from_secs(2));
    group.bench_function("holding", |b| b.iter(|| Holding::of(black_box(&graph), &go)));
    group.bench_function("distances", |b| b.iter(|| Distances::of(black_box(&graph), &go)));
    group.bench_function("dominators", |b| b.iter(|| Dominators::of(black_box(&graph), &holding, &go)));
    group.bench_function("paths", |b| b.iter(|| Paths::of(black_box(&graph), &go)));
    group.bench_function("paths of ten", |b| {
        b.iter(|| retaining_paths(black_box(&graph), &Chosen::Ids(ids.clone()), &go));
    });
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
