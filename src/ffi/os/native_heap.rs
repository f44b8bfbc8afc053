//! What the C allocator has handed out: glibc's own account.

use std::ffi::{CStr, c_void};
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::units::Bytes;

/// Shortest time between two surveys ...
const RENEWED_MS: u64 = 60_000;
/// ... and as a multiple of how long the last one took.
const REST: u64 = 5_000;

/// No survey was made yet.
const UNKNOWN: u64 = u64::MAX;

/// `struct mallinfo2`, which glibc has had since 2.33; bytes, all of them.
#[repr(C)]
struct MallInfo2 {
    arena: usize,
    ordblks: usize,
    smblks: usize,
    hblks: usize,
    hblkhd: usize,
    usmblks: usize,
    fsmblks: usize,
    uordblks: usize,
    fordblks: usize,
    keepcost: usize,
}

type MallInfo = unsafe extern "C" fn() -> MallInfo2;

/// The last survey's answer. One a process: all monitors ask the same allocator.
static IN_USE: AtomicU64 = AtomicU64::new(UNKNOWN);
/// When the next survey is due, in milliseconds of this module's own clock.
static DUE: AtomicU64 = AtomicU64::new(0);

/// Bytes in use as of the last [`survey`]; nothing where there was none, or the C library cannot tell. An atomic load.
pub fn in_use() -> Option<Bytes> {
    let bytes = IN_USE.load(Ordering::Relaxed);
    (bytes != UNKNOWN).then_some(Bytes(bytes))
}

/// Asks the allocator anew, once a minute at most and on one thread at a time; otherwise an atomic load.
///
/// glibc takes the lock of one arena after the other and walks its lists of free chunks, some 170 ns each: 5 us in a native heap
/// of 1 GB in 50 arenas that is whole, 70 ms where a third of it, 400 000 chunks, was freed in between. Whoever allocates from an arena
/// meanwhile waits for its part of that. Hence the longer a survey took, the longer until the next, and only on the sampling thread:
/// never where JavaScript waits, and never in a signal handler or a forked child, where a lock may be held by a thread that is not
/// there any more.
pub fn survey() {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    let Some(mallinfo) = function() else { return };
    let clock = || EPOCH.get_or_init(Instant::now).elapsed().as_millis() as u64;
    let (started, due) = (clock(), DUE.load(Ordering::Relaxed));
    // Of two threads that find it due, one goes on.
    let next = started.saturating_add(RENEWED_MS);
    if started < due || DUE.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        return;
    }
    // SAFETY: the function is glibc's (see `function`), takes nothing and may be called on any thread. It locks the allocator's
    // arenas, which no caller of this holds: a clock's tick is never run inside the allocator.
    let info = unsafe { mallinfo() };
    IN_USE.store((info.uordblks as u64).saturating_add(info.hblkhd as u64), Ordering::Relaxed);
    let ended = clock();
    let rest = REST.saturating_mul(ended.saturating_sub(started)).max(RENEWED_MS);
    DUE.store(ended.saturating_add(rest), Ordering::Relaxed);
}

/// Whether the C library can be asked.
pub fn is_counted() -> bool {
    function().is_some()
}

/// glibc's `mallinfo2`; nothing where the C library has none, or where the allocator is another library's: it would count nothing.
///
/// Every allocator that takes the place of glibc's defines `malloc_usable_size`. `malloc` itself would not tell: its address is
/// that of a stub in an executable that takes it, as node does.
fn function() -> Option<MallInfo> {
    static FUNCTION: OnceLock<Option<MallInfo>> = OnceLock::new();
    *FUNCTION.get_or_init(|| {
        let (mallinfo, allocator) = (symbol(c"mallinfo2")?, symbol(c"malloc_usable_size")?);
        if library(mallinfo)? != library(allocator)? {
            return None;
        }
        // SAFETY: a function of this name has this type wherever it exists: glibc alone defines it, and its structure has not
        // changed since. It lives as long as the process.
        Some(unsafe { std::mem::transmute::<*mut c_void, MallInfo>(mallinfo) })
    })
}

fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: `name` is a C string that outlives the call; the default handle is valid at any time.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// Where the library that holds `address` was loaded.
fn library(address: *mut c_void) -> Option<*mut c_void> {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: any address may be asked for; `info` is a valid place for the answer.
    if unsafe { libc::dladdr(address, info.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: a structure of pointers that was zeroed, which is a value of it, and filled by `dladdr`.
    Some(unsafe { info.assume_init() }.dli_fbase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::os::alone::alone;

    #[test]
    fn what_malloc_gives_is_counted() {
        alone(concat!(module_path!(), "::what_malloc_gives_is_counted"), || {
            if cfg!(not(target_env = "gnu")) {
                return assert!(function().is_none(), "another C library has no such function");
            }
            // Older than 2.33, glibc has none.
            let Some(mallinfo) = function() else { return assert!(symbol(c"mallinfo2").is_none()) };
            let now = || {
                // SAFETY: as in `survey`.
                let info = unsafe { mallinfo() };
                info.uordblks + info.hblkhd
            };
            let before = now();
            // As a host's native code does it: large blocks of ours are none of the C allocator's.
            let sizes = (0..400).map(|i| 64 * 1024 + i).chain([64 << 20]);
            // SAFETY: any size may be asked for; each block is given back below, once.
            let blocks: Vec<_> =
                sizes.map(|size| std::hint::black_box(unsafe { libc::malloc(size) })).collect();
            let grown = now().saturating_sub(before);
            assert!(grown > (400 * 64 * 1024 + (64 << 20)) * 3 / 4, "{grown}");
            // SAFETY: as said.
            blocks.into_iter().for_each(|block| unsafe { libc::free(block) });
            assert!(now() < before + grown / 2, "and given back");
            survey();
            let told = in_use().expect("surveyed").0;
            survey();
            assert_eq!(in_use(), Some(Bytes(told)), "not again within a minute");
        });
    }
}
