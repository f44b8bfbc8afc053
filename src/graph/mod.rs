//! A heap snapshot as columns of numbers, and what can be derived from them.
//!
//! A snapshot of a 1 GB heap has some thirty million nodes and ninety million edges; as objects with pointers they would
//! take several times the heap. Here each field is one array, and a node or an edge is an index into all of them:
//!
//! ```text
//!            0        1        2    ...        node   kind name id self_size layout    15 bytes
//!  nodes  [ root  ][ Map   ][ Session ]        first_edge[n] .. first_edge[n + 1]       4 bytes
//!             |        \
//!  edges  [ e0 ][ e1 ][ e2 ][ e3 ] ...         edge   to, with two flags                4 bytes
//! ```
//!
//! Edges lie in the order of the nodes that own them, so that the edges of a node are a range. What an edge is called, and of what
//! kind it is, most nodes share with others of their class: see `layout.rs`. Names are indexes into one [`StringTable`]. A [`Graph`]
//! can only be had from the parser, which has checked every index; the algorithms here lean on that.
//!
//! | file | what it derives |
//! |---|---|
//! | [`holding`] | which edges keep their target alive, by DevTools' rules |
//! | [`distance`] | how far a node is from the roots, as DevTools counts |
//! | [`dominators`] | through which node every path to a node leads |
//! | [`retained`] | what would be freed with a node |
//! | [`owned`] | whose the stores are that only one object uses |
//! | [`path`] | the shortest chain of edges that keeps a node alive |
//! | [`location`] | file, line and column of functions and constructors |

pub(crate) mod bits;
pub mod distance;
pub mod dominators;
pub mod holding;
mod kind;
pub(crate) mod layout;
pub mod location;
pub mod owned;
pub mod path;
pub mod retained;
mod rows;
pub(crate) mod sizes;
pub(crate) mod spare;
mod strings;

pub use kind::{EdgeKind, NodeKind, holds_constants};
pub use location::Location;
pub use rows::{NodeSink, Row, Rows};
pub use strings::{SparseStrings, StringTable};

use location::Places;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Result};
use holding::ephemeron;
use layout::{Layouts, Slots};
use sizes::Sizes;

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

impl EdgeName<'_> {
    /// The leading digits of the name, or the index, as JavaScript's `parseInt` reads them; `None` where there are none.
    pub fn leading_number(&self) -> Option<u64> {
        match self {
            Self::Index(index) => Some(u64::from(*index)),
            Self::Name(name) => {
                let digits = name.bytes().take_while(u8::is_ascii_digit).count();
                name[..digits].parse().ok()
            }
        }
    }
}

impl std::fmt::Display for EdgeName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// Where an edge leads, in the lower thirty bits, and what most walks ask of it, in the upper two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target(u32);

impl Target {
    const WEAK: u32 = 1 << 31;
    const SKIPPED: u32 = 1 << 30;
    /// One past the largest node that fits: a file of 80 GB has as many.
    pub const LIMIT: u32 = Self::SKIPPED;

    /// An edge of `kind` from one node to another.
    #[inline]
    pub fn new(from: Node, kind: EdgeKind, to: Node) -> Self {
        let mut target = Self::raw(to, Self::flags(kind));
        target.settle(from);
        target
    }

    /// Leads nowhere in particular.
    pub const NONE: Self = Self(0);

    /// The flags of an edge of `kind`, as long as it is not known where it starts: see [`Target::settle`].
    pub fn flags(kind: EdgeKind) -> u32 {
        match kind {
            EdgeKind::Weak => Self::WEAK,
            EdgeKind::Shortcut => Self::SKIPPED,
            _ => 0,
        }
    }

    /// An edge to `to` with `flags`.
    #[inline]
    pub fn raw(to: Node, flags: u32) -> Self {
        Self(to | flags)
    }

    /// Corrects the flags for an edge that starts at `from`.
    #[inline]
    pub fn settle(&mut self, from: Node) {
        if self.node() == from {
            self.0 |= Self::SKIPPED;
        } else if from == ROOT {
            // The root's shortcuts hold.
            self.0 &= !Self::SKIPPED;
        }
    }

