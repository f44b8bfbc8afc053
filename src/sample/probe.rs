//! The figures that the JavaScript thread publishes and the sampling thread reads.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Instant;

use super::reading::{AfterGc, GcKind, GcTotals, HeapFigures};
use crate::units::{Bytes, Micros, UnixMillis};

/// How many major collections may pass between two samples before the oldest of them are forgotten.
///
/// 256 in one interval means eight a second at the default 30 s: a process that does nothing but collect.
const RING: u64 = 256;

/// How fresh the heap figures of a reading are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// How many refreshes there were.
    pub generation: u64,
    /// How long ago the last one was.
    pub age: Micros,
}

/// Who wrote the last figures: a full refresh knows the array buffers, a garbage collection does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Asked for by the sampling thread: every field.
    Refresh,
    /// From a GC epilogue or an interrupt: every field but the array buffers, whose last value stays.
    Hook,
}

/// One slot of the ring of major collections: a sequence lock of its own.
#[derive(Default)]
struct Slot {
    /// Index of the collection plus one, written last; 0 while the slot is being written or was never used.
    sequence: AtomicU64,
    at: AtomicU64,
    used: AtomicU64,
    external: AtomicU64,
}

/// Lock-free mailbox from one isolate's thread to the sampling thread.
///
/// One writer (the isolate's own thread: hooks, interrupts and refreshes all run there), any number of readers.
/// Nothing here allocates, locks or waits, so it is safe to write from inside a garbage collection.
pub struct Probe {
    epoch: Instant,
    /// Odd while the figures are being written.
    version: AtomicU64,
    used: AtomicU64,
    total: AtomicU64,
    external: AtomicU64,
    array_buffers: AtomicU64,
    limit: AtomicU64,
    /// Microseconds since `epoch` of the last publication.
    published: AtomicU64,
    /// How many refreshes there were.
    generation: AtomicU64,
    minor: AtomicU64,
    major: AtomicU64,
    pause_nanos: AtomicU64,
    ring: Box<[Slot]>,
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

impl Probe {
    /// An empty probe; the only allocation of its life.
    pub fn new() -> Self {
        Self {
            epoch: Instant::now(),
            version: AtomicU64::new(0),
            used: AtomicU64::new(0),
            total: AtomicU64::new(0),
            external: AtomicU64::new(0),
            array_buffers: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            published: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            minor: AtomicU64::new(0),
            major: AtomicU64::new(0),
            pause_nanos: AtomicU64::new(0),
            ring: (0..RING).map(|_| Slot::default()).collect(),
        }
    }

