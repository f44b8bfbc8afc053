use proptest::prelude::*;

use super::*;
use crate::sample::{HeapFigures, Load, ProcessFigures, Reading};
use crate::units::Micros;

const BASE: u64 = 1_700_000_000_000;
const GIB: f64 = 1024.0 * MIB;

/// What a made-up process is like at one sample.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// Live heap, external and other native memory, in bytes.
    live: f64,
    external: f64,
    native: f64,
    requests: f64,
    /// Whether the heap was collected just before the sample; otherwise a minor collection left garbage.
    is_collected: bool,
    in_use: Option<f64>,
}

impl Default for Moment {
    fn default() -> Self {
        Self {
            live: 100.0 * MIB,
            external: 4.0 * MIB,
            native: 60.0 * MIB,
            requests: 0.0,
            is_collected: true,
            in_use: None,
        }
    }
}

/// A process under watch.
struct Life {
    detector: FloorDetector,
    interval_ms: u64,
    limit: f64,
    container: Option<f64>,
    at: u64,
    samples: usize,
    garbage: f64,
    /// Changes of status: the sample, and the verdict.
    changes: Vec<(usize, Verdict)>,
}

impl Life {
    fn new() -> Self {
        Self {
            detector: FloorDetector::default(),
            interval_ms: 30_000,
            limit: 4.0 * GIB,
            container: None,
            at: BASE,
            samples: 0,
            garbage: 0.0,
            changes: Vec::new(),
        }
    }

    fn every(interval_ms: u64) -> Self {
        Self { interval_ms, ..Self::new() }
    }

    fn step(&mut self, m: Moment) -> Verdict {
        const ALLOCATED: f64 = 10.0 * MIB;
        self.at += self.interval_ms;
        self.garbage = if m.is_collected { 0.0 } else { self.garbage + 0.05 * ALLOCATED };
        let bytes = |v: f64| Bytes(v.max(0.0) as u64);
        let kind = if m.is_collected { GcKind::Major } else { GcKind::Minor };
        let used = m.live + self.garbage;
        let at = UnixMillis(self.at - self.interval_ms / 2);
        self.detector.on_gc(&AfterGc { at, kind, used: bytes(used), external: bytes(m.external) });
        let heap = HeapFigures {
            used: bytes(used),
            total: bytes(used * 1.2),
            external: bytes(m.external),
            array_buffers: bytes(m.external),
            limit: bytes(self.limit),
        };
        let process = ProcessFigures {
            rss: bytes(used * 1.2 + m.external + m.native),
            container_limit: self.container.map(bytes),
            native_in_use: m.in_use.map(bytes),
            ..ProcessFigures::default()
        };
        let load = Load { allocated: bytes(ALLOCATED), requests: m.requests as u64 };
        let reading = Reading { at: UnixMillis(self.at), heap, process, ..Reading::default() };
        let verdict =
            self.detector.on_sample(&Sample { reading, load, cpu: Micros(1000), ..Sample::default() });
        self.samples += 1;
        if self.changes.last().is_none_or(|(_, last)| last.status != verdict.status) {
            self.changes.push((self.samples, verdict));
        }
        verdict
    }

    fn run(&mut self, samples: usize, mut moment: impl FnMut(usize) -> Moment) -> &mut Self {
        for i in 0..samples {
            self.step(moment(i));
        }
        self
    }

    /// The first sample at which a leak was called, and the verdict then.
    fn leak(&self) -> Option<(usize, Verdict)> {
        self.changes.iter().find(|(_, v)| v.status == Status::Leak).copied()
    }

    fn statuses(&self) -> Vec<Status> {
        self.changes.iter().map(|(_, v)| v.status).collect()
    }
}

