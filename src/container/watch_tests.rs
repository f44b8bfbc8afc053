use super::*;
use crate::container::Events;
use proptest::prelude::*;

const LIMIT: u64 = 1000 * Bytes::MIB;

fn look(ms: u64, mib: u64) -> Look {
    Look { at: Micros(ms * 1000), used: Bytes::mib(mib), limit: Bytes(LIMIT), ..Look::default() }
}

/// What a run of `(milliseconds, mebibytes)` of a limit of 1000 MiB changes.
fn changes(looks: impl IntoIterator<Item = (u64, u64)>) -> Vec<String> {
    let mut watch = Watch::default();
    looks.into_iter().filter_map(|(ms, mib)| told(ms, watch.observe(&look(ms, mib)))).collect()
}

fn told(ms: u64, change: Option<Change>) -> Option<String> {
    Some(match change? {
        Change::Began(incident) if incident.capture => format!("{ms} {}", incident.reason.name()),
        Change::Began(incident) => format!("{ms} {} again", incident.reason.name()),
        Change::Ended(reason) => format!("{ms} no more {}", reason.name()),
    })
}

/// One look a second.
fn seconds(mib: impl IntoIterator<Item = u64>) -> Vec<(u64, u64)> {
    (0..).step_by(1000).zip(mib).collect()
}

#[test]
fn a_container_that_is_nearly_full_is_an_incident_told_once() {
    assert_eq!(changes(seconds([100, 919, 920, 990, 999, 930])), ["2000 level"]);
    assert!(changes(seconds([919; 200])).is_empty());
}

#[test]
fn what_the_kernel_takes_back_does_not_count() {
    let mut watch = Watch::default();
    let cached = Look { reclaimable: Bytes::mib(300), ..look(0, 999) };
    assert_eq!(watch.observe(&cached), None);
    assert_eq!((cached.held(), cached.left()), (Bytes::mib(699), Bytes::mib(301)));
    let more = Look { reclaimable: Bytes::mib(50), ..look(1000, 999) };
    assert_eq!(told(1, watch.observe(&more)).as_deref(), Some("1 level"));
}

#[test]
fn a_pace_counts_that_is_kept_up_and_leads_somewhere_new() {
    let steady = (0..60).map(|n| 600 + 20 * n);
    assert_eq!(changes(seconds(steady)), ["5000 pace"], "700 MB, and 300 left at 20 MB a second");
    let slow = (0..60).map(|n| 600 + 5 * n);
    assert!(changes(seconds(slow)).is_empty(), "a minute is left");
    let one_step = (0..60).map(|n| if n < 30 { 600 } else { 880 });
    assert!(changes(seconds(one_step)).is_empty());
    let low = (0..13).map(|n| 20 * n);
    assert!(changes(seconds(low)).is_empty(), "as any program does when it starts");
    let saw = (0..300).map(|n| 600 + 20 * (n % 13));
    assert_eq!(changes(seconds(saw)).len(), 2, "the first tooth only, and its end");
}

#[test]
fn an_incident_is_over_after_a_minute_below() {
    let looks = |low: u64| [(0, 950)].into_iter().chain((1..=low).map(|s| (1000 * s, 849)));
    assert_eq!(changes(looks(60)), ["0 level"]);
    assert_eq!(changes(looks(61)), ["0 level", "61000 no more level"]);
    let interrupted = (0..200u64).map(|s| (1000 * s, if s % 50 == 0 { 950 } else { 100 }));
    assert_eq!(changes(interrupted), ["0 level"], "never calm for a minute");
}

#[test]
fn captures_come_ten_minutes_apart() {
    let every = |apart: u64| (0..=2 * apart).map(move |s| (1000 * s, if s % apart == 0 { 950 } else { 100 }));
    assert_eq!(
        changes(every(100)),
        [
            "0 level",
            "61000 no more level",
            "100000 level again",
            "161000 no more level",
            "200000 level again"
        ]
    );
    assert_eq!(changes(every(600))[2], "600000 level");
}

#[test]
fn waiting_for_memory_at_the_limit_is_an_incident() {
    let at = |ms: u64, max: u64, stalled: Option<u64>| Look {
        events: Events { max, ..Events::default() },
        stalled: stalled.map(Micros),
        reclaimable: Bytes::mib(400),
        ..look(ms, 1000)
    };
    let run = |stalled: fn(u64) -> Option<u64>, max: fn(u64) -> u64| {
        let mut watch = Watch::default();
        (0..20).find_map(|s| watch.observe(&at(1000 * s, max(s), stalled(s))))
    };
    assert!(
        matches!(run(|s| Some(s * 250_000), |s| s), Some(Change::Began(i)) if i.reason == Reason::Stalled)
    );
    assert_eq!(run(|s| Some(s * 100_000), |s| s), None, "a tenth of the time");
    assert_eq!(run(|s| Some(s * 250_000), |_| 7), None, "waiting for the machine's memory, not at the limit");
    assert_eq!(run(|_| None, |s| s), None, "reading files in a full cache hits the limit all the time");
}

#[test]
fn a_kill_beside_us_counts_and_those_before_our_time_do_not() {
    let with = |ms, oom_kill| Look { events: Events { oom_kill, ..Events::default() }, ..look(ms, 100) };
    let mut watch = Watch::default();
    assert_eq!(watch.observe(&with(0, 5)), None);
    assert_eq!(watch.observe(&with(1000, 5)), None);
    assert_eq!(told(2, watch.observe(&with(2000, 6))).as_deref(), Some("2 oom"));
}

