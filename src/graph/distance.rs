//! How many steps a node is from the roots, as DevTools counts them.
//!
//! DevTools walks breadth first from the user's roots (the global objects) with distance 1, and only then from the root proper,
//! whose distance is [`SYSTEM`]: what only V8 or Node refers to is always farther than what the program refers to.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use super::bits::Bits;
use super::holding::{Holding, ephemeron, is_document_trees, page_roots};
use super::spare::Spare;
use super::{Edge, EdgeKind, EdgeName, Graph, Node, NodeKind, ROOT, check, filled, reserve};
use crate::error::Result;

/// Distances from here on count from the root proper, not from the program's global objects.
pub const SYSTEM: u32 = 100_000_000;

/// The distance of what cannot be reached.
pub const UNREACHABLE: u32 = u32::MAX;

/// The distance of every node.
#[derive(Debug)]
pub struct Distances {
    by_node: Vec<u32>,
}

impl Distances {
    /// The distances of `graph`, after `calculateDistances` of DevTools' `HeapSnapshot.ts`.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub fn of(graph: &Graph, cancel: &AtomicBool) -> Result<Self> {
        Ok(Self::with_holding(graph, &mut Spare::default(), cancel)?.0)
    }

    /// The distances, and from the same walk what holds what: the first half of it reaches nearly all that the page owns.
    pub(crate) fn with_holding(
        graph: &Graph,
        spare: &mut Spare,
        cancel: &AtomicBool,
    ) -> Result<(Self, Holding)> {
        let mut walk = Walk {
            graph,
            by_node: spare.filled(UNREACHABLE, graph.node_count())?,
            queue: spare.empty(graph.node_count())?,
            pending: HashSet::new(),
            skipped: Vec::new(),
        };
        let mut roots = Vec::new();
        for target in graph.targets(ROOT) {
            let to = target.node();
            if graph.kind(to) != NodeKind::Synthetic || is_document_trees(graph, to) {
                roots.push(to);
                walk.by_node[to as usize] = 1;
            }
        }
        walk.queue.extend_from_slice(&roots);
        walk.run(cancel)?;
        let holding = walk.holding(&roots, cancel)?;
        walk.by_node[ROOT as usize] = if roots.is_empty() { 0 } else { SYSTEM };
        walk.queue.clear();
        walk.queue.push(ROOT);
        walk.run(cancel)?;
        spare.give(walk.queue);
        Ok((Self { by_node: walk.by_node }, holding))
    }

    /// The distance of `node`; [`UNREACHABLE`] where no edge but weak ones leads there.
    pub fn get(&self, node: Node) -> u32 {
        self.by_node[node as usize]
    }
}

/// The same in a quarter of the memory, for when it must be kept: a byte a node, and 8 more for each that is far away.
#[derive(Debug)]
pub(crate) struct CompactDistances {
    by_node: Vec<u8>,
    far: Vec<(Node, u32)>,
}

impl CompactDistances {
    /// So many steps fit; what counts from the root proper comes after what does not.
    const STEPS: u32 = 127;
    const FAR: u8 = u8::MAX;

    pub fn of(distances: Distances, spare: &mut Spare) -> Result<Self> {
        let mut far = Vec::new();
        let mut by_node = filled(Self::FAR, distances.by_node.len())?;
        for (node, (&distance, slot)) in (0..).zip(distances.by_node.iter().zip(&mut by_node)) {
            let (start, steps) =
                if distance < SYSTEM { (0, distance) } else { (Self::STEPS, distance - SYSTEM) };
            if steps < Self::STEPS {
                *slot = (start + steps) as u8;
            } else if distance != UNREACHABLE {
                reserve(&mut far, 1)?;
                far.push((node, distance));
            }
        }
        spare.give(distances.by_node);
        Ok(Self { by_node, far })
    }

    /// The distance of `node`.
    pub fn get(&self, node: Node) -> u32 {
        match self.by_node[node as usize] {
            Self::FAR => {
                let found = self.far.binary_search_by_key(&node, |&(far, _)| far);
                found.map_or(UNREACHABLE, |at| self.far[at].1)
            }
            near => match u32::from(near).checked_sub(Self::STEPS) {
                Some(steps) => SYSTEM + steps,
                None => u32::from(near),
            },
        }
    }
}

struct Walk<'g> {
    graph: &'g Graph,
    by_node: Vec<u32>,
    queue: Vec<Node>,
    /// WeakMap pairs of which one edge was seen: the value counts from the second, the farther one.
    pending: HashSet<&'g str>,
    /// Where edges lead that are not walked.
    skipped: Vec<Node>,
}

impl Walk<'_> {
    fn run(&mut self, cancel: &AtomicBool) -> Result<()> {
        let mut at = 0;
        while at < self.queue.len() {
            if at % 65_536 == 0 {
                check(cancel)?;
            }
            let node = self.queue[at];
            at += 1;
            let distance = self.by_node[node as usize] + 1;
            if self.graph.is_special(node) {
                self.step_by_name(node, distance)?;
                continue;
            }
            let targets = self.graph.targets(node);
            reserve(&mut self.queue, targets.len())?;
            for target in targets {
                let slot = &mut self.by_node[target.node() as usize];
                if *slot == UNREACHABLE && !target.is_weak() {
                    *slot = distance;
                    self.queue.push(target.node());
                }
            }
        }
        Ok(())
    }

    /// The same for a node of which not every edge counts.
    fn step_by_name(&mut self, node: Node, distance: u32) -> Result<()> {
        for edge in self.graph.edges(node) {
            let target = self.graph.target(edge);
            let to = target.node();
            if target.is_weak() || self.by_node[to as usize] != UNREACHABLE {
                continue;
            }
            if self.counts(node, edge) {
                self.by_node[to as usize] = distance;
                reserve(&mut self.queue, 1)?;
                self.queue.push(to);
            } else {
                self.skipped.push(to);
            }
        }
        Ok(())
    }

    /// Whether DevTools walks an edge of `node`: some lead from V8's bookkeeping to what it only describes.
    fn counts(&mut self, node: Node, edge: Edge) -> bool {
        let name = self.graph.edge_name(node, edge);
        match self.graph.kind(node) {
            NodeKind::Hidden
                if name == EdgeName::Name("sloppy_function_map")
                    && self.graph.name(node) == "system / NativeContext" =>
            {
                return false;
            }
            NodeKind::Array if self.graph.name(node) == "(map descriptors)" => {
                // Every third slot from the second is a property's value in the map, not in an object.
                return name.leading_number().is_none_or(|index| index < 2 || index % 3 != 1);
            }
            _ => {}
        }
        match name {
            EdgeName::Name(name) if self.graph.edge_kind(node, edge) == EdgeKind::Internal => {
                match ephemeron(name) {
                    Some((pair, _)) => self.pending.remove(pair) || !self.pending.insert(pair),
                    None => true,
                }
            }
            _ => true,
        }
    }

    /// What holds what, as of the end of the walk from `roots`.
    fn holding(&mut self, roots: &[Node], cancel: &AtomicBool) -> Result<Holding> {
        let mut page: Vec<Node> = page_roots(self.graph);
        let mut walked = roots.to_vec();
        page.sort_unstable();
        page.dedup();
        walked.sort_unstable();
        walked.dedup();
        if page != walked {
            return Holding::of(self.graph, cancel);
        }
        let mut owned = Bits::new(self.graph.node_count())?;
        for (node, &distance) in (0..).zip(&self.by_node) {
            if distance != UNREACHABLE {
                owned.set(node);
            }
        }
        Holding::completed(self.graph, owned, std::mem::take(&mut self.skipped), cancel)
    }
}
