//! What an analysis of a graph starts from.

use std::sync::atomic::AtomicBool;

use crate::error::Result;
use crate::graph::dominators::Dominators;
use crate::graph::holding::Holding;
use crate::graph::path::Paths;
use crate::graph::retainers::Retainers;
use crate::graph::{Graph, check};

/// The dominators and the paths of a graph.
#[derive(Debug)]
pub(crate) struct Trees {
    pub dominators: Dominators,
    pub paths: Paths,
}

impl Trees {
    pub fn of(graph: &Graph, cancel: &AtomicBool) -> Result<Self> {
        check(cancel)?;
        let holding = Holding::of(graph, cancel)?;
        Ok(Self { dominators: over(graph, &holding, cancel)?, paths: Paths::of(graph, &holding, cancel)? })
    }
}

/// The dominators of `graph`; what they are made from is given back before they are used.
pub(crate) fn dominators(graph: &Graph, cancel: &AtomicBool) -> Result<Dominators> {
    check(cancel)?;
    over(graph, &Holding::of(graph, cancel)?, cancel)
}

/// The paths of `graph` alone.
pub(crate) fn paths(graph: &Graph, cancel: &AtomicBool) -> Result<Paths> {
    Paths::of(graph, &Holding::of(graph, cancel)?, cancel)
}

fn over(graph: &Graph, holding: &Holding, cancel: &AtomicBool) -> Result<Dominators> {
    let retainers = Retainers::of(graph, cancel)?;
    Dominators::of(graph, holding, &retainers, cancel)
}
