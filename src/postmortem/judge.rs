//! From a recording to what it says of a death.

use serde::Deserialize;

use super::finding::{
    Cause, CauseKind, Certainty, Claim, CulpritSource, DamageRecord, ExceptionRecord, Finding, Growth,
    GrowthKind, SCHEMA_VERSION,
};
use super::growth::growth;
use super::level::Level;
use super::series::{events, last, series};
use crate::recorder::{End, EndKind, Ended, Exception, Incident, Recording, Words};
use crate::report::figures::{bytes, spent};
use crate::report::{ReportedCulprit, VerdictRecord};
use crate::units::{Bytes, UnixMillis};

/// Of V8's limit: a heap that stood there when V8 aborted has most likely come to it.
const AT_HEAP_LIMIT: f64 = 0.9;
/// The same of a process that said nothing: other things kill without a word more often.
const CERTAINLY_AT_HEAP_LIMIT: f64 = 0.98;

const SIGABRT: u32 = 6;
const SIGKILL: u32 = 9;

/// What is known beside the recording.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// Whether somebody holds the recording: its process lives.
    pub is_alive: bool,
    /// The system's boot now; empty where it has no name.
    pub boot_id: String,
    /// The folder of the control group of whoever asks, and how many processes of it the kernel has killed for its limit so far.
    pub kills: Option<(String, u64)>,
}

/// What `recording` says of the end of a life.
pub fn judge(recording: &Recording, surroundings: &Surroundings) -> Finding {
    let life = recording.life();
    let series = series(recording);
    let level = Level::of(recording);
    let case = Case { recording, surroundings, level: level.as_ref(), growth: growth(&series) };
    let mut evidence = Vec::new();
    let (cause, ended_at) = case.cause(&life.ended, &mut evidence);
    if cause.kind.is_bad() {
        case.add_growth(&mut evidence);
    }
    case.add_damage(&mut evidence);
    let (culprits, culprits_from) = recorded_culprits(recording).unwrap_or_default();
    let header = &recording.header;
    Finding {
        schema_version: SCHEMA_VERSION,
        file: String::new(),
        pid: header.pid,
        thread_id: header.thread_id,
        node: header.node.clone(),
        title: header.title.clone(),
        started_at: life.started_at,
        last_seen_at: life.last_seen,
        ended_at,
        interval_ms: header.interval.as_millis(),
        cause,
        evidence,
        growth: case.growth,
        last: last(recording, level.as_ref()),
        verdict: recording
            .last_verdict()
            .map(|judgement| VerdictRecord::new(&judgement.verdict, judgement.confirmed_by.as_ref())),
        exception: recording.exception.as_ref().map(|exception| ExceptionRecord {
            at: exception.at,
            origin: exception.origin.clone(),
            text: exception.text.clone(),
        }),
        culprits,
        culprits_from,
        summary: recording.summary.as_ref().and_then(|stored| serde_json::from_str(&stored.text).ok()),
        events: events(recording),
        series,
        damage: recording
            .damage
            .iter()
            .map(|d| DamageRecord { part: d.part.to_owned(), offset: d.offset, torn: d.torn, lost: d.lost })
            .collect(),
    }
}

/// What is kept of a report in a recording, at the least.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shortened {
    reported_at: Option<UnixMillis>,
    reason: Option<String>,
    culprits: Vec<ReportedCulprit>,
}

/// The culprits of the report in the recording; nothing where it names none.
fn recorded_culprits(recording: &Recording) -> Option<(Vec<ReportedCulprit>, Option<CulpritSource>)> {
    let report: Shortened = serde_json::from_str(&recording.report.as_ref()?.text).ok()?;
    let Shortened { reported_at, reason, culprits } = report;
    let reason = reason.unwrap_or_else(|| "verdict".to_owned());
    let from = CulpritSource { file: None, reported_at, reason };
    (!culprits.is_empty()).then_some((culprits, Some(from)))
}

/// What a judgement rests on.
struct Case<'a> {
    recording: &'a Recording,
    surroundings: &'a Surroundings,
    level: Option<&'a Level>,
    growth: Growth,
}

fn certain(text: impl Into<String>) -> Claim {
    Claim { certainty: Certainty::Certain, text: text.into() }
}

fn inferred(text: impl Into<String>) -> Claim {
    Claim { certainty: Certainty::Inferred, text: text.into() }
}

fn size(figure: Bytes) -> String {
    bytes(figure.0 as f64)
}

