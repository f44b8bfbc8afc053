//! The process's one watch over its container: a thread that every monitor may listen to.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::cgroup::Levels;
use crate::container::{Change, Look, Watch};
use crate::sample::Clock;
use crate::units::Micros;

/// A thread's name has room for 15 characters.
const THREAD: &str = "heapwarden-cgrp";

/// What a listener is told at each look.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// The look.
    pub look: Look,
    /// What it changed.
    pub change: Option<Change>,
    /// Whether an incident is under way.
    pub in_danger: bool,
    /// Whether this listener is the one that takes evidence: there is one in the process.
    pub is_first: bool,
}

/// Called on the watch's thread, which it must not hold up.
pub type Listener = Box<dyn FnMut(&Told) + Send>;

/// Whoever listens, oldest first, and the clock, which runs as long as somebody does.
struct Shared {
    listeners: Vec<(u64, Listener)>,
    clock: Option<Clock>,
    number: u64,
}

static SHARED: Mutex<Shared> = Mutex::new(Shared { listeners: Vec::new(), clock: None, number: 0 });

fn shared() -> MutexGuard<'static, Shared> {
    // A listener that panicked has changed nothing of it.
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody listens until this is dropped. After that the listener is not called any more, and no call is under way.
#[derive(Debug)]
pub struct Subscription(u64);

impl Subscription {
    /// Has `listener` told of each look; nothing where there are no control groups, or no thread can be had.
    pub fn new(listener: Listener) -> Option<Self> {
        Self::below(super::root(), listener)
    }

    fn below(root: &Path, listener: Listener) -> Option<Self> {
        let mut shared = shared();
        if shared.clock.is_none() {
            let mut levels = Levels::discover(root)?;
            let began = Instant::now();
            let mut watch = Watch::default();
            let look = move || {
                tell(&mut levels, &mut watch, Micros(began.elapsed().as_micros() as u64));
                watch.next()
            };
            shared.clock = Some(Clock::paced(THREAD, std::time::Duration::from_secs(10), look).ok()?);
        }
        shared.number += 1;
        let number = shared.number;
        shared.listeners.push((number, listener));
        Some(Self(number))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut shared = shared();
        shared.listeners.retain(|(number, _)| *number != self.0);
        let clock = if shared.listeners.is_empty() { shared.clock.take() } else { None };
        // Its thread may wait for the lock: it is joined without.
        drop(shared);
        drop(clock);
    }
}

/// One look, told to all who listen.
fn tell(levels: &mut Levels, watch: &mut Watch, at: Micros) {
    let Some(look) = levels.look(at) else { return watch.no_limit() };
    let change = watch.observe(&look);
    let in_danger = watch.is_in_danger();
    for (i, (_, listener)) in shared().listeners.iter_mut().enumerate() {
        listener(&Told { look, change, in_danger, is_first: i == 0 });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::cgroup::tests::{Root, V2_MOUNT};
    use super::*;
    use crate::container::Reason;

    #[test]
    fn all_who_listen_are_told_by_one_thread_that_ends_with_the_last() {
        let root = Root::new(
            "watch",
            &[
                ("proc/self/cgroup", "0::/\n"),
                ("proc/self/mountinfo", V2_MOUNT),
                ("sys/fs/cgroup/memory.max", "1000\n"),
                ("sys/fs/cgroup/memory.current", "950\n"),
            ],
        );
        let (first, firsts) = mpsc::channel();
        let (second, seconds) = mpsc::channel();
        let listen = |to: mpsc::Sender<Told>| {
            let listener = Box::new(move |told: &Told| to.send(*told).unwrap_or_default());
            Subscription::below(&root.0, listener)
        };
        let a = listen(first).expect("a thread");
        let told: Told = firsts.recv_timeout(Duration::from_secs(20)).expect("a look");
        assert!(matches!(told.change, Some(Change::Began(incident)) if incident.reason == Reason::Level));
        assert!(told.in_danger && told.is_first);
        let b = listen(second).expect("the same thread");
        let told: Told = seconds.recv_timeout(Duration::from_secs(20)).expect("a look");
        assert_eq!((told.is_first, told.change, told.in_danger), (false, None, true));
        drop(a);
        while seconds.recv_timeout(Duration::from_secs(20)).is_ok_and(|told| !told.is_first) {}
        drop(b);
        assert!(shared().clock.is_none(), "no thread is left");
        assert!(firsts.try_iter().count() < 100 && firsts.recv().is_err(), "the listener is gone");
        let nowhere = Root::new("watch-none", &[("proc/self/x", "")]);
        assert!(Subscription::below(&nowhere.0, Box::new(|_| {})).is_none());
    }
}
