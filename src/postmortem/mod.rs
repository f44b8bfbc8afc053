//! What a recording says of a death: of what, when, and how certain that is.
//!
//! ```text
//!  Recording, Surroundings ──> judge ──> Finding ──> render (text with a chart)
//!                                          ^
//!                     a LeakReport ────────┘
//! ```

mod chart;
mod finding;
mod growth;
mod judge;
mod level;
mod series;
mod text;

pub use finding::{
    Cause, CauseKind, Certainty, Claim, CulpritSource, DamageRecord, ExceptionRecord, Figures, Finding,
    Growth, GrowthKind, Moment, MomentKind, SCHEMA_VERSION, SeriesPoint,
};
pub use judge::{Surroundings, judge};
pub use text::{Style, render};
