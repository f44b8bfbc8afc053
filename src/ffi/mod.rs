//! The outside world: V8, the operating system, Node-API. The only folder with `unsafe`; nothing imports it.
//!
//! - [`v8`]: V8's exported C++ functions, found at run time by their mangled names.
//! - [`os`]: resident set, control groups, named pipes.
//! - [`node`]: the `#[napi]` shells: convert in, call the core, convert out.

#![allow(unsafe_code)]
// In a test build the napi macros export nothing, so that nothing seems to use the shells.
#![cfg_attr(test, allow(dead_code))]
// Clones, the black box and the container's watch are Linux's: elsewhere some of what they are made of has no use.
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))]

mod node;
mod os;
mod v8;

/// Of this library alone: the host's memory is allocated as it is without it.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: os::Blocks = os::Blocks;
