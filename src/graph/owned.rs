//! Whose the stores are that only one object uses.
//!
//! The elements of an array, the table of a Map and V8's hidden fields are nodes of their own, and the array itself is 16 bytes. DevTools
//! counts such a store as part of the object if no other object uses it (`calculateShallowSizes` in its `HeapSnapshot.ts`), so that a
//! shallow size is what a reader takes it for. Where there is no global object (a snapshot with V8's internals exposed), nothing is moved.

use std::sync::atomic::AtomicBool;

use super::bits::Bits;
use super::holding::is_document_trees;
use super::spare::Spare;
use super::{Graph, Node, NodeKind, ROOT, check};
use crate::error::Result;

const UNSEEN: Node = Node::MAX;
const SHARED: Node = Node::MAX - 1;

/// Moves the size of each store to its owner.
pub(crate) fn move_sizes(graph: &mut Graph, owners: &[(Node, Node)]) {
    for &(store, owner) in owners {
        let bytes = graph.self_size(store);
        graph.set_self_size(store, 0);
        graph.set_self_size(owner, graph.self_size(owner).saturating_add(bytes));
    }
}

/// The stores that only one object uses, each with that object: 4 bytes a node while it runs.
///
/// # Errors
///
/// `OutOfMemory`, `Cancelled`.
pub(crate) fn store_owners(
    graph: &Graph,
    spare: &mut Spare,
    cancel: &AtomicBool,
) -> Result<Vec<(Node, Node)>> {
    let is_user_root = |node: Node| graph.kind(node) != NodeKind::Synthetic || is_document_trees(graph, node);
    if !graph.targets(ROOT).iter().any(|target| is_user_root(target.node())) {
        return Ok(Vec::new());
    }
    // A bit a node stays in the cache, and of most edges it says all there is to know.
    let mut stores = Bits::new(graph.node_count())?;
    for node in graph.nodes().filter(|&node| is_store(graph, node)) {
        stores.set(node);
    }
    let owners = owners(graph, &stores, spare, cancel)?;
    let moves = stores.ones().map(|store| (store, owners[store as usize]));
    // The root and the groups of roots own nothing that a reader would look for there.
    let moves = moves.filter(|&(_, owner)| owner != UNSEEN && owner != SHARED && owner != ROOT);
    let moves: Vec<(Node, Node)> =
        moves.filter(|&(_, owner)| graph.kind(owner) != NodeKind::Synthetic).collect();
    spare.give(owners);
    Ok(moves)
}

fn is_store(graph: &Graph, node: Node) -> bool {
    match graph.kind(node) {
        NodeKind::Hidden | NodeKind::Array => true,
        NodeKind::Native => graph.name(node) == "system / ExternalStringData",
        _ => false,
    }
}

/// By node, for stores: the one node that is no store and leads here, directly or through stores alone.
fn owners(graph: &Graph, stores: &Bits, spare: &mut Spare, cancel: &AtomicBool) -> Result<Vec<Node>> {
    let mut owners = spare.filled(UNSEEN, graph.node_count())?;
    let mut changed = Vec::new();
    for node in graph.nodes() {
        if node % 65_536 == 0 {
            check(cancel)?;
        }
        if !stores.get(node) {
            pass_on(graph, stores, &mut owners, &mut changed, node, node);
        }
    }
    // From unseen to an owner, from an owner to shared: each store is looked at twice at most.
    while let Some(store) = changed.pop() {
        let owner = owners[store as usize];
        pass_on(graph, stores, &mut owners, &mut changed, store, owner);
    }
    Ok(owners)
}

/// Tells the stores that `node` leads to that they belong to `owner`.
fn pass_on(
    graph: &Graph,
    stores: &Bits,
    owners: &mut [Node],
    changed: &mut Vec<Node>,
    node: Node,
    owner: Node,
) {
    for target in graph.targets(node) {
        let to = target.node();
        if !stores.get(to) || target.is_weak() {
            continue;
        }
        let known = &mut owners[to as usize];
        if *known == UNSEEN {
            *known = owner;
            changed.push(to);
        } else if *known != owner && *known != SHARED {
            *known = SHARED;
            changed.push(to);
        }
    }
}
