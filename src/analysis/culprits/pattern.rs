//! By which mechanism the units of a group are kept, read off the graph.
//!
//! A mechanism is recognised by what Node and V8 build for it (a table of listeners, a timer's function, a promise's reactions) and by where
//! in it the units pile up; the names of classes say nothing. What is most telling is asked first:
//!
//! | pattern | what the graph shows |
//! |---|---|
//! | pool | the members refer back to an object that keeps all of them, and has a second place for those that are free |
//! | listener | the units meet in the table of an emitter's or event target's listeners |
//! | timer | each is held by a timer of its own, or is one |
//! | buffer | three quarters of what they keep are the bytes of array buffers |
//! | promise | each is held by a reaction to a promise, or is or holds a promise that somebody waits for |
//! | string | each is a piece of a text that is kept whole for it, or all is one text that grows |
//! | closure | each is a function, or is held by a variable of a function of its own |
//! | global | they meet in something that hangs on the global object, or on a function as if it were one |
//! | collection | they meet in a Map, Set, array or dictionary, or are a list |

use serde::{Deserialize, Serialize};

use super::is_collection;
use super::pool::pool;
use super::scene::Scene;
use crate::analysis::path::is_global;
use crate::graph::{EdgeKind, Graph, Node, NodeKind};

/// By what mechanism memory is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pattern {
    /// Listeners that are added and never removed: of an emitter, an event target, an AbortSignal.
    Listener,
    /// Functions, or what only their variables keep.
    Closure,
    /// A Map, Set, array, dictionary or list that is filled and never emptied.
    Collection,
    /// Timers that are never cleared, or kept when they are over.
    Timer,
    /// Promises that are never settled, with what waits for them.
    Promise,
    /// Buffers and array buffers.
    Buffer,
    /// Members of a pool that are taken and never given back.
    Pool,
    /// What is put on a global, or on an object that lives as long as the program.
    Global,
    /// Texts: pieces that keep the whole alive, or one that grows.
    String,
    /// None that is known.
    Unknown,
}

impl Pattern {
    /// The name that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Closure => "closure",
            Self::Collection => "collection",
            Self::Timer => "timer",
            Self::Promise => "promise",
            Self::Buffer => "buffer",
            Self::Pool => "pool",
            Self::Global => "global",
            Self::String => "string",
            Self::Unknown => "unknown",
        }
    }
}

/// A pattern, and who holds by it.
pub(crate) struct Recognised {
    pub pattern: Pattern,
    /// Where on the path the holder stands.
    pub holder: Option<usize>,
    /// The event that is listened to.
    pub event: Option<String>,
    /// A holder that is not on the path.
    pub pool: Option<Node>,
}

/// Shares of what is kept from which on that is what it is about.
pub(crate) const MOSTLY: f64 = 0.75;
const HALF: f64 = 0.5;

/// How many units are looked into, and how many objects in each.
const UNITS: usize = 16;
const OBJECTS: usize = 400;

/// How far from what accumulates the owner of a listeners' table is: the array of listeners, the table of events; or the root of the list,
/// the Map of events.
const TABLE_STEPS: usize = 3;

/// How far from what accumulates a global may be.
const GLOBAL_STEPS: usize = 3;

/// By what mechanism the units of `scene` are kept.
pub(crate) fn recognise(scene: &Scene<'_>) -> Recognised {
    let graph = scene.graph;
    let at_meeting = |pattern| Recognised { pattern, holder: scene.meet, event: None, pool: None };
    if let Some(pool) = pool(scene) {
        return Recognised { pool: Some(pool), ..at_meeting(Pattern::Pool) };
    }
    if let Some((emitter, event)) = listened(scene) {
        return Recognised { holder: Some(emitter), event, ..at_meeting(Pattern::Listener) };
    }
    if is_timed(scene) {
        return at_meeting(Pattern::Timer);
    }
    let buffers = buffer_share(scene);
    if buffers >= MOSTLY {
        return at_meeting(Pattern::Buffer);
    }
    if is_awaited(scene) {
        return at_meeting(Pattern::Promise);
    }
    if is_text(scene) {
        return at_meeting(Pattern::String);
    }
    if scene.unit.chain {
        return at_meeting(if linked_by_variable(scene) { Pattern::Closure } else { Pattern::Collection });
    }
    let is_function = graph.kind(scene.sample) == NodeKind::Closure;
    let by_variable = scene.meet.is_some() && scene.before_meeting().iter().any(|owner| owner.by_variable);
    if by_variable || (is_function && !is_property_bag(scene)) {
        return at_meeting(Pattern::Closure);
    }
    if is_on_global(scene) {
        return at_meeting(Pattern::Global);
    }
    let holder = scene.meet.or(if scene.path.is_empty() { None } else { Some(0) });
    let collects = holder.is_some_and(|at| is_collection(graph, scene.path[at].node));
    match collects {
        true => Recognised { holder, ..at_meeting(Pattern::Collection) },
        false if buffers >= HALF => at_meeting(Pattern::Buffer),
        false => Recognised { holder, ..at_meeting(Pattern::Unknown) },
    }
}

