//! Makes the line ends of all scripts known, before a snapshot asks for the place of every function.

use std::ffi::c_int;

use super::symbols::{Isolate, LineEndFunctions};

/// `v8::CpuProfilingNamingMode::kDebugNaming`
const DEBUG_NAMING: c_int = 1;
/// `v8::CpuProfilingLoggingMode::kEagerLogging`
const EAGER_LOGGING: c_int = 1;

/// Makes V8 remember where the lines of each script end.
///
/// V8 before version 12 looks up the place of each function by a scan from the start of its script, unless the script's line
/// ends are known. A CPU profiler that logs eagerly makes them known when it is created, because it names every function with
/// its line; this one is never started, has no thread and takes no sample, and other profilers do not notice it. Costs some
/// milliseconds per megabyte of source the first time, a walk over the heap after that. Where V8 is in the middle of a collection, as at the
/// heap's limit, only after `make_iterable`.
pub fn make_line_ends_known(functions: &LineEndFunctions, isolate: Isolate) {
    // SAFETY: `isolate` is alive and this is its thread (an `Isolate` is not `Send`). Both enumerations are plain C++ ones, as
    // wide as an `int`, with these values in Node 18 to 26. What `New` returns is disposed of once and not used after.
    unsafe {
        let profiler = (functions.new)(isolate.0.as_ptr(), DEBUG_NAMING, EAGER_LOGGING);
        if !profiler.is_null() {
            (functions.dispose)(profiler);
        }
    }
}