    /// Nanoseconds since the probe was made, for measuring a pause with one clock.
    pub fn nanos(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// Publishes figures. To be called on the isolate's thread only.
    pub fn publish(&self, figures: HeapFigures, channel: Channel) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.used.store(figures.used.0, Ordering::Relaxed);
        self.total.store(figures.total.0, Ordering::Relaxed);
        self.external.store(figures.external.0, Ordering::Relaxed);
        self.limit.store(figures.limit.0, Ordering::Relaxed);
        if channel == Channel::Refresh {
            self.array_buffers.store(figures.array_buffers.0, Ordering::Relaxed);
        }
        self.published.store(self.nanos() / 1000, Ordering::Relaxed);
        self.version.store(version.wrapping_add(2), Ordering::Release);
        if channel == Channel::Refresh {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// Records one garbage collection. To be called on the isolate's thread only.
    ///
    /// `after` holds the figures right after it and is used for a major collection alone; pass what is known.
    pub fn record_gc(&self, kind: GcKind, pause_nanos: u64, after: Option<HeapFigures>, at: UnixMillis) {
        self.pause_nanos.fetch_add(pause_nanos, Ordering::Relaxed);
        match kind {
            GcKind::Step => return,
            GcKind::Minor => {
                self.minor.fetch_add(1, Ordering::Relaxed);
                return;
            }
            GcKind::Major => {}
        }
        let index = self.major.load(Ordering::Relaxed);
        if let Some(after) = after {
            let slot = &self.ring[(index % RING) as usize];
            slot.sequence.store(0, Ordering::Relaxed);
            fence(Ordering::Release);
            slot.at.store(at.0, Ordering::Relaxed);
            slot.used.store(after.used.0, Ordering::Relaxed);
            slot.external.store(after.external.0, Ordering::Relaxed);
            slot.sequence.store(index + 1, Ordering::Release);
        }
        self.major.store(index + 1, Ordering::Release);
    }

    /// The last figures published, and how fresh they are.
    pub fn figures(&self) -> (HeapFigures, Freshness) {
        loop {
            let before = self.version.load(Ordering::Acquire);
            let generation = self.generation.load(Ordering::Acquire);
            let figures = HeapFigures {
                used: Bytes(self.used.load(Ordering::Relaxed)),
                total: Bytes(self.total.load(Ordering::Relaxed)),
                external: Bytes(self.external.load(Ordering::Relaxed)),
                array_buffers: Bytes(self.array_buffers.load(Ordering::Relaxed)),
                limit: Bytes(self.limit.load(Ordering::Relaxed)),
            };
            let published = self.published.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before {
                let age = Micros((self.nanos() / 1000).saturating_sub(published));
                return (figures, Freshness { generation, age });
            }
            std::hint::spin_loop();
        }
    }

    /// How many refreshes there were, to see whether one arrived.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Collections counted so far.
    pub fn gc_totals(&self) -> GcTotals {
        GcTotals {
            minor: self.minor.load(Ordering::Relaxed),
            major: self.major.load(Ordering::Acquire),
            pause: Micros(self.pause_nanos.load(Ordering::Relaxed) / 1000),
        }
    }

    /// Passes every major collection from number `from` on to `each`, oldest first, and returns the next number.
    ///
    /// Collections that the ring no longer holds are left out; a slot overwritten while it is read is left out too.
    pub fn major_gcs(&self, from: u64, mut each: impl FnMut(AfterGc)) -> u64 {
        let end = self.major.load(Ordering::Acquire);
        for index in from.max(end.saturating_sub(RING))..end {
            let slot = &self.ring[(index % RING) as usize];
            if slot.sequence.load(Ordering::Acquire) != index + 1 {
                continue;
            }
            let gc = AfterGc {
                kind: GcKind::Major,
                at: UnixMillis(slot.at.load(Ordering::Relaxed)),
                used: Bytes(slot.used.load(Ordering::Relaxed)),
                external: Bytes(slot.external.load(Ordering::Relaxed)),
            };
            fence(Ordering::Acquire);
            if slot.sequence.load(Ordering::Relaxed) == index + 1 {
                each(gc);
            }
        }
        end
    }

    /// The last major collection, once there was one.
    pub fn last_major_gc(&self) -> Option<AfterGc> {
        let end = self.major.load(Ordering::Acquire);
        let mut last = None;
        self.major_gcs(end.saturating_sub(1), |gc| last = Some(gc));
        last
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn figures(n: u64) -> HeapFigures {
        HeapFigures {
            used: Bytes(n),
            total: Bytes(n),
            external: Bytes(n),
            array_buffers: Bytes(n),
            limit: Bytes(n),
        }
    }

    #[test]
    fn a_hook_leaves_the_array_buffers_as_they_were() {
        let probe = Probe::new();
        probe.publish(figures(7), Channel::Refresh);
        probe.publish(HeapFigures { array_buffers: Bytes(0), ..figures(9) }, Channel::Hook);
        let (now, freshness) = probe.figures();
        assert_eq!((now.used, now.array_buffers), (Bytes(9), Bytes(7)));
        assert_eq!(freshness.generation, 1);
    }

    #[test]
    fn majors_come_out_once_in_order_and_only_the_newest_survive_a_flood() {
        let probe = Probe::new();
        let mut next = 0;
        for n in 0..3 {
            probe.record_gc(GcKind::Major, 10, Some(figures(n)), UnixMillis(n));
        }
        let mut seen = Vec::new();
        next = probe.major_gcs(next, |gc| seen.push(gc.used.0));
        assert_eq!(seen, [0, 1, 2]);
        next = probe.major_gcs(next, |_| panic!("nothing new"));
        for n in 3..3 + 2 * RING {
            probe.record_gc(GcKind::Major, 10, Some(figures(n)), UnixMillis(n));
        }
        seen.clear();
        probe.major_gcs(next, |gc| seen.push(gc.used.0));
        assert_eq!(seen, (3 + RING..3 + 2 * RING).collect::<Vec<_>>());
        assert_eq!(probe.last_major_gc().map(|gc| gc.used.0), Some(2 + 2 * RING));
    }

    #[test]
    fn minors_and_steps_are_counted_but_never_a_floor() {
        let probe = Probe::new();
        probe.record_gc(GcKind::Minor, 1_500, Some(figures(1)), UnixMillis(1));
        probe.record_gc(GcKind::Step, 2_500, Some(figures(1)), UnixMillis(1));
        assert_eq!(probe.gc_totals(), GcTotals { minor: 1, major: 0, pause: Micros(4) });
        assert_eq!(probe.last_major_gc(), None);
    }

    #[test]
    fn a_reader_never_sees_half_a_publication() {
        let probe = Arc::new(Probe::new());
        let stop = Arc::new(AtomicBool::new(false));
        let writer = {
            let (probe, stop) = (Arc::clone(&probe), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    n += 1;
                    probe.publish(figures(n), Channel::Refresh);
                    probe.record_gc(GcKind::Major, 1, Some(figures(n)), UnixMillis(n));
                }
            })
        };
        let mut next = 0;
        for _ in 0..20_000 {
            let (now, _) = probe.figures();
            assert_eq!(now, figures(now.used.0));
            next = probe.major_gcs(next, |gc| {
                assert_eq!((gc.used.0, gc.external.0), (gc.at.0, gc.at.0));
            });
        }
        stop.store(true, Ordering::Relaxed);
        assert!(writer.join().is_ok());
    }
}
