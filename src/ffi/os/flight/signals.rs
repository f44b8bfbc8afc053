//! Handlers of fatal signals: they write the last words, and then have happen what would have happened without them.
//!
//! All that runs in a handler is async-signal-safe: atomics, stores into memory that is mapped, and system calls. No allocation, no lock.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use libc::{c_int, siginfo_t};

use super::mapping;
use crate::ffi::os::pending;
use crate::recorder::record::words;
use crate::recorder::{Layout, Words};
use crate::units::UnixMillis;

/// What ends a process by its own fault. V8 aborts by SIGABRT, SIGILL or SIGTRAP, whichever its version likes. Signals that people send to
/// end a process (SIGTERM, SIGINT, SIGHUP) are the program's.
const FATAL: [c_int; 6] =
    [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];

/// Recordings that a process can have at a time; one more has no last words.
const MOST: usize = 64;
/// How long an abort is put off for reports that are being written, unless `HEAPWARDEN_CRASH_WAIT_MS` says something else.
const WAIT_MS: u64 = 20_000;
/// How often it is looked whether they are.
const STEP_MS: u64 = 5;
/// How long it is waited for a handler to end, before its memory is left to it.
const PATIENCE_MS: u64 = 100;

/// Where recordings are mapped; 0 where none is, `TAKEN` where one will be.
static STARTS: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];
static LENGTHS: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];
const TAKEN: usize = 1;
/// Handlers that are running.
static RUNNING: AtomicU32 = AtomicU32::new(0);
static WAIT: AtomicU64 = AtomicU64::new(WAIT_MS);
/// What handled each signal before us; never freed.
static BEFORE: [AtomicPtr<libc::sigaction>; FATAL.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; FATAL.len()];

/// A recording that handlers know of.
pub struct Registered(usize);

/// Has handlers write the last words into this recording; nothing where there are too many.
pub fn register(memory: NonNull<u8>, bytes: usize) -> Option<Registered> {
    let index = STARTS
        .iter()
        .position(|start| start.compare_exchange(0, TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok())?;
    LENGTHS[index].store(bytes, Ordering::Relaxed);
    STARTS[index].store(memory.as_ptr() as usize, Ordering::Release);
    Some(Registered(index))
}

/// Has handlers forget it. Says whether the memory may be unmapped: not where a handler is running that may know it.
pub fn unregister(Registered(index): Registered) -> bool {
    STARTS[index].store(0, Ordering::SeqCst);
    for _ in 0..PATIENCE_MS {
        if RUNNING.load(Ordering::SeqCst) == 0 {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    false
}

/// The number that the system gives the calling thread.
pub fn thread() -> u64 {
    // SAFETY: the call has no arguments and cannot fail.
    unsafe { libc::syscall(libc::SYS_gettid) }.cast_unsigned()
}

/// Installs the handlers, once a process; they stay, because somebody else's may have come on top of them.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Some(ms) = std::env::var("HEAPWARDEN_CRASH_WAIT_MS").ok().and_then(|ms| ms.trim().parse().ok())
        {
            WAIT.store(ms, Ordering::Relaxed);
        }
        if !pin() {
            return;
        }
        for (index, signal) in FATAL.into_iter().enumerate() {
            install_one(index, signal);
        }
    });
}

