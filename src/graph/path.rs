//! The shortest chain of holding edges from a node to a root.

use super::distance::{Distances, UNREACHABLE};
use super::holding::Holding;
use super::retainers::Retainers;
use super::{Edge, Graph, Node, ROOT};

/// One step outwards: `from` holds the step before by `edge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The edge that holds.
    pub edge: Edge,
    /// The node it starts at, the retainer.
    pub from: Node,
}

/// The steps from `node` outwards to the root, the nearest retainer first; empty where nothing holds `node`.
///
/// Among several retainers the one nearest to the roots is taken ([`Distances`]), so the chain gets shorter with each step and
/// ends. `avoid` names nodes that the path may not lead through, unless there is no other way.
pub fn to_root(
    graph: &Graph,
    holding: &Holding,
    retainers: &Retainers,
    distances: &Distances,
    node: Node,
    avoid: &dyn Fn(Node) -> bool,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = node;
    while at != ROOT && distances.get(at) != UNREACHABLE {
        let nearest = retainers
            .to(at)
            .filter(|&(edge, from)| {
                holding.holds(edge) && (distances.get(from) < distances.get(at) || from == ROOT)
            })
            .min_by_key(|&(edge, from)| {
                // A property or a variable tells a reader more than an unnamed slot.
                (avoid(from), distances.get(from), !graph.edge_kind(edge).is_named(), edge)
            });
        let Some((edge, from)) = nearest else { break };
        steps.push(Step { edge, from });
        at = from;
    }
    steps
}
