//! What leaves the core: serialisable records and reports, and their text.

mod file;
mod sample;

pub use file::AtomicFile;
pub use sample::SampleRecord;
