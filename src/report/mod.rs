//! What leaves the core: serialisable records and reports, their text, and the files they go to.

mod file;
mod leak;
mod sample;
mod text;

pub use file::{AtomicFile, fresh};
pub use leak::{EvidenceNote, LeakReport, SCHEMA_VERSION};
pub use sample::{GcRecord, SampleRecord};
pub use text::render;
