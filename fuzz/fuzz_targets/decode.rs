//! What is asked stands in `bodies/decode.rs`, where the tests read it as well.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/decode.rs"]
mod decode;

fuzz_target!(|data: &[u8]| decode::check(data));