impl Case<'_> {
    /// Of what it ended, and when, where that was recorded.
    fn cause(&self, ended: &Ended, evidence: &mut Vec<Claim>) -> (Cause, Option<UnixMillis>) {
        if self.surroundings.is_alive {
            evidence.push(certain("somebody holds a lock on the recording: the process is being recorded"));
            return (plain(CauseKind::Running, "it lives"), None);
        }
        match ended {
            Ended::Clean(end) => (orderly(end, evidence), Some(end.at)),
            Ended::Uncaught { exception, end, words } => {
                let at = end.map(|end| end.at).or(words.map(|words| words.at));
                (uncaught(exception, *end, *words, evidence), at)
            }
            Ended::HeapLimit { at, incident, words, end } => {
                let over = words.map(|words| words.at).or(end.map(|end| end.at));
                (self.heap_limit(*at, incident, *words, *end, evidence), over)
            }
            Ended::Signal(words) => (self.signal(words, evidence), Some(words.at)),
            Ended::Asked(words) => (self.asked(words, evidence), Some(words.at)),
            Ended::ContainerLimit { .. } | Ended::Unknown => (self.killed(evidence), None),
        }
    }

    fn heap_limit(
        &self,
        at: UnixMillis,
        incident: &Incident,
        words: Option<Words>,
        end: Option<End>,
        evidence: &mut Vec<Claim>,
    ) -> Cause {
        evidence.push(certain(format!(
            "V8 said at {} that the heap was at its limit: {} of {}",
            at,
            size(incident.used),
            size(incident.limit)
        )));
        if incident.raised_to > incident.limit {
            evidence.push(certain(format!(
                "the limit was raised to {} for the time left",
                size(incident.raised_to)
            )));
        }
        let certainty = match (words, end) {
            (Some(words), _) => {
                evidence.push(certain(said(&words)));
                if words.signal == SIGABRT { Certainty::Certain } else { Certainty::Inferred }
            }
            (None, Some(end)) => {
                evidence.push(certain(format!(
                    "then the {} ended{}",
                    self.what_it_is(),
                    code_in_words(&end)
                )));
                Certainty::Certain
            }
            (None, None) => {
                evidence.push(inferred(
                    "no signal was recorded after that: it was killed before V8 gave up, or with it",
                ));
                Certainty::Inferred
            }
        };
        let signal = words.map(|words| words.signal);
        Cause {
            kind: CauseKind::HeapLimit,
            certainty,
            what: format!("the heap came to V8's limit of {}", size(incident.limit)),
            exit_code: signal.map(exit_code).or(end.and_then(|end| end.exit_code)),
            signal: signal.map(signal_name),
        }
    }

    fn what_it_is(&self) -> &'static str {
        if self.recording.header.thread_id == 0 { "process" } else { "worker" }
    }

    /// Ended by a fatal signal, and V8 had not said before that its heap was at the limit.
    fn signal(&self, words: &Words, evidence: &mut Vec<Claim>) -> Cause {
        evidence.push(certain(said(words)));
        let at_limit = self.heap_share().filter(|share| words.signal == SIGABRT && *share >= AT_HEAP_LIMIT);
        if let Some(share) = at_limit {
            evidence.push(certain(format!(
                "the heap stood at {:.0} % of V8's limit of {} at the last sample",
                100.0 * share,
                size(self.heap_limit_bytes())
            )));
            evidence.push(inferred("V8 aborts where its heap is at the limit"));
        }
        let (kind, certainty, what) = match at_limit {
            Some(_) => {
                let what = format!("the heap came to V8's limit of {}", size(self.heap_limit_bytes()));
                (CauseKind::HeapLimit, Certainty::Inferred, what)
            }
            None => {
                (CauseKind::FatalError, Certainty::Certain, format!("{} ended it", signal_name(words.signal)))
            }
        };
        Cause {
            kind,
            certainty,
            what,
            exit_code: Some(exit_code(words.signal)),
            signal: Some(signal_name(words.signal)),
        }
    }

    /// Ended because somebody wanted it to.
    fn asked(&self, words: &Words, evidence: &mut Vec<Claim>) -> Cause {
        evidence.push(certain(said(words)));
        let signal = signal_name(words.signal);
        if self.recording.life().last_seen > words.at {
            evidence.push(certain(format!("it was seen for some time after {signal}")));
            let what = format!("{signal} was to end it, and it ended later or was killed");
            return Cause { certainty: Certainty::Inferred, ..plain(CauseKind::Terminated, &what) };
        }
        Cause {
            exit_code: Some(exit_code(words.signal)),
            signal: Some(signal.clone()),
            ..plain(CauseKind::Terminated, &format!("{signal} ended it"))
        }
    }

    /// Ended without a word.
    fn killed(&self, evidence: &mut Vec<Claim>) -> Cause {
        evidence
            .push(certain("no end was recorded: no exit, no exception, no fatal signal that can be caught"));
        let boot = (&self.recording.header.boot_id, &self.surroundings.boot_id);
        let rebooted = !boot.0.is_empty() && !boot.1.is_empty() && boot.0 != boot.1;
        if rebooted {
            evidence.push(certain("the machine was started anew since then: it may have ended with it"));
        }
        let killed_beside = self.add_container(evidence);
        let is_near = self.level.is_some_and(Level::is_near);
        if let Some(level) = self.level.filter(|_| !rebooted && (is_near || killed_beside)) {
            let certainty = if is_near && killed_beside { Certainty::Certain } else { Certainty::Inferred };
            let text =
                "the kernel killed it with SIGKILL, which nobody can catch, to stay within the limit".into();
            evidence.push(Claim { certainty, text });
            return Cause {
                certainty,
                ..killed_of(
                    CauseKind::ContainerLimit,
                    format!("the container came to its memory limit of {}", size(level.limit)),
                )
            };
        }
        if let Some(share) = self.heap_share().filter(|share| *share >= CERTAINLY_AT_HEAP_LIMIT) {
            evidence.push(certain(format!(
                "the heap stood at {:.0} % of V8's limit at the last sample",
                100.0 * share
            )));
            return Cause {
                kind: CauseKind::HeapLimit,
                certainty: Certainty::Inferred,
                what: format!("the heap came to V8's limit of {}", size(self.heap_limit_bytes())),
                exit_code: None,
                signal: None,
            };
        }
        if self.growth.kind == GrowthKind::Native && !rebooted {
            evidence.push(inferred("a process that grows outside of its heap ends by the machine's memory, or by an allocation that fails"));
            return killed_of(
                CauseKind::NativeGrowth,
                "it grew outside of V8's heap until it was killed".to_owned(),
            );
        }
        let what = if rebooted {
            "it was killed, or ended with the machine"
        } else {
            "it was killed from outside; nothing in the recording says why"
        };
        killed_of(CauseKind::Killed, what.to_owned())
    }

    /// Says how full the container was; gives whether the kernel has killed a process of it since.
    fn add_container(&self, evidence: &mut Vec<Claim>) -> bool {
        let Some(level) = self.level else { return false };
        let before = self.recording.last_sample().map_or(level.at, |sample| sample.reading.at).max(level.at);
        let ago = spent(before.0.saturating_sub(level.at.0) as f64);
        evidence.push(certain(format!(
            "the container held {} of {} ({:.0} %) when it was looked at last{}",
            size(level.held),
            size(level.limit),
            100.0 * level.share(),
            if before == level.at { String::new() } else { format!(", {ago} before the last record") },
        )));
        if level.in_danger {
            evidence.push(certain("an incident was under way: the limit was near, and not over"));
        }
        let since = level
            .group
            .as_ref()
            .zip(self.surroundings.kills.as_ref())
            .and_then(|(then, now)| (then.0 == now.0 && then.1 < now.1).then(|| now.1 - then.1));
        if let Some(count) = since {
            let processes = if count == 1 { "process" } else { "processes" };
            evidence.push(certain(format!(
                "since then the kernel has killed {count} {processes} of this container for its limit"
            )));
        }
        since.is_some()
    }

    fn add_growth(&self, evidence: &mut Vec<Claim>) {
        let Growth { kind, rss_bytes, heap_bytes, external_bytes, over_ms } = self.growth;
        let of_which = format!(
            "the heap by {}, what its objects hold outside by {}",
            bytes(heap_bytes as f64),
            bytes(external_bytes as f64)
        );
        let grew = format!(
            "in the last {} the resident set grew by {}",
            spent(over_ms as f64),
            bytes(rss_bytes as f64)
        );
        match kind {
            GrowthKind::None => {}
            GrowthKind::Heap => evidence.push(certain(format!("{grew}: {of_which}"))),
            GrowthKind::External => evidence.push(certain(format!("{grew}, most of it buffers: {of_which}"))),
            GrowthKind::Native => {
                evidence.push(certain(format!("{grew}: {of_which}")));
                evidence.push(inferred("native memory grew: a heap snapshot would not have shown it"));
            }
        }
    }

    fn add_damage(&self, evidence: &mut Vec<Claim>) {
        for damage in &self.recording.damage {
            let what = match damage.part {
                "file" => "the file is cut off".to_owned(),
                part => format!("{} torn and {} lost in its {part}", damage.torn, damage.lost),
            };
            evidence.push(certain(format!("the recording is not whole: {what} (at byte {})", damage.offset)));
        }
    }

    /// The larger of used heap and floor as a share of V8's limit at the last sample.
    fn heap_share(&self) -> Option<f64> {
        let reading = self.recording.last_sample()?.reading;
        let used = reading.heap.used.max(reading.floor.unwrap_or_default());
        let limit = self.heap_limit_bytes();
        (limit.0 > 0).then(|| used.0 as f64 / limit.0 as f64)
    }

    fn heap_limit_bytes(&self) -> Bytes {
        let last = self.recording.last_sample().map(|sample| sample.reading.heap.limit);
        last.filter(|limit| limit.0 > 0).unwrap_or(self.recording.header.heap_limit)
    }
}

