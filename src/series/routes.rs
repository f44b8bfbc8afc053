//! Post-GC floors beside the requests that each route had completed by then.

use crate::sample::AfterGc;
use crate::units::UnixMillis;

/// Routes that are counted by themselves; what else is asked for counts as one more.
pub const MOST_ROUTES: usize = 64;
/// Counts of a row: the routes, and all others together.
pub const ROUTE_COLUMNS: usize = MOST_ROUTES + 1;

/// Rows that are kept.
const ROWS: usize = 128;
/// Floors that one row is the mean of, at most; then the oldest rows make way. At 30 seconds a sample that is most of a day.
const MOST_FOLDED: u32 = 16;

/// A floor, and how many requests of each route were complete by then; or the means of some of these that follow each other.
///
/// What is linear in single rows is linear in their means, so that no slope changes by folding rows together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RouteRow {
    /// Milliseconds since the Unix epoch.
    pub at: f64,
    /// Bytes.
    pub floor: f64,
    /// Requests, by the number of the route.
    pub counts: [f64; ROUTE_COLUMNS],
}

impl RouteRow {
    const ZERO: Self = Self { at: 0.0, floor: 0.0, counts: [0.0; ROUTE_COLUMNS] };

    /// Adds `share` of `other`.
    fn add(&mut self, other: &Self, share: f64) {
        self.at += share * other.at;
        self.floor += share * other.floor;
        self.counts.iter_mut().zip(other.counts).for_each(|(sum, count)| *sum += share * count);
    }
}

/// Counts as they stood at a moment.
#[derive(Debug, Clone, Copy)]
struct Published {
    at: f64,
    counts: [f64; ROUTE_COLUMNS],
}

/// The rows of one process, in 70 KB that are taken with the first request of a route.
#[derive(Debug, Clone, Default)]
pub struct RouteSeries {
    rows: Vec<RouteRow>,
    /// What the next row is the mean of so far, and of how many floors.
    pending: Option<(RouteRow, u32)>,
    /// How many floors make a row.
    folded: u32,
    before: Option<Published>,
    now: Option<Published>,
}

impl RouteSeries {
    /// Takes note of the counts at `at`; those that are not there are 0.
    pub fn publish(&mut self, at: UnixMillis, counts: &[f64]) {
        if self.rows.capacity() == 0 {
            self.rows.reserve_exact(ROWS);
            self.folded = 1;
        }
        let mut published = Published { at: at.0 as f64, counts: [0.0; ROUTE_COLUMNS] };
        published.counts.iter_mut().zip(counts).for_each(|(to, from)| *to = *from);
        self.before = self.now.replace(published);
    }

    /// Adds a floor. What was asked for between two publications is taken to have come evenly.
    pub fn add(&mut self, gc: AfterGc) {
        let (Some(before), Some(now)) = (self.before, self.now) else { return };
        let at = gc.at.0 as f64;
        let share = ((at - before.at) / (now.at - before.at).max(1.0)).clamp(0.0, 1.0);
        let counts = std::array::from_fn(|i| before.counts[i] + share * (now.counts[i] - before.counts[i]));
        let row = RouteRow { at, floor: gc.used.0 as f64, counts };
        let (sum, number) = self.pending.get_or_insert((RouteRow::ZERO, 0));
        sum.add(&row, 1.0 / f64::from(self.folded));
        *number += 1;
        if *number < self.folded {
            return;
        }
        let whole = *sum;
        self.pending = None;
        self.push(whole);
    }

    fn push(&mut self, row: RouteRow) {
        if self.rows.len() == ROWS {
            if self.folded < MOST_FOLDED {
                for i in 0..ROWS / 2 {
                    let mut mean = RouteRow::ZERO;
                    mean.add(&self.rows[2 * i], 0.5);
                    mean.add(&self.rows[2 * i + 1], 0.5);
                    self.rows[i] = mean;
                }
                self.rows.truncate(ROWS / 2);
                self.folded *= 2;
                // Half of what is a row from now on.
                let mut half = RouteRow::ZERO;
                half.add(&row, 0.5);
                self.pending = Some((half, self.folded / 2));
                return;
            }
            self.rows.drain(..ROWS / 4);
        }
        self.rows.push(row);
    }

    /// The rows, oldest first.
    pub fn rows(&self) -> &[RouteRow] {
        &self.rows
    }

    /// Forgets the rows: what comes is of another life.
    pub fn clear(&mut self) {
        self.rows.clear();
        (self.pending, self.before, self.now) = (None, None, None);
        self.folded = 1;
    }

    /// Bytes that are taken.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.rows.capacity() * size_of::<RouteRow>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::GcKind;
    use crate::units::Bytes;

    fn floor(at: u64, used: u64) -> AfterGc {
        AfterGc { at: UnixMillis(at), kind: GcKind::Major, used: Bytes(used), external: Bytes(0) }
    }

    #[test]
    fn a_floor_between_two_publications_gets_its_share_of_the_requests() {
        let mut series = RouteSeries::default();
        series.add(floor(0, 1));
        series.publish(UnixMillis(1000), &[10.0, 100.0]);
        series.add(floor(1500, 1));
        assert!(series.rows().is_empty(), "nobody knows how many there were before");
        series.publish(UnixMillis(2000), &[20.0, 100.0]);
        series.add(floor(1250, 7));
        series.add(floor(2500, 8));
        let rows: Vec<_> =
            series.rows().iter().map(|r| (r.floor, r.counts[0], r.counts[1], r.counts[2])).collect();
        assert_eq!(rows, [(7.0, 12.5, 100.0, 0.0), (8.0, 20.0, 100.0, 0.0)]);
        series.clear();
        series.add(floor(3000, 9));
        assert!(series.rows().is_empty());
    }

    proptest! {
        /// Whatever is folded, floors that are a line in the counts stay one, and memory stays what it was.
        #[test]
        fn folding_changes_no_slope_and_takes_no_memory(floors in 2u64..9000, step in 1u64..50) {
            let mut series = RouteSeries::default();
            let mut size = 0;
            for i in 0..floors {
                series.publish(UnixMillis(1000 * i), &[(i * step) as f64]);
                if i == 0 { size = series.size(); }
                series.add(floor(1000 * i, 500 + 3 * i * step));
            }
            prop_assert_eq!(series.size(), size);
            prop_assert!(series.rows().len() <= ROWS);
            for row in series.rows() {
                prop_assert!((row.floor - 500.0 - 3.0 * row.counts[0]).abs() < 1e-3, "{} {}", row.floor, row.counts[0]);
            }
            let times: Vec<f64> = series.rows().iter().map(|row| row.at).collect();
            prop_assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
