//! What a report says, word for word.

use super::*;
use crate::units::UnixMillis;

/// The same report that JavaScript's tests render.
const REPORT: &str = include_str!("../../__test__/golden/leak-report.json");
const TEXT: &str = include_str!("../../__test__/golden/leak-report.txt");

#[test]
fn the_golden_report_reads_as_it_did() {
    let report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    assert_eq!(render(&report), TEXT);
}

#[test]
fn a_comparison_without_object_ids_is_said_to_be_one() {
    let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    report.evidence.matched_by = Some("constructor".into());
    report.evidence.matched_by_reason = Some("object ids do not correspond: a session was closed".into());
    let text = render(&report);
    let line = "\nCounts are by class: object ids do not correspond: a session was closed\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn allocation_sites_are_one_line_each() {
    let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    let site = |function_name: &str, growth_bytes| AllocationSite {
        function_name: function_name.into(),
        location: Some(Location {
            file: "/srv/app/sessions.js".into(),
            line: 12,
            column: 3,
            ..Location::default()
        }),
        stack: Vec::new(),
        live_bytes: 2048,
        live_count: 20,
        growth_bytes,
        looks: 6,
    };
    report.allocation_sites = vec![site("open", 1536), site("", 1024), site("a", 3), site("fourth", 1)];
    let text = render(&report);
    let lines = "\nWhat stays alive was allocated by (sampled)\n   \
         open  +1.5 KB over 6 looks  /srv/app/sessions.js:12:3\n   \
         <anonymous>  +1.0 KB over 6 looks  /srv/app/sessions.js:12:3\n";
    assert!(text.contains(lines) && !text.contains("fourth"), "{text}");
}

#[test]
fn a_route_that_explains_the_growth_is_told_with_its_interval() {
    let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    let json = r#"{"leak":{"route":"GET /users/:id","bytesPerRequest":1330.4,"intervalBytesPerRequest":[1289.6,1371.2],
        "requests":12345,"share":0.97},"reason":null,"floors":60}"#;
    report.routes = Some(serde_json::from_str(json).expect("what JavaScript gives"));
    let text = render(&report);
    let line =
        "  GET /users/:id leaks 1,330 bytes per request (95 % interval 1,290 to 1,371; 97 % of the growth)\n";
    assert!(text.contains(line), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    report.routes = Some(crate::report::RouteNote { leak: None, reason: Some("few".into()), floors: 3 });
    assert!(!render(&report).contains("per request"));
}

#[test]
fn what_looks_confirmed_is_said_to_be() {
    let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    report.verdict.evidence.confirmed_by = Some(ConfirmedBy {
        constructor_name: "Session".into(),
        holder: "sessions of Map".into(),
        captures: 3,
        growth_bytes_per_second: 1024.0,
    });
    let line = "  confirmed by 3 looks at the heap: Session grew with the floor, by 60.0 KB a minute\n";
    assert!(render(&report).contains(line));
}