    #[inline]
    pub fn node(self) -> Node {
        self.0 & (Self::LIMIT - 1)
    }

    #[inline]
    pub fn is_weak(self) -> bool {
        self.0 & Self::WEAK != 0
    }

    /// Whether the edge may hold its target: it is not weak, no loop, no shortcut but the root's, and not that of a WeakMap's table.
    #[inline]
    pub fn may_hold(self) -> bool {
        self.0 & (Self::WEAK | Self::SKIPPED) == 0
    }
}

/// What a node is, in a byte, with one bit for the few nodes whose edges must be looked at by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KindByte(u8);

impl KindByte {
    const SPECIAL: u8 = 1 << 7;

    #[inline]
    pub fn new(kind: NodeKind) -> Self {
        Self(kind as u8)
    }

    #[inline]
    fn kind(self) -> NodeKind {
        NodeKind::from_number(self.0 & !Self::SPECIAL)
    }
}

/// The columns that the parser fills; `first_edge` has one entry more than there are nodes.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub kind: Vec<KindByte>,
    pub name: Vec<u32>,
    /// Empty where nobody wanted them.
    pub id: Vec<u32>,
    pub self_size: Sizes,
    pub first_edge: Vec<u32>,
    pub edge_to: Vec<Target>,
    /// Native nodes of which V8 says whether their document still refers to them.
    pub detachedness: Vec<(Node, u8)>,
}

/// The nodes and edges of one heap snapshot.
#[derive(Debug)]
pub struct Graph {
    columns: Columns,
    layouts: Layouts,
    strings: StringTable,
    places: Places,
    in_clone: bool,
}

impl Graph {
    /// A graph of checked columns: equal lengths, at least one node, every index inside its table.
    pub(crate) fn new(columns: Columns, layouts: Layouts, strings: StringTable, mut places: Places) -> Self {
        let mut graph = Self { columns, layouts, strings, places: Places::default(), in_clone: false };
        graph.look_at_names();
        places.resolve(&graph);
        graph.places = places;
        graph
    }

    /// Marks the nodes whose edges [`distance`] must look at by name, and takes the edges from a WeakMap's table to its values out of
    /// those that hold: the pair's other edge, from the key, holds the value and makes the better path.
    fn look_at_names(&mut self) {
        let (mut descriptors, mut context) = (u32::MAX, u32::MAX);
        let mut pairs: Vec<u32> = Vec::new();
        for (index, name) in (0..).zip(self.strings.iter()) {
            // Few names start like one of these.
            match name.as_bytes().first() {
                Some(b'(') if name == "(map descriptors)" => descriptors = index,
                Some(b's') if name == "system / NativeContext" => context = index,
                Some(b'0'..=b'9') if ephemeron(name).is_some() => pairs.push(index),
                _ => {}
            }
        }
        for (kind, &name) in self.columns.kind.iter_mut().zip(&self.columns.name) {
            let special = match kind.kind() {
                NodeKind::Array => name == descriptors,
                NodeKind::Hidden => name == context,
                _ => false,
            };
            if special {
                kind.0 |= KindByte::SPECIAL;
            }
        }
        if pairs.is_empty() {
            return;
        }
        let is_pair =
            |kind: EdgeKind, name: u32| kind == EdgeKind::Internal && pairs.binary_search(&name).is_ok();
        let shared = self.layouts.shared_with(is_pair);
        // A pair's name carries the ids of its objects: hardly any two nodes share a list with one.
        let mut nodes: Vec<Node> = self.layouts.owners().collect();
        if !shared.is_empty() {
            let mut has_pair = vec![false; self.layouts.shared_count()];
            shared.iter().for_each(|&layout| has_pair[layout as usize] = true);
            let shares =
                |node: &Node| self.layouts.shared(*node).is_some_and(|layout| has_pair[layout as usize]);
            nodes.extend(self.nodes().filter(shares));
        }
        for node in nodes {
            let slots = self.layouts.slots(node);
            let id = self.id(node);
            for (slot, edge) in (0..).zip(self.edges(node)) {
                let name = self.layouts.name(slots, slot);
                if !is_pair(self.layouts.kind(slots, slot), name) {
                    continue;
                }
                self.columns.kind[node as usize].0 |= KindByte::SPECIAL;
                if ephemeron(self.strings.get(name)).is_some_and(|(_, table)| table == id) {
                    self.columns.edge_to[edge as usize].0 |= Target::SKIPPED;
                }
            }
        }
    }

