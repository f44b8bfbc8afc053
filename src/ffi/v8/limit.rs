//! The heap's limit, where it must not end the work.

use std::ffi::c_void;

use super::symbols::{Isolate, bridge};

/// Lets the heap of `isolate` grow past its limit, for good.
///
/// For a clone of the process, whose memory is limited otherwise: V8 would end it with a message on the standard error, and a callback
/// that the program or Node has set (`--heapsnapshot-near-heap-limit`) would write a file. The callback that was added last is the one that V8
/// asks.
pub fn never_at_the_limit(isolate: Isolate) {
    let Some(functions) = bridge().ok().and_then(|bridge| bridge.near_limit) else { return };
    // SAFETY: `isolate` is alive and this is its thread (an `Isolate` is not `Send`). The callback has the type that V8 expects, uses no
    // data and does not unwind.
    unsafe { (functions.add)(isolate.0.as_ptr(), further, std::ptr::null_mut()) };
}

/// What V8 takes for its new limit: half as much again each time.
unsafe extern "C" fn further(_data: *mut c_void, current: usize, _initial: usize) -> usize {
    current.saturating_add(current / 2).max(1 << 30)
}
