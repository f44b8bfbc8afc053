//! Snapshots for tests: built node by node, written as V8 writes them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::SnapshotParser;
use crate::graph::Graph;

pub(crate) const NODE_TYPES: [&str; 16] = [
    "hidden",
    "array",
    "string",
    "object",
    "code",
    "closure",
    "regexp",
    "number",
    "native",
    "synthetic",
    "concatenated string",
    "sliced string",
    "symbol",
    "bigint",
    "object shape",
    "wasm object",
];
pub(crate) const EDGE_TYPES: [&str; 7] =
    ["context", "element", "property", "internal", "hidden", "shortcut", "weak"];

#[derive(Debug, Clone)]
struct TestEdge {
    kind: u64,
    /// An element's index, or a name.
    name: Result<u64, String>,
    to: usize,
}

#[derive(Debug, Clone)]
struct TestNode {
    kind: u64,
    name: String,
    id: u64,
    size: u64,
    edges: Vec<TestEdge>,
}

/// A snapshot being put together. Node 0 is the root.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    nodes: Vec<TestNode>,
    locations: Vec<[usize; 4]>,
    /// Seven fields and newlines, as Node 22 writes them; else six and none, as Node 24 does.
    pub old: bool,
}

impl Snapshot {
    pub fn new() -> Self {
        let mut snapshot = Self { nodes: Vec::new(), locations: Vec::new(), old: true };
        snapshot.node("synthetic", "", 0);
        snapshot
    }

    /// Adds a node with the next odd id; returns its index.
    pub fn node(&mut self, kind: &str, name: &str, size: u64) -> usize {
        let kind = NODE_TYPES.iter().position(|k| *k == kind).expect("a node type") as u64;
        let id = self.nodes.len() as u64 * 2 + 1;
        self.nodes.push(TestNode { kind, name: name.to_owned(), id, size, edges: Vec::new() });
        self.nodes.len() - 1
    }

    pub fn set_id(&mut self, node: usize, id: u64) {
        self.nodes[node].id = id;
    }

    pub fn edge(&mut self, from: usize, kind: &str, name: &str, to: usize) {
        let kind = EDGE_TYPES.iter().position(|k| *k == kind).expect("an edge type");
        let name =
            if kind == 1 || kind == 4 { Ok(name.parse().expect("an index")) } else { Err(name.to_owned()) };
        self.nodes[from].edges.push(TestEdge { kind: kind as u64, name, to });
    }

    /// Makes every edge to `from` lead to `to`.
    pub fn retarget(&mut self, from: usize, to: usize) {
        for edge in self.nodes.iter_mut().flat_map(|node| &mut node.edges).filter(|edge| edge.to == from) {
            edge.to = to;
        }
    }

    pub fn location(&mut self, node: usize, script: usize, line: usize, column: usize) {
        self.locations.push([node, script, line, column]);
    }

    /// A function at line 1, column 1 of `file`, with its script; returns the closure.
    pub fn closure(&mut self, name: &str, file: &str, script_id: usize) -> usize {
        let closure = self.node("closure", name, 64);
        let shared = self.node("code", name, 0);
        let script = self.node("code", file, 0);
        self.edge(closure, "internal", "shared", shared);
        self.edge(shared, "internal", "script", script);
        self.location(closure, script_id, 0, 0);
        closure
    }

