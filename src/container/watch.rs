//! When an incident begins and ends.

use std::collections::VecDeque;
use std::time::Duration;

use super::look::Look;
use crate::units::{Bytes, Micros};

/// Of the limit: from here on there is an incident, whatever the pace.
const LEVEL: f64 = 0.92;
/// Of the limit: from here on the pace counts. Programs fill up fast when they start.
const PACE_FROM: f64 = 0.70;
/// A pace that reaches the limit within this is an incident.
const HORIZON_SECONDS: f64 = 15.0;
/// A share of all time that the group's tasks wait for memory while it is at its limit: the kernel does little but take back and
/// read again.
const STALLED: f64 = 0.2;
/// Of the limit: below it, for [`CALM`], an incident is over.
const OVER: f64 = 0.85;
const CALM: Micros = Micros(60_000_000);
/// Captures come no closer, however often usage rises and falls.
const CAPTURES_APART: Micros = Micros(600_000_000);

/// The pace is that of the last seconds, in both halves of them: one large allocation is no pace.
const WINDOW: Micros = Micros(5_000_000);
const SHORTEST_WINDOW: Micros = Micros(1_500_000);
/// Looks kept come no closer.
const KEPT_APART: Micros = Micros(100_000);
const MOST_KEPT: usize = 64;

/// With no limit, where one may still be set.
const WITHOUT_LIMIT: Duration = Duration::from_secs(10);
const USUAL: Duration = Duration::from_secs(1);
const NEAR: Duration = Duration::from_millis(100);
/// A program that begins to fill its container at this pace is seen so many times before it is full: a small container is looked at
/// more often than a large one.
const SUDDEN_PACE: f64 = 128.0 * Bytes::MIB as f64;
const SUDDEN_LOOKS: f64 = 4.0;
const CLOSEST: Duration = Duration::from_millis(25);
/// So many looks, at least, between now and the moment at which the limit is reached at the pace of the last two.
const LOOKS_TO_THE_LIMIT: f64 = 8.0;

/// What began an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The container is nearly full.
    Level,
    /// It will be full within seconds at the present pace.
    Pace,
    /// It is at its limit, and the program waits for the kernel to take memory back.
    Stalled,
    /// An allocation could not be had, or another process of the container was killed.
    Oom,
}

impl Reason {
    /// As it is told: `level`, `pace`, `stalled` or `oom`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::Pace => "pace",
            Self::Stalled => "stalled",
            Self::Oom => "oom",
        }
    }
}

/// The container is about to run out of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident {
    /// What began it.
    pub reason: Reason,
    /// The look that did.
    pub look: Look,
    /// Whether evidence is worth its price now: none was taken for a while.
    pub capture: bool,
}

/// What a look changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// An incident began.
    Began(Incident),
    /// It is over: for a minute there was room again. What began it.
    Ended(Reason),
}

/// A look, as far as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    at: Micros,
    held: Bytes,
    max: u64,
    stalled: Option<Micros>,
}

impl From<&Look> for Kept {
    fn from(look: &Look) -> Self {
        Self { at: look.at, held: look.held(), max: look.events.max, stalled: look.stalled }
    }
}

/// An incident that goes on.
#[derive(Debug, Clone, Copy)]
struct Ongoing {
    reason: Reason,
    calm_since: Option<Micros>,
}

/// Follows one container: one incident at a time.
///
/// Allocates when it is made and never again.
#[derive(Debug)]
pub struct Watch {
    /// The looks of the last [`WINDOW`], and the last one before it.
    kept: VecDeque<Kept>,
    /// The most that was held before that.
    peak: Bytes,
    last: Option<Look>,
    ongoing: Option<Ongoing>,
    captured: Option<Micros>,
    next: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            kept: VecDeque::with_capacity(MOST_KEPT),
            peak: Bytes(0),
            last: None,
            ongoing: None,
            captured: None,
            next: USUAL,
        }
    }
}

impl Watch {
    /// Takes a look, later than those before it, and says what it changes.
    pub fn observe(&mut self, look: &Look) -> Option<Change> {
        self.forget(look.at);
        let risk = self.risk(look);
        let change = match self.ongoing {
            None => risk.map(|reason| Change::Began(self.begin(reason, look))),
            Some(ongoing) => self.go_on(ongoing, look, risk.is_some()),
        };
        self.next = self.pause(look);
        self.keep(look);
        change
    }

    /// Takes note that no group has a limit.
    pub fn no_limit(&mut self) {
        *self = Self { captured: self.captured, next: WITHOUT_LIMIT, ..Self::default() };
    }

