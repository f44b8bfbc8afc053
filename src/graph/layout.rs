//! The kinds and names of edges, shared by the nodes that have the same.
//!
//! Objects of a class have the same properties: a snapshot of a million nodes has some two thousand different lists of edge
//! names. Each such *layout* is stored once, and a node keeps two bytes where its edges would take five each:
//!
//! ```text
//!  node      Session #1   Session #2   Map table        of_node   1 1 OWN
//!  layout        \            |            \
//!  pool      [ map property:id property:tags ] [ internal:0 internal:1 internal:2 ... ]
//! ```
//!
//! A list becomes shared when it is met for the second time, so that lists that occur once (the table of a large Map, the keys of
//! a WeakMap, whose edges carry object ids) neither fill the table nor push others out of it. What is too long to be worth
//! comparing, and what no longer fits, a node owns for itself.

use crate::error::Result;
use crate::graph::{EdgeKind, Node, out_of_memory, reserve};

/// The layout of a node that shares none.
const OWN: u16 = u16::MAX;

/// Lists longer than this are not compared: they are tables of collections, and each has its own length.
pub(crate) const LONGEST_SHARED: usize = 32;

/// The layout of nodes without edges, and what the pool starts with.
const EMPTY: u16 = 0;

/// The names and kinds of all edges, by node and slot.
#[derive(Debug)]
pub(crate) struct Layouts {
    of_node: Vec<u16>,
    /// Where in the pool each shared layout starts.
    shared: Vec<u32>,
    /// Nodes that own their list, ascending, and where it starts.
    own: Vec<(Node, u32)>,
    names: Vec<u32>,
    kinds: Vec<EdgeKind>,
}

/// Where in the pool a node's edges are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slots(u32);

impl Layouts {
    /// Where `node`'s edges are named.
    pub fn slots(&self, node: Node) -> Slots {
        match self.of_node[node as usize] {
            OWN => {
                let at = self.own.partition_point(|&(owner, _)| owner < node);
                Slots(self.own.get(at).map_or(0, |&(_, start)| start))
            }
            layout => Slots(self.shared[layout as usize]),
        }
    }

    /// The name, or the index, of the edge `slot` places after the node's first.
    pub fn name(&self, slots: Slots, slot: u32) -> u32 {
        self.names[(slots.0 + slot) as usize]
    }

    /// The kind of the edge `slot` places after the node's first.
    pub fn kind(&self, slots: Slots, slot: u32) -> EdgeKind {
        self.kinds[(slots.0 + slot) as usize]
    }

    /// A number that two nodes share only if all their edges agree in kind and name; `None` for a node with a list of its own.
    pub fn shared(&self, node: Node) -> Option<u16> {
        let layout = self.of_node[node as usize];
        (layout != OWN).then_some(layout)
    }

    /// How many layouts are shared.
    pub fn shared_count(&self) -> usize {
        self.shared.len()
    }

    /// The shared layouts in which some edge is `wanted`, by kind and name.
    pub fn shared_with(&self, wanted: impl Fn(EdgeKind, u32) -> bool) -> Vec<u16> {
        let ends = self.shared.iter().skip(1).copied();
        // What lies between two shared lists is a list that some node owns, which does no harm here but cost.
        let ends = ends.chain(std::iter::once(self.names.len() as u32));
        let lists = self.shared.iter().zip(ends).enumerate();
        let has = |&(_, (&start, end)): &(usize, (&u32, u32))| {
            (start..end.min(start + LONGEST_SHARED as u32))
                .any(|at| wanted(self.kinds[at as usize], self.names[at as usize]))
        };
        lists.filter(has).map(|(layout, _)| layout as u16).collect()
    }

    /// The nodes that own their list.
    pub fn owners(&self) -> impl Iterator<Item = Node> + '_ {
        self.own.iter().map(|&(node, _)| node)
    }
}

/// Gathers the edges of one node after the other.
#[derive(Debug)]
pub(crate) struct LayoutBuilder {
    layouts: Layouts,
    /// Hash table of shared layouts: number of the layout, or [`OWN`] where a place is free.
    table: Vec<u16>,
    /// By shared layout: hash and length.
    known: Vec<(u64, u32)>,
    /// Hashes met once, the older ones overwritten.
    once: Vec<u64>,
    /// The list of the node at hand, while it is short.
    names: Vec<u32>,
    kinds: Vec<EdgeKind>,
    hash: u64,
}

/// Twice the largest number of layouts, so that probing is short.
const TABLE: usize = 1 << 17;
const ONCE: usize = 1 << 13;

/// How many places are looked at: more than there ever are in a row, unless somebody means them to be.
const PROBES: usize = 64;

