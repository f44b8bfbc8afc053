//! Every derived column against a naive way to the same figure.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::distance::{Distances, SYSTEM, UNREACHABLE};
use super::dominators::Dominators;
use super::holding::Holding;
use super::path::Paths;
use super::retained::RetainedSizes;
use super::retainers::Retainers;
use super::{EdgeKind, Graph, Node, NodeKind, ROOT};
use crate::snapshot::testing::{EDGE_TYPES, Snapshot};

static GO: AtomicBool = AtomicBool::new(false);

fn graphs() -> impl Strategy<Value = Graph> {
    let kinds = ["object", "array", "closure", "code", "synthetic", "hidden", "native"];
    let node = (0..kinds.len(), 0..100u64);
    // Few edge names and many edges, mostly of the holding kinds.
    let edge = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..EDGE_TYPES.len() * 2);
    (prop::collection::vec(node, 1..24), prop::collection::vec(edge, 0..70)).prop_map(
        move |(nodes, edges)| {
            let mut s = Snapshot::new();
            for (kind, size) in &nodes {
                s.node(kinds[*kind], "N", *size);
            }
            for (from, to, kind) in &edges {
                let count = nodes.len() + 1;
                let kind = EDGE_TYPES.get(*kind).copied().unwrap_or("property");
                s.edge(from.index(count), kind, "7", to.index(count));
            }
            s.graph()
        },
    )
}

/// What the root reaches over holding edges, with `without` taken out.
fn reached(graph: &Graph, holding: &Holding, starts: &[Node], without: Option<Node>) -> HashSet<Node> {
    let mut seen: HashSet<Node> = starts.iter().copied().filter(|start| Some(*start) != without).collect();
    let mut open: Vec<Node> = seen.iter().copied().collect();
    while let Some(node) = open.pop() {
        for edge in graph.edges(node) {
            let to = graph.edge_to(edge);
            if holding.holds(edge) && Some(to) != without && seen.insert(to) {
                open.push(to);
            }
        }
    }
    seen
}

