//! `Isolate::GetHeapStatistics`.

use std::ffi::c_void;

use super::symbols::{Bridge, Isolate, RawIsolate};
use crate::sample::HeapFigures;
use crate::units::Bytes;

/// Words given to V8 for its `HeapStatistics`: it has 14 on Node 18 to 26, and a later V8 may write more.
const WORDS: usize = 64;

/// The structure's fields in order, by the names that `v8.getHeapStatistics()` gives them. The tenth is a C++ `bool`,
/// of which only the lowest byte is written.
pub const STATISTICS: [&str; 14] = [
    "total_heap_size",
    "total_heap_size_executable",
    "total_physical_size",
    "total_available_size",
    "used_heap_size",
    "heap_size_limit",
    "malloced_memory",
    "external_memory",
    "peak_malloced_memory",
    "does_zap_garbage",
    "number_of_native_contexts",
    "number_of_detached_contexts",
    "total_global_handles_size",
    "used_global_handles_size",
];

/// V8's heap statistics of `isolate`, in the order of [`STATISTICS`]; 1 to 2 us.
pub fn heap_statistics(bridge: &Bridge, isolate: Isolate) -> [u64; STATISTICS.len()] {
    // SAFETY: an `Isolate` is only made on its own thread and is not `Send`, so this is that thread.
    let words = unsafe { read(bridge, isolate.0.as_ptr()) };
    let mut statistics = [0; STATISTICS.len()];
    statistics.copy_from_slice(&words[..STATISTICS.len()]);
    statistics
}

/// The figures that the monitor needs; array buffers are Node's and stay 0.
///
/// # Safety
///
/// `isolate` is alive and the caller is on its thread; both hold inside V8's own callbacks.
pub(super) unsafe fn figures(bridge: &Bridge, isolate: *mut RawIsolate) -> HeapFigures {
    // SAFETY: as the caller promises.
    let words = unsafe { read(bridge, isolate) };
    from_statistics(&words)
}

/// Picks the monitor's figures out of statistics in the order of [`STATISTICS`].
pub fn from_statistics(words: &[u64]) -> HeapFigures {
    let word = |i: usize| Bytes(words.get(i).copied().unwrap_or(0));
    HeapFigures { total: word(0), used: word(4), limit: word(5), external: word(7), array_buffers: Bytes(0) }
}

/// # Safety
///
/// As [`figures`].
unsafe fn read(bridge: &Bridge, isolate: *mut RawIsolate) -> [u64; WORDS] {
    let mut words = [0u64; WORDS];
    // SAFETY: the isolate is alive and this is its thread, as the caller promises; V8 fills at most the size of its own
    // structure, 14 words on all versions checked, and the buffer has room for 64. The function neither allocates on the
    // JavaScript heap nor runs JavaScript, so it may be called inside a GC prologue or epilogue.
    unsafe { (bridge.heap_statistics)(isolate, words.as_mut_ptr().cast::<c_void>()) };
    words
}
