//! The claim, and the numbers behind it.
//!
//! A *leak*, by this definition, is memory that stays after major garbage collections and goes on growing: the
//! post-GC floor rises over many collections, faster than chance, by an amount that matters, and no slower at the end
//! than on the whole. What counters alone cannot tell is whether the program will let go later.

mod confirm;
mod detector;
mod fit;
mod judge;
mod shape;
mod track;
mod window;

pub use confirm::{
    Answer, Confirmation, ConfirmedBy, Group, LEAST_LOOKS, Look, MOST_GROUPS, MOST_LOOKS,
};
pub use detector::{Detector, FloorDetector};
pub use track::{Tally, Track, length};
pub use judge::{TUNE, Demands, Finding, Refusal};

use serde::{Deserialize, Serialize};

use crate::units::{Bytes, UnixMillis};

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
}

/// The numbers behind a verdict, so that a person can check it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Post-GC floors that the judgement rests on.
    pub floors: u32,
    /// Floor at the start of the window, from the trend line.
    pub first_floor_bytes: u64,
    /// Floor at its end.
    pub last_floor_bytes: u64,
    /// Length of the window.
    pub window_ms: u64,
    /// Kendall's trend statistic, in standard deviations from no trend.
    pub trend_z: f64,
    /// The window in four parts: the smallest rise from one to the next, as a share of the mean rise.
    pub smallest_step_share: f64,
    /// The last of these rises, likewise: below one half the growth is dying out.
    pub late_share: f64,
    /// The growth that would have been too small to speak of.
    pub minimum_effect_bytes: u64,
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
    /// Since when it grows; nothing unless suspect or leak.
    pub since: Option<UnixMillis>,
    /// Until the nearest limit at this rate, in milliseconds; nothing unless suspect or leak and a limit is known.
    pub eta_ms: Option<u64>,
    /// The numbers behind it.
    pub evidence: Evidence,
}

impl Verdict {
    /// Milliseconds until `used` reaches `limit` at the verdict's rate.
    fn eta(rate: f64, used: Bytes, limit: Option<Bytes>) -> Option<u64> {
        let left = limit?.saturating_sub(used).0;
        (rate > 0.0).then(|| (left as f64 / rate * 1e3) as u64)
    }
}
