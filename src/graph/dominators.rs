//! The immediate dominator of each node: the last one through which every path from the root leads.
//!
//! Semi-NCA, after Loukas Georgiadis, *Linear-Time Algorithms for Dominators and Related Problems* (Princeton, 2005), section
//! 2.3: semidominators as Lengauer and Tarjan find them, then each dominator as the nearest common ancestor of parent and
//! semidominator, which is a climb. On heap graphs it is faster than Lengauer-Tarjan proper and five times as fast as the
//! iterative scheme of Cooper, Harvey and Kennedy. Nothing recurses: a linked list of ten million nodes is a depth of ten million.
//!
//! Most of the time goes into waiting for memory, and at this point the process holds most of it, so what is kept is little:
//!
//! - All arrays are by depth-first number, which keeps neighbours together. Three of them, and one that is made again at the end.
//! - Most semidominators are the tree parent: only the others are kept.
//! - Of the edges turned around only those are needed that lead to a smaller number. An edge to a larger one (to a child or another
//!   descendant) cannot be improved by what lies between, and is settled while the search goes by.
//! - They are used from the largest number to the smallest, so half of them are made at a time.
//! - The parents, which path compression overwrites, are needed once more at the end, in order: two bits a node tell the shape of
//!   a tree.

use std::sync::atomic::AtomicBool;

use super::bits::Bits;
use super::holding::{Holding, page_roots};
use super::spare::Spare;
use super::{Graph, Node, ROOT, Target, check, filled, reserve};
use crate::error::{ErrorKind, Result};

const NONE: u32 = u32::MAX;

/// Below so many edges turned around they are made in one go.
const ONE_GO: usize = if cfg!(test) { 3 } else { 1 << 20 };

/// The dominator tree, by depth-first number: a node's dominator has a smaller number than the node.
#[derive(Debug)]
pub struct Numbered {
    /// By number, the node.
    pub(crate) order: Vec<Node>,
    /// By number, the number of the immediate dominator; the root's is 0, itself.
    pub(crate) idom: Vec<u32>,
}

impl Numbered {
    /// The dominators of `graph` over its holding edges, which it finds out itself where nobody has. What these do not reach hangs on the
    /// root, as in DevTools. With `beside`, some of the work is done on a second thread.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`, and `Unsupported` where there is no second thread.
    pub(crate) fn of(
        graph: &Graph,
        holding: Option<&Holding>,
        beside: bool,
        spare: &mut Spare,
        cancel: &AtomicBool,
    ) -> Result<Self> {
        let (mut forest, found) = Forest::of(graph, holding, spare, cancel)?;
        let Some(holding) = holding.or(found.as_ref()) else {
            return Err(ErrorKind::Internal { message: "nobody knows what holds".to_owned() }.into());
        };
        let (number, shape) = (std::mem::take(&mut forest.number), std::mem::take(&mut forest.shape));
        let mut semi = Semi::new(forest);
        semi.solve(&Turn { graph, holding, number: &number }, beside, spare, cancel)?;
        let Semi { ancestor: mut idom, mut lower, best, .. } = semi;
        spare.give(best);
        let mut tree = shape.replay();
        for at in 1..idom.len() {
            let mut up = tree.next_parent()?;
            if let Some((_, least)) = lower.pop_if(|&mut (lower, _)| lower as usize == at) {
                while up > least {
                    up = idom[up as usize];
                }
            }
            idom[at] = up;
        }
        let mut order = spare.filled(ROOT, number.len())?;
        for (node, &number) in number.iter().enumerate() {
            order[number as usize] = node as Node;
        }
        spare.give(number);
        Ok(Self { order, idom })
    }
}

/// The dominator tree, by node.
#[derive(Debug)]
pub struct Dominators {
    parent: Vec<Node>,
    /// The nodes so that each comes after its dominator.
    order: Vec<Node>,
}