impl LayoutBuilder {
    pub fn new() -> Self {
        let layouts = Layouts {
            of_node: Vec::new(),
            shared: vec![0],
            own: Vec::new(),
            names: Vec::new(),
            kinds: Vec::new(),
        };
        Self {
            layouts,
            table: Vec::new(),
            known: vec![(0, 0)],
            once: Vec::new(),
            names: Vec::with_capacity(LONGEST_SHARED),
            kinds: Vec::with_capacity(LONGEST_SHARED),
            hash: 0,
        }
    }

    /// Room for `nodes` more nodes.
    pub fn reserve(&mut self, nodes: usize) -> Result<()> {
        reserve(&mut self.layouts.of_node, nodes)
    }

    /// The number of nodes finished so far.
    pub fn node_count(&self) -> usize {
        self.layouts.of_node.len()
    }

    /// A node without edges.
    pub fn empty(&mut self) {
        self.layouts.of_node.push(EMPTY);
    }

    /// An edge of a node whose list may be shared.
    #[inline]
    pub fn push(&mut self, kind: EdgeKind, name: u32) {
        self.names.push(name);
        self.kinds.push(kind);
        self.hash = mixed(self.hash, (kind as u64) << 32 | u64::from(name));
    }

    /// A node with the edges in `list`, few enough to be shared. `see` is told of the string indexes in a list that is new.
    #[inline]
    pub fn node(
        &mut self,
        list: impl ExactSizeIterator<Item = (EdgeKind, u32)> + Clone,
        see: impl FnMut(u32),
    ) -> Result<()> {
        let hash =
            list.clone().fold(0, |hash, (kind, name)| mixed(hash, (kind as u64) << 32 | u64::from(name)));
        if !self.table.is_empty() {
            let mut at = (hash >> 47) as usize;
            for _ in 0..PROBES {
                let layout = self.table[at];
                if layout == OWN {
                    break;
                }
                if self.known[layout as usize] == (hash, list.len() as u32) && self.is(layout, list.clone()) {
                    self.layouts.of_node.push(layout);
                    return Ok(());
                }
                at = (at + 1) % TABLE;
            }
        }
        list.for_each(|(kind, name)| self.push(kind, name));
        self.finish_node(see)
    }

    #[inline]
    fn is(&self, layout: u16, list: impl ExactSizeIterator<Item = (EdgeKind, u32)>) -> bool {
        let start = self.layouts.shared[layout as usize] as usize;
        let range = start..start + list.len();
        let known = self.layouts.kinds[range.clone()].iter().zip(&self.layouts.names[range]);
        known.zip(list).fold(true, |same, ((&kind, &name), other)| same & ((kind, name) == other))
    }

    /// The end of a node whose edges were given to [`LayoutBuilder::push`]. `see` is told of the string indexes in a list that is new.
    pub fn finish_node(&mut self, see: impl FnMut(u32)) -> Result<()> {
        let hash = std::mem::take(&mut self.hash);
        let known = self.known.len();
        let layout = self.find(hash);
        self.layouts.of_node.push(layout);
        if layout == OWN {
            let start = self.start()?;
            let node = self.layouts.of_node.len() as Node - 1;
            reserve(&mut self.layouts.own, 1)?;
            self.layouts.own.push((node, start));
            self.append()?;
        }
        if layout == OWN || self.known.len() > known {
            let named = self.kinds.iter().zip(&self.names).filter(|(kind, _)| kind.is_named());
            named.map(|(_, &name)| name).for_each(see);
        }
        self.names.clear();
        self.kinds.clear();
        Ok(())
    }

    /// Starts a node whose list is not shared; its edges follow by [`LayoutBuilder::push_own`].
    pub fn start_own(&mut self) -> Result<()> {
        let start = self.start()?;
        let node = self.layouts.of_node.len() as Node;
        self.layouts.of_node.push(OWN);
        reserve(&mut self.layouts.own, 1)?;
        self.layouts.own.push((node, start));
        Ok(())
    }

    /// An edge of the node that was started last.
    pub fn push_own(&mut self, kind: EdgeKind, name: u32) -> Result<()> {
        reserve(&mut self.layouts.names, 1)?;
        reserve(&mut self.layouts.kinds, 1)?;
        self.layouts.names.push(name);
        self.layouts.kinds.push(kind);
        Ok(())
    }

    /// All that was gathered.
    pub fn finish(self) -> Layouts {
        self.layouts
    }

