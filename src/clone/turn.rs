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
    /// It has the one place in the queue, and asks again after this time.
    Wait(Duration),
}

/// Whose turn it is. One for a process: a fork stops nobody but copies everything.
#[derive(Debug)]
pub struct Turns {
    running: bool,
    /// The request that waits, and when it last asked.
    waiting: Option<(u64, Instant)>,
    free_at: Option<Instant>,
}

impl Turns {
    /// Nobody's turn.
    pub const fn new() -> Self {
        Self { running: false, waiting: None, free_at: None }
    }

    /// Asks for request number `request`, at `now`.
    ///
    /// # Errors
    ///
    /// `Busy` where one is running and another one waits.
    pub fn ask(&mut self, request: u64, now: Instant) -> Result<Answer> {
        if self
            .waiting
            .is_some_and(|(other, at)| other != request && now.saturating_duration_since(at) <= PATIENCE)
        {
            return Err(ErrorKind::Busy.into());
        }
        let left = self.free_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        if self.running || !left.is_zero() {
            self.waiting = Some((request, now));
            return Ok(Answer::Wait(if self.running { LEAST_REST } else { left.min(PATIENCE / 2) }));
        }
        self.waiting = None;
        self.running = true;
        Ok(Answer::Go)
    }

    /// Says that request number `request` waits no longer.
    pub fn leave(&mut self, request: u64) {
        if self.waiting.is_some_and(|(waiting, _)| waiting == request) {
            self.waiting = None;
        }
    }

    /// Ends the turn of a clone for which the process stood still for `pause`.
    pub fn end(&mut self, pause: Duration, now: Instant) {
        self.running = false;
        self.free_at = Some(now + (pause * REST).max(LEAST_REST));
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
        assert_eq!(
            turns.ask(3, now + 120 * MS).expect_err("still the other's").code(),
            "HEAPWARDEN_ERR_BUSY"
        );
        assert_eq!(turns.ask(2, now + 120 * MS), Ok(Answer::Wait(30 * MS)));
        assert_eq!(turns.ask(2, now + 150 * MS), Ok(Answer::Go));
        assert_eq!(turns.ask(3, now + 150 * MS), Ok(Answer::Wait(LEAST_REST)));
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
