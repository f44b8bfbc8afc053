//! A group of units as a picture: the path of one of them, and where the paths of the others join it.
//!
//! ```text
//!   unit ----\
//!   unit -----> store -> Map -> (closure) login -> ... -> root
//!   unit ----/            ^
//!   the sample's path     where they meet: what accumulates
//! ```

use std::collections::HashMap;

use super::explain::{MIN_COUNT, Unit};
use super::region::Region;
use super::{Ground, label_of};
use crate::analysis::path::{Owner, collapsed, is_link, owners};
use crate::graph::path::Paths;
use crate::graph::{Graph, Node};

/// More units than this are not followed one by one.
const FOLLOWED: usize = 4096;

/// Units whose paths take longer to join are not counted, and left as they are.
pub(crate) const FARTHEST: usize = 256;

/// A group of units, the path of one, and where the others join it.
pub(crate) struct Scene<'a> {
    pub graph: &'a Graph,
    pub region: &'a Region,
    pub paths: &'a Paths,
    pub unit: &'a Unit,
    pub sample: Node,
    /// From the sample outwards.
    pub path: Vec<Owner>,
    /// Where in `path` stands what accumulates; nothing where the units have no owner in common.
    pub meet: Option<usize>,
    /// How many owners before that are links of the list that the sample is in.
    pub links: usize,
}

impl<'a> Scene<'a> {
    pub fn of(ground: Ground<'a>, unit: &'a Unit, sample: Node) -> Self {
        let Ground { graph, region, paths, .. } = ground;
        let path: Vec<Owner> = collapsed(graph, owners(graph, paths, sample)).collect();
        let mut scene = Self { graph, region, paths, unit, sample, path, meet: None, links: 0 };
        scene.links = scene.links();
        scene.meet = scene.meeting();
        scene
    }

    /// What accumulates.
    pub fn accumulator(&self) -> Option<&Owner> {
        self.path.get(self.meet?)
    }

    /// The owners between the sample and what accumulates.
    pub fn before_meeting(&self) -> &[Owner] {
        &self.path[..self.meet.unwrap_or(self.path.len())]
    }

    /// Some of the units, spread over all: evenly, but not in step with anything, as every second entry of a Map is a key.
    pub fn some(&self, most: usize) -> impl Iterator<Item = Node> + '_ {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let nodes = &self.unit.nodes;
        let is_few = nodes.len() <= most;
        (0..nodes.len().min(most)).map(move |at| match is_few {
            true => nodes[at],
            false => nodes[((at as f64 * GOLDEN).fract() * nodes.len() as f64) as usize],
        })
    }

    fn meeting(&self) -> Option<usize> {
        let least = if self.unit.chain { 1 } else { self.joined()? };
        // A run of one class is a list of which the paths lead through the next to the next.
        let after = self.path[self.links..].iter().position(|owner| owner.steps >= least && owner.run == 1);
        after.map(|at| self.links + at)
    }

    /// How many owners at the start of the path are links of the list that the sample is in, each of which holds the one before itself.
    fn links(&self) -> usize {
        let mut steps = 0;
        let is_link = |owner: &&Owner| {
            steps += owner.run;
            owner.steps == steps
                && label_of(self.graph, owner.node) == label_of(self.graph, self.sample)
                && (is_link(self.graph, owner.node) || self.graph.kind(owner.node).is_string())
        };
        self.path.iter().take_while(is_link).count()
    }

    /// After how many steps so many of the units have joined the sample's path that it is no accident.
    fn joined(&self) -> Option<usize> {
        let nodes: Vec<Node> =
            std::iter::once(self.sample).chain(self.paths.from(self.sample).map(|step| step.from)).collect();
        let place: HashMap<Node, usize> = nodes.iter().copied().zip(0..).collect();
        let mut joins = vec![0usize; nodes.len()];
        let mut followed = 1;
        for unit in self.some(FOLLOWED).filter(|&unit| unit != self.sample) {
            followed += 1;
            let mut before = unit;
            for step in self.paths.from(unit).take(FARTHEST) {
                if let Some(&at) = place.get(&step.from) {
                    joins[past_list(self.graph, &nodes, before, at)] += 1;
                    break;
                }
                before = step.from;
            }
        }
        let enough = if followed < self.unit.nodes.len() { 2 } else { MIN_COUNT.min(followed) };
        let mut sum = 1;
        for (at, joined) in joins.iter().enumerate() {
            sum += joined;
            if sum >= enough && at > 0 {
                return Some(at);
            }
        }
        None
    }
}

/// Where past `at` the list ends that a path from `before` enters there: its links are not what they all hang on.
fn past_list(graph: &Graph, nodes: &[Node], before: Node, at: usize) -> usize {
    let same = |node: Node| {
        graph.kind(node) == graph.kind(before) && graph.name_index(node) == graph.name_index(before)
    };
    if !is_link(graph, before) {
        return at;
    }
    let after = nodes[at..].iter().position(|&node| !same(node));
    after.map_or(at, |steps| at + steps)
}
