//! What an analysis of a graph starts from.

use std::sync::atomic::AtomicBool;

use super::likeness::Likeness;
use crate::error::Result;
use crate::graph::Graph;
use crate::graph::dominators::Dominators;
use crate::graph::holding::Holding;
use crate::graph::path::Paths;

/// The dominators and the paths of a graph.
#[derive(Debug)]
pub(crate) struct Trees {
    pub dominators: Dominators,
    pub paths: Paths,
}

impl Trees {
    pub fn of(graph: &Graph, cancel: &AtomicBool) -> Result<Self> {
        let holding = Holding::of(graph, cancel)?;
        Ok(Self { dominators: Dominators::of(graph, &holding, cancel)?, paths: Paths::of(graph, cancel)? })
    }

    /// The same with the paths that [`Likeness`] speaks of: in two snapshots of one heap they read alike.
    pub fn alike(graph: &Graph, cancel: &AtomicBool) -> Result<(Self, Likeness)> {
        let holding = Holding::of(graph, cancel)?;
        let dominators = Dominators::of(graph, &holding, cancel)?;
        let (paths, likeness) = Likeness::of(graph, cancel)?;
        Ok((Self { dominators, paths }, likeness))
    }
}
