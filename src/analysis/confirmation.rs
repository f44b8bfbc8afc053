//! The rule of three snapshots: of the culprits since the baseline, those lead that went on growing until another look.
//!
//! A cache that filled once keeps what it took, and may well be larger than the leak. Between two looks at a live leak it stands still.
//! The second look costs a graph and some time, so that it is taken only where the first leaves room for doubt.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::culprits::{Culprit, Pattern};

/// A first culprit that keeps less than this share of the floor's growth does not explain it.
const LEAST_EXPLAINED: f64 = 0.5;
/// One that keeps more than so many times what the floor has grown since the baseline, at its rate, grew in another way than the floor.
const MOST_EXPLAINED: f64 = 2.0;
/// A second culprit that keeps more than this share of what the first keeps may as well be the first.
const MOST_OF_FIRST: f64 = 0.7;
/// What went on growing grew at least at this share of its pace before.
const LEAST_PACE: f64 = 0.25;
/// What grew by less than this share of what the floor's rate gives between the looks is not what the floor grows by.
const LEAST_OF_FLOOR: f64 = 0.1;
/// Of what should have become fewer more than that by now, nothing can be said yet.
const LEAST_EXPECTED: f64 = 4.0;

/// What the counters say of the growth.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FloorGrowth {
    /// Over the verdict's window.
    pub bytes: f64,
    /// Its slope.
    pub bytes_per_second: f64,
    /// From the baseline to the look.
    pub since_baseline_ms: f64,
    /// The class that looks at the suspicion have confirmed, by the same rule.
    pub confirmed: Option<String>,
}

/// Why `culprits` do not tell who is to blame for `floor`; nothing where they do, or where there are none.
pub fn ambiguity(culprits: &[Culprit], floor: &FloorGrowth) -> Option<String> {
    let first = culprits.first()?;
    let name = &first.constructor_name;
    if let Some(confirmed) = &floor.confirmed {
        return (confirmed != name).then(|| {
            format!("earlier looks saw {confirmed} grow with the floor, but {name} has grown more since the baseline")
        });
    }
    if first.pattern == Pattern::Unknown {
        return Some(format!("what keeps {name}, the largest growth, fits no known pattern"));
    }
    let kept = first.retained_size_delta as f64;
    if floor.bytes > 0.0 && kept < LEAST_EXPLAINED * floor.bytes {
        return Some(format!("{name} explains {:.0} % of the floor's growth", 100.0 * kept / floor.bytes));
    }
    let expected = floor.bytes_per_second * floor.since_baseline_ms / 1e3;
    if expected > 0.0 && kept > MOST_EXPLAINED * expected {
        let times = kept / expected;
        return Some(format!("{name} keeps {times:.1} times what the floor's rate gives since the baseline"));
    }
    let second = culprits.get(1)?;
    let share = second.retained_size_delta as f64 / kept.max(1.0);
    (share > MOST_OF_FIRST)
        .then(|| format!("{} keeps {:.0} % of what {name} keeps", second.constructor_name, 100.0 * share))
}

/// What a culprit did between the two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It went on growing, in proportion.
    Grew,
    /// It grows too slowly for the time between the looks to tell.
    Unclear,
    /// It was not among those of the first look.
    New,
    /// It went on growing, but by far too little to be what the floor grows by.
    Little,
    /// It did not grow, or far less than before.
    Stood,
    /// It is no longer among the culprits.
    Gone,
}

/// What was decided of one culprit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Of the culprit.
    pub fingerprint: String,
    /// Its class.
    pub constructor_name: String,
    /// What it did.
    pub outcome: Outcome,
    /// What it kept at the first look, since the baseline.
    pub first_bytes: i64,
    /// The same at the second look.
    pub second_bytes: i64,
}

