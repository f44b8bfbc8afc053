//! A leak report for a terminal.

use unicode_width::UnicodeWidthStr;

use super::block::{Block, ROOM, ending, name};
use super::figures::{bytes, duration, grouped, spent};
use super::leak::{
    AllocationSite, EvidenceNote, HeapLimitRecord, KnownLeak, LeakReport, LeakingRoute, Reason,
    ReportedCulprit,
};
use super::verdict::VerdictRecord;
use crate::analysis::{Culprit, Decision, Holder, Location, Outcome, PathStep, Pattern};
use crate::units::Bytes;
use crate::verdict::{ConfirmedBy, Kind, Status};

/// Culprits shown; the JSON has all.
const SHOWN: usize = 3;
/// Constructors of a census shown.
const COUNTED: usize = 5;
/// What JavaScript gives as the reason where nobody asked for allocation sites.
const SITES_OFF: &str = "allocation sites are switched off";
/// Allocation sites shown.
const SITES: usize = 3;
/// Steps of a retaining path shown, nearest to the leaking object first: of the first culprit, and of the others.
const STEPS: usize = 6;
const FEW_STEPS: usize = 3;
/// Room for a place beside other things, and what a place is of use in.
const SHORT_PLACE: usize = 48;
const LEAST_PLACE: usize = 24;

/// Before the first culprit below the top that has grown since the baseline, and was not seen to grow on.
const BESIDE: &str =
    "Grew as well since the baseline, as do caches until they are full and code that is loaded late:";

/// The report as one block of plain text, no wider than 100 columns, to be read in ten seconds.
///
/// Of each culprit, first what was seen in the heap (`seen`, `declared`, `held by`), then what was made of it (`inferred`, `to do`).
pub fn render(report: &LeakReport) -> String {
    let mut block = Block::default();
    let verdict = &report.verdict;
    block.rule();
    match (report.reason, &report.heap_limit, &report.container_limit) {
        (Reason::HeapLimit, Some(at), _) => at_limit(&mut block, at, verdict),
        (Reason::ContainerLimit, _, Some(at)) => {
            let (used, limit) = (bytes(at.used_bytes.0 as f64), bytes(at.limit_bytes.0 as f64));
            block.line(0, &format!("CONTAINER LIMIT: {used} in use, the limit is {limit}"));
            until_then(&mut block, verdict);
        }
        _ => {
            block.line(0, &format!("MEMORY LEAK: {}", headline(verdict)));
            block.line(2, &numbers(verdict));
        }
    }
    if let Some(by) = &verdict.evidence.confirmed_by {
        block.wrapped(2, &confirmation(by));
    }
    if let Some(leak) = report.routes.as_ref().and_then(|routes| routes.leak.as_ref()) {
        block.wrapped(2, &route(leak));
    }
    let note = &report.evidence;
    if let Some(doubt) = second_look(note) {
        block.wrapped(2, &doubt);
    }
    if report.culprits.is_empty() {
        let why = note.reason.as_deref().unwrap_or("nothing that grew stands out");
        block.wrapped(2, &format!("No culprit named: {why}"));
    }
    if let Some(census) = report.census.as_ref().filter(|census| !census.is_empty()) {
        block.line(2, "More objects than at the baseline, by a count in a clone of the process:");
        for grown in census.iter().take(COUNTED) {
            block.line(4, &format!("{}  +{}", name(&grown.constructor_name), grouped(grown.count_delta)));
        }
    }
    let mut has_heading = false;
    for (i, reported) in report.culprits.iter().take(SHOWN).enumerate() {
        if i > 0 && note.baseline_at.is_some() && !has_heading && !went_on(note, reported) {
            has_heading = true;
            block.line(0, "");
            block.wrapped(0, BESIDE);
        }
        culprit(&mut block, i, reported, note);
    }
    if report.culprits.len() > SHOWN {
        block.line(0, "");
        block.line(0, &format!("and {} smaller ones, in the JSON report", report.culprits.len() - SHOWN));
    }
    // Nobody is told at the limit, whether they asked or not.
    let reason = note.allocation_sites_reason.as_deref().filter(|_| report.reason != Reason::HeapLimit);
    sites(&mut block, &report.allocation_sites, reason);
    block.line(0, "");
    // By path they are counted one by one as well.
    let by_class = note.matched_by.as_deref() != Some("path");
    if let Some(reason) = note.matched_by_reason.as_ref().filter(|_| by_class) {
        block.wrapped(0, &format!("Counts are by class: {reason}"));
    }
    let thread = if report.thread_id == 0 { String::new() } else { format!(", worker {}", report.thread_id) };
    block.line(0, &format!("pid {}{thread}, Node {}; {}", report.pid, report.node, cost(report)));
    block.rule();
    block.text
}