/// Sees to it that this library is never unloaded, as Node does with what only a worker has loaded: the kernel would call into nothing.
fn pin() -> bool {
    let here = on_signal as *const c_void;
    // SAFETY: `here` is an address in this library, whose name lives as long as it is loaded, which is through the calls. With
    // `RTLD_NOLOAD` nothing is loaded; the handle is kept for ever on purpose.
    unsafe {
        let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
        if libc::dladdr(here, info.as_mut_ptr()) == 0 {
            return false;
        }
        let name = info.assume_init().dli_fname;
        let handle = libc::dlopen(name, libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        // The program itself, as in a test, has another name and is never unloaded.
        !handle.is_null() || !is_library(name)
    }
}

/// # Safety
///
/// `name` must be a C string.
unsafe fn is_library(name: *const libc::c_char) -> bool {
    // SAFETY: the caller vouches for it.
    let name = unsafe { std::ffi::CStr::from_ptr(name) };
    [&b".node"[..], b".so"].iter().any(|end| name.to_bytes().ends_with(end))
}

fn install_one(index: usize, signal: c_int) {
    // SAFETY: the structs are valid places. The one that was before is kept for ever, and known before the handler can run. The handler has
    // the type that `SA_SIGINFO` asks for.
    unsafe {
        let mut before = Box::new(std::mem::zeroed::<libc::sigaction>());
        if libc::sigaction(signal, ptr::null(), &raw mut *before) != 0 {
            return;
        }
        BEFORE[index].store(Box::into_raw(before), Ordering::Release);
        let mut ours = std::mem::zeroed::<libc::sigaction>();
        ours.sa_sigaction = on_signal as *const () as usize;
        // On a stack of its own where the thread has one: its own may be what is at fault. Interrupted calls are begun again.
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        libc::sigemptyset(&raw mut ours.sa_mask);
        libc::sigaction(signal, &raw const ours, ptr::null_mut());
    }
}

/// # Safety
///
/// Called by the kernel, with what it gives to a handler that has `SA_SIGINFO`.
unsafe extern "C" fn on_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the place of `errno` is the thread's own and always there.
    let errno = unsafe { *libc::__errno_location() };
    RUNNING.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the kernel vouches for `info` and `context`.
    unsafe { handle(signal, info, context) };
    RUNNING.fetch_sub(1, Ordering::SeqCst);
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// # Safety
///
/// As for `on_signal`.
unsafe fn handle(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel vouches for it.
    let info_ref = unsafe { &*info };
    let is_fault = info_ref.si_code > 0;
    // SAFETY: of a fault there is an address.
    let address = if is_fault { (unsafe { info_ref.si_addr() }) as usize } else { 0 };
    if signal == libc::SIGBUS && is_fault && replace(address) {
        return;
    }
    let is_ours = !mapping::is_child();
    let mut last = Words {
        at: now(),
        signal: signal.cast_unsigned(),
        code: info_ref.si_code,
        address: address as u64,
        thread: thread(),
        // SAFETY: of a signal that was sent there is a sender.
        sender: if is_fault { 0 } else { unsafe { info_ref.si_pid() }.cast_unsigned() },
        waited_ms: 0,
    };
    if is_ours {
        say(&last, words::FATAL);
        if signal == libc::SIGABRT && pending::count() > 0 {
            last.waited_ms = wait();
            say(&last, words::FATAL);
        }
    }
    // SAFETY: all three are as the kernel gave them.
    let goes_on = unsafe { chain(signal, info, context) };
    if goes_on && is_ours && signal != libc::SIGABRT {
        say(&last, words::HANDLED);
    }
}

/// Puts anonymous memory in the place of a mapping that has lost its file; says whether the address is in one.
fn replace(address: usize) -> bool {
    for (start, length) in STARTS.iter().zip(&LENGTHS) {
        let (start, length) = (start.load(Ordering::Acquire), length.load(Ordering::Relaxed));
        if start > TAKEN && (start..start + length).contains(&address) {
            // SAFETY: the range is a mapping of ours, which nobody unmaps while a handler runs (`unregister`). Whoever stores into it stores
            // into the new one; nobody reads it.
            let memory = unsafe {
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
                libc::mmap(start as *mut c_void, length, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
            };
            return memory != libc::MAP_FAILED;
        }
    }
    false
}

/// Writes the last words into each recording.
fn say(last: &Words, kind: u16) {
    let mut place = [0; Layout::WORDS.slot];
    let record = last.encode(&mut place, 1, kind);
    for start in &STARTS {
        let start = start.load(Ordering::Acquire);
        if start > TAKEN {
            // SAFETY: a recording is mapped there, which is longer than this, and stays while a handler runs (`unregister`); its start is a
            // multiple of a page, and so is the place in it. Nobody has a reference to it.
            unsafe { mapping::store((start as *mut u8).add(Layout::WORDS.start), record) };
        }
    }
}

fn now() -> UnixMillis {
    // SAFETY: the struct is a valid place; `clock_gettime` may be called in a handler.
    let time = unsafe {
        let mut time = std::mem::zeroed::<libc::timespec>();
        libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time);
        time
    };
    let (seconds, nanos) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
    UnixMillis(seconds.wrapping_mul(1000).wrapping_add(nanos / 1_000_000))
}

/// Waits until nothing is pending any more, within the bound; says how long.
fn wait() -> u64 {
    let (began, most) = (now().0, WAIT.load(Ordering::Relaxed));
    let step = libc::timespec { tv_sec: 0, tv_nsec: STEP_MS as libc::c_long * 1_000_000 };
    // Counted in steps too: a clock that is set back must not make it longer.
    for _ in 0..most / STEP_MS {
        if pending::count() == 0 {
            break;
        }
        // SAFETY: the struct is a valid place; `nanosleep` may be called in a handler.
        unsafe { libc::nanosleep(&raw const step, ptr::null_mut()) };
    }
    now().0.saturating_sub(began)
}

/// Has happen what would have happened without us. Says whether the process goes on.
///
/// # Safety
///
/// As for `on_signal`.
unsafe fn chain(signal: c_int, info: *mut siginfo_t, context: *mut c_void) -> bool {
    let index = FATAL.iter().position(|&fatal| fatal == signal).unwrap_or(0);
    // SAFETY: stored before the handler was installed, and never freed.
    let Some(before) = (unsafe { BEFORE[index].load(Ordering::Acquire).as_ref() }) else {
        let _ = die(signal, false);
        return false;
    };
    // SAFETY: the kernel vouches for it.
    let is_fault = unsafe { (*info).si_code } > 0;
    match before.sa_sigaction {
        libc::SIG_IGN if !is_fault => true,
        libc::SIG_DFL | libc::SIG_IGN => die(signal, is_fault),
        // SAFETY: what the kernel gave, and the handler that it would have called.
        handler => unsafe { call(signal, info, context, before, handler) },
    }
}

/// Has the default happen once the handler has returned. Gives `false`.
fn die(signal: c_int, is_fault: bool) -> bool {
    // SAFETY: the struct is a valid place; all of these may be called in a handler.
    unsafe {
        let mut default = std::mem::zeroed::<libc::sigaction>();
        default.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(signal, &raw const default, ptr::null_mut());
        // What faulted faults again, and the system tells the same of it as without us. After a breakpoint, and what was sent, nothing
        // would come: sent again, it waits until this handler has returned.
        let comes_again = is_fault && signal != libc::SIGTRAP && signal != libc::SIGABRT;
        if !comes_again {
            libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::syscall(libc::SYS_gettid), signal);
        }
    }
    false
}

