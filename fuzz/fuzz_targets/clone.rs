//! What is asked stands in `bodies/clone.rs`, where the tests read it as well.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/clone.rs"]
mod clone;

fuzz_target!(|data: &[u8]| clone::check(data));