#[test]
fn a_known_leak_of_a_package_is_said_to_be_one() {
    let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    let first = &mut report.culprits[0];
    first.culprit.fingerprint = "0123456789abcdef".into();
    first.culprit.location = Some(Location {
        file: "/app/src/common.ts".into(),
        line: 3,
        column: 5,
        generated: None,
        package: Some("debug@4.1.1".into()),
    });
    first.first_seen = Some(UnixMillis(1_763_700_000_000));
    first.known = Some(KnownLeak {
        package: "debug".into(),
        version: Some("4.1.1".into()),
        fixed_in: Some("4.3.0".into()),
        reference: "debug-js/debug#678".into(),
    });
    let text = render(&report);
    for line in [
        "   declared    /app/src/common.ts:3:5  (debug@4.1.1)\n",
        "   known       debug@4.1.1, fixed in 4.3.0 (debug-js/debug#678)\n",
        "   fingerprint 0123456789abcdef, first seen 2025-11-21T04:40:00.000Z\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn functions_of_node_are_folded() {
    let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    let step = |edge: &str, file: &str| PathStep {
        name: "(closure) f".into(),
        edge: edge.into(),
        location: Some(Location { file: file.into(), line: 1, column: 1, ..Location::default() }),
    };
    report.culprits.truncate(1);
    report.culprits[0].culprit.retainer_path = vec![
        step("a", "node:events"),
        step("b", "node:internal/timers"),
        step("jobs", "/app/queue.js"),
        step("c", "node:net"),
    ];
    let text = render(&report);
    let held = "   held by     (2 steps in Node's own code)\n               jobs of (closure) f  /app/queue.js:1:1\n               (1 step in Node's own code)\n";
    assert!(text.contains(held), "{text}");
}

#[test]
fn who_piles_up_where_is_the_first_line() {
    let report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    let told = |class: &str, count, holder: Option<Holder>| {
        let first = &report.culprits[0].culprit;
        claim(&Culprit { constructor_name: class.into(), count_delta: count, holder, ..first.clone() })
    };
    let holder = |event: Option<&str>| Holder {
        constructor_name: "Map".into(),
        name: Some("sessions".into()),
        event: event.map(str::to_owned),
        location: Some(Location {
            file: "/srv/app/server.js".into(),
            line: 12,
            column: 7,
            ..Location::default()
        }),
    };
    assert_eq!(
        told("Session", 40_000, Some(holder(None))),
        "40,000 Session objects pile up in Map `sessions` (server.js:12)"
    );
    assert_eq!(
        told("(closure) onClose", 2, Some(holder(Some("close")))),
        "2 functions `onClose` pile up in Map `sessions`, event `close` (server.js:12)"
    );
    assert_eq!(told("(closure) <anonymous>", 3, None), "3 functions without a name pile up");
    assert_eq!(told("(string)", 1, None), "1 string grows");
}

fn looked_again(reason: Option<&str>, outcome: Outcome) -> String {
    let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    report.culprits.truncate(1);
    report.culprits[0].culprit.fingerprint = "0123456789abcdef".into();
    let decision = Decision {
        fingerprint: "0123456789abcdef".into(),
        constructor_name: "RequestRecord".into(),
        outcome,
        first_bytes: 1,
        second_bytes: 2,
    };
    report.evidence.confirmation = Some(crate::report::Confirmation {
        why: "Page keeps 90 % of what Session keeps".into(),
        reason: reason.map(str::to_owned),
        at: reason.is_none().then_some(UnixMillis(0)),
        after_ms: reason.is_none().then_some(60_000),
        decisions: if reason.is_none() { vec![decision] } else { Vec::new() },
    });
    // Where lines break is not the point.
    render(&report).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_a_second_look_decided_is_said() {
    let grew = looked_again(None, Outcome::Grew);
    assert!(grew.contains("looked at once more after 60.0 s, because Page keeps 90 %"), "{grew}");
    assert!(
        grew.contains("what went on growing is named first")
            && grew.contains("again went on growing, 1 B -> 2 B declared"),
        "{grew}"
    );
    let stood = looked_again(None, Outcome::Stood);
    assert!(
        stood.contains("nothing that was named went on growing")
            && stood.contains("again stood still, 1 B -> 2 B"),
        "{stood}"
    );
    let none = looked_again(Some("the limit is too near"), Outcome::Grew);
    assert!(
        none.contains("no second look was taken: the limit is too near") && !none.contains("again"),
        "{none}"
    );
}

#[test]
fn what_looks_have_cost_is_the_last_line() {
    let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    let rung = |rung: &str, mode: &str, peak: Option<u64>| crate::report::Rung {
        rung: rung.into(),
        mode: mode.into(),
        at: UnixMillis(0),
        pause_ms: 4.0,
        duration_ms: 300.0,
        cpu_ms: peak.map(|_| 250.0),
        peak_bytes: peak,
        why: String::new(),
    };
    report.pause_ms = 8.4;
    report.evidence.ladder = vec![
        rung("counters", "inline", None),
        rung("graph", "clone", Some(50 << 20)),
        rung("graph", "inline", None),
    ];
    let text = render(&report);
    let line = "paused 8 ms by 2 looks at the heap; clones: 250 ms CPU, 50.0 MB peak\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn nothing_is_wider_than_the_terminal_or_moves_its_cursor() {
    let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    for culprit in report.culprits.iter_mut().map(|reported| &mut reported.culprit) {
        culprit.constructor_name = "\u{1b}[2J\u{202e}漢字".repeat(50);
        culprit.advice = "word ".repeat(1000);
        culprit.holder = Some(Holder {
            constructor_name: "Map\n".repeat(500),
            name: Some("\u{1b}]0;title\u{7}".repeat(90)),
            event: Some("e ".repeat(5000)),
            location: Some(Location { file: "漢/".repeat(300), line: 1, column: 1, ..Location::default() }),
        });
        culprit.location =
            Some(Location {
                file: "漢".repeat(300), package: Some("p@1".repeat(99)), ..Location::default()
            });
        for step in &mut culprit.retainer_path {
            step.edge = "very_long_name".repeat(20);
        }
    }
    let text = render(&report);
    assert!(text.lines().all(|line| line.width() <= crate::report::block::WIDTH), "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{text}");
    assert!(text.lines().count() < 60, "{text}");
}

#[test]
fn a_heap_at_its_limit_is_said_to_be_and_what_it_holds_is_not_called_growth() {
    let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    report.reason = Reason::HeapLimit;
    report.heap_limit = Some(HeapLimitRecord {
        used_bytes: Bytes::mib(39),
        limit_bytes: Bytes::mib(40),
        raised_to_bytes: Bytes::mib(56),
    });
    let text = render(&report);
    let lines = "\nHEAP LIMIT: 39.0 MB in use, the limit is 40.0 MB\n  raised to 56.0 MB, so that the process can be drained\n  \
         the heap grows by";
    assert!(text.contains(lines) && text.contains("retained since the baseline"), "{text}");
    report.verdict.status = Status::WarmingUp;
    report.evidence.baseline_at = None;
    let text = render(&report);
    assert!(text.contains("\n  too early in the process's life for the counters to tell\n"), "{text}");
    assert!(text.contains("   seen        99,141, with 47.7 MB retained, 504 B each\n"), "{text}");
}

#[test]
fn what_only_grew_as_well_is_told_apart() {
    let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    report.culprits.truncate(1);
    assert!(!render(&report).contains("Grew as well"));
    let mut other = report.culprits[0].clone();
    other.culprit.fingerprint = "fedcba9876543210".into();
    report.culprits.extend([other.clone(), other.clone()]);
    let text = render(&report);
    let [first, heading, second] =
        ["\n1. ", "\nGrew as well since the baseline", "\n2. "].map(|part| text.find(part).expect("there"));
    assert!(first < heading && heading < second && text.matches("Grew as well").count() == 1, "{text}");
    // Where there was no look before, as at the heap's limit, nothing is known to have grown.
    let before = report.evidence.baseline_at.take();
    assert!(!render(&report).contains("Grew as well"));
    report.evidence.baseline_at = before;
    // A second leak that was seen to go on is no such thing.
    report.evidence.confirmation = Some(crate::report::Confirmation {
        why: "it is near".into(),
        reason: None,
        at: Some(UnixMillis(0)),
        after_ms: Some(60_000),
        decisions: vec![Decision {
            fingerprint: other.culprit.fingerprint,
            constructor_name: "RequestRecord".into(),
            outcome: Outcome::Grew,
            first_bytes: 1,
            second_bytes: 2,
        }],
    });
    assert!(!render(&report).contains("Grew as well"));
}

#[test]
fn plain_objects_are_told_by_what_they_have() {
    let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    let culprit = &mut report.culprits[0].culprit;
    culprit.constructor_name = "Object".into();
    culprit.properties = vec!["id".into(), "method".into()];
    assert!(
        claim(culprit).starts_with("99,141 Object {id, method} objects pile up in Map"),
        "{}",
        claim(culprit)
    );
    culprit.properties = (0..20).map(|i| format!("property{i}")).collect();
    let text = claim(culprit);
    assert!(
        text.starts_with("99,141 Object {property0, property1, property2, property3, ...} objects"),
        "{text}"
    );
    culprit.properties = vec!["x".repeat(400)];
    let text = render(&report);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn whoever_asked_for_allocation_sites_is_told_why_there_are_none() {
    let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
    report.allocation_sites.clear();
    report.evidence.allocation_sites_reason = Some(SITES_OFF.into());
    assert!(!render(&report).contains("Where it was allocated"));
    report.evidence.allocation_sites_reason = Some("too few looks".into());
    assert!(render(&report).contains("\nWhere it was allocated is not known: too few looks\n"));
    report.reason = Reason::HeapLimit;
    assert!(!render(&report).contains("Where it was allocated"));
}
