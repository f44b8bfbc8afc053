//! What is asked stands in `bodies/replay.rs`, where the tests read it as well.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/replay.rs"]
mod replay;

fuzz_target!(|data: &[u8]| replay::check(data));
