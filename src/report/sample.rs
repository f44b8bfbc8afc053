//! A sample as JavaScript and files see it.

use serde::Serialize;

use crate::sample::Sample;
use crate::units::{Bytes, UnixMillis};

/// One sample, flat.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleRecord {
    /// When it was taken.
    pub timestamp: UnixMillis,
    /// Used V8 heap, in MiB.
    #[serde(rename = "heapUsedMB")]
    pub heap_used_mb: u64,
    /// Memory reserved for the V8 heap, in MiB.
    #[serde(rename = "heapTotalMB")]
    pub heap_total_mb: u64,
    /// Memory outside the heap that JavaScript objects hold, in MiB.
    #[serde(rename = "externalMB")]
    pub external_mb: u64,
    /// Resident set size of the process, in MiB.
    #[serde(rename = "rssMB")]
    pub rss_mb: u64,
    /// Used V8 heap.
    pub heap_used: Bytes,
    /// Memory reserved for the V8 heap.
    pub heap_total: Bytes,
    /// Memory outside the heap that JavaScript objects hold, array buffers included.
    pub external: Bytes,
    /// The part of `external` that backs array buffers and `Buffer`s.
    pub array_buffers: Bytes,
    /// Resident set size of the process.
    pub rss: Bytes,
    /// V8's heap limit.
    pub heap_limit: Bytes,
    /// The control group's limit, if there is one.
    pub container_limit: Option<Bytes>,
    /// The control group's usage, page cache included.
    pub container_used: Option<Bytes>,
    /// Used heap after the last major collection, once there was one.
    pub post_gc_floor: Option<Bytes>,
    /// How old the heap's figures are: more than some milliseconds where the JavaScript thread did not answer.
    pub heap_age_ms: f64,
    /// Collections since the sample before.
    pub gc: GcRecord,
    /// Processor time of the process since the sample before, user and system.
    pub cpu_ms: f64,
    /// Allocated on the V8 heap since the sample before.
    pub allocated_bytes: Bytes,
    /// HTTP requests that came in since the sample before.
    pub requests: u64,
}

/// Collections since the sample before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GcRecord {
    /// Young-generation collections.
    pub minor: u64,
    /// Whole-heap collections.
    pub major: u64,
    /// Time that they kept JavaScript waiting.
    pub pause_ms: f64,
}

impl From<&Sample> for SampleRecord {
    fn from(sample: &Sample) -> Self {
        let reading = &sample.reading;
        let (heap, process) = (&reading.heap, &reading.process);
        Self {
            timestamp: reading.at,
            heap_used_mb: heap.used.rounded_mib(),
            heap_total_mb: heap.total.rounded_mib(),
            external_mb: heap.external.rounded_mib(),
            rss_mb: process.rss.rounded_mib(),
            heap_used: heap.used,
            heap_total: heap.total,
            external: heap.external,
            array_buffers: heap.array_buffers,
            rss: process.rss,
            heap_limit: heap.limit,
            container_limit: process.container_limit,
            container_used: process.container_used,
            post_gc_floor: reading.floor,
            heap_age_ms: reading.heap_age.as_millis(),
            gc: GcRecord {
                minor: sample.gc.minor,
                major: sample.gc.major,
                pause_ms: sample.gc.pause.as_millis(),
            },
            cpu_ms: sample.cpu.as_millis(),
            allocated_bytes: sample.load.allocated,
            requests: sample.load.requests,
        }
    }
}
