//! What is asked stands in `bodies/parse.rs`, where the tests read it as well.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/parse.rs"]
mod parse;

fuzz_target!(|data: &[u8]| parse::check(data));
