//! Whether a suspicion is one thing that grows: looks at the heap, held against what is alive in it.
//!
//! Counters see a floor that rises; they cannot see what it is made of. A few looks can: a leak is the same class in the same
//! holder, larger each time, by a share of the growth that stays what it was. Traffic that rises spreads over many classes, and a
//! cache that is full does not grow from one look to the next, so that there is no next.

use serde::{Deserialize, Serialize};

use super::{Kind, Verdict};
use crate::units::{Bytes, UnixMillis};

/// Looks that must agree: two could be the two ends of any one-time step.
pub const LEAST_LOOKS: usize = 3;
/// Looks that one suspicion is worth: one more than must agree, for one that came at a bad moment. Each stops the program.
pub const MOST_LOOKS: usize = 4;
/// Groups kept of a look, the largest. What explains a quarter of the growth is among the first few.
pub const MOST_GROUPS: usize = 32;
/// Growth below this is what any program does between two collections.
const LEAST_STEP: u64 = Bytes::MIB;
/// A fiftieth of what is alive: floors of a busy program differ by as much as that from one collection to the next.
const STEP_SHARE: u64 = 50;
/// A step is at least a half of the growth that raised the suspicion, so that two of them are as much again: whatever has only been
/// filling up has had the time to be full.
const SEEN_SHARE: u64 = 2;
/// What explains less than a quarter of the growth is not the reason for it.
const LEAST_SHARE: f64 = 0.25;
/// In step: shares of the growth from look to look that differ by no more than this factor. Collections and traffic blur them.
const IN_STEP: f64 = 3.0;
/// A last step that is slower than the first by more than this is growth that dies out.
const SLOWING: f64 = 4.0;
/// Characters kept of a name; longer ones differ before that.
const NAME: usize = 200;

/// Objects of one class that one holder keeps, at the time of a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Their class.
    pub constructor_name: String,
    /// What holds them, from the nearest retainer outwards; equal for the same place at any time.
    pub holder: String,
    /// How many there are that were not there at the baseline.
    pub count: u64,
    /// What these keep alive.
    pub size: Bytes,
}

impl Group {
    fn is(&self, other: &Self) -> bool {
        self.constructor_name == other.constructor_name && self.holder == other.holder
    }
}

/// One look at the heap, reduced to what is compared; some ten kilobytes at most.
///
/// It is stored as JSON; what is not a look, or one with more groups than a look has, is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "StoredLook")]
pub struct Look {
    /// When.
    pub at: UnixMillis,
    /// Alive on the heap.
    pub heap: Bytes,
    /// Alive outside the heap.
    pub outside: Bytes,
    groups: Vec<Group>,
}

/// A look as it comes back, before it is believed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoredLook {
    at: UnixMillis,
    heap: Bytes,
    outside: Bytes,
    groups: Vec<Group>,
}

impl TryFrom<StoredLook> for Look {
    type Error = String;

    fn try_from(stored: StoredLook) -> Result<Self, String> {
        match stored.groups.len() {
            // Names are cut and groups ordered again.
            0..=MOST_GROUPS => Ok(Self::new(stored.at, stored.heap, stored.outside, stored.groups)),
            found => Err(format!("expected at most {MOST_GROUPS} groups in a look, found {found}")),
        }
    }
}

impl Look {
    /// What is kept of a look: of `groups`, those of one class and holder made one, the largest [`MOST_GROUPS`].
    pub fn new(at: UnixMillis, heap: Bytes, outside: Bytes, groups: impl IntoIterator<Item = Group>) -> Self {
        let mut kept: Vec<Group> = Vec::new();
        for mut group in groups {
            for name in [&mut group.constructor_name, &mut group.holder] {
                if let Some((end, _)) = name.char_indices().nth(NAME) {
                    name.truncate(end);
                    name.shrink_to_fit();
                }
            }
            match kept.iter_mut().find(|other| other.is(&group)) {
                Some(same) => {
                    same.count = same.count.saturating_add(group.count);
                    same.size = Bytes(same.size.0.saturating_add(group.size.0));
                }
                None => kept.push(group),
            }
        }
        kept.sort_by(|a, b| {
            let order = b.size.cmp(&a.size).then_with(|| a.constructor_name.cmp(&b.constructor_name));
            order.then_with(|| a.holder.cmp(&b.holder))
        });
        kept.truncate(MOST_GROUPS);
        kept.shrink_to_fit();
        Self { at, heap, outside, groups: kept }
    }

    /// The groups, largest first.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    fn alive(&self, kind: Kind) -> u64 {
        if kind == Kind::External { self.outside.0 } else { self.heap.0 }
    }

    /// What `group` kept here: where it was not among the largest, no more than the smallest of them.
    fn size_of(&self, group: &Group) -> u64 {
        let cut = if self.groups.len() < MOST_GROUPS { None } else { self.groups.last() };
        self.groups.iter().find(|other| other.is(group)).or(cut).map_or(0, |found| found.size.0)
    }
}

/// By what a suspicion was confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmedBy {
    /// The class that grows.
    pub constructor_name: String,
    /// What holds it, from the nearest retainer outwards.
    pub holder: String,
    /// Looks at the heap that agree.
    pub captures: usize,
    /// Its growth over these looks.
    pub growth_bytes_per_second: f64,
}

