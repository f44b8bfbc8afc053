//! The report of a leak.

use serde::{Deserialize, Serialize};

use super::verdict::VerdictRecord;
use crate::analysis::{ConstructorDelta, Culprit, Decision, Location};
use crate::units::{Bytes, UnixMillis};

/// Version of [`LeakReport`]'s shape; raised when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// What is told of a leak: the claim, its numbers, and who is to blame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeakReport {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What it was made for.
    #[serde(default)]
    pub reason: Reason,
    /// When the report was made.
    pub reported_at: UnixMillis,
    /// The process.
    pub pid: u32,
    /// The thread: 0 for the main one, a worker's `threadId` otherwise.
    pub thread_id: u32,
    /// Version of Node, as `process.version`.
    pub node: String,
    /// The machine's name, of a container its own: tells processes apart that have one number. Not in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The claim; at the heap's limit what was last said, whatever it was.
    pub verdict: VerdictRecord,
    /// Where the heap stood; there for [`Reason::HeapLimit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap_limit: Option<HeapLimitRecord>,
    /// How full the container was; there for [`Reason::ContainerLimit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_limit: Option<ContainerLimitRecord>,
    /// Causes, largest first; empty where no evidence could be taken.
    pub culprits: Vec<ReportedCulprit>,
    /// Classes that grew most.
    pub constructors: Vec<ConstructorDelta>,
    /// Constructors with more objects than at the baseline, most growth first: where there was no memory for a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub census: Option<Vec<Grown>>,
    /// Which route's requests leave the growth behind; not there where no requests of routes are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<RouteNote>,
    /// Where what survives was allocated, largest growth first; empty unless sampled.
    pub allocation_sites: Vec<AllocationSite>,
    /// Snapshot files that were kept.
    pub files: Vec<String>,
    /// How long the evidence stopped the process, in milliseconds.
    pub pause_ms: f64,
    /// How the evidence was taken.
    pub evidence: EvidenceNote,
}

/// What a report was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The counters, or looks at the heap, have proven a leak.
    #[default]
    Verdict,
    /// The heap came to its limit.
    HeapLimit,
    /// The container came near its limit.
    ContainerLimit,
}

/// A container near its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerLimitRecord {
    /// What it held that the kernel cannot take back.
    pub used_bytes: Bytes,
    /// The limit.
    pub limit_bytes: Bytes,
}

/// A heap at its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeapLimitRecord {
    /// Used on the heap.
    pub used_bytes: Bytes,
    /// The limit that it came to.
    pub limit_bytes: Bytes,
    /// The limit that it got so that the process can be drained; the same where V8 had given up already.
    pub raised_to_bytes: Bytes,
}

/// A cause, with what is known of it beyond this heap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedCulprit {
    /// The cause.
    #[serde(flatten)]
    pub culprit: Culprit,
    /// When a report beside this one told of the same fingerprint first; this report's time where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<UnixMillis>,
    /// The leak of a published package that it is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<KnownLeak>,
}

impl From<Culprit> for ReportedCulprit {
    fn from(culprit: Culprit) -> Self {
        Self { culprit, first_seen: None, known: None }
    }
}

/// A leak that a published package is known to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownLeak {
    /// The package.
    pub package: String,
    /// The version that is installed; nothing where only the fingerprint told.
    pub version: Option<String>,
    /// The first version without the leak; nothing where there is none yet.
    pub fixed_in: Option<String>,
    /// The public issue, `owner/repository#number` or a URL.
    pub reference: String,
}

/// How the evidence behind a report was taken, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceNote {
    /// `clone`, `inline`, or `none`.
    pub mode: String,
    /// What was looked at: `snapshot`, `census`, or `none`.
    #[serde(default)]
    pub rung: Option<String>,
    /// Why there is none, or why it is not what it could be.
    pub reason: Option<String>,
    /// When the heap was looked at first.
    pub baseline_at: Option<UnixMillis>,
    /// How the objects of both looks were matched.
    pub matched_by: Option<String>,
    /// Why they were not matched by object id; nothing where they were.
    #[serde(default)]
    pub matched_by_reason: Option<String>,
    /// Where heap figures come from: `bridge`, or `node:v8`.
    pub heap_source: String,
    /// Why no allocation sites are told; nothing where some are.
    #[serde(default)]
    pub allocation_sites_reason: Option<String>,
    /// When sampling ended.
    #[serde(default)]
    pub allocation_sites_at: Option<UnixMillis>,
    /// The rungs that were taken for this report, in their order.
    #[serde(default)]
    pub ladder: Vec<Rung>,
    /// What a second look decided; nothing where the first left no doubt.
    #[serde(default)]
    pub confirmation: Option<Confirmation>,
}

/// A step of the ladder, with what it cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rung {
    /// `counters`, `census`, `graph`, or `confirmation`.
    pub rung: String,
    /// `clone`, or `inline`.
    pub mode: String,
    /// When it was taken.
    pub at: UnixMillis,
    /// How long the thread stood still for it, in milliseconds.
    pub pause_ms: f64,
    /// How long it took.
    pub duration_ms: f64,
    /// The clone's processor time; nothing where it is not known.
    pub cpu_ms: Option<f64>,
    /// The most memory that the clone had to itself; likewise.
    pub peak_bytes: Option<u64>,
    /// What asked for it.
    pub why: String,
}

/// A second look at what the first left in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmation {
    /// What the doubt was.
    pub why: String,
    /// Why there was no second look; nothing where there was.
    pub reason: Option<String>,
    /// When it was taken.
    pub at: Option<UnixMillis>,
    /// How long after the first, in milliseconds.
    pub after_ms: Option<u64>,
    /// What was decided of each culprit.
    pub decisions: Vec<Decision>,
}

/// A place in the program whose allocations survive, as sampled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AllocationSite {
    /// The innermost function on the stack that is not Node's own; empty where it has no name.
    pub function_name: String,
    /// Where that function begins.
    pub location: Option<Location>,
    /// The stack, innermost first, Node's own functions left out.
    pub stack: Vec<Frame>,
    /// Bytes alive at the last look, of those allocated since sampling began; an estimate.
    pub live_bytes: u64,
    /// Objects alive at the last look; an estimate, rougher than that of the bytes.
    pub live_count: u64,
    /// How much more is alive at the last look than at the first.
    pub growth_bytes: i64,
    /// At how many looks, each after another major collection, some of it was alive.
    pub looks: u32,
}

/// A function on a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Frame {
    /// Empty where it has none.
    pub function_name: String,
    /// Where it begins.
    pub location: Option<Location>,
}

/// Objects of one constructor, by a census.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grown {
    /// The constructor.
    pub constructor_name: String,
    /// How many are alive.
    pub count: u64,
    /// How many more that are than at the baseline.
    pub count_delta: i64,
}

/// What the floors say of the routes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteNote {
    /// The one route that the growth comes from; nothing where none is named.
    pub leak: Option<LeakingRoute>,
    /// Why none is named; nothing where one is.
    pub reason: Option<String>,
    /// How many floors, or means of some that follow each other, it rests on.
    pub floors: u64,
}

/// A route whose requests leave something behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeakingRoute {
    /// Method and pattern: `GET /users/:id`.
    pub route: String,
    /// What each request leaves behind.
    pub bytes_per_request: f64,
    /// An interval that holds it with 95 % confidence.
    pub interval_bytes_per_request: [f64; 2],
    /// Its requests over the floors.
    pub requests: u64,
    /// The part of the floor's growth that this is.
    pub share: f64,
}
