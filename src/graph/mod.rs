//! A heap snapshot as columns of numbers, and what can be derived from them.
//!
//! A snapshot of a 1 GB heap has some thirty million nodes and ninety million edges; as objects with pointers they would
//! take several times the heap. Here each field is one array, and a node or an edge is an index into all of them:
//!
//! ```text
//!            0        1        2    ...        node   kind name id self_size        18 bytes
//!  nodes  [ root  ][ Map   ][ Session ]        first_edge[n] .. first_edge[n + 1]    4 bytes
//!             |        \
//!  edges  [ e0 ][ e1 ][ e2 ][ e3 ] ...         edge   kind name-or-index to          9 bytes
//! ```
//!
//! Edges lie in the order of the nodes that own them, so that the edges of a node are a range. Names are indexes into one
//! [`StringTable`]. A [`Graph`] can only be had from the parser, which has checked every index; the algorithms here lean
//! on that.
//!
//! | file | what it derives |
//! |---|---|
//! | [`holding`] | which edges keep their target alive, by DevTools' rules |
//! | [`retainers`] | the edges turned around |
//! | [`distance`] | how far a node is from the roots, as DevTools counts |
//! | [`dominators`] | through which node every path to a node leads |
//! | [`retained`] | what would be freed with a node |
//! | [`path`] | the shortest chain of edges that keeps a node alive |
//! | [`location`] | file, line and column of functions and constructors |

pub mod distance;
pub mod dominators;
pub mod holding;
mod kind;
pub mod location;
pub mod path;
pub mod retained;
pub mod retainers;
mod strings;

pub use kind::{EdgeKind, NodeKind};
pub use location::Location;
pub use strings::StringTable;

use location::Places;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{ErrorKind, Result};

/// An index into the nodes of a [`Graph`].
pub type Node = u32;

/// An index into the edges of a [`Graph`].
pub type Edge = u32;

/// The node from which everything hangs; V8 writes it first.
pub const ROOT: Node = 0;

/// What an edge is called: properties and variables have names, elements have indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeName<'g> {
    /// A property, variable or internal field.
    Name(&'g str),
    /// An array element or unnamed slot.
    Index(u32),
}

impl std::fmt::Display for EdgeName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// The columns that the parser fills; `first_edge` has one entry more than there are nodes.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub kind: Vec<NodeKind>,
    pub name: Vec<u32>,
    pub id: Vec<u32>,
    pub self_size: Vec<u64>,
    pub first_edge: Vec<u32>,
    pub edge_kind: Vec<EdgeKind>,
    pub edge_name: Vec<u32>,
    pub edge_to: Vec<u32>,
}

/// The nodes and edges of one heap snapshot.
#[derive(Debug)]
pub struct Graph {
    columns: Columns,
    strings: StringTable,
    places: Places,
}

impl Graph {
    /// A graph of checked columns: equal lengths, at least one node, every index inside its table.
    pub(crate) fn new(columns: Columns, strings: StringTable, locations: Vec<location::Raw>) -> Self {
        let mut graph = Self { columns, strings, places: Places::default() };
        graph.places = Places::resolve(&graph, locations);
        graph
    }

    /// The number of nodes, at least one.
    pub fn node_count(&self) -> usize {
        self.columns.kind.len()
    }

    /// The number of edges.
    pub fn edge_count(&self) -> usize {
        self.columns.edge_to.len()
    }

    /// Every node, the root first.
    pub fn nodes(&self) -> std::ops::Range<Node> {
        0..self.node_count() as u32
    }

    /// The sum of all self sizes, in bytes; sums past 64 bits stay at the largest value.
    pub fn total_size(&self) -> u64 {
        self.columns.self_size.iter().fold(0, |sum: u64, &size| sum.saturating_add(size))
    }

    /// What sort of thing `node` is.
    pub fn kind(&self, node: Node) -> NodeKind {
        self.columns.kind[node as usize]
    }

    /// The name V8 gives `node`: the constructor of an object, the text of a string, the name of a function.
    pub fn name(&self, node: Node) -> &str {
        self.strings.get(self.columns.name[node as usize])
    }

    /// The index of `node`'s name in [`Graph::strings`]: equal indexes mean equal names.
    pub fn name_index(&self, node: Node) -> u32 {
        self.columns.name[node as usize]
    }

    /// The id by which V8 knows `node` again in a later snapshot of the same process.
    pub fn id(&self, node: Node) -> u32 {
        self.columns.id[node as usize]
    }

    /// The bytes `node` itself takes, without what it refers to.
    pub fn self_size(&self, node: Node) -> u64 {
        self.columns.self_size[node as usize]
    }

    /// The edges that start at `node`.
    pub fn edges(&self, node: Node) -> std::ops::Range<Edge> {
        let node = node as usize;
        self.columns.first_edge[node]..self.columns.first_edge[node + 1]
    }

    /// What sort of reference `edge` is.
    pub fn edge_kind(&self, edge: Edge) -> EdgeKind {
        self.columns.edge_kind[edge as usize]
    }

    /// Where `edge` leads.
    pub fn edge_to(&self, edge: Edge) -> Node {
        self.columns.edge_to[edge as usize]
    }

    /// What `edge` is called.
    pub fn edge_name(&self, edge: Edge) -> EdgeName<'_> {
        let value = self.columns.edge_name[edge as usize];
        if self.edge_kind(edge).is_named() {
            EdgeName::Name(self.strings.get(value))
        } else {
            EdgeName::Index(value)
        }
    }

    /// The edge's name as it stands in the file: a string index for named edges, else the element's index.
    pub fn edge_name_or_index(&self, edge: Edge) -> u32 {
        self.columns.edge_name[edge as usize]
    }

    /// The first edge of `node` called `name`, of any named kind.
    pub fn edge_named(&self, node: Node, name: &str) -> Option<Edge> {
        self.edges(node).find(|&edge| self.edge_name(edge) == EdgeName::Name(name))
    }

    /// Where the first edge of `node` called `name` leads.
    pub fn child_named(&self, node: Node, name: &str) -> Option<Node> {
        self.edge_named(node, name).map(|edge| self.edge_to(edge))
    }

    /// All strings of the snapshot.
    pub fn strings(&self) -> &StringTable {
        &self.strings
    }

    /// The source position of a function, or of the constructor of an object; `None` where V8 recorded none.
    pub fn location(&self, node: Node) -> Option<Location> {
        self.places.of(self, node)
    }
}

/// `vec![value; len]` that reports lack of memory rather than aborting.
pub(crate) fn filled<T: Clone>(value: T, len: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len)
        .map_err(|_| ErrorKind::OutOfMemory { bytes: (len as u64).saturating_mul(size_of::<T>() as u64) })?;
    vec.resize(len, value);
    Ok(vec)
}

/// Stops work that nobody waits for any more.
pub(crate) fn check(cancel: &AtomicBool) -> Result<()> {
    if cancel.load(Ordering::Relaxed) { Err(ErrorKind::Cancelled.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
