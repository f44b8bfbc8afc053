//! What is made of a snapshot: the same in the process and in a clone of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::analysis::{
    self, Alive, Audit, Baseline, Growth, Lengths, Longer, Mark, Middle, SnapshotSummary, Steady,
    SummaryOptions,
};
use crate::capture::Captured;
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::node::error_json;
use crate::graph::{Graph, NodeKind};
use crate::product::{Origin, mismatch};
use crate::report::look;
use crate::units::UnixMillis;
use crate::verdict::Look;

/// More constructors than that are rare, and have an object or two each.
const MOST_COUNTED: usize = 4096;

/// What is to come of the snapshot besides its file.
#[derive(Clone)]
pub enum Product {
    File,
    /// Objects by constructor.
    Census,
    Summary,
    /// Listeners, timers, handles and promises.
    Audit,
    Baseline,
    Growth(Arc<Baseline>),
    /// The graph itself, to be compared with later ones.
    Graph,
    /// What has grown in proportion to the calls between a graph and something in the middle, and between that and this snapshot.
    Steady {
        first: Slot<Graph>,
        middle: Between,
        calls: [u64; 2],
        longer: Arc<[Longer]>,
    },
}

/// What tells two rounds apart.
#[derive(Clone)]
pub enum Between {
    Snapshot(Slot<Graph>),
    Mark(Arc<Mark>),
}

impl Product {
    /// A comparison with the graph of a capture; `lengths` were measured beside it, in the middle, and beside the one to come.
    pub fn steady(
        first: Option<Slot<Graph>>,
        middle: Option<Between>,
        calls: Option<Vec<f64>>,
        lengths: Option<&Lengths>,
    ) -> Result<Self> {
        let refused = |name, expected: &str, found: String| {
            Err(ErrorKind::InvalidArg { name, expected: expected.into(), found }.into())
        };
        let (Some(first), Some(middle)) = (first, middle) else {
            return refused("since", "the capture of a graph, and another or a mark", "fewer".into());
        };
        match calls.as_deref() {
            Some(&[a, b]) => {
                let calls = [a as u64, b as u64];
                let longer = lengths.map(|lengths| lengths.longer(calls)).unwrap_or_default();
                Ok(Self::Steady { first, middle, calls, longer: longer.into() })
            }
            other => refused("calls", "two numbers", format!("{other:?}")),
        }
    }
}

/// Where something waits to be used.
pub type Slot<T> = Arc<Mutex<Option<T>>>;

/// What outlives a capture besides its answer, and when it was taken.
#[derive(Clone)]
pub struct Slots {
    pub baseline: Slot<Arc<Baseline>>,
    pub look: Slot<Look>,
    pub graph: Slot<Graph>,
    pub at: UnixMillis,
}

/// How many objects a constructor has made that are alive.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    constructor_name: String,
    count: u64,
}

/// What the promise of `finish` gives, as JSON.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    constructors: Option<Vec<Counted>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<SnapshotSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<Audit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    growth: Option<Growth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steady: Option<Steady>,
    /// Which of the names in the growth or the audit the program's text spells.
    #[serde(skip_serializing_if = "Option::is_none")]
    spelled: Option<Vec<String>>,
    /// Why the growth does not go by object ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_by_reason: Option<&'static str>,
    /// Why the growth is there but its file is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_error: Option<serde_json::Value>,
    /// Why the file is there but its analysis is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// What `captured` comes to, as JSON; what outlives it goes into `slots`.
pub fn analyse(captured: Captured, product: &Product, slots: &Slots, control: &Control) -> Result<String> {
    let mut outcome = Outcome { bytes: captured.bytes, ..Outcome::default() };
    let written = match (captured.file, product) {
        (Some(Err(error)), Product::Growth(_)) => {
            outcome.file_error = Some(error_json(&error));
            false
        }
        (file, _) => {
            outcome.file_bytes = file.transpose()?;
            outcome.file_bytes.is_some()
        }
    };
    if let Some(graph) = captured.graph {
        let analysed = graph.and_then(|graph| fill(&mut outcome, graph, product, slots, control));
        match analysed {
            // The file is there and is what was asked for first; the analysis can be made again from it.
            Err(error) if written => outcome.problem = Some(error.to_string()),
            other => other?,
        }
    }
    serde_json::to_string(&outcome).map_err(|e| internal(&e.to_string()))
}

