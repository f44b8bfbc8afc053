use super::*;
use crate::verdict::{Evidence, Status};
use proptest::prelude::*;

const MIB: u64 = Bytes::MIB;

fn suspicion(kind: Kind, seen: u64) -> Confirmation {
    let evidence = Evidence { first_floor_bytes: MIB, last_floor_bytes: MIB + seen, ..Evidence::default() };
    let verdict = Verdict { status: Status::Suspect, kind, evidence, ..Verdict::default() };
    Confirmation::of(&verdict).expect("memory that can be looked at")
}

fn group(name: &str, size: u64) -> Group {
    Group { constructor_name: name.into(), holder: "held of Map".into(), count: 1, size: Bytes(size) }
}

/// A look at minute `at`; sizes in KiB.
fn look(at: u64, heap: u64, groups: &[(&str, u64)]) -> Look {
    let groups = groups.iter().map(|&(name, size)| group(name, size << 10));
    Look::new(UnixMillis(at * 60_000), Bytes(heap << 10), Bytes(0), groups)
}

/// The answers to looks in turn.
fn answers<const N: usize>(looks: [Look; N]) -> Vec<String> {
    let mut known = suspicion(Kind::Heap, 0);
    let name = |answer| match answer {
        Answer::Confirmed(by) => format!("{} in {}", by.constructor_name, by.captures),
        Answer::NotYet => "not yet".into(),
        Answer::Refuted => "refuted".into(),
    };
    looks.into_iter().map(|look| name(known.add(look, None))).collect()
}

#[test]
fn what_grows_in_step_over_three_looks_is_confirmed() {
    let looks = [
        look(0, 20_000, &[("Session", 1_000), ("Cache", 9_000)]),
        look(1, 24_000, &[("Session", 4_000), ("Cache", 9_000)]),
        look(2, 28_000, &[("Session", 7_000), ("Cache", 9_100)]),
    ];
    assert_eq!(answers(looks.clone()), ["not yet", "not yet", "Session in 3"]);
    let mut known = suspicion(Kind::Heap, 0);
    let [.., last] = looks.map(|look| known.add(look, None));
    let Answer::Confirmed(by) = last else { panic!("{last:?}") };
    assert_eq!((by.holder.as_str(), by.growth_bytes_per_second), ("held of Map", 6_000.0 * 1024.0 / 120.0));
}

#[test]
fn growth_of_many_things_is_refuted() {
    let all = ["A", "B", "C", "D", "E"];
    let at = |at: u64| look(at, 20_000 + 4_000 * at, &all.map(|name| (name, 800 * at)));
    assert_eq!(answers([at(0), at(1), at(2)]), ["not yet", "not yet", "refuted"]);
}

#[test]
fn what_grew_once_is_refuted() {
    let looks = [
        look(0, 20_000, &[("Filled", 0), ("A", 0)]),
        look(1, 24_000, &[("Filled", 4_000), ("A", 0)]),
        look(2, 28_000, &[("Filled", 4_000), ("A", 4_000)]),
    ];
    assert_eq!(answers(looks), ["not yet", "not yet", "refuted"]);
}

#[test]
fn a_share_that_changes_is_not_in_step_and_gets_one_more_look() {
    let at = |at: u64, heap, size| look(at, heap, &[("A", size)]);
    let looks = [at(0, 20_000, 0), at(1, 24_000, 1_000), at(2, 28_000, 4_500)];
    assert_eq!(answers(looks.clone()), ["not yet", "not yet", "not yet"]);
    let [a, b, c] = looks;
    assert_eq!(answers([a.clone(), b.clone(), c.clone(), at(3, 32_000, 8_000)])[3], "A in 4");
    assert_eq!(answers([a, b, c, at(3, 36_000, 4_600)])[3], "refuted", "four are enough");
}

#[test]
fn growth_that_dies_out_is_not_confirmed() {
    let at = |at: u64, size| look(at, 20_000 + size, &[("Cache", size)]);
    assert_eq!(answers([at(0, 0), at(1, 4_000), at(9, 8_000)])[2], "not yet");
    assert_eq!(answers([at(0, 0), at(1, 4_000), at(4, 8_000)])[2], "Cache in 3");
}

