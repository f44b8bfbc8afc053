//! What to do, in one sentence.

use super::holder::{Holder, is_given};
use super::pattern::{Pattern, is_timer};
use super::scene::Scene;
use crate::analysis::path::{PathStep, is_keyed};

/// What to do about the units of `scene`, called `name`.
pub(crate) fn advice(
    scene: &Scene<'_>,
    name: &str,
    pattern: Pattern,
    holder: Option<&Holder>,
    steps: &[PathStep],
) -> String {
    let held = held_by(steps).map_or(String::new(), |edge| format!(" `{edge}`"));
    let told = holder.map_or("what holds it".to_owned(), |holder| format!("the {}", holder.told()));
    match pattern {
        Pattern::Listener => {
            let event = holder.and_then(|holder| holder.event.as_deref());
            let event = event.map_or(String::new(), |event| format!(" to `{event}`"));
            let what = if name.starts_with("(closure)") { "" } else { " that keeps it" };
            format!(
                "Remove the listener{event}{what} from {told} when it is done, or add it once and not each time."
            )
        }
        Pattern::Timer if is_dead_timer(scene) => {
            format!("These timers are over or cleared: remove them from {told} as well.")
        }
        Pattern::Timer => match is_timer(scene.graph, scene.sample) {
            true => format!("Clear each {name} when what it was set for is done."),
            false => format!(
                "Clear the timer that keeps each {name} when it is done (clearInterval, clearTimeout)."
            ),
        },
        Pattern::Promise => format!(
            "Settle the promise that each waits for, with a timeout if need be, and take it out of {told}."
        ),
        Pattern::Pool => {
            format!(
                "Give each {name} back to {told} on every way out, errors too: release it in a `finally`."
            )
        }
        Pattern::Buffer => {
            format!("Release each {name}{held} when its bytes are used: they lie outside the heap.")
        }
        Pattern::String if scene.unit.nodes.len() == 1 || scene.unit.chain => {
            format!("Write out the text{held} in pieces instead of adding to it.")
        }
        Pattern::String => format!(
            "Each keeps the whole text that it was cut from{held}: copy the piece (`structuredClone`, Buffer) before it is kept."
        ),
        Pattern::Closure if scene.unit.chain => {
            format!(
                "Each {name} keeps the one before it by a variable{held}: set that to null when it is used."
            )
        }
        Pattern::Closure => format!(
            "Drop each {name}{held} when it is done; a function keeps all variables that any function beside it reads."
        ),
        Pattern::Global => {
            format!("Keep {name} with the request instead of in {told}, or remove it at the end.")
        }
        Pattern::Collection if scene.unit.chain => {
            format!("Each {name} holds the one before it: cut the reference that links them{held}.")
        }
        Pattern::Collection => {
            let class = holder.map_or("collection", |holder| holder.constructor_name.as_str());
            format!("Remove each {name} from the {class}{held} when it is done, or bound its size.")
        }
        Pattern::Unknown => format!("Release each {name}{held} when it is done."),
    }
}

/// Whether the units are timers that a collection keeps, rather than the list of those that wait.
fn is_dead_timer(scene: &Scene<'_>) -> bool {
    let by_list = |edge: &str| matches!(edge, "_idlePrev" | "_idleNext");
    is_timer(scene.graph, scene.sample)
        && scene.accumulator().is_some_and(|owner| {
            let class = scene.graph.name(owner.node);
            (is_keyed(class) || class == "Array") && !by_list(&owner.edge)
        })
}

/// The first name on the path that a programmer gave: a variable or a property.
fn held_by(steps: &[PathStep]) -> Option<&str> {
    // Past the first function the names are those of its callers.
    let near = steps.iter().position(|step| step.location.is_some()).map_or(steps.len(), |at| at + 1);
    steps[..near].iter().map(|step| step.edge.as_str()).find(|edge| is_given(edge))
}
