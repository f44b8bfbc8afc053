//! A whole trace in one line, its figures in columns.

use serde::Deserialize;
use serde_json::Value;

use super::lines::Line;
use super::trial::{Trial, trace_moment};
use super::{Timing, parse, wrong};
use crate::error::Result;
use crate::sample::{AfterGc, GcKind, GcTotals, HeapFigures, Load, ProcessFigures, Reading, Sample};
use crate::units::{Bytes, Micros};

/// The trace as it stands in the line.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    id: Value,
    n: u32,
    dt: Option<f64>,
    #[serde(default)]
    limit: f64,
    unit: Option<String>,
    gc_tick: Option<f64>,
    cols: RawColumns,
    #[serde(default)]
    gc: RawGc,
    #[serde(default)]
    events: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawColumns {
    t: Option<Vec<f64>>,
    heap_used: Option<Vec<f64>>,
    heap_total: Option<Vec<f64>>,
    external: Option<Vec<f64>>,
    array_buffers: Option<Vec<f64>>,
    rss: Option<Vec<f64>>,
    alloc: Option<Vec<f64>>,
    cpu: Option<Vec<f64>>,
    req: Option<Vec<f64>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawGc {
    t: Vec<f64>,
    k: String,
    used: Vec<f64>,
    ext: Vec<f64>,
}

/// A trace, its columns summed up.
pub struct Trace {
    id: String,
    limit: Bytes,
    /// In seconds.
    times: Vec<f64>,
    heap_used: Vec<f64>,
    heap_total: Vec<f64>,
    external: Vec<f64>,
    array_buffers: Vec<f64>,
    rss: Vec<f64>,
    /// Totals, like the three above; in KiB, milliseconds and requests.
    alloc: Vec<f64>,
    cpu: Vec<f64>,
    req: Vec<f64>,
    gc: Vec<(f64, AfterGc)>,
    restarts: Vec<f64>,
}

/// Ticks of a collection's time in a second, where the trace does not say.
const GC_TICK: f64 = 10.0;

/// The trace in `line`, the one after `before` others.
pub fn read(line: &Line<'_>, before: usize) -> Result<Trace> {
    let raw: Raw = parse(line)?;
    if let Some(unit) = raw.unit.as_deref().filter(|unit| *unit != "KiB") {
        return Err(wrong(line, "unit \"KiB\"", &format!("{unit:?}")));
    }
    let n = raw.n as usize;
    let column = |name: &str, values: Option<Vec<f64>>, required: bool| match values {
        Some(values) if values.len() == n => Ok(summed(values)),
        None if !required => Ok(vec![0.0; n]),
        found => {
            let found = found.map_or_else(|| "none".to_owned(), |values| values.len().to_string());
            Err(wrong(line, &format!("{n} numbers in cols.{name}"), &found))
        }
    };
    let cols = raw.cols;
    // Checked before anything of that length is made: the line has that many numbers.
    let heap_used = column("heapUsed", cols.heap_used, true)?;
    let times = match (cols.t, raw.dt) {
        (None, Some(dt)) if dt > 0.0 => (1..=n).map(|i| i as f64 * dt).collect(),
        (Some(t), _) => column("t", Some(t), true)?.into_iter().map(|ms| ms / 1e3).collect(),
        (None, dt) => {
            return Err(wrong(line, "cols.t, or a dt above 0", &format!("{dt:?}")));
        }
    };
    let tick = raw.gc_tick.unwrap_or(GC_TICK);
    if tick <= 0.0 {
        return Err(wrong(line, "a gcTick above 0", &tick.to_string()));
    }
    Ok(Trace {
        id: match raw.id {
            Value::Null => (before + 1).to_string(),
            Value::String(id) => id,
            other => other.to_string(),
        },
        limit: kib(raw.limit),
        times,
        heap_used,
        heap_total: column("heapTotal", cols.heap_total, false)?,
        external: column("external", cols.external, false)?,
        array_buffers: column("arrayBuffers", cols.array_buffers, false)?,
        rss: column("rss", cols.rss, false)?,
        alloc: column("alloc", cols.alloc, false)?,
        cpu: column("cpu", cols.cpu, false)?,
        req: column("req", cols.req, false)?,
        gc: collections(line, raw.gc, tick)?,
        restarts: restarts(line, &raw.events)?,
    })
}

fn collections(line: &Line<'_>, gc: RawGc, tick: f64) -> Result<Vec<(f64, AfterGc)>> {
    let n = gc.t.len();
    let lengths = [("k", gc.k.len()), ("used", gc.used.len()), ("ext", gc.ext.len())];
    if let Some((name, found)) = lengths.into_iter().find(|(_, length)| *length != n) {
        return Err(wrong(line, &format!("{n} entries in gc.{name}, as in gc.t"), &found.to_string()));
    }
    let (used, external) = (summed(gc.used), summed(gc.ext));
    let times = summed(gc.t).into_iter().map(|ticks| ticks / tick);
    let kinds = gc.k.bytes().map(|k| if k == b'M' { GcKind::Major } else { GcKind::Minor });
    Ok(times
        .zip(kinds)
        .zip(used.into_iter().zip(external))
        .map(|((t, kind), (used, external))| {
            (t, AfterGc { at: trace_moment(t), kind, used: kib(used), external: kib(external) })
        })
        .collect())
}

/// When the process began anew. Other events are for whoever looks at the trace.
fn restarts(line: &Line<'_>, events: &[Value]) -> Result<Vec<f64>> {
    let mut restarts = Vec::new();
    for event in events {
        match (event.get(0).and_then(Value::as_f64), event.get(1).and_then(Value::as_str)) {
            (Some(t), Some("restart")) => restarts.push(t),
            (Some(_), Some(_)) => {}
            _ => return Err(wrong(line, "events of the form [seconds, name]", &event.to_string())),
        }
    }
    Ok(restarts)
}

/// Each value and all before it.
fn summed(mut values: Vec<f64>) -> Vec<f64> {
    let mut sum = 0.0;
    for value in &mut values {
        sum += *value;
        *value = sum;
    }
    values
}

fn kib(n: f64) -> Bytes {
    Bytes((n * 1024.0).round() as u64)
}

impl Trace {
    /// The trace's name; its number, where it has none.
    pub fn id(&self) -> String {
        self.id.clone()
    }

    /// Plays the trace to `trial` in the order of time, as its process saw it: what happened before a sample goes first, of two
    /// things at a time a restart.
    pub fn play(&self, trial: &mut Trial, timing: &mut Timing) {
        let (mut gc, mut restarts) = (self.gc.iter().peekable(), self.restarts.iter().peekable());
        // A new process counts from 0: what of the totals was another one's, and at the last sample.
        let mut last = Reading::default();
        let mut zero = Reading::default();
        let mut counted = GcTotals::default();
        let mut floor = None;
        for i in 0..self.times.len() {
            let t = self.times[i];
            loop {
                let (next_gc, next_restart) = (gc.peek().map(|(t, _)| *t), restarts.peek().map(|t| **t));
                let (next_gc, next_restart) =
                    (next_gc.unwrap_or(f64::INFINITY), next_restart.unwrap_or(f64::INFINITY));
                // Not a number stands nowhere in time: it is told before the next sample.
                if next_gc.min(next_restart) >= t {
                    break;
                }
                if next_restart <= next_gc {
                    restarts.next();
                    trial.restart(trace_moment(next_restart));
                    (zero, counted, floor) = (self.totals(i.wrapping_sub(1)), GcTotals::default(), None);
                    last = Reading::default();
                } else if let Some((_, after)) = gc.next() {
                    match after.kind {
                        GcKind::Major => (counted.major, floor) = (counted.major + 1, Some(after.used)),
                        _ => counted.minor += 1,
                    }
                    trial.gc(*after, timing);
                } else {
                    break;
                }
            }
            let totals = self.totals(i);
            let reading = Reading {
                gc: counted,
                load: totals.load.since(zero.load),
                process: ProcessFigures {
                    cpu: Micros(totals.process.cpu.0.saturating_sub(zero.process.cpu.0)),
                    ..totals.process
                },
                floor,
                ..totals
            };
            let sample = Sample {
                reading,
                gc: counted.since(last.gc),
                load: reading.load.since(last.load),
                cpu: Micros(reading.process.cpu.0.saturating_sub(last.process.cpu.0)),
            };
            last = reading;
            trial.sample(&sample, timing);
        }
    }

    /// The reading at sample `i`, with what was counted since the trace began; zeros before the first.
    fn totals(&self, i: usize) -> Reading {
        let Some(&t) = self.times.get(i) else { return Reading::default() };
        let heap = HeapFigures {
            used: kib(self.heap_used[i]),
            total: kib(self.heap_total[i]),
            external: kib(self.external[i]),
            array_buffers: kib(self.array_buffers[i]),
            limit: self.limit,
        };
        let process = ProcessFigures {
            rss: kib(self.rss[i]),
            cpu: Micros((self.cpu[i] * 1e3).round() as u64),
            ..ProcessFigures::default()
        };
        let load = Load { allocated: kib(self.alloc[i]), requests: self.req[i].round() as u64 };
        Reading { at: trace_moment(t), heap, process, load, ..Reading::default() }
    }
}
