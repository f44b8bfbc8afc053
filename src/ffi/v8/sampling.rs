//! Starts and stops V8's sampling heap profiler; its profile is read through the inspector, which knows how to spell it.

use std::ffi::c_int;

use super::symbols::{Isolate, SamplingFunctions};

/// `v8::HeapProfiler::kSamplingNoFlags`: a profile is what is alive as far as collections have told.
const NO_FLAGS: c_int = 0;
/// `v8::HeapProfiler::kSamplingForceGC`: V8 collects the whole heap before it gives a profile, which stops the process for that long.
const FORCE_GC: c_int = 1;
/// Frames of a stack that are kept, as the inspector has it.
const STACK_DEPTH: c_int = 128;

/// Starts sampling, on average every `interval` allocated bytes; false where a profiler, somebody else's, runs already, which is then
/// left as it is.
///
/// The inspector starts it with a collection of the whole heap for each profile, and does not say whether it was started at all.
pub fn start_sampling(
    functions: &SamplingFunctions,
    isolate: Isolate,
    interval: u64,
    collects_first: bool,
) -> bool {
    let flags = if collects_first { FORCE_GC } else { NO_FLAGS };
    // SAFETY: `isolate` is alive and this is its thread (an `Isolate` is not `Send`); its profiler lives as long as it does. The
    // enumeration is a plain C++ one, as wide as an `int`, with these values in Node 18 to 26. V8 wants an interval above 0, which
    // the maximum sees to, and a depth of at least 0.
    unsafe {
        let profiler = (functions.profiler)(isolate.0.as_ptr());
        !profiler.is_null() && (functions.start)(profiler, interval.max(1), STACK_DEPTH, flags)
    }
}

/// Stops sampling, whoever started it; without effect where nobody samples.
pub fn stop_sampling(functions: &SamplingFunctions, isolate: Isolate) {
    // SAFETY: as in `start_sampling`; V8 accepts the call in any state.
    unsafe {
        let profiler = (functions.profiler)(isolate.0.as_ptr());
        if !profiler.is_null() {
            (functions.stop)(profiler);
        }
    }
}