fn fill(
    outcome: &mut Outcome,
    mut graph: Graph,
    product: &Product,
    slots: &Slots,
    control: &Control,
) -> Result<()> {
    let cancel = control.cancel_flag();
    match product {
        Product::File => {}
        Product::Census => {
            outcome.constructors = Some(counted(&graph));
        }
        Product::Summary => {
            outcome.summary = Some(analysis::summarize(graph, SummaryOptions::default(), control)?)
        }
        Product::Audit => {
            let audit = analysis::audit(&mut graph, control)?;
            outcome.spelled = Some(analysis::spelled_names(&graph, &audit));
            outcome.audit = Some(audit);
        }
        Product::Baseline => {
            let baseline = Arc::new(Baseline::of(&graph, cancel)?);
            outcome.constructors = Some(counted(&graph));
            put(&slots.look, look(slots.at, Alive::of(&graph), &[]));
            put(&slots.baseline, baseline);
        }
        Product::Growth(baseline) => {
            let growth = analysis::growth(baseline, &graph, cancel)?;
            let is_own = graph.ids_are_own() && baseline.ids_are_own();
            let origin = if is_own { Origin::SameIsolate } else { Origin::Clone };
            put(&slots.look, look(slots.at, Alive::of(&graph), &growth.culprits));
            outcome.matched_by_reason = mismatch(growth.matched_by, origin);
            outcome.spelled = Some(analysis::spelled_names(&graph, &growth));
            outcome.growth = Some(growth);
        }
        Product::Graph => put(&slots.graph, graph),
        Product::Steady { first, middle, calls, longer } => {
            let taken = |slot: &Slot<Graph>| {
                let graph = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                graph.ok_or_else(|| internal("a graph is compared before it was taken, or twice"))
            };
            let first = taken(first)?;
            let between = match middle {
                Between::Snapshot(slot) => Some(taken(slot)?),
                Between::Mark(_) => None,
            };
            let middle = match (&between, middle) {
                (None, Between::Mark(mark)) => Middle::Mark(mark),
                (Some(graph), _) => Middle::Snapshot(graph),
                (None, Between::Snapshot(_)) => return Err(internal("there is no middle")),
            };
            outcome.steady = Some(analysis::steady(&first, middle, &graph, *calls, longer, cancel)?);
        }
    }
    Ok(())
}

/// The census of a graph: the same objects as a walk over the heap finds.
fn counted(graph: &Graph) -> Vec<Counted> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for node in graph.nodes() {
        let name = match graph.kind(node) {
            NodeKind::Object => graph.name(node),
            NodeKind::Closure => "Function",
            NodeKind::Regexp => "RegExp",
            _ => continue,
        };
        // V8's own, which no program can hold.
        if !name.starts_with("system / ") {
            *counts.entry(name).or_default() += 1;
        }
    }
    let mut counted = ranked(counts.into_iter().map(|(name, count)| (name.to_owned(), count)));
    counted.truncate(MOST_COUNTED);
    counted
}

fn ranked(counts: impl Iterator<Item = (String, u64)>) -> Vec<Counted> {
    let mut counted: Vec<Counted> =
        counts.map(|(constructor_name, count)| Counted { constructor_name, count }).collect();
    counted.sort_by(|a, b| (b.count, &a.constructor_name).cmp(&(a.count, &b.constructor_name)));
    counted
}

/// The census of a walk over the heap, as JSON.
pub fn census(counts: Vec<(String, u64)>) -> Result<String> {
    let outcome = Outcome { constructors: Some(ranked(counts.into_iter())), ..Outcome::default() };
    serde_json::to_string(&outcome).map_err(|e| internal(&e.to_string()))
}

/// Puts `value` where it waits to be used.
pub fn put<T>(slot: &Mutex<Option<T>>, value: T) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}

/// A defect of ours.
pub fn internal(message: &str) -> Error {
    ErrorKind::Internal { message: message.to_owned() }.into()
}
