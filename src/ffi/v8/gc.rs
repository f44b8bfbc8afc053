//! Garbage-collection hooks: counts, pauses and the exact used heap after each collection.

use std::cell::Cell;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;

use super::heap::figures;
use super::symbols::{Bridge, Isolate, RawIsolate};
use crate::sample::{Channel, GcKind, Probe};
use crate::units::UnixMillis;

/// `v8::GCType`, the same in Node 18 to 26.
const SCAVENGE: u32 = 1;
const MINOR_MARK_SWEEP: u32 = 2;
const MARK_SWEEP_COMPACT: u32 = 4;
/// All types: scavenge, minor mark-sweep, mark-sweep-compact, incremental marking, weak callbacks.
const ALL: u32 = 31;

/// What the hooks write to.
struct State {
    bridge: &'static Bridge,
    probe: Arc<Probe>,
    /// When a collection of each type began; types can nest, a type cannot nest in itself.
    started: [Cell<u64>; 8],
}

impl State {
    fn started(&self, kind: u32) -> &Cell<u64> {
        &self.started[kind.trailing_zeros().min(7) as usize]
    }
}

/// Hooks in one isolate, from creation to drop. Not `Send`: both happen on the isolate's thread.
pub struct GcHooks {
    isolate: Isolate,
    state: Rc<State>,
}

impl GcHooks {
    /// Sets the hooks; they publish to `probe` what each collection left.
    pub fn install(bridge: &'static Bridge, isolate: Isolate, probe: Arc<Probe>) -> Self {
        let state = Rc::new(State { bridge, probe, started: Default::default() });
        let data = Rc::as_ptr(&state).cast_mut().cast::<c_void>();
        // SAFETY: `isolate` is alive and this is its thread (an `Isolate` is not `Send`). `data` points to `state`, which
        // `GcHooks` keeps alive until it has removed the hooks in `drop`. The callbacks have the type that V8 expects and
        // never unwind.
        unsafe {
            (bridge.add_prologue)(isolate.0.as_ptr(), on_prologue, data, ALL);
            (bridge.add_epilogue)(isolate.0.as_ptr(), on_epilogue, data, ALL);
        }
        Self { isolate, state }
    }
}

impl Drop for GcHooks {
    fn drop(&mut self) {
        let data = Rc::as_ptr(&self.state).cast_mut().cast::<c_void>();
        let bridge = self.state.bridge;
        // SAFETY: the owner drops the hooks before the environment's teardown ends (it registers a cleanup hook), so the
        // isolate is alive, and on its thread. V8 removes the pair that was added with this callback and this data.
        unsafe {
            (bridge.remove_prologue)(self.isolate.0.as_ptr(), on_prologue, data);
            (bridge.remove_epilogue)(self.isolate.0.as_ptr(), on_epilogue, data);
        }
    }
}

/// # Safety
///
/// Called by V8 only, with the `data` given to `install`.
unsafe extern "C" fn on_prologue(isolate: *mut RawIsolate, kind: u32, _flags: u32, data: *mut c_void) {
    // SAFETY: `data` is the `State` of hooks that are installed, hence alive; V8 calls on the isolate's thread, the only
    // one that touches the cells. Nothing here can panic: a clock read, loads and stores.
    let state = unsafe { &*data.cast::<State>() };
    state.started(kind).set(state.probe.nanos());
    if gc_kind(kind) != GcKind::Step {
        // SAFETY: V8 calls with its live isolate, on its thread. The heap is whole at this point: the collector has not begun.
        let before = unsafe { figures(state.bridge, isolate) };
        // What was allocated since the collection before is only known now; afterwards it is gone with the garbage.
        state.probe.publish(before, Channel::Hook);
    }
}

fn gc_kind(kind: u32) -> GcKind {
    match kind {
        SCAVENGE | MINOR_MARK_SWEEP => GcKind::Minor,
        MARK_SWEEP_COMPACT => GcKind::Major,
        _ => GcKind::Step,
    }
}

/// # Safety
///
/// Called by V8 only, with the `data` given to `install`.
unsafe extern "C" fn on_epilogue(isolate: *mut RawIsolate, kind: u32, _flags: u32, data: *mut c_void) {
    // SAFETY: as in `on_prologue`.
    let state = unsafe { &*data.cast::<State>() };
    let pause = state.probe.nanos().saturating_sub(state.started(kind).get());
    let kind = gc_kind(kind);
    if kind == GcKind::Step {
        return state.probe.record_gc(kind, pause, None, UnixMillis(0));
    }
    // SAFETY: V8 calls with its live isolate, on its thread.
    let after = unsafe { figures(state.bridge, isolate) };
    state.probe.publish(after, Channel::Hook);
    state.probe.record_gc(kind, pause, Some(after), UnixMillis::now());
}
