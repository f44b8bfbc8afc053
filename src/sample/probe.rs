//! The figures that the JavaScript thread publishes and the sampling thread reads.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Instant;

use super::reading::{AfterGc, GcKind, GcTotals, HeapFigures, Load};
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
    /// For a minor collection: how many major ones came before it.
    majors: AtomicU64,
}

impl Slot {
    /// To be called by the one writer.
    fn write(&self, sequence: u64, majors: u64, at: UnixMillis, after: HeapFigures) {
        self.sequence.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        self.at.store(at.0, Ordering::Relaxed);
        self.used.store(after.used.0, Ordering::Relaxed);
        self.external.store(after.external.0, Ordering::Relaxed);
        self.majors.store(majors, Ordering::Relaxed);
        self.sequence.store(sequence, Ordering::Release);
    }

    /// The collection, with its sequence number and how many major ones came before it; nothing where it is being written.
    fn read(&self, kind: GcKind) -> Option<(AfterGc, u64, u64)> {
        let sequence = self.sequence.load(Ordering::Acquire);
        let gc = AfterGc {
            kind,
            at: UnixMillis(self.at.load(Ordering::Relaxed)),
            used: Bytes(self.used.load(Ordering::Relaxed)),
            external: Bytes(self.external.load(Ordering::Relaxed)),
        };
        let majors = self.majors.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let whole = sequence != 0 && self.sequence.load(Ordering::Relaxed) == sequence;
        whole.then_some((gc, sequence, majors))
    }
}

