//! Being told when a heap comes to its limit, and when a process ends because of it.
//!
//! V8 asks the callback that was added last, once a collection has left the heap at its limit, and goes on where it answers with a higher
//! one. A table that must be enlarged at once can also be too large for what is left: then V8 asks nobody, and what is called is the
//! handler for memory that has run out, which is Node's: it writes the message and ends the process. Ours stands before it.

use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null;
use std::rc::Rc;

use super::heap::{from_statistics, heap_statistics};
use super::symbols::{Bridge, Isolate, NearLimitFunctions, OomDetails, OomFunctions, bridge};
use crate::units::Bytes;

/// By how much the limit rises where the answer is a panic, so that V8 asks whoever was there before.
const STEP: usize = 4 << 20;
/// By how much an answer has to be above what somebody else has raised the limit to in the meantime.
const ABOVE: u64 = 1 << 20;

/// What V8 is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// The new limit. One that is not higher ends the process.
    pub limit: Bytes,
    /// Who is asked from now on.
    pub next: Next,
}

/// Who is asked when the heap is at its limit again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The same as now.
    Same,
    /// Whoever was there before.
    Before,
    /// Whoever was there before, and at once, while the heap is as it is: by a collection, which leaves it at its limit again.
    BeforeAtOnce,
}

/// Whoever is told. Called on the isolate's thread, where no JavaScript may run: V8 has just collected garbage or has no memory left.
pub trait AtLimit {
    /// The heap is at its limit, `current`.
    fn near(&self, current: Bytes) -> Reply;
    /// V8 has given up and ends the process as soon as this returns; `is_heap` where it was the heap that had no room.
    fn fatal(&self, is_heap: bool);
}

/// Told of the limit of one isolate, from creation to drop. Not `Send`: both happen on the isolate's thread.
pub struct NearLimit {
    isolate: Isolate,
    functions: NearLimitFunctions,
    oom: Option<OomFunctions>,
    state: Rc<State>,
}

struct State {
    whom: Rc<dyn AtLimit>,
    functions: NearLimitFunctions,
    isolate: Isolate,
    /// Whether V8 has our callback.
    is_added: Cell<bool>,
}

/// Collects all garbage of a heap that is at its limit, so that it can be walked over.
///
/// V8 asks its callback at the end of a minor collection, too, before it has tidied up: in the space of young objects there are then remains
/// that are no objects, and whoever walks over them crashes the process. A full collection empties that space. (A snapshot begins with one.)
pub fn make_iterable(bridge: &Bridge, isolate: Isolate) {
    if let Some(functions) = bridge.near_limit {
        // SAFETY: the isolate is alive and this is its thread (an `Isolate` is not `Send`); V8 lets its callback collect.
        unsafe { (functions.collect)(isolate.0.as_ptr()) };
    }
}

impl State {
    /// V8's limit for the whole heap, which rises with that of the old generation; 0 where it cannot be read.
    fn limit(&self) -> u64 {
        bridge().map_or(0, |bridge| from_statistics(&heap_statistics(bridge, self.isolate)).limit.0)
    }
}

thread_local! {
    /// The state that this thread's isolate has, for a handler that is given no data.
    static CURRENT: Cell<*const State> = const { Cell::new(null()) };
}

impl NearLimit {
    /// Has `whom` told of the limit of `isolate`. Nothing where somebody is already, or V8's functions were not found.
    pub fn install(isolate: Isolate, whom: Rc<dyn AtLimit>) -> Option<Self> {
        let bridge = bridge().ok()?;
        let functions = bridge.near_limit?;
        if !CURRENT.get().is_null() {
            return None;
        }
        let state = Rc::new(State { whom, functions, isolate, is_added: Cell::new(true) });
        let data = Rc::as_ptr(&state);
        CURRENT.set(data);
        // SAFETY: `isolate` is alive and this is its thread (an `Isolate` is not `Send`), which has no callback of this function yet:
        // `CURRENT` was empty. `data` points to the state, which lives until `drop` has removed the callback. The callback has the type
        // that V8 expects and does not unwind.
        unsafe { (functions.add)(isolate.0.as_ptr(), on_near_limit, data.cast_mut().cast::<c_void>()) };
        let installed = Self { isolate, functions, oom: bridge.oom, state };
        installed.handle(true);
        Some(installed)
    }

