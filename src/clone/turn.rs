//! One clone at a time, one request that waits, and time for the process to catch its breath in between.

use std::time::{Duration, Instant};

use crate::error::{ErrorKind, Result};

/// A process stands still for a clone for at most a tenth of the time: after each it rests this many times the pause.
const REST: u32 = 10;
/// The shortest rest.
const LEAST_REST: Duration = Duration::from_millis(50);
/// Whoever waits asks again at least that often; a place that nobody asks for any more (its thread is gone) is free.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a request is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is its turn; [`Turns::end`] must follow.
    Go,
    /// It has a place in the queue, and asks again after this time.
    Wait(Duration),
}

/// Whose turn it is. One for a process: a fork stops nobody but copies everything.
#[derive(Debug)]
pub struct Turns {
    running: bool,
    /// The requests that wait, the first one first, and when each last asked. Two at most: the one whose turn is next, and the one
    /// that waits behind whoever is first.
    waiting: [Option<(u64, Instant)>; 2],
    free_at: Option<Instant>,
}

impl Turns {
    /// Nobody's turn.
    pub const fn new() -> Self {
        Self { running: false, waiting: [None; 2], free_at: None }
    }

    /// Asks for request number `request`, at `now`.
    ///
    /// # Errors
    ///
    /// `Busy` where two others are under way: one that runs or is next, and one behind it.
    pub fn ask(&mut self, request: u64, now: Instant) -> Result<Answer> {
        self.keep(|_, at| now.saturating_duration_since(at) <= PATIENCE);
        let place = match self.waiting.iter().position(|w| w.is_some_and(|(other, _)| other == request)) {
            Some(place) => place,
            None => {
                let waiting = self.waiting.iter().flatten().count();
                if waiting + usize::from(self.running) >= self.waiting.len() {
                    return Err(ErrorKind::Busy.into());
                }
                waiting
            }
        };
        let left = self.free_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        if self.running || place > 0 || !left.is_zero() {
            self.waiting[place] = Some((request, now));
            return Ok(Answer::Wait(if left.is_zero() { LEAST_REST } else { left.min(PATIENCE / 2) }));
        }
        self.leave(request);
        self.running = true;
        Ok(Answer::Go)
    }

    /// Says that request number `request` waits no longer.
    pub fn leave(&mut self, request: u64) {
        self.keep(|waiting, _| waiting != request);
    }

    /// Ends the turn of a clone for which the process stood still for `pause`.
    pub fn end(&mut self, pause: Duration, now: Instant) {
        self.running = false;
        self.free_at = Some(now + (pause * REST).max(LEAST_REST));
    }

    /// Keeps the requests that `stays`, in their order.
    fn keep(&mut self, stays: impl Fn(u64, Instant) -> bool) {
        let mut kept = self.waiting.into_iter().flatten().filter(|&(request, at)| stays(request, at));
        self.waiting = [kept.next(), kept.next()];
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn one_goes_one_waits_and_a_third_is_refused() {
        let (mut turns, now) = (Turns::new(), Instant::now());
        assert_eq!(turns.ask(1, now), Ok(Answer::Go));
        assert_eq!(turns.ask(2, now), Ok(Answer::Wait(LEAST_REST)));
        assert_eq!(turns.ask(3, now).expect_err("full").code(), "HEAPWARDEN_ERR_BUSY");
        turns.end(MS, now + 100 * MS);
        assert_eq!(turns.ask(2, now + 120 * MS), Ok(Answer::Wait(30 * MS)));
        assert_eq!(turns.ask(2, now + 150 * MS), Ok(Answer::Go));
        assert_eq!(turns.ask(3, now + 150 * MS), Ok(Answer::Wait(LEAST_REST)));
    }

    #[test]
    fn while_the_process_rests_one_is_next_and_one_waits_in_order() {
        let (mut turns, now) = (Turns::new(), Instant::now());
        assert_eq!(turns.ask(1, now), Ok(Answer::Go));
        turns.end(MS, now);
        assert_eq!(turns.ask(2, now), Ok(Answer::Wait(50 * MS)));
        assert_eq!(turns.ask(3, now), Ok(Answer::Wait(50 * MS)));
        assert!(turns.ask(4, now).is_err());
        assert_eq!(turns.ask(3, now + 50 * MS), Ok(Answer::Wait(LEAST_REST)), "2 is before it");
        assert_eq!(turns.ask(2, now + 50 * MS), Ok(Answer::Go));
        assert!(turns.ask(4, now + 50 * MS).is_err(), "3 has the one place");
    }

    #[test]
    fn a_long_pause_is_rested_from() {
        let (mut turns, now) = (Turns::new(), Instant::now());
        assert_eq!(turns.ask(1, now), Ok(Answer::Go));
        turns.end(40 * MS, now);
        assert_eq!(turns.ask(2, now), Ok(Answer::Wait(400 * MS)));
        assert_eq!(turns.ask(2, now + 400 * MS), Ok(Answer::Go));
    }

    #[test]
    fn whoever_gave_up_or_died_holds_no_place() {
        let (mut turns, now) = (Turns::new(), Instant::now());
        assert_eq!(turns.ask(1, now), Ok(Answer::Go));
        assert_eq!(turns.ask(2, now), Ok(Answer::Wait(LEAST_REST)));
        turns.leave(2);
        assert_eq!(turns.ask(3, now), Ok(Answer::Wait(LEAST_REST)));
        turns.leave(2);
        assert!(turns.ask(4, now).is_err(), "only the one that waits can leave");
        assert!(turns.ask(4, now + PATIENCE + MS).is_ok(), "3 does not ask any more");
    }
}
