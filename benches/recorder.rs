//! What a record in the black box costs the thread that writes it: with the checksum, into memory as a mapped file is.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use heapwarden::recorder::{DEFAULT_BYTES, Event, Header, Medium, Recorder};
use heapwarden::sample::Sample;
use heapwarden::units::{Bytes, Micros, UnixMillis};
use heapwarden::verdict::{Status, Verdict};

/// Words that are stored one by one, as those of a mapping are.
struct Memory(Box<[AtomicU64]>);

impl Medium for Memory {
    fn put(&self, offset: usize, bytes: &[u8]) {
        for (place, word) in self.0[offset / 8..].iter().zip(bytes.chunks(8)) {
            let mut whole = [0; 8];
            whole[..word.len()].copy_from_slice(word);
            place.store(u64::from_ne_bytes(whole), Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

fn recorder() -> Recorder {
    let memory = (0..DEFAULT_BYTES / 8).map(|_| AtomicU64::new(0)).collect();
    let header = Header {
        bytes: DEFAULT_BYTES as u64,
        started_at: UnixMillis(1),
        pid: 1,
        thread_id: 0,
        os_thread: 1,
        interval: Micros(30_000_000),
        heap_limit: Bytes::mib(4096),
        container_limit: None,
        boot_id: String::new(),
        node: "v24.0.0".into(),
        title: "node".into(),
    };
    Recorder::begin(Box::new(Memory(memory)), &header)
}

fn append(c: &mut Criterion) {
    let recorder = recorder();
    let mut sample = Sample::default();
    sample.reading.at = UnixMillis(1_795_232_940_120);
    sample.reading.heap.used = Bytes::mib(100);
    let verdict = Verdict { status: Status::Leak, growth_bytes_per_second: 1234.5, ..Verdict::default() };
    let gc = Event::MajorGc { used: Bytes::mib(90), external: Bytes::mib(5) };
    let mut group = c.benchmark_group("recorder");
    group.bench_function("sample, with the state", |b| {
        b.iter(|| recorder.sample(black_box(&sample), &verdict, None))
    });
    group.bench_function("state", |b| b.iter(|| recorder.pulse(black_box(&sample), &verdict, None)));
    group.bench_function("event", |b| b.iter(|| recorder.event(UnixMillis(1), black_box(&gc))));
    group.finish();
}

criterion_group!(benches, append);
criterion_main!(benches);
