//! Work that must come to its end before the process dies: a report that is being written at the heap limit.
//!
//! A fatal signal's handler asks [`count_elsewhere`] and waits, within a bound, until nothing is pending.

use std::sync::atomic::{AtomicU64, Ordering};

/// How much can be pending at a time: a report for each thread at its limit. More is not waited for.
const MOST: usize = 64;
/// Nothing is pending in this place.
const NOTHING: u64 = 0;
/// Something is, and on no thread in particular.
const ANYWHERE: u64 = u64::MAX;

/// The threads that work on what is pending, by the numbers that the system gives them.
static PENDING: [AtomicU64; MOST] = [const { AtomicU64::new(NOTHING) }; MOST];

/// Something that is pending for as long as this lives. May be dropped on any thread.
#[must_use = "dropped, nothing is pending any more"]
#[derive(Debug)]
#[allow(dead_code, reason = "made by what writes a report at the heap limit")]
pub struct Guard(Option<usize>);

/// Begins something that the process's death should wait for, and that the calling thread does. Some atomic operations and a system call.
#[allow(dead_code, reason = "as above")]
pub fn begin() -> Guard {
    let this = thread();
    let is_taken = |place: &AtomicU64| {
        place.compare_exchange(NOTHING, this, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    };
    Guard(PENDING.iter().position(is_taken))
}

/// How much is pending that `thread` does not do itself: what it does does not get on while it waits. May be asked in a signal handler.
pub fn count_elsewhere(thread: u64) -> usize {
    let is_elsewhere = |place: &&AtomicU64| {
        let doer = place.load(Ordering::SeqCst);
        doer != NOTHING && doer != thread
    };
    PENDING.iter().filter(is_elsewhere).count()
}

impl Guard {
    /// The same, done from now on by another thread, or by another process.
    #[allow(dead_code, reason = "as above")]
    pub fn handed_over(self) -> Self {
        if let Some(index) = self.0 {
            PENDING[index].store(ANYWHERE, Ordering::SeqCst);
        }
        self
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(index) = self.0 {
            PENDING[index].store(NOTHING, Ordering::SeqCst);
        }
    }
}

#[cfg(target_os = "linux")]
fn thread() -> u64 {
    super::flight::thread()
}

/// No handler waits there.
#[cfg(not(target_os = "linux"))]
fn thread() -> u64 {
    ANYWHERE
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// A thread that is none.
    const NOBODY: u64 = u64::MAX - 1;

    #[test]
    fn is_pending_until_the_last_guard_goes_on_whichever_thread() {
        crate::ffi::os::alone::alone(
            concat!(module_path!(), "::is_pending_until_the_last_guard_goes_on_whichever_thread"),
            || {
                assert_eq!(count_elsewhere(NOBODY), 0);
                let first = begin();
                let second = begin();
                assert_eq!((count_elsewhere(NOBODY), count_elsewhere(thread())), (2, 0));
                let first = first.handed_over();
                assert_eq!(count_elsewhere(thread()), 1);
                std::thread::spawn(move || drop(first)).join().expect("no panic");
                assert_eq!(count_elsewhere(NOBODY), 1);
                drop(second);
                assert_eq!(count_elsewhere(NOBODY), 0);
            },
        );
    }

    #[test]
    fn what_is_too_much_is_not_waited_for() {
        crate::ffi::os::alone::alone(concat!(module_path!(), "::what_is_too_much_is_not_waited_for"), || {
            let many: Vec<Guard> = (0..=MOST).map(|_| begin()).collect();
            assert_eq!(count_elsewhere(NOBODY), MOST);
            drop(many);
            assert_eq!(count_elsewhere(NOBODY), 0);
        });
    }
}
