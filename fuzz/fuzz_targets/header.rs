//! What is asked stands in `bodies/header.rs`, where the tests read it as well.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/header.rs"]
mod header;

fuzz_target!(|data: &[u8]| header::check(data));
