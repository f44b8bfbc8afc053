//! What the control groups say at one moment.

use crate::units::{Bytes, Micros};

/// The control group that is nearest to its limit: the process's own, or one above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// When, by a clock that never goes back.
    pub at: Micros,
    /// All that the group is charged for, page cache included.
    pub used: Bytes,
    /// The part of `used` that the kernel takes back before it kills: page cache and slab that it calls reclaimable.
    pub reclaimable: Bytes,
    /// Where the kernel kills.
    pub limit: Bytes,
    /// What has happened at the limit so far.
    pub events: Events,
    /// For how long all of the group's tasks together have waited for memory so far; nothing where the kernel does not tell.
    pub stalled: Option<Micros>,
}

/// Counters that only rise: those of `memory.events`, or what version 1 has of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Events {
    /// Times that the group was slowed down at `memory.high`.
    pub high: u64,
    /// Times that the limit was hit and memory had to be taken back (`max`; version 1: `memory.failcnt`).
    pub max: u64,
    /// Times that nothing could be taken back and an allocation was about to fail; 0 in version 1.
    pub oom: u64,
    /// Processes of the group that the kernel has killed for it.
    pub oom_kill: u64,
}

impl Look {
    /// What nothing but the end of its owner frees: the usage without what is reclaimable.
    pub fn held(&self) -> Bytes {
        self.used.saturating_sub(self.reclaimable)
    }

    /// `held` as a share of the limit.
    pub fn share(&self) -> f64 {
        self.held().0 as f64 / (self.limit.0 as f64).max(1.0)
    }

    /// What is left until the limit.
    pub fn left(&self) -> Bytes {
        self.limit.saturating_sub(self.held())
    }
}
