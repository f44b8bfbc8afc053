//! Class names, as DevTools shows them.

use std::collections::HashMap;

use crate::error::Result;
use crate::graph::{Graph, Node, NodeKind, filled};

/// The class of `node`, after DevTools' `JSHeapSnapshotNode.className`.
pub(crate) fn class_name(graph: &Graph, node: Node) -> &str {
    match graph.kind(node) {
        NodeKind::Object | NodeKind::Native => graph.name(node),
        kind => kind_class(kind),
    }
}

/// What every node of `kind` is called, for kinds whose nodes have no class of their own.
pub(crate) fn kind_class(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Hidden => "(system)",
        NodeKind::Code => "(compiled code)",
        NodeKind::Closure => "Function",
        NodeKind::Regexp => "RegExp",
        NodeKind::Array => "(array)",
        NodeKind::String => "(string)",
        NodeKind::Number => "(number)",
        NodeKind::Synthetic => "(synthetic)",
        NodeKind::ConsString => "(concatenated string)",
        NodeKind::SlicedString => "(sliced string)",
        NodeKind::Symbol => "(symbol)",
        NodeKind::BigInt => "(bigint)",
        NodeKind::Shape => "(object shape)",
        NodeKind::Wasm => "(wasm object)",
        NodeKind::Object | NodeKind::Native | NodeKind::Other => "(other)",
    }
}

/// The class of every node, as a number.
#[derive(Debug)]
pub(crate) struct Classes<'g> {
    by_node: Vec<u32>,
    names: Vec<&'g str>,
}

impl<'g> Classes<'g> {
    pub fn of(graph: &'g Graph) -> Result<Self> {
        const UNSEEN: u32 = u32::MAX;
        let mut by_node = filled(0, graph.node_count())?;
        // Most nodes of a class share one string, so the text is hashed once a string and not once a node.
        let mut by_string = filled(UNSEEN, graph.strings().len())?;
        let mut by_name: HashMap<&str, u32> = HashMap::new();
        let mut names = Vec::new();
        let mut number = |name: &'g str| {
            *by_name.entry(name).or_insert_with(|| {
                names.push(name);
                names.len() as u32 - 1
            })
        };
        let mut by_kind: HashMap<NodeKind, u32> = HashMap::new();
        for node in graph.nodes() {
            let kind = graph.kind(node);
            by_node[node as usize] = if matches!(kind, NodeKind::Object | NodeKind::Native) {
                let slot = &mut by_string[graph.name_index(node) as usize];
                if *slot == UNSEEN {
                    *slot = number(graph.name(node));
                }
                *slot
            } else {
                *by_kind.entry(kind).or_insert_with(|| number(kind_class(kind)))
            };
        }
        Ok(Self { by_node, names })
    }

    /// The number of `node`'s class.
    pub fn get(&self, node: Node) -> u32 {
        self.by_node[node as usize]
    }

    /// The names, by number.
    pub fn names(&self) -> &[&'g str] {
        &self.names
    }

    /// Count and bytes of each class, by number.
    pub fn totals(&self, graph: &Graph) -> Vec<Total> {
        let mut totals = vec![Total::default(); self.names.len()];
        for node in graph.nodes() {
            let total = &mut totals[self.get(node) as usize];
            total.count += 1;
            total.size = total.size.saturating_add(graph.self_size(node));
        }
        totals
    }
}

/// How many of a class there are, and how large they are by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub count: u64,
    pub size: u64,
}

impl Total {
    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self { count: self.count.saturating_add(other.count), size: self.size.saturating_add(other.size) }
    }

    /// By how much this is more than `other`, in each figure; 0 where it is less.
    pub fn over(self, other: Self) -> Self {
        Self { count: self.count.saturating_sub(other.count), size: self.size.saturating_sub(other.size) }
    }
}
