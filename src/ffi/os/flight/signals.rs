//! Handlers of fatal signals: they write the last words, and then have happen what would have happened without them.
//!
//! All that runs in a handler is async-signal-safe: atomics, stores into memory that is mapped, and system calls. No allocation, no lock.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use libc::{c_int, siginfo_t};

use super::mapping;
use super::places::{Running, process, replace, say, sleep};
use crate::ffi::os::pending;
use crate::recorder::Words;
use crate::recorder::record::words;
use crate::units::UnixMillis;

/// What ends a process by its own fault, as V8 aborts by SIGABRT, SIGILL or SIGTRAP, whichever its version likes; and at the end what people
/// send to end one.
const HANDLED: [c_int; 9] = [
    libc::SIGABRT,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
];

/// How long a death is put off for reports that are being written, unless `HEAPWARDEN_CRASH_WAIT_MS` says something else.
const WAIT_MS: u64 = 20_000;
/// How often it is looked whether they are.
const STEP_MS: u64 = 5;
/// `si_code` of what the memory controller reports without anybody having touched it: it does not come again.
const BUS_MCEERR_AO: c_int = 5;

static WAIT: AtomicU64 = AtomicU64::new(WAIT_MS);
/// What handled each signal before us; never freed.
static BEFORE: [AtomicPtr<libc::sigaction>; HANDLED.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; HANDLED.len()];

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
        for (index, signal) in HANDLED.into_iter().enumerate() {
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
        if asks(signal) && !ends(&before) {
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

/// Whether the signal is one by which somebody asks a process to end.
fn asks(signal: c_int) -> bool {
    matches!(signal, libc::SIGTERM | libc::SIGINT | libc::SIGHUP)
}

/// Whether the process ends of what is in place: the default, or Node's own, which puts the terminal in order first and is called once. A
/// program that listens, or ignores the signal, is left alone; one that begins to listen later takes our place.
fn ends(before: &libc::sigaction) -> bool {
    before.sa_sigaction == libc::SIG_DFL
        || (before.sa_sigaction != libc::SIG_IGN && before.sa_flags & libc::SA_RESETHAND != 0)
}

/// # Safety
///
/// Called by the kernel, with what it gives to a handler that has `SA_SIGINFO`.
unsafe extern "C" fn on_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the place of `errno` is the thread's own and always there.
    let errno = unsafe { *libc::__errno_location() };
    let running = Running::begin();
    // SAFETY: the kernel vouches for `info` and `context`.
    unsafe { handle(signal, info, context) };
    drop(running);
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
    let is_ours = is_ours();
    if signal == libc::SIGBUS && is_fault && is_ours && replace(address) {
        return;
    }
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
        // Nobody else is asked: the process ends. What somebody may deal with is waited for afterwards, if nobody has. Whoever asks a process
        // to end is not made to wait.
        if signal == libc::SIGABRT || (is_certain(signal, is_fault) && !asks(signal)) {
            put_off(&mut last);
        }
    }
    // SAFETY: all three are as the kernel gave them.
    let goes_on = unsafe { chain(signal, info, context) };
    if !is_ours {
        return;
    }
    // `abort` sends SIGABRT with the default in place, once those who handle or ignore it have returned.
    let is_abort =
        signal == libc::SIGABRT && last.code == libc::SI_TKILL && last.sender == process().cast_unsigned();
    if goes_on && !is_abort {
        say(&last, words::HANDLED);
    } else {
        if !asks(signal) {
            put_off(&mut last);
        }
        // Once more: another thread may have written in the meantime that its signal was dealt with.
        say(&last, words::FATAL);
    }
}

/// Whether this is the process that records: not one forked off it, nor one that still has its parent's memory and has not begun another
/// program.
fn is_ours() -> bool {
    // SAFETY: the call has no arguments and cannot fail.
    !mapping::is_child() && unsafe { libc::getpid() } == process()
}

/// Waits for what is pending, and adds how long.
fn put_off(last: &mut Words) {
    if pending::count_elsewhere(last.thread) > 0 {
        let waited = wait(last.thread);
        last.waited_ms += waited;
        say(last, words::FATAL);
    }
}

