//! Which names the program's text spells: those of functions, scripts and variables, and the constants of compiled code.
//!
//! A property may be called by data (`sessions[token]`), and then its name is no less a secret than what it leads to. What nobody wrote
//! into the program is not among its constants.

use rustc_hash::FxHashSet;
use serde::Serialize;
use serde_json::Value;

use crate::graph::{Graph, NodeKind, holds_constants};

/// What V8 calls the variables that functions share.
const CONTEXT: &str = "system / Context";

/// The names in `told`, what a report has of culprits, classes or listeners, that the program's text spells. One pass over the nodes.
pub fn spelled_names(graph: &Graph, told: &impl Serialize) -> Vec<String> {
    // What cannot be read as JSON has no name that may be told.
    let told = serde_json::to_value(told).unwrap_or_default();
    let mut names = FxHashSet::default();
    gather(&told, &mut names);
    let mut found = FxHashSet::default();
    let mut note = |name: &str| {
        for name in [name, &format!("<symbol {name}>"), &format!("get {name}"), &format!("set {name}")] {
            if let Some(&name) = names.get(name) {
                found.insert(name);
            }
        }
    };
    for node in graph.nodes() {
        let name = graph.name(node);
        match graph.kind(node) {
            NodeKind::Code if holds_constants(name) => {
                for edge in graph.edges(node) {
                    let to = graph.edge_to(edge);
                    if graph.kind(to) == NodeKind::String {
                        note(graph.name(to));
                    }
                }
            }
            NodeKind::Closure | NodeKind::Code => note(name),
            _ if name == CONTEXT => {
                graph.edges(node).for_each(|edge| note(&graph.edge_name(node, edge).to_string()))
            }
            _ => {}
        }
    }
    let mut spelled: Vec<String> = found.into_iter().map(str::to_owned).collect();
    spelled.sort_unstable();
    spelled
}

fn gather<'a>(value: &'a Value, names: &mut FxHashSet<&'a str>) {
    const KEYS: [&str; 4] = ["edge", "name", "event", "constructorName"];
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, names)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::Array(items) if key == "properties" => {
                        names.extend(items.iter().filter_map(Value::as_str));
                    }
                    Value::String(name) if KEYS.contains(&key.as_str()) => {
                        names.insert(name);
                    }
                    other => gather(other, names),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::snapshot::testing::Snapshot;

    #[test]
    fn what_code_spells_is_told_from_what_data_says() {
        let mut s = Snapshot::new();
        let (pool, cache) = (s.node("code", "(constant pool)", 8), s.node("string", "cache", 8));
        s.edge(pool, "internal", "0", cache);
        let (object, value) = (s.node("object", "Object", 8), s.node("string", "tok_2", 8));
        for name in ["cache", "get cache", "set cache", "tok_1", "shared"] {
            s.edge(object, "property", name, value);
        }
        let context = s.node("object", CONTEXT, 8);
        s.edge(context, "context", "shared", object);
        s.closure("Session", "app.js", 3);
        let told = json!({
            "culprits": [{ "constructorName": "Session", "properties": ["tok_1", "set cache"], "holder": { "name": "shared", "event": "tok_2" },
                           "retainerPath": [{ "name": "Object", "edge": "cache" }, { "name": "Object", "edge": "tok_1" }] }],
            "advice": "tok_1", "constructors": [{ "constructorName": "get cache" }, { "constructorName": "tok_1" }]
        });
        assert_eq!(
            spelled_names(&s.graph(), &told),
            ["Session", "cache", "get cache", "set cache", "shared"]
        );
    }
}
