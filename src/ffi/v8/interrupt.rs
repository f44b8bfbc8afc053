//! Fresh figures from an isolate whose event loop is blocked by JavaScript.

use std::cell::RefCell;
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

/// What V8 may hold a reference to.
trait Held {
    /// Whether it does.
    fn is_held(&self) -> bool;
}

impl Held for Target {
    fn is_held(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }
}

/// The targets of a worker's isolate. V8 forgets what it has not run when the isolate is disposed, which is before its thread ends; then nobody
/// but the destructor of this can free what V8 was given.
struct Targets<T: Held>(Vec<Arc<T>>);

impl<T: Held> Targets<T> {
    const fn new() -> Self {
        Self(Vec::new())
    }

    fn keep(&mut self, target: &Arc<T>) {
        // Whose interrupter is gone, and whom V8 does not hold, needs nobody.
        self.0.retain(|known| Arc::strong_count(known) > 1);
        self.0.push(Arc::clone(target));
    }
}

impl<T: Held> Drop for Targets<T> {
    fn drop(&mut self) {
        for target in self.0.drain(..) {
            if target.is_held() {
                // SAFETY: the reference that `request` made is still V8's, which has forgotten it with the isolate. No request comes any more: the
                // sampling thread was joined when the environment was torn down.
                drop(unsafe { Arc::from_raw(Arc::as_ptr(&target)) });
            }
        }
    }
}

thread_local! {
    static TARGETS: RefCell<Targets<Target>> = const { RefCell::new(Targets::new()) };
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
    /// An interrupter of `isolate`, which runs on this thread, that publishes to `probe`.
    ///
    /// A worker's isolate is gone when its thread ends. The main thread's may outlive that, so what V8 holds then is left to it.
    pub fn new(bridge: &'static Bridge, isolate: Isolate, probe: &Arc<Probe>, is_worker: bool) -> Self {
        let target =
            Arc::new(Target { bridge, probe: Arc::downgrade(probe), pending: AtomicBool::new(false) });
        if is_worker {
            TARGETS.with_borrow_mut(|targets| targets.keep(&target));
        }
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
        // forgets the callback, and `Targets` takes the reference back.
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake(bool);

    impl Held for Fake {
        fn is_held(&self) -> bool {
            self.0
        }
    }

    #[test]
    fn what_an_isolate_has_forgotten_is_freed_at_the_end_of_its_thread_and_nothing_else() {
        for is_held in [true, false] {
            let (target, mut targets) = (Arc::new(Fake(is_held)), Targets::new());
            // The reference of whoever interrupts, or V8's.
            let other = Arc::into_raw(Arc::clone(&target));
            targets.keep(&target);
            assert_eq!(Arc::strong_count(&target), 3);
            drop(targets);
            assert_eq!(Arc::strong_count(&target), if is_held { 1 } else { 2 });
            if !is_held {
                // SAFETY: made above, and not taken back by anybody.
                drop(unsafe { Arc::from_raw(other) });
            }
        }
    }

    #[test]
    fn targets_do_not_pile_up_in_a_thread_that_lasts() {
        let mut targets = Targets::new();
        for _ in 0..100 {
            let target = Arc::new(Fake(false));
            targets.keep(&target);
        }
        assert_eq!(targets.0.len(), 1);
    }
}