    /// The shared layout of the list at hand, which it may become now; [`OWN`] where it is met for the first time.
    fn find(&mut self, hash: u64) -> u16 {
        if self.table.is_empty() {
            self.table = vec![OWN; TABLE];
            self.once = vec![0; ONCE];
        }
        // The upper bits of a product are the well mixed ones.
        let mut at = (hash >> 47) as usize;
        let mut probes = 0;
        loop {
            let layout = self.table[at];
            if layout == OWN {
                break;
            }
            probes += 1;
            if probes == PROBES {
                return OWN;
            }
            if self.known[layout as usize] == (hash, self.names.len() as u32) && self.equals(layout) {
                return layout;
            }
            at = (at + 1) % TABLE;
        }
        let seen = &mut self.once[(hash >> 30) as usize % ONCE];
        // The next number would be `OWN` itself.
        if *seen != hash || self.known.len() >= OWN as usize {
            *seen = hash;
            return OWN;
        }
        let Ok(start) = self.start() else { return OWN };
        if self.append().is_err() {
            return OWN;
        }
        let layout = self.known.len() as u16;
        self.known.push((hash, self.names.len() as u32));
        self.layouts.shared.push(start);
        self.table[at] = layout;
        layout
    }

    fn equals(&self, layout: u16) -> bool {
        let start = self.layouts.shared[layout as usize] as usize;
        let range = start..start + self.names.len();
        self.layouts.names[range.clone()] == self.names[..] && self.layouts.kinds[range] == self.kinds[..]
    }

    fn append(&mut self) -> Result<()> {
        reserve(&mut self.layouts.names, self.names.len())?;
        reserve(&mut self.layouts.kinds, self.names.len())?;
        self.layouts.names.extend_from_slice(&self.names);
        self.layouts.kinds.extend_from_slice(&self.kinds);
        Ok(())
    }

    /// Where the next list starts. The pool never holds more entries than there are edges, which are counted in 32 bits, and one
    /// copy of each shared layout.
    fn start(&self) -> Result<u32> {
        u32::try_from(self.layouts.names.len()).map_err(|_| out_of_memory(self.layouts.names.len() * 5))
    }
}

/// One step of the hash that the Rust compiler uses (FxHash): a rotation and a multiplication.
#[inline]
fn mixed(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(0x517C_C1B7_2722_0A95)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type List = Vec<(EdgeKind, u32)>;

    fn build(lists: &[List]) -> Layouts {
        let mut builder = LayoutBuilder::new();
        for list in lists {
            if list.is_empty() {
                builder.empty();
            } else if list.len() > LONGEST_SHARED {
                builder.start_own().unwrap();
                list.iter().for_each(|&(kind, name)| builder.push_own(kind, name).unwrap());
            } else {
                list.iter().for_each(|&(kind, name)| builder.push(kind, name));
                builder.finish_node(|_| {}).unwrap();
            }
        }
        assert_eq!(builder.node_count(), lists.len());
        builder.finish()
    }

    fn read(layouts: &Layouts, node: usize, len: usize) -> List {
        let slots = layouts.slots(node as Node);
        (0..len as u32).map(|slot| (layouts.kind(slots, slot), layouts.name(slots, slot))).collect()
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(lists in prop::collection::vec(
            prop::collection::vec((prop::sample::select(vec![EdgeKind::Internal, EdgeKind::Property]), 0u32..3), 0..40), 0..60)) {
            let layouts = build(&lists);
            for (node, list) in lists.iter().enumerate() {
                prop_assert_eq!(&read(&layouts, node, list.len()), list);
                for (other, same) in lists.iter().enumerate() {
                    if let (Some(a), Some(b)) = (layouts.shared(node as Node), layouts.shared(other as Node)) {
                        prop_assert_eq!(a == b, list == same);
                    }
                }
            }
        }
    }

    #[test]
    fn what_repeats_is_stored_twice_at_most_and_what_does_not_takes_no_number() {
        let same: List = vec![(EdgeKind::Internal, 1), (EdgeKind::Property, 2)];
        let lists: Vec<List> =
            (0..1000).flat_map(|n| [same.clone(), vec![(EdgeKind::Internal, 1000 + n)]]).collect();
        let layouts = build(&lists);
        assert_eq!(layouts.shared_count(), 2, "the empty one and the one that repeats");
        assert_eq!(layouts.names.len(), 2 * same.len() + 1000);
        assert_eq!(layouts.owners().count(), 1001);
    }

    #[test]
    fn more_lists_than_numbers_are_still_right() {
        let list = |n: u32| vec![(EdgeKind::Property, n)];
        let lists: Vec<List> = (0..70_000).flat_map(|n| [list(n), list(n), list(n)]).collect();
        let layouts = build(&lists);
        assert_eq!(layouts.shared_count(), OWN as usize);
        for node in (0..lists.len()).step_by(997) {
            assert_eq!(read(&layouts, node, 1), lists[node]);
        }
    }
}
