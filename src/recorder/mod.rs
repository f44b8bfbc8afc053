//! The black box: a file of fixed size that holds the last hours of a process, whatever the process dies of.
//!
//! ```text
//!  sampling thread ── samples, events, state ──┐
//!  JavaScript ── end, exception, texts ────────┼─> Recorder ──> Medium (a mapped file) ──> Recording::read
//!  signal handler ── last words ───────────────┘
//! ```
//!
//! [`Layout`] says what is where, [`record`] what a record is, [`Recorder`] writes, [`Recording`] is what a reader gets. What is
//! written is in the page cache at once and survives the process; nothing is allocated and no system call made for it.
//! `docs/black-box.md` draws the format.

mod crc;
mod event;
mod header;
mod layout;
mod life;
pub mod record;
mod recording;
mod sample;
mod writer;

pub use event::{Event, Incident, IncidentKind, IncidentPhase, LimitedText, Metric, PauseKind, Recovery};
pub use header::Header;
pub use layout::{DEFAULT_BYTES, Layout, MOST_BYTES, Region, SMALLEST_BYTES, TextKind};
pub use life::{Ended, Life};
pub use record::{End, EndKind, Exception, Words, signal_name};
pub use recording::{Damage, Judgement, RecordedEvent, RecordedSample, Recording, State, StoredText};
pub use writer::{Medium, Recorder};

#[cfg(test)]
mod tests;