/// `counted` of a probe that has seen no figures.
const NOTHING_COUNTED: u64 = u64::MAX;

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
    /// Sum of all rises of the used heap from one measurement to the next.
    allocated: AtomicU64,
    /// The used heap up to which `allocated` has counted.
    counted: AtomicU64,
    requests: AtomicU64,
    /// Microseconds since `epoch` of the last publication.
    published: AtomicU64,
    /// How many refreshes there were.
    generation: AtomicU64,
    minor: AtomicU64,
    major: AtomicU64,
    /// Incremental marking, weak callbacks.
    steps: AtomicU64,
    /// By kind: minor, major, step.
    pause_nanos: [AtomicU64; 3],
    /// The longest pause since it was last asked for, in nanoseconds times four, and in the last two bits of which kind it was.
    longest: AtomicU64,
    ring: Box<[Slot]>,
    last_minor: Slot,
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
            allocated: AtomicU64::new(0),
            counted: AtomicU64::new(NOTHING_COUNTED),
            requests: AtomicU64::new(0),
            published: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            minor: AtomicU64::new(0),
            major: AtomicU64::new(0),
            steps: AtomicU64::new(0),
            pause_nanos: Default::default(),
            longest: AtomicU64::new(0),
            ring: (0..RING).map(|_| Slot::default()).collect(),
            last_minor: Slot::default(),
        }
    }

    /// Nanoseconds since the probe was made, for measuring a pause with one clock.
    pub fn nanos(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// Publishes figures. To be called on the isolate's thread only.
    ///
    /// Published before and after each collection, the used heap rises by nothing but what was allocated, and `allocated` is
    /// exact but for what V8 gives back between two collections by sweeping and trimming.
    pub fn publish(&self, figures: HeapFigures, channel: Channel) {
        let version = self.begin();
        self.count(figures.used);
        self.used.store(figures.used.0, Ordering::Relaxed);
        self.total.store(figures.total.0, Ordering::Relaxed);
        self.external.store(figures.external.0, Ordering::Relaxed);
        self.limit.store(figures.limit.0, Ordering::Relaxed);
        if channel == Channel::Refresh {
            self.array_buffers.store(figures.array_buffers.0, Ordering::Relaxed);
        }
        self.published.store(self.nanos() / 1000, Ordering::Relaxed);
        self.end(version);
        if channel == Channel::Refresh {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// Counts what was allocated between figures that are told late and are not to be published: the used heap `before` and
    /// `after` a collection. To be called on the isolate's thread only, in the order of the collections.
    pub fn count_allocation(&self, before: Bytes, after: Bytes) {
        let version = self.begin();
        self.count(before);
        self.count(after);
        self.end(version);
    }

    /// Publishes how many requests there were. To be called on the isolate's thread only.
    pub fn set_requests(&self, requests: u64) {
        let version = self.begin();
        self.requests.store(requests, Ordering::Relaxed);
        self.end(version);
    }

    fn begin(&self) -> u64 {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        version
    }

    fn end(&self, version: u64) {
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    fn count(&self, used: Bytes) {
        let counted = self.counted.load(Ordering::Relaxed);
        if counted != NOTHING_COUNTED {
            let allocated = self.allocated.load(Ordering::Relaxed);
            let more = used.0.saturating_sub(counted);
            self.allocated.store(allocated.saturating_add(more), Ordering::Relaxed);
        }
        self.counted.store(used.0, Ordering::Relaxed);
    }

    /// Records one garbage collection. To be called on the isolate's thread only.
    ///
    /// `after` holds the figures right after it; nothing where they are not exact.
    pub fn record_gc(&self, kind: GcKind, pause_nanos: u64, after: Option<HeapFigures>, at: UnixMillis) {
        self.pause_nanos[kind as usize].fetch_add(pause_nanos, Ordering::Relaxed);
        let tag = match kind {
            GcKind::Minor => 0,
            GcKind::Major => 1,
            GcKind::Step => 2,
        };
        self.longest.fetch_max(pause_nanos.saturating_mul(4) | tag, Ordering::Relaxed);
        match kind {
            GcKind::Step => {
                self.steps.fetch_add(1, Ordering::Relaxed);
                return;
            }
            GcKind::Minor => {
                let index = self.minor.load(Ordering::Relaxed);
                if let Some(after) = after {
                    self.last_minor.write(index + 1, self.major.load(Ordering::Relaxed), at, after);
                }
                self.minor.store(index + 1, Ordering::Release);
                return;
            }
            GcKind::Major => {}
        }
        let index = self.major.load(Ordering::Relaxed);
        if let Some(after) = after {
            self.ring[(index % RING) as usize].write(index + 1, index, at, after);
        }
        self.major.store(index + 1, Ordering::Release);
    }

    /// The last figures published with the load up to them, and how fresh they are.
    pub fn figures(&self) -> (HeapFigures, Load, Freshness) {
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
            let load = Load {
                allocated: Bytes(self.allocated.load(Ordering::Relaxed)),
                requests: self.requests.load(Ordering::Relaxed),
            };
            let published = self.published.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before {
                let age = Micros((self.nanos() / 1000).saturating_sub(published));
                return (figures, load, Freshness { generation, age });
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
            minor: self.minor.load(Ordering::Acquire),
            major: self.major.load(Ordering::Acquire),
            pause: Micros(self.pause_nanos.iter().map(|n| n.load(Ordering::Relaxed)).sum::<u64>() / 1000),
        }
    }

    /// The longest pause since this was last asked, and of which kind the collection was; nothing where there was none.
    pub fn take_longest_pause(&self) -> Option<(GcKind, Micros)> {
        let longest = self.longest.swap(0, Ordering::Relaxed);
        let kind = match longest % 4 {
            0 => GcKind::Minor,
            1 => GcKind::Major,
            _ => GcKind::Step,
        };
        (longest > 3).then_some((kind, Micros(longest / 4 / 1000)))
    }

    /// Collections of one kind counted so far, and how long they kept JavaScript waiting.
    pub fn gc_of(&self, kind: GcKind) -> (u64, Micros) {
        let count = match kind {
            GcKind::Minor => &self.minor,
            GcKind::Major => &self.major,
            GcKind::Step => &self.steps,
        };
        let pause = &self.pause_nanos[kind as usize];
        (count.load(Ordering::Acquire), Micros(pause.load(Ordering::Relaxed) / 1000))
    }

    /// Bytes that a probe takes.
    pub fn size(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.ring)
    }

    /// Passes every major collection from number `from` on to `each`, oldest first, and returns the next number.
    ///
    /// Collections that the ring no longer holds are left out; a slot overwritten while it is read is left out too.
    pub fn major_gcs(&self, from: u64, mut each: impl FnMut(AfterGc)) -> u64 {
        let end = self.major.load(Ordering::Acquire);
        for index in from.max(end.saturating_sub(RING))..end {
            let slot = &self.ring[(index % RING) as usize];
            if let Some((gc, sequence, _)) = slot.read(GcKind::Major)
                && sequence == index + 1
            {
                each(gc);
            }
        }
        end
    }

    /// The last minor collection and its number, if `minors` of its kind came before it at least and `majors` major ones exactly;
    /// nothing, too, where it is being written.
    pub fn last_minor_gc(&self, minors: u64, majors: u64) -> Option<(AfterGc, u64)> {
        let (gc, number, before) = self.last_minor.read(GcKind::Minor)?;
        (number > minors && before == majors).then_some((gc, number))
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
        let (now, _, freshness) = probe.figures();
        assert_eq!((now.used, now.array_buffers), (Bytes(9), Bytes(7)));
        assert_eq!(freshness.generation, 1);
    }

    #[test]
    fn the_longest_pause_is_told_once() {
        let probe = Probe::new();
        assert_eq!(probe.take_longest_pause(), None);
        for (kind, micros) in
            [(GcKind::Minor, 3), (GcKind::Step, 70), (GcKind::Major, 70), (GcKind::Minor, 9)]
        {
            probe.record_gc(kind, micros * 1000, None, UnixMillis(0));
        }
        assert_eq!(probe.take_longest_pause().map(|(_, pause)| pause), Some(Micros(70)));
        assert_eq!(probe.take_longest_pause(), None);
        probe.record_gc(GcKind::Major, 5_000, None, UnixMillis(0));
        assert_eq!(probe.take_longest_pause(), Some((GcKind::Major, Micros(5))));
    }

    #[test]
    fn pauses_are_known_by_kind_and_in_sum() {
        let probe = Probe::new();
        for (kind, nanos) in
            [(GcKind::Minor, 1_500), (GcKind::Major, 40_500), (GcKind::Step, 7_000), (GcKind::Minor, 500)]
        {
            probe.record_gc(kind, nanos, None, UnixMillis(0));
        }
        let of = |kind| probe.gc_of(kind);
        assert_eq!(of(GcKind::Minor), (2, Micros(2)));
        assert_eq!(of(GcKind::Major), (1, Micros(40)));
        assert_eq!(of(GcKind::Step), (1, Micros(7)));
        let totals = probe.gc_totals();
        assert_eq!(
            (totals.minor, totals.major, totals.pause),
            (2, 1, Micros(49)),
            "the halves of the parts count in the sum"
        );
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
    fn what_is_allocated_is_what_the_used_heap_rises_by() {
        let probe = Probe::new();
        let allocated = |probe: &Probe| probe.figures().1.allocated.0;
        probe.publish(figures(100), Channel::Refresh);
        assert_eq!(allocated(&probe), 0, "nobody knows how what is there came");
        // Up to a collection, down by it, and up again; measured on the way, too.
        for (used, expected) in [(130, 30), (150, 50), (90, 50), (95, 55), (80, 55), (80, 55), (100, 75)] {
            probe.publish(figures(used), Channel::Hook);
            assert_eq!(allocated(&probe), expected, "{used}");
        }
        probe.count_allocation(Bytes(160), Bytes(60));
        assert_eq!((allocated(&probe), probe.figures().0.used.0), (135, 100), "told late");
        probe.publish(figures(70), Channel::Refresh);
        assert_eq!(allocated(&probe), 145);
    }

    #[test]
    fn of_the_minors_the_last_is_known_and_whether_a_major_came_after_it() {
        let probe = Probe::new();
        assert_eq!(probe.last_minor_gc(0, 0), None);
        for n in 1..=3 {
            probe.record_gc(GcKind::Minor, 1, Some(figures(n)), UnixMillis(n));
        }
        assert_eq!(probe.last_minor_gc(0, 0).map(|(gc, number)| (gc.used.0, number)), Some((3, 3)));
        assert_eq!(probe.last_minor_gc(2, 0).map(|(gc, _)| (gc.at.0, gc.kind)), Some((3, GcKind::Minor)));
        assert_eq!(probe.last_minor_gc(3, 0), None, "told of already");
        probe.record_gc(GcKind::Major, 1, Some(figures(9)), UnixMillis(9));
        assert_eq!(probe.last_minor_gc(0, 1), None, "a major came after it");
        probe.record_gc(GcKind::Minor, 1, None, UnixMillis(10));
        assert_eq!(probe.last_minor_gc(0, 1), None, "its size is not known");
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
            let (now, load, _) = probe.figures();
            assert_eq!(now, figures(now.used.0));
            assert_eq!(load.allocated.0, now.used.0.saturating_sub(1), "of the same moment");
            next = probe.major_gcs(next, |gc| {
                assert_eq!((gc.used.0, gc.external.0), (gc.at.0, gc.at.0));
            });
        }
        stop.store(true, Ordering::Relaxed);
        assert!(writer.join().is_ok());
    }
}
