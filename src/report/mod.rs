//! What leaves the core: serialisable records and reports, and their text.

mod sample;

pub use sample::SampleRecord;
