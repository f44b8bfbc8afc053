//! The table of functions and where they come from.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::OnceLock;

use super::walk::Local;

/// A `v8::Isolate`, never looked into.
#[repr(C)]
pub struct RawIsolate {
    _opaque: [u8; 0],
}

/// A `v8::HeapProfiler`, never looked into.
#[repr(C)]
pub struct RawHeapProfiler {
    _opaque: [u8; 0],
}

/// A `v8::HeapSnapshot`, never looked into.
#[repr(C)]
pub struct RawHeapSnapshot {
    _opaque: [u8; 0],
}

/// A `v8::CpuProfiler`, never looked into.
#[repr(C)]
pub struct RawCpuProfiler {
    _opaque: [u8; 0],
}

/// `void (*)(v8::Isolate*, v8::GCType, v8::GCCallbackFlags, void* data)`; both enumerations are 32 bits wide.
pub type GcCallback = unsafe extern "C" fn(*mut RawIsolate, u32, u32, *mut c_void);
/// `void (*)(v8::Isolate*, void* data)`
pub type InterruptCallback = unsafe extern "C" fn(*mut RawIsolate, *mut c_void);

/// `size_t (*)(void* data, size_t current_heap_limit, size_t initial_heap_limit)`
pub type NearHeapLimit = unsafe extern "C" fn(*mut c_void, usize, usize) -> usize;

/// A `v8::OOMDetails`: whether it is the heap that is full comes first, in all versions that have it.
#[repr(C)]
pub struct OomDetails {
    pub(super) is_heap_oom: bool,
}

/// `void (*)(const char* location, const v8::OOMDetails& details)`
pub type OomWithDetails = unsafe extern "C" fn(*const c_char, *const OomDetails);
/// `void (*)(const char* location, bool is_heap_oom)`
pub type OomWithFlag = unsafe extern "C" fn(*const c_char, bool);

type AddNearHeapLimit = unsafe extern "C" fn(*mut RawIsolate, NearHeapLimit, *mut c_void);
type RemoveNearHeapLimit = unsafe extern "C" fn(*mut RawIsolate, NearHeapLimit, usize);
type AddGcCallback = unsafe extern "C" fn(*mut RawIsolate, GcCallback, *mut c_void, u32);
type RemoveGcCallback = unsafe extern "C" fn(*mut RawIsolate, GcCallback, *mut c_void);
type TakeWithOptions = unsafe extern "C" fn(*mut RawHeapProfiler, *const c_void) -> *const RawHeapSnapshot;
type TakeWithArguments = unsafe extern "C" fn(
    *mut RawHeapProfiler,
    *mut c_void,
    *mut c_void,
    bool,
    bool,
) -> *const RawHeapSnapshot;

/// Functions for heap snapshots; apart, because a runtime may lack them and still have the rest.
#[derive(Clone, Copy)]
pub struct SnapshotFunctions {
    pub(super) profiler: unsafe extern "C" fn(*mut RawIsolate) -> *mut RawHeapProfiler,
    pub(super) take: Take,
    pub(super) serialize: unsafe extern "C" fn(*const RawHeapSnapshot, *mut c_void, c_int),
    pub(super) delete: unsafe extern "C" fn(*const RawHeapSnapshot),
    /// `HeapProfiler::GetHeapStats`; nothing where it is not exported.
    pub(super) number: Option<unsafe extern "C" fn(*mut RawHeapProfiler, *mut c_void, *mut i64) -> u32>,
}

/// Functions for a walk over the heap; apart for the same reason (Node 18 has none).
#[derive(Clone, Copy)]
pub struct WalkFunctions {
    pub(super) profiler: unsafe extern "C" fn(*mut RawIsolate) -> *mut RawHeapProfiler,
    pub(super) current_context: unsafe extern "C" fn(*mut RawIsolate) -> Local,
    pub(super) entered_context: unsafe extern "C" fn(*mut RawIsolate) -> Local,
    pub(super) query: unsafe extern "C" fn(*mut RawHeapProfiler, Local, *mut c_void, *mut *mut c_void),
    pub(super) constructor_name: unsafe extern "C" fn(Local) -> Local,
    /// Nothing where one of them is not exported.
    pub(super) lengths: Option<LengthFunctions>,
}