fn plain(kind: CauseKind, what: &str) -> Cause {
    Cause { kind, certainty: Certainty::Certain, what: what.to_owned(), exit_code: None, signal: None }
}

/// The cause of a death by a SIGKILL that nobody saw.
fn killed_of(kind: CauseKind, what: String) -> Cause {
    Cause {
        kind,
        certainty: Certainty::Inferred,
        what,
        exit_code: Some(exit_code(SIGKILL)),
        signal: Some(signal_name(SIGKILL)),
    }
}

fn orderly(end: &End, evidence: &mut Vec<Claim>) -> Cause {
    let (kind, what) = match (end.kind, end.exit_code) {
        (EndKind::Exit, None | Some(0)) => (CauseKind::CleanExit, "it came to its end".to_owned()),
        (EndKind::Exit, Some(code)) => (CauseKind::Exit, format!("it exited with code {code}")),
        (EndKind::Teardown, _) => (CauseKind::Terminated, "its environment was taken down".to_owned()),
        (EndKind::Stopped, _) => {
            (CauseKind::Stopped, "recording was stopped; what became of it is not known".to_owned())
        }
    };
    evidence.push(certain(format!("the end was recorded at {}{}", end.at, code_in_words(end))));
    Cause { exit_code: end.exit_code, ..plain(kind, &what) }
}