    /// Whether the ids are those of the process, and mean the same objects in another snapshot of it. Not so in a clone of the process,
    /// which numbers for itself what the process has not numbered: two clones give one number to different objects.
    pub fn ids_are_own(&self) -> bool {
        !self.in_clone
    }

    /// Says that the snapshot was taken in a clone of the process, where its text does not say so.
    pub fn disown_ids(&mut self) {
        self.in_clone = true;
    }

    /// The memory of the ids, for work that does not need them. From here on every id is 0.
    pub(crate) fn forget_ids(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.columns.id)
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
        self.nodes().fold(0, |sum: u64, node| sum.saturating_add(self.self_size(node)))
    }

    /// What sort of thing `node` is.
    #[inline]
    pub fn kind(&self, node: Node) -> NodeKind {
        self.columns.kind[node as usize].kind()
    }

    /// Whether the names of `node`'s edges decide over distances.
    #[inline]
    pub(crate) fn is_special(&self, node: Node) -> bool {
        self.columns.kind[node as usize].0 & KindByte::SPECIAL != 0
    }

    /// The name V8 gives `node`: the constructor of an object, the name of a function, the beginning of a string.
    ///
    /// Of strings that name nothing only the first [`StringTable::VALUE_BYTES`] are kept.
    pub fn name(&self, node: Node) -> &str {
        self.strings.get(self.columns.name[node as usize])
    }

    /// The index of `node`'s name in [`Graph::strings`]: equal indexes mean equal names.
    #[inline]
    pub fn name_index(&self, node: Node) -> u32 {
        self.columns.name[node as usize]
    }

    /// The id by which V8 knows `node` again in a later snapshot of the same process; 0 where ids were not kept.
    #[inline]
    pub fn id(&self, node: Node) -> u32 {
        self.columns.id.get(node as usize).copied().unwrap_or(0)
    }

    /// The bytes `node` itself takes, without what it refers to.
    #[inline]
    pub fn self_size(&self, node: Node) -> u64 {
        self.columns.self_size.get(node)
    }

    /// The self sizes of all nodes.
    pub(crate) fn self_sizes(&self) -> &Sizes {
        &self.columns.self_size
    }

    /// Says that `node` takes `bytes`.
    pub(crate) fn set_self_size(&mut self, node: Node, bytes: u64) {
        self.columns.self_size.set(node, bytes);
    }

    /// The nodes of which V8 says that a document refers to them (1) or no longer does (2).
    pub(crate) fn detachedness(&self) -> &[(Node, u8)] {
        &self.columns.detachedness
    }

    /// The edges that start at `node`.
    #[inline]
    pub fn edges(&self, node: Node) -> std::ops::Range<Edge> {
        let node = node as usize;
        self.columns.first_edge[node]..self.columns.first_edge[node + 1]
    }

    /// Where the edges of `node` lead, in order.
    #[inline]
    pub(crate) fn targets(&self, node: Node) -> &[Target] {
        let edges = self.edges(node);
        &self.columns.edge_to[edges.start as usize..edges.end as usize]
    }

    /// Where `edge` leads, with its flags.
    #[inline]
    pub(crate) fn target(&self, edge: Edge) -> Target {
        self.columns.edge_to[edge as usize]
    }

    /// Where `edge` leads.
    #[inline]
    pub fn edge_to(&self, edge: Edge) -> Node {
        self.target(edge).node()
    }

    /// The node that `edge` starts at: a binary search.
    pub fn edge_from(&self, edge: Edge) -> Node {
        self.columns.first_edge.partition_point(|&first| first <= edge) as Node - 1
    }

    fn slot(&self, from: Node, edge: Edge) -> (Slots, u32) {
        (self.layouts.slots(from), edge - self.columns.first_edge[from as usize])
    }

    /// What sort of reference `edge`, one of `from`'s, is.
    pub fn edge_kind(&self, from: Node, edge: Edge) -> EdgeKind {
        let (slots, slot) = self.slot(from, edge);
        self.layouts.kind(slots, slot)
    }

    /// What `edge`, one of `from`'s, is called.
    pub fn edge_name(&self, from: Node, edge: Edge) -> EdgeName<'_> {
        let (slots, slot) = self.slot(from, edge);
        self.named(self.layouts.kind(slots, slot), self.layouts.name(slots, slot))
    }

    fn named(&self, kind: EdgeKind, name: u32) -> EdgeName<'_> {
        if kind.is_named() { EdgeName::Name(self.strings.get(name)) } else { EdgeName::Index(name) }
    }

    /// The name of `edge`, one of `from`'s, as it stands in the file: a string index for named edges, else the element's index.
    pub fn edge_name_or_index(&self, from: Node, edge: Edge) -> u32 {
        let (slots, slot) = self.slot(from, edge);
        self.layouts.name(slots, slot)
    }

    /// All there is to know of the edges of `node`: kind, name as it stands in the file, and target.
    pub fn named_edges(&self, node: Node) -> impl DoubleEndedIterator<Item = (EdgeKind, u32, Node)> + '_ {
        let slots = self.layouts.slots(node);
        let kinds_and_names = self.targets(node).iter().enumerate();
        kinds_and_names.map(move |(slot, target)| {
            (self.layouts.kind(slots, slot as u32), self.layouts.name(slots, slot as u32), target.node())
        })
    }

    /// A number that two nodes share only if their edges agree in kind and name, one by one; `None` for nodes that share none.
    pub(crate) fn layout(&self, node: Node) -> Option<u16> {
        self.layouts.shared(node)
    }

    /// One more than the largest number that [`Graph::layout`] gives.
    pub(crate) fn layout_count(&self) -> usize {
        self.layouts.shared_count()
    }

    /// The first edge of `node` called `name`, of any named kind.
    pub fn edge_named(&self, node: Node, name: &str) -> Option<Edge> {
        let slots = self.layouts.slots(node);
        (0..).zip(self.edges(node)).find_map(|(slot, edge)| {
            let named = self.named(self.layouts.kind(slots, slot), self.layouts.name(slots, slot));
            (named == EdgeName::Name(name)).then_some(edge)
        })
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

    /// The nodes that are written somewhere, ascending, with a number that is the same for the same place.
    pub(crate) fn placed_nodes(&self) -> &[(Node, u32)] {
        self.places.by_node()
    }

    /// The number of the place where `node` is written, if it is written anywhere: a binary search.
    pub(crate) fn place_number(&self, node: Node) -> Option<u32> {
        let placed = self.placed_nodes();
        placed.binary_search_by_key(&node, |&(node, _)| node).ok().map(|slot| placed[slot].1)
    }

    /// The place that has this number.
    pub(crate) fn place(&self, number: u32) -> location::Place {
        self.places.place(number)
    }
}

