//! A heap snapshot, streamed out of V8 without JavaScript.

use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::symbols::{Isolate, SnapshotFunctions, Take};

/// Receives a snapshot's text in V8's own chunks.
pub trait ChunkSink {
    /// Takes the next chunk; `false` ends the snapshot early.
    fn chunk(&mut self, text: &[u8]) -> bool;
}

/// Chunk size asked of V8: large enough that the calls do not count, small enough to stay in the cache.
const CHUNK_BYTES: c_int = 256 * 1024;
/// `v8::HeapSnapshot::kJSON`
const JSON: c_int = 0;

/// The vtable of a `v8::OutputStream` as the Itanium C++ ABI lays it out.
#[repr(C)]
struct VTable {
    offset_to_top: isize,
    type_info: *const c_void,
    complete_destructor: unsafe extern "C" fn(*mut Stream),
    deleting_destructor: unsafe extern "C" fn(*mut Stream),
    end_of_stream: unsafe extern "C" fn(*mut Stream),
    get_chunk_size: unsafe extern "C" fn(*mut Stream) -> c_int,
    write_ascii_chunk: unsafe extern "C" fn(*mut Stream, *mut c_char, c_int) -> c_int,
    write_heap_stats_chunk: unsafe extern "C" fn(*mut Stream, *mut c_void, c_int) -> c_int,
}

// SAFETY: the table is constant; its only pointer that is not a function is null.
unsafe impl Sync for VTable {}

static VTABLE: VTable = VTable {
    offset_to_top: 0,
    type_info: std::ptr::null(),
    complete_destructor: ignore,
    deleting_destructor: ignore,
    end_of_stream: ignore,
    get_chunk_size,
    write_ascii_chunk,
    write_heap_stats_chunk,
};

/// An object that V8 takes for a `v8::OutputStream`: the vtable's address first, then what is ours.
#[repr(C)]
struct Stream<'a> {
    vtable: *const c_void,
    sink: &'a mut dyn ChunkSink,
    /// Set by the first chunk that was refused.
    refused: bool,
}

/// `v8::OutputStream::WriteResult`
const CONTINUE: c_int = 0;
const ABORT: c_int = 1;

unsafe extern "C" fn ignore(_stream: *mut Stream) {}

unsafe extern "C" fn get_chunk_size(_stream: *mut Stream) -> c_int {
    CHUNK_BYTES
}

/// # Safety
///
/// Called by V8 only, from inside `Serialize`, with the stream that was passed to it.
unsafe extern "C" fn write_ascii_chunk(stream: *mut Stream, data: *mut c_char, size: c_int) -> c_int {
    // SAFETY: V8 passes back the stream given to `Serialize`, which outlives that call and is not used elsewhere meanwhile.
    let stream = unsafe { &mut *stream };
    let size = usize::try_from(size).unwrap_or(0);
    // SAFETY: V8 owns `size` readable bytes at `data` until the callback returns.
    let text = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) };
    // A panic must not unwind into V8's C++ frames.
    let taken = catch_unwind(AssertUnwindSafe(|| stream.sink.chunk(text))).unwrap_or(false);
    if taken {
        return CONTINUE;
    }
    stream.refused = true;
    ABORT
}

unsafe extern "C" fn write_heap_stats_chunk(
    _stream: *mut Stream,
    _data: *mut c_void,
    _count: c_int,
) -> c_int {
    ABORT
}

/// Takes a heap snapshot of `isolate` and streams its text into `sink`; says whether all of it was taken.
///
/// Stops the isolate for the whole time: some 50 ms per megabyte of heap, a quarter of it the text. V8 collects garbage
/// first. Memory: 350 to 540 bytes a node, given back at the end.
pub fn take_snapshot(functions: &SnapshotFunctions, isolate: Isolate, sink: &mut dyn ChunkSink) -> bool {
    // Larger than `HeapSnapshotOptions` of any version (24 to 40 bytes); all zeroes are its defaults.
    let options = [0u64; 16];
    // SAFETY: `isolate` is alive and this is its thread (an `Isolate` is not `Send`); the caller is inside a Node-API call,
    // which holds a handle scope. The options outlive the call. The resolver and the control may be null by V8's header.
    let snapshot = unsafe {
        let profiler = (functions.profiler)(isolate.0.as_ptr());
        match functions.take {
            Take::Options(take) => take(profiler, options.as_ptr().cast()),
            Take::Arguments(take) => take(profiler, std::ptr::null_mut(), std::ptr::null_mut(), true, false),
        }
    };
    if snapshot.is_null() {
        return false;
    }
    let vtable = (&raw const VTABLE.complete_destructor).cast::<c_void>();
    let mut stream = Stream { vtable, sink, refused: false };
    // SAFETY: `snapshot` came from V8 just now and is deleted once, after its last use. `stream` starts with a vtable
    // pointer whose slots have the order and the types of `v8::OutputStream`'s, and it outlives the call. None of its
    // functions unwinds.
    unsafe {
        (functions.serialize)(snapshot, (&raw mut stream).cast(), JSON);
        (functions.delete)(snapshot);
    }
    !stream.refused
}

/// Takes no text: what is wanted is the numbering.
struct Nothing;

impl ChunkSink for Nothing {
    fn chunk(&mut self, _text: &[u8]) -> bool {
        false
    }
}

/// Numbers every object of `isolate` as a snapshot would, and gives the highest number there is: what is made later has a higher one. Nothing
/// where this runtime cannot.
///
/// V8 collects garbage first and then passes over the heap once: some 3 ms per megabyte, a twentieth of a snapshot. V8 keeps 24 bytes.
pub fn number_objects(functions: &SnapshotFunctions, isolate: Isolate) -> Option<u32> {
    let number = functions.number?;
    let vtable = (&raw const VTABLE.complete_destructor).cast::<c_void>();
    let mut stream = Stream { vtable, sink: &mut Nothing, refused: false };
    let mut since_us = 0i64;
    // SAFETY: `isolate` is alive and this is its thread (an `Isolate` is not `Send`). `stream` starts with a vtable pointer whose slots have the
    // order and the types of `v8::OutputStream`'s; it and the time outlive the call. None of its functions unwinds. V8 ends at the first chunk
    // of figures, which `write_heap_stats_chunk` refuses.
    let last = unsafe {
        number((functions.profiler)(isolate.0.as_ptr()), (&raw mut stream).cast(), &raw mut since_us)
    };
    Some(last)
}
