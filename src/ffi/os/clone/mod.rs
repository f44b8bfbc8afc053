//! A copy-on-write clone of the process, in which V8 can be asked what the process itself has no time for.
//!
//! `fork()` copies the calling thread alone, and the heap as it is at that moment. Four measures make V8 work in the copy; each was
//! seen to fail without:
//!
//! 1. V8 asks for its heap not to be copied (`MADV_DONTFORK`). Before the fork that is taken back for the mappings that have it, and
//!    given again afterwards, so that other children of the process are as cheap as before: [`mappings`].
//! 2. The clone has one thread, but locks, conditions and semaphores remember the others. Whatever node's code asks of them is answered
//!    by functions that know that nobody else is there, entered into its tables of imported functions, in the clone only: [`imports`].
//! 3. The fork happens when the process's other threads are asleep, if they ever are within the time that the process may stand still,
//!    so that none is in the middle of anything: [`threads`].
//! 4. The clone keeps nothing of its parent's but memory: no descriptor (each is the null device), signal handler, priority; runs no event loop
//!    and no destructor of the process; is the first to be killed if memory runs out, ends with its parent, unless it is meant
//!    to outlive it, and by itself after a time: [`child`].
//!
//! The parent never waits for it on a thread that has anything else to do: [`watch`].

mod child;
mod imports;
mod mappings;
mod threads;
mod watch;

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

pub use child::Out;
pub use watch::{Watch, Watched};

use crate::error::{Error, ErrorKind, Result};
use crate::units::Bytes;

/// What a clone may do.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until then it has to be done.
    pub deadline: Duration,
    /// Memory of its own, beyond what it shares with its parent.
    pub memory: Bytes,
    /// How long the process may be held up for its other threads to fall asleep.
    pub patience: Duration,
    /// Whether to go on where they do not.
    pub insist: bool,
    /// Whether the clone goes on where its parent ends: what it does is for those who come after both.
    pub outlives: bool,
}

/// What became of an attempt.
pub enum Attempt {
    /// There is a clone.
    Made(Watch, Duration),
    /// Other threads are at work; later they may not be.
    Busy,
}

/// Why no clone can be made on this system; nothing where one can. `v8` is the address of a function of V8's.
pub fn refusal(v8: usize) -> Option<&'static str> {
    if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        return Some("clones of the process were tried on x86-64 and aarch64 only");
    }
    if imports::of(v8).is_none() {
        return Some("node's table of imported functions was not found");
    }
    // What the kernel says of each mapping is only there where /proc is mounted, and is Linux's own (gVisor has no flags).
    if !mappings::are_told() {
        return Some("/proc/self/smaps does not tell which memory is not copied to a child");
    }
    None
}

/// Clones the process, and has the clone do `work`, which tells the parent by `Out`; the clone ends with it.
///
/// `keep` are descriptors that the clone needs; it has no others. The process stands still for the copy of its page tables: some
/// 0.1 ms for each megabyte in use.
///
/// # Errors
///
/// `Clone` where the system refuses.
pub fn attempt(v8: usize, keep: &[RawFd], limits: &Limits, work: impl FnOnce(&mut Out)) -> Result<Attempt> {
    let imports =
        imports::of(v8).ok_or_else(|| failed("prepare", "node's imported functions were not found"))?;
    if !threads::fall_asleep(limits.patience) && !limits.insist {
        return Ok(Attempt::Busy);
    }
    let (from_clone, to_parent) = pipe()?;
    let started = Instant::now();
    let uncopied = mappings::uncopied().map_err(|e| failed("read /proc/self/smaps", e))?;
    // SAFETY: the call has no arguments and cannot fail.
    let parent = unsafe { libc::getpid() };
    let plan = child::Plan { imports, keep, out: to_parent.as_raw_fd(), parent, limits };
    let signals = SignalsHeld::new();
    let copied = uncopied.copied();
    // SAFETY: `fork` itself has no obligations. In the child one thread is left, and all that it runs is `child::run`, which never
    // returns; the locks of glibc's allocator are put right by `fork`. What `work` may do in such a process is its caller's to know.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        child::run(&plan, work);
    }
    // The parent, or nobody: first of all what was taken back is given again.
    drop(copied);
    drop(signals);
    if pid < 0 {
        return Err(failed("fork", std::io::Error::last_os_error()));
    }
    drop(to_parent);
    let pause = started.elapsed();
    Ok(Attempt::Made(Watch::new(pid, from_clone, limits.deadline), pause))
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two descriptors that the call writes.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(failed("make a pipe", std::io::Error::last_os_error()));
    }
    // SAFETY: both descriptors were made just now and belong to nobody else.
    let [from, to] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    Ok((from, to))
}

fn failed(what: &str, why: impl std::fmt::Display) -> Error {
    ErrorKind::Clone { reason: format!("could not {what}: {why}") }.into()
}

/// No signal is handled from creation to drop: a handler of the process must not run in its clone.
struct SignalsHeld(libc::sigset_t);

impl SignalsHeld {
    fn new() -> Self {
        let mut all = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
        let mut before = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: both sets are valid places; an all-zero set is an empty one where the calls should fail.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

impl Drop for SignalsHeld {
    fn drop(&mut self) {
        // SAFETY: the set was filled in by `pthread_sigmask`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}
