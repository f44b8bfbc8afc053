//! What is asked stands in `bodies/scan.rs`, where the tests read it as well.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/scan.rs"]
mod scan;

fuzz_target!(|data: &[u8]| scan::check(data));
