//! What a graph means: how much there is of what, what has grown, and why.
//!
//! ```text
//!  Graph ------------------> summarize            what is there, by class
//!  Graph + Graph ----------> diff                 what came and went, by class and id, or by class and path
//!  Graph -> Baseline
//!           Baseline + Graph -> growth            the same against a few hundred kilobytes kept since the start
//!                  \
//!                   -> added nodes -> culprits    one finding per cause, with its path and its line of code
//!  Graph -> accumulated ---> culprits             the same where nothing is known of before
//!  culprits + culprits ----> confirmed            those in front that grew again
//!  Graph + Graph + Graph --> steady               what grew by as much in both rounds of calls: a leak test
//! ```

mod accumulated;
mod alive;
mod baseline;
mod by_path;
mod census;
mod class;
mod comparison;
mod confirmation;
mod culprits;
mod diff;
mod fingerprint;
mod groundwork;
mod grouping;
mod histogram;
mod ids;
mod likeness;
mod node_diff;
mod path;
mod retaining;
mod spelled;
mod steady;
mod stored;
mod summary;
mod suspects;
mod territory;
mod trees;

pub use crate::graph::Location;
pub use accumulated::{Accumulation, accumulated};
pub use alive::Alive;
pub use baseline::{Baseline, Growth, growth};
pub use census::{
    Audit, CollectionSummary, FunctionCount, HandleSummary, ListenerSummary, PromiseSummary, TimerSummary,
    WaiterSummary, Waits, audit,
};
pub use comparison::{Compared, comparison};
pub use confirmation::{Confirmed, Decision, FloorGrowth, Outcome, Spans, ambiguity, confirmed};
pub use culprits::{Culprit, Holder, Pattern};
pub use diff::{ConstructorDelta, MatchedBy, diff};
pub use histogram::{Histogram, HistogramBuilder, HistogramRow};
pub use node_diff::{Newer, NodeDiff, Older, OlderBuilder};
pub use path::PathStep;
pub use retaining::{Chosen, RetainingPath, retaining_paths};
pub use spelled::spelled_names;
pub use steady::{Lengths, Longer, Mark, Middle, RoundGrowth, Steady, SteadyCulprit, Tallied, Tally, steady};
pub use summary::{ConstructorSummary, ObjectSummary, SnapshotSummary, SummaryOptions, View, summarize};
pub use suspects::{Accumulated, Suspect};
pub use territory::Territory;

#[cfg(test)]
mod node_tests;
#[cfg(test)]
mod path_tests;
#[cfg(test)]
mod pattern_tests;
#[cfg(test)]
mod tests;
