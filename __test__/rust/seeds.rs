//! What fuzzing has found is kept: each target's body runs over its seeds, and over what is left of them when they are cut, without a fuzzer.
//!
//! The bodies are compiled here too, so that a target whose subject has changed is noticed by the tests.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[path = "../../fuzz/bodies/clone.rs"]
mod clone;
#[path = "../../fuzz/bodies/decode.rs"]
mod decode;
#[path = "../../fuzz/bodies/header.rs"]
mod header;
#[path = "../../fuzz/bodies/parse.rs"]
mod parse;
#[path = "../../fuzz/bodies/recording.rs"]
mod recording;
#[path = "../../fuzz/bodies/redact.rs"]
mod redact;
#[path = "../../fuzz/bodies/replay.rs"]
mod replay;
#[cfg(feature = "fuzzing")]
#[path = "../../fuzz/bodies/scan.rs"]
mod scan;

/// Runs `check` over the files of `fuzz/seeds/TARGET`, whole, and cut in half.
fn replayed(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut seeds: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    for seed in seeds {
        let bytes = fs::read(&seed).expect("a readable seed");
        for part in [&bytes[..], &bytes[..bytes.len() / 2]] {
            let held = catch_unwind(AssertUnwindSafe(|| check(part)));
            assert!(held.is_ok(), "{}, its first {} bytes", seed.display(), part.len());
        }
    }
}

macro_rules! targets {
    ($($(#[$attribute:meta])? $target:ident),* $(,)?) => {$(
        $(#[$attribute])?
        #[test]
        fn $target() {
            replayed(stringify!($target), $target::check);
        }
    )*};
}

targets!(
    clone,
    decode,
    header,
    parse,
    recording,
    redact,
    replay,
    #[cfg(feature = "fuzzing")]
    scan
);
