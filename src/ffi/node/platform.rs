//! What this system and this runtime have of what Heapwarden can use: the same questions that whoever uses it asks.

use std::sync::Arc;

use napi_derive::napi;

use super::flight;
use crate::ffi::os::{self, Published, process_source};
use crate::ffi::v8;

/// What native code finds here.
#[napi(object)]
pub struct PlatformState {
    /// The C library that this addon was built for: `glibc`, `musl`; nothing elsewhere.
    pub libc: Option<String>,
    /// Where resident set sizes come from: `procfs` or `node`.
    pub rss_source: String,
    /// Whether V8 tells when a heap comes to its limit.
    pub near_heap_limit: bool,
    /// Whether V8 tells when it has given up.
    pub out_of_memory: bool,
    /// Whether allocations can be sampled without a collection at each look.
    pub sampling: bool,
    /// Whether objects can be counted by a walk over the heap, without a snapshot.
    pub walk: bool,
    /// Why no life can be recorded; nothing where one can.
    pub no_black_box: Option<String>,
    /// Version of the memory control groups, 1 or 2; nothing where there are none.
    pub groups: Option<u32>,
    /// The smallest limit of the groups.
    pub group_limit_bytes: Option<f64>,
    /// Whether the group says for how long its processes have waited for memory.
    pub pressure: bool,
    /// Whether the C library says how much it has handed out.
    pub native_heap: bool,
}

/// What this system and this runtime have. Reads some ten files, and changes nothing.
#[napi(catch_unwind)]
pub fn platform_state() -> PlatformState {
    let bridge = v8::bridge().ok();
    let (groups, group_limit_bytes, pressure) = groups();
    PlatformState {
        libc: libc().map(str::to_owned),
        rss_source: process_source(&Arc::new(Published::default())).1.to_owned(),
        near_heap_limit: bridge.is_some_and(|bridge| bridge.near_limit.is_some()),
        out_of_memory: bridge.is_some_and(|bridge| bridge.oom.is_some()),
        sampling: bridge.is_some_and(|bridge| bridge.sampling.is_some()),
        walk: bridge.is_some_and(|bridge| bridge.walk.is_some()),
        no_black_box: flight::refusal().map(str::to_owned),
        groups,
        group_limit_bytes,
        pressure,
        native_heap: os::counts_native_heap(),
    }
}

fn libc() -> Option<&'static str> {
    if cfg!(all(target_os = "linux", target_env = "gnu")) {
        Some("glibc")
    } else if cfg!(target_env = "musl") {
        Some("musl")
    } else {
        None
    }
}

#[cfg(target_os = "linux")]
fn groups() -> (Option<u32>, Option<f64>, bool) {
    os::groups().map_or((None, None, false), |told| {
        (Some(told.version.into()), told.limit.map(|limit| limit.0 as f64), told.is_pressure_told)
    })
}

/// Control groups are Linux's.
#[cfg(not(target_os = "linux"))]
fn groups() -> (Option<u32>, Option<f64>, bool) {
    (None, None, false)
}
