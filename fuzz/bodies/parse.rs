//! A small valid snapshot with edits, in chunks of any size: no panic, the same result at every split, and every graph that comes
//! out can be analysed.
//!
//! The input is a list of edits: an offset, a length to cut and bytes to put there; what is left of it decides the chunks. So the
//! fuzzer need not find a header by itself, and reaches the sections behind it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use heapwarden::analysis::{
    Baseline, Chosen, Compared, ConstructorDelta, Histogram, HistogramBuilder, MatchedBy, Newer,
    OlderBuilder, SummaryOptions, View, comparison, diff, growth, retaining_paths, summarize,
};
use heapwarden::control::Control;
use heapwarden::error::Result;
use heapwarden::graph::{Graph, NodeSink, SparseStrings};
use heapwarden::snapshot::{NodeParser, SnapshotParser};

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

fn nodes(text: &[u8], sizes: impl Iterator<Item = usize>, sink: &mut dyn NodeSink) -> Result<SparseStrings> {
    let (mut parser, mut sizes, mut rest) = (NodeParser::new(), sizes, text);
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
        let (chunk, next) = rest.split_at(size);
        parser.feed(chunk, sink)?;
        rest = next;
    }
    parser.finish()
}

fn histogram(text: &[u8], sizes: impl Iterator<Item = usize>) -> Result<Histogram> {
    let mut builder = HistogramBuilder::default();
    let names = nodes(text, sizes, &mut builder)?;
    Ok(builder.finish(&names))
}

/// By class how many more there are.
fn net(rows: &[ConstructorDelta]) -> BTreeMap<&str, i64> {
    let counts = rows.iter().map(|row| (row.constructor_name.as_str(), row.count_delta));
    counts.filter(|&(_, count)| count != 0).collect()
}

/// What the products that read nodes alone say must be what the graph says.
fn by_nodes(text: &[u8], graph: &Graph, sizes: impl Iterator<Item = usize> + Clone) {
    let counted = histogram(text, sizes.clone()).unwrap();
    assert_eq!(counted.node_count, graph.node_count() as u64);
    assert_eq!(counted.total_shallow_size, graph.total_size());
    let mut older = OlderBuilder::default();
    let names = nodes(SEED, std::iter::empty(), &mut older).unwrap();
    let mut newer = Newer::new(older.finish(&names).unwrap()).unwrap();
    let names = nodes(text, sizes, &mut newer).unwrap();
    if !graph.ids_are_own() {
        newer.disown_ids();
    }
    let found = newer.finish(&names);
    let go = AtomicBool::new(false);
    let seed = parse(SEED, std::iter::empty()).unwrap();
    let expected = diff(&seed, graph, &go).unwrap();
    // Of ids that stand twice in a snapshot it is anybody's choice which is which.
    let mut ids: Vec<u32> = graph.nodes().map(|node| graph.id(node)).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() == graph.node_count() {
        if found.matched_by == MatchedBy::Id {
            assert_eq!(
                (found.matched_by, &found.constructors),
                (expected.matched_by, &expected.constructors)
            );
        } else {
            assert_eq!(expected.matched_by, MatchedBy::Path);
            assert_eq!(net(&found.constructors), net(&expected.constructors), "what came less what went");
        }
    }
    let compared = |graph| Compared::of(graph, &go).unwrap();
    comparison(&compared(&seed), &compared(graph)).unwrap();
    retaining_paths(graph, &Chosen::Ids(ids), &go).unwrap();
}

/// What has to hold of any bytes.
pub fn check(data: &[u8]) {
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
            by_nodes(&text, &a, data.iter().map(|&size| usize::from(size)).chain(std::iter::repeat(3)));
            let seed = parse(SEED, std::iter::empty()).unwrap();
            diff(&seed, &a, &go).unwrap();
            growth(&Baseline::of(&seed, &go).unwrap(), &a, &go).unwrap();
            let mut moved = parse(&text, std::iter::empty()).unwrap();
            moved.disown_ids();
            assert!(diff(&a, &moved, &go).unwrap().constructors.is_empty(), "a heap differs from itself");
            let path = growth(&Baseline::of(&moved, &go).unwrap(), &a, &go).unwrap();
            assert!(path.matched_by == MatchedBy::Path && path.culprits.is_empty());
            for node in a.nodes() {
                a.location(node);
            }
            let control = Control::new();
            for view in [View::File, View::Devtools] {
                let options = SummaryOptions { objects: 3, territories: 3, threads: 1, view };
                let graph = parse(&text, std::iter::empty()).unwrap();
                let one = summarize(graph, options, &control).unwrap();
                let graph = parse(&text, std::iter::repeat(5)).unwrap();
                let two = summarize(graph, SummaryOptions { threads: 2, ..options }, &control).unwrap();
                assert_eq!(one, two, "the split or the threads change the summary");
            }
            drop(b);
        }
        (a, b) => panic!("the split changes the result: {:?}, {:?}", a.err(), b.err()),
    }
}