/// The heap at its limit, and what the counters had said until then.
fn at_limit(block: &mut Block, at: &HeapLimitRecord, verdict: &VerdictRecord) {
    let of = |figure: Bytes| bytes(figure.0 as f64);
    block.line(0, &format!("HEAP LIMIT: {} in use, the limit is {}", of(at.used_bytes), of(at.limit_bytes)));
    if at.raised_to_bytes > at.limit_bytes {
        block.line(2, &format!("raised to {}, so that the process can be drained", of(at.raised_to_bytes)));
    }
    until_then(block, verdict);
}

/// What the counters had said until then.
fn until_then(block: &mut Block, verdict: &VerdictRecord) {
    match verdict.status {
        Status::Leak | Status::Suspect => {
            // How far the limit was at the last sample is not how far it is now.
            block.line(2, &growth(verdict));
            block.line(2, &numbers(verdict));
        }
        Status::Healthy => block.line(2, "until then the counters showed no leak"),
        Status::WarmingUp => block.line(2, "too early in the process's life for the counters to tell"),
    }
}

fn headline(verdict: &VerdictRecord) -> String {
    let end = match verdict.eta_ms {
        Some(ms) => format!("; the limit is {} away", duration(ms)),
        None => String::new(),
    };
    format!("{}{end}", growth(verdict))
}

fn growth(verdict: &VerdictRecord) -> String {
    let what = match verdict.kind {
        Kind::Heap => "the heap",
        Kind::External => "external memory (buffers)",
        Kind::Native => "native memory",
        Kind::Fragmentation => "memory that the allocator keeps (fragmentation)",
        Kind::None => "memory",
    };
    let rate = bytes(verdict.growth_bytes_per_second * 60.0);
    format!("{what} grows by {rate} a minute")
}

fn confirmation(by: &ConfirmedBy) -> String {
    let rate = bytes(by.growth_bytes_per_second * 60.0);
    format!(
        "confirmed by {} looks at the heap: {} grew with the floor, by {rate} a minute",
        by.captures,
        name(&by.constructor_name)
    )
}

/// `GET /users/:id leaks 1,330 bytes per request (95 % interval 1,290 to 1,370; 97 % of the growth)`.
fn route(leak: &LeakingRoute) -> String {
    let [least, most] = leak.interval_bytes_per_request.map(|n| grouped(n.round() as i64));
    format!(
        "{} leaks {} bytes per request (95 % interval {least} to {most}; {:.0} % of the growth)",
        name(&leak.route),
        grouped(leak.bytes_per_request.round() as i64),
        100.0 * leak.share.clamp(0.0, 1.0),
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

/// Why there was a second look, or why there should have been one.
fn second_look(note: &EvidenceNote) -> Option<String> {
    let confirmation = note.confirmation.as_ref()?;
    Some(match (&confirmation.reason, confirmation.after_ms) {
        (None, Some(after)) => {
            let grew = confirmation.decisions.iter().filter(|d| d.outcome == Outcome::Grew).count();
            let what = match grew {
                0 => "nothing that was named went on growing".to_owned(),
                _ => "what went on growing is named first".to_owned(),
            };
            format!("looked at once more after {}, because {}: {what}", spent(after as f64), confirmation.why)
        }
        (reason, _) => {
            let reason = reason.as_deref().unwrap_or("no reason is known");
            format!("not certain, because {}; no second look was taken: {reason}", confirmation.why)
        }
    })
}

/// Whether `reported` was seen to go on growing.
fn went_on(note: &EvidenceNote, reported: &ReportedCulprit) -> bool {
    decision(note, reported).is_some_and(|decision| decision.outcome == Outcome::Grew)
}

/// What a second look decided of `reported`.
fn decision<'a>(note: &'a EvidenceNote, reported: &ReportedCulprit) -> Option<&'a Decision> {
    let decisions = &note.confirmation.as_ref()?.decisions;
    decisions.iter().find(|decision| decision.fingerprint == reported.culprit.fingerprint)
}