/// Whether the signal has nobody to deal with it.
fn is_certain(signal: c_int, is_fault: bool) -> bool {
    let index = HANDLED.iter().position(|&fatal| fatal == signal).unwrap_or(0);
    // SAFETY: stored before the handler was installed, and never freed.
    let before = unsafe { BEFORE[index].load(Ordering::Acquire).as_ref() };
    before.is_none_or(|before| match before.sa_sigaction {
        libc::SIG_DFL => true,
        libc::SIG_IGN => is_fault,
        _ => false,
    })
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

/// Waits until nothing is pending any more on other threads than this, within the bound; says how long.
fn wait(thread: u64) -> u64 {
    let (began, most) = (now().0, WAIT.load(Ordering::Relaxed));
    // Counted in steps too: a clock that is set back must not make it longer.
    for _ in 0..most / STEP_MS {
        if pending::count_elsewhere(thread) == 0 {
            break;
        }
        sleep(STEP_MS as libc::c_long * 1_000_000);
    }
    now().0.saturating_sub(began)
}

/// Has happen what would have happened without us. Says whether the process goes on.
///
/// # Safety
///
/// As for `on_signal`.
unsafe fn chain(signal: c_int, info: *mut siginfo_t, context: *mut c_void) -> bool {
    let index = HANDLED.iter().position(|&fatal| fatal == signal).unwrap_or(0);
    // SAFETY: stored before the handler was installed, and never freed.
    let Some(before) = (unsafe { BEFORE[index].load(Ordering::Acquire).as_ref() }) else {
        return die(signal, 0);
    };
    // SAFETY: the kernel vouches for it.
    let code = unsafe { (*info).si_code };
    match before.sa_sigaction {
        libc::SIG_IGN if code <= 0 => true,
        libc::SIG_DFL | libc::SIG_IGN => die(signal, code),
        // SAFETY: what the kernel gave, and the handler that it would have called.
        handler => unsafe { call(signal, info, context, before, handler) },
    }
}

/// Has the default happen once the handler has returned. Gives `false`.
fn die(signal: c_int, code: c_int) -> bool {
    // SAFETY: the struct is a valid place; all of these may be called in a handler.
    unsafe {
        let mut default = std::mem::zeroed::<libc::sigaction>();
        default.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(signal, &raw const default, ptr::null_mut());
        // What faulted faults again, and the system tells the same of it as without us. After a breakpoint, and what was sent, nothing
        // would come: sent again, it waits until this handler has returned.
        let is_report = signal == libc::SIGBUS && code == BUS_MCEERR_AO;
        let comes_again = code > 0 && !is_report && signal != libc::SIGTRAP && signal != libc::SIGABRT;
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
        if before.sa_flags & libc::SA_NODEFER != 0
            && libc::sigismember(&raw const before.sa_mask, signal) == 0
        {
            let mut own = std::mem::zeroed::<libc::sigset_t>();
            libc::sigaddset(&raw mut own, signal);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const own, ptr::null_mut());
        }
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
        // Not only our own: whoever came on top of us calls us.
        now.sa_sigaction != libc::SIG_DFL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_death_is_put_off_for_what_is_pending_elsewhere_and_no_longer_than_the_bound() {
        let held = pending::begin();
        WAIT.store(60_000, Ordering::Relaxed);
        assert!(wait(thread()) < 60_000, "the thread that dies would wait for itself");
        let held = held.handed_over();
        WAIT.store(60, Ordering::Relaxed);
        assert!(wait(thread()) >= 60, "nobody came to an end");
        WAIT.store(60_000, Ordering::Relaxed);
        let other = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            drop(held);
        });
        let waited = wait(thread());
        other.join().expect("no panic");
        WAIT.store(WAIT_MS, Ordering::Relaxed);
        assert!((50..60_000).contains(&waited), "{waited}");
    }

    static HEARD: AtomicU64 = AtomicU64::new(0);

    extern "C" fn hears(_: c_int) {
        HEARD.fetch_add(1, Ordering::Relaxed);
    }

    extern "C" fn sends_itself_sigill(_: *mut c_void) -> c_int {
        // Not SIGSEGV, which the standard library's handler takes for one that comes again.
        // SAFETY: the signal ends this process, and no other.
        unsafe { libc::kill(libc::getpid(), libc::SIGILL) };
        0
    }

    #[test]
    fn what_does_not_end_this_process_leaves_no_words() {
        let name = concat!(module_path!(), "::what_does_not_end_this_process_leaves_no_words");
        crate::ffi::os::alone::alone(name, || {
            let folder = std::env::temp_dir().join(format!("heapwarden-signals-{}", std::process::id()));
            // The one that the standard library gives its threads is too small for a handler that is not optimised.
            let alternate = Box::leak(vec![0u8; 64 * 1024].into_boxed_slice());
            let alternate =
                libc::stack_t { ss_sp: alternate.as_mut_ptr().cast(), ss_flags: 0, ss_size: alternate.len() };
            // SAFETY: the memory is as long as said and is never freed.
            assert_eq!(unsafe { libc::sigaltstack(&raw const alternate, ptr::null_mut()) }, 0);
            // SAFETY: both are valid dispositions, and nobody else sends these signals.
            unsafe {
                libc::signal(libc::SIGABRT, libc::SIG_IGN);
                libc::signal(libc::SIGFPE, hears as *const () as usize);
            }
            let flight = super::super::begin(&folder, super::super::tests::header()).expect("begun");
            let words = || {
                let bytes = std::fs::read(&flight.path).expect("a file");
                let recording = crate::recorder::Recording::read(&bytes).expect("a recording");
                assert_eq!(recording.damage, []);
                recording.words
            };
            // SAFETY: the one is ignored, the other handled.
            unsafe {
                libc::kill(libc::getpid(), libc::SIGABRT);
                libc::raise(libc::SIGFPE);
            }
            assert_eq!((HEARD.load(Ordering::Relaxed), words()), (1, None));
            // A child by `fork`, and one that still shares this memory, as between `vfork` and `exec`.
            for flags in [0, libc::CLONE_VM | libc::CLONE_VFORK] {
                let mut stack = vec![0u128; 8192];
                // SAFETY: the child has a stack of its own, which outlives it: with shared memory the call returns when the child has
                // ended, without it the child has a copy. What it runs makes system calls alone.
                let status = unsafe {
                    let top = stack.as_mut_ptr().add(stack.len()).cast();
                    let child = libc::clone(sends_itself_sigill, top, flags | libc::SIGCHLD, ptr::null_mut());
                    assert!(child > 0);
                    let mut status = 0;
                    assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
                    status
                };
                assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGILL, "{status}");
                assert_eq!(words(), None);
            }
            std::fs::remove_dir_all(&folder).expect("removed");
        });
    }
}
