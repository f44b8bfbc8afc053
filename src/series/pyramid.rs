//! Floors at several time scales, in fixed memory.

/// One post-GC floor, or a bound on it, with what was known of the load at that time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// When, in samples since the watch began, with its fraction.
    pub x: f64,
    /// How much memory was left, in bytes.
    pub y: f64,
    /// Bytes allocated since the last major collection; 0 for a point that a major collection left.
    pub garbage: f64,
    /// Load up to here, in the units of the load signal.
    pub load: f64,
    /// The load signal, averaged over the spans of [`super::LoadFilter`].
    pub smooth: [f32; 3],
    /// Whether `y` is a floor; otherwise it holds garbage that grows until the next major collection.
    pub exact: bool,
    /// Whether a major collection left it.
    pub major: bool,
}

impl Point {
    /// The better witness of the two for the stretch of time that both are in: an exact floor before a bound, the lower
    /// of two floors or of two bounds.
    pub fn better(self, later: Self) -> Self {
        match (self.exact, later.exact) {
            (true, false) => self,
            (false, true) => later,
            _ if self.major != later.major => {
                if self.major {
                    self
                } else {
                    later
                }
            }
            _ if self.y <= later.y => self,
            _ => later,
        }
    }
}

/// Points that one level holds: twice as many as a window of that level has.
const LENGTH: usize = 64;
/// Levels: the last spans 64 * 2^9 samples, eleven days at 30 seconds.
pub const LEVELS: usize = 10;

/// The last [`LENGTH`] buckets of one width.
#[derive(Debug, Clone)]
struct Level {
    ring: [Point; LENGTH],
    /// Index of the oldest point, and how many there are.
    start: usize,
    len: usize,
    /// The first of the two buckets that make one of the next level.
    half: Option<Point>,
    /// The highest point that has left the ring.
    highest: Option<Point>,
}

impl Level {
    const EMPTY: Self = Self {
        ring: [Point {
            x: 0.0,
            y: 0.0,
            garbage: 0.0,
            load: 0.0,
            smooth: [0.0; 3],
            exact: false,
            major: false,
        }; LENGTH],
        start: 0,
        len: 0,
        half: None,
        highest: None,
    };

    fn push(&mut self, point: Point) {
        if self.len == LENGTH {
            let oldest = self.ring[self.start];
            if oldest.exact && self.highest.is_none_or(|h| oldest.y > h.y) {
                self.highest = Some(oldest);
            }
            self.ring[self.start] = point;
            self.start = (self.start + 1) % LENGTH;
        } else {
            self.ring[(self.start + self.len) % LENGTH] = point;
            self.len += 1;
        }
    }

    /// The points in time order, in two runs.
    fn halves(&self) -> (&[Point], &[Point]) {
        // `start` is 0 until the ring is full.
        (&self.ring[self.start..self.len], &self.ring[..self.start])
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &Point> + Clone {
        let (older, newer) = self.halves();
        older.iter().chain(newer)
    }
}

/// The same history at ten resolutions: level *j* has the last 64 buckets of 2^*j* samples, each with its best point.
///
/// ```text
///   level 0   64 buckets of   1 sample    . . . . . . . . . . . .
///   level 1   64 buckets of   2 samples   ._. ._. ._. ._. ._. ._.
///   level 2   64 buckets of   4 samples   .___. .___. .___. .___.
///   ...
///   level 9   64 buckets of 512 samples   eleven days at 30 seconds a sample
/// ```
///
/// [`Pyramid::BYTES`], some 31 KiB, taken at creation. Adding a sample costs two bucket merges on the average, ten at most.
#[derive(Debug, Clone)]
pub struct Pyramid {
    levels: Box<[Level; LEVELS]>,
    /// The best point of the sample under way.
    current: Option<Point>,
}

impl Default for Pyramid {
    fn default() -> Self {
        Self { levels: Box::new([Level::EMPTY; LEVELS]), current: None }
    }
}

impl Pyramid {
    /// What one series takes of memory.
    pub const BYTES: usize = size_of::<[Level; LEVELS]>() + size_of::<Self>();

    /// Adds a point to the sample under way.
    pub fn add(&mut self, point: Point) {
        self.current = Some(self.current.map_or(point, |earlier| earlier.better(point)));
    }