fn culprit(block: &mut Block, index: usize, reported: &ReportedCulprit, note: &EvidenceNote) {
    let culprit = &reported.culprit;
    let count = culprit.count_delta.max(1);
    let retained = culprit.retained_size_delta as f64;
    block.line(0, "");
    block.hanging(0, 3, &format!("{}. {}", index + 1, claim(culprit)));
    let each = if count > 1 { format!(", {} each", bytes(retained / count as f64)) } else { String::new() };
    let seen = match note.baseline_at {
        Some(_) => {
            format!("+{} and {} retained since the baseline", grouped(culprit.count_delta), bytes(retained))
        }
        None => format!("{}, with {} retained", grouped(culprit.count_delta), bytes(retained)),
    };
    block.labelled("seen", &format!("{seen}{each}"));
    if let Some(decision) = decision(note, reported) {
        block.labelled("again", &again(decision));
    }
    explanation(block, culprit, reported.known.as_ref(), index == 0);
    if !culprit.fingerprint.is_empty() {
        let seen = reported.first_seen.map_or(String::new(), |at| format!(", first seen {at}"));
        block.entry("fingerprint", &format!("{}{seen}", culprit.fingerprint));
    }
}

/// Where it is written, what holds it, what that means and what to do; the path is told further of the `first` culprit.
pub(super) fn explanation(block: &mut Block, culprit: &Culprit, known: Option<&KnownLeak>, first: bool) {
    if let Some(location) = &culprit.location {
        let package = location.package.as_ref().map_or(String::new(), |owner| format!("  ({})", name(owner)));
        block.entry("declared", &format!("{}{package}", place(location, ROOM - package.width())));
    }
    path(block, &culprit.retainer_path, if first { STEPS } else { FEW_STEPS });
    block.labelled("inferred", mechanism(culprit.pattern));
    block.labelled("to do", &culprit.advice);
    if let Some(known) = known {
        block.labelled("known", &known_leak(known));
    }
}

/// What a culprit is in one sentence: `24,000 Session objects pile up in Map \`sessions\` (server.js:12)`.
pub fn claim(culprit: &Culprit) -> String {
    let subject = subject(culprit);
    let verb = if culprit.count_delta > 1 { "pile up" } else { "grows" };
    let Some(holder) = &culprit.holder else { return format!("{subject} {verb}") };
    let at = holder.location.as_ref().or(culprit.location.as_ref());
    let at = at.map_or(String::new(), |at| format!(" ({})", short(at)));
    format!("{subject} {verb} in {}{at}", held(holder))
}

fn subject(culprit: &Culprit) -> String {
    let (count, class) = (culprit.count_delta.max(1), culprit.constructor_name.as_str());
    let of = |one: &str, many: &str| format!("{} {}", grouped(count), if count == 1 { one } else { many });
    match (class, class.strip_prefix("(closure) ")) {
        (_, Some("<anonymous>")) => of("function without a name", "functions without a name"),
        (_, Some(function)) => format!("{} `{}`", of("function", "functions"), name(function)),
        ("(string)", _) => of("string", "strings"),
        ("(entry)", _) => of("entry", "entries"),
        _ => {
            let class = format!("{}{}", name(class), properties(&culprit.properties));
            format!("{} {class} {}", grouped(count), if count == 1 { "object" } else { "objects" })
        }
    }
}

/// ` {id, method, ...}`: what plain objects have, as much as there is room for.
fn properties(names: &[String]) -> String {
    const ROOM: usize = 40;
    let mut text = String::new();
    for (i, property) in names.iter().enumerate() {
        let property = name(property);
        if i > 0 && text.width() + property.width() > ROOM {
            text.push_str(", ...");
            break;
        }
        text.push_str(if i > 0 { ", " } else { "" });
        text.push_str(&property);
    }
    if names.is_empty() { text } else { format!(" {{{text}}}") }
}

fn held(holder: &Holder) -> String {
    let called = holder.name.as_ref().map_or(String::new(), |called| format!(" `{}`", name(called)));
    let event = holder.event.as_ref().map_or(String::new(), |event| format!(", event `{}`", name(event)));
    format!("{}{called}{event}", name(&holder.constructor_name))
}

/// What became of it until the second look.
fn again(decision: &Decision) -> String {
    let (then, now) = (bytes(decision.first_bytes as f64), bytes(decision.second_bytes as f64));
    match decision.outcome {
        Outcome::Grew => format!("went on growing, {then} -> {now}"),
        Outcome::Unclear => format!("too slow to tell, {then} -> {now}"),
        Outcome::Little => format!("grew far less than the floor, {then} -> {now}"),
        Outcome::New => format!("not there at the first look, then {now}"),
        Outcome::Stood => format!("stood still, {then} -> {now}: most likely a cache that has filled"),
        Outcome::Gone => format!("gone, {then} -> 0 B"),
    }
}

