//! Whether growth that was told of goes on.

use super::judge::Finding;
use crate::series::Point;

/// Growth is over when less than this share of it is left.
const LEFT: f64 = 0.5;

/// The highest level since growth was told of, and when it was reached.
#[derive(Debug, Clone, Copy)]
pub struct Rise {
    pub top: f64,
    pub top_at: f64,
}

impl Rise {
    /// Follows the newest `floor` at `now`; false once most of what `finding` says was let go, or when there was no new high
    /// for the length of its window, and for `patience` samples at least.
    pub fn goes_on(&mut self, finding: &Finding, floor: Option<&Point>, now: f64, patience: f64) -> bool {
        if let Some(floor) = floor.filter(|floor| floor.y > self.top) {
            *self = Self { top: floor.y, top_at: floor.x };
        }
        let left = finding.first + LEFT * (finding.last - finding.first);
        floor.is_none_or(|floor| floor.y >= left) && now - self.top_at <= finding.span.max(patience)
    }
}
