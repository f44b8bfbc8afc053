//! What plain objects are known by: the names of their properties.

use crate::graph::{EdgeKind, Graph, Node, NodeKind};

/// With more properties an object is a dictionary, whose keys are data.
const MOST_PROPERTIES: usize = 20;
/// Objects that are asked.
const ASKED: usize = 64;

/// The properties that more than half of `nodes` have, in their order, as a sample of them tells; nothing where they differ, or are too many.
pub(crate) fn shape(graph: &Graph, nodes: &[Node]) -> Vec<String> {
    let step = nodes.len().div_ceil(ASKED).max(1);
    let asked: Vec<Vec<&str>> = nodes.iter().step_by(step).map(|&node| properties(graph, node)).collect();
    // The majority, if there is one, is what is left over when unlike ones are struck out in pairs (Boyer and Moore).
    let mut candidate: Option<&Vec<&str>> = None;
    let mut lead = 0usize;
    for properties in &asked {
        match candidate {
            Some(names) if names == properties => lead += 1,
            _ if lead == 0 => (candidate, lead) = (Some(properties), 1),
            _ => lead -= 1,
        }
    }
    let Some(names) = candidate.filter(|names| (1..=MOST_PROPERTIES).contains(&names.len())) else {
        return Vec::new();
    };
    let count = asked.iter().filter(|properties| *properties == names).count();
    if count * 2 > asked.len() { names.iter().map(|&name| name.to_owned()).collect() } else { Vec::new() }
}

/// The names of a plain object's own properties, as many as are of use and one more.
fn properties(graph: &Graph, node: Node) -> Vec<&str> {
    if graph.kind(node) != NodeKind::Object {
        return Vec::new();
    }
    let own = graph.named_edges(node).filter(|&(kind, _, _)| kind == EdgeKind::Property);
    let names = own.map(|(_, name, _)| graph.strings().get(name)).filter(|&name| name != "__proto__");
    names.take(MOST_PROPERTIES + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::testing::Snapshot;

    fn shape_of(objects: &[&[&str]]) -> Vec<String> {
        let mut s = Snapshot::new();
        let value = s.node("string", "value", 8);
        for names in objects {
            let node = s.node("object", "Object", 8);
            for name in *names {
                s.edge(node, "property", name, value);
            }
            s.edge(node, "property", "__proto__", value);
        }
        let graph = s.graph();
        let nodes: Vec<Node> = graph.nodes().filter(|&node| graph.name(node) == "Object").collect();
        assert_eq!(nodes.len(), objects.len());
        shape(&graph, &nodes)
    }

    #[test]
    fn what_most_have_is_the_shape() {
        assert_eq!(shape_of(&[&["id", "name"], &["id", "name"], &["id"]]), ["id", "name"]);
        assert_eq!(shape_of(&[&["id"], &["id", "name"], &["id", "name"]]), ["id", "name"]);
        assert_eq!(shape_of(&[&["id"]]), ["id"]);
    }

    #[test]
    fn what_differs_or_is_a_dictionary_has_none() {
        assert!(shape_of(&[&["id"], &["name"]]).is_empty());
        assert!(shape_of(&[&["a"], &["b"], &["c"]]).is_empty());
        assert!(shape_of(&[&[]]).is_empty());
        let keys: Vec<String> = (0..21).map(|i| format!("key{i}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        assert!(shape_of(&[&keys]).is_empty());
        assert_eq!(shape_of(&[&keys[1..]]).len(), 20);
    }

    #[test]
    fn of_very_many_a_sample_is_asked() {
        let (one, other): (&[&str], &[&str]) = (&["id"], &["name"]);
        let objects: Vec<&[&str]> = (0..500).map(|i| if i % 3 == 0 { other } else { one }).collect();
        assert_eq!(shape_of(&objects), ["id"]);
        assert!(shape(&Snapshot::new().graph(), &[]).is_empty());
    }
}