/// Functions that say how many entries a collection has, and by what number snapshots know it. None of them allocates on the heap.
#[derive(Clone, Copy)]
pub(super) struct LengthFunctions {
    pub is_map: unsafe extern "C" fn(Local) -> bool,
    pub is_set: unsafe extern "C" fn(Local) -> bool,
    pub of_array: unsafe extern "C" fn(Local) -> u32,
    pub of_map: unsafe extern "C" fn(Local) -> usize,
    pub of_set: unsafe extern "C" fn(Local) -> usize,
    pub id: unsafe extern "C" fn(*mut RawHeapProfiler, Local) -> u32,
}

/// Functions that make line ends known; apart for the same reason.
#[derive(Clone, Copy)]
pub struct LineEndFunctions {
    pub(super) new: unsafe extern "C" fn(*mut RawIsolate, c_int, c_int) -> *mut RawCpuProfiler,
    pub(super) dispose: unsafe extern "C" fn(*mut RawCpuProfiler),
}

/// Functions of the sampling heap profiler; apart for the same reason.
#[derive(Clone, Copy)]
pub struct SamplingFunctions {
    pub(super) profiler: unsafe extern "C" fn(*mut RawIsolate) -> *mut RawHeapProfiler,
    pub(super) start: unsafe extern "C" fn(*mut RawHeapProfiler, u64, c_int, c_int) -> bool,
    pub(super) stop: unsafe extern "C" fn(*mut RawHeapProfiler),
}

/// Functions for callbacks at the heap's limit; apart for the same reason.
#[derive(Clone, Copy)]
pub struct NearLimitFunctions {
    pub(super) add: AddNearHeapLimit,
    pub(super) remove: RemoveNearHeapLimit,
    /// `Isolate::LowMemoryNotification`: collects all garbage that there is.
    pub(super) collect: unsafe extern "C" fn(*mut RawIsolate),
}

/// Where a process ends that is out of memory, in the two shapes that it has: what sets V8's handler, and the handler that Node has set.
#[derive(Clone, Copy)]
pub enum OomFunctions {
    /// With a structure (Node 20 and later).
    Details {
        /// `Isolate::SetOOMErrorHandler`
        set: unsafe extern "C" fn(*mut RawIsolate, OomWithDetails),
        /// `node::OOMErrorHandler`, which does not return.
        node: OomWithDetails,
    },
    /// With a flag (Node 18).
    Flag {
        /// `Isolate::SetOOMErrorHandler`
        set: unsafe extern "C" fn(*mut RawIsolate, OomWithFlag),
        /// `node::OOMErrorHandler`, which does not return.
        node: OomWithFlag,
    },
}

/// The two shapes of `HeapProfiler::TakeHeapSnapshot`.
#[derive(Clone, Copy)]
pub enum Take {
    /// With an options structure (Node 20 and later).
    Options(TakeWithOptions),
    /// With four arguments (Node 18).
    Arguments(TakeWithArguments),
}

/// V8's functions, as far as the bridge uses them.
#[derive(Clone, Copy)]
pub struct Bridge {
    try_get_current: unsafe extern "C" fn() -> *mut RawIsolate,
    pub(super) heap_statistics: unsafe extern "C" fn(*mut RawIsolate, *mut c_void),
    pub(super) add_prologue: AddGcCallback,
    pub(super) add_epilogue: AddGcCallback,
    pub(super) remove_prologue: RemoveGcCallback,
    pub(super) remove_epilogue: RemoveGcCallback,
    pub(super) request_interrupt: unsafe extern "C" fn(*mut RawIsolate, InterruptCallback, *mut c_void),
    /// Nothing where they are not exported.
    pub near_limit: Option<NearLimitFunctions>,
    /// Nothing where V8's handler cannot be set, or Node's is not known.
    pub oom: Option<OomFunctions>,
    /// Nothing where this runtime's snapshots cannot be taken through the bridge.
    pub snapshots: Option<SnapshotFunctions>,
    /// Nothing where the heap cannot be walked.
    pub walk: Option<WalkFunctions>,
    /// Nothing where line ends cannot be made known through the bridge.
    pub line_ends: Option<LineEndFunctions>,
    /// Nothing where the sampling heap profiler cannot be reached through the bridge.
    pub sampling: Option<SamplingFunctions>,
}

/// The isolate that the calling thread is in.
///
/// Not `Send`: a V8 isolate's functions are called on its own thread, but for those that say otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isolate(pub(super) NonNull<RawIsolate>);