impl Dominators {
    /// The dominators of `graph` over its holding edges. What these do not reach hangs on the root, as in DevTools.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub fn of(graph: &Graph, holding: &Holding, cancel: &AtomicBool) -> Result<Self> {
        let Numbered { order, idom } =
            Numbered::of(graph, Some(holding), false, &mut Spare::default(), cancel)?;
        let mut parent = filled(ROOT, order.len())?;
        for (&node, &idom) in order.iter().zip(&idom) {
            parent[node as usize] = order[idom as usize];
        }
        Ok(Self { parent, order })
    }

    /// The immediate dominator of `node`; the root's is itself.
    pub fn parent(&self, node: Node) -> Node {
        self.parent[node as usize]
    }

    /// Every node once, the root first, each after its dominator.
    pub fn order(&self) -> &[Node] {
        &self.order
    }
}

/// The depth-first search: each node has a smaller number than what lies below it.
struct Forest {
    /// By node.
    number: Vec<u32>,
    /// By number, the number of the tree parent.
    parent: Vec<u32>,
    /// Edges to a descendant that pass its parent by, from the descendant to the other end.
    forward: Vec<(u32, u32)>,
    /// From this number on, nodes that nothing but each other holds, and not the root that they are set below.
    cliques: u32,
    /// By number, how many edges come from nodes with larger numbers.
    counts: Vec<u32>,
    shape: Shape,
}

impl Forest {
    /// The forest, and what holds what if nobody had found out before.
    fn of(
        graph: &Graph,
        holding: Option<&Holding>,
        spare: &mut Spare,
        cancel: &AtomicBool,
    ) -> Result<(Self, Option<Holding>)> {
        let nodes = graph.node_count();
        let forest = Self {
            number: spare.filled(NONE, nodes)?,
            parent: spare.empty(nodes)?,
            forward: Vec::new(),
            cliques: nodes as u32,
            counts: spare.filled(0, nodes)?,
            shape: Shape::default(),
        };
        let (open, skipped) = (Vec::new(), Vec::new());
        let mut search = Search { graph, holding, cancel, forest, open, skipped, leads_back: false };
        search.enter(ROOT, 0);
        let found = if holding.is_none() { Some(search.own()?) } else { None };
        // What was found begins to count.
        let Search { forest, open, .. } = search;
        let holding = holding.or(found.as_ref());
        let skipped = Vec::new();
        let mut search = Search { graph, holding, cancel, forest, open, skipped, leads_back: false };
        search.run(0)?;
        if search.forest.parent.len() < nodes {
            search.rest()?;
        }
        Ok((search.forest, found))
    }
}

struct Search<'g> {
    graph: &'g Graph,
    /// `None` while all that is searched is owned by the page, whose edges ownership does not take out.
    holding: Option<&'g Holding>,
    cancel: &'g AtomicBool,
    forest: Forest,
    /// The path to the node at hand: number, next edge, end of the edges, whether ownership takes none of them out.
    open: Vec<(u32, u32, u32, bool)>,
    /// Where edges lead that hold nothing and are not weak, while `holding` is not known: the page owns what they reach.
    skipped: Vec<Node>,
    /// Whether an edge leads from what the page owns to the root.
    leads_back: bool,
}

