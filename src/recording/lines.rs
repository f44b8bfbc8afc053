//! A recording as text: a line of JSON for each record, after a header. The format is described in `docs/series.md`.

use serde::{Deserialize, Serialize};

use super::{Record, Recording};
use crate::sample::{AfterGc, GcKind, GcTotals, HeapFigures, Load, ProcessFigures, Reading, Sample};
use crate::units::{Bytes, Micros, UnixMillis};

/// What `format` says in the first line.
pub const FORMAT: &str = "heapwarden-series";
/// The version of the format that is written, and the only one that is read.
pub const VERSION: u64 = 1;

/// The first line: whose record it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u64,
    /// Time between two samples.
    pub interval_ms: Millis,
    /// The process.
    pub pid: u32,
    /// Its thread: 0 for the main one.
    pub thread_id: u32,
    /// `process.version`.
    pub node: String,
    /// Records that had to go to make room: with any, the record does not begin where the judging did.
    pub dropped: u64,
}

/// A span in JSON: milliseconds with their fraction. Exact for spans of less than thirty years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Millis(pub Micros);

impl Serialize for Millis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.0.is_multiple_of(1000) {
            return serializer.serialize_u64(self.0.0 / 1000);
        }
        serializer.serialize_f64(self.0.as_millis())
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ms = f64::deserialize(deserializer)?;
        Ok(Self(Micros((ms * 1e3).round() as u64)))
    }
}

/// Any line after the header.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    t: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<SampleLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gc: Option<GcName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum GcName {
    Major,
    Minor,
}

/// A sample; what is missing is 0, or unknown where that can be.
#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct SampleLine {
    heap_used: Bytes,
    heap_total: Bytes,
    external: Bytes,
    array_buffers: Bytes,
    heap_limit: Bytes,
    heap_age_ms: Millis,
    rss: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_limit: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_used: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    native_in_use: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post_gc_floor: Option<Bytes>,
    /// Since the sample before.
    since: Counters,
    /// Since counting began.
    total: Counters,
}

/// What counts on.
#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Counters {
    minor: u64,
    major: u64,
    pause_ms: Millis,
    cpu_ms: Millis,
    allocated: Bytes,
    requests: u64,
}

impl Counters {
    fn new(gc: GcTotals, load: Load, cpu: Micros) -> Self {
        Self {
            minor: gc.minor,
            major: gc.major,
            pause_ms: Millis(gc.pause),
            cpu_ms: Millis(cpu),
            allocated: load.allocated,
            requests: load.requests,
        }
    }

    fn gc(&self) -> GcTotals {
        GcTotals { minor: self.minor, major: self.major, pause: self.pause_ms.0 }
    }

    fn load(&self) -> Load {
        Load { allocated: self.allocated, requests: self.requests }
    }
}

impl From<&Record> for Line {
    fn from(record: &Record) -> Self {
        let empty =
            |t: UnixMillis| Self { t: t.0, sample: None, gc: None, used: None, external: None, event: None };
        match record {
            Record::Sample(sample) => {
                Self { sample: Some(SampleLine::from(sample)), ..empty(sample.reading.at) }
            }
            Record::Gc(gc) => Self {
                gc: Some(if gc.kind == GcKind::Major { GcName::Major } else { GcName::Minor }),
                used: Some(gc.used.0),
                external: Some(gc.external.0),
                ..empty(gc.at)
            },
            Record::Restart(at) => Self { event: Some(RESTART.to_owned()), ..empty(*at) },
        }
    }
}

const RESTART: &str = "restart";

impl From<&Sample> for SampleLine {
    fn from(sample: &Sample) -> Self {
        let Sample { reading, gc, load, cpu } = sample;
        let Reading { heap, process, .. } = reading;
        Self {
            heap_used: heap.used,
            heap_total: heap.total,
            external: heap.external,
            array_buffers: heap.array_buffers,
            heap_limit: heap.limit,
            heap_age_ms: Millis(reading.heap_age),
            rss: process.rss,
            container_limit: process.container_limit,
            container_used: process.container_used,
            native_in_use: process.native_in_use,
            post_gc_floor: reading.floor,
            since: Counters::new(*gc, *load, *cpu),
            total: Counters::new(reading.gc, reading.load, process.cpu),
        }
    }
}

impl SampleLine {
    fn sample(&self, at: UnixMillis) -> Sample {
        let heap = HeapFigures {
            used: self.heap_used,
            total: self.heap_total,
            external: self.external,
            array_buffers: self.array_buffers,
            limit: self.heap_limit,
        };
        let process = ProcessFigures {
            rss: self.rss,
            container_limit: self.container_limit,
            container_used: self.container_used,
            cpu: self.total.cpu_ms.0,
            native_in_use: self.native_in_use,
        };
        let reading = Reading {
            at,
            heap,
            heap_age: self.heap_age_ms.0,
            process,
            gc: self.total.gc(),
            load: self.total.load(),
            floor: self.post_gc_floor,
        };
        Sample { reading, gc: self.since.gc(), load: self.since.load(), cpu: self.since.cpu_ms.0 }
    }
}

/// The recording as text: the header's line, then one for each record, oldest first. About 500 bytes a sample.
///
/// # Errors
///
/// None that is known: numbers and strings can always be written.
pub fn write(header: &Header, recording: &Recording) -> serde_json::Result<String> {
    let mut text = Vec::new();
    serde_json::to_writer(&mut text, header)?;
    text.push(b'\n');
    for record in recording.records() {
        serde_json::to_writer(&mut text, &Line::from(&record))?;
        text.push(b'\n');
    }
    // JSON is UTF-8.
    Ok(String::from_utf8(text).unwrap_or_default())
}

/// The record in a line after the header; nothing where it is of a kind that this version does not know.
///
/// # Errors
///
/// What is wrong with the text, and where in it.
pub fn read(line: &[u8]) -> serde_json::Result<Option<Record>> {
    let line: Line = serde_json::from_slice(line)?;
    let at = UnixMillis(line.t);
    if let Some(sample) = line.sample {
        return Ok(Some(Record::Sample(sample.sample(at))));
    }
    let size = |bytes: Option<u64>| Bytes(bytes.unwrap_or(0));
    Ok(match (line.gc, line.event.as_deref()) {
        (Some(name), _) => {
            let kind = if matches!(name, GcName::Major) { GcKind::Major } else { GcKind::Minor };
            Some(Record::Gc(AfterGc { at, kind, used: size(line.used), external: size(line.external) }))
        }
        (None, Some(RESTART)) => Some(Record::Restart(at)),
        _ => None,
    })
}