/// The times of the looks, and what the floor grew by meanwhile.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spans {
    /// From the baseline to the first look.
    pub before_ms: f64,
    /// From there to the second.
    pub between_ms: f64,
    /// The slope of the floor by the verdict; zero where it is not known, and then whatever grew leads.
    #[serde(default)]
    pub floor_bytes_per_second: f64,
}

/// The culprits of the second look, those in front that grew again, and what was decided of each.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmed {
    /// As the second look found them.
    pub culprits: Vec<Culprit>,
    /// In their order; those that are gone come last.
    pub decisions: Vec<Decision>,
}

/// Count and bytes of all culprits with one fingerprint.
#[derive(Default, Clone, Copy)]
struct Kept {
    count: f64,
    bytes: f64,
}

/// Holds the culprits of a second look against those of the first; both since one baseline, largest first.
pub fn confirmed(first: &[Culprit], mut second: Vec<Culprit>, spans: Spans) -> Confirmed {
    let (then, now) = (by_fingerprint(first), by_fingerprint(&second));
    let outcome = |culprit: &Culprit| {
        let key = culprit.fingerprint.as_str();
        then.get(key).map_or(Outcome::New, |&then| outcome(then, now[key], spans))
    };
    let mut decided: HashMap<String, Outcome> = HashMap::new();
    for culprit in &second {
        decided.insert(culprit.fingerprint.clone(), outcome(culprit));
    }
    let bytes = |kept: &HashMap<&str, Kept>, culprit: &Culprit| {
        kept.get(culprit.fingerprint.as_str()).map_or(0, |kept| kept.bytes as i64)
    };
    let decision = |culprit: &Culprit, outcome| Decision {
        fingerprint: culprit.fingerprint.clone(),
        constructor_name: culprit.constructor_name.clone(),
        outcome,
        first_bytes: bytes(&then, culprit),
        second_bytes: bytes(&now, culprit),
    };
    let mut told: Vec<Decision> = Vec::new();
    let mut tell = |next: Decision| {
        if told.iter().all(|other| other.fingerprint != next.fingerprint) {
            told.push(next);
        }
    };
    let mut order: Vec<&Culprit> = second.iter().collect();
    order.sort_by_key(|culprit| place(decided[&culprit.fingerprint]));
    order.iter().for_each(|culprit| tell(decision(culprit, decided[&culprit.fingerprint])));
    first
        .iter()
        .filter(|culprit| !decided.contains_key(&culprit.fingerprint))
        .for_each(|culprit| tell(decision(culprit, Outcome::Gone)));
    // Stable: among those that did alike, the largest stays first.
    second.sort_by_key(|culprit| place(decided[&culprit.fingerprint]));
    Confirmed { culprits: second, decisions: told }
}

fn place(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Grew => 0,
        Outcome::Unclear | Outcome::New => 1,
        Outcome::Little | Outcome::Stood | Outcome::Gone => 2,
    }
}

fn outcome(then: Kept, now: Kept, spans: Spans) -> Outcome {
    let share = spans.between_ms.max(0.0) / spans.before_ms.max(1.0);
    let unit = then.bytes / then.count.max(1.0);
    let grown = now.bytes - then.bytes;
    // A large share of one unit: of texts that grow there is one.
    let least = if then.count > 1.0 { unit } else { 1.0 };
    if grown >= least && grown >= LEAST_PACE * share * then.bytes {
        let floor = spans.floor_bytes_per_second.max(0.0) * spans.between_ms.max(0.0) / 1e3;
        if grown >= LEAST_OF_FLOOR * floor { Outcome::Grew } else { Outcome::Little }
    } else if share * then.count < LEAST_EXPECTED {
        Outcome::Unclear
    } else {
        Outcome::Stood
    }
}