#[test]
fn the_nearer_the_limit_the_closer_the_looks() {
    let mut watch = Watch::default();
    watch.observe(&look(0, 100));
    assert_eq!(watch.next(), USUAL);
    watch.observe(&look(1000, 200));
    assert_eq!(watch.next(), USUAL, "8 s are left");
    watch.observe(&look(2000, 600));
    assert_eq!(watch.next(), Duration::from_millis(125), "1 s is left");
    watch.observe(&look(2125, 999));
    assert_eq!(watch.next(), CLOSEST);
    watch.observe(&look(2150, 999));
    assert_eq!(watch.next(), NEAR);
    watch.no_limit();
    assert_eq!((watch.next(), watch.is_in_danger()), (WITHOUT_LIMIT, false));
}

/// The same rules, written down from the whole history at each look.
struct Naive {
    history: Vec<Look>,
    incident: Option<Reason>,
    calm: Vec<(Micros, bool)>,
    captures: Vec<Micros>,
}

impl Naive {
    fn observe(&mut self, now: Look) -> Option<Change> {
        let mut kept: Vec<Look> = Vec::new();
        for look in &self.history {
            if kept.last().is_none_or(|last| look.at.0 - last.at.0 >= 100_000) {
                kept.push(*look);
            }
        }
        let start = kept.iter().rposition(|look| look.at.0 + 5_000_000 <= now.at.0).unwrap_or(0);
        let peak = kept[..start].iter().map(|look| look.held().0).max().unwrap_or(0);
        let window = &kept[start.min(kept.len())..];
        let risk = self.risk(window, peak, &now);
        let calm = risk.is_none() && now.held().0 as f64 / (now.limit.0 as f64) < 0.85;
        let change = match (self.incident, risk) {
            (None, Some(reason)) => {
                let capture = self.captures.last().is_none_or(|at| now.at.0 - at.0 >= 600_000_000);
                self.captures.extend(capture.then_some(now.at));
                self.incident = Some(reason);
                self.calm.clear();
                Some(Change::Began(Incident { reason, look: now, capture }))
            }
            (None, None) => None,
            (Some(reason), _) => {
                self.calm.push((now.at, calm));
                let run: Vec<_> = self.calm.iter().rev().take_while(|(_, calm)| *calm).collect();
                let over = run.last().is_some_and(|(since, _)| now.at.0 - since.0 >= 60_000_000);
                over.then(|| {
                    self.incident = None;
                    Change::Ended(reason)
                })
            }
        };
        self.history.push(now);
        change
    }

    fn risk(&self, window: &[Look], peak: u64, now: &Look) -> Option<Reason> {
        let share = now.held().0 as f64 / now.limit.0 as f64;
        if let Some(last) = self.history.last()
            && (now.events.oom > last.events.oom || now.events.oom_kill > last.events.oom_kill)
        {
            return Some(Reason::Oom);
        }
        if share >= 0.92 {
            return Some(Reason::Level);
        }
        let first = window.first()?;
        let span = now.at.0 - first.at.0;
        if span < 1_500_000 {
            return None;
        }
        let middle = window.iter().rfind(|look| look.at.0 <= first.at.0 + span / 2)?;
        let pace = |a: &Look, b: &Look| {
            let seconds = (b.at.0 - a.at.0) as f64 / 1e6;
            (seconds > 0.0).then(|| (b.held().0 as f64 - a.held().0 as f64) / seconds)
        };
        if let (Some(a), Some(b)) = (pace(first, middle), pace(middle, now))
            && share >= 0.7
            && now.held().0 > peak
            && (now.limit.0.saturating_sub(now.held().0)) as f64 <= a.min(b) * 15.0
        {
            return Some(Reason::Pace);
        }
        let (before, after) = (first.stalled?, now.stalled?);
        let waited = after.0.saturating_sub(before.0) as f64;
        (now.events.max > first.events.max && waited >= 0.2 * span as f64).then_some(Reason::Stalled)
    }
}

/// A walk of looks: time passes, usage drifts, counters rise now and then.
fn walk() -> impl Strategy<Value = Vec<Look>> {
    let step = (
        prop_oneof![20..300u64, 900..1100u64, 5000..20_000u64],
        prop_oneof![4 => -8i64..30, 1 => -600i64..600],
        0..3u64,
        prop_oneof![9 => Just(0u64), 1 => Just(1u64)],
        prop_oneof![Just(None), (0..400u64).prop_map(Some)],
        prop_oneof![3 => Just(0u64), 1 => 0..200u64],
    );
    prop::collection::vec(step, 1..250).prop_map(|steps| {
        let (mut at, mut mib, mut events, mut stalled) = (0, 400i64, Events::default(), 0);
        let walk = steps.into_iter().map(|(ms, more, max, kills, waits, cache)| {
            at += ms * 1000;
            mib = (mib + more).clamp(0, 1000);
            events.max += max;
            events.oom_kill += kills * u64::from(more > 25);
            stalled += waits.unwrap_or(0) * ms;
            Look {
                at: Micros(at),
                used: Bytes::mib(mib as u64),
                reclaimable: Bytes::mib(cache),
                limit: Bytes(LIMIT),
                events,
                stalled: waits.map(|_| Micros(stalled)),
            }
        });
        walk.collect()
    })
}

proptest! {
    #[test]
    fn it_says_what_the_naive_one_says(walk in walk()) {
        let mut watch = Watch::default();
        let mut naive = Naive { history: Vec::new(), incident: None, calm: Vec::new(), captures: Vec::new() };
        let capacity = watch.kept.capacity();
        for look in walk {
            prop_assert_eq!(watch.observe(&look), naive.observe(look));
            prop_assert_eq!(watch.kept.capacity(), capacity, "nothing grows");
            prop_assert!(watch.next() >= CLOSEST && watch.next() <= USUAL);
            prop_assert_eq!(watch.is_in_danger(), naive.incident.is_some());
        }
    }
}
