//! A leak report for a terminal.

use std::fmt::Write;

use super::leak::{AllocationSite, KnownLeak, LeakReport, ReportedCulprit};
use super::verdict::VerdictRecord;
use crate::analysis::{Location, PathStep};
use crate::verdict::{ConfirmedBy, Kind};

/// No line is wider.
const WIDTH: usize = 100;
/// Culprits shown; the JSON has all.
const SHOWN: usize = 3;
/// Constructors of a census shown.
const COUNTED: usize = 5;
/// Allocation sites shown.
const SITES: usize = 3;
/// Steps of a retaining path shown, nearest to the leaking object first.
const STEPS: usize = 8;

/// The report as one block of plain text, no wider than 100 columns, to be read in ten seconds.
pub fn render(report: &LeakReport) -> String {
    let mut block = Block::default();
    let verdict = &report.verdict;
    block.line(0, &"-".repeat(WIDTH));
    block.line(0, &format!("MEMORY LEAK: {}", headline(verdict)));
    block.line(2, &numbers(verdict));
    if let Some(by) = &verdict.evidence.confirmed_by {
        block.line(2, &confirmation(by));
    }
    if report.culprits.is_empty() {
        let why = report.evidence.reason.as_deref().unwrap_or("nothing that grew stands out");
        block.wrapped(2, &format!("No culprit named: {why}"));
    }
    if let Some(census) = report.census.as_ref().filter(|census| !census.is_empty()) {
        block.line(2, "More objects than at the baseline, by a count in a clone of the process:");
        for grown in census.iter().take(COUNTED) {
            block.line(4, &format!("{}  +{}", grown.constructor_name, grouped(grown.count_delta)));
        }
    }
    for (i, culprit) in report.culprits.iter().take(SHOWN).enumerate() {
        block.culprit(i + 1, culprit);
    }
    if report.culprits.len() > SHOWN {
        block.line(2, &format!("and {} smaller ones, in the JSON report", report.culprits.len() - SHOWN));
    }
    block.sites(&report.allocation_sites);
    if let Some(reason) = &report.evidence.matched_by_reason {
        block.wrapped(2, &format!("Counts are by class: {reason}"));
    }
    let thread = if report.thread_id == 0 { String::new() } else { format!(", worker {}", report.thread_id) };
    block.line(
        0,
        &format!(
            "pid {}{thread}, Node {}, evidence paused it for {:.0} ms",
            report.pid, report.node, report.pause_ms
        ),
    );
    block.line(0, &"-".repeat(WIDTH));
    block.text
}

fn headline(verdict: &VerdictRecord) -> String {
    let what = match verdict.kind {
        Kind::Heap => "the heap",
        Kind::External => "external memory (buffers)",
        Kind::Native => "native memory",
        Kind::Fragmentation => "memory that the allocator keeps (fragmentation)",
        Kind::None => "memory",
    };
    let rate = bytes(verdict.growth_bytes_per_second * 60.0);
    let end = match verdict.eta_ms {
        Some(ms) => format!("; the limit is {} away", duration(ms)),
        None => String::new(),
    };
    format!("{what} grows by {rate} a minute{end}")
}

fn confirmation(by: &ConfirmedBy) -> String {
    let rate = bytes(by.growth_bytes_per_second * 60.0);
    format!(
        "confirmed by {} looks at the heap: {} grew with the floor, by {rate} a minute",
        by.captures, by.constructor_name
    )
}

fn numbers(verdict: &VerdictRecord) -> String {
    let e = &verdict.evidence.numbers;
    format!(
        "floor {} -> {} over {} points in {} ({:.0} standard errors, steady {:.0} %)",
        bytes(e.first_floor_bytes as f64),
        bytes(e.last_floor_bytes as f64),
        e.floors,
        duration(e.window_ms),
        e.standard_errors.min(999.0),
        100.0 * e.smallest_step_share.clamp(0.0, 1.0),
    )
}

#[derive(Default)]
struct Block {
    text: String,
}

impl Block {
    /// Adds a line at an indent, cut to the width.
    fn line(&mut self, indent: usize, text: &str) {
        let room = WIDTH - indent;
        let _ = writeln!(self.text, "{:indent$}{}", "", cut(&one_line(text), room));
    }

    /// Adds text at an indent, wrapped at spaces.
    fn wrapped(&mut self, indent: usize, text: &str) {
        let room = WIDTH - indent;
        let mut row = String::new();
        for word in one_line(text).split(' ') {
            if !row.is_empty() && row.chars().count() + 1 + word.chars().count() > room {
                self.line(indent, &row);
                row.clear();
            }
            if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(word);
        }
        self.line(indent, &row);
    }

    fn culprit(&mut self, number: usize, reported: &ReportedCulprit) {
        let culprit = &reported.culprit;
        let count = culprit.count_delta.max(1);
        let each = culprit.retained_size_delta as f64 / count as f64;
        self.line(0, "");
        self.line(
            0,
            &format!(
                "{number}. {}  +{} objects, +{} retained ({} each)  [{}]",
                culprit.constructor_name,
                grouped(culprit.count_delta),
                bytes(culprit.retained_size_delta as f64),
                bytes(each),
                culprit.pattern.name(),
            ),
        );
        if let Some(location) = &culprit.location {
            let package = location.package.as_ref().map_or(String::new(), |name| format!("  ({name})"));
            self.line(3, &format!("at {}{package}", place(location)));
        }
        if let Some(known) = &reported.known {
            self.wrapped(3, &known_leak(known));
        }
        if !culprit.retainer_path.is_empty() {
            self.line(3, "held by");
        }
        self.path(&culprit.retainer_path);
        self.wrapped(3, &culprit.advice);
        if !culprit.fingerprint.is_empty() {
            let seen = reported.first_seen.map_or(String::new(), |at| format!(", first seen {at}"));
            self.line(3, &format!("fingerprint {}{seen}", culprit.fingerprint));
        }
    }