fn by_fingerprint(culprits: &[Culprit]) -> HashMap<&str, Kept> {
    let mut all: HashMap<&str, Kept> = HashMap::new();
    for culprit in culprits {
        let kept = all.entry(&culprit.fingerprint).or_default();
        kept.count += culprit.count_delta.max(0) as f64;
        kept.bytes += culprit.retained_size_delta.max(0) as f64;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn culprit(name: &str, count: i64, bytes: i64) -> Culprit {
        Culprit {
            constructor_name: name.into(),
            properties: Vec::new(),
            pattern: Pattern::Collection,
            count_delta: count,
            size_delta: bytes,
            retained_size_delta: bytes,
            holder: None,
            retainer_path: Vec::new(),
            location: None,
            advice: String::new(),
            fingerprint: format!("of {name}"),
        }
    }

    const MINUTE: Spans = Spans { before_ms: 600_000.0, between_ms: 60_000.0, floor_bytes_per_second: 0.0 };

    fn outcomes(confirmed: &Confirmed) -> Vec<(&str, Outcome)> {
        confirmed.decisions.iter().map(|d| (d.constructor_name.as_str(), d.outcome)).collect()
    }

    #[test]
    fn a_cache_that_filled_once_makes_way_for_the_leak_behind_it() {
        let first = [culprit("Page", 9000, 40_000_000), culprit("Session", 1000, 10_000_000)];
        let second = vec![culprit("Page", 9001, 40_004_000), culprit("Session", 1100, 11_000_000)];
        let told = confirmed(&first, second, MINUTE);
        assert_eq!(outcomes(&told), [("Session", Outcome::Grew), ("Page", Outcome::Stood)]);
        let names: Vec<_> = told.culprits.iter().map(|c| c.constructor_name.as_str()).collect();
        assert_eq!(names, ["Session", "Page"]);
        assert_eq!((told.decisions[0].first_bytes, told.decisions[0].second_bytes), (10_000_000, 11_000_000));
    }

    #[test]
    fn what_is_gone_is_dropped_and_what_came_is_not_in_front_of_what_grew() {
        let first = [culprit("Burst", 500, 5_000_000), culprit("Session", 100, 1_000_000)];
        let second = vec![culprit("Fresh", 900, 9_000_000), culprit("Session", 112, 1_120_000)];
        let told = confirmed(&first, second, MINUTE);
        assert_eq!(
            outcomes(&told),
            [("Session", Outcome::Grew), ("Fresh", Outcome::New), ("Burst", Outcome::Gone)]
        );
        assert_eq!(told.culprits.len(), 2);
    }

    #[test]
    fn a_trickle_does_not_go_before_a_large_finding_that_paused() {
        let first = [culprit("Order", 9000, 40_000_000), culprit("LogLine", 100, 20_000)];
        let second = vec![culprit("Order", 9000, 40_000_000), culprit("LogLine", 110, 22_000)];
        let floor = Spans { floor_bytes_per_second: 60_000.0, ..MINUTE };
        let told = confirmed(&first, second.clone(), floor);
        assert_eq!(outcomes(&told), [("Order", Outcome::Stood), ("LogLine", Outcome::Little)]);
        assert_eq!(told.culprits[0].constructor_name, "Order");
        let told = confirmed(&first, second, MINUTE);
        assert_eq!(outcomes(&told)[0], ("LogLine", Outcome::Grew), "of a floor that nobody knows");
    }

    #[test]
    fn of_what_grows_slower_than_the_looks_can_see_nothing_is_said() {
        let slow = Spans { before_ms: 86_400_000.0, ..MINUTE };
        let at = |count, bytes| vec![culprit("Job", count, bytes)];
        let outcome = |first: &[Culprit], second| confirmed(first, second, slow).decisions[0].outcome;
        assert_eq!(outcome(&at(1000, 1_000_000), at(1000, 1_000_000)), Outcome::Unclear);
        assert_eq!(outcome(&at(1000, 1_000_000), at(1002, 1_002_000)), Outcome::Grew);
        assert_eq!(outcome(&at(100_000, 1_000_000), at(100_000, 1_000_000)), Outcome::Stood);
        assert_eq!(outcome(&at(1, 1_000_000), at(1, 1_009_000)), Outcome::Grew, "one text, longer");
        assert_eq!(outcome(&at(1, 1_000_000), at(1, 1_000_000)), Outcome::Unclear);
    }

    #[test]
    fn findings_of_one_fingerprint_are_judged_together() {
        let pair = |a, b| vec![culprit("Row", 100, a), culprit("Row", 100, b)];
        let told = confirmed(&pair(400_000, 400_000), pair(600_000, 300_000), MINUTE);
        assert_eq!(outcomes(&told), [("Row", Outcome::Grew)]);
        assert_eq!(told.culprits.len(), 2);
    }

    #[test]
    fn a_clear_first_culprit_needs_no_second_look() {
        let floor = FloorGrowth {
            bytes: 10e6,
            bytes_per_second: 20e3,
            since_baseline_ms: 600_000.0,
            confirmed: None,
        };
        let why = |culprits: &[Culprit]| ambiguity(culprits, &floor).unwrap_or_default();
        assert_eq!(why(&[]), "");
        assert_eq!(why(&[culprit("Session", 10, 12_000_000), culprit("Other", 10, 8_000_000)]), "");
        assert_eq!(why(&[culprit("Session", 10, 4_900_000)]), "Session explains 49 % of the floor's growth");
        assert_eq!(
            why(&[culprit("Session", 10, 10_000_000), culprit("Other", 10, 7_100_000)]),
            "Other keeps 71 % of what Session keeps"
        );
        assert_eq!(
            why(&[culprit("Page", 10, 36_000_000), culprit("Session", 10, 9_000_000)]),
            "Page keeps 3.0 times what the floor's rate gives since the baseline"
        );
        let unknown = Culprit { pattern: Pattern::Unknown, ..culprit("TCP", 10, 12_000_000) };
        assert!(why(&[unknown]).contains("no known pattern"));
    }

    #[test]
    fn what_looks_have_confirmed_already_is_not_asked_again() {
        let floor = FloorGrowth { bytes: 1e9, confirmed: Some("Session".into()), ..FloorGrowth::default() };
        let session = Culprit { pattern: Pattern::Unknown, ..culprit("Session", 1, 1) };
        assert_eq!(ambiguity(&[session], &floor), None);
        let why = ambiguity(&[culprit("Page", 1, 1)], &floor).expect("another");
        assert!(why.starts_with("earlier looks saw Session grow"), "{why}");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_made_up_and_what_stood_is_never_before_what_grew(
            first in prop::collection::vec((0..6u8, 0..1000i64, -5..1_000_000i64), 0..8),
            second in prop::collection::vec((0..6u8, 0..1000i64, -5..1_000_000i64), 0..8),
            before_ms in 0.0..1e7f64,
            between_ms in 0.0..1e6f64,
            floor_bytes_per_second in 0.0..1e5f64,
        ) {
            let all = |of: &[(u8, i64, i64)]| -> Vec<Culprit> {
                of.iter().map(|&(name, count, bytes)| culprit(&name.to_string(), count, bytes)).collect()
            };
            let told = confirmed(&all(&first), all(&second), Spans { before_ms, between_ms, floor_bytes_per_second });
            let sorted = |mut of: Vec<Culprit>| {
                of.sort_by_key(|c| (c.fingerprint.clone(), c.count_delta, c.retained_size_delta));
                of
            };
            prop_assert_eq!(sorted(told.culprits.clone()), sorted(all(&second)));
            let places: Vec<u8> = told.decisions.iter().map(|d| place(d.outcome)).collect();
            prop_assert!(places.is_sorted());
            let names = |of: &[(u8, i64, i64)]| of.iter().map(|x| x.0).collect::<Vec<_>>();
            let mut expected = [names(&first), names(&second)].concat();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(told.decisions.len(), expected.len());
        }
    }
}