/// The root, and what is set beside it because no holding edge reaches it: in two rounds, as DevTools does.
fn starts(graph: &Graph, holding: &Holding) -> Vec<Node> {
    let mut starts = vec![ROOT];
    for round in 0..2 {
        for node in graph.nodes() {
            let strongly = graph.nodes().flat_map(|from| graph.edges(from)).any(|edge| {
                graph.edge_to(edge) == node
                    && !matches!(graph.edge_kind(edge), EdgeKind::Weak | EdgeKind::Shortcut)
            });
            if (round == 1 || !strongly) && !reached(graph, holding, &starts, None).contains(&node) {
                starts.push(node);
            }
        }
    }
    starts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn retainers_are_the_edges_turned_around(graph in graphs()) {
        let retainers = Retainers::of(&graph, &GO).unwrap();
        for node in graph.nodes() {
            let naive: Vec<_> = graph
                .nodes()
                .flat_map(|from| graph.edges(from).map(move |edge| (edge, from)))
                .filter(|&(edge, _)| graph.edge_to(edge) == node)
                .collect();
            prop_assert_eq!(retainers.to(node).collect::<Vec<_>>(), naive);
        }
    }

    #[test]
    fn dominators_and_retained_sizes_by_taking_nodes_out(graph in graphs()) {
        let holding = Holding::of(&graph, &GO).unwrap();
        let retainers = Retainers::of(&graph, &GO).unwrap();
        let dominators = Dominators::of(&graph, &holding, &retainers, &GO).unwrap();
        let retained = RetainedSizes::of(&graph, &dominators).unwrap();
        let starts = starts(&graph, &holding);
        let all = reached(&graph, &holding, &starts, None);
        prop_assert_eq!(all.len(), graph.node_count());
        let mut dominated: HashMap<Node, HashSet<Node>> = HashMap::new();
        for node in graph.nodes() {
            let left = reached(&graph, &holding, &starts, Some(node));
            let gone: HashSet<Node> = if node == ROOT { all.clone() } else { all.difference(&left).copied().collect() };
            let size: u64 = gone.iter().map(|&node| graph.self_size(node)).sum();
            prop_assert_eq!(retained.get(node), size, "retained size of {}", node);
            dominated.insert(node, gone);
        }
        for node in graph.nodes().skip(1) {
            // Of all that dominate a node the immediate one is dominated by the others.
            let above: Vec<Node> = graph.nodes().filter(|a| *a != node && dominated[a].contains(&node)).collect();
            let nearest = above.iter().copied().find(|a| above.iter().all(|b| dominated[b].contains(a)));
            prop_assert_eq!(Some(dominators.parent(node)), nearest, "dominator of {}", node);
        }
        let mut seen = HashSet::new();
        for &node in dominators.order() {
            prop_assert!(node == ROOT || seen.contains(&dominators.parent(node)));
            seen.insert(node);
        }
        prop_assert_eq!(seen.len(), graph.node_count());
    }

    #[test]
    fn distances_by_two_plain_walks(graph in graphs()) {
        let distances = Distances::of(&graph, &GO).unwrap();
        let mut naive: HashMap<Node, u32> = HashMap::new();
        let walk = |naive: &mut HashMap<Node, u32>, mut queue: VecDeque<Node>| {
            while let Some(node) = queue.pop_front() {
                for edge in graph.edges(node) {
                    let to = graph.edge_to(edge);
                    if graph.edge_kind(edge) != EdgeKind::Weak && !naive.contains_key(&to) {
                        naive.insert(to, naive[&node] + 1);
                        queue.push_back(to);
                    }
                }
            }
        };
        let mut users: Vec<Node> = graph.edges(ROOT).map(|edge| graph.edge_to(edge)).collect();
        users.retain(|&node| graph.kind(node) != NodeKind::Synthetic);
        let mut queue = VecDeque::new();
        for &user in &users {
            if naive.insert(user, 1).is_none() {
                queue.push_back(user);
            }
        }
        walk(&mut naive, queue);
        naive.insert(ROOT, if users.is_empty() { 0 } else { SYSTEM });
        walk(&mut naive, VecDeque::from([ROOT]));
        for node in graph.nodes() {
            prop_assert_eq!(distances.get(node), naive.get(&node).copied().unwrap_or(UNREACHABLE), "node {}", node);
        }
    }

    #[test]
    fn paths_lead_to_the_root_over_holding_edges(graph in graphs()) {
        let holding = Holding::of(&graph, &GO).unwrap();
        let paths = Paths::of(&graph, &holding, &GO).unwrap();
        let reachable = reached(&graph, &holding, &[ROOT], None);
        for node in graph.nodes().skip(1) {
            let steps: Vec<_> = paths.from(node).take(100).collect();
            prop_assert_eq!(reachable.contains(&node), steps.last().is_some_and(|step| step.from == ROOT));
            let mut at = node;
            for step in &steps {
                prop_assert!(holding.holds(step.edge) && graph.edge_to(step.edge) == at);
                prop_assert!(graph.edges(step.from).contains(&step.edge));
                at = step.from;
            }
        }
    }
}

#[test]
fn a_path_is_the_shortest_and_avoids_code() {
    let mut s = Snapshot::new();
    let global = s.node("object", "global / ", 8);
    let code = s.node("code", "(code)", 8);
    let [a, b, leaf] = ["A", "B", "Leaf"].map(|name| s.node("object", name, 8));
    s.edge(0, "shortcut", "1", global);
    s.edge(global, "internal", "code", code);
    s.edge(code, "internal", "constant", leaf);
    s.edge(global, "property", "a", a);
    s.edge(a, "property", "b", b);
    s.edge(b, "property", "leaf", leaf);
    s.edge(a, "property", "long", b);
    let graph = s.graph();
    let holding = Holding::of(&graph, &GO).unwrap();
    let paths = Paths::of(&graph, &holding, &GO).unwrap();
    let names: Vec<String> =
        paths.from(leaf as Node).map(|step| graph.edge_name(step.edge).to_string()).collect();
    assert_eq!(names, ["leaf", "b", "a", "1"]);
    // The code itself is reached all the same.
    assert_eq!(paths.from(code as Node).count(), 2);
}

