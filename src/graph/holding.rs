//! Which edges keep their target alive.
//!
//! By DevTools' rules (`isEssentialEdge` in its `HeapSnapshot.ts`), so that the retained sizes agree. An edge holds unless it is
//! weak; leads back to its own node; is a shortcut that does not start at the root; leads from what the page does not own to what
//! it owns; or leads from a WeakMap's table to a value. *Owned by the page* is what the root's shortcuts (the global objects)
//! reach: without that rule a debugger that looks at an object would seem to keep it.

use std::sync::atomic::AtomicBool;

use super::{Edge, EdgeKind, EdgeName, Graph, Node, ROOT, check, filled};
use crate::error::Result;

/// One bit an edge: whether it keeps its target alive.
#[derive(Debug)]
pub struct Holding {
    bits: Vec<u64>,
}

impl Holding {
    /// The holding edges of `graph`.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub fn of(graph: &Graph, cancel: &AtomicBool) -> Result<Self> {
        let owned = page_owned(graph)?;
        check(cancel)?;
        let mut ephemerons = Ephemerons::new(graph)?;
        let mut bits = filled(0u64, graph.edge_count().div_ceil(64))?;
        for node in graph.nodes() {
            for edge in graph.edges(node) {
                if holds(graph, &owned, &mut ephemerons, node, edge) {
                    bits[edge as usize / 64] |= 1 << (edge % 64);
                }
            }
        }
        Ok(Self { bits })
    }

    /// Whether `edge` keeps its target alive.
    pub fn holds(&self, edge: Edge) -> bool {
        self.bits[edge as usize / 64] >> (edge % 64) & 1 == 1
    }
}

fn holds(graph: &Graph, owned: &[bool], ephemerons: &mut Ephemerons, from: Node, edge: Edge) -> bool {
    let (kind, to) = (graph.edge_kind(edge), graph.edge_to(edge));
    match kind {
        EdgeKind::Weak => return false,
        EdgeKind::Shortcut if from != ROOT => return false,
        // The pair's other edge, from the key, holds the value and makes the better path.
        EdgeKind::Internal if ephemerons.table_of(graph, edge) == Some(graph.id(from)) => return false,
        _ => {}
    }
    to != from && (from == ROOT || owned[from as usize] || !owned[to as usize])
}

/// The nodes that the root's shortcuts reach over edges that are not weak.
fn page_owned(graph: &Graph) -> Result<Vec<bool>> {
    let mut owned = filled(false, graph.node_count())?;
    let mut stack = Vec::new();
    for edge in graph.edges(ROOT) {
        let to = graph.edge_to(edge);
        let entry = match graph.edge_kind(edge) {
            EdgeKind::Shortcut => true,
            EdgeKind::Element => graph.name(to) == "(Document DOM trees)",
            _ => false,
        };
        if entry && !std::mem::replace(&mut owned[to as usize], true) {
            stack.push(to);
        }
    }
    while let Some(node) = stack.pop() {
        for edge in graph.edges(node) {
            let to = graph.edge_to(edge);
            if graph.edge_kind(edge) != EdgeKind::Weak && !std::mem::replace(&mut owned[to as usize], true) {
                stack.push(to);
            }
        }
    }
    Ok(owned)
}

/// The names of the two edges that V8 writes for an entry of a WeakMap, from the table and from the key:
/// `N / part of key (...) -> value (...) pair in WeakMap (table @id)`.
#[derive(Debug)]
pub(crate) struct Ephemerons {
    /// By string index: 0 not looked at, 1 no such name, otherwise the table's id plus 2.
    seen: Vec<u64>,
}

impl Ephemerons {
    pub fn new(graph: &Graph) -> Result<Self> {
        Ok(Self { seen: filled(0, graph.strings().len())? })
    }

    /// The id of the table that `edge`, an internal one, belongs to.
    pub fn table_of(&mut self, graph: &Graph, edge: Edge) -> Option<u32> {
        let slot = self.seen.get_mut(graph.edge_name_or_index(edge) as usize)?;
        if *slot == 0 {
            let EdgeName::Name(name) = graph.edge_name(edge) else { return None };
            *slot = ephemeron(name).map_or(1, |(_, table)| u64::from(table) + 2);
        }
        slot.checked_sub(2).map(|table| table as u32)
    }
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
        let held: Vec<u32> = (0..9).filter(|&edge| holding.holds(edge)).collect();
        assert_eq!(held, [0, 1, 5, 8]);
    }
}
