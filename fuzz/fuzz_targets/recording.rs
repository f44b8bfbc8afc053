//! What is asked stands in `bodies/recording.rs`, where the tests read it as well.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/recording.rs"]
mod recording;

fuzz_target!(|data: &[u8]| recording::check(data));
