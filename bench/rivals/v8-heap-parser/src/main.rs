//! The crate v8-heap-parser, driven for the snapshot benchmark; answers as JSON on stdout.
//!
//! It has no retainers and no diff in its Rust API: the walk and the join are ours, and as plain as they can be.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fs;

use serde_json::{Map, Value, json};
use v8_heap_parser::{Graph, NodeType, decode_slice};

/// How many of the objects that retain most are told.
const TOP: usize = 1000;

fn load(path: &str) -> Result<Graph, Box<dyn Error>> {
    // The faster of its two ways to read; the text is given back before anything else is computed.
    let text = fs::read(path)?;
    Ok(decode_slice(&text)?)
}

/// Its own classes; those it reads from a name are told apart, as other tools name the rest differently.
fn classes(graph: &Graph, with_retained: bool) -> Map<String, Value> {
    let mut classes = Map::new();
    for group in graph.get_class_groups(!with_retained) {
        let nodes = || group.nodes.iter().filter_map(|&index| graph.get_node(index));
        let Some(first) = nodes().next() else { continue };
        classes.insert(
            first.class_name().to_owned(),
            json!({
                "count": group.nodes.len(),
                "empty": nodes().filter(|node| node.self_size == 0).count(),
                "objects": nodes().all(|node| node.typ == NodeType::Object),
                "shallowSize": group.self_size,
                "retainedSize": if with_retained { Some(group.retained_size) } else { None },
            }),
        );
    }
    classes
}

fn top(graph: &Graph) -> Vec<Value> {
    let mut order: Vec<(u64, u32)> =
        graph.iter().enumerate().map(|(index, node)| (graph.retained_size(index), node.id)).collect();
    let least = TOP.min(order.len() - 1);
    order.select_nth_unstable_by_key(least, |&(size, id)| (std::cmp::Reverse(size), id));
    order.truncate(TOP);
    order.sort_unstable_by_key(|&(size, id)| (std::cmp::Reverse(size), id));
    order.iter().map(|&(retained, id)| json!({ "id": id, "retainedSize": retained })).collect()
}

fn summary(path: &str, with_retained: bool) -> Result<Value, Box<dyn Error>> {
    let graph = load(path)?;
    let mut answer = json!({
        "nodeCount": graph.nodes().len(),
        "edgeCount": graph.iter().map(|node| node.edge_count).sum::<usize>(),
        "classes": classes(&graph, with_retained),
    });
    if with_retained {
        answer["top"] = Value::Array(top(&graph));
    }
    // What is about to end need not give its memory back piece by piece.
    std::mem::forget(graph);
    Ok(answer)
}

/// Every object as (class, id, size), by class and id.
fn columns<'a>(graph: &'a Graph, names: &mut HashMap<String, u32>) -> Vec<(u32, u32, u64)> {
    let mut known: HashMap<&'a str, u32> = HashMap::new();
    let mut rows: Vec<_> = graph
        .iter()
        .map(|node| {
            let class = *known.entry(node.class_name()).or_insert_with_key(|name| {
                let next = names.len() as u32;
                *names.entry((*name).to_owned()).or_insert(next)
            });
            (class, node.id, node.self_size)
        })
        .collect();
    rows.sort_unstable();
    rows
}

fn diff(before: &str, after: &str) -> Result<Value, Box<dyn Error>> {
    let mut names = HashMap::new();
    let old = columns(&load(before)?, &mut names);
    let graph = load(after)?;
    let new = columns(&graph, &mut names);
    std::mem::forget(graph);
    let mut deltas = vec![[0_u64; 4]; names.len()];
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        let left = old.get(i).map(|&(class, id, _)| (class, id));
        let right = new.get(j).map(|&(class, id, _)| (class, id));
        if left.is_some() && left == right {
            i += 1;
            j += 1;
        } else if right.is_none() || (left.is_some() && left < right) {
            let delta = &mut deltas[old[i].0 as usize];
            delta[1] += 1;
            delta[3] += old[i].2;
            i += 1;
        } else {
            let delta = &mut deltas[new[j].0 as usize];
            delta[0] += 1;
            delta[2] += new[j].2;
            j += 1;
        }
    }
    let classes: BTreeMap<_, _> = names
        .into_iter()
        .map(|(name, class)| (name, deltas[class as usize]))
        .filter(|(_, delta)| delta[0] + delta[1] > 0)
        .map(|(name, [added, removed, added_size, removed_size])| {
            let delta = json!({
                "addedCount": added, "removedCount": removed, "addedSize": added_size, "removedSize": removed_size,
            });
            (name, delta)
        })
        .collect();
    Ok(json!({ "classes": classes }))
}

/// Shortest ways from the root, breadth first over the children that its API gives (of every kind, weak ones too).
fn paths(path: &str, ids: &[String]) -> Result<Value, Box<dyn Error>> {
    let graph = load(path)?;
    let wanted: Vec<u32> = ids.iter().map(|id| id.parse()).collect::<Result<_, _>>()?;
    let mut parents = vec![usize::MAX; graph.nodes().len()];
    parents[graph.root_index] = graph.root_index;
    let mut queue = vec![graph.root_index];
    let mut next = 0;
    while let Some(&at) = queue.get(next) {
        next += 1;
        for child in graph.children(at) {
            if parents[child] == usize::MAX {
                parents[child] = at;
                queue.push(child);
            }
        }
    }
    let mut found = Map::new();
    for (index, node) in graph.iter().enumerate().filter(|(_, node)| wanted.contains(&node.id)) {
        let mut ids = vec![node.id];
        let mut at = index;
        while parents[at] != usize::MAX && parents[at] != at {
            at = parents[at];
            ids.extend(graph.get_node(at).map(|node| node.id));
        }
        found.insert(node.id.to_string(), json!(ids));
    }
    std::mem::forget(graph);
    Ok(json!({ "paths": found }))
}

/// Ids of `count` objects spread over the file, for the benchmark to ask about.
fn pick(path: &str, count: usize) -> Result<Value, Box<dyn Error>> {
    let graph = load(path)?;
    let ids: Vec<u32> = graph
        .iter()
        .filter(|node| node.typ == NodeType::Object && node.self_size > 0)
        .map(|node| node.id)
        .collect();
    let spread = (0..count).map(|i| ids[(2 * i + 1) * ids.len() / (2 * count)]);
    Ok(json!({ "ids": spread.collect::<Vec<_>>() }))
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let answer = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["idle"] => json!({}),
        ["histogram", file] => summary(file, false)?,
        ["summary", file] => summary(file, true)?,
        ["diff", before, after] => diff(before, after)?,
        ["paths", file, ..] => paths(file, &args[2..])?,
        ["pick", file, count] => pick(file, count.parse()?)?,
        _ => return Err("usage: idle | histogram FILE | summary FILE | diff BEFORE AFTER | paths FILE ID... | pick FILE COUNT".into()),
    };
    println!("{answer}");
    Ok(())
}
