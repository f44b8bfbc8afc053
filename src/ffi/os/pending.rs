//! Work that must come to its end before the process dies: a report that is being written at the heap limit.
//!
//! A fatal error's handler asks [`count`] and waits, within a bound, until nothing is pending.

use std::sync::atomic::{AtomicU32, Ordering};

/// How much is pending in this process, whichever thread began it.
static PENDING: AtomicU32 = AtomicU32::new(0);

/// Something that is pending for as long as this lives. May be dropped on any thread.
#[must_use = "dropped, nothing is pending any more"]
#[derive(Debug)]
#[allow(dead_code, reason = "made by what writes a report at the heap limit")]
pub struct Guard(());

/// Begins something that the process's death should wait for. One atomic operation.
#[allow(dead_code, reason = "as above")]
pub fn begin() -> Guard {
    PENDING.fetch_add(1, Ordering::SeqCst);
    Guard(())
}

/// How much is pending. One atomic load: may be asked in a signal handler.
pub fn count() -> u32 {
    PENDING.load(Ordering::SeqCst)
}

impl Drop for Guard {
    fn drop(&mut self) {
        PENDING.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_pending_until_the_last_guard_goes_on_whichever_thread() {
        let before = count();
        let first = begin();
        let second = begin();
        assert_eq!(count(), before + 2);
        std::thread::spawn(move || drop(first)).join().expect("no panic");
        assert_eq!(count(), before + 1);
        drop(second);
        assert_eq!(count(), before);
    }
}
