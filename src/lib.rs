//! Heapwarden's core.

pub mod analysis;
pub mod error;
pub mod graph;
pub mod snapshot;
pub mod units;
