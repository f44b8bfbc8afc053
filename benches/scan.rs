//! How many bytes of text a second each path of the number scanner reads, on text such as Node 20 and Node 24 write.
//!
//! `cargo bench --no-default-features --features fuzzing --bench scan`. With `HEAPWARDEN_BENCH_SNAPSHOT` set to a `.heapsnapshot`, its
//! arrays are read too.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use heapwarden::snapshot::fuzzing::{Path, each_batch};

/// As much as the parser is fed at a time.
const CHUNK: usize = 64 * 1024;

/// A repeatable source of numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn array(records: usize, newlines: bool, mut record: impl FnMut(usize) -> Vec<u64>) -> Vec<u8> {
    let mut text = String::new();
    for at in 0..records {
        let separator = match (at, newlines) {
            (0, _) => "",
            (_, true) => "\n,",
            (_, false) => ",",
        };
        text += separator;
        text += &record(at).iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    }
    text += if newlines { "\n]" } else { "]" };
    text.into_bytes()
}

/// Type, name or index, and a target that is near as often as far, among `nodes`.
fn edges(nodes: u64, newlines: bool) -> Vec<u8> {
    let mut random = Random(7);
    let stride = if newlines { 7 } else { 6 };
    array(700_000, newlines, |at| {
        let kind = random.below(6);
        let name = if kind == 1 { random.below(100) } else { random.below(40_000) };
        let near = (at as u64 * nodes / 700_000 + random.below(50)) % nodes;
        let to = if random.below(2) == 0 { near } else { random.below(nodes) };
        vec![kind, name, to * stride]
    })
}

/// Type, name, id, self size, edge count, (trace node) and detachedness.
fn nodes(newlines: bool) -> Vec<u8> {
    let mut random = Random(11);
    array(300_000, newlines, |at| {
        let name = if random.below(3) == 0 { random.below(40_000) } else { random.below(300) };
        let size = if random.below(50) == 0 { random.below(100_000) } else { 8 * random.below(12) };
        let mut node = vec![random.below(14), name, at as u64 * 2 + 1, size, random.below(8)];
        node.extend(if newlines { &[0, 0][..] } else { &[0] });
        node
    })
}

/// The text of a snapshot's array, if there is a file.
fn real(key: &str) -> Option<Vec<u8>> {
    let text = std::fs::read(std::env::var_os("HEAPWARDEN_BENCH_SNAPSHOT")?).expect("a readable snapshot");
    let opening = format!("\"{key}\":[");
    let start = memchr::memmem::find(&text, opening.as_bytes()).expect(key) + opening.len();
    let len = memchr::memchr(b']', &text[start..]).expect("]") + 1;
    Some(text[start..start + len].to_vec())
}

fn everything(path: Path, text: &[u8]) -> Vec<u32> {
    let mut all = Vec::new();
    each_batch(path, text, CHUNK, |values| all.extend_from_slice(values)).expect("numbers");
    all
}

fn scan(c: &mut Criterion) {
    let mut texts = vec![
        ("edges-node20", edges(1_000_000, true)),
        ("edges-node24", edges(1_000_000, false)),
        ("edges-node20-28M-nodes", edges(28_000_000, true)),
        ("nodes-node20", nodes(true)),
        ("nodes-node24", nodes(false)),
    ];
    texts.extend(real("edges").map(|text| ("edges-real", text)));
    texts.extend(real("nodes").map(|text| ("nodes-real", text)));
    for (name, text) in &texts {
        let expected = everything(Path::Bytewise, text);
        let mut group = c.benchmark_group(*name);
        group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
        for path in Path::all_available() {
            assert_eq!(everything(path, text), expected, "{path:?} on {name}");
            group.bench_with_input(BenchmarkId::from_parameter(format!("{path:?}")), text, |b, text| {
                b.iter(|| {
                    each_batch(path, text, CHUNK, |values| {
                        black_box(values);
                    })
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, scan);
criterion_main!(benches);
