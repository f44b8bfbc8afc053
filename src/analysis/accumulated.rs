//! What a heap holds most of, where nothing is known of the time before.
//!
//! What grows comes in numbers: a hundred thousand Sessions in one Map. So of nodes that are alike, by class and retaining path, the many
//! count as new and the few as what was always there; from there on it is a comparison like any other. Where that explains little, one
//! thing has grown large by itself: then all but V8's roots counts as new, and the heaviest is followed down to where much becomes many.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use super::class::{Classes, Total};
use super::culprits::{Before, Culprit, Finding, Ground, Least, MIN_COUNT, culprits, heaviest_one, judged};
use super::diff::{ConstructorDelta, ranked};
use super::trees::Trees;
use crate::error::Result;
use crate::graph::{Graph, NodeKind, filled};

/// The many have to explain one part in so many of the heap.
const LITTLE: u64 = 4;

/// What there is most of in a heap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accumulation {
    /// What there is of each class, all of it as added; the most bytes first.
    pub constructors: Vec<ConstructorDelta>,
    /// What it hangs on, largest first; counts and sizes are all that there is.
    pub culprits: Vec<Culprit>,
}

/// What `graph` holds most of.
///
/// # Errors
///
/// `OutOfMemory`, `Cancelled`.
pub fn accumulated(graph: &Graph, cancel: &AtomicBool) -> Result<Accumulation> {
    let classes = Classes::of(graph)?;
    let totals = classes.totals(graph);
    let constructors = classes
        .names()
        .iter()
        .zip(&totals)
        .map(|(name, &all)| ConstructorDelta::new(name, all, Total::default()));
    let constructors = ranked(constructors.collect());
    let all = totals.iter().fold(0, |sum: u64, total| sum.saturating_add(total.size));
    let (trees, likeness) = Trees::alike(graph, cancel)?;
    let nothing = HashMap::new();
    let before = |added| Before { added, totals: &nothing };
    let alike = likeness.added(graph, &trees.paths, &HashMap::new())?;
    let many = culprits(before(alike), graph, &classes, &trees, cancel)?;
    if explained(&many).saturating_mul(LITTLE) >= all {
        return Ok(Accumulation { constructors, culprits: many });
    }
    let mut added = filled(true, graph.node_count())?;
    // What V8 itself holds by is nobody's: the root, and its groups of roots.
    graph
        .nodes()
        .filter(|&node| graph.kind(node) == NodeKind::Synthetic)
        .for_each(|node| added[node as usize] = false);
    let one = OnceCell::new();
    let one = |ground: Ground<'_>| *one.get_or_init(|| heaviest_one(ground.region));
    let also = |ground: Ground<'_>, found: &[Finding]| {
        let heaviest = one(ground).map(|node| (node, ground.region.size(node)));
        // Where most of it is many of a class, these are what has grown.
        let alone =
            heaviest.filter(|&(_, size)| !found.iter().any(|it| is_many(it) && it.retained * 2 >= size));
        alone.map(|(node, size)| Finding::of_one(ground, node, size)).into_iter().collect()
    };
    // What else is no more than one of its kind is something that all hangs on: the global object, the server.
    let judge =
        |ground: Ground<'_>, it: &Finding| (is_many(it) || one(ground) == Some(it.sample)).then_some(());
    let least = (&trees, Least::IN_SERVICE);
    let few = judged(before(added), graph, &classes, least, also, judge, cancel)?;
    let mut few: Vec<Culprit> = few.into_iter().map(|(culprit, ())| culprit).collect();
    if explained(&few) <= explained(&many) {
        return Ok(Accumulation { constructors, culprits: many });
    }
    let is_told = |culprit: &Culprit| few.iter().any(|other| other.fingerprint == culprit.fingerprint);
    let rest: Vec<Culprit> = many.into_iter().filter(|culprit| !is_told(culprit)).collect();
    few.truncate(1);
    few.extend(rest);
    Ok(Accumulation { constructors, culprits: few })
}

fn is_many(finding: &Finding) -> bool {
    finding.count >= MIN_COUNT as u64
}

/// What the first of `culprits` keeps.
fn explained(culprits: &[Culprit]) -> u64 {
    culprits.first().map_or(0, |first| u64::try_from(first.retained_size_delta).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::tests::Program;
    use super::*;

    static GO: AtomicBool = AtomicBool::new(false);

    fn first(program: &Program) -> Culprit {
        accumulated(&program.graph(), &GO).expect("an analysis").culprits.swap_remove(0)
    }

    #[test]
    fn many_alike_in_one_holder_are_named() {
        let mut program = Program::new();
        program.fill_map(500);
        let culprit = first(&program);
        assert_eq!((culprit.constructor_name.as_str(), culprit.count_delta), ("Session", 500));
        assert_eq!(culprit.holder.and_then(|holder| holder.name).as_deref(), Some("requestsById"));
    }

    #[test]
    fn one_thing_that_has_grown_is_named_where_the_many_explain_little() {
        let mut program = Program::new();
        program.fill_map(20);
        let samples = program.s.node("object", "Array", 16);
        let store = program.s.node("array", "", 8 << 20);
        program.s.edge(program.context, "context", "samples", samples);
        program.s.edge(samples, "internal", "elements", store);
        let found = accumulated(&program.graph(), &GO).expect("an analysis");
        let names: Vec<_> = found.culprits.iter().map(|culprit| culprit.constructor_name.as_str()).collect();
        assert_eq!(names[0], "Array", "{names:?}");
        assert_eq!(
            found.culprits[0].holder.as_ref().and_then(|holder| holder.name.as_deref()),
            Some("samples")
        );
        assert_eq!(found.constructors[0].constructor_name, "(array)");
        assert_eq!(found.constructors[0].removed_count, 0);
    }
}
