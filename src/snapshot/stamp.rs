//! A note in a snapshot's text that it was taken in a clone of the process.
//!
//! V8's text starts with `{"snapshot":{"`, and readers pass over keys of that object that they do not know:
//!
//! ```text
//!  {"snapshot":{"meta":{...},...                                          as V8 writes it
//!  {"snapshot":{"heapwarden":{"mode":"clone"},"meta":{...},...            stamped
//! ```

use serde::Deserialize;
use serde::de::IgnoredAny;

/// How the text starts that can be stamped. The stamp goes before the last byte, so that a key comes after its comma.
const START: &[u8] = b"{\"snapshot\":{\"";

const STAMP: &[u8] = b"\"heapwarden\":{\"mode\":\"clone\"},";

/// Puts the stamp into a text that passes by in pieces of any size: 30 bytes more. Text that does not start as V8's passes unchanged.
#[derive(Debug, Clone, Default)]
pub struct Stamp {
    /// How much of [`START`] has passed; all of it once there is nothing left to do.
    passed: usize,
}

impl Stamp {
    /// A stamp for a text of which nothing has passed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hands `chunk` to `sink`, in up to three pieces where the stamp belongs into it. Nothing is held back.
    ///
    /// # Errors
    ///
    /// Those of `sink`, which is not called again then.
    pub fn apply<E>(&mut self, chunk: &[u8], mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let expected = &START[self.passed..];
        let same = expected.iter().zip(chunk).take_while(|(a, b)| a == b).count();
        if same < expected.len().min(chunk.len()) {
            // Another text: there is nothing left to do.
            self.passed = START.len();
            return sink(chunk);
        }
        self.passed += same;
        if same == 0 || self.passed < START.len() {
            return if chunk.is_empty() { Ok(()) } else { sink(chunk) };
        }
        let (before, after) = chunk.split_at(same - 1);
        if !before.is_empty() {
            sink(before)?;
        }
        sink(STAMP)?;
        sink(after)
    }
}

/// A stamp, or whatever else stands there: another tool's note is no reason to refuse a snapshot.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Found {
    Stamp { mode: String },
    Other(IgnoredAny),
}

impl Found {
    /// Whether it says that the snapshot was taken in a clone.
    pub fn is_clone(&self) -> bool {
        matches!(self, Self::Stamp { mode } if mode == "clone")
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::graph::{Graph, NodeSink, Rows};
    use crate::snapshot::NodeParser;
    use crate::snapshot::testing::{Snapshot, arbitrary, parse};

    fn stamped<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let (mut stamp, mut out) = (Stamp::new(), Vec::new());
        for chunk in chunks {
            let Ok(()) = stamp.apply(chunk, |piece| {
                out.extend_from_slice(piece);
                Ok::<(), Infallible>(())
            });
        }
        out
    }

    /// The oracle: the text in one piece.
    fn replaced(text: &[u8]) -> Vec<u8> {
        match text.strip_prefix(START) {
            Some(rest) => [&START[..START.len() - 1], STAMP, b"\"", rest].concat(),
            None => text.to_vec(),
        }
    }

    fn everything(graph: &Graph) -> String {
        let node = |node| {
            let edges: Vec<_> = graph
                .edges(node)
                .map(|edge| (graph.edge_kind(node, edge), graph.edge_name(node, edge), graph.edge_to(edge)))
                .collect();
            let row = (graph.kind(node), graph.name(node), graph.id(node), graph.self_size(node));
            format!("{row:?} {edges:?} {:?}", graph.location(node))
        };
        graph.nodes().map(node).collect::<Vec<_>>().join("\n")
    }

    #[derive(Default)]
    struct Count(usize);

    impl NodeSink for Count {
        fn take(&mut self, rows: Rows<'_>) -> crate::error::Result<()> {
            self.0 += rows.iter().count();
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_same_text_and_the_same_graph(s in arbitrary(), cuts in prop::collection::vec(0usize..40, 0..60)) {
            let text = s.text();
            let (mut pieces, mut rest) = (Vec::new(), text.as_bytes());
            for cut in cuts {
                let (piece, left) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = left;
            }
            pieces.push(rest);
            let out = stamped(pieces);
            prop_assert!(out == replaced(text.as_bytes()) && out.len() == text.len() + STAMP.len());
            let (plain, graph) = (s.graph(), parse(&out, 7).unwrap());
            prop_assert_eq!((plain.ids_are_own(), graph.ids_are_own()), (true, false));
            prop_assert_eq!(everything(&graph), everything(&plain));
        }

        #[test]
        fn other_texts_pass_unchanged(
            start in 0..START.len(),
            rest in "[ -~]{0,20}",
            piece in 1usize..30,
        ) {
            let text = [&START[..start], rest.as_bytes()].concat();
            prop_assert_eq!(stamped(text.chunks(piece)), replaced(&text));
        }
    }

    #[test]
    fn an_object_without_keys_is_left_alone() {
        assert_eq!(stamped([&b"{\"snapshot\":{}}"[..]]), b"{\"snapshot\":{}}");
        assert_eq!(
            stamped([&b""[..], b"{\"snapshot\"", b"", b":{", b"\"a\":1}}"]),
            replaced(b"{\"snapshot\":{\"a\":1}}")
        );
    }

    #[test]
    fn a_sink_that_fails_is_left_alone() {
        let mut calls = 0;
        let result = Stamp::new().apply(START, |_| {
            calls += 1;
            Err("full")
        });
        assert_eq!((result, calls), (Err("full"), 1));
    }

    #[test]
    fn nodes_alone_tell_it_too_and_other_notes_are_no_stamps() {
        let text = Snapshot::new().text();
        let noted = |note: &str| {
            text.replacen("{\"snapshot\":{", &format!("{{\"snapshot\":{{\"heapwarden\":{note},"), 1)
        };
        let notes = [
            ("{\"mode\":\"clone\"}", false),
            ("{\"mode\":\"clone\",\"at\":[1,{}]}", false),
            ("{\"mode\":\"inline\"}", true),
            ("{\"mode\":7}", true),
            ("null", true),
            ("[\"clone\"]", true),
        ];
        for (note, own) in notes {
            let text = noted(note);
            assert_eq!(parse(text.as_bytes(), 3).unwrap().ids_are_own(), own, "{note}");
            let (mut parser, mut count) = (NodeParser::new(), Count::default());
            assert!(parser.ids_are_own(), "nothing else is known yet");
            parser.feed(text.as_bytes(), &mut count).unwrap();
            assert_eq!((parser.ids_are_own(), count.0), (own, 1), "{note}");
            parser.finish().unwrap();
        }
        assert!(parse(noted("{\"mode\"}").as_bytes(), 3).is_err());
    }
}
