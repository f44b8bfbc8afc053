//! Heapwarden's core.

pub mod error;
pub mod units;
