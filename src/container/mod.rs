//! Whether the container is about to run out of memory.
//!
//! ```text
//!  memory.current, memory.stat, memory.events, memory.pressure ──> Look ──> Watch ──> Change: an incident begins, ends
//! ```
//!
//! Pure: who reads the control groups, and what is done about an incident, is `ffi`'s.

mod chronicle;
mod look;
mod watch;

pub use chronicle::Chronicle;
pub use look::{Events, Look};
pub use watch::{Change, Incident, Reason, Watch};
