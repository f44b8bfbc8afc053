//! Growth without more objects: a text that gets longer, a buffer that is replaced by a larger one.
//!
//! The text after a call is another object than before it. What stays is the slot: the variable, the property or the entry of something old.
//! In each of three snapshots it is asked what the slot holds.

use rustc_hash::FxHashMap;

use super::pace::{Grown, is_steady_size};
use crate::graph::{EdgeKind, EdgeName, Graph, Node, NodeKind};

/// What a slot holds has to be larger than that in the end.
const LEAST_BYTES: u64 = 1024;
/// Texts of more pieces are measured as far as that.
const MOST_PIECES: usize = 1_000_000;
/// Steps from an array to its bytes: the view, the buffer, the store.
const STEPS: usize = 3;

/// A snapshot of which objects are looked up by their ids.
pub(super) struct Heap<'g> {
    pub graph: &'g Graph,
    by_id: FxHashMap<u32, Node>,
}

impl<'g> Heap<'g> {
    pub fn of(graph: &'g Graph) -> Self {
        Self { graph, by_id: graph.nodes().map(|node| (graph.id(node), node)).collect() }
    }

    /// The node with this id.
    pub fn get(&self, id: u32) -> Option<Node> {
        self.by_id.get(&id).copied()
    }

    /// What the object `id` holds in the slot of this kind and name.
    fn held(&self, id: u32, kind: EdgeKind, name: EdgeName<'_>) -> Option<Node> {
        let from = self.get(id)?;
        let mut edges = self.graph.edges(from);
        let edge = edges.find(|&edge| {
            self.graph.edge_kind(from, edge) == kind && self.graph.edge_name(from, edge) == name
        })?;
        Some(self.graph.edge_to(edge))
    }
}

/// Something that has become larger in its slot in both of two rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grower {
    /// What the slot holds in the end.
    pub node: Node,
    /// By how many bytes it grew in each round.
    pub rounds: [Grown; 2],
}

/// What has grown in slots of objects that are in all three snapshots, in proportion to `calls`; what holds each comes before it in the graph's
/// order.
pub(super) fn growers(first: &Heap<'_>, middle: &Heap<'_>, last: &Graph, calls: [u64; 2]) -> Vec<Grower> {
    let mut found: Vec<Grower> = Vec::new();
    for from in last.nodes().filter(|&node| has_slots(last, node)) {
        let id = last.id(from);
        if first.get(id).is_none() || middle.get(id).is_none() {
            continue;
        }
        for edge in last.edges(from) {
            let node = last.edge_to(edge);
            let kind = last.edge_kind(from, edge);
            if !is_slot(kind) || !may_grow(last, node) {
                continue;
            }
            let now = weight(last, node);
            if now < LEAST_BYTES {
                continue;
            }
            let name = last.edge_name(from, edge);
            let then = |heap: &Heap<'_>| {
                let held = heap.held(id, kind, name)?;
                may_grow(heap.graph, held).then(|| weight(heap.graph, held) as f64)
            };
            let (Some(at_first), Some(at_middle)) = (then(first), then(middle)) else { continue };
            let rounds = [
                Grown { calls: calls[0], by: at_middle - at_first },
                Grown { calls: calls[1], by: now as f64 - at_middle },
            ];
            if is_steady_size(&rounds) && found.iter().all(|other| other.node != node) {
                found.push(Grower { node, rounds });
            }
        }
    }
    found
}

fn is_slot(kind: EdgeKind) -> bool {
    matches!(kind, EdgeKind::Context | EdgeKind::Property | EdgeKind::Element | EdgeKind::Internal)
}

/// Whether what `node` holds is the program's: objects, their stores, and the variables of functions.
fn has_slots(graph: &Graph, node: Node) -> bool {
    matches!(graph.kind(node), NodeKind::Object | NodeKind::Array | NodeKind::Closure)
}

/// Whether `node` is a text, a store of an object's, or has bytes outside the heap.
fn may_grow(graph: &Graph, node: Node) -> bool {
    match graph.kind(node) {
        kind if kind.is_string() => true,
        NodeKind::Array => true,
        NodeKind::Native => graph.name(node) == "system / JSArrayBufferData",
        NodeKind::Object => {
            graph.child_named(node, "backing_store").is_some() || graph.child_named(node, "buffer").is_some()
        }
        _ => false,
    }
}

/// The bytes of a text with all its pieces, of a store, or of an array with its bytes.
fn weight(graph: &Graph, node: Node) -> u64 {
    match graph.kind(node) {
        kind if kind.is_string() => text(graph, node),
        NodeKind::Object => {
            let mut sum = graph.self_size(node);
            let mut at = node;
            for _ in 0..STEPS {
                let below =
                    graph.child_named(at, "buffer").or_else(|| graph.child_named(at, "backing_store"));
                let Some(below) = below else { break };
                sum = sum.saturating_add(graph.self_size(below));
                at = below;
            }
            sum
        }
        _ => graph.self_size(node),
    }
}

/// A text that was put together refers to its two parts.
fn text(graph: &Graph, node: Node) -> u64 {
    let mut open = vec![node];
    let mut sum = 0u64;
    for _ in 0..MOST_PIECES {
        let Some(at) = open.pop() else { break };
        sum = sum.saturating_add(graph.self_size(at));
        if matches!(graph.kind(at), NodeKind::ConsString | NodeKind::SlicedString) {
            let parts = graph.edges(at).map(|edge| graph.edge_to(edge));
            open.extend(parts.filter(|&part| graph.kind(part).is_string()));
        }
    }
    sum
}
