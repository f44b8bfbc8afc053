//! Lets JavaScript have its counts judged.

use napi::bindgen_prelude::Uint32Array;
use napi_derive::napi;

use crate::units::UnixMillis;
use crate::verdict::CountJudge;

/// A count that goes up and stays up.
#[napi(object)]
pub struct GrownCount {
    /// The number of the series.
    pub series: u32,
    /// The count now.
    pub count: u32,
    /// By how much it grew.
    pub count_delta: u32,
    /// Since when, in milliseconds since the Unix epoch.
    pub since: f64,
    /// How fast.
    pub growth_per_hour: f64,
}

/// Judges many counts that are taken at the same time: `CountJudge`.
#[napi]
#[derive(Default)]
pub struct NativeCounts {
    judge: CountJudge,
}

#[napi]
impl NativeCounts {
    /// A judge of no series.
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of a new series.
    #[napi(catch_unwind)]
    pub fn open(&mut self) -> u32 {
        self.judge.open()
    }

    /// Forgets a series.
    #[napi(catch_unwind)]
    pub fn close(&mut self, series: u32) {
        self.judge.close(series);
    }

    /// Takes the counts of one tick, at `now` milliseconds since the Unix epoch: the first `length` of `pairs`, each a series' number
    /// and its count. Gives what grows.
    #[napi(catch_unwind)]
    pub fn tick(&mut self, now: f64, pairs: Uint32Array, length: u32) -> Vec<GrownCount> {
        let (pairs, _) = pairs.as_chunks::<2>();
        let counts = pairs.iter().take(length as usize).map(|&[series, count]| (series, count));
        let found = self.judge.tick(UnixMillis(now as u64), counts);
        let grown = |growth: crate::verdict::CountGrowth| GrownCount {
            series: growth.series,
            count: growth.count,
            count_delta: growth.delta,
            since: growth.since.0 as f64,
            growth_per_hour: growth.per_hour,
        };
        found.into_iter().map(grown).collect()
    }
}