impl Search<'_> {
    /// Numbers what the page's roots reach, and finds with that what the page owns: nearly all of it is numbered then.
    fn own(&mut self) -> Result<Holding> {
        let mut starts = page_roots(self.graph);
        for &root in &starts {
            if root != ROOT && self.forest.number[root as usize] == NONE {
                self.enter(root, 0);
                self.run(1)?;
            }
        }
        let mut owned = Bits::new(self.graph.node_count())?;
        for (node, &number) in (0..).zip(&self.forest.number) {
            if number != NONE && node != ROOT {
                owned.set(node);
            }
        }
        starts.append(&mut self.skipped);
        if self.leads_back {
            starts.push(ROOT);
        }
        starts.retain(|&node| !owned.get(node));
        Holding::completed(self.graph, owned, starts, self.cancel)
    }

    #[inline]
    fn holds_all(&self, node: Node) -> bool {
        self.holding.is_none_or(|holding| holding.holds_all(node))
    }

    #[inline]
    fn holds_target(&self, all: bool, target: Target) -> bool {
        match self.holding {
            Some(holding) if !all => holding.holds_target(all, target),
            _ => target.may_hold(),
        }
    }

    /// What the root does not reach, as DevTools sets it beside the root's children: what nothing holds, with all that it
    /// reaches; then one by one the rest, which hold each other.
    fn rest(&mut self) -> Result<()> {
        let mut held = Bits::new(self.graph.node_count())?;
        for node in self.graph.nodes() {
            let all = self.holds_all(node);
            for &target in self.graph.targets(node) {
                if self.holds_target(all, target) {
                    held.set(target.node());
                }
            }
        }
        for node in self.graph.nodes() {
            if self.forest.number[node as usize] == NONE && !held.get(node) {
                self.from(node)?;
            }
        }
        self.forest.cliques = self.forest.parent.len() as u32;
        for node in self.graph.nodes() {
            if self.forest.number[node as usize] == NONE {
                let number = self.enter(node, 0);
                self.open.clear();
                self.forest.shape.leave();
                self.settle(node, number)?;
            }
        }
        Ok(())
    }

    /// Counts the edges of a node that is numbered without being searched.
    fn settle(&mut self, node: Node, number: u32) -> Result<()> {
        let all = self.holds_all(node);
        for &target in self.graph.targets(node) {
            let to = self.forest.number[target.node() as usize];
            // What has no number yet will have a larger one, and no edge counts that leads there from here: see `fill`.
            if to != NONE && self.holds_target(all, target) {
                self.forest.pass(number, to)?;
            }
        }
        Ok(())
    }

    /// Numbers all that `start` reaches.
    fn from(&mut self, start: Node) -> Result<()> {
        self.enter(start, 0);
        self.run(0)
    }

    /// Goes on until the path is only `depth` long.
    fn run(&mut self, depth: usize) -> Result<()> {
        while self.open.len() > depth
            && let Some(&(number, mut next, end, all)) = self.open.last()
        {
            let mut child = None;
            while next < end {
                let target = self.graph.target(next);
                next += 1;
                if !self.holds_target(all, target) {
                    if self.holding.is_none() && !target.is_weak() {
                        reserve(&mut self.skipped, 1)?;
                        self.skipped.push(target.node());
                    }
                    continue;
                }
                let to = self.forest.number[target.node() as usize];
                if to == NONE {
                    child = Some(target.node());
                    break;
                }
                if to == 0 && self.holding.is_none() {
                    // The page leads back to the root, and owns what that leads to.
                    self.leads_back = true;
                }
                self.forest.pass(number, to)?;
            }
            if let Some(last) = self.open.last_mut() {
                last.1 = next;
            }
            if let Some(node) = child {
                reserve(&mut self.open, 1)?;
                self.enter(node, number);
            } else {
                self.open.pop();
                self.forest.shape.leave();
            }
        }
        check(self.cancel)
    }

    fn enter(&mut self, node: Node, parent: u32) -> u32 {
        let number = self.forest.parent.len() as u32;
        self.forest.number[node as usize] = number;
        self.forest.parent.push(parent);
        self.forest.shape.enter();
        let edges = self.graph.edges(node);
        let all = self.holds_all(node);
        self.open.push((number, edges.start, edges.end, all));
        number
    }
}

impl Forest {
    /// Takes note of an edge between two nodes that have their numbers.
    #[inline]
    fn pass(&mut self, from: u32, to: u32) -> Result<()> {
        if to < from {
            self.counts[to as usize] += 1;
        } else if from < self.parent[to as usize] {
            reserve(&mut self.forward, 1)?;
            self.forward.push((to, from));
        }
        Ok(())
    }
}

