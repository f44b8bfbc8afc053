//! Post-GC floors over a whole life in a fixed number of points.

use super::ring::Ring;
use crate::units::{Bytes, UnixMillis};

/// How many points are kept. When they are full, neighbours are merged and the spacing doubles.
const POINTS: usize = 128;

/// What remained after a major garbage collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floor {
    /// When the collection ended.
    pub at: UnixMillis,
    /// What it left.
    pub used: Bytes,
    /// How many samples had been taken by then: a clock that counts the monitor's own interval.
    pub sample: u32,
}

/// The lowest floor of each stretch of time, oldest first.
///
/// The lowest, because a collection may leave garbage (a forced early end, objects in flight) but never less than
/// what is alive. Constant memory: the time that a point stands for doubles whenever the points are used up.
#[derive(Debug, Clone)]
pub struct Floors {
    points: Ring<Floor>,
    /// Collections that one point stands for.
    per_point: u32,
    /// Collections in the newest point.
    in_last: u32,
}

impl Default for Floors {
    fn default() -> Self {
        Self { points: Ring::new(POINTS), per_point: 1, in_last: 0 }
    }
}

impl Floors {
    /// Adds the floor of one major collection. Constant time but for one merge every `POINTS / 2` points.
    ///
    /// Collections between the same two samples are one point: V8 often collects twice in a row, to give memory back.
    pub fn push(&mut self, floor: Floor) {
        if let Some(last) = self.points.last_mut()
            && last.sample == floor.sample
        {
            *last = lower(last, &floor);
            return;
        }
        if self.in_last > 0 && self.in_last < self.per_point {
            self.in_last += 1;
            if let Some(last) = self.points.last_mut() {
                *last = lower(last, &floor);
            }
            return;
        }
        if self.points.len() == POINTS {
            self.points.halve(lower);
            self.per_point = self.per_point.saturating_mul(2);
        }
        self.points.push(floor);
        self.in_last = 1;
    }

    /// The points, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Floor> + ExactSizeIterator + Clone {
        self.points.iter()
    }

    /// The newest point.
    pub fn last(&self) -> Option<&Floor> {
        self.points.last()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

fn lower(a: &Floor, b: &Floor) -> Floor {
    if b.used < a.used { *b } else { *a }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_life_keeps_its_lowest_points_in_order() {
        let mut floors = Floors::default();
        for n in 0..10_000u64 {
            // Every tenth collection is a clean one; the others leave garbage.
            let garbage = if n % 10 == 0 { 0 } else { 500 };
            floors.push(Floor { at: UnixMillis(n), used: Bytes(1000 + garbage), sample: n as u32 });
        }
        let points: Vec<_> = floors.iter().copied().collect();
        assert!(points.len() <= POINTS && points.len() >= POINTS / 2);
        assert!(points.windows(2).all(|w| w[0].at < w[1].at));
        let clean = points.iter().filter(|p| p.used == Bytes(1000)).count();
        assert!(clean >= points.len() - 1, "{clean} of {}", points.len());
    }
}
