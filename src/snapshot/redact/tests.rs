//! Against a naive oracle: the whole text through serde_json, strings and all.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::graph::EdgeKind;
use crate::snapshot::testing::{EDGE_TYPES, NODE_TYPES, Snapshot, arbitrary, parse};

fn redacted(text: &[u8], level: Level, salt: &Salt, piece: usize) -> Result<Vec<u8>> {
    let (mut redactor, mut out) = (Redactor::with(level, salt.clone()), Vec::new());
    let mut sink = |text: &[u8]| {
        out.extend_from_slice(text);
        Ok(())
    };
    text.chunks(piece.max(1)).try_for_each(|chunk| redactor.feed(chunk, &mut sink))?;
    redactor.finish(&mut sink)?;
    Ok(out)
}

fn told(snapshot: &Snapshot, level: Level) -> String {
    let text = redacted(snapshot.text().as_bytes(), level, &Salt::random(), 100).expect("redacted");
    String::from_utf8(text).expect("text")
}

/// The oracle: the same rules on the whole text at once, in the words of the documentation. Without pairs of WeakMaps, which have a test of
/// their own.
fn naive(mut value: Value, level: Level, salt: &Salt) -> Value {
    let width = value["snapshot"]["meta"]["node_fields"].as_array().expect("fields").len();
    let numbers = |key: &str| -> Vec<usize> {
        value[key]
            .as_array()
            .expect("numbers")
            .iter()
            .map(|n| n.as_u64().expect("a number") as usize)
            .collect()
    };
    let (mut nodes, mut edges) = (numbers("nodes"), numbers("edges"));
    let strings: Vec<String> = serde_json::from_value(value["strings"].clone()).expect("strings");
    let kind = |nodes: &[usize], at: usize| NODE_TYPES[nodes[at * width]];
    let is_value = |kind: &str| ["string", "concatenated string", "sliced string", "regexp"].contains(&kind);
    let (mut named, mut spelled, mut internal, mut labels) =
        (HashSet::new(), HashSet::new(), HashSet::new(), HashSet::new());
    let mut system = HashSet::new();
    for node in 0..nodes.len() / width {
        let name = nodes[node * width + 1];
        match kind(&nodes, node) {
            value if is_value(value) => continue,
            "closure" | "code" => {
                spelled.insert(strings[name].clone());
            }
            "object" | "symbol" | "number" | "bigint" | "wasm object" => {
                system.insert(name);
            }
            _ => {
                labels.insert(name);
                system.insert(name);
            }
        }
        named.insert(name);
    }
    let mut edge = 0;
    for node in 0..nodes.len() / width {
        let mut elements = 0;
        for _ in 0..nodes[node * width + 4] {
            let (name, to) = (edges[edge + 1], edges[edge + 2] / width);
            if kind(&nodes, node) == "code"
                && ["(constant pool)", "system / ObjectBoilerplateDescription", ""]
                    .contains(&&*strings[nodes[node * width + 1]])
                && kind(&nodes, to) == "string"
            {
                spelled.insert(strings[nodes[to * width + 1]].clone());
            }
            match EDGE_TYPES[edges[edge]] {
                "element" => {
                    edges[edge + 1] = elements;
                    elements += 1;
                }
                "hidden" => {}
                kind => {
                    named.insert(name);
                    if kind == "context" {
                        spelled.insert(strings[name].clone());
                    } else if kind != "property" {
                        internal.insert(name);
                    }
                }
            }
            edge += 3;
        }
    }
    let stays = |index: usize| {
        let name = &strings[index];
        let names = level == Level::Names;
        let is_digits = name.len() <= 10 && name.bytes().all(|b| b.is_ascii_digit());
        let bare = name
            .strip_prefix("<symbol ")
            .and_then(|name| name.strip_suffix('>'))
            .or_else(|| name.strip_prefix("get "))
            .or_else(|| name.strip_prefix("set "));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b" _:/()<>,.*&~[]-".contains(&b);
        name.is_empty()
            || is_own(name)
            || internal.contains(&index) && (names || is_digits)
            || names && (spelled.contains(name) || bare.is_some_and(|name| spelled.contains(name)))
            || names && labels.contains(&index) && name.len() <= 128 && name.bytes().all(plain)
            || system.contains(&index)
                && name
                    .strip_prefix("system / ")
                    .is_some_and(|n| n.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    let out: Vec<String> = (0..strings.len())
        .map(|index| match index {
            0 => "(redacted)".to_owned(),
            _ if !named.contains(&index) => String::new(),
            _ if stays(index) => strings[index].clone(),
            _ => salt.stand_in(&strings[index]),
        })
        .collect();
    for node in 0..nodes.len() / width {
        if is_value(kind(&nodes, node)) {
            nodes[node * width + 1] = 0;
        }
    }
    value["snapshot"]["heapwarden_redaction"] = level.name().into();
    (value["nodes"], value["edges"], value["strings"]) = (nodes.into(), edges.into(), out.into());
    value
}

/// What a graph is but for its names.
fn shape(graph: &crate::graph::Graph) -> String {
    let node = |node| {
        let edges: Vec<_> =
            graph.edges(node).map(|edge| (graph.edge_kind(node, edge), graph.edge_to(edge))).collect();
        format!("{:?} {} {} {edges:?}", graph.kind(node), graph.id(node), graph.self_size(node))
    };
    graph.nodes().map(node).collect::<Vec<_>>().join("\n")
}

/// As [`arbitrary`], with the names that matter among the others.
fn telling() -> impl Strategy<Value = Snapshot> {
    let name = prop::sample::select(vec![
        "",
        "a",
        "b",
        "secret",
        "get a",
        "set secret",
        "<symbol a>",
        "<symbol secret>",
        "system / Own",
        "system / a b",
        "Object",
        "map",
        "123",
        "12345678901",
        "Node / a",
        "a=\"b\"",
        "(constant pool)",
    ]);
    let kind = prop::sample::select(NODE_TYPES.to_vec());
    let nodes = prop::collection::vec((kind, name.clone()), 1..20);
    let edge =
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..EDGE_TYPES.len(), name, 0..1000u32);
    (nodes, prop::collection::vec(edge, 0..60), any::<bool>()).prop_map(|(nodes, edges, old)| {
        let mut s = Snapshot::new();
        s.old = old;
        nodes.iter().for_each(|(kind, name)| {
            s.node(kind, name, 8);
        });
        for (from, to, kind, name, index) in &edges {
            let kind = EDGE_TYPES[*kind];
            let name =
                if EdgeKind::from_name(kind).is_named() { (*name).to_owned() } else { index.to_string() };
            s.edge(from.index(nodes.len() + 1), kind, &name, to.index(nodes.len() + 1));
        }
        s
    })
}

proptest! {
    #[test]
    fn the_text_is_the_oracles(s in prop_oneof![arbitrary(), telling()], piece in 1usize..400) {
        let salt = Salt::random();
        for level in [Level::Names, Level::Shape] {
            let text = redacted(s.text().as_bytes(), level, &salt, piece).unwrap();
            let expected = naive(s.value(), level, &salt);
            prop_assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), expected);
        }
    }

    #[test]
    fn all_but_the_names_is_as_it_was(s in arbitrary(), piece in 1usize..400) {
        for level in [Level::Names, Level::Shape] {
            let text = redacted(s.text().as_bytes(), level, &Salt::random(), piece).unwrap();
            prop_assert_eq!(shape(&parse(&text, 99).unwrap()), shape(&s.graph()));
        }
    }

    #[test]
    fn any_damage_is_an_error_or_harmless(s in telling(), at in any::<prop::sample::Index>(), byte in any::<u8>(), piece in 1usize..400) {
        let mut text = s.text().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let salt = Salt::random();
        let ours = redacted(&text, Level::Names, &salt, piece);
        // However it is cut, the same comes of it; and what comes of it is a whole text.
        prop_assert_eq!(&ours, &redacted(&text, Level::Names, &salt, text.len()));
        if let Ok(ours) = ours {
            prop_assert!(serde_json::from_slice::<Value>(&ours).is_ok());
        }
    }
}