#[test]
fn a_look_without_a_step_does_not_count_and_one_after_a_fall_begins_anew() {
    let at = |at: u64, size| look(at, 20_000 + size, &[("A", size)]);
    let looks = [at(0, 0), at(1, 500), at(2, 2_000), at(3, 4_000)];
    assert_eq!(answers(looks), ["not yet", "not yet", "not yet", "A in 3"]);
    let looks = [at(0, 9_000), at(1, 0), at(2, 2_000), at(3, 4_000)];
    assert_eq!(answers(looks), ["not yet", "not yet", "not yet", "A in 3"]);
}

#[test]
fn a_look_is_due_at_once_and_after_each_step() {
    let mut known = suspicion(Kind::Heap, 0);
    assert!(known.is_due(None), "also before any major collection");
    known.add(look(0, 10 << 10, &[]), None);
    assert!(!known.is_due(None) && !known.is_due(Some(Bytes(11 * MIB - 1))));
    assert!(known.is_due(Some(Bytes(11 * MIB))));
    let mut large = suspicion(Kind::Heap, 0);
    large.add(look(0, 1, &[]), Some(Bytes(1000 * MIB)));
    assert!(!large.is_due(Some(Bytes(1019 * MIB))) && large.is_due(Some(Bytes(1020 * MIB))));
    let mut seen = suspicion(Kind::Heap, 30 * MIB);
    seen.add(look(0, 10 << 10, &[]), None);
    assert!(!seen.is_due(Some(Bytes(24 * MIB))) && seen.is_due(Some(Bytes(25 * MIB))));
}

#[test]
fn buffers_are_held_against_what_is_outside_the_heap() {
    let mut known = suspicion(Kind::External, 0);
    let mut at = |at: u64| {
        let outside = Bytes((10 + 2 * at) * MIB);
        known
            .add(Look::new(UnixMillis(at * 1000), Bytes(MIB), outside, [group("Buffer", 2 * at * MIB)]), None)
    };
    assert_eq!((at(0), at(1)), (Answer::NotYet, Answer::NotYet));
    assert!(matches!(at(2), Answer::Confirmed(_)));
    let native = Verdict { status: Status::Suspect, kind: Kind::Native, ..Verdict::default() };
    assert!(Confirmation::of(&native).is_none(), "nothing on the heap to see");
}

#[test]
fn a_look_keeps_the_largest_groups_and_makes_one_of_those_alike() {
    let names: Vec<String> = (0..40).map(|i| format!("Class{i}")).collect();
    let groups = names.iter().zip(1..).map(|(name, size)| group(name, size));
    let look = Look::new(UnixMillis(0), Bytes(0), Bytes(0), groups.chain([group("Class0", 99)]));
    assert_eq!(look.groups().len(), MOST_GROUPS);
    assert_eq!((look.groups()[0].size, look.groups()[0].count), (Bytes(100), 2));
    assert_eq!(
        look.size_of(&group("Class3", 0)),
        look.groups()[MOST_GROUPS - 1].size.0,
        "no more than the smallest"
    );
    let long = Look::new(UnixMillis(0), Bytes(0), Bytes(0), [group(&"ä".repeat(9_999), 1)]);
    assert_eq!(long.groups()[0].constructor_name.chars().count(), NAME);
}

/// The rule, said plainly, for three looks of which each is a step after the one before.
fn holds(looks: &[Look], group: &Group) -> bool {
    let size = |i: usize| looks[i].size_of(group) as f64;
    let grown = [size(1) - size(0), size(2) - size(1)];
    let risen = [1, 2].map(|i| (looks[i].heap.0 - looks[i - 1].heap.0) as f64);
    let share = [grown[0] / risen[0], grown[1] / risen[1]];
    let rate = [0, 1].map(|i| grown[i] / (looks[i + 1].at.0 - looks[i].at.0) as f64);
    grown[0] > 0.0
        && grown[1] > 0.0
        && grown[0] + grown[1] >= 0.25 * (risen[0] + risen[1])
        && share[0] <= 3.0 * share[1]
        && share[1] <= 3.0 * share[0]
        && rate[0] <= 4.0 * rate[1]
}

