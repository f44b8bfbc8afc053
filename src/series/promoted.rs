//! How much of what a program allocates reaches the old generation and dies there.

/// Cycles, from one major collection to the next, that are remembered.
const CYCLES: usize = 32;
/// The newest of them make the expected rate of the next.
const RECENT: usize = 8;

/// The share of allocated bytes that minor collections promote and the next major one frees.
///
/// Between two major collections the used heap after a minor one is the live heap plus promoted garbage. The garbage
/// grows with what is allocated, at a rate that a program keeps to: over the cycles of one process it varies by some
/// per cent, where collections are rare, to a quarter, where they are frequent and the rate is not needed. Each major
/// collection that follows minor ones shows it: what fell from the last minor collection to the major one, by what had
/// been allocated since the major one before.
#[derive(Debug, Clone, Copy, Default)]
pub struct Promoted {
    cycles: [Cycle; CYCLES],
    seen: usize,
}

/// One cycle: when it ended, bytes freed at its end and bytes allocated in it.
#[derive(Debug, Clone, Copy, Default)]
struct Cycle {
    end: f64,
    freed: f64,
    allocated: f64,
}

/// A rate with its doubt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Bytes of garbage a byte allocated.
    pub mean: f64,
    /// Its standard deviation from cycle to cycle.
    pub deviation: f64,
}

impl Promoted {
    /// Takes note of a cycle that ended at `end` and in which `allocated` bytes left `freed` bytes of garbage.
    pub fn add(&mut self, end: f64, freed: f64, allocated: f64) {
        if allocated > 0.0 {
            self.cycles[self.seen % CYCLES] = Cycle { end, freed: freed.max(0.0), allocated };
            self.seen += 1;
        }
    }

    /// Cycles, oldest first.
    fn iter(&self) -> impl DoubleEndedIterator<Item = &Cycle> {
        let kept = self.seen.min(CYCLES);
        (self.seen - kept..self.seen).map(|i| &self.cycles[i % CYCLES])
    }

    /// The rate to expect of the cycle under way, weighted by what was allocated in each; nothing before the first ended.
    pub fn rate(&self) -> Option<Rate> {
        let (mut n, mut allocated, mut freed, mut square) = (0.0f64, 0.0, 0.0, 0.0);
        for c in self.iter().rev().take(RECENT) {
            n += 1.0;
            allocated += c.allocated;
            freed += c.freed;
            square += c.freed * c.freed / c.allocated;
        }
        if allocated <= 0.0 {
            return None;
        }
        let mean = freed / allocated;
        // Few cycles show less than their true spread: never below a fourth of the mean for one, a tenth for many.
        let least = mean * (0.25 / n.sqrt()).max(0.1);
        let variance = (square / allocated - mean * mean).max(0.0);
        Some(Rate { mean, deviation: variance.sqrt().max(least) })
    }

    /// The rates of the cycles that are over, oldest first, each with its end: what was garbage then is known by now.
    pub fn closed(&self) -> impl Iterator<Item = (f64, f64)> {
        self.iter().map(|c| (c.end, c.freed / c.allocated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_weighted_by_what_was_allocated() {
        let mut promoted = Promoted::default();
        assert_eq!(promoted.rate(), None);
        promoted.add(1.0, 10.0, 0.0);
        assert_eq!(promoted.rate(), None, "a cycle in which nothing was allocated says nothing");
        promoted.add(1.0, 100.0, 1000.0);
        let one = promoted.rate().expect("a cycle");
        assert!((one.mean - 0.1).abs() < 1e-12 && (one.deviation - 0.025).abs() < 1e-12, "{one:?}");
        promoted.add(2.0, 900.0, 3000.0);
        let two = promoted.rate().expect("cycles");
        assert!((two.mean - 0.25).abs() < 1e-12, "{two:?}");
        // 1/4 of the weight 0.15 below the mean, 3/4 of it 0.05 above.
        assert!((two.deviation - 0.0075f64.sqrt()).abs() < 1e-12, "{two:?}");
    }

    #[test]
    fn only_recent_cycles_make_the_rate_and_all_that_are_kept_can_be_looked_up() {
        let mut promoted = Promoted::default();
        for i in 0..100 {
            promoted.add(f64::from(i), if i < 92 { 500.0 } else { 100.0 }, 1000.0);
        }
        let rate = promoted.rate().expect("cycles");
        assert!((rate.mean - 0.1).abs() < 1e-12 && (rate.deviation - 0.01).abs() < 1e-12, "{rate:?}");
        let ends: Vec<f64> = promoted.closed().map(|c| c.0).collect();
        assert_eq!(ends, (68..100).map(f64::from).collect::<Vec<_>>());
    }

    #[test]
    fn a_collection_that_frees_nothing_is_no_negative_garbage() {
        let mut promoted = Promoted::default();
        promoted.add(1.0, -50.0, 100.0);
        assert_eq!(promoted.rate().map(|r| r.mean), Some(0.0));
    }
}
