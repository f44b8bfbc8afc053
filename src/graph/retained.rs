//! What would be freed with a node.

use super::Graph;
use super::dominators::Numbered;
use super::sizes::Sizes;
use super::spare::Spare;
use crate::error::Result;

/// The retained size of every node in bytes, its own and that of all that it dominates, by depth-first number.
///
/// # Errors
///
/// `OutOfMemory`.
pub(crate) fn retained_sizes(graph: &Graph, tree: &Numbered, spare: &mut Spare) -> Result<Sizes> {
    let mut sizes = Sizes::with_room(spare.empty(tree.order.len())?);
    for &node in &tree.order {
        sizes.push(graph.self_size(node));
    }
    // A dominator has a smaller number: whoever is reached has all that it dominates already.
    for number in (1..tree.order.len() as u32).rev() {
        sizes.add(tree.idom[number as usize], sizes.get(number));
    }
    Ok(sizes)
}
