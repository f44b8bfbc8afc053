//! What is told of a death.

use serde::{Deserialize, Serialize};

use crate::report::{ReportedCulprit, VerdictRecord};
use crate::units::{Bytes, UnixMillis};

/// Version of [`Finding`]'s shape; raised when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// A death, or what looks like one: the claim, what it rests on, and what led to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The recording; empty where it is not in a file.
    #[serde(default)]
    pub file: String,
    /// The process.
    pub pid: u32,
    /// The thread whose heap was watched: 0 is the main thread.
    pub thread_id: u32,
    /// `process.version`.
    pub node: String,
    /// What the process was started as.
    pub title: String,
    /// When the recording began.
    pub started_at: UnixMillis,
    /// The last moment of which anything is known.
    pub last_seen_at: UnixMillis,
    /// When it ended; nothing where that was not recorded.
    pub ended_at: Option<UnixMillis>,
    /// Time between two samples, in milliseconds.
    pub interval_ms: f64,
    /// Of what.
    pub cause: Cause,
    /// What that rests on.
    pub evidence: Vec<Claim>,
    /// What grew in the last minutes.
    pub growth: Growth,
    /// The last figures.
    pub last: Option<Figures>,
    /// The verdict at the end.
    pub verdict: Option<VerdictRecord>,
    /// The exception that nobody caught.
    pub exception: Option<ExceptionRecord>,
    /// Who is to blame, as the last report has it.
    pub culprits: Vec<ReportedCulprit>,
    /// Where the culprits come from; nothing where there are none.
    pub culprits_from: Option<CulpritSource>,
    /// What the heap held by the last summary in the recording, as it stands there.
    #[serde(default)]
    pub summary: Option<serde_json::Value>,
    /// What happened, oldest first.
    pub events: Vec<Moment>,
    /// The last minutes, oldest first.
    pub series: Vec<SeriesPoint>,
    /// What of the recording is not whole.
    pub damage: Vec<DamageRecord>,
}

impl Finding {
    /// Whether somebody should be told: the life did not end as its program meant it to.
    pub fn is_bad(&self) -> bool {
        self.cause.kind.is_bad()
    }
}

/// What a life ended of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// Its kind.
    pub kind: CauseKind,
    /// How certain that is.
    pub certainty: Certainty,
    /// The cause in words.
    pub what: String,
    /// The exit code, as a shell or a container's runtime tells it: 128 and the signal's number for a signal. Nothing where it is not known.
    pub exit_code: Option<i32>,
    /// The signal; nothing where there was none.
    pub signal: Option<String>,
}

/// Kinds of ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CauseKind {
    /// It lives.
    Running,
    /// With exit code 0.
    CleanExit,
    /// With another exit code, which the program chose.
    Exit,
    /// Recording was stopped; what became of the process is not known.
    Stopped,
    /// A worker was terminated.
    Terminated,
    /// At V8's heap limit.
    HeapLimit,
    /// At the control group's memory limit.
    ContainerLimit,
    /// Without a word, while memory grew that V8 knows nothing of.
    NativeGrowth,
    /// By a fatal signal.
    FatalError,
    /// By an exception that nobody caught.
    UncaughtException,
    /// Without a word: killed from outside, for a reason that is not known.
    Killed,
}

impl CauseKind {
    /// Whether such an end is worth telling somebody.
    pub fn is_bad(self) -> bool {
        !matches!(self, Self::Running | Self::CleanExit | Self::Exit | Self::Stopped | Self::Terminated)
    }
}

/// How certain something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// The process, or the kernel, said so.
    Certain,
    /// It follows from figures.
    Inferred,
}

/// Something that is known, and how certain it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// How certain.
    pub certainty: Certainty,
    /// What.
    pub text: String,
}

/// What grew from the beginning to the end of [`Finding::series`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Growth {
    /// Which memory.
    pub kind: GrowthKind,
    /// By how much the resident set grew.
    pub rss_bytes: i64,
    /// The heap: what collections leave where that is known, else the used heap.
    pub heap_bytes: i64,
    /// Memory outside the heap that its objects hold.
    pub external_bytes: i64,
    /// In what time, in milliseconds.
    pub over_ms: u64,
}

/// Which memory grew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrowthKind {
    /// None that matters, or too few samples to tell.
    None,
    /// Objects on the heap.
    Heap,
    /// Buffers, mostly.
    External,
    /// Memory that V8 knows nothing of.
    Native,
}

/// The last figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// When they were read.
    pub at: UnixMillis,
    /// Used heap.
    pub heap_used_bytes: Bytes,
    /// How old that figure is: more than some milliseconds where the program did not let go of its thread.
    pub heap_age_ms: f64,
    /// V8's heap limit.
    pub heap_limit_bytes: Bytes,
    /// What the last major collection left.
    pub floor_bytes: Option<Bytes>,
    /// Memory outside the heap that its objects hold.
    pub external_bytes: Bytes,
    /// Resident set.
    pub rss_bytes: Bytes,
    /// What the container held that the kernel cannot take back.
    pub container_held_bytes: Option<Bytes>,
    /// The container's limit.
    pub container_limit_bytes: Option<Bytes>,
}

/// An exception that nobody caught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionRecord {
    /// When.
    pub at: UnixMillis,
    /// `uncaughtException`, or `unhandledRejection`.
    pub origin: String,
    /// Its stack.
    pub text: String,
}

/// Where culprits come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CulpritSource {
    /// The report's file; nothing where it stood in the recording.
    pub file: Option<String>,
    /// When it was made.
    pub reported_at: Option<UnixMillis>,
    /// What for: `verdict`, `heap-limit` or `container-limit`.
    pub reason: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub at: UnixMillis,
    /// What it is about.
    pub kind: MomentKind,
    /// In words.
    pub text: String,
}

/// What a moment is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MomentKind {
    /// Another verdict.
    Verdict,
    /// A threshold was crossed.
    Threshold,
    /// A limit came near.
    Incident,
    /// The heap was looked at.
    Capture,
    /// An exception that nobody caught.
    Exception,
    /// Something else.
    Note,
}

/// The figures of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeriesPoint {
    /// When.
    pub at: UnixMillis,
    /// Used heap.
    pub heap_used: Bytes,
    /// What the last major collection left.
    pub floor: Option<Bytes>,
    /// Memory outside the heap that its objects hold.
    pub external: Bytes,
    /// Resident set.
    pub rss: Bytes,
}

/// A part of the recording that is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamageRecord {
    /// Which.
    pub part: String,
    /// Where reading stopped, in bytes from the start of the file.
    pub offset: u64,
    /// How many places hold something that is no whole record.
    pub torn: u64,
    /// How many whole records are not told for it.
    pub lost: u64,
}