    /// The steps nearest to the object, with functions of Node's own made one line.
    fn path(&mut self, path: &[PathStep]) {
        let mut shown = 0;
        let mut rest = path;
        while let Some((step, after)) = rest.split_first() {
            if shown == STEPS {
                self.line(5, &format!("... {} more steps to the GC root", rest.len()));
                return;
            }
            let folded = rest.iter().take_while(|step| is_of_node(step)).count();
            if folded == 0 {
                self.step(step);
                rest = after;
            } else {
                let word = if folded == 1 { "step" } else { "steps" };
                self.line(5, &format!("({folded} {word} in Node's own code)"));
                rest = &rest[folded..];
            }
            shown += 1;
        }
    }

    fn sites(&mut self, sites: &[AllocationSite]) {
        if sites.is_empty() {
            return;
        }
        self.line(0, "");
        self.line(2, "What stays alive was allocated by (sampled)");
        for site in sites.iter().take(SITES) {
            let name = if site.function_name.is_empty() { "<anonymous>" } else { &site.function_name };
            let growth = bytes(site.growth_bytes as f64);
            let location = site.location.as_ref().map_or(String::new(), |l| format!("  {}", place(l)));
            self.line(5, &format!("{name}  +{growth} over {} looks{location}", site.looks));
        }
    }

    fn step(&mut self, step: &PathStep) {
        let location = step.location.as_ref().map_or(String::new(), |l| format!("  {}", place(l)));
        self.line(5, &format!("{} of {}{location}", step.edge, step.name));
    }
}

/// Whether the step is through a function of Node's own.
fn is_of_node(step: &PathStep) -> bool {
    step.location.as_ref().is_some_and(|place| !place.is_user_code())
}

fn known_leak(known: &KnownLeak) -> String {
    let version = known.version.as_ref().map_or(String::new(), |version| format!("@{version}"));
    let fixed = match &known.fixed_in {
        Some(fixed) => format!("fixed in {fixed}"),
        None => "not fixed yet".to_owned(),
    };
    format!("known: {}{version}, {fixed} ({})", known.package, known.reference)
}

/// `file:line:column`, with the end of a long path, which says more than its start.
fn place(location: &Location) -> String {
    let text = format!("{}:{}:{}", location.file, location.line, location.column);
    let length = text.chars().count();
    if length <= 60 {
        return text;
    }
    format!("...{}", text.chars().skip(length - 57).collect::<String>())
}

/// Control characters would let a property's name move the cursor.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room - 3).chain("...".chars()).collect()
}

fn bytes(n: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (n, 0);
    while value.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0);
    format!("{value:.decimals$} {}", UNITS[unit])
}

fn duration(ms: u64) -> String {
    match ms / 1000 {
        s @ 0..=119 => format!("{s} s"),
        s @ 120..=7199 => format!("{} min", s / 60),
        s @ 7200..=172_799 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

/// `1234567` as `1,234,567`.
fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::from(if n < 0 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::UnixMillis;

    #[test]
    fn figures_read_well() {
        assert_eq!(
            [0.0, 1023.0, 1024.0, 1.5e6, -2048.0].map(bytes),
            ["0 B", "1023 B", "1.0 KB", "1.4 MB", "-2.0 KB"]
        );
        assert_eq!([0, 999, 1000, -1_234_567].map(grouped), ["0", "999", "1,000", "-1,234,567"]);
        assert_eq!(
            [5_000, 119_999, 120_000, 7_200_000, 400_000_000].map(duration),
            ["5 s", "119 s", "2 min", "2 h", "4 days"]
        );
    }

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
        report.evidence.matched_by_reason = Some("object ids do not correspond: a session was closed".into());
        let text = render(&report);
        let line = "  Counts are by class: object ids do not correspond: a session was closed\n";
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
        let lines = "\n  What stays alive was allocated by (sampled)\n     \
             open  +1.5 KB over 6 looks  /srv/app/sessions.js:12:3\n     \
             <anonymous>  +1.0 KB over 6 looks  /srv/app/sessions.js:12:3\n";
        assert!(text.contains(lines) && !text.contains("fourth"), "{text}");
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
            "   at /app/src/common.ts:3:5  (debug@4.1.1)\n",
            "   known: debug@4.1.1, fixed in 4.3.0 (debug-js/debug#678)\n",
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
        let held = "     (2 steps in Node's own code)\n     jobs of (closure) f  /app/queue.js:1:1\n     (1 step in Node's own code)\n";
        assert!(text.contains(held), "{text}");
    }

    #[test]
    fn nothing_is_wider_than_the_terminal_or_moves_its_cursor() {
        let mut report: LeakReport = serde_json::from_str(REPORT).expect("a LeakReport");
        for culprit in report.culprits.iter_mut().map(|reported| &mut reported.culprit) {
            culprit.constructor_name = "\u{1b}[2J".repeat(50);
            culprit.advice = "word ".repeat(100);
            for step in &mut culprit.retainer_path {
                step.edge = "very_long_name".repeat(20);
            }
        }
        let text = render(&report);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }
}
