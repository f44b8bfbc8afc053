//! Recordings that signal handlers know of, and the last words that they write into them.
//!
//! What is called in a handler is async-signal-safe: atomics, stores into memory that is mapped, and system calls. No allocation, no lock that
//! is waited for without a bound.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::mapping;
use crate::recorder::record::words;
use crate::recorder::{Layout, Words};

/// Recordings that a process can have at a time; one more has no last words.
const MOST: usize = 64;
/// How long it is waited for a handler to end, before its memory is left to it.
const PATIENCE_MS: u64 = 100;
/// How often a thread tries to be the one that writes last words, and how long it sleeps in between: 0.1 s in all, for some hundred stores.
const TURNS: u32 = 1000;
const TURN_NS: libc::c_long = 50_000;

/// Where recordings are mapped; 0 where none is, `TAKEN` where one will be.
static STARTS: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];
static LENGTHS: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];
const TAKEN: usize = 1;
/// Handlers that are running.
static RUNNING: AtomicU32 = AtomicU32::new(0);
/// The process that records.
static PROCESS: AtomicI32 = AtomicI32::new(0);
/// The thread that is writing last words, 0 for none; and the one that has written them last.
static SAYING: AtomicU64 = AtomicU64::new(0);
static SAID: AtomicU64 = AtomicU64::new(0);

/// A recording that handlers know of.
pub struct Registered(usize);

/// Has handlers write the last words into this recording; nothing where there are too many.
pub fn register(memory: NonNull<u8>, bytes: usize) -> Option<Registered> {
    let index = STARTS
        .iter()
        .position(|start| start.compare_exchange(0, TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok())?;
    // SAFETY: the call has no arguments and cannot fail.
    PROCESS.store(unsafe { libc::getpid() }, Ordering::Relaxed);
    LENGTHS[index].store(bytes, Ordering::Release);
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

/// A handler that is running, from its beginning to its end.
pub struct Running(());

impl Running {
    pub fn begin() -> Self {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The process that records; 0 for none.
pub fn process() -> libc::pid_t {
    PROCESS.load(Ordering::Relaxed)
}

/// Puts anonymous memory in the place of a mapping that has lost its file; says whether the address is in one.
pub fn replace(address: usize) -> bool {
    for (place, length) in STARTS.iter().zip(&LENGTHS) {
        let start = place.load(Ordering::SeqCst);
        let length = length.load(Ordering::Acquire);
        // The length is this mapping's and not that of one which has its place now: no mapping begins where this one did while a handler
        // runs.
        let is_whole = place.load(Ordering::SeqCst) == start;
        if is_whole && start > TAKEN && (start..start + length).contains(&address) {
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

/// Writes the last words into each recording. That a signal was dealt with is not written over another thread's words.
pub fn say(last: &Words, kind: u16) {
    let is_turn = take_turn(last.thread);
    if kind == words::FATAL {
        SAID.store(last.thread, Ordering::Relaxed);
    }
    if SAID.load(Ordering::Relaxed) == last.thread {
        store(last, kind);
    }
    if is_turn {
        SAYING.store(0, Ordering::Release);
    }
}

fn store(last: &Words, kind: u16) {
    let mut place = [0; Layout::WORDS.slot];
    let record = last.encode(&mut place, 1, kind);
    for start in &STARTS {
        // In one order with the count of running handlers, which `unregister` looks at after it has taken the start away.
        let start = start.load(Ordering::SeqCst);
        if start > TAKEN {
            // SAFETY: a recording is mapped there, which is longer than this, and stays while a handler runs (`unregister`); its start is a
            // multiple of a page, and so is the place in it. Nobody has a reference to it.
            unsafe { mapping::store((start as *mut u8).add(Layout::WORDS.start), record) };
        }
    }
}

/// Has two threads that die at a time write one after the other: of both at once a torn record would be left. Says whether it has to be given
/// back: not by a handler that has interrupted the one which has it on the same thread, nor where the one that has it does not get on.
fn take_turn(thread: u64) -> bool {
    for _ in 0..TURNS {
        match SAYING.compare_exchange(0, thread, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(other) if other == thread => return false,
            Err(_) => sleep(TURN_NS),
        }
    }
    false
}

/// Sleeps, less than a second. May be called in a handler.
pub fn sleep(nanos: libc::c_long) {
    let time = libc::timespec { tv_sec: 0, tv_nsec: nanos };
    // SAFETY: the struct is a valid place; `nanosleep` may be called in a handler.
    unsafe { libc::nanosleep(&raw const time, ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::SMALLEST_BYTES;
    use crate::recorder::record::Found;
    use crate::units::UnixMillis;
    use std::sync::{Arc, Barrier};

    /// Memory that handlers take for a recording, and what is in the place of the last words.
    fn heard(what: impl FnOnce(&dyn Fn() -> (u16, u64))) {
        let mut memory = vec![0u64; SMALLEST_BYTES / 8];
        let start = NonNull::from(memory.as_mut_slice()).cast::<u8>();
        let registered = register(start, SMALLEST_BYTES).expect("room");
        let read = || {
            let mut bytes = [0; Layout::WORDS.slot];
            for (index, byte) in bytes.iter_mut().enumerate() {
                // SAFETY: the place is within the memory, which outlives the closure; others store into it with atomic stores.
                *byte = unsafe {
                    std::sync::atomic::AtomicU8::from_ptr(start.as_ptr().add(Layout::WORDS.start + index))
                }
                .load(Ordering::Relaxed);
            }
            let record = Found::in_place(&bytes).whole().expect("not torn");
            (record.kind, u64::from_le_bytes(record.payload[24..32].try_into().expect("eight")))
        };
        what(&read);
        assert!(unregister(registered));
    }

    fn words_of(thread: u64) -> Words {
        let at = UnixMillis(thread);
        Words { at, signal: 11, code: 1, address: thread, thread, sender: 0, waited_ms: 0 }
    }

    #[test]
    fn threads_that_die_at_a_time_leave_the_words_of_one_and_none_is_taken_back_by_another() {
        heard(|read| {
            for _ in 0..200 {
                let together = Arc::new(Barrier::new(3));
                let threads = [1, 2, 3].map(|thread| {
                    let together = Arc::clone(&together);
                    std::thread::spawn(move || {
                        together.wait();
                        (0..20).for_each(|_| say(&words_of(thread), words::FATAL));
                    })
                });
                threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
                assert_eq!(read().0, words::FATAL);
            }
            assert!(take_turn(4) && !take_turn(4), "interrupted by itself it goes on at once");
            assert!(!take_turn(5), "another waits, but not for ever");
            SAYING.store(0, Ordering::Release);
            say(&words_of(7), words::FATAL);
            say(&words_of(8), words::FATAL);
            assert_eq!(SAYING.load(Ordering::Relaxed), 0, "given back");
            say(&words_of(7), words::HANDLED);
            assert_eq!(read(), (words::FATAL, 8));
            say(&words_of(8), words::HANDLED);
            assert_eq!(read(), (words::HANDLED, 8));
        });
    }
}
