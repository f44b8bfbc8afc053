//! A walk over the heap that counts objects by constructor, without a snapshot.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::symbols::{Isolate, WalkFunctions};

/// A `v8::Local`: the address of a slot of the handle scope at hand, which holds the object. What Node-API calls a `napi_value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Local(pub *mut c_void);

/// The vtable of a `v8::QueryObjectPredicate` as the Itanium C++ ABI lays it out.
#[repr(C)]
struct VTable {
    offset_to_top: isize,
    type_info: *const c_void,
    complete_destructor: unsafe extern "C" fn(*mut Predicate),
    deleting_destructor: unsafe extern "C" fn(*mut Predicate),
    filter: unsafe extern "C" fn(*mut Predicate, Local) -> bool,
}

// SAFETY: the table is constant; its only pointer that is not a function is null.
unsafe impl Sync for VTable {}

static VTABLE: VTable = VTable {
    offset_to_top: 0,
    type_info: std::ptr::null(),
    complete_destructor: ignore,
    deleting_destructor: ignore,
    filter,
};

/// What holds on to some of the objects that are walked over, and reads text, by means that are not V8's own.
pub trait Keeper {
    /// Keeps `object` until it is asked for; must not allocate on the heap. Nothing where it cannot.
    fn keep(&mut self, object: Local) -> Option<usize>;
    /// A local of what was kept under this number, in the handle scope at hand; it is let go of.
    fn take(&mut self, kept: usize) -> Option<Local>;
    /// The text of a string.
    fn text(&mut self, string: Local) -> String;
}

/// An object that V8 takes for a `v8::QueryObjectPredicate`: the vtable's address first, then what is ours.
#[repr(C)]
struct Predicate<'a> {
    vtable: *const c_void,
    keeper: &'a mut dyn Keeper,
    /// By the first word of an object, which names its map: objects of one map have one constructor.
    by_map: HashMap<u64, usize>,
    /// One object of each map, as it is kept, and how many there are.
    maps: Vec<(usize, u64)>,
    failed: bool,
}

unsafe extern "C" fn ignore(_predicate: *mut Predicate) {}

/// # Safety
///
/// Called by V8 only, from inside `QueryObjects`, with the predicate that was passed to it and an object.
unsafe extern "C" fn filter(predicate: *mut Predicate, object: Local) -> bool {
    // SAFETY: V8 passes back the predicate given to `QueryObjects`, which outlives that call and is not used elsewhere meanwhile.
    let predicate = unsafe { &mut *predicate };
    // A panic must not unwind into V8's C++ frames.
    let counted = catch_unwind(AssertUnwindSafe(|| predicate.count(object)));
    predicate.failed |= counted.is_err();
    // Never wanted: the list of objects stays empty.
    false
}

impl Predicate<'_> {
    fn count(&mut self, object: Local) {
        // SAFETY: a local is the address of a slot that holds a tagged pointer, one more than the address of the object. Its first word
        // names its map: all of the word, or half of it in builds with compressed pointers, where the rest only makes for more keys.
        let map = unsafe {
            let tagged = object.0.cast::<usize>().read();
            (tagged.wrapping_sub(1) as *const u64).read_unaligned()
        };
        // Here nothing may be allocated: V8 goes through the heap's pages as they lie, and finds a hole where it expects an object. Names are
        // asked for when it is done.
        let next = self.maps.len();
        let class = match self.by_map.entry(map) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let Some(kept) = self.keeper.keep(object) else {
                    self.failed = true;
                    return;
                };
                self.maps.push((kept, 0));
                *new.insert(next)
            }
        };
        self.maps[class].1 += 1;
    }
}

/// Live objects of `isolate` by constructor, in no order; nothing where the walk failed. The caller holds a handle scope.
///
/// Stops the isolate for about a quarter of a snapshot's time. V8 collects garbage first. Memory: about the heap once more, given back at
/// the end.
pub fn count_objects(
    functions: &WalkFunctions,
    isolate: Isolate,
    keeper: &mut dyn Keeper,
) -> Option<Vec<(String, u64)>> {
    let vtable = (&raw const VTABLE.complete_destructor).cast::<c_void>();
    let mut predicate = Predicate { vtable, keeper, by_map: HashMap::new(), maps: Vec::new(), failed: false };
    // An empty `std::vector`: three null pointers in libstdc++ and libc++; nothing is ever put into it.
    let mut found = [std::ptr::null_mut::<c_void>(); 3];
    // SAFETY: `isolate` is alive and this is its thread (an `Isolate` is not `Send`), and the caller holds a handle scope.
    let context = unsafe {
        let current = (functions.current_context)(isolate.0.as_ptr());
        // While V8 collects garbage, as at the heap's limit, there is no current one; what was entered before still is.
        if current.0.is_null() { (functions.entered_context)(isolate.0.as_ptr()) } else { current }
    };
    // V8 asks the context whose isolate it is, and reads where it points.
    if context.0.is_null() {
        return None;
    }
    // SAFETY: as above, and the context is one of this isolate. `predicate` starts with a vtable pointer whose slots have the order and the types of
    // `v8::QueryObjectPredicate`'s, and outlives the call, as does the vector. `filter` does not unwind, and by `Keeper`'s contract does not
    // allocate on the heap.
    unsafe {
        let profiler = (functions.profiler)(isolate.0.as_ptr());
        (functions.query)(profiler, context, (&raw mut predicate).cast(), found.as_mut_ptr());
    }
    let Predicate { keeper, maps, mut failed, .. } = predicate;
    let mut by_name: HashMap<String, u64> = HashMap::new();
    for (kept, count) in maps {
        // All are taken, whatever fails: what is kept would never be garbage.
        let Some(object) = keeper.take(kept) else {
            failed = true;
            continue;
        };
        // SAFETY: `object` is a live local of the isolate that was walked, on its thread, with the handle scope of the caller.
        let name = keeper.text(unsafe { (functions.constructor_name)(object) });
        *by_name.entry(name).or_default() += count;
    }
    (!failed).then(|| by_name.into_iter().collect())
}
