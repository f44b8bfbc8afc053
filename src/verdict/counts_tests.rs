use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;

/// Half a minute.
const TICK_MS: u64 = 30_000;
/// A day of ticks.
const DAY: usize = 2880;

/// What is told of while one count goes as `counts` say, with the tick of each.
fn told(counts: impl IntoIterator<Item = u32>) -> Vec<(usize, CountGrowth)> {
    let mut judge = CountJudge::new();
    let series = judge.open();
    let mut found = Vec::new();
    for (tick, count) in counts.into_iter().enumerate() {
        let at = UnixMillis(1_700_000_000_000 + tick as u64 * TICK_MS);
        found.extend(
            judge.tick(at, std::iter::once((series, count))).into_iter().map(|growth| (tick, growth)),
        );
    }
    found
}

/// A small generator of numbers that look random, the same for the same seed.
struct Noise(u64);

impl Noise {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }

    /// How many arrive in a tick where `mean` do on average.
    fn poisson(&mut self, mean: f64) -> u32 {
        // The sum of many is nearly normal.
        if mean > 40.0 {
            let normal = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
            return (mean + mean.sqrt() * normal).round().max(0.0) as u32;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

/// Sessions that arrive at `rate(tick)` a tick and stay for `stay` ticks on average, each with a listener.
fn sessions(seed: u64, ticks: usize, stay: f64, rate: impl Fn(usize) -> f64) -> Vec<u32> {
    let mut noise = Noise(seed);
    let mut alive = (rate(0) * stay) as u32;
    let mut counts = Vec::with_capacity(ticks);
    for tick in 0..ticks {
        let leave = noise.poisson(f64::from(alive) / stay).min(alive);
        alive = alive - leave + noise.poisson(rate(tick));
        counts.push(alive);
    }
    counts
}

#[test]
fn one_listener_a_tick_is_told_of_within_a_quarter_of_an_hour() {
    let found = told((0..40).map(|tick| 8 + tick));
    let (tick, growth) = found[0];
    assert!((25..32).contains(&tick), "{tick}");
    assert!((growth.per_hour - 120.0).abs() < 12.0, "{growth:?}");
    assert_eq!(growth.count, 8 + tick as u32);
    assert!(growth.delta >= 15 && growth.since >= UnixMillis(1_700_000_000_000 + 10 * TICK_MS), "{growth:?}");
}

#[test]
fn what_goes_on_is_told_of_again_when_it_has_doubled() {
    let found = told((0..1000).map(|tick| 8 + tick));
    let counts: Vec<_> = found.iter().map(|(_, growth)| growth.count).collect();
    assert!((4..=7).contains(&counts.len()), "{counts:?}");
    assert!(counts.windows(2).all(|pair| pair[1] >= 2 * pair[0]), "{counts:?}");
}

#[test]
fn a_leak_among_sessions_is_told_of_after_a_day() {
    let healthy = sessions(7, 3 * DAY, 4.0, |_| 3.0);
    let found = told(healthy.iter().zip(0..).map(|(&alive, tick)| alive + tick / 2));
    let (tick, _) = *found.first().expect("a leak of 60 an hour");
    assert!((DAY..2 * DAY).contains(&tick), "{tick}");
    assert_eq!(told(healthy), []);
}

#[test]
fn series_are_told_apart_and_their_numbers_given_again() {
    let mut judge = CountJudge::new();
    let (calm, leaky) = (judge.open(), judge.open());
    let mut found = Vec::new();
    for tick in 0..40u32 {
        found.extend(
            judge.tick(UnixMillis(u64::from(tick)), [(calm, 30), (leaky, 8 + tick), (99, 5)].into_iter()),
        );
    }
    assert!(!found.is_empty() && found.iter().all(|growth| growth.series == leaky), "{found:?}");
    judge.close(leaky);
    judge.close(leaky);
    judge.close(1234);
    assert_eq!(judge.open(), leaky);
    assert_eq!(judge.tick(UnixMillis(50), [(leaky, 1_000_000)].into_iter()), [], "a new series has no past");
}

/// Stairs whose steps happen to lie on a line are told of, 26 of 20 000: nobody can say of them that they are none.
#[test]
fn of_plateaus_reached_by_jumps_hardly_any_is_told_as_growth() {
    const PLATEAUS: usize = 1000;
    let stairs = (0u32..50, prop::collection::vec((30usize..400, 1u32..500), 1..8));
    let mut runner = TestRunner::default();
    let is_told = |_: &usize| {
        let (base, jumps) = stairs.new_tree(&mut runner).expect("a tree").current();
        let mut counts = vec![base; 40];
        for (length, jump) in jumps {
            let level = counts[counts.len() - 1] + jump;
            counts.extend(std::iter::repeat_n(level, length));
        }
        !told(counts).is_empty()
    };
    let lined_up = (0..PLATEAUS).filter(is_told).count();
    assert!(lined_up <= PLATEAUS / 100, "{lined_up} of {PLATEAUS}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_never_rises_is_never_told(level in 0u32..100_000, falls in prop::collection::vec(0u32..3, 200)) {
        let mut count = level;
        let counts: Vec<_> = falls.into_iter().map(|fall| { count = count.saturating_sub(fall); count }).collect();
        prop_assert_eq!(told(counts), []);
    }

    #[test]
    fn a_pool_that_fills_up_is_not_growth(cap in 8f64..5000.0, tau in 1f64..12.0) {
        let counts = (0..1500).map(|tick| (cap * (1.0 - (-f64::from(tick) / tau).exp())) as u32);
        prop_assert_eq!(told(counts), []);
    }

    #[test]
    fn a_sawtooth_is_not_growth(period in 2usize..16, height in 1usize..200, base in 0u32..200, offset in 0usize..16) {
        let counts = (0..1500).map(|tick| base + (((tick + offset) % period) * height) as u32);
        prop_assert_eq!(told(counts), []);
    }

    #[test]
    fn sessions_at_an_even_rate_are_not_growth(seed: u64, stay in 1f64..120.0, rate in 0.1f64..20.0) {
        prop_assert_eq!(told(sessions(seed, DAY, stay, |_| rate)), []);
    }

    /// Traffic that follows the time of day, from a tenth to all of it.
    #[test]
    fn the_daily_course_is_not_growth(seed: u64, stay in 1f64..40.0, rate in 1f64..10.0, phase in 0usize..DAY) {
        let of_day = |tick: usize| ((tick + phase) as f64 / DAY as f64 * std::f64::consts::TAU).cos();
        let counts = sessions(seed, 4 * DAY, stay, |tick| rate * (0.55 - 0.45 * of_day(tick)));
        prop_assert_eq!(told(counts), []);
    }

    /// At any rate, even or by chance, from any level.
    #[test]
    fn what_only_ever_rises_is_told(seed: u64, base in 0u32..400, rate in 0.5f64..50.0) {
        let mut noise = Noise(seed);
        let mut count = base;
        let counts: Vec<_> = (0..1500).map(|_| { count += noise.poisson(rate); count }).collect();
        let found = told(counts);
        prop_assert!(!found.is_empty());
        // Not before it was a good part of what was there.
        prop_assert!(found[0].1.count >= base + 8);
    }
}