    /// How long to wait until the next look.
    pub fn next(&self) -> Duration {
        self.next
    }

    /// Whether an incident is under way.
    pub fn is_in_danger(&self) -> bool {
        self.ongoing.is_some()
    }

    fn begin(&mut self, reason: Reason, look: &Look) -> Incident {
        let capture = self.captured.is_none_or(|at| look.at.0.saturating_sub(at.0) >= CAPTURES_APART.0);
        if capture {
            self.captured = Some(look.at);
        }
        self.ongoing = Some(Ongoing { reason, calm_since: None });
        Incident { reason, look: *look, capture }
    }

    fn go_on(&mut self, ongoing: Ongoing, look: &Look, at_risk: bool) -> Option<Change> {
        if at_risk || look.share() >= OVER {
            self.ongoing = Some(Ongoing { calm_since: None, ..ongoing });
            return None;
        }
        let since = ongoing.calm_since.unwrap_or(look.at);
        self.ongoing = Some(Ongoing { calm_since: Some(since), ..ongoing });
        if look.at.0.saturating_sub(since.0) < CALM.0 {
            return None;
        }
        self.ongoing = None;
        Some(Change::Ended(ongoing.reason))
    }

    fn risk(&self, look: &Look) -> Option<Reason> {
        let killed =
            |last: &Look| look.events.oom > last.events.oom || look.events.oom_kill > last.events.oom_kill;
        if self.last.as_ref().is_some_and(killed) {
            return Some(Reason::Oom);
        }
        if look.share() >= LEVEL {
            return Some(Reason::Level);
        }
        if look.share() >= PACE_FROM
            && look.held() > self.peak
            && self.pace(look).is_some_and(|pace| look.left().0 as f64 <= pace * HORIZON_SECONDS)
        {
            return Some(Reason::Pace);
        }
        self.is_stalled(look).then_some(Reason::Stalled)
    }

    /// Bytes a second, of the half of the window in which it grew less; nothing where there are too few looks.
    fn pace(&self, look: &Look) -> Option<f64> {
        let (first, last) = (*self.kept.front()?, Kept::from(look));
        if last.at.0.saturating_sub(first.at.0) < SHORTEST_WINDOW.0 {
            return None;
        }
        let half = first.at.0 + (last.at.0 - first.at.0) / 2;
        let middle = *self.kept.iter().take_while(|kept| kept.at.0 <= half).last()?;
        Some(slope(first, middle)?.min(slope(middle, last)?))
    }

    fn is_stalled(&self, look: &Look) -> bool {
        let Some(first) = self.kept.front() else { return false };
        let span = look.at.0.saturating_sub(first.at.0);
        let (Some(before), Some(now)) = (first.stalled, look.stalled) else { return false };
        let waited = now.0.saturating_sub(before.0);
        span >= SHORTEST_WINDOW.0 && look.events.max > first.max && waited as f64 >= STALLED * span as f64
    }

    /// Leaves of what is kept the looks after the window's start and the last one up to it.
    fn forget(&mut self, now: Micros) {
        let start = now.0.saturating_sub(WINDOW.0);
        while self.kept.get(1).is_some_and(|second| second.at.0 <= start) {
            if let Some(gone) = self.kept.pop_front() {
                self.peak = self.peak.max(gone.held);
            }
        }
    }

    fn keep(&mut self, look: &Look) {
        self.last = Some(*look);
        if self.kept.back().is_none_or(|last| look.at.0 >= last.at.0 + KEPT_APART.0) {
            self.kept.push_back(Kept::from(look));
        }
    }

    fn pause(&self, look: &Look) -> Duration {
        let sudden = look.left().0 as f64 / SUDDEN_PACE / SUDDEN_LOOKS;
        let usual = Duration::from_secs_f64(sudden.min(USUAL.as_secs_f64())).max(NEAR);
        let Some(pace) = self.last.and_then(|last| slope(Kept::from(&last), Kept::from(look))) else {
            return usual;
        };
        if pace <= 0.0 {
            return usual;
        }
        let seconds = look.left().0 as f64 / pace / LOOKS_TO_THE_LIMIT;
        Duration::from_secs_f64(seconds.min(usual.as_secs_f64())).max(CLOSEST)
    }
}

/// Bytes a second between two looks; nothing where no time has passed.
fn slope(a: Kept, b: Kept) -> Option<f64> {
    let span = b.at.0.checked_sub(a.at.0).filter(|&span| span > 0)?;
    Some((b.held.0 as f64 - a.held.0 as f64) / (span as f64 / 1e6))
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
