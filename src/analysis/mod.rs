//! What a graph means: how much there is of what, what has grown, and why.
//!
//! ```text
//!  Graph ------------------> summarize            what is there, by class
//!  Graph + Graph ----------> diff                 what came and went, by class and id
//!  Graph -> Baseline
//!           Baseline + Graph -> growth            the same against a few hundred kilobytes kept since the start
//!                  \
//!                   -> added nodes -> culprits    one finding per cause, with its path and its line of code
//! ```

mod baseline;
mod class;
mod culprits;
mod diff;
mod likeness;
mod path;
mod summary;
mod trees;

pub use crate::graph::Location;
pub use baseline::{Baseline, Growth, growth};
pub use culprits::{Culprit, Pattern};
pub use diff::{ConstructorDelta, MatchedBy, diff};
pub use path::PathStep;
pub use summary::{ConstructorSummary, SnapshotSummary, summarize};

#[cfg(test)]
mod tests;
