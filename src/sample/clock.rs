//! The sampling thread's clock.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[derive(Default)]
struct State {
    stopped: bool,
    /// Raised by [`Ticker::wake`]: someone has news for the thread.
    woken: bool,
    /// Whether the thread waits for news: where it does not, nobody is to be woken, which is a system call.
    is_awaited: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    change: Condvar,
}

impl Shared {
    /// Waits until `deadline`, `stop`, or, where `for_news` is set, a wake-up; says whether the clock still runs.
    fn wait(&self, deadline: Instant, for_news: bool) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.stopped {
                return false;
            }
            if for_news && std::mem::take(&mut state.woken) {
                return true;
            }
            let now = Instant::now();
            if now >= deadline {
                return true;
            }
            state.is_awaited = for_news;
            state = self.change.wait_timeout(state, deadline - now).unwrap_or_else(PoisonError::into_inner).0;
            state.is_awaited = false;
        }
    }
}

/// What a tick may do besides its work: wait a moment for an answer from another thread.
#[derive(Clone)]
pub struct Ticker {
    shared: Arc<Shared>,
}

impl Ticker {
    /// Waits at most `limit` for [`Ticker::wake`]; says whether the clock still runs.
    pub fn wait(&self, limit: Duration) -> bool {
        self.shared.wait(Instant::now() + limit, true)
    }

    /// Ends a [`Ticker::wait`] that is under way, or the next one.
    pub fn wake(&self) {
        let is_awaited = {
            let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.woken = true;
            state.is_awaited
        };
        if is_awaited {
            self.shared.change.notify_all();
        }
    }
}

/// A native thread that calls a function again and again, whatever the event loop does.
///
/// Dropping or stopping it joins the thread, which takes no longer than the tick that is under way.
pub struct Clock {
    ticker: Ticker,
    thread: Option<JoinHandle<()>>,
}

impl Clock {
    /// Starts the thread; the first tick comes one `interval` from now.
    ///
    /// A tick that takes longer than the interval is followed by the next one that is still due: ticks are skipped,
    /// never bunched. A tick that panics is dropped, and the clock goes on.
    pub fn start(
        interval: Duration,
        mut tick: impl FnMut(&Ticker) + Send + 'static,
    ) -> std::io::Result<Self> {
        Self::spawn("heapwarden", move |handle| {
            let mut due = Instant::now() + interval;
            while handle.shared.wait(due, false) {
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tick(handle)));
                let now = Instant::now();
                while due <= now {
                    due += interval.max(Duration::from_millis(1));
                }
            }
        })
    }

    /// Starts a thread of that name whose ticks say when the next one comes; the first comes at once. One that panics is dropped, and the
    /// next comes `after_panic` later.
    pub fn paced(
        name: &str,
        after_panic: Duration,
        mut tick: impl FnMut() -> Duration + Send + 'static,
    ) -> std::io::Result<Self> {
        Self::spawn(name, move |handle| {
            let mut pause = Duration::ZERO;
            while handle.shared.wait(Instant::now() + pause, false) {
                let next = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut tick));
                pause = next.unwrap_or(after_panic).max(Duration::from_millis(1));
            }
        })
    }

    fn spawn(name: &str, body: impl FnOnce(&Ticker) + Send + 'static) -> std::io::Result<Self> {
        let ticker = Ticker { shared: Arc::default() };
        let handle = ticker.clone();
        let builder = std::thread::Builder::new().name(name.into()).stack_size(256 * 1024);
        let thread = builder.spawn(move || body(&handle))?;
        Ok(Self { ticker, thread: Some(thread) })
    }

    /// A handle that other threads may keep, to wake a tick that waits.
    pub fn ticker(&self) -> Ticker {
        self.ticker.clone()
    }

    /// Stops the clock and waits for its thread to end.
    pub fn stop(&mut self) {
        self.ticker.shared.state.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.ticker.shared.change.notify_all();
        if let Some(thread) = self.thread.take() {
            // The thread's own panics are caught at each tick; a join can only fail with one of those.
            let _ = thread.join();
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn ticks_until_stopped_and_survives_a_panicking_tick() {
        let ticks = Arc::new(AtomicU32::new(0));
        let (done, enough) = mpsc::channel();
        let mut clock = {
            let ticks = Arc::clone(&ticks);
            let start = Clock::start(Duration::from_millis(1), move |_| {
                let n = ticks.fetch_add(1, Ordering::SeqCst);
                if n == 3 {
                    let _ = done.send(());
                }
                assert_ne!(n, 1, "a tick that panics must not end the clock");
            });
            start.expect("a thread")
        };
        enough.recv_timeout(Duration::from_secs(20)).expect("four ticks");
        clock.stop();
        let after = ticks.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(ticks.load(Ordering::SeqCst), after);
    }

    #[test]
    fn a_tick_may_say_when_the_next_one_comes() {
        let (done, ticks) = mpsc::channel();
        let mut n = 0;
        let mut clock = Clock::paced("heapwarden-test", Duration::from_millis(1), move || {
            n += 1;
            let _ = done.send(n);
            assert_ne!(n, 2, "a tick that panics must not end the clock");
            Duration::from_secs(if n < 4 { 0 } else { 3600 })
        })
        .expect("a thread");
        let seen: Vec<i32> =
            (0..4).map(|_| ticks.recv_timeout(Duration::from_secs(20)).expect("a tick")).collect();
        assert_eq!(seen, [1, 2, 3, 4]);
        clock.stop();
        assert!(ticks.try_recv().is_err(), "the next one is an hour away");
    }

    #[test]
    fn stop_ends_a_tick_that_waits_for_an_answer() {
        let (entered, inside) = mpsc::channel();
        let mut clock = Clock::start(Duration::from_millis(1), move |ticker| {
            let _ = entered.send(());
            ticker.wait(Duration::from_secs(3600));
        })
        .expect("a thread");
        inside.recv_timeout(Duration::from_secs(20)).expect("a tick");
        clock.stop();
    }

    #[test]
    fn a_wake_before_the_wait_is_not_lost() {
        let ticker = Ticker { shared: Arc::default() };
        ticker.wake();
        assert!(ticker.wait(Duration::from_secs(3600)));
    }
}