/// The place on the path of whom the units listen to, and the event if it is one.
///
/// They do where they meet in the table of listeners itself; what an old listener happens to keep by a variable is no listener.
///
/// ```text
///   emitter   listener <- Array of listeners <- table of events <- _events of the emitter
///   target    Listener <- root of the list <- Map of events <- kEvents of the target
/// ```
fn listened(scene: &Scene<'_>) -> Option<(usize, Option<String>)> {
    let graph = scene.graph;
    let meet = scene.meet?;
    let is_thing = |at: usize| {
        let owner = &scene.path[at];
        graph.kind(owner.node) == NodeKind::Object && !owner.by_variable
    };
    let last = (meet + TABLE_STEPS).min(scene.path.len());
    let at = (meet + 1..last).find(|&at| matches!(&*scene.path[at].edge, "_events" | "<symbol kEvents>"))?;
    if !(meet..=at).all(is_thing) {
        return None;
    }
    let by_event = at == meet + 2;
    let within = by_event.then(|| graph.name(scene.path[meet].node));
    match &*scene.path[at].edge {
        // The units are the entries of the table where each has an event of its own.
        "_events" => within
            .is_none_or(|class| class == "Array")
            .then(|| (at, by_event.then(|| scene.path[at - 1].edge.clone()))),
        _ => within.is_none_or(|class| class == "Object").then(|| (at, event_of_target(scene, at))),
    }
}

/// The event of an event target: in its Map, the key before the list of listeners.
fn event_of_target(scene: &Scene<'_>, at: usize) -> Option<String> {
    let graph = scene.graph;
    let map = scene.path.get(at.checked_sub(1)?)?.node;
    let list = scene.path.get(at.checked_sub(2)?)?.node;
    let table = graph.child_named(map, "table")?;
    let mut key = None;
    for (_, _, entry) in graph.named_edges(table) {
        if graph.kind(entry).is_string() {
            key = Some(entry);
        } else if entry == list {
            return key.map(|key| graph.name(key).to_owned());
        }
    }
    None
}

/// Whether `node` is one of Node's timers: it has a function to call, or had.
pub(crate) fn is_timer(graph: &Graph, node: Node) -> bool {
    graph.kind(node) == NodeKind::Object
        && ((graph.child_named(node, "_onTimeout").is_some()
            && graph.child_named(node, "_idlePrev").is_some())
            || graph.child_named(node, "_onImmediate").is_some())
}

fn is_timed(scene: &Scene<'_>) -> bool {
    let by_timer = |edge: &str| matches!(edge, "_onTimeout" | "_onImmediate" | "_timerArgs");
    is_timer(scene.graph, scene.sample) || scene.before_meeting().iter().any(|owner| by_timer(&owner.edge))
}

/// The part of what some units keep that is the bytes of array buffers.
pub(crate) fn buffer_share(scene: &Scene<'_>) -> f64 {
    let is_buffer = |node: Node| {
        let mut below = scene.graph.targets(node).iter().map(|target| target.node());
        below.any(|to| scene.graph.name(to) == "system / JSArrayBufferData")
    };
    let (mut buffers, mut all) = (0u64, 0u64);
    for unit in scene.some(UNITS) {
        if scene.graph.name(unit) == "system / JSArrayBufferData" {
            return 1.0;
        }
        all = all.saturating_add(scene.region.size(unit));
        within(scene, unit, |node| {
            if is_buffer(node) {
                buffers = buffers.saturating_add(scene.region.size(node));
            }
            is_buffer(node)
        });
    }
    if all == 0 { 0.0 } else { buffers as f64 / all as f64 }
}

/// Looks at `unit` and what it keeps alive, until `stops` says of an object not to look into that.
pub(crate) fn within(scene: &Scene<'_>, unit: Node, mut stops: impl FnMut(Node) -> bool) {
    let mut open = vec![unit];
    for _ in 0..OBJECTS {
        let Some(node) = open.pop() else { return };
        if !stops(node) {
            open.extend(scene.region.children(node));
        }
    }
}

