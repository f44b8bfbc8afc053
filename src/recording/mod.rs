//! All that the detector was fed, in memory of a fixed size, so that it can be exported and judged again.
//!
//! ```text
//!  Monitor::observe ── Record ──> Recording (a ring of blocks) ──> lines of JSON
//! ```

mod block;
mod columns;
pub mod lines;

pub use block::Recording;

use crate::sample::{AfterGc, Sample};
use crate::units::UnixMillis;

/// One thing that the detector was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// A sample.
    Sample(Sample),
    /// A collection before it.
    Gc(AfterGc),
    /// The judging began anew: the watch had been stopped, or it is another process.
    Restart(UnixMillis),
}
