//! What a summary is made from: on one thread in turn, or on two at the same time.
//!
//! ```text
//!  in turn        stores -> distances and what the page owns -> dominators -> groups, censuses
//!
//!  side by side   dominators ---------------------------------+-> stores moved
//!                 stores -> distances -> groups, censuses ----+
//! ```
//!
//! The second way takes some more memory; what the page owns each of the two finds out for itself.

use super::census::{self, ListenerSummary, PromiseSummary, TimerSummary};
use super::grouping::{Grouping, Interfaces};
use super::summary::View;
use crate::control::{Control, Stage};
use crate::error::{ErrorKind, Result};
use crate::graph::distance::{CompactDistances, Distances};
use crate::graph::dominators::Numbered;
use crate::graph::owned::{move_sizes, store_owners};
use crate::graph::spare::Spare;
use crate::graph::{Graph, Node};

/// What is known of every node.
pub(crate) struct Groundwork {
    pub tree: Numbered,
    pub distances: CompactDistances,
    pub grouping: Grouping,
    pub census: Census,
}

/// What can be counted with the graph alone.
pub(crate) struct Census {
    pub listeners: Vec<ListenerSummary>,
    pub timers: Vec<TimerSummary>,
    pub promises: PromiseSummary,
}

impl Census {
    fn of(graph: &Graph) -> Self {
        Self {
            listeners: census::listeners(graph, census::MAX_ROWS).into_iter().map(|(row, _)| row).collect(),
            timers: census::timers(graph),
            promises: census::promises(graph),
        }
    }
}

fn owners(graph: &Graph, view: View, spare: &mut Spare, control: &Control) -> Result<Vec<(Node, Node)>> {
    match view {
        View::Devtools => store_owners(graph, spare, control.cancel_flag()),
        View::File => Ok(Vec::new()),
    }
}

fn grouping(graph: &Graph, view: View, spare: &mut Spare) -> Result<Grouping> {
    match view {
        View::Devtools => Grouping::of(graph, &Interfaces::of(graph)?, spare),
        View::File => Grouping::by_name(graph, spare),
    }
}

/// One step after the other, each with the memory of the one before.
///
/// # Errors
///
/// `OutOfMemory`, `Cancelled`.
pub(crate) fn in_turn(
    graph: &mut Graph,
    view: View,
    spare: &mut Spare,
    control: &Control,
) -> Result<Groundwork> {
    let cancel = control.cancel_flag();
    control.stage(Stage::Holding);
    let owners = owners(graph, view, spare, control)?;
    move_sizes(graph, &owners);
    drop(owners);
    control.stage(Stage::Distances);
    let (distances, holding) = Distances::with_holding(graph, spare, cancel)?;
    let distances = CompactDistances::of(distances, spare)?;
    control.stage(Stage::Dominators);
    let tree = Numbered::of(graph, Some(&holding), false, spare, cancel)?;
    drop(holding);
    control.check()?;
    control.stage(Stage::Classes);
    let grouping = grouping(graph, view, spare)?;
    Ok(Groundwork { tree, distances, grouping, census: Census::of(graph) })
}

/// Dominators on this thread, all else on another.
///
/// # Errors
///
/// `OutOfMemory`, `Cancelled`, and `Unsupported` where no thread can be had.
pub(crate) fn side_by_side(
    graph: &mut Graph,
    view: View,
    spare: &mut Spare,
    control: &Control,
) -> Result<Groundwork> {
    let shared: &Graph = graph;
    let cancel = control.cancel_flag();
    let beside = move || -> Result<_> {
        let mut spare = Spare::default();
        let owners = owners(shared, view, &mut spare, control)?;
        let distances = CompactDistances::of(Distances::of(shared, cancel)?, &mut spare)?;
        let grouping = grouping(shared, view, &mut spare)?;
        Ok((owners, distances, grouping, Census::of(shared)))
    };
    let (others, tree) = both(true, beside, || {
        control.stage(Stage::Dominators);
        Numbered::of(shared, None, true, spare, cancel)
    })?;
    let (owners, distances, grouping, census) = others;
    move_sizes(graph, &owners);
    Ok(Groundwork { tree, distances, grouping, census })
}

/// Does the first on a thread of its own and the second on this one, or one after the other, and gives the results of both.
///
/// # Errors
///
/// Those of either, and `Unsupported` where no thread can be had.
pub(crate) fn both<A: Send, B>(
    side_by_side: bool,
    beside: impl FnOnce() -> Result<A> + Send,
    here: impl FnOnce() -> Result<B>,
) -> Result<(A, B)> {
    if !side_by_side {
        return Ok((beside()?, here()?));
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("heapwarden-work".to_owned());
        let thread = thread.spawn_scoped(scope, beside).map_err(|error| ErrorKind::Unsupported {
            feature: "a second thread",
            reason: error.to_string(),
        })?;
        let here = here()?;
        let panicked = |_| ErrorKind::Internal { message: "the second thread panicked".to_owned() };
        Ok((thread.join().map_err(panicked)??, here))
    })
}