/// The shape of a forest, in two bits a node: a one where a node is entered, a zero where it is left.
#[derive(Debug, Default)]
struct Shape {
    words: Vec<u64>,
    len: u64,
}

impl Shape {
    fn enter(&mut self) {
        self.push(1);
    }

    fn leave(&mut self) {
        self.push(0);
    }

    fn push(&mut self, bit: u64) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        if let Some(last) = self.words.last_mut() {
            *last |= bit << (self.len % 64);
        }
        self.len += 1;
    }

    fn replay(self) -> Replay {
        // The root is entered first and has no parent.
        Replay { shape: self, at: 1, number: 0, path: vec![0] }
    }
}

/// The parents of the nodes in the order of their numbers.
struct Replay {
    shape: Shape,
    at: u64,
    number: u32,
    path: Vec<u32>,
}

impl Replay {
    /// The parent of the next node; whatever is entered after the root was left is set beside the root's children.
    fn next_parent(&mut self) -> Result<u32> {
        loop {
            let word = self.shape.words.get((self.at / 64) as usize).copied().unwrap_or(u64::MAX);
            let entered = word >> (self.at % 64) & 1 == 1;
            self.at += 1;
            if entered {
                break;
            }
            self.path.pop();
        }
        let parent = self.path.last().copied().unwrap_or(0);
        self.number += 1;
        reserve(&mut self.path, 1)?;
        self.path.push(self.number);
        Ok(parent)
    }
}

/// Semidominators, from the largest number to the smallest.
struct Semi {
    /// By number: the tree parent, or a higher one once the way there is known.
    ancestor: Vec<u32>,
    /// Ascending; see [`Forest`].
    forward: Vec<(u32, u32)>,
    cliques: u32,
    /// The semidominators that are not the tree parent, with their nodes, descending.
    lower: Vec<(u32, u32)>,
    /// By number, once it is worked off: the least semidominator between the node and `ancestor`. Before: where the edges that come
    /// from larger numbers end in their list.
    best: Vec<u32>,
    /// The numbers from here on are worked off.
    worked_off: usize,
    stack: Vec<u32>,
}

impl Semi {
    fn new(forest: Forest) -> Self {
        let Forest { parent, mut forward, cliques, counts, .. } = forest;
        forward.sort_unstable();
        let worked_off = counts.len();
        let (lower, stack) = (Vec::new(), Vec::new());
        Self { ancestor: parent, forward, cliques, lower, best: counts, worked_off, stack }
    }

    /// With `beside`, the second half of the edges is turned around on a thread of its own while the first is worked off.
    fn solve(&mut self, turn: &Turn<'_>, beside: bool, spare: &mut Spare, cancel: &AtomicBool) -> Result<()> {
        let all: u64 = self.best.iter().map(|&count| u64::from(count)).sum();
        let half = if all as usize > ONE_GO { middle(&self.best, all / 2) } else { 1 };
        // Taken out, so that one thread can have the first part while this one works with the second.
        let mut best = std::mem::take(&mut self.best);
        let (low, high) = best.split_at_mut(half);
        let mut list = spare.empty(0)?;
        let second = if beside && half > 1 {
            std::thread::scope(|scope| -> Result<Vec<u32>> {
                let thread = std::thread::Builder::new().name("heapwarden-work".to_owned());
                let work = || {
                    let mut list = Vec::new();
                    turn.around(1, &mut low[1..], &mut list).map(|()| list)
                };
                let thread = thread.spawn_scoped(scope, work).map_err(|error| ErrorKind::Unsupported {
                    feature: "a second thread",
                    reason: error.to_string(),
                })?;
                turn.around(half, high, &mut list)?;
                self.work_off(half, half, high, &list, cancel)?;
                let panicked = |_| ErrorKind::Internal { message: "the second thread panicked".to_owned() };
                thread.join().map_err(panicked)?
            })?
        } else {
            turn.around(half, high, &mut list)?;
            self.work_off(half, half, high, &list, cancel)?;
            turn.around(1, &mut low[1..], &mut list)?;
            std::mem::take(&mut list)
        };
        self.work_off(0, 1, &mut best, &second, cancel)?;
        self.best = best;
        spare.give(list);
        spare.give(second);
        Ok(())
    }

