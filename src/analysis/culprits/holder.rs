//! Who holds the growth, and by what name.

use serde::{Deserialize, Serialize};

use super::named::{Named, named};
use super::pattern::Recognised;
use super::scene::Scene;
use crate::analysis::path::{label, owners};
use crate::graph::{Location, Node, NodeKind};

/// What the growth piles up in: the Map, the array, the emitter, the list of timers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Its class.
    pub constructor_name: String,
    /// The variable or property by which it is held itself, as the program calls it.
    pub name: Option<String>,
    /// The event whose listeners they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Where the function or class is written that has this variable or property; of several the nearest that is not Node's.
    pub location: Option<Location>,
}

/// Whether `edge` is a name that a programmer gave.
pub(crate) fn is_given(edge: &str) -> bool {
    !matches!(edge, "" | "context" | "reactions_or_result" | "this" | "module_export")
        && !edge.starts_with(['[', '<', '('])
}

impl Holder {
    /// The holder that was recognised in `scene`; `by_name` asks for the program's own name for it where the path has none.
    pub(crate) fn of(scene: &Scene<'_>, recognised: &Recognised, by_name: bool) -> Option<Self> {
        let graph = scene.graph;
        let (node, mut holder) = Self::on_path(scene, recognised)?;
        if by_name
            && !holder.location.as_ref().is_some_and(Location::is_program)
            && let Some(Named { name, location }) = named(graph, node)
        {
            (holder.name, holder.location) = (Some(name), Some(location));
        }
        Some(holder)
    }

    fn on_path(scene: &Scene<'_>, recognised: &Recognised) -> Option<(Node, Self)> {
        let graph = scene.graph;
        if let Some(pool) = recognised.pool {
            let outwards: Vec<(Node, String)> =
                owners(graph, scene.paths, pool).map(|o| (o.node, o.edge)).collect();
            return Some((pool, Self::at(scene, pool, &outwards, None)));
        }
        let at = recognised.holder?;
        let node = scene.path[at].node;
        let outwards: Vec<(Node, String)> =
            scene.path[at + 1..].iter().map(|owner| (owner.node, owner.edge.clone())).collect();
        // A function holds by its variable, and a list is held by a property: the name that counts.
        let owner = &scene.path[at];
        let is_named = owner.by_variable || (scene.unit.chain && is_given(&owner.edge));
        let own = is_named.then(|| (node, owner.edge.clone()));
        let outwards: Vec<(Node, String)> = own.into_iter().chain(outwards).collect();
        Some((node, Self::at(scene, node, &outwards, recognised.event.clone())))
    }

    fn at(scene: &Scene<'_>, node: Node, outwards: &[(Node, String)], event: Option<String>) -> Self {
        let graph = scene.graph;
        let user = |node: Node| graph.location(node).filter(Location::is_user_code);
        // What Node calls its own says nothing to a programmer.
        let is_nodes = |node: Node| graph.location(node).is_some_and(|place| !place.is_user_code());
        let is_within_node = |node: Node| graph.kind(node) == NodeKind::Closure && is_nodes(node);
        let mut theirs = outwards.iter().take_while(|&&(node, _)| !is_within_node(node));
        let given = theirs.position(|&(node, ref edge)| is_given(edge) && !is_nodes(node));
        let rest = outwards.get(given.unwrap_or(0)..).unwrap_or_default();
        let places: Vec<Location> = rest.iter().filter_map(|&(node, _)| user(node)).collect();
        Self {
            constructor_name: label(graph, node),
            name: given.map(|at| outwards[at].1.clone()),
            event,
            location: places.iter().find(|place| place.is_program()).or(places.first()).cloned(),
        }
    }

    /// As it is told: `Map \`sessions\``.
    pub fn told(&self) -> String {
        match &self.name {
            Some(name) => format!("{} `{name}`", self.constructor_name),
            None => self.constructor_name.clone(),
        }
    }
}
