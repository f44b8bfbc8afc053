//! What one reading is, where readings come from, and the thread that asks for them.
//!
//! ```text
//!  JavaScript thread                       sampling thread
//!  GC hooks     ─┐
//!  refresh      ─┼─> Probe (atomics) ──> Reading ──> series -> verdict -> alert
//!  interrupt    ─┘                          ^
//!                        /proc, cgroup ─────┘  ProcessSource
//! ```
//!
//! [`Probe`] is the only thing that both threads touch. It is made of atomics: the garbage collector's hooks write to
//! it without a lock and without allocating, so they can never wait for the sampling thread.

mod clock;
mod interval;
mod probe;
mod reading;

pub use clock::{Clock, Ticker};
pub use interval::Interval;
pub use probe::{Channel, Freshness, Probe};
pub use reading::{
    AfterGc, GcKind, GcTotals, HeapFigures, Load, ProcessFigures, ProcessSource, Reading, Sample,
};
