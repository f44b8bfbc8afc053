//! Recorded series, judged again by the detector that runs in production.
//!
//! ```text
//!  text ── Lines ──┬─ header, records (our own export) ──┐
//!                  └─ a columnar trace a line ───────────┴──> Trial: Interval -> Detector -> Alerter ──> TraceResult
//! ```
//!
//! Both formats are described in `docs/series.md`.

mod columnar;
mod lines;
mod timing;
mod trial;

pub use timing::Timing;
pub use trial::{Change, TraceResult};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::recording::Record;
use crate::recording::lines::{FORMAT, Header, VERSION, read};
use lines::{Line, Lines};
use serde::de::IgnoredAny;
use trial::{Clock, Trial};

/// Strictness that means anything: beyond it everything or nothing is a leak.
pub const STRICTNESS: std::ops::RangeInclusive<f64> = 0.1..=10.0;

/// How the detector is to judge, and what a replay is to tell beside the verdicts.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Settings {
    /// Every change of a verdict, with its evidence.
    pub explain: bool,
    /// How long the detector took.
    pub timing: bool,
    /// What the detector asks for, as a multiple of what it asks for in production; within [`STRICTNESS`].
    pub strictness: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { explain: false, timing: false, strictness: 1.0 }
    }
}

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// One for each trace, in the order of the input.
    pub traces: Vec<TraceResult>,
    /// Where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
}

/// A replay under way: fed with text in pieces of any length.
///
/// Memory: the longest line, what is told of the traces so far, and one detector.
pub struct Replay {
    lines: Lines,
    judging: Judging,
}

/// All but the lines, so that both can be used at a time.
struct Judging {
    settings: Settings,
    timing: Timing,
    /// The series whose records are being read.
    current: Option<Trial>,
    traces: Vec<TraceResult>,
}

impl Replay {
    /// A replay that has read nothing.
    pub fn new(settings: Settings) -> Self {
        let judging = Judging { settings, timing: Timing::default(), current: None, traces: Vec::new() };
        Self { lines: Lines::default(), judging }
    }

    /// Takes the next piece of the text.
    ///
    /// # Errors
    ///
    /// `Series`, with the line and the offset in the text.
    pub fn feed(&mut self, text: &[u8]) -> Result<()> {
        let Self { lines, judging } = self;
        lines.feed(text, &mut |line| judging.line(&line))
    }

    /// Says that the text is complete; what is fed next is another one's.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn end_input(&mut self) -> Result<()> {
        let Self { lines, judging } = self;
        lines.finish(&mut |line| judging.line(&line))?;
        judging.end_series();
        Ok(())
    }

    /// What came of it.
    pub fn finish(self) -> Answer {
        let Judging { settings, timing, traces, .. } = self.judging;
        Answer { traces, timing: settings.timing.then_some(timing) }
    }
}

/// What tells the kinds of lines apart.
#[derive(Deserialize)]
struct Shape {
    format: Option<IgnoredAny>,
    cols: Option<IgnoredAny>,
    t: Option<IgnoredAny>,
}

impl Judging {
    fn line(&mut self, line: &Line<'_>) -> Result<()> {
        // Whoever derives a structure's reader accepts an array of its fields, too.
        if line.text[0] != b'{' {
            let found = format!("{:?}", char::from(line.text[0]));
            return Err(wrong(line, "a JSON object", &found));
        }
        let shape: Shape = parse(line)?;
        if shape.format.is_some() {
            return self.header(line);
        }
        if shape.cols.is_some() {
            self.end_series();
            let trace = columnar::read(line, self.traces.len())?;
            let mut trial = Trial::new(trace.id(), Clock::Trace, self.settings);
            trace.play(&mut trial, &mut self.timing);
            self.traces.push(trial.finish());
            return Ok(());
        }
        if shape.t.is_none() {
            return Err(wrong(
                line,
                "a header, a record or a columnar trace",
                "an object without format, t or cols",
            ));
        }
        let Some(trial) = &mut self.current else {
            return Err(wrong(line, "a header before the first record", "a record"));
        };
        match read(line.text).map_err(|error| not_json(line, &error))? {
            Some(Record::Sample(sample)) => trial.sample(&sample, &mut self.timing),
            Some(Record::Gc(gc)) => trial.gc(gc, &mut self.timing),
            Some(Record::Restart(at)) => trial.restart(at),
            None => {}
        }
        Ok(())
    }

    fn header(&mut self, line: &Line<'_>) -> Result<()> {
        let header: Header = parse(line)?;
        if header.format != FORMAT || header.version != VERSION {
            let found = format!("format {:?}, version {}", header.format, header.version);
            return Err(wrong(line, &format!("format {FORMAT:?}, version {VERSION}"), &found));
        }
        self.end_series();
        let id = format!("{}-{}", header.pid, header.thread_id);
        self.current = Some(Trial::new(id, Clock::Epoch(None), self.settings));
        Ok(())
    }

    fn end_series(&mut self) {
        self.traces.extend(self.current.take().map(Trial::finish));
    }
}

fn parse<T: DeserializeOwned>(line: &Line<'_>) -> Result<T> {
    serde_json::from_slice(line.text).map_err(|error| not_json(line, &error))
}

/// What the parser found wrong, and where in the whole text.
fn not_json(line: &Line<'_>, error: &serde_json::Error) -> Error {
    // It tells line and column of what it was given, which is one line of many.
    let words = error.to_string();
    let words = words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words);
    let offset = line.offset + error.column().saturating_sub(1).min(line.text.len()) as u64;
    let (expected, found) = match words.rsplit_once(", expected ") {
        Some((found, expected)) if error.is_data() => (expected, found),
        _ => ("a JSON object", words),
    };
    Error::at(series(line, expected, found), offset)
}

/// An error about the line as a whole.
fn wrong(line: &Line<'_>, expected: &str, found: &str) -> Error {
    Error::at(series(line, expected, found), line.offset)
}

fn series(line: &Line<'_>, expected: &str, found: &str) -> ErrorKind {
    ErrorKind::Series { line: line.number, expected: expected.to_owned(), found: found.to_owned() }
}

#[cfg(test)]
mod tests;
