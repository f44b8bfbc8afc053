//! Fresh figures from an isolate whose event loop is blocked by JavaScript.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::heap::figures;
use super::symbols::{Bridge, Isolate, RawIsolate};
use crate::sample::{Channel, Probe};

/// What an interrupt writes to.
struct Target {
    bridge: &'static Bridge,
    /// Weak, so that an interrupt that V8 never gets to run holds next to nothing.
    probe: Weak<Probe>,
    /// Set while V8 holds an interrupt of ours, so that it never holds two.
    pending: AtomicBool,
}

/// Asks an isolate, from any thread, to publish its figures at the next point where JavaScript can be interrupted.
///
/// A loop that computes reaches such a point within microseconds; a thread that sleeps in the kernel reaches none, and
/// its event loop answers instead.
pub struct Interrupter {
    isolate: *mut RawIsolate,
    target: Arc<Target>,
}

// SAFETY: the isolate pointer is only passed to `RequestInterrupt`, which V8 documents as callable from any thread while
// the isolate is alive. The owner joins the sampling thread before the isolate's environment is torn down;
// `process.exit()` on the main thread tears nothing down, and the isolate is there until the process is not.
unsafe impl Send for Interrupter {}

impl Interrupter {
    /// An interrupter of `isolate` that publishes to `probe`.
    pub fn new(bridge: &'static Bridge, isolate: Isolate, probe: &Arc<Probe>) -> Self {
        let target =
            Arc::new(Target { bridge, probe: Arc::downgrade(probe), pending: AtomicBool::new(false) });
        Self { isolate: isolate.0.as_ptr(), target }
    }

    /// Requests one publication; does nothing while the one before is still to come.
    pub fn request(&self) {
        if self.target.pending.swap(true, Ordering::AcqRel) {
            return;
        }
        let data = Arc::into_raw(Arc::clone(&self.target)).cast_mut().cast::<c_void>();
        // SAFETY: the isolate is alive (see `Send` above). `data` owns a reference that the callback takes back, so it is
        // valid whenever V8 gets to run it, even after this interrupter is gone. An isolate that is disposed first
        // forgets the callback and with it at most one reference.
        unsafe { (self.target.bridge.request_interrupt)(self.isolate, on_interrupt, data) };
    }
}

/// # Safety
///
/// Called by V8 only, once for each `request`, with its `data`.
unsafe extern "C" fn on_interrupt(isolate: *mut RawIsolate, data: *mut c_void) {
    // SAFETY: `data` came from `Arc::into_raw` in `request` and is taken back exactly once, here.
    let target = unsafe { Arc::from_raw(data.cast_const().cast::<Target>()) };
    if let Some(probe) = target.probe.upgrade() {
        // SAFETY: V8 calls with its live isolate, on its thread, outside of any collection.
        let now = unsafe { figures(target.bridge, isolate) };
        probe.publish(now, Channel::Hook);
    }
    target.pending.store(false, Ordering::Release);
}
