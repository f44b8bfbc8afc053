//! A walk over the heap that counts objects by constructor, without a snapshot.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::symbols::{Isolate, LengthFunctions, RawHeapProfiler, WalkFunctions};

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
    /// Whether `object` is an array; must not allocate on the heap.
    fn is_array(&mut self, object: Local) -> bool;
}

/// What has a number of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collection {
    /// An array, of which that is the length.
    Array,
    /// A Map.
    Map,
    /// A Set.
    Set,
}

/// What a walk over the heap has found.
#[derive(Debug, Default)]
pub struct Walked {
    /// Live objects by constructor, in no order.
    pub objects: Vec<(String, u64)>,
    /// The entries of all collections of a kind; nothing where V8 does not tell.
    pub entries: Vec<(Collection, u64)>,
    /// The entries of each collection that a snapshot has numbered, by that number; nothing if they were not wanted.
    pub lengths: Vec<(u32, u32)>,
}

/// An object that V8 takes for a `v8::QueryObjectPredicate`: the vtable's address first, then what is ours.
#[repr(C)]
struct Predicate<'a> {
    vtable: *const c_void,
    keeper: &'a mut dyn Keeper,
    /// By the first word of an object, which names its map: objects of one map have one constructor.
    by_map: HashMap<u64, usize>,
    maps: Vec<Seen>,
    functions: Option<LengthFunctions>,
    /// Where the numbers of objects are asked for, if they are.
    profiler: Option<*mut RawHeapProfiler>,
    lengths: Vec<(u32, u32)>,
    failed: bool,
}

/// The objects of a map.
struct Seen {
    /// One of them, as it is kept.
    kept: usize,
    count: u64,
    kind: Option<Collection>,
    entries: u64,
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
                // Objects of one map are of one kind as well.
                let kind = self.functions.and_then(|functions| kind(functions, self.keeper, object));
                self.maps.push(Seen { kept, count: 0, kind, entries: 0 });
                *new.insert(next)
            }
        };
        let seen = &mut self.maps[class];
        seen.count += 1;
        let Some((functions, kind)) = self.functions.zip(seen.kind) else { return };
        // SAFETY: `object` is a live local, and its map is that of an object that was found to be of this kind. The functions read a field of
        // the object and allocate nothing.
        let length = unsafe {
            match kind {
                Collection::Array => (functions.of_array)(object) as usize,
                Collection::Map => (functions.of_map)(object),
                Collection::Set => (functions.of_set)(object),
            }
        };
        seen.entries += length as u64;
        if let Some(profiler) = self.profiler {
            // SAFETY: `profiler` is that of the isolate that is walked, on its thread, and `object` is a live local; the object's address is
            // looked up in a table outside the heap.
            let id = unsafe { (functions.id)(profiler, object) };
            if id != UNKNOWN {
                self.lengths.push((id, u32::try_from(length).unwrap_or(u32::MAX)));
            }
        }
    }
}

/// The number of an object that no snapshot has seen.
const UNKNOWN: u32 = 0;

fn kind(functions: LengthFunctions, keeper: &mut dyn Keeper, object: Local) -> Option<Collection> {
    if keeper.is_array(object) {
        return Some(Collection::Array);
    }
    // SAFETY: `object` is a live local; both functions read its map and nothing else.
    unsafe {
        match object {
            _ if (functions.is_map)(object) => Some(Collection::Map),
            _ if (functions.is_set)(object) => Some(Collection::Set),
            _ => None,
        }
    }
}

/// Live objects of `isolate` by constructor, and how many entries collections have, each of them if `each` says so; nothing where the walk
/// failed. The caller holds a handle scope.
///
/// Stops the isolate for about a quarter of a snapshot's time. V8 collects garbage first. Memory: about the heap once more, given back at
/// the end.
pub fn count_objects(
    functions: &WalkFunctions,
    isolate: Isolate,
    keeper: &mut dyn Keeper,
    each: bool,
) -> Option<Walked> {
    let vtable = (&raw const VTABLE.complete_destructor).cast::<c_void>();
    // SAFETY: `isolate` is alive and this is its thread (an `Isolate` is not `Send`); its profiler lives as long as it does.
    let profiler = unsafe { (functions.profiler)(isolate.0.as_ptr()) };
    let mut predicate = Predicate {
        vtable,
        keeper,
        by_map: HashMap::new(),
        maps: Vec::new(),
        functions: functions.lengths,
        profiler: each.then_some(profiler),
        lengths: Vec::new(),
        failed: false,
    };
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
        (functions.query)(profiler, context, (&raw mut predicate).cast(), found.as_mut_ptr());
    }
    let Predicate { keeper, maps, lengths, mut failed, .. } = predicate;
    let mut by_name: HashMap<String, u64> = HashMap::new();
    let entries = [Collection::Array, Collection::Map, Collection::Set].map(|kind| {
        let of_kind = maps.iter().filter(|seen| seen.kind == Some(kind));
        (kind, of_kind.map(|seen| seen.entries).sum())
    });
    let entries = if functions.lengths.is_some() { entries.to_vec() } else { Vec::new() };
    for Seen { kept, count, .. } in maps {
        // All are taken, whatever fails: what is kept would never be garbage.
        let Some(object) = keeper.take(kept) else {
            failed = true;
            continue;
        };
        // SAFETY: `object` is a live local of the isolate that was walked, on its thread, with the handle scope of the caller.
        let name = keeper.text(unsafe { (functions.constructor_name)(object) });
        *by_name.entry(name).or_default() += count;
    }
    (!failed).then(|| Walked { objects: by_name.into_iter().collect(), entries, lengths })
}
