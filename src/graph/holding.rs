//! Which edges keep their target alive.
//!
//! By DevTools' rules (`computeIsEssentialEdge` in its `HeapSnapshot.ts`), so that the retained sizes agree. An edge holds unless it
//! is weak; leads back to its own node; is a shortcut that does not start at the root; leads from what the page does not own to what
//! it owns; or leads from a WeakMap's table to a value. *Owned by the page* is what the root's shortcuts (the global objects)
//! reach: without that rule a debugger that looks at an object would seem to keep it.
//!
//! All but the ownership stands in the edge itself, as flags that the parser sets.

use std::sync::atomic::AtomicBool;

use super::bits::Bits;
use super::{Edge, EdgeKind, Graph, Node, NodeKind, ROOT, Target, check};
use crate::error::Result;

/// Which nodes the page owns, and with that which edges hold: one bit a node.
#[derive(Debug)]
pub struct Holding {
    owned: Bits,
}

impl Holding {
    /// The holding edges of `graph`.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub fn of(graph: &Graph, cancel: &AtomicBool) -> Result<Self> {
        let mut owned = Bits::new(graph.node_count())?;
        mark(graph, &mut owned, page_roots(graph), cancel)?;
        Ok(Self { owned })
    }

    /// The same, where all that `owned` lacks is what `starts` reach.
    pub(crate) fn completed(
        graph: &Graph,
        mut owned: Bits,
        starts: Vec<Node>,
        cancel: &AtomicBool,
    ) -> Result<Self> {
        mark(graph, &mut owned, starts, cancel)?;
        Ok(Self { owned })
    }

    /// Whether `edge`, one of `from`'s, keeps its target alive.
    pub fn holds(&self, graph: &Graph, from: Node, edge: Edge) -> bool {
        self.holds_target(self.holds_all(from), graph.target(edge))
    }

    /// Whether ownership takes none of `from`'s edges out.
    #[inline]
    pub(crate) fn holds_all(&self, from: Node) -> bool {
        from == ROOT || self.owned.get(from)
    }

    /// Whether an edge to `target` holds, of a node of which [`Holding::holds_all`] says `all`.
    #[inline]
    pub(crate) fn holds_target(&self, all: bool, target: Target) -> bool {
        target.may_hold() && (all || !self.owned.get(target.node()))
    }
}

/// The global objects, and the trees of documents.
pub(crate) fn page_roots(graph: &Graph) -> Vec<Node> {
    let is_entry = |&(kind, _, to): &(EdgeKind, u32, Node)| match kind {
        EdgeKind::Shortcut => true,
        EdgeKind::Element => is_document_trees(graph, to),
        _ => false,
    };
    graph.named_edges(ROOT).filter(is_entry).map(|(_, _, to)| to).collect()
}

/// Whether `node` is the root of the documents' trees.
pub(crate) fn is_document_trees(graph: &Graph, node: Node) -> bool {
    graph.kind(node) == NodeKind::Synthetic && graph.name(node) == "(Document DOM trees)"
}

/// Marks what `starts` reach over edges that are not weak.
fn mark(graph: &Graph, owned: &mut Bits, mut starts: Vec<Node>, cancel: &AtomicBool) -> Result<()> {
    starts.retain(|&node| !owned.set(node));
    let mut done = 0u32;
    while let Some(node) = starts.pop() {
        done = done.wrapping_add(1);
        if done.is_multiple_of(65_536) {
            check(cancel)?;
        }
        for target in graph.targets(node) {
            if !target.is_weak() && !owned.set(target.node()) {
                starts.push(target.node());
            }
        }
    }
    Ok(())
}

/// The part of an ephemeron edge's name that both edges of the pair share, and the table's id.
pub(crate) fn ephemeron(name: &str) -> Option<(&str, u32)> {
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let pair = name[digits..].strip_prefix(" / part of key (").filter(|_| digits > 0)?;
    let (rest, table) = pair.strip_suffix(')')?.rsplit_once(" pair in WeakMap (table @")?;
    rest.contains(") -> value (").then_some(())?;
    Some((&name[digits..], table.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::testing::Snapshot;

    const PAIR: &str = "1 / part of key (Object @9) -> value (Session @11) pair in WeakMap (table @5)";

    #[test]
    fn only_pair_names_are_ephemerons() {
        assert_eq!(ephemeron(PAIR), Some((&PAIR[1..], 5)));
        for name in
            ["12", "", "part of key (", " / part of key (a @1) -> value (b @2) pair in WeakMap (table @3)"]
        {
            assert_eq!(ephemeron(name), None, "{name}");
        }
        assert_eq!(ephemeron(&PAIR.replace("@5", "@x")), None);
    }

    #[test]
    fn each_rule_alone() {
        let mut s = Snapshot::new();
        let global = s.node("object", "global", 8);
        let debugger = s.node("synthetic", "(debugger)", 0);
        s.set_id(debugger, 5);
        let value = s.node("object", "Session", 8);
        let key = s.node("object", "Object", 8);
        s.edge(0, "shortcut", "1", global); // 0 holds
        s.edge(0, "element", "1", debugger); // 1 holds
        s.edge(global, "weak", "w", value); // 2
        s.edge(global, "property", "self", global); // 3
        s.edge(global, "shortcut", "native", value); // 4
        s.edge(global, "property", "p", key); // 5 holds
        s.edge(debugger, "property", "seen", key); // 6: not page-owned to page-owned
        s.edge(debugger, "internal", PAIR, value); // 7: the table's
        s.edge(key, "internal", PAIR, value); // 8 holds: the key's
        let graph = s.graph();
        let holding = Holding::of(&graph, &AtomicBool::new(false)).unwrap();
        let held: Vec<u32> =
            (0..9).filter(|&edge| holding.holds(&graph, graph.edge_from(edge), edge)).collect();
        assert_eq!(held, [0, 1, 5, 8]);
    }
}
