//! The claim, and the numbers behind it.
//!
//! # What a leak is here
//!
//! Memory leaks when what remains after garbage collection goes on growing, and nothing that healthy programs do explains
//! it. By that definition the growth
//!
//! - *matters*: it is large for the process and for the time it took ([`judge`](self) asks more of shorter windows);
//! - *is not chance*: its slope is many standard errors from 0, autocorrelation counted;
//! - *is not load*: requests or allocation, now or with a lag of up to an hour, do not explain half of it;
//! - *does not end*: a line describes it better than a cache that fills up or a step, and it was not faster before;
//! - *is new*: the level was never as high, so it is no batch, schedule or burst that comes and goes;
//! - *is kept*: major collections leave it. Between them, used heap holds garbage too; how much is known from what earlier
//!   collections freed for what was allocated, and a claim that rests on it waits for the next collection.
//!
//! # What counters cannot tell
//!
//! Whether a program *will* let go. A cache that fills at a constant rate towards a cap that it has not reached, a backlog
//! that builds for hours, sessions younger than their time to live look like leaks until they end. Growth by less than a
//! few megabytes, or in a process that is never collected, looks like none. For these there is evidence: a suspicion,
//! raised early and about once a day at most, asks for it.
//!
//! # How time counts
//!
//! In samples. A window of 120 samples is an hour at the default interval of 30 seconds, and a rehearsal under load that
//! is sampled each second is judged in minutes, with the patience of minutes.

mod confirm;
mod counts;
mod demands;
mod detector;
mod fit;
mod judge;
mod rise;
mod routes;
mod shape;
mod suspect;
mod track;
mod weight;
mod window;

pub use confirm::{Answer, Confirmation, ConfirmedBy, Group, LEAST_LOOKS, Look, MOST_GROUPS, MOST_LOOKS};
pub use counts::{CountGrowth, CountJudge};
pub use detector::{Detector, FloorDetector};
pub use routes::{Attribution, NoRoute, RouteLeak, attribute};

use serde::{Deserialize, Serialize};

use crate::units::UnixMillis;

/// What the counters say of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Too young to judge.
    #[default]
    WarmingUp,
    /// No growth that matters.
    Healthy,
    /// Growth that is not proven yet.
    Suspect,
    /// Growth that is proven.
    Leak,
}

/// Which memory grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Nothing.
    #[default]
    None,
    /// Objects on the V8 heap.
    Heap,
    /// Memory that JavaScript objects hold outside the heap: buffers, mostly.
    External,
    /// Memory of the process that V8 knows nothing of.
    Native,
    /// Resident memory that neither V8, nor buffers, nor live allocations of the C library explain.
    Fragmentation,
}

impl Kind {
    /// Which of the three measured levels this kind is.
    fn index(self) -> usize {
        match self {
            Self::None | Self::Heap => 0,
            Self::External => 1,
            Self::Native | Self::Fragmentation => 2,
        }
    }

    /// What to do about a kind of leak that is not in the program's own objects.
    pub fn advice(self) -> Option<&'static str> {
        match self {
            Self::Fragmentation => Some(
                "the C allocator keeps memory that was freed: try MALLOC_ARENA_MAX=2 or MALLOC_TRIM_THRESHOLD_=131072 \
                 in the environment, malloc_trim, or another allocator (jemalloc, mimalloc)",
            ),
            Self::Native => Some(
                "native code holds it: an add-on, TLS or zlib contexts, threads; a heap snapshot does not show it, \
                 heaptrack or jemalloc's profiler does",
            ),
            _ => None,
        }
    }
}

/// What ends a process that goes on growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitKind {
    /// V8's heap limit.
    Heap,
    /// The control group's memory limit.
    Container,
}

/// The numbers behind a verdict, so that a person can check it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Points that the judgement rests on.
    pub floors: u32,
    /// How many of them a collection left as they are; the others had expected garbage taken away.
    pub exact_floors: u32,
    /// Floor at the start of the window, from the line through it.
    pub first_floor_bytes: u64,
    /// Floor at its end: the median of the last quarter.
    pub last_floor_bytes: u64,
    /// Length of the window.
    pub window_ms: u64,
    /// Growth over the window, what the load explains taken away.
    pub growth_bytes: u64,
    /// The growth that would have been too small to speak of.
    pub minimum_effect_bytes: u64,
    /// How many standard errors the growth is from none, these widened for autocorrelation: rules out chance.
    pub standard_errors: f64,
    /// The window in four parts: the smallest rise from one to the next, as a share of the mean rise: rules out a step.
    pub smallest_step_share: f64,
    /// The last of these rises, likewise: rules out growth that is over.
    pub late_share: f64,
    /// By how much a line beats saturating growth and a step, in Schwarz's criterion: rules out a cache that fills up.
    /// Nothing where the points are too few to tell.
    pub straightness: Option<f64>,
    /// The end's height above all that was before, as a share of the growth: rules out what comes and goes. Nothing where
    /// nothing was before.
    pub record_share: Option<f64>,
    /// Growth before the window, as a multiple of the window's: rules out growth that slows down. 0 where there is no past.
    pub earlier_pace: f64,
    /// What the load moves this memory by, as a share of the growth.
    pub load_share: f64,
    /// What all signs together weigh, as docs/detector.md adds them up. Nothing for a suspicion, and where the limit is near.
    #[serde(default)]
    pub weight: Option<f64>,
    /// Whether the limit is so near that less proof was asked.
    pub urgent: bool,
}

/// What the counters say, since when, and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The claim.
    pub status: Status,
    /// Which memory it is about.
    pub kind: Kind,
    /// The floor's slope; 0 unless suspect or leak.
    pub growth_bytes_per_second: f64,
    /// An interval that holds the slope with 95 % confidence; nothing unless suspect or leak.
    #[serde(rename = "growthIntervalBytesPerSecond")]
    pub growth_interval: Option<[f64; 2]>,
    /// Since when it grows at the latest; nothing unless suspect or leak.
    pub since: Option<UnixMillis>,
    /// Until the nearest limit at this rate, in milliseconds; nothing unless suspect or leak and a limit is known.
    pub eta_ms: Option<u64>,
    /// Whose limit that is.
    pub limit: Option<LimitKind>,
    /// What to do, where objects of the program are not at fault.
    #[serde(skip_deserializing)]
    pub advice: Option<&'static str>,
    /// The numbers behind it.
    pub evidence: Evidence,
}
