//! What is recorded at each tick takes no memory from the allocator: counted, not believed.

// With Node the library has an allocator of its own, and a program has one.
#![cfg(not(feature = "node"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use heapwarden::recorder::{
    Event, Header, Incident, IncidentKind, IncidentPhase, Medium, Recorder, SMALLEST_BYTES,
};
use heapwarden::sample::Sample;
use heapwarden::units::{Bytes, Micros, UnixMillis};
use heapwarden::verdict::{ConfirmedBy, Verdict};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: all is left to the system's allocator; the counter is a thread's own and needs no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller vouches.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller vouches.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

struct Memory(Box<[AtomicU64]>);

impl Medium for Memory {
    fn put(&self, offset: usize, bytes: &[u8]) {
        for (place, word) in self.0[offset / 8..].iter().zip(bytes.chunks(8)) {
            place.store(u64::from(word[0]), Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

#[test]
fn a_tick_allocates_nothing() {
    let header = Header {
        bytes: SMALLEST_BYTES as u64,
        started_at: UnixMillis(1),
        pid: 1,
        thread_id: 0,
        os_thread: 1,
        interval: Micros(1),
        heap_limit: Bytes(1),
        container_limit: None,
        boot_id: String::new(),
        node: String::new(),
        title: String::new(),
    };
    let memory = (0..SMALLEST_BYTES / 8).map(|_| AtomicU64::new(0)).collect();
    let recorder = Recorder::begin(Box::new(Memory(memory)), &header);
    let verdict = Verdict {
        growth_bytes_per_second: 0.1 + 0.2,
        growth_interval: Some([1e-9, 1e9]),
        since: Some(UnixMillis(1_795_232_940_120)),
        eta_ms: Some(7),
        ..Verdict::default()
    };
    let by = ConfirmedBy {
        constructor_name: "Sessión \"x\"".into(),
        holder: "sessions".into(),
        captures: 3,
        growth_bytes_per_second: 0.5,
    };
    let sample = Sample::default();
    let incident = Event::Incident(Incident {
        kind: IncidentKind::ContainerLimit,
        phase: IncidentPhase::Began,
        used: Bytes(1),
        limit: Bytes(2),
        raised_to: Bytes(0),
        reason: "near".into(),
    });
    let gc = Event::MajorGc { used: Bytes(1), external: Bytes(2) };
    let counted = allocations(|| {
        for n in 0..1000 {
            recorder.pulse(&sample, &verdict, Some(&by));
            recorder.sample(&sample, &verdict, Some(&by));
            recorder.event(UnixMillis(n), &gc);
            recorder.event(UnixMillis(n), &incident);
            recorder.flush_if_wanted();
        }
    });
    assert_eq!(counted, 0);
    assert!(allocations(|| drop(std::hint::black_box(vec![1u8; 9]))) > 0, "it does count");
}