    /// Puts our handler for memory that has run out before Node's, or Node's alone.
    fn handle(&self, ours: bool) {
        // SAFETY: the isolate is alive and this is its thread. Both handlers have the type that V8 expects; Node's is the one that Node
        // has set for each of its isolates. Ours finds its state by the thread and does not unwind.
        unsafe {
            match self.oom {
                Some(OomFunctions::Details { set, node }) => {
                    set(self.isolate.0.as_ptr(), if ours { on_oom_details } else { node });
                }
                Some(OomFunctions::Flag { set, node }) => {
                    set(self.isolate.0.as_ptr(), if ours { on_oom_flag } else { node });
                }
                None => {}
            }
        }
    }
}

impl Drop for NearLimit {
    fn drop(&mut self) {
        self.handle(false);
        CURRENT.set(null());
        if self.state.is_added.replace(false) {
            // SAFETY: the owner drops this before the environment's teardown ends, so the isolate is alive, and on its thread. V8 has the
            // callback: it ends the process where it has not. The limit stays as it is (0).
            unsafe { (self.functions.remove)(self.isolate.0.as_ptr(), on_near_limit, 0) };
        }
    }
}

/// # Safety
///
/// Called by V8 only, with the `data` given to `install`.
unsafe extern "C" fn on_near_limit(data: *mut c_void, current: usize, _initial: usize) -> usize {
    // SAFETY: `data` is the `State` of a callback that V8 has, hence alive; V8 calls on the isolate's thread. A reference beside it is taken
    // and given back, so that it stays alive should it be dropped meanwhile.
    let state = unsafe {
        let state = data.cast_const().cast::<State>();
        Rc::increment_strong_count(state);
        Rc::from_raw(state)
    };
    let asked = catch_unwind(AssertUnwindSafe(|| state.whom.near(Bytes(current as u64))));
    let limit = Bytes(current.saturating_add(STEP) as u64);
    let mut reply = asked.unwrap_or(Reply { limit, next: Next::Before });
    if reply.next != Next::Same && state.is_added.replace(false) {
        // SAFETY: V8 has this callback, has read it before it called, and calls on the isolate's thread.
        unsafe { (state.functions.remove)(state.isolate.0.as_ptr(), on_near_limit, 0) };
        if reply.next == Next::BeforeAtOnce {
            let before = state.limit();
            // SAFETY: as above; V8 lets its callback collect, as one that takes a snapshot has to. It does not come back to this function:
            // V8 does not have it any more.
            unsafe { (state.functions.collect)(state.isolate.0.as_ptr()) };
            // V8 holds the answer against the limit as it is now, which whoever has been asked has raised: Node by 16 MB, as much as our own
            // slack. Where collections bring little, one that is not higher ends the process.
            let raised = state.limit().saturating_sub(before);
            let least = (current as u64).saturating_add(raised).saturating_add(ABOVE);
            reply.limit = Bytes(reply.limit.0.max(least));
        }
    }
    usize::try_from(reply.limit.0).unwrap_or(current)
}

/// Tells whoever is told on this thread that V8 has given up.
fn fatal(is_heap: bool) {
    let state = CURRENT.get();
    if state.is_null() {
        return;
    }
    // SAFETY: the pointer is there from `install` to `drop`, through which the state lives; a reference beside it is taken, as above. This
    // is the isolate's thread: V8 calls its handler on none but that.
    let state = unsafe {
        Rc::increment_strong_count(state);
        Rc::from_raw(state)
    };
    let _ = catch_unwind(AssertUnwindSafe(|| state.whom.fatal(is_heap)));
}

/// # Safety
///
/// Called by V8 only, out of memory.
unsafe extern "C" fn on_oom_details(location: *const c_char, details: *const OomDetails) {
    // SAFETY: V8 passes a reference to details that live through the call.
    fatal(unsafe { details.as_ref() }.is_some_and(|details| details.is_heap_oom));
    if let Some(OomFunctions::Details { node, .. }) = bridge().ok().and_then(|bridge| bridge.oom) {
        // SAFETY: Node's own handler, with the arguments that V8 has passed; it ends the process.
        unsafe { node(location, details) };
    }
}

/// # Safety
///
/// Called by V8 only, out of memory.
unsafe extern "C" fn on_oom_flag(location: *const c_char, is_heap: bool) {
    fatal(is_heap);
    if let Some(OomFunctions::Flag { node, .. }) = bridge().ok().and_then(|bridge| bridge.oom) {
        // SAFETY: as in `on_oom_details`.
        unsafe { node(location, is_heap) };
    }
}