/// Calls the handler that was there before, in the way that the kernel would have. Says whether it has dealt with the matter: one that has
/// not puts the default in place and sends the signal again (as Node's does, which is there for WebAssembly).
///
/// # Safety
///
/// `handler` must be what `before` has, the rest what the kernel gave.
unsafe fn call(
    signal: c_int,
    info: *mut siginfo_t,
    context: *mut c_void,
    before: &libc::sigaction,
    handler: libc::sighandler_t,
) -> bool {
    // SAFETY: the structs are valid places, and all of the calls may be made in a handler. `handler` is a function, since it is neither the
    // default nor to be ignored, of the one type or the other, as its flags say.
    unsafe {
        let mut mask = std::mem::zeroed::<libc::sigset_t>();
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const before.sa_mask, &raw mut mask);
        if before.sa_flags & libc::SA_RESETHAND != 0 {
            let mut default = std::mem::zeroed::<libc::sigaction>();
            default.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(signal, &raw const default, ptr::null_mut());
        }
        if before.sa_flags & libc::SA_SIGINFO != 0 {
            type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
            std::mem::transmute::<libc::sighandler_t, Handler>(handler)(signal, info, context);
        } else {
            std::mem::transmute::<libc::sighandler_t, extern "C" fn(c_int)>(handler)(signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, ptr::null_mut());
        let mut now = std::mem::zeroed::<libc::sigaction>();
        libc::sigaction(signal, ptr::null(), &raw mut now);
        now.sa_sigaction == on_signal as *const () as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_is_put_off_for_what_is_pending_and_no_longer_than_the_bound() {
        let held = pending::begin();
        WAIT.store(60, Ordering::Relaxed);
        assert!(wait() >= 60, "nobody came to an end");
        WAIT.store(60_000, Ordering::Relaxed);
        let other = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            drop(held);
        });
        let waited = wait();
        other.join().expect("no panic");
        WAIT.store(WAIT_MS, Ordering::Relaxed);
        assert!((50..60_000).contains(&waited), "{waited}");
    }
}
