//! Every derived column against a naive way to the same figure.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::distance::{CompactDistances, Distances, SYSTEM, UNREACHABLE};
use super::dominators::{Dominators, Numbered};
use super::holding::Holding;
use super::owned::{move_sizes, store_owners};
use super::path::Paths;
use super::retained::retained_sizes;
use super::spare::Spare;
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
            if holding.holds(graph, node, edge) && Some(to) != without && seen.insert(to) {
                open.push(to);
            }
        }
    }
    seen
}

/// The root and what nothing holds: with what these reach it is all that DevTools searches.
fn starts(graph: &Graph, holding: &Holding) -> Vec<Node> {
    let held = |node: Node| {
        graph.nodes().any(|from| {
            graph.edges(from).any(|edge| graph.edge_to(edge) == node && holding.holds(graph, from, edge))
        })
    };
    let mut starts = vec![ROOT];
    for node in graph.nodes() {
        if !held(node) && !reached(graph, holding, &starts, None).contains(&node) {
            starts.push(node);
        }
    }
    starts
}

/// The retained size of every node, by node.
fn retained(graph: &Graph, holding: &Holding) -> Vec<u64> {
    let mut spare = Spare::default();
    let tree = Numbered::of(graph, Some(holding), false, &mut spare, &GO).unwrap();
    let beside = Numbered::of(graph, Some(holding), true, &mut spare, &GO).unwrap();
    assert_eq!((&tree.order, &tree.idom), (&beside.order, &beside.idom));
    // Searched in another order, the numbers are others and the tree is the same.
    let alone = Numbered::of(graph, None, false, &mut spare, &GO).unwrap();
    let parents = |tree: &Numbered| -> HashMap<Node, Node> {
        tree.order.iter().zip(&tree.idom).map(|(&node, &idom)| (node, tree.order[idom as usize])).collect()
    };
    assert_eq!(parents(&tree), parents(&alone));
    let by_number = retained_sizes(graph, &tree, &mut spare).unwrap();
    let mut by_node = vec![0; tree.order.len()];
    for (number, &node) in (0..).zip(&tree.order) {
        by_node[node as usize] = by_number.get(number);
    }
    by_node
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn dominators_and_retained_sizes_by_taking_nodes_out(graph in graphs()) {
        let holding = Holding::of(&graph, &GO).unwrap();
        let dominators = Dominators::of(&graph, &holding, &GO).unwrap();
        let retained = retained(&graph, &holding);
        let starts = starts(&graph, &holding);
        let all = reached(&graph, &holding, &starts, None);
        // What only holds each other is set beside the root's children, each by itself.
        let cliques: Vec<Node> = graph.nodes().filter(|node| !all.contains(node)).collect();
        let every: HashSet<Node> = graph.nodes().collect();
        let mut dominated: HashMap<Node, HashSet<Node>> = HashMap::new();
        for node in graph.nodes() {
            let left = reached(&graph, &holding, &starts, Some(node));
            let gone: HashSet<Node> = match node {
                ROOT => every.clone(),
                _ if cliques.contains(&node) => HashSet::from([node]),
                _ => all.difference(&left).copied().collect(),
            };
            let size: u64 = gone.iter().map(|&node| graph.self_size(node)).sum();
            prop_assert_eq!(retained[node as usize], size, "retained size of {}", node);
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
                    if graph.edge_kind(node, edge) != EdgeKind::Weak && !naive.contains_key(&to) {
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
        let compact = CompactDistances::of(Distances::of(&graph, &GO).unwrap(), &mut Spare::default()).unwrap();
        for node in graph.nodes() {
            prop_assert_eq!(compact.get(node), distances.get(node));
        }
    }

    #[test]
    fn what_the_walk_finds_to_be_owned_is_what_a_search_finds(graph in graphs()) {
        let (_, by_walk) = Distances::with_holding(&graph, &mut Spare::default(), &GO).unwrap();
        let by_search = Holding::of(&graph, &GO).unwrap();
        for node in graph.nodes() {
            for edge in graph.edges(node) {
                prop_assert_eq!(by_walk.holds(&graph, node, edge), by_search.holds(&graph, node, edge));
            }
        }
    }

    #[test]
    fn stores_belong_to_the_one_that_uses_them(mut graph in graphs()) {
        let is_store = |node: Node| matches!(graph.kind(node), NodeKind::Hidden | NodeKind::Array);
        // Whoever leads to a store over stores alone, the store's own way of being reached.
        let users = |store: Node| -> HashSet<Node> {
            let (mut seen, mut open) = (HashSet::from([store]), vec![store]);
            let mut users = HashSet::new();
            while let Some(at) = open.pop() {
                for from in graph.nodes() {
                    let leads = |edge| graph.edge_to(edge) == at && graph.edge_kind(from, edge) != EdgeKind::Weak;
                    if !graph.edges(from).any(leads) {
                        continue;
                    }
                    if !is_store(from) {
                        users.insert(from);
                    } else if seen.insert(from) {
                        open.push(from);
                    }
                }
            }
            users
        };
        let mut expected: Vec<u64> = graph.nodes().map(|node| graph.self_size(node)).collect();
        let user_root = |edge| graph.kind(graph.edge_to(edge)) != NodeKind::Synthetic;
        if graph.edges(ROOT).any(user_root) {
            for store in graph.nodes().filter(|&node| is_store(node)) {
                let users = users(store);
                let Some(&owner) = users.iter().next().filter(|_| users.len() == 1) else { continue };
                if owner != ROOT && graph.kind(owner) != NodeKind::Synthetic {
                    expected[owner as usize] += expected[store as usize];
                    expected[store as usize] = 0;
                }
            }
        }
        let owners = store_owners(&graph, &mut Spare::default(), &GO).unwrap();
        move_sizes(&mut graph, &owners);
        let moved: Vec<u64> = graph.nodes().map(|node| graph.self_size(node)).collect();
        prop_assert_eq!(moved, expected);
    }

    #[test]
    fn paths_lead_to_the_root_over_holding_edges(graph in graphs()) {
        let paths = Paths::of(&graph, &GO).unwrap();
        let holds = |node: Node, edge| match graph.edge_kind(node, edge) {
            EdgeKind::Weak => false,
            EdgeKind::Shortcut => node == ROOT,
            _ => graph.edge_to(edge) != node,
        };
        let (mut reachable, mut open) = (HashSet::from([ROOT]), vec![ROOT]);
        while let Some(node) = open.pop() {
            for edge in graph.edges(node).filter(|&edge| holds(node, edge)) {
                if reachable.insert(graph.edge_to(edge)) {
                    open.push(graph.edge_to(edge));
                }
            }
        }
        for node in graph.nodes().skip(1) {
            let steps: Vec<_> = paths.from(node).take(100).collect();
            prop_assert_eq!(reachable.contains(&node), steps.last().is_some_and(|step| step.from == ROOT));
            let mut at = node;
            for step in &steps {
                prop_assert!(holds(step.from, step.edge) && graph.edge_to(step.edge) == at);
                prop_assert!(graph.edges(step.from).contains(&step.edge));
                prop_assert_eq!(graph.edge_from(step.edge), step.from);
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
    let paths = Paths::of(&graph, &GO).unwrap();
    let names: Vec<String> =
        paths.from(leaf as Node).map(|step| graph.edge_name(step.from, step.edge).to_string()).collect();
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
    let paths = Paths::of(&graph, &GO).unwrap();
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
    let retained = retained(&graph, &holding);
    assert_eq!((retained[nodes[0]], retained[nodes[99_999]]), (1_600_000, 16));
    let distances = Distances::of(&graph, &GO).unwrap();
    assert_eq!(distances.get(nodes[99_999] as Node), 100_000);
    // Past what two bytes can say.
    let compact = CompactDistances::of(Distances::of(&graph, &GO).unwrap(), &mut Spare::default()).unwrap();
    assert!(graph.nodes().all(|node| compact.get(node) == distances.get(node)));
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
    let node = s.node("object", "A", 8);
    s.edge(0, "shortcut", "1", node);
    let graph = s.graph();
    let stop = AtomicBool::new(true);
    let holding = Holding::of(&graph, &GO).unwrap();
    assert!(Numbered::of(&graph, Some(&holding), false, &mut Spare::default(), &stop).is_err());
    assert!(Distances::of(&graph, &stop).is_err());
    assert!(Paths::of(&graph, &stop).is_err());
}
