//! A finding for a terminal.

use serde::Deserialize;

use super::chart::{Ink, Limits, Point, chart};
use super::finding::{CauseKind, Certainty, Finding, MomentKind, SeriesPoint};
use crate::report::block::{Block, name};
use crate::report::figures::{bytes, duration, grouped};
use crate::report::{ReportedCulprit, claim, step};
use crate::units::{Bytes, UnixMillis};
use crate::verdict::Status;

/// Culprits shown; the JSON has all.
const SHOWN: usize = 3;
/// Steps of a retaining path shown.
const STEPS: usize = 3;
/// What happened shown, the last of it.
const MOMENTS: usize = 8;
/// Classes of a look at the heap shown.
const CLASSES: usize = 6;
/// Lines of a stack shown.
const STACK: usize = 6;

/// With what a chart is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Blocks and lines.
    #[default]
    Blocks,
    /// ASCII alone.
    Ascii,
}

/// The finding as one block of plain text, no wider than 100 columns.
pub fn render(finding: &Finding, style: Style) -> String {
    let mut block = Block::default();
    block.rule();
    head(&mut block, finding);
    if !finding.evidence.is_empty() {
        block.line(0, "");
        for claim in &finding.evidence {
            let label = match claim.certainty {
                Certainty::Certain => "certain",
                Certainty::Inferred => "inferred",
            };
            block.labelled(label, &claim.text);
        }
    }
    if finding.cause.kind != CauseKind::Running {
        exception(&mut block, finding);
    }
    picture(&mut block, finding, style);
    happened(&mut block, finding);
    verdict(&mut block, finding);
    culprits(&mut block, finding);
    block.rule();
    block.text
}

fn head(block: &mut Block, finding: &Finding) {
    let title = match finding.cause.kind {
        CauseKind::Running => "ALIVE",
        CauseKind::CleanExit => "CLEAN EXIT",
        CauseKind::Exit => "EXIT",
        CauseKind::Stopped => "RECORDING STOPPED",
        CauseKind::Terminated => "TERMINATED",
        CauseKind::HeapLimit => "HEAP LIMIT",
        CauseKind::ContainerLimit => "CONTAINER LIMIT",
        CauseKind::NativeGrowth => "NATIVE GROWTH",
        CauseKind::FatalError => "FATAL ERROR",
        CauseKind::UncaughtException => "UNCAUGHT EXCEPTION",
        CauseKind::Killed => "KILLED",
    };
    let how = match finding.cause.certainty {
        Certainty::Certain => "",
        Certainty::Inferred => " (inferred)",
    };
    block.hanging(0, 2, &format!("{title}{how}: {}", finding.cause.what));
    let thread =
        if finding.thread_id == 0 { String::new() } else { format!(", worker {}", finding.thread_id) };
    block.line(2, &format!("{}, pid {}{thread}, Node {}", finding.title, finding.pid, finding.node));
    let age =
        duration(finding.ended_at.unwrap_or(finding.last_seen_at).0.saturating_sub(finding.started_at.0));
    block.line(
        2,
        &match finding.ended_at {
            Some(at) => format!("ended at {at}, after {age}"),
            None => format!("last heard of at {}, after {age}", finding.last_seen_at),
        },
    );
    match (&finding.cause.signal, finding.cause.exit_code) {
        (Some(signal), Some(code)) => block.line(2, &format!("exit code {code} ({signal})")),
        (None, Some(code)) => block.line(2, &format!("exit code {code}")),
        _ => {}
    }
}

fn exception(block: &mut Block, finding: &Finding) {
    let Some(exception) =
        finding.exception.as_ref().filter(|_| finding.cause.kind == CauseKind::UncaughtException)
    else {
        return;
    };
    block.line(0, "");
    for line in exception.text.lines().take(STACK) {
        block.line(3, line);
    }
}

fn picture(block: &mut Block, finding: &Finding, style: Style) {
    let points: Vec<Point> = finding.series.iter().map(point).collect();
    let some = |limit: Bytes| Some(limit).filter(|limit| limit.0 > 0);
    let limits = Limits {
        heap: finding.last.and_then(|last| some(last.heap_limit_bytes)),
        container: finding.last.and_then(|last| last.container_limit_bytes).and_then(some),
    };
    let marks: Vec<(UnixMillis, char)> =
        finding.events.iter().filter_map(|moment| Some((moment.at, mark(moment.kind)?))).collect();
    let ink = match style {
        Style::Blocks => Ink::BLOCKS,
        Style::Ascii => Ink::ASCII,
    };
    let Some(lines) = chart(&points, limits, &marks, &ink, |figure| bytes(figure.0 as f64)) else { return };
    block.line(0, "");
    for line in lines {
        block.line(0, &line);
    }
}