fn code_in_words(end: &End) -> String {
    end.exit_code.map_or(String::new(), |code| format!(", with exit code {code}"))
}

fn uncaught(
    exception: &Exception,
    end: Option<End>,
    words: Option<Words>,
    evidence: &mut Vec<Claim>,
) -> Cause {
    let name = match exception.origin.as_str() {
        "unhandledRejection" if is_of_the_top(&exception.text) => {
            "an exception or a rejection that nobody handled"
        }
        "unhandledRejection" => "a rejection that nobody handled",
        _ => "an exception that nobody caught",
    };
    let first = exception.text.lines().next().unwrap_or_default();
    evidence.push(certain(format!("{name} was recorded at {}: {first}", exception.at)));
    if let Some(words) = &words {
        evidence.push(certain(said(words)));
    }
    if let Some(end) = &end {
        evidence.push(certain(format!("the end was recorded at {}{}", end.at, code_in_words(end))));
    }
    let signal = words.map(|words| words.signal);
    Cause {
        exit_code: signal.map(exit_code).or(end.and_then(|end| end.exit_code)),
        signal: signal.map(signal_name),
        ..plain(CauseKind::UncaughtException, &format!("{name}: {first}"))
    }
}

/// Whether it came up while a module was being run. With `--import`, and for ES modules always, Node does that in a promise, and tells what is
/// thrown there as a rejection that nobody handled: the two cannot be told apart.
fn is_of_the_top(text: &str) -> bool {
    text.contains("at Module._compile (") || text.contains("at ModuleJob.run (")
}

/// What a signal's record says.
fn said(words: &Words) -> String {
    let by = match (words.code > 0, words.sender) {
        (true, _) => format!("raised by the processor at address {:#x}", words.address),
        (false, 0) => "sent by nobody who is known".to_owned(),
        (false, sender) => format!("sent by process {sender}"),
    };
    let waited = if words.waited_ms > 0 {
        format!(
            "; its death was put off for {} so that a report could be written",
            spent(words.waited_ms as f64)
        )
    } else {
        String::new()
    };
    format!("{} was recorded at {}, {by}{waited}", signal_name(words.signal), words.at)
}

/// As a shell or a container's runtime tells it.
fn exit_code(signal: u32) -> i32 {
    128 + signal.min(127) as i32
}

fn signal_name(signal: u32) -> String {
    crate::recorder::signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
