use super::*;
use crate::postmortem::{Cause, CulpritSource, Growth, GrowthKind, SCHEMA_VERSION};

/// A finding with all that a report of a leak has.
fn finding(culprits: Vec<ReportedCulprit>) -> Finding {
    Finding {
        schema_version: SCHEMA_VERSION,
        file: String::new(),
        pid: 7,
        thread_id: 2,
        node: "v24.0.0".to_owned(),
        title: "node \u{1b}[31mserver.js".to_owned(),
        started_at: UnixMillis(0),
        last_seen_at: UnixMillis(60_000),
        ended_at: None,
        interval_ms: 1000.0,
        cause: Cause {
            kind: CauseKind::Killed,
            certainty: Certainty::Inferred,
            what: "killed".to_owned(),
            exit_code: Some(137),
            signal: Some("SIGKILL".to_owned()),
        },
        evidence: Vec::new(),
        growth: Growth { kind: GrowthKind::None, rss_bytes: 0, heap_bytes: 0, external_bytes: 0, over_ms: 0 },
        last: None,
        verdict: None,
        exception: None,
        culprits_from: Some(CulpritSource {
            file: Some("/evidence/heapwarden-leak-1.json".to_owned()),
            reported_at: Some(UnixMillis(50_000)),
            reason: "verdict".to_owned(),
        }),
        culprits,
        summary: None,
        events: Vec::new(),
        series: Vec::new(),
        damage: Vec::new(),
    }
}

#[test]
fn culprits_of_a_report_are_named() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("__test__/golden/leak-report.json");
    let report = std::fs::read_to_string(path).expect("the golden report");
    let report: crate::report::LeakReport = serde_json::from_str(&report).expect("a report");
    let text = render(&finding(report.culprits.clone()), Style::Ascii);
    assert!(text.contains(&format!("1. {}", claim(&report.culprits[0].culprit))[..40]), "{text}");
    assert!(
        text.contains("(verdict):") && text.contains("heapwarden-leak-1.json") && text.contains("held by"),
        "{text}"
    );
    assert!(text.contains("pid 7, worker 2") && !text.contains('\u{1b}'), "{text}");
    let mut nobody = finding(Vec::new());
    assert!(!render(&nobody, Style::Ascii).contains("Culprits"));
    nobody.summary = serde_json::from_str(
        r#"{"at":"2026-11-21T20:21:25.412Z","when":"suspect","constructors":[{"constructorName":"Order","countDelta":2400},{"constructorName":"Array","count":12345}]}"#,
    )
    .ok();
    let text = render(&nobody, Style::Ascii);
    assert!(
        text.contains("last look   at 2026-11-21T20:21:25.412Z (suspect): Order +2400, Array 12,345"),
        "{text}"
    );
    nobody.summary = serde_json::from_str(r#"{"constructors":7}"#).ok();
    assert!(!render(&nobody, Style::Ascii).contains("last look"));
}