/// Whether `node` is a promise that is not settled and that somebody waits for.
fn is_pending(graph: &Graph, node: Node) -> bool {
    graph.kind(node) == NodeKind::Object
        && graph.name(node) == "Promise"
        && graph.child_named(node, "reactions_or_result").is_some_and(|to| is_reaction(graph, to))
}

pub(crate) fn is_reaction(graph: &Graph, node: Node) -> bool {
    graph.name(node).ends_with("PromiseReaction")
}

fn is_awaited(scene: &Scene<'_>) -> bool {
    let graph = scene.graph;
    if is_pending(graph, scene.sample) {
        return true;
    }
    let far = scene.accumulator().map_or(usize::MAX, |owner| owner.steps);
    let mut before = scene.paths.from(scene.sample).take(far);
    if before.any(|step| is_reaction(graph, step.from)) {
        return true;
    }
    // Or each keeps a promise that waits for it: an entry `{ resolve, reject }` that nobody takes out.
    let is_plain = matches!(graph.name(scene.sample), "Object" | "Array" | "Promise")
        || graph.kind(scene.sample) == NodeKind::Closure;
    let (mut pending, mut all) = (0u64, 0u64);
    for unit in scene.some(UNITS) {
        let size = scene.region.size(unit);
        let mut found = 0u64;
        within(scene, unit, |node| {
            let is = is_pending(graph, node);
            if is {
                found = found.saturating_add(scene.region.size(node));
            }
            is
        });
        all = all.saturating_add(size);
        pending = pending.saturating_add(if is_plain && found > 0 { size } else { found });
    }
    all > 0 && pending as f64 >= HALF * all as f64
}

/// Whether it is about texts: a piece that keeps the whole, or one that grows.
fn is_text(scene: &Scene<'_>) -> bool {
    let graph = scene.graph;
    let kind = graph.kind(scene.sample);
    let is_grown = kind.is_string() && (scene.unit.chain || scene.unit.nodes.len() == 1);
    let is_joined = matches!(kind, NodeKind::ConsString | NodeKind::SlicedString);
    let far = scene.accumulator().map_or(usize::MAX, |owner| owner.steps);
    let mut before = scene.paths.from(scene.sample).take(far);
    let is_whole = kind.is_string() && before.any(|step| graph.kind(step.from) == NodeKind::SlicedString);
    if is_grown || is_joined || is_whole {
        return true;
    }
    // Or pieces somewhere inside, with a whole each.
    let (mut wholes, mut all) = (0u64, 0u64);
    for unit in scene.some(UNITS) {
        all = all.saturating_add(scene.region.size(unit));
        within(scene, unit, |node| {
            let is = graph.kind(node) == NodeKind::SlicedString;
            if is {
                wholes = wholes.saturating_add(scene.region.size(node));
            }
            is
        });
    }
    all > 0 && wholes as f64 >= HALF * all as f64
}

/// Whether each link of a list holds the next by a variable of a function.
fn linked_by_variable(scene: &Scene<'_>) -> bool {
    let [first, second, ..] = scene.unit.nodes[..] else { return false };
    let between = scene.paths.from(second).take_while(|step| step.from != first);
    let mut between = between.take(OBJECTS);
    between.any(|step| scene.graph.edge_kind(step.from, step.edge) == EdgeKind::Context)
}

/// Whether the units are functions that have properties of the program's: things rather than actions.
fn is_property_bag(scene: &Scene<'_>) -> bool {
    let of_functions = ["name", "length", "prototype", "arguments", "caller", "__proto__"];
    let graph = scene.graph;
    let mut edges = graph.named_edges(scene.sample);
    edges.any(|(kind, name, _)| {
        kind == EdgeKind::Property && !of_functions.contains(&graph.strings().get(name))
    })
}

/// Whether what accumulates hangs by properties, not by variables, on the global object or on a function.
fn is_on_global(scene: &Scene<'_>) -> bool {
    let Some(meet) = scene.meet else { return false };
    let graph = scene.graph;
    let near = scene.path[meet..].iter().take(1 + GLOBAL_STEPS).take_while(|owner| !owner.by_variable);
    let by_name = |edge: &str| edge != "[[Entries]]";
    near.take_while(|owner| by_name(&owner.edge) || owner.node == scene.path[meet].node)
        .any(|owner| graph.kind(owner.node) == NodeKind::Closure || is_global(graph, owner.node))
}