#[test]
fn values_pass_at_no_level() {
    let mut s = Snapshot::new();
    for kind in ["string", "concatenated string", "sliced string", "regexp"] {
        let node = s.node(kind, &format!("hunter2 {kind}"), 32);
        s.edge(0, "internal", "field", node);
    }
    for level in [Level::Names, Level::Shape] {
        let text = told(&s, level);
        assert!(!text.contains("hunter2") && text.contains("(redacted)"), "{text}");
    }
}

#[test]
fn a_value_that_is_a_name_elsewhere_is_no_less_a_value() {
    let mut s = Snapshot::new();
    let (function, role) = (s.node("closure", "admin", 32), s.node("string", "admin", 16));
    s.edge(0, "internal", "field", function);
    s.edge(0, "internal", "other", role);
    let text = told(&s, Level::Names);
    let graph = parse(text.as_bytes(), 9).expect("a graph");
    let names: Vec<_> = graph.nodes().map(|node| graph.name(node)).collect();
    assert_eq!(names, ["", "admin", "(redacted)"]);
}

#[test]
fn a_property_stays_where_code_spells_it() {
    let mut s = Snapshot::new();
    let (pool, cache) = (s.node("code", "(constant pool)", 32), s.node("string", "ledger", 16));
    let (object, other) = (s.node("object", "Object", 16), s.node("object", "Object", 16));
    s.edge(pool, "hidden", "3", cache);
    for name in
        ["ledger", "get ledger", "<symbol ledger>", "prototype", "tok_123", "get tok_123", "<symbol tok_123>"]
    {
        s.edge(object, "property", name, other);
    }
    let names = told(&s, Level::Names);
    for kept in ["\"ledger\"", "\"get ledger\"", "\"<symbol ledger>\"", "\"prototype\""] {
        assert!(names.contains(kept), "{kept}: {names}");
    }
    assert!(!names.contains("tok_123"));
    let shape = told(&s, Level::Shape);
    assert!(
        !shape.contains("ledger") && shape.contains("\"prototype\"") && shape.contains("\"Object\""),
        "{shape}"
    );
}

