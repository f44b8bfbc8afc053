//! The line of code that a finding points to.

use super::holder::Holder;
use super::pattern::{Pattern, within};
use super::scene::Scene;
use crate::analysis::path::Owner;
use crate::graph::{Location, Node, NodeKind};

/// Where to look: of listeners and timers the function that is called, of other things their constructor; else where the holder is; else the
/// nearest on the path. What is in the program's own files goes before what is in a package's.
///
/// The first is of the thing itself, if it is written anywhere; the second is where to look in any case.
pub(crate) fn place(
    scene: &Scene<'_>,
    pattern: Pattern,
    holder: Option<&Holder>,
    path: &[Owner],
) -> (Option<Location>, Option<Location>) {
    let graph = scene.graph;
    let is_called =
        matches!(pattern, Pattern::Listener | Pattern::Timer | Pattern::Promise | Pattern::Closure);
    let mut found: Vec<Location> = Vec::new();
    let mut add = |node| found.extend(graph.location(node).filter(Location::is_user_code));
    let functions = scene.before_meeting().iter().filter(|owner| graph.kind(owner.node) == NodeKind::Closure);
    if matches!(pattern, Pattern::Listener | Pattern::Timer) {
        functions.for_each(|owner| add(owner.node));
    }
    add(scene.sample);
    if is_called {
        // What a package's function calls in the end: rather one that has a name.
        let mut inner: Vec<Node> = Vec::new();
        within(scene, scene.sample, |node| {
            let is_program = graph.kind(node) == NodeKind::Closure
                && graph.location(node).is_some_and(|place| place.is_program());
            if is_program {
                inner.push(node);
            }
            is_program
        });
        let named = inner.iter().find(|&&node| !graph.name(node).is_empty());
        named.or(inner.first()).copied().into_iter().for_each(&mut add);
    }
    let nearest =
        |found: &[Location]| found.iter().find(|place| place.is_program()).or(found.first()).cloned();
    let own = nearest(&found);
    found.extend(holder.and_then(|holder| holder.location.clone()));
    path.iter().for_each(|owner| found.extend(graph.location(owner.node).filter(Location::is_user_code)));
    (own, nearest(&found))
}