impl Bridge {
    /// Where one of V8's functions is: in the object that V8 is a part of.
    pub fn address(&self) -> usize {
        self.try_get_current as usize
    }

    /// The isolate that the calling thread is in; nothing on a thread that runs no JavaScript.
    pub fn current_isolate(&self) -> Option<Isolate> {
        // SAFETY: `Isolate::TryGetCurrent` is static, reads a thread-local and returns null where there is no isolate.
        NonNull::new(unsafe { (self.try_get_current)() }).map(Isolate)
    }
}

/// The bridge of this process, or the first function that is missing. Looked up once.
pub fn bridge() -> Result<&'static Bridge, &'static str> {
    static BRIDGE: OnceLock<Result<Bridge, &'static str>> = OnceLock::new();
    BRIDGE.get_or_init(load).as_ref().map_err(|missing| *missing)
}

/// Looks one function up and gives it its type.
macro_rules! symbol {
    ($name:literal) => {{
        let pointer = lookup(concat!($name, "\0")).ok_or(concat!("not exported by this runtime: ", $name))?;
        // SAFETY: the symbol is a function (V8 exports none of these names as data) and lives as long as the process,
        // because it is the executable's or one of its libraries'. The mangled name spells the parameter types, which
        // the target type repeats; return types are as in the headers of Node 18 to 26. A C++ member function takes
        // `this` as its first argument on the Itanium ABI.
        unsafe { std::mem::transmute_copy::<NonNull<c_void>, _>(&pointer) }
    }};
}

#[cfg(all(unix, target_pointer_width = "64"))]
fn load() -> Result<Bridge, &'static str> {
    Ok(Bridge {
        try_get_current: symbol!("_ZN2v87Isolate13TryGetCurrentEv"),
        heap_statistics: symbol!("_ZN2v87Isolate17GetHeapStatisticsEPNS_14HeapStatisticsE"),
        add_prologue: symbol!(
            "_ZN2v87Isolate21AddGCPrologueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlagsEPvES4_S2_"
        ),
        add_epilogue: symbol!(
            "_ZN2v87Isolate21AddGCEpilogueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlagsEPvES4_S2_"
        ),
        remove_prologue: symbol!(
            "_ZN2v87Isolate24RemoveGCPrologueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlagsEPvES4_"
        ),
        remove_epilogue: symbol!(
            "_ZN2v87Isolate24RemoveGCEpilogueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlagsEPvES4_"
        ),
        request_interrupt: symbol!("_ZN2v87Isolate16RequestInterruptEPFvPS0_PvES2_"),
        near_limit: load_near_limit().ok(),
        oom: load_oom().ok(),
        snapshots: load_snapshots().ok(),
        walk: load_walk().ok(),
        line_ends: load_line_ends().ok(),
        sampling: load_sampling().ok(),
    })
}

#[cfg(all(unix, target_pointer_width = "64"))]
fn load_walk() -> Result<WalkFunctions, &'static str> {
    Ok(WalkFunctions {
        profiler: symbol!("_ZN2v87Isolate15GetHeapProfilerEv"),
        current_context: symbol!("_ZN2v87Isolate17GetCurrentContextEv"),
        entered_context: symbol!("_ZN2v87Isolate28GetEnteredOrMicrotaskContextEv"),
        query: symbol!(
            "_ZN2v812HeapProfiler12QueryObjectsENS_5LocalINS_7ContextEEEPNS_20QueryObjectPredicateEPSt6vectorINS_6GlobalINS_6ObjectEEESaIS9_EE"
        ),
        constructor_name: symbol!("_ZN2v86Object18GetConstructorNameEv"),
        lengths: load_lengths().ok(),
    })
}

#[cfg(all(unix, target_pointer_width = "64"))]
fn load_lengths() -> Result<LengthFunctions, &'static str> {
    Ok(LengthFunctions {
        is_map: symbol!("_ZNK2v85Value5IsMapEv"),
        is_set: symbol!("_ZNK2v85Value5IsSetEv"),
        of_array: symbol!("_ZNK2v85Array6LengthEv"),
        of_map: symbol!("_ZNK2v83Map4SizeEv"),
        of_set: symbol!("_ZNK2v83Set4SizeEv"),
        id: symbol!("_ZN2v812HeapProfiler11GetObjectIdENS_5LocalINS_5ValueEEE"),
    })
}