    /// Works off the numbers from the last down to `start`. `best` begins with number `base`; of what lies before `start` in it nothing is
    /// looked at, and what was worked off before is left alone.
    fn work_off(
        &mut self,
        base: usize,
        start: usize,
        best: &mut [u32],
        list: &[u32],
        cancel: &AtomicBool,
    ) -> Result<()> {
        // The numbers from `worked_off` on are done.
        let end = std::mem::replace(&mut self.worked_off, start);
        for at in (start..end).rev() {
            if at % 65_536 == 0 {
                check(cancel)?;
            }
            let parent = self.ancestor[at];
            let mut least = if at >= self.cliques as usize { at as u32 } else { parent };
            while let Some((_, from)) = self.forward.pop_if(|&mut (to, _)| to as usize == at) {
                least = least.min(from);
            }
            let first = if at == start { 0 } else { best[at - 1 - base] };
            for &from in &list[first as usize..best[at - base] as usize] {
                self.compress(from, at as u32, base, best);
                least = least.min(best[from as usize - base]);
            }
            best[at - base] = least;
            if least < parent {
                reserve(&mut self.lower, 1)?;
                self.lower.push((at as u32, least));
            }
        }
        Ok(())
    }

    /// Makes `from` know the best semidominator between it and what is not worked off yet: numbers up to `linked`.
    #[inline]
    fn compress(&mut self, from: u32, linked: u32, base: usize, best: &mut [u32]) {
        let above = self.ancestor[from as usize];
        if above <= linked {
            return;
        }
        let mut at = above;
        let mut below = from;
        self.stack.clear();
        loop {
            let above = self.ancestor[at as usize];
            if above <= linked {
                break;
            }
            self.stack.push(below);
            below = at;
            at = above;
        }
        // `below` hangs on `at`, the last one that is worked off.
        let (top, mut least) = (self.ancestor[at as usize], best[at as usize - base]);
        loop {
            least = least.min(best[below as usize - base]);
            best[below as usize - base] = least;
            self.ancestor[below as usize] = top;
            match self.stack.pop() {
                Some(next) => below = next,
                None => return,
            }
        }
    }
}

/// What it takes to turn edges around.
struct Turn<'g> {
    graph: &'g Graph,
    holding: &'g Holding,
    number: &'g [u32],
}

impl Turn<'_> {
    /// Lists, for each number from `low` on, the larger numbers with an edge there. `ends` has how many that are, and is told where each
    /// list ends.
    fn around(&self, low: usize, ends: &mut [u32], list: &mut Vec<u32>) -> Result<()> {
        let mut sum = 0;
        for count in ends.iter_mut() {
            sum += std::mem::replace(count, sum);
        }
        list.clear();
        reserve(list, sum as usize)?;
        list.resize(sum as usize, 0);
        let (low, high) = (low as u32, (low + ends.len()) as u32);
        for node in self.graph.nodes() {
            let from = self.number[node as usize];
            if from <= low {
                continue;
            }
            let all = self.holding.holds_all(node);
            for &target in self.graph.targets(node) {
                let to = self.number[target.node() as usize];
                if to >= low && to < high && to < from && self.holding.holds_target(all, target) {
                    let slot = &mut ends[(to - low) as usize];
                    list[*slot as usize] = from;
                    *slot += 1;
                }
            }
        }
        Ok(())
    }
}

/// The first place at which half of `counts` lies before.
fn middle(counts: &[u32], half: u64) -> usize {
    let mut sum = 0;
    let at = counts.iter().position(|&count| {
        sum += u64::from(count);
        sum >= half
    });
    at.unwrap_or(1).max(1)
}