    /// The same heap after everything has moved: other order of nodes, of each node's edges and of places, and ids that are none of
    /// these. The root stays first.
    pub fn moved(&self, seed: u64) -> Self {
        let mut state = seed | 1;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            (state >> 33) as usize % below.max(1)
        };
        let mut place: Vec<usize> = (0..self.nodes.len()).collect();
        (2..place.len()).for_each(|at| place.swap(at, 1 + random(at)));
        let mut nodes = self.nodes.clone();
        for (node, &at) in self.nodes.iter().zip(&place) {
            let mut node = node.clone();
            node.id = (1 << 31) + 2 * at as u64 + 1;
            node.edges.iter_mut().for_each(|edge| edge.to = place[edge.to]);
            (1..node.edges.len()).for_each(|at| node.edges.swap(at, random(at + 1)));
            nodes[at] = node;
        }
        let mut locations: Vec<[usize; 4]> =
            self.locations.iter().map(|&[node, s, l, c]| [place[node], s, l, c]).collect();
        (1..locations.len()).for_each(|at| locations.swap(at, random(at + 1)));
        Self { nodes, locations, old: self.old }
    }

    /// As it would be written in a clone of the process.
    pub fn stamped(&self) -> String {
        let stamp = "{\"snapshot\":{\"heapwarden\":{\"mode\":\"clone\"},";
        self.text().replacen("{\"snapshot\":{", stamp, 1)
    }

    pub fn value(&self) -> Value {
        let mut strings: Vec<String> = vec!["<dummy>".to_owned()];
        let mut known = std::collections::HashMap::new();
        let mut intern = |text: &str| -> u64 {
            *known.entry(text.to_owned()).or_insert_with(|| {
                strings.push(text.to_owned());
                strings.len() as u64 - 1
            })
        };
        let stride = if self.old { 7 } else { 6 };
        let (mut nodes, mut edges): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        for node in &self.nodes {
            nodes.extend([node.kind, intern(&node.name), node.id, node.size, node.edges.len() as u64]);
            nodes.extend(std::iter::repeat_n(0, stride - 5));
            for edge in &node.edges {
                let name = edge.name.as_ref().map_or_else(|text| intern(text), |index| *index);
                edges.extend([edge.kind, name, (edge.to * stride) as u64]);
            }
        }
        let mut fields =
            vec!["type", "name", "id", "self_size", "edge_count", "trace_node_id", "detachedness"];
        if !self.old {
            fields.remove(5);
        }
        let locations: Vec<usize> =
            self.locations.iter().flat_map(|&[node, s, l, c]| [node * stride, s, l, c]).collect();
        json!({
            "snapshot": {
                "meta": {
                    "node_fields": fields,
                    "node_types": [NODE_TYPES, "string", "number", "number", "number", "number", "number"],
                    "edge_fields": ["type", "name_or_index", "to_node"],
                    "edge_types": [EDGE_TYPES, "string_or_number", "node"],
                    "location_fields": ["object_index", "script_id", "line", "column"],
                },
                "node_count": self.nodes.len(),
                "edge_count": edges.len() / 3,
            },
            "nodes": nodes,
            "edges": edges,
            "trace_function_infos": [],
            "trace_tree": [],
            "samples": [],
            "locations": locations,
            "strings": strings,
        })
    }

    pub fn text(&self) -> String {
        write(&self.value(), self.old)
    }

    pub fn graph(&self) -> Graph {
        parse(self.text().as_bytes(), usize::MAX).expect("a valid snapshot")
    }
}

/// `value` with V8's order of keys, which serde_json does not keep.
pub(crate) fn write(value: &Value, newlines: bool) -> String {
    let keys = [
        "snapshot",
        "nodes",
        "edges",
        "trace_function_infos",
        "trace_tree",
        "samples",
        "locations",
        "strings",
    ];
    let mut out = String::from("{");
    for (n, key) in keys.iter().filter(|key| value.get(**key).is_some()).enumerate() {
        let text = value[*key].to_string();
        let text =
            if newlines && *key != "strings" && *key != "snapshot" { text.replace(',', "\n,") } else { text };
        out += &format!("{}\"{key}\":{text}", if n == 0 { "" } else { ",\n" });
    }
    out + "}\n"
}

/// The graph of `text` fed in pieces of `piece` bytes.
pub(crate) fn parse(text: &[u8], piece: usize) -> crate::error::Result<Graph> {
    let mut parser = SnapshotParser::new();
    for chunk in text.chunks(piece.clamp(1, text.len().max(1))) {
        parser.feed(chunk)?;
    }
    parser.finish()
}

/// Any snapshot of up to twenty nodes: kinds, names, ids and sizes as they come, edges from anywhere to anywhere.
pub(crate) fn arbitrary() -> impl Strategy<Value = Snapshot> {
    // Eight characters are 32 bytes at most: longer values of strings would be cut.
    let node = (0..NODE_TYPES.len(), ".{0,8}", 0..u64::from(u32::MAX), 0..1u64 << 40);
    let edge = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        0..EDGE_TYPES.len(),
        ".{0,8}",
        0..1000u32,
    );
    (prop::collection::vec(node, 0..20), prop::collection::vec(edge, 0..60), any::<bool>()).prop_map(
        |(nodes, edges, old)| {
            let mut s = Snapshot::new();
            s.old = old;
            for (kind, name, id, size) in &nodes {
                let node = s.node(NODE_TYPES[*kind], name, *size);
                s.set_id(node, *id);
            }
            let count = nodes.len() + 1;
            for (from, to, kind, name, index) in &edges {
                let kind = EDGE_TYPES[*kind];
                let name =
                    if kind == "element" || kind == "hidden" { index.to_string() } else { name.clone() };
                s.edge(from.index(count), kind, &name, to.index(count));
            }
            s
        },
    )
}
