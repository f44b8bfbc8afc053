//! What every analysis of a graph starts from.

use std::sync::atomic::AtomicBool;

use crate::error::Result;
use crate::graph::dominators::Dominators;
use crate::graph::holding::Holding;
use crate::graph::retainers::Retainers;
use crate::graph::{Graph, check};

/// The holding edges and the dominators of a graph.
#[derive(Debug)]
pub(crate) struct Trees {
    pub holding: Holding,
    pub dominators: Dominators,
}

impl Trees {
    pub fn of(graph: &Graph, cancel: &AtomicBool) -> Result<Self> {
        check(cancel)?;
        let holding = Holding::of(graph, cancel)?;
        let retainers = Retainers::of(graph, cancel)?;
        let dominators = Dominators::of(graph, &holding, &retainers, cancel)?;
        Ok(Self { holding, dominators })
    }
}
