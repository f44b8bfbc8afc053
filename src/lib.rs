//! Heapwarden's core: from readings of a process's memory to a verdict, and from a heap snapshot to the line that leaks.
//!
//! Two flows, one direction each; they meet in [`monitor`]:
//!
//! ```text
//!  readings -> sample -> series -> verdict -> alert
//!               sample -> recording -> replay
//!               sample, verdict -> recorder (a file that outlives the process) -> postmortem
//!  control groups -> container
//!  V8 snapshot bytes -> snapshot -> graph -> analysis -> report
//! ```
//!
//! The core knows nothing of Node: `cargo test --no-default-features` builds and tests it without. The Node-API shell
//! is `ffi`, behind the default feature `node`. `unsafe` is there, and in the vector code of the snapshot's number scanner.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod alert;
pub mod analysis;
pub mod capture;
pub mod clone;
pub mod compress;
pub mod config;
pub mod container;
pub mod control;
pub mod error;
#[cfg(feature = "node")]
mod ffi;
pub mod graph;
pub mod monitor;
pub mod postmortem;
pub mod pprof;
pub mod product;
pub mod recorder;
pub mod recording;
pub mod replay;
pub mod report;
pub mod sample;
pub mod series;
pub mod snapshot;
pub mod storage;
pub mod units;
pub mod verdict;
