//! A small valid snapshot with edits, in chunks of any size: no panic, the same result at every split, and every graph that comes
//! out can be analysed.
//!
//! The input is a list of edits: an offset, a length to cut and bytes to put there; what is left of it decides the chunks. So the
//! fuzzer need not find a header by itself, and reaches the sections behind it.

#![no_main]

use std::sync::atomic::AtomicBool;

use heapwarden::analysis::{Baseline, diff, growth, summarize};
use heapwarden::error::Result;
use heapwarden::graph::Graph;
use heapwarden::snapshot::SnapshotParser;
use libfuzzer_sys::fuzz_target;

const SEED: &[u8] = include_bytes!("../seed.json");

fn parse(text: &[u8], mut sizes: impl Iterator<Item = usize>) -> Result<Graph> {
    let mut parser = SnapshotParser::new();
    let mut rest = text;
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
        let (chunk, next) = rest.split_at(size);
        parser.feed(chunk)?;
        rest = next;
    }
    parser.finish()
}

fuzz_target!(|data: &[u8]| {
    let mut text = SEED.to_vec();
    let Some((&edits, mut data)) = data.split_first() else { return };
    for _ in 0..edits % 8 {
        let [high, low, cut, length, rest @ ..] = data else { break };
        let at = usize::from(u16::from_be_bytes([*high, *low])) % text.len();
        let end = (at + usize::from(*cut)).min(text.len());
        let put = &rest[..usize::from(*length).min(rest.len())];
        text.splice(at..end, put.iter().copied());
        data = &rest[put.len()..];
        if text.is_empty() {
            return;
        }
    }
    let whole = parse(&text, std::iter::empty());
    let pieces = parse(&text, data.iter().map(|&size| usize::from(size)).chain(std::iter::repeat(1)));
    let go = AtomicBool::new(false);
    match (whole, pieces) {
        (Err(a), Err(b)) => {
            assert_eq!(a, b, "the split changes the error");
            assert!(a.offset().is_some());
        }
        (Ok(a), Ok(b)) => {
            let summary = summarize(&a, &go).unwrap();
            assert_eq!(summary, summarize(&b, &go).unwrap(), "the split changes the graph");
            let seed = parse(SEED, std::iter::empty()).unwrap();
            diff(&seed, &a, &go).unwrap();
            growth(&Baseline::of(&seed, &go).unwrap(), &a, &go).unwrap();
            for node in a.nodes() {
                a.location(node);
            }
        }
        (a, b) => panic!("the split changes the result: {:?}, {:?}", a.err(), b.err()),
    }
});