    /// Ends the sample under way; `samples` is how many ended with it.
    pub fn end_sample(&mut self, samples: u64) {
        let mut bucket = self.current.take();
        for (j, level) in self.levels.iter_mut().enumerate() {
            if let Some(point) = bucket {
                level.push(point);
            }
            // Buckets of the next level end at multiples of its width.
            let earlier = level.half.take();
            if samples & (1 << j) != 0 {
                level.half = bucket;
                return;
            }
            bucket = match (earlier, bucket) {
                (Some(a), Some(b)) => Some(a.better(b)),
                (a, b) => a.or(b),
            };
        }
    }

    /// The points of level `level` that are not older than `since`, oldest first.
    pub fn since(&self, level: usize, since: f64) -> impl DoubleEndedIterator<Item = &Point> + Clone {
        let level = &self.levels[level];
        let (older, newer) = level.halves();
        let from = |points: &[Point]| points.partition_point(|p| p.x < since);
        let from_newer = if older.last().is_some_and(|p| p.x >= since) { 0 } else { from(newer) };
        older[from(older)..].iter().chain(&newer[from_newer..])
    }

    /// The best point of the samples that are not in a whole bucket of `level` yet.
    pub fn tail(&self, level: usize) -> Option<Point> {
        let halves = self.levels[..level].iter().rev().filter_map(|l| l.half);
        halves.chain(self.current).reduce(Point::better)
    }

    /// The newest point of all.
    pub fn newest(&self) -> Option<Point> {
        self.current.or_else(|| self.levels[0].iter().next_back().copied())
    }

    /// The exact points of `level` before `until`: the ring's, and the highest of those that left it.
    pub fn before(&self, level: usize, until: f64) -> impl Iterator<Item = &Point> + Clone {
        let level = &self.levels[level.min(LEVELS - 1)];
        level.highest.iter().chain(level.iter()).filter(move |p| p.exact && p.x < until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point(x: u64, y: f64, exact: bool) -> Point {
        Point { x: x as f64, y, exact, major: exact, ..Point::default() }
    }

    #[test]
    fn an_exact_floor_beats_a_bound_and_the_lower_of_two_wins() {
        let (floor, lower, bound) = (point(1, 5.0, true), point(2, 4.0, true), point(3, 1.0, false));
        assert_eq!(floor.better(bound), floor);
        assert_eq!(bound.better(floor), floor);
        assert_eq!(floor.better(lower), lower);
        assert_eq!(lower.better(floor), lower);
        let after_gc = Point { major: true, ..point(4, 9.0, true) };
        let sampled = Point { major: false, ..point(5, 8.0, true) };
        assert_eq!(sampled.better(after_gc), after_gc);
    }

    #[test]
    fn what_left_a_ring_is_remembered_by_its_highest() {
        let mut pyramid = Pyramid::default();
        for i in 1..=500 {
            pyramid.add(point(i, if i == 40 { 1000.0 } else { 10.0 }, true));
            pyramid.end_sample(i);
        }
        let highest = pyramid.before(0, 500.0).map(|p| p.y).fold(0.0, f64::max);
        assert_eq!(highest, 1000.0);
    }

    proptest! {
        /// Against the obvious way: keep everything, cut it into buckets when asked.
        #[test]
        fn every_level_is_what_buckets_of_the_whole_history_are(
            samples in prop::collection::vec(prop::option::weighted(0.7, (0u32..1000, any::<bool>())), 1..700),
            level in 0usize..5,
        ) {
            let mut pyramid = Pyramid::default();
            let mut all = Vec::new();
            for (i, sample) in samples.iter().enumerate() {
                let n = i as u64 + 1;
                if let Some((y, exact)) = sample {
                    let p = point(n, f64::from(*y), *exact);
                    pyramid.add(p);
                    all.push(p);
                }
                pyramid.end_sample(n);
            }
            let width = 1u64 << level;
            let whole = samples.len() as u64 / width;
            let bucket = |b: u64| all.iter().copied()
                .filter(|p| (p.x as u64 - 1) / width == b).reduce(Point::better);
            let mut expected: Vec<Point> = (0..whole).filter_map(bucket).collect();
            let skip = expected.len().saturating_sub(LENGTH);
            expected.drain(..skip);
            let kept: Vec<Point> = pyramid.since(level, 0.0).copied().collect();
            prop_assert_eq!(kept, expected);
            prop_assert_eq!(pyramid.tail(level), bucket(whole));
        }
    }
}