#[test]
fn what_is_not_understood_ends_the_text() {
    let text = Snapshot::new().text();
    let fails = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let other = text.replacen(from, to, 1);
        redacted(other.as_bytes(), Level::Names, &Salt::random(), 50).expect_err(to).code()
    };
    assert_eq!(fails("\"strings\"", "\"Strings\""), "HEAPWARDEN_ERR_SNAPSHOT_SCHEMA");
    assert_eq!(fails("\"nodes\"", "\"edges\""), "HEAPWARDEN_ERR_SNAPSHOT_SCHEMA");
    assert_eq!(fails("\"samples\"", "\"nodes\""), "HEAPWARDEN_ERR_SNAPSHOT_SCHEMA");
    assert_eq!(fails("\"node_count\":1", "\"node_count\":2"), "HEAPWARDEN_ERR_SNAPSHOT_COUNT");
    assert_eq!(fails("]}\n", "]"), "HEAPWARDEN_ERR_SNAPSHOT_TRUNCATED");
    assert_eq!(fails("]}\n", "]}\"hunter2\""), "HEAPWARDEN_ERR_SNAPSHOT_SYNTAX");
}

#[test]
fn a_key_out_of_order_is_told_by_its_place_however_the_text_is_cut() {
    for (from, to) in
        [("\"nodes\"", "\"edges\""), ("\"samples\"", "\"nodes\""), ("\"snapshot\"", "\"stringst\"")]
    {
        let text = Snapshot::new().text().replacen(from, to, 1);
        let place = text.find(to).expect(to) as u64 + 1;
        // Where a key comes twice, the second is at fault.
        let place = if to == "\"nodes\"" { text.rfind(to).expect(to) as u64 + 1 } else { place };
        for piece in 1..40 {
            let error = redacted(text.as_bytes(), Level::Names, &Salt::random(), piece).expect_err(to);
            assert_eq!(error.offset(), Some(place), "{to} in pieces of {piece}");
        }
    }
}

#[test]
fn keys_that_are_not_known_are_passed_on_without_their_text() {
    let text =
        Snapshot::new().text().replacen("\"samples\":[]", "\"scopes\":[1,{\"hunter2\":\"hunt\\\"er2\"}]", 1);
    let text = redacted(text.as_bytes(), Level::Names, &Salt::random(), 3).expect("redacted");
    let text = String::from_utf8(text).expect("text");
    assert!(text.contains("\"scopes\":[1,{\"\":\"\"}]") && !text.contains("hunt"), "{text}");
}
