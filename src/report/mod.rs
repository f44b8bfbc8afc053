//! What leaves the core: serialisable records and reports, their text, and the files they go to.

pub(crate) mod block;
mod check;
pub(crate) mod figures;
mod file;
mod leak;
mod look;
mod sample;
mod text;
mod verdict;

pub use check::{LeakCheck, render_check};
pub use file::{AtomicFile, Content, Reserved, create_folder, for_its_owner, fresh, new_folder};
pub use leak::{
    AllocationSite, Confirmation, ContainerLimitRecord, EvidenceNote, Frame, Grown, HeapLimitRecord,
    KnownLeak, LeakReport, LeakingRoute, Reason, ReportedCulprit, RouteNote, Rung, SCHEMA_VERSION,
};
pub use look::look;
pub use sample::{GcRecord, SampleRecord};
pub use text::{claim, render, step};
pub use verdict::{VerdictEvidence, VerdictRecord};