#[cfg(all(unix, target_pointer_width = "64"))]
fn load_near_limit() -> Result<NearLimitFunctions, &'static str> {
    Ok(NearLimitFunctions {
        add: symbol!("_ZN2v87Isolate24AddNearHeapLimitCallbackEPFmPvmmES1_"),
        remove: symbol!("_ZN2v87Isolate27RemoveNearHeapLimitCallbackEPFmPvmmEm"),
        collect: symbol!("_ZN2v87Isolate21LowMemoryNotificationEv"),
    })
}

#[cfg(all(unix, target_pointer_width = "64"))]
fn load_oom() -> Result<OomFunctions, &'static str> {
    let details = || -> Result<OomFunctions, &'static str> {
        Ok(OomFunctions::Details {
            set: symbol!("_ZN2v87Isolate18SetOOMErrorHandlerEPFvPKcRKNS_10OOMDetailsEE"),
            node: symbol!("_ZN4node15OOMErrorHandlerEPKcRKN2v810OOMDetailsE"),
        })
    };
    let flag = || -> Result<OomFunctions, &'static str> {
        Ok(OomFunctions::Flag {
            set: symbol!("_ZN2v87Isolate18SetOOMErrorHandlerEPFvPKcbE"),
            node: symbol!("_ZN4node15OOMErrorHandlerEPKcb"),
        })
    };
    details().or_else(|_| flag())
}

#[cfg(all(unix, target_pointer_width = "64"))]
fn load_line_ends() -> Result<LineEndFunctions, &'static str> {
    Ok(LineEndFunctions {
        new: symbol!(
            "_ZN2v811CpuProfiler3NewEPNS_7IsolateENS_22CpuProfilingNamingModeENS_23CpuProfilingLoggingModeE"
        ),
        dispose: symbol!("_ZN2v811CpuProfiler7DisposeEv"),
    })
}

#[cfg(all(unix, target_pointer_width = "64"))]
fn load_sampling() -> Result<SamplingFunctions, &'static str> {
    Ok(SamplingFunctions {
        profiler: symbol!("_ZN2v87Isolate15GetHeapProfilerEv"),
        start: symbol!("_ZN2v812HeapProfiler25StartSamplingHeapProfilerEmiNS0_13SamplingFlagsE"),
        stop: symbol!("_ZN2v812HeapProfiler24StopSamplingHeapProfilerEv"),
    })
}

#[cfg(all(unix, target_pointer_width = "64"))]
fn load_snapshots() -> Result<SnapshotFunctions, &'static str> {
    let with_options = || -> Result<Take, &'static str> {
        Ok(Take::Options(symbol!("_ZN2v812HeapProfiler16TakeHeapSnapshotERKNS0_19HeapSnapshotOptionsE")))
    };
    let with_arguments = || -> Result<Take, &'static str> {
        Ok(Take::Arguments(symbol!(
            "_ZN2v812HeapProfiler16TakeHeapSnapshotEPNS_15ActivityControlEPNS0_18ObjectNameResolverEbb"
        )))
    };
    Ok(SnapshotFunctions {
        profiler: symbol!("_ZN2v87Isolate15GetHeapProfilerEv"),
        take: with_options().or_else(|_| with_arguments())?,
        serialize: symbol!("_ZNK2v812HeapSnapshot9SerializeEPNS_12OutputStreamENS0_19SerializationFormatE"),
        delete: symbol!("_ZN2v812HeapSnapshot6DeleteEv"),
        number: load_number().ok(),
    })
}

#[cfg(all(unix, target_pointer_width = "64"))]
fn load_number()
-> Result<unsafe extern "C" fn(*mut RawHeapProfiler, *mut c_void, *mut i64) -> u32, &'static str> {
    Ok(symbol!("_ZN2v812HeapProfiler12GetHeapStatsEPNS_12OutputStreamEPl"))
}

#[cfg(not(all(unix, target_pointer_width = "64")))]
fn load() -> Result<Bridge, &'static str> {
    Err("V8's functions are called by the Itanium C++ ABI, which this platform does not have")
}

/// Looks a symbol up among everything that the process has loaded; `name` ends with a zero.
#[cfg(all(unix, target_pointer_width = "64"))]
fn lookup(name: &str) -> Option<NonNull<c_void>> {
    let name = CStr::from_bytes_with_nul(name.as_bytes()).ok()?;
    // SAFETY: `name` is a C string that outlives the call; `RTLD_DEFAULT` needs no handle.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}