/// A repeatable stand-in for noise, between 0 and 1.
fn noise(i: usize) -> f64 {
    let bits =
        (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// A healthy process with two megabytes of noise.
fn healthy(i: usize) -> Moment {
    Moment { live: 100.0 * MIB + 2.0 * MIB * noise(i), ..Moment::default() }
}

/// It loses `rate` bytes a sample from sample `from` on.
fn leaky(from: usize, rate: f64) -> impl Fn(usize) -> Moment {
    move |i| {
        let healthy = healthy(i);
        Moment { live: healthy.live + i.saturating_sub(from) as f64 * rate, ..healthy }
    }
}

#[test]
fn a_leak_is_called_with_its_rate_its_start_and_its_end() {
    let mut life = Life::new();
    life.run(600, leaky(200, 0.2 * MIB));
    let (at, verdict) = life.leak().expect("it leaks");
    assert!((200..600).contains(&at), "{at}");
    assert_eq!((verdict.kind, verdict.limit), (Kind::Heap, Some(LimitKind::Heap)));
    let rate = 0.2 * MIB / 30.0;
    assert!((verdict.growth_bytes_per_second / rate - 1.0).abs() < 0.1, "{verdict:?}");
    let [low, high] = verdict.growth_interval.expect("a leak has an interval");
    assert!(low < verdict.growth_bytes_per_second && verdict.growth_bytes_per_second < high);
    let since = verdict.since.expect("a leak has a start").0 as f64;
    let onset = (BASE + 200 * 30_000) as f64;
    assert!(
        since > onset - 60.0 * 30_000.0 && since < onset + 300.0 * 30_000.0,
        "{}",
        (since - onset) / 30_000.0
    );
    let left = (4.0 * GIB - 100.0 * MIB) / rate * 1e3;
    let eta = verdict.eta_ms.expect("a limit is known") as f64;
    assert!((eta / left - 1.0).abs() < 0.15, "{eta} {left}");
    let e = &verdict.evidence;
    assert!(e.growth_bytes >= e.minimum_effect_bytes && e.standard_errors > 7.0, "{e:?}");
}

#[test]
fn a_suspicion_comes_before_the_leak() {
    let mut life = Life::new();
    life.run(900, leaky(0, 0.1 * MIB));
    let statuses = life.statuses();
    assert_eq!(statuses[..3], [Status::WarmingUp, Status::Healthy, Status::Suspect], "{statuses:?}");
    let suspected = life.changes[2];
    let (called, _) = life.leak().expect("it leaks");
    assert!(suspected.0 < called && suspected.1.kind == Kind::Heap, "{suspected:?} {called}");
}

#[test]
fn a_suspicion_between_rare_collections_is_not_undone_by_the_last_one() {
    let mut life = Life::new();
    life.run(260, |i| Moment { is_collected: i % 200 == 0, ..leaky(200, 0.6 * MIB)(i) });
    assert_eq!(life.statuses().last(), Some(&Status::Suspect), "{:?}", life.statuses());
}

#[test]
fn a_small_suspicion_does_not_hide_a_large_one_on_the_same_day() {
    let grown = |i: usize| 0.25 * i.clamp(15, 60) as f64 + 2.0 * i.saturating_sub(600) as f64;
    let suspected = |samples: usize, grown: &dyn Fn(usize) -> f64| {
        let mut life = Life::new();
        life.run(samples, |i| Moment { live: healthy(i).live + grown(i) * MIB, ..Moment::default() });
        let suspected = life.changes.iter().filter(|(_, v)| v.status == Status::Suspect);
        suspected.map(|(at, _)| *at).collect::<Vec<_>>()
    };
    let at = suspected(660, &grown);
    assert!(at.len() == 2 && at[0] < 100 && at[1] > 600, "{at:?}");
    // As much again as the first time is not worth another.
    let again = suspected(1500, &|i| grown(i.min(600)) + 0.25 * i.clamp(600, 660) as f64);
    assert_eq!(again.len(), 1, "{again:?}");
}

#[test]
fn every_kind_is_told_apart() {
    let grow = |i: usize| i.saturating_sub(150) as f64 * 0.4 * MIB;
    let kind = |moment: &dyn Fn(usize) -> Moment| Life::new().run(600, moment).leak().map(|(_, v)| v.kind);
    assert_eq!(kind(&|i| Moment { external: 4.0 * MIB + grow(i), ..healthy(i) }), Some(Kind::External));
    assert_eq!(kind(&|i| Moment { native: 60.0 * MIB + grow(i), ..healthy(i) }), Some(Kind::Native));
    let native = |i: usize| Moment { native: 60.0 * MIB + grow(i), ..healthy(i) };
    let live = |i: usize| Moment { in_use: Some(40.0 * MIB + grow(i)), ..native(i) };
    assert_eq!(kind(&live), Some(Kind::Native));
    let kept = |i: usize| Moment { in_use: Some(40.0 * MIB), ..native(i) };
    assert_eq!(kind(&kept), Some(Kind::Fragmentation));
    assert!(Kind::Fragmentation.advice().is_some_and(|advice| advice.contains("MALLOC_ARENA_MAX")));
}

#[test]
fn healthy_shapes_stay_silent() {
    let at = |i: usize, extra: f64| Moment { live: healthy(i).live + extra * MIB, ..Moment::default() };
    let shapes: [(&str, &dyn Fn(usize) -> Moment); 7] = [
        ("noise", &|i| at(i, 0.0)),
        ("warm-up", &|i| at(i, 80.0 * (1.0 - (-(i as f64) / 40.0).exp()))),
        ("a step", &|i| at(i, if i > 500 { 60.0 } else { 0.0 })),
        ("an hourly batch", &|i| at(i, if i % 120 > 100 { 3.0 * (i % 120 - 100) as f64 } else { 0.0 })),
        ("a cache that fills", &|i| at(i, 120.0 * (1.0 - (-(i as f64) / 150.0).exp()))),
        ("the daily course", &|i| {
            let load = 1.0 - (i as f64 / 2880.0 * std::f64::consts::TAU).cos();
            Moment { requests: 1000.0 * load, ..at(i, 60.0 * load) }
        }),
        ("deferred collections", &|i| Moment { is_collected: i % 150 == 149, ..at(i, 0.0) }),
    ];
    for (name, shape) in shapes {
        let mut life = Life::new();
        life.run(4000, shape);
        assert_eq!(life.leak().map(|(at, _)| at), None, "{name}");
    }
}

#[test]
fn rare_collections_do_not_hide_a_leak() {
    // One in four hours: between them garbage grows faster than the leak.
    let mut life = Life::new();
    life.run(2500, |i| Moment { is_collected: i % 480 == 0, ..leaky(0, 0.1 * MIB)(i) });
    let (at, verdict) = life.leak().expect("it leaks");
    assert!(at < 2500 && verdict.kind == Kind::Heap, "{at}");
    assert!((verdict.growth_bytes_per_second / (0.1 * MIB / 30.0) - 1.0).abs() < 0.3, "{verdict:?}");
}

#[test]
fn a_leak_that_is_let_go_is_taken_back_and_the_next_one_is_called_again() {
    let mut life = Life::new();
    life.run(500, leaky(100, 0.3 * MIB)).run(500, healthy);
    assert!(life.leak().is_some());
    assert_eq!(life.statuses().last(), Some(&Status::Healthy), "{:?}", life.statuses());
    life.run(800, leaky(0, 0.6 * MIB));
    assert_eq!(life.statuses().last(), Some(&Status::Leak));
}

#[test]
fn a_leak_that_pauses_for_an_hour_is_not_taken_back() {
    let mut life = Life::new();
    let leaked = |i: usize| (i - i.saturating_sub(500).min(100)) as f64 * 0.3 * MIB;
    life.run(900, |i| Moment { live: 100.0 * MIB + leaked(i), ..Moment::default() });
    let after = life.statuses().into_iter().skip_while(|&s| s != Status::Leak).collect::<Vec<_>>();
    assert_eq!(after, [Status::Leak]);
}

#[test]
fn the_container_ends_a_process_whose_heap_has_room() {
    let mut life = Life { container: Some(512.0 * MIB), ..Life::new() };
    let (_, verdict) = life.run(600, leaky(100, 0.3 * MIB)).leak().expect("it leaks");
    assert_eq!(verdict.limit, Some(LimitKind::Container));
    let room = 512.0 * MIB - 1.2 * 100.0 * MIB - 64.0 * MIB;
    let eta = verdict.eta_ms.expect("a limit") as f64;
    assert!(eta < room / (0.3 * MIB / 30.0) * 1e3, "{eta}");
}

#[test]
fn near_the_limit_a_fast_leak_is_urgent() {
    let mut life = Life { limit: 1.0 * GIB, ..Life::new() };
    life.run(24, |i| Moment {
        live: (60.0 + 40.0 * i as f64) * MIB,
        native: 40.0 * MIB,
        ..Moment::default()
    });
    let (at, verdict) = life.leak().expect("dead in minutes");
    assert!(at <= 20 && verdict.evidence.urgent, "{at} {verdict:?}");
}

#[test]
fn extremes_do_not_upset_it() {
    let far = |v: f64| move |_: usize| Moment { live: v, external: v, native: v, ..Moment::default() };
    Life::new().run(300, far(1e18));
    Life::new().run(300, far(0.0));
    Life::new().run(300, |i| far(if i % 2 == 0 { 1e18 } else { 0.0 })(i));
    let mut detector = FloorDetector::default();
    for _ in 0..50 {
        // A clock that stands still, and a process that nothing is known of.
        assert_ne!(detector.on_sample(&Sample::default()).status, Status::Leak);
    }
}

#[test]
fn a_machine_that_slept_is_no_longer_interval() {
    let mut life = Life::new();
    life.run(300, leaky(0, 0.2 * MIB));
    life.at += 12 * 3_600_000;
    life.run(300, |i| leaky(0, 0.2 * MIB)(300 + i));
    let (_, verdict) = life.leak().expect("it leaks");
    assert!((verdict.growth_bytes_per_second / (0.2 * MIB / 30.0) - 1.0).abs() < 0.2, "{verdict:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Time is counted in samples: the interval changes rates, and nothing else.
    #[test]
    fn the_unit_of_time_does_not_matter(rate in 0.05f64..1.0, from in 0usize..200, interval in 1u64..200_000) {
        let mut a = Life::new();
        let mut b = Life::every(interval);
        a.run(500, leaky(from, rate * MIB));
        b.run(500, leaky(from, rate * MIB));
        prop_assert_eq!(a.leak().map(|l| l.0), b.leak().map(|l| l.0));
        if let (Some((_, a)), Some((_, b))) = (a.leak(), b.leak()) {
            let ratio = b.growth_bytes_per_second * interval as f64 / (a.growth_bytes_per_second * 30_000.0);
            prop_assert!((ratio - 1.0).abs() < 0.01, "{}", ratio);
        }
    }

    /// Above the sizes that are counted in bytes, a process twice as large with a leak twice as fast is judged the same.
    #[test]
    fn scale_does_not_matter(rate in 1.0f64..8.0, from in 0usize..200, scale in 1u32..4) {
        let factor = f64::from(1 << scale);
        let scaled = |factor: f64| {
            let mut life = Life { limit: 1e6 * GIB, ..Life::new() };
            life.run(400, |i| {
                let m = leaky(from, rate * MIB)(i);
                let (live, external, native) = (factor * m.live * 8.0, factor * m.external, factor * m.native);
                Moment { live, external, native, ..m }
            });
            life.leak().map(|l| l.0)
        };
        // Rounding noise of a few samples: windows fall due on the same samples, but floors are rounded to bytes.
        match (scaled(1.0), scaled(factor)) {
            (Some(a), Some(b)) => prop_assert!(a.abs_diff(b) <= 8, "{} {}", a, b),
            (a, b) => prop_assert_eq!(a, b),
        }
    }

    /// Sixty-four megabytes more that never change make a process larger, and a leak of it no likelier.
    #[test]
    fn what_is_constant_explains_nothing(shift in 0.0f64..64.0) {
        let mut life = Life::new();
        life.run(600, |i| Moment { live: (100.0 + shift) * MIB + 2.0 * MIB * noise(i), ..Moment::default() });
        prop_assert_eq!(life.leak().map(|l| l.0), None);
    }

    /// Whatever is fed, in whatever order, nothing panics, no number is NaN, and no rate of a leak is negative.
    #[test]
    fn any_series_is_survived(values in prop::collection::vec((0u64..1 << 50, 0u64..1 << 50, 0u64..1 << 50, any::<bool>()), 0..300)) {
        let mut life = Life::every(7);
        for (live, external, native, is_collected) in values {
            let m = Moment { live: live as f64, external: external as f64, native: native as f64, is_collected, ..Moment::default() };
            let v = life.step(m);
            prop_assert!(v.growth_bytes_per_second >= 0.0 && v.growth_bytes_per_second.is_finite());
        }
    }
}

/// What is asked for scales, so that a leak waits for the growth that is asked.
#[test]
fn a_stricter_detector_calls_later_and_a_laxer_one_sooner() {
    let called = |detector: FloorDetector| {
        let mut life = Life { detector, ..Life::new() };
        life.run(1500, |i| Moment {
            live: (100.0 + 0.05 * i as f64) * MIB + 0.5 * MIB * noise(i),
            ..Moment::default()
        });
        life.leak().map(|leak| leak.0)
    };
    let [lax, default, strict, none] =
        [0.5, 1.0, 2.0, 10.0].map(|s| called(FloorDetector::with_strictness(s)));
    assert_eq!(default, called(FloorDetector::default()));
    assert!(lax.is_some() && lax < default && default < strict, "{lax:?} {default:?} {strict:?}");
    assert_eq!(none, None);
}

/// What the memory claim of [`FloorDetector`] and the week of history rest on.
#[test]
fn a_series_takes_less_than_64_kib_and_holds_a_week() {
    const { assert!(Pyramid::BYTES <= 64 * 1024) };
    let mut pyramid = Pyramid::default();
    let week = 7 * 2880;
    for i in 1..=week {
        pyramid.add(Point { x: i as f64, y: 1.0, exact: true, ..Point::default() });
        pyramid.end_sample(i);
    }
    let oldest = pyramid.since(crate::series::LEVELS - 1, 0.0).next().expect("a week ago");
    assert!(oldest.x <= 512.0, "{oldest:?}");
}
