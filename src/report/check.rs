//! What a leak test found, for a terminal: the message of an assertion that failed.

use serde::Deserialize;

use super::block::{Block, name};
use super::figures::{bytes, grouped};
use super::leak::KnownLeak;
use super::text::{claim, explanation};
use crate::analysis::{RoundGrowth, SteadyCulprit, Tallied};

/// Culprits shown.
const SHOWN: usize = 3;
/// Constructors shown where no culprit can be named.
const COUNTED: usize = 5;

/// What a leak test found.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeakCheck {
    /// Calls that were judged, all rounds together.
    pub iterations: u64,
    /// What grew in proportion, largest first.
    pub culprits: Vec<CheckedCulprit>,
    /// Constructors that grew in each round, by count; told where no culprit can be named.
    pub constructors: Vec<Tallied>,
    /// The calls of each round of `constructors`.
    pub counted_calls: Vec<u64>,
    /// Why there are counts only; nothing where culprits could be looked for.
    pub reason: Option<String>,
}

/// A cause, with what is known of it beyond this heap.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CheckedCulprit {
    /// The cause.
    #[serde(flatten)]
    pub steady: SteadyCulprit,
    /// The leak of a published package that it is, if it is one.
    #[serde(default)]
    pub known: Option<KnownLeak>,
}

/// The findings as one block of plain text, no wider than 100 columns; one line where nothing leaks.
pub fn render_check(check: &LeakCheck) -> String {
    let mut block = Block::default();
    let calls = grouped(check.iterations.min(i64::MAX as u64) as i64);
    if let Some(first) = check.culprits.first() {
        block.wrapped(0, &format!("LEAK: each call leaves {} behind", left(&first.steady)));
        block.wrapped(
            2,
            &format!("as much in every round, {calls} calls in all, with garbage collected in between"),
        );
        for (i, culprit) in check.culprits.iter().take(SHOWN).enumerate() {
            one(&mut block, i, culprit);
        }
        if check.culprits.len() > SHOWN {
            block.line(0, "");
            block.line(0, &format!("and {} smaller ones, in `culprits`", check.culprits.len() - SHOWN));
        }
    } else if check.constructors.is_empty() {
        block.wrapped(0, &format!("no leak: nothing grew in proportion to {calls} calls"));
    } else {
        block.wrapped(0, &format!("LEAK: there are more objects after every round, {calls} calls in all"));
        for tallied in check.constructors.iter().take(COUNTED) {
            block.labelled(&name(&tallied.constructor_name), &series(&tallied.counts, &check.counted_calls));
        }
        let reason = check.reason.as_deref().unwrap_or("what holds them was not found");
        block.wrapped(0, &format!("No culprit named: {reason}"));
    }
    block.text.trim_end().to_owned()
}

fn one(block: &mut Block, index: usize, checked: &CheckedCulprit) {
    let steady = &checked.steady;
    block.line(0, "");
    block.hanging(0, 3, &format!("{}. {}", index + 1, claim(&steady.culprit)));
    let rounds: Vec<String> = steady.rounds.iter().map(round).collect();
    block.labelled("seen", &format!("{} a call: {}", left(steady), rounds.join(", then ")));
    explanation(block, &steady.culprit, checked.known.as_ref(), index == 0);
}

/// `1 Session and 312 B`, `0.1 Session and 31 B`, or `20 B` where only sizes grow.
fn left(steady: &SteadyCulprit) -> String {
    let size = bytes(steady.bytes_per_iteration);
    if steady.count_per_iteration == 0.0 {
        return size;
    }
    let class = &steady.culprit.constructor_name;
    let class = match class.strip_prefix("(closure) ") {
        Some("<anonymous>") => "function".to_owned(),
        Some(function) => format!("function `{}`", name(function)),
        None if class == "(string)" => "string".to_owned(),
        None if class == "(entry)" => "entry".to_owned(),
        None => name(class),
    };
    format!("{} {class} and {size}", figure(steady.count_per_iteration))
}

/// Two decimals at most, and none that are 0.
fn figure(n: f64) -> String {
    let text = format!("{n:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn round(round: &RoundGrowth) -> String {
    let what = if round.count > 0 { grouped(round.count as i64) } else { bytes(round.bytes as f64) };
    format!("+{what} in {} calls", grouped(round.calls as i64))
}

/// `100, +200 in 200 calls, +200 in 200 calls`.
fn series(counts: &[u64], calls: &[u64]) -> String {
    let grown = counts.windows(2).zip(calls);
    let grown = grown.map(|(pair, &calls)| {
        format!("{:+} in {} calls", pair[1] as i64 - pair[0] as i64, grouped(calls as i64))
    });
    let first = counts.first().map(|&count| grouped(count as i64));
    first.into_iter().chain(grown).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn culprit(class: &str, per_call: f64) -> Value {
        json!({
            "constructorName": class, "pattern": "collection", "countDelta": 400, "sizeDelta": 400, "retainedSizeDelta": 124_800,
            "holder": { "constructorName": "Map", "name": "sessions", "location": null },
            "retainerPath": [{ "name": "Map", "edge": "[[Entries]]", "location": null }],
            "location": { "file": "/srv/app/sessions.js", "line": 12, "column": 3 }, "advice": "Delete it.", "fingerprint": "",
            "rounds": [{ "calls": 200, "count": 200, "bytes": 62_400 }, { "calls": 200, "count": 200, "bytes": 62_400 }],
            "countPerIteration": per_call, "bytesPerIteration": 312.0,
        })
    }

    fn text(culprits: &[Value], constructors: &Value) -> String {
        let check = json!({
            "iterations": 1000, "culprits": culprits, "constructors": constructors, "countedCalls": [200, 200], "reason": null,
        });
        render_check(&serde_json::from_value(check).expect("a check"))
    }

    #[test]
    fn the_message_says_what_stays_and_where() {
        let text = text(&[culprit("Session", 1.0)], &json!([]));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "LEAK: each call leaves 1 Session and 312 B behind");
        assert_eq!(lines[3], "1. 400 Session objects pile up in Map `sessions` (sessions.js:12)");
        assert_eq!(
            lines[4],
            "   seen        1 Session and 312 B a call: +200 in 200 calls, then +200 in 200 calls"
        );
        assert!(
            text.contains("declared    /srv/app/sessions.js:12:3") && text.contains("to do       Delete it.")
        );
    }

    #[test]
    fn rare_ones_functions_and_texts_read_well() {
        assert!(
            text(&[culprit("Session", 0.1)], &json!([])).starts_with("LEAK: each call leaves 0.1 Session")
        );
        assert!(text(&[culprit("(closure) onData", 2.0)], &json!([])).contains("2 function `onData`"));
        assert!(
            text(&[culprit("(string)", 0.0)], &json!([])).starts_with("LEAK: each call leaves 312 B behind")
        );
        let many = vec![culprit("Session", 1.0); 5];
        assert!(text(&many, &json!([])).ends_with("and 2 smaller ones, in `culprits`"));
    }

    #[test]
    fn without_culprits_the_counts_are_told_and_without_those_nothing() {
        assert_eq!(text(&[], &json!([])), "no leak: nothing grew in proportion to 1,000 calls");
        let told = text(&[], &json!([{ "constructorName": "Session", "counts": [10, 210, 410] }]));
        assert!(told.contains("Session     10, +200 in 200 calls, +200 in 200 calls"), "{told}");
    }
}
