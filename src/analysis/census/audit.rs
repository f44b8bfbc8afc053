//! Listeners, timers, handles and promises with what keeps them: all of a graph that needs no sizes.

use serde::Serialize;

use super::{
    HandleSummary, ListenerSummary, PromiseSummary, TimerSummary, WaiterSummary, handles, listeners,
    promises, timers, waiters,
};
use crate::analysis::path::{PathStep, collapsed, owners, reported};
use crate::control::{Control, Stage};
use crate::error::Result;
use crate::graph::path::Paths;
use crate::graph::spare::Spare;
use crate::graph::{Graph, Node};

/// A program has a few hundred pairs of a class and an event.
const MAX_ROWS: usize = 1000;
/// The longest path that is told.
const MAX_STEPS: usize = 32;

/// Who listens, who waits, and what is open. The most first, each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// The listeners of each event on all emitters of one class.
    pub listeners: Vec<ListenerSummary>,
    /// The timers by function.
    pub timers: Vec<TimerSummary>,
    /// The handles by kind and owner.
    pub handles: Vec<HandleSummary>,
    /// The promises, counted.
    pub promises: PromiseSummary,
    /// Who waits for promises that are not settled, by function.
    pub waiters: Vec<WaiterSummary>,
}

/// Audits `graph`, which loses its ids.
///
/// # Errors
///
/// `OutOfMemory`, `Cancelled`.
pub fn audit(graph: &mut Graph, control: &Control) -> Result<Audit> {
    let mut spare = Spare::default();
    spare.give(graph.forget_ids());
    control.stage(Stage::Classes);
    let mut listeners = listeners(graph, MAX_ROWS);
    let mut handles = handles(graph, MAX_ROWS);
    let (timers, promises, waiters) = (timers(graph), promises(graph), waiters(graph, MAX_ROWS));
    control.check()?;
    control.stage(Stage::Paths);
    let nodes: Vec<Node> =
        listeners.iter().map(|&(_, node)| node).chain(handles.iter().map(|&(_, node)| node)).collect();
    let paths = Paths::to(graph, &nodes, &mut spare, control.cancel_flag())?;
    for (row, emitter) in &mut listeners {
        row.retainer_path = path(graph, &paths, *emitter);
    }
    for (row, owner) in &mut handles {
        row.retainer_path = path(graph, &paths, *owner);
    }
    Ok(Audit {
        listeners: listeners.into_iter().map(|(row, _)| row).collect(),
        timers,
        handles: handles.into_iter().map(|(row, _)| row).collect(),
        promises,
        waiters,
    })
}

fn path(graph: &Graph, paths: &Paths, node: Node) -> Vec<PathStep> {
    let owners = collapsed(graph, owners(graph, paths, node));
    owners.take(MAX_STEPS).map(|owner| reported(graph, &owner)).collect()
}