/// What a pattern says of how memory is kept.
fn mechanism(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::Listener => "listener: added again and again, and never removed",
        Pattern::Closure => "closure: kept by variables of functions that are kept",
        Pattern::Collection => "collection: filled and never emptied",
        Pattern::Timer => "timer: never cleared, or kept when it is over",
        Pattern::Promise => "promise: never settled, with all that waits for it",
        Pattern::Buffer => "buffer: bytes outside the heap, kept by objects in it",
        Pattern::Pool => "pool: taken and never given back",
        Pattern::Global => "global: put on what lives as long as the program",
        Pattern::String => "string: pieces that keep a whole text, or one that only grows",
        Pattern::Unknown => "unknown: by no mechanism that is recognised",
    }
}

/// The steps nearest to the object, with functions of Node's own made one line.
fn path(block: &mut Block, path: &[PathStep], most: usize) {
    let mut label = "held by";
    let mut shown = 0;
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        if shown == most && rest.len() > 1 {
            block.entry("", &format!("... {} more steps to the GC root", rest.len()));
            return;
        }
        let folded = rest.iter().take_while(|step| is_of_node(step)).count();
        if folded == 0 {
            block.entry(label, &step(first));
            rest = after;
        } else {
            let word = if folded == 1 { "step" } else { "steps" };
            block.entry(label, &format!("({folded} {word} in Node's own code)"));
            rest = &rest[folded..];
        }
        label = "";
        shown += 1;
    }
}

/// `sessions of Cache  /srv/app/cache.js:12:3`.
pub fn step(step: &PathStep) -> String {
    let text = match step.edge.as_str() {
        "" => name(&step.name),
        edge => format!("{} of {}", name(edge), name(&step.name)),
    };
    let room = ROOM.saturating_sub(text.width() + 2);
    match &step.location {
        Some(location) if room >= LEAST_PLACE => format!("{text}  {}", place(location, room)),
        Some(location) => format!("{text}  {}", short(location)),
        None => text,
    }
}

fn sites(block: &mut Block, sites: &[AllocationSite], reason: Option<&str>) {
    if sites.is_empty() {
        // Whoever asked for them is told why there are none.
        if let Some(reason) = reason.filter(|reason| *reason != SITES_OFF) {
            block.line(0, "");
            block.wrapped(0, &format!("Where it was allocated is not known: {reason}"));
        }
        return;
    }
    block.line(0, "");
    block.line(0, "What stays alive was allocated by (sampled)");
    for site in sites.iter().take(SITES) {
        let function = if site.function_name.is_empty() { "<anonymous>" } else { &site.function_name };
        let growth = bytes(site.growth_bytes as f64);
        let location =
            site.location.as_ref().map_or(String::new(), |l| format!("  {}", place(l, SHORT_PLACE)));
        block.line(3, &format!("{}  +{growth} over {} looks{location}", name(function), site.looks));
    }
}

/// What the evidence has cost.
fn cost(report: &LeakReport) -> String {
    let looks: Vec<_> = report.evidence.ladder.iter().filter(|rung| rung.rung != "counters").collect();
    let paused = format!("paused {}", spent(report.pause_ms));
    if looks.is_empty() {
        return format!("{paused} by evidence");
    }
    let word = if looks.len() == 1 { "look" } else { "looks" };
    let cloned: Vec<_> = looks.iter().filter(|rung| rung.mode == "clone").collect();
    if cloned.is_empty() {
        return format!("{paused} by {} {word} at the heap", looks.len());
    }
    let cpu: f64 = cloned.iter().filter_map(|rung| rung.cpu_ms).sum();
    let peak = cloned.iter().filter_map(|rung| rung.peak_bytes).max().unwrap_or(0);
    format!(
        "{paused} by {} {word} at the heap; clones: {} CPU, {} peak",
        looks.len(),
        spent(cpu),
        bytes(peak as f64)
    )
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
    format!("{}{version}, {fixed} ({})", known.package, known.reference)
}

/// `file:line:column`.
fn place(location: &Location, room: usize) -> String {
    ending(&format!("{}:{}:{}", location.file, location.line, location.column), room)
}

/// `server.js:12`.
fn short(location: &Location) -> String {
    let file = location.file.rsplit(['/', '\\']).next().unwrap_or_default();
    ending(&format!("{file}:{}", location.line), SHORT_PLACE)
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
