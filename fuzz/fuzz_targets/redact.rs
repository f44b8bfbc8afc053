//! What is asked stands in `bodies/redact.rs`, where the tests read it as well.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/redact.rs"]
mod redact;

fuzz_target!(|data: &[u8]| redact::check(data));