fn point(of: &SeriesPoint) -> Point {
    Point { at: of.at, floor: of.floor, heap: of.heap_used, external: of.external, rss: of.rss }
}

/// The letter below the chart, where the moment has one.
fn mark(kind: MomentKind) -> Option<char> {
    match kind {
        MomentKind::Verdict => Some('V'),
        MomentKind::Threshold => Some('T'),
        MomentKind::Incident => Some('!'),
        MomentKind::Capture => Some('C'),
        MomentKind::Exception => Some('X'),
        MomentKind::Note => None,
    }
}

fn happened(block: &mut Block, finding: &Finding) {
    let shown = &finding.events[finding.events.len().saturating_sub(MOMENTS)..];
    if shown.is_empty() {
        return;
    }
    block.line(0, "");
    for moment in shown {
        let clock = moment.at.to_string().get(11..19).map_or_else(String::new, str::to_owned);
        let mark = mark(moment.kind).unwrap_or(' ');
        block.labelled(&format!("{clock} {mark}"), &moment.text);
    }
}

fn verdict(block: &mut Block, finding: &Finding) {
    let Some(verdict) = &finding.verdict else { return };
    let text = match verdict.status {
        Status::WarmingUp => "too early in the process's life to tell".to_owned(),
        Status::Healthy => "healthy: the counters showed no leak".to_owned(),
        Status::Suspect | Status::Leak => {
            let word = if verdict.status == Status::Leak { "leak" } else { "suspected leak" };
            let since = verdict.since.map_or(String::new(), |at| format!(", since {at}"));
            format!(
                "{word} of {}: {} a minute{since}",
                kind(verdict.kind),
                bytes(verdict.growth_bytes_per_second * 60.0)
            )
        }
    };
    block.line(0, "");
    block.labelled("verdict", &text);
}

fn kind(kind: crate::verdict::Kind) -> &'static str {
    use crate::verdict::Kind;
    match kind {
        Kind::Heap => "the heap",
        Kind::External => "external memory",
        Kind::Native => "native memory",
        Kind::Fragmentation => "memory that the allocator keeps",
        Kind::None => "memory",
    }
}

/// A look at the heap, as it is recorded.
#[derive(Deserialize)]
struct Look {
    at: UnixMillis,
    when: String,
    constructors: Vec<Class>,
}

/// What a look found of a class: all that there were, or how many more than before.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Class {
    constructor_name: String,
    count: Option<i64>,
    count_delta: Option<i64>,
}

/// Where nobody is to blame, what the last look at the heap found most of.
fn looked(block: &mut Block, finding: &Finding) {
    let Some(look) = finding.summary.clone().and_then(|value| serde_json::from_value::<Look>(value).ok())
    else {
        return;
    };
    let class = |class: &Class| match (class.count_delta, class.count) {
        (Some(delta), _) => format!("{} {:+}", name(&class.constructor_name), delta),
        (None, count) => format!("{} {}", name(&class.constructor_name), grouped(count.unwrap_or(0))),
    };
    let classes: Vec<String> = look.constructors.iter().take(CLASSES).map(class).collect();
    if !classes.is_empty() {
        block.line(0, "");
        block.labelled("last look", &format!("at {} ({}): {}", look.at, look.when, classes.join(", ")));
    }
}

fn culprits(block: &mut Block, finding: &Finding) {
    let Some(from) = finding.culprits_from.as_ref().filter(|_| !finding.culprits.is_empty()) else {
        return looked(block, finding);
    };
    block.line(0, "");
    let at = from.reported_at.map_or(String::new(), |at| format!(" at {at}"));
    block.line(0, &format!("Culprits, as of the report made{at} ({}):", from.reason));
    for (i, reported) in finding.culprits.iter().take(SHOWN).enumerate() {
        culprit(block, i, reported);
    }
    if let Some(file) = &from.file {
        block.line(3, &format!("all of it in {file}"));
    }
}

fn culprit(block: &mut Block, index: usize, reported: &ReportedCulprit) {
    let culprit = &reported.culprit;
    block.hanging(0, 3, &format!("{}. {}", index + 1, claim(culprit)));
    let mut label = "held by";
    for held in culprit.retainer_path.iter().take(STEPS) {
        block.entry(label, &step(held));
        label = "";
    }
    block.labelled("to do", &culprit.advice);
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