/// What the looks say so far.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// One group grew with the floor.
    Confirmed(ConfirmedBy),
    /// Too few looks, or none that agree.
    NotYet,
    /// No group grew with the floor.
    Refuted,
}

/// The looks of one suspicion, in memory of a fixed size.
#[derive(Debug, Clone)]
pub struct Confirmation {
    kind: Kind,
    least_step: u64,
    looks: Vec<Look>,
    taken: usize,
    /// The floor that the counters told of at the last look.
    floor: u64,
}

impl Confirmation {
    /// A suspicion that nobody looked into yet; nothing for memory that no look at the heap can see.
    pub fn of(suspicion: &Verdict) -> Option<Self> {
        if !matches!(suspicion.kind, Kind::Heap | Kind::External) {
            return None;
        }
        let numbers = &suspicion.evidence;
        let seen = numbers.last_floor_bytes.saturating_sub(numbers.first_floor_bytes);
        Some(Self {
            kind: suspicion.kind,
            least_step: LEAST_STEP.max(seen / SEEN_SHARE),
            looks: Vec::with_capacity(MOST_LOOKS),
            taken: 0,
            floor: 0,
        })
    }

    /// Which memory it is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it is time to look: at once, and then whenever the floor has grown by a step. The cost of a comparison.
    pub fn is_due(&self, floor: Option<Bytes>) -> bool {
        self.taken == 0
            || floor.is_some_and(|floor| floor.0 >= self.floor.saturating_add(self.step(self.floor)))
    }

    fn step(&self, alive: u64) -> u64 {
        self.least_step.max(alive / STEP_SHARE)
    }

    /// Takes note of a look, `floor` being what the counters tell now.
    pub fn add(&mut self, look: Look, floor: Option<Bytes>) -> Answer {
        if self.taken >= MOST_LOOKS {
            return Answer::Refuted;
        }
        self.floor = floor.map_or(look.alive(self.kind), |floor| floor.0);
        self.taken += 1;
        if let Some(last) = self.looks.last() {
            let (was, is) = (last.alive(self.kind), look.alive(self.kind));
            let step = self.step(was);
            if was >= is.saturating_add(step) {
                // It let go: what grows from here on is another matter.
                self.looks.clear();
            }
            if is < was.saturating_add(step) && is.saturating_add(step) > was {
                return self.answer_after(Answer::NotYet);
            }
        }
        self.looks.push(look);
        let answer = self.judge();
        self.answer_after(answer)
    }

    /// A suspicion that has had its looks is refuted, whatever hope is left.
    fn answer_after(&self, answer: Answer) -> Answer {
        if answer == Answer::NotYet && self.taken >= MOST_LOOKS { Answer::Refuted } else { answer }
    }

    /// What the last [`LEAST_LOOKS`] looks say.
    fn judge(&self) -> Answer {
        let Some(looks) = self.looks.len().checked_sub(LEAST_LOOKS).map(|from| &self.looks[from..]) else {
            return Answer::NotYet;
        };
        let mut answer = Answer::Refuted;
        for group in looks[LEAST_LOOKS - 1].groups() {
            match Course::of(self.kind, looks, group) {
                // Groups come with the largest first.
                Some(course) if course.is_steady() => {
                    return Answer::Confirmed(ConfirmedBy {
                        constructor_name: group.constructor_name.clone(),
                        holder: group.holder.clone(),
                        captures: self.looks.len(),
                        growth_bytes_per_second: course.growth / course.seconds,
                    });
                }
                Some(_) => answer = Answer::NotYet,
                None => {}
            }
        }
        answer
    }
}

/// How a group grew that explains enough of the growth.
struct Course {
    growth: f64,
    seconds: f64,
    shares: (f64, f64),
    rates: (f64, f64),
}

impl Course {
    /// Nothing for a group that did not grow from each look to the next, or that explains too little.
    fn of(kind: Kind, looks: &[Look], group: &Group) -> Option<Self> {
        let (mut growth, mut alive, mut seconds) = (0.0, 0.0, 0.0);
        let (mut shares, mut rates) = ((f64::INFINITY, 0.0f64), (0.0, 0.0));
        for (i, pair) in looks.windows(2).enumerate() {
            let [a, b] = pair else { return None };
            let grown = b.size_of(group).checked_sub(a.size_of(group)).filter(|&grown| grown > 0)? as f64;
            let risen = b.alive(kind).saturating_sub(a.alive(kind)).max(1) as f64;
            let time = b.at.0.saturating_sub(a.at.0).max(1) as f64 / 1e3;
            growth += grown;
            alive += risen;
            seconds += time;
            let share = grown / risen;
            shares = (share.min(shares.0), share.max(shares.1));
            if i == 0 {
                rates.0 = grown / time;
            }
            rates.1 = grown / time;
        }
        (growth >= LEAST_SHARE * alive).then_some(Self { growth, seconds, shares, rates })
    }

    fn is_steady(&self) -> bool {
        self.shares.1 <= IN_STEP * self.shares.0 && self.rates.1 * SLOWING >= self.rates.0
    }
}

#[cfg(test)]
mod tests;