/// `vec![value; len]` that reports lack of memory rather than aborting.
pub(crate) fn filled<T: Clone>(value: T, len: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len).map_err(|_| out_of_memory(len.saturating_mul(size_of::<T>())))?;
    vec.resize(len, value);
    Ok(vec)
}

/// Room for `extra` more entries. A vector that must grow at least doubles; pages that are never written cost nothing.
#[inline]
pub(crate) fn reserve<T>(vec: &mut Vec<T>, extra: usize) -> Result<()> {
    if vec.capacity() - vec.len() >= extra {
        return Ok(());
    }
    grow(vec, extra)
}

#[cold]
fn grow<T>(vec: &mut Vec<T>, extra: usize) -> Result<()> {
    vec.try_reserve(extra.max(vec.len()).max(1024))
        .or_else(|_| vec.try_reserve_exact(extra))
        .map_err(|_| out_of_memory((vec.len() + extra).saturating_mul(size_of::<T>())))
}

pub(crate) fn out_of_memory(bytes: usize) -> Error {
    ErrorKind::OutOfMemory { bytes: bytes as u64 }.into()
}

/// Stops work that nobody waits for any more.
pub(crate) fn check(cancel: &AtomicBool) -> Result<()> {
    if cancel.load(Ordering::Relaxed) { Err(ErrorKind::Cancelled.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