#[test]
fn a_path_prefers_lasting_roots_to_the_stack() {
    let mut s = Snapshot::new();
    let roots = s.node("synthetic", "(GC roots)", 0);
    let stack = s.node("synthetic", "(Stack roots)", 0);
    let handles = s.node("synthetic", "(Global handles)", 0);
    let [server, map, local] = ["Server", "Map", "Local"].map(|name| s.node("object", name, 8));
    s.edge(0, "element", "1", roots);
    s.edge(roots, "element", "1", stack);
    s.edge(roots, "element", "2", handles);
    s.edge(stack, "element", "1", map);
    s.edge(stack, "element", "2", local);
    s.edge(handles, "element", "1", server);
    s.edge(server, "property", "requestsById", map);
    let graph = s.graph();
    let holding = Holding::of(&graph, &GO).unwrap();
    let paths = Paths::of(&graph, &holding, &GO).unwrap();
    let holders = |node: usize| -> Vec<String> {
        paths.from(node as Node).map(|step| graph.name(step.from).to_owned()).collect()
    };
    assert_eq!(holders(map)[0], "Server", "although the stack is nearer");
    assert_eq!(holders(local)[0], "(Stack roots)", "where nothing else holds it");
}

#[test]
fn a_list_of_a_hundred_thousand_needs_no_stack() {
    let mut s = Snapshot::new();
    s.old = false;
    let nodes: Vec<usize> = (0..100_000).map(|_| s.node("object", "Link", 16)).collect();
    s.edge(0, "shortcut", "1", nodes[0]);
    for pair in nodes.windows(2) {
        s.edge(pair[0], "property", "next", pair[1]);
    }
    let graph = s.graph();
    let holding = Holding::of(&graph, &GO).unwrap();
    let retainers = Retainers::of(&graph, &GO).unwrap();
    let dominators = Dominators::of(&graph, &holding, &retainers, &GO).unwrap();
    let retained = RetainedSizes::of(&graph, &dominators).unwrap();
    assert_eq!(retained.get(nodes[0] as Node), 1_600_000);
    assert_eq!(retained.get(nodes[99_999] as Node), 16);
    assert_eq!(Distances::of(&graph, &GO).unwrap().get(nodes[99_999] as Node), 100_000);
}

#[test]
fn the_place_of_a_function_and_of_a_constructor() {
    let mut s = Snapshot::new();
    let ours = s.closure("track", "file:///srv/app/a%20b.mjs", 391);
    let nodes = s.closure("emit", "node:events", 12);
    let session = s.node("object", "Session", 8);
    let lost = s.node("object", "Lost", 8);
    s.location(session, 391, 3, 27);
    s.location(lost, 77, 0, 0);
    let graph = s.graph();
    let place = graph.location(session as Node).unwrap();
    assert_eq!((place.file.as_str(), place.line, place.column), ("/srv/app/a b.mjs", 4, 28));
    assert!(place.is_user_code());
    assert!(graph.location(ours as Node).unwrap().is_user_code());
    assert!(!graph.location(nodes as Node).unwrap().is_user_code());
    assert_eq!(graph.location(lost as Node), None);
    assert_eq!(graph.location(ROOT), None);
}

#[test]
fn scripts_are_found_under_both_names_and_behind_a_debugger() {
    let mut s = Snapshot::new();
    let closure = s.node("closure", "f", 8);
    let shared = s.node("code", "f", 0);
    let debug = s.node("code", "system / DebugInfo", 0);
    let script = s.node("code", "/srv/old.js", 0);
    s.edge(closure, "internal", "shared", shared);
    s.edge(shared, "internal", "script_or_debug_info", debug);
    s.edge(debug, "internal", "script", script);
    s.location(closure, 5, 9, 1);
    assert_eq!(s.graph().location(closure as Node).unwrap().file, "/srv/old.js");
}

#[test]
fn unknown_types_are_other_and_their_edges_have_indexes() {
    let s = Snapshot::new();
    let mut value = s.value();
    value["snapshot"]["meta"]["node_types"][0][9] = "marvel".into();
    let text = crate::snapshot::testing::write(&value, false);
    let graph = crate::snapshot::testing::parse(text.as_bytes(), 9).unwrap();
    assert_eq!(graph.kind(ROOT), NodeKind::Other);
    assert!(!EdgeKind::from_name("marvel").is_named());
}

#[test]
fn a_cancelled_derivation_stops() {
    let mut s = Snapshot::new();
    s.node("object", "A", 8);
    let graph = s.graph();
    let stop = AtomicBool::new(true);
    assert!(Retainers::of(&graph, &stop).is_err());
    assert!(Holding::of(&graph, &stop).is_err());
}