fn three_looks() -> impl Strategy<Value = Vec<Look>> {
    let one = (1u64..6, 1024u64..6_000, prop::collection::vec((0u8..6, 0u64..8_000), 0..6));
    prop::collection::vec(one, 3).prop_map(|all| {
        let (mut at, mut heap) = (0, 20_000);
        all.into_iter()
            .map(|(later, risen, groups)| {
                at += later;
                heap += risen;
                let names: Vec<String> = groups.iter().map(|(name, _)| name.to_string()).collect();
                let sizes = groups.iter().map(|&(_, size)| size);
                look(at, heap, &names.iter().map(String::as_str).zip(sizes).collect::<Vec<_>>())
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn three_looks_say_what_the_rule_says(looks in three_looks()) {
        let mut known = suspicion(Kind::Heap, 0);
        let answers: Vec<Answer> = looks.iter().map(|look| known.add(look.clone(), None)).collect();
        prop_assert_eq!(&answers[..2], &[Answer::NotYet, Answer::NotYet]);
        let named = looks[2].groups().iter().find(|group| holds(&looks, group));
        match &answers[2] {
            Answer::Confirmed(by) => {
                prop_assert_eq!(Some(&by.constructor_name), named.map(|group| &group.constructor_name));
            }
            _ => prop_assert!(named.is_none(), "{named:?}"),
        }
    }

    #[test]
    fn looks_without_end_take_no_memory_and_end(sizes in prop::collection::vec(0u64..100_000, 1..40)) {
        let mut known = suspicion(Kind::Heap, 0);
        for (at, size) in (0..).zip(sizes) {
            let answer = known.add(look(at, 20_000 + size, &[("A", size)]), None);
            prop_assert!(known.looks.len() <= MOST_LOOKS);
            prop_assert!(at + 1 < MOST_LOOKS as u64 || answer != Answer::NotYet);
        }
    }
}

proptest! {
    #[test]
    fn a_look_is_the_same_through_json(
        at in 0u64..253_402_300_799_999,
        heap in any::<u64>(),
        groups in prop::collection::vec((".{0,300}", ".{0,300}", any::<u64>(), any::<u64>()), 0..50),
    ) {
        let groups = groups.into_iter().map(|(constructor_name, holder, count, size)| Group {
            constructor_name,
            holder,
            count,
            size: Bytes(size),
        });
        let look = Look::new(UnixMillis(at), Bytes(heap), Bytes(heap / 3), groups);
        let json = serde_json::to_string(&look).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<Look>(&json).expect("a look"), look);
    }

    #[test]
    fn what_is_no_look_is_an_error(cut in 0usize..400, text in "[-0-9a-z\"\\[\\]{},:]{0,6}") {
        let look = look(7, 9, &[("Session", 4), ("Cache", 2)]);
        let json = serde_json::to_string(&look).expect("JSON");
        let (start, end) = json.split_at(cut.min(json.len()));
        // Whatever it is, it is judged by the same bounds.
        if let Ok(found) = serde_json::from_str::<Look>(&format!("{start}{text}{end}")) {
            prop_assert!(found.groups().len() <= MOST_GROUPS);
        }
        prop_assert!(cut >= json.len() || serde_json::from_str::<Look>(start).is_err());
    }
}

#[test]
fn a_look_with_more_groups_than_a_look_has_is_refused() {
    let group = serde_json::to_string(&group("A", 1)).expect("JSON");
    let with = |count: usize| {
        let groups = vec![group.as_str(); count].join(",");
        format!(r#"{{"at":"2026-11-21T03:49:00.120Z","heap":1,"outside":2,"groups":[{groups}]}}"#)
    };
    let one: Look = serde_json::from_str(&with(MOST_GROUPS)).expect("as many as there may be");
    assert_eq!(
        (one.groups().len(), one.groups()[0].count),
        (1, MOST_GROUPS as u64),
        "of one class and holder"
    );
    let error = serde_json::from_str::<Look>(&with(MOST_GROUPS + 1)).expect_err("too many").to_string();
    assert!(error.starts_with("expected at most 32 groups in a look, found 33"), "{error}");
}
