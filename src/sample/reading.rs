//! The figures of one moment.

use crate::units::{Bytes, Micros, UnixMillis};

/// V8's own figures, as `v8::Isolate::GetHeapStatistics` and the array buffer allocator give them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeapFigures {
    /// Live and not yet collected objects on the V8 heap.
    pub used: Bytes,
    /// Memory reserved for the V8 heap.
    pub total: Bytes,
    /// Memory outside the heap that JavaScript objects keep alive, array buffers included.
    pub external: Bytes,
    /// The part of `external` that backs array buffers and `Buffer`s.
    pub array_buffers: Bytes,
    /// Where V8 gives up (`--max-old-space-size` and the young generation).
    pub limit: Bytes,
}

/// What the operating system says of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProcessFigures {
    /// Resident set size of the whole process, all its threads and isolates together.
    pub rss: Bytes,
    /// The smallest memory limit of the control groups that hold the process.
    pub container_limit: Option<Bytes>,
    /// What that control group uses, page cache included.
    pub container_used: Option<Bytes>,
    /// Processor time, user and system, of all threads since the process began.
    pub cpu: Micros,
    /// What the C allocator has handed out and not got back (`mallinfo2`: in use, and in mappings of its own).
    ///
    /// Renewed once a minute at most, because it is dear. Nothing where the C library cannot tell.
    pub native_in_use: Option<Bytes>,
}

/// Gives [`ProcessFigures`]; called on the sampling thread, once a sample.
pub trait ProcessSource: Send {
    /// The figures now. Must not allocate and must not fail: a figure that cannot be read keeps its last value.
    fn read(&mut self) -> ProcessFigures;
}

/// Which generation a garbage collection went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GcKind {
    /// Young generation only (scavenge, minor mark-sweep).
    Minor,
    /// The whole heap (mark-sweep-compact): what is left afterwards is the post-GC floor.
    Major,
    /// A step that frees nothing by itself (incremental marking, weak callbacks); only its pause counts.
    Step,
}

/// The moment right after one garbage collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AfterGc {
    /// When it ended.
    pub at: UnixMillis,
    /// Minor or major; a step leaves no such moment.
    pub kind: GcKind,
    /// Used heap right after it: after a major collection the post-GC floor, after a minor one a bound on what is alive.
    pub used: Bytes,
    /// External memory right after it.
    pub external: Bytes,
}

/// Garbage collections counted since the process's hooks were set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GcTotals {
    /// Young-generation collections.
    pub minor: u64,
    /// Whole-heap collections.
    pub major: u64,
    /// Time that all of them kept JavaScript waiting.
    pub pause: Micros,
}

impl GcTotals {
    /// What happened between `earlier` and `self`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            minor: self.minor.saturating_sub(earlier.minor),
            major: self.major.saturating_sub(earlier.major),
            pause: Micros(self.pause.0.saturating_sub(earlier.pause.0)),
        }
    }
}

/// What the program was asked to do since the hooks were set: what growth may be explained by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Bytes allocated on the V8 heap, counted from collection to collection up to the heap's last figures.
    pub allocated: Bytes,
    /// HTTP requests that came in; 0 where the program serves none.
    pub requests: u64,
}

impl Load {
    /// What came between `earlier` and `self`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            allocated: self.allocated.saturating_sub(earlier.allocated),
            requests: self.requests.saturating_sub(earlier.requests),
        }
    }
}

/// Everything known at one tick of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// When the reading was taken.
    pub at: UnixMillis,
    /// V8's figures.
    pub heap: HeapFigures,
    /// How old `heap` is: more than nothing where the JavaScript thread could not be asked.
    pub heap_age: Micros,
    /// The operating system's figures.
    pub process: ProcessFigures,
    /// Collections so far.
    pub gc: GcTotals,
    /// The load so far.
    pub load: Load,
    /// Used heap after the last major collection, once there was one.
    pub floor: Option<Bytes>,
}

/// A [`Reading`] as it is recorded: what counts on is counted since the sample before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// The reading.
    pub reading: Reading,
    /// Collections since the sample before this one.
    pub gc: GcTotals,
    /// Load since the sample before this one.
    pub load: Load,
    /// Processor time since the sample before this one.
    pub cpu: Micros,
}
