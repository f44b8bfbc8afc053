//! The whole parser against a naive one, and against what no V8 ever wrote.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::testing::{EDGE_TYPES, NODE_TYPES, Snapshot, arbitrary, parse, write};
use super::{SnapshotParser, read_graph};
use crate::error::{Error, ErrorKind};
use crate::graph::{EdgeName, Graph};

/// A small snapshot with every section filled.
fn small() -> Snapshot {
    let mut s = Snapshot::new();
    let map = s.node("object", "Map", 32);
    let session = s.node("object", "Sess\"ion \u{1F600}\n", 6_000_000_000);
    let closure = s.closure("onData", "file:///srv/app.js", 391);
    s.edge(0, "shortcut", "1", map);
    s.edge(map, "element", "7", session);
    s.edge(map, "property", "handler", closure);
    s.location(session, 391, 3, 27);
    s
}

/// What a graph is, read off it field by field.
fn facts(graph: &Graph) -> Value {
    let nodes: Vec<Value> = graph
        .nodes()
        .map(|node| {
            let edges: Vec<Value> = graph
                .edges(node)
                .map(|edge| {
                    let name = match graph.edge_name(node, edge) {
                        EdgeName::Name(name) => json!(name),
                        EdgeName::Index(index) => json!(index),
                    };
                    json!([format!("{:?}", graph.edge_kind(node, edge)), name, graph.edge_to(edge)])
                })
                .collect();
            json!([graph.kind(node).name(), graph.name(node), graph.id(node), graph.self_size(node), edges])
        })
        .collect();
    json!(nodes)
}

/// The same by way of `serde_json::Value`.
fn oracle(text: &str) -> Value {
    let root: Value = serde_json::from_str(text).expect("JSON");
    let meta = &root["snapshot"]["meta"];
    let fields: Vec<&str> =
        meta["node_fields"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    let at = |name: &str| fields.iter().position(|field| *field == name).unwrap();
    let nodes: Vec<u64> = root["nodes"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    let edges: Vec<usize> =
        root["edges"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let string = |index: usize| root["strings"][index].as_str().unwrap();
    let mut edge_rows = edges.chunks(3);
    let rows: Vec<Value> = nodes
        .chunks(fields.len())
        .map(|node| {
            let kind = meta["node_types"][0][node[at("type")] as usize].as_str().unwrap();
            let edges: Vec<Value> = (0..node[at("edge_count")])
                .map(|_| {
                    let [kind, name, to] = edge_rows.next().unwrap() else { panic!("three numbers") };
                    let kind = meta["edge_types"][0][*kind].as_str().unwrap();
                    let name = if kind == "element" || kind == "hidden" {
                        json!(name)
                    } else {
                        json!(string(*name))
                    };
                    let mut label = kind.to_owned();
                    label[..1].make_ascii_uppercase();
                    json!([label, name, to / fields.len()])
                })
                .collect();
            json!([kind, string(node[at("name")] as usize), node[at("id")], node[at("self_size")], edges])
        })
        .collect();
    json!(rows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_snapshot_at_any_split_is_what_the_oracle_reads(s in arbitrary(), pieces in prop::collection::vec(1usize..200, 1..40)) {
        let text = s.text();
        let mut parser = SnapshotParser::new();
        let mut rest = text.as_bytes();
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, next) = rest.split_at((*piece).min(rest.len()));
            parser.feed(chunk).unwrap();
            rest = next;
        }
        prop_assert_eq!(parser.bytes_read(), text.len() as u64);
        let graph = parser.finish().unwrap();
        prop_assert_eq!(facts(&graph), oracle(&text));
    }

    #[test]
    fn any_damage_is_an_error_or_a_graph(at in any::<prop::sample::Index>(), byte in any::<u8>(), piece in 1usize..64) {
        let mut text = small().text().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Err(error) = parse(&text, piece) {
            prop_assert!(error.offset().is_some(), "{}", error);
        }
    }
}

#[test]
fn a_small_snapshot_in_pieces_of_every_size() {
    let text = small().text();
    let whole = facts(&parse(text.as_bytes(), usize::MAX).unwrap());
    assert_eq!(whole, oracle(&text));
    for piece in 1..200 {
        assert_eq!(facts(&parse(text.as_bytes(), piece).unwrap()), whole, "pieces of {piece}");
    }
}

#[test]
fn truncation_at_every_byte_is_truncation() {
    let text = small().text();
    let text = text.trim_end();
    for end in 0..text.len() {
        for piece in [1, usize::MAX] {
            let error = parse(&text.as_bytes()[..end], piece).unwrap_err();
            assert_eq!(error.code(), "HEAPWARDEN_ERR_SNAPSHOT_TRUNCATED", "{end}: {error}");
            assert_eq!(error.offset(), Some(end as u64), "{error}");
        }
    }
}

#[test]
fn fields_in_another_order_and_fields_unknown() {
    let mut value = small().value();
    let meta = &mut value["snapshot"]["meta"];
    meta["node_fields"] = json!(["edge_count", "wings", "self_size", "id", "name", "type"]);
    meta["node_types"] = json!(["number", "number", "number", "number", "string", NODE_TYPES]);
    meta["edge_fields"] = json!(["to_node", "colour", "type", "name_or_index"]);
    meta["edge_types"] = json!(["node", "number", EDGE_TYPES, "string_or_number"]);
    let list = |value: &Value| value.as_array().unwrap().clone();
    let nodes: Vec<Value> = list(&value["nodes"])
        .chunks(7)
        .flat_map(|n| [n[4].clone(), json!(9), n[3].clone(), n[2].clone(), n[1].clone(), n[0].clone()])
        .collect();
    let edges: Vec<Value> = list(&value["edges"])
        .chunks(3)
        .flat_map(|e| [json!(e[2].as_u64().unwrap() / 7 * 6), json!(1), e[0].clone(), e[1].clone()])
        .collect();
    let locations: Vec<Value> = list(&value["locations"])
        .chunks(4)
        .flat_map(|l| [json!(l[0].as_u64().unwrap() / 7 * 6), l[1].clone(), l[2].clone(), l[3].clone()])
        .collect();
    (value["nodes"], value["edges"], value["locations"]) = (json!(nodes), json!(edges), json!(locations));
    let graph = parse(write(&value, false).as_bytes(), 5).unwrap();
    assert_eq!(facts(&graph), facts(&small().graph()));
    let place = graph.location(2).unwrap();
    assert_eq!((place.file.as_str(), place.line, place.column), ("/srv/app.js", 4, 28));
}

#[test]
fn sections_in_any_order_after_the_header_and_keys_unknown() {
    let value = small().value();
    let text = format!(
        "\u{20}{{ \"snapshot\" : {} ,\"later\":{{\"a\":[1,{{\"b\":null}}]}},\"strings\":{},\"nodes\":{},\"n\\u0041\":-1.5e3,\"locations\":{},\"edges\":{}}} \n",
        value["snapshot"], value["strings"], value["nodes"], value["locations"], value["edges"]
    );
    for piece in [1, 3, usize::MAX] {
        assert_eq!(facts(&parse(text.as_bytes(), piece).unwrap()), facts(&small().graph()));
    }
}

/// `change` applied to the small snapshot; the error at any split is the same.
#[test]
fn what_stands_before_the_first_column_is_at_the_first() {
    // As V8 writes it from version 13 on, and before; and what no V8 writes.
    for before in [json!(-6), json!(-1), json!(-0.0), json!(4_294_967_290u32), json!(-99_999_999_999i64)] {
        let text = changed(|root| root["locations"][7] = before.clone()).replace("-0.0", "-0");
        for piece in 1..=text.len().min(64) {
            let place = parse(text.as_bytes(), piece).unwrap().location(2).unwrap();
            assert_eq!((place.line, place.column), (4, 1), "{before} in pieces of {piece}");
        }
    }
    // Where it makes no sense it is refused, by its place.
    for (key, at) in [("locations", 0), ("nodes", 5), ("edges", 2)] {
        let text = changed(|root| root[key][at] = json!(-7));
        let (offset, places) = (error_of(&text).offset().unwrap(), offset_of(&text, key, at));
        assert!((places..=places + 1).contains(&offset), "{key}: {offset}, not {places}");
    }
    let text = changed(|root| root["locations"][7] = json!(-7)).replace("-7", "-");
    assert!(error_of(&text).to_string().contains("digits after \"-\" in \"locations\""));
}

fn error_of(text: &str) -> Error {
    let whole = parse(text.as_bytes(), usize::MAX).expect_err(text);
    for piece in [1, 7] {
        assert_eq!(parse(text.as_bytes(), piece).unwrap_err(), whole, "pieces of {piece}");
    }
    whole
}

fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut value = small().value();
    change(&mut value);
    write(&value, false)
}

/// The offset of the `n`th number of the array under `key`.
fn offset_of(text: &str, key: &str, n: usize) -> u64 {
    let key = format!("\"{key}\":[");
    let start = text.find(&key).unwrap() + key.len();
    let before = text[start..].split(',').take(n).map(|number| number.len() + 1).sum::<usize>();
    (start + before) as u64
}

#[test]
fn indexes_out_of_range_are_named_with_their_place() {
    type Case = (&'static str, usize, u64, &'static str, u64);
    // Six nodes of seven fields, five edges.
    let cases: [Case; 9] = [
        ("nodes", 0, 16, "node type", 16),
        ("nodes", 8, 4_000_000_000, "node name", 0),
        ("nodes", 2, 1 << 32, "node id", 1 << 32),
        ("nodes", 1, 1 << 32, "node name", 1 << 32),
        ("edges", 0, 7, "edge type", 7),
        ("edges", 2, 42, "edge to_node", 42),
        ("edges", 1, 99_999, "edge name", 0),
        ("locations", 0, 42, "location object_index", 42),
        ("locations", 1, 1 << 32, "location script_id", 1 << 32),
    ];
    for (key, at, value, field, limit) in cases {
        let text = changed(|root| root[key][at] = json!(value));
        let strings = small().value()["strings"].as_array().unwrap().len() as u64;
        let limit = if limit == 0 { strings } else { limit };
        let error = error_of(&text);
        assert_eq!(error.kind(), &ErrorKind::SnapshotIndex { field, index: value, limit }, "{key}[{at}]");
        assert_eq!(error.offset(), Some(offset_of(&text, key, at)), "{key}[{at}]");
    }
}

#[test]
fn a_name_just_past_the_table_is_missed_where_the_table_ends() {
    let text = changed(|root| root["edges"][1] = json!(999));
    let error = error_of(&text);
    let limit = small().value()["strings"].as_array().unwrap().len() as u64;
    assert_eq!(error.kind(), &ErrorKind::SnapshotIndex { field: "edge name", index: 999, limit });
    assert_eq!(error.offset(), text.rfind(']').map(|at| at as u64));
}

#[test]
fn of_strings_that_name_nothing_the_beginning_is_kept() {
    let long = "\u{4e2d}".repeat(40);
    let mut s = Snapshot::new();
    let value = s.node("string", &long, 8);
    let class = s.node("object", &format!("{long}!"), 8);
    let other = s.node("string", &format!("{long}?"), 8);
    s.edge(class, "property", &format!("{long}?"), other);
    for piece in [1, 7, usize::MAX] {
        let graph = parse(s.text().as_bytes(), piece).unwrap();
        // Ten characters of three bytes: an eleventh would not fit whole.
        assert_eq!(graph.name(value as u32), "\u{4e2d}".repeat(10));
        assert_eq!(graph.name(class as u32), format!("{long}!"));
        assert_eq!(graph.name(other as u32), format!("{long}?"), "it is the name of a property as well");
    }
}

#[test]
fn edges_before_their_nodes_are_refused() {
    let value = small().value();
    let text = format!("{{\"snapshot\":{},\"edges\":{}}}", value["snapshot"], value["edges"]);
    let error = error_of(&text);
    assert_eq!(error.code(), "HEAPWARDEN_ERR_SNAPSHOT_SCHEMA");
    assert_eq!(error.offset(), text.find("\"edges\"").map(|at| at as u64));
}

#[test]
fn an_index_between_two_nodes_is_refused() {
    for (key, at) in [("edges", 2), ("locations", 0)] {
        let text = changed(|root| root[key][at] = json!(8));
        let error = error_of(&text);
        assert_eq!(error.code(), "HEAPWARDEN_ERR_SNAPSHOT_SCHEMA");
        assert_eq!(error.offset(), Some(offset_of(&text, key, at)));
    }
}

#[test]
fn counts_that_lie_both_ways() {
    let closing = |text: &str, key: &str| {
        let start = text.find(&format!("\"{key}\":[")).unwrap();
        (start + text[start..].find(']').unwrap()) as u64
    };
    let text = changed(|root| root["snapshot"]["node_count"] = json!(5));
    let error = error_of(&text);
    assert_eq!(error.kind(), &ErrorKind::SnapshotCount { section: "nodes", declared: 5, found: 6 });
    assert_eq!(error.offset(), Some(offset_of(&text, "nodes", 35)));

    let text = changed(|root| root["snapshot"]["node_count"] = json!(1_000_000_000u64));
    let error = error_of(&text);
    assert_eq!(
        error.kind(),
        &ErrorKind::SnapshotCount { section: "nodes", declared: 1_000_000_000, found: 6 }
    );
    assert_eq!(error.offset(), Some(closing(&text, "nodes")));

    let text = changed(|root| root["snapshot"]["edge_count"] = json!(4));
    let error = error_of(&text);
    assert_eq!(error.kind(), &ErrorKind::SnapshotCount { section: "edges", declared: 4, found: 5 });

    let text = changed(|root| root["nodes"][4] = json!(u64::from(u32::MAX) + 5));
    assert_eq!(error_of(&text).offset(), Some(offset_of(&text, "nodes", 4)));

    let text = changed(|root| {
        root["edges"].as_array_mut().unwrap().truncate(12);
    });
    let error = error_of(&text);
    assert_eq!(error.kind(), &ErrorKind::SnapshotCount { section: "edges", declared: 5, found: 4 });
    assert_eq!(error.offset(), Some(closing(&text, "edges")));

    let text = changed(|root| {
        root["edges"].as_array_mut().unwrap().truncate(13);
    });
    assert_eq!(error_of(&text).code(), "HEAPWARDEN_ERR_SNAPSHOT_SCHEMA");
}

#[test]
fn what_is_no_snapshot_is_refused_where_it_stops_being_one() {
    let cases: [(&str, &str, u64); 14] = [
        ("", "SNAPSHOT_TRUNCATED", 0),
        ("   ", "SNAPSHOT_TRUNCATED", 3),
        ("hello", "SNAPSHOT_SYNTAX", 0),
        ("[1]", "SNAPSHOT_SYNTAX", 0),
        ("\u{1f}\u{8b}", "SNAPSHOT_SYNTAX", 0),
        ("{}", "SNAPSHOT_SCHEMA", 2),
        ("{\"nodes\":[]}", "SNAPSHOT_SCHEMA", 1),
        ("{\"other\":1}", "SNAPSHOT_SCHEMA", 1),
        ("{\"snapshot\" 1}", "SNAPSHOT_SYNTAX", 12),
        ("{\"snapshot\":[]}", "SNAPSHOT_SYNTAX", 12),
        ("{\"snapshot\":{}}", "SNAPSHOT_SCHEMA", 13),
        ("{\"snapshot\":{x}}", "SNAPSHOT_SYNTAX", 13),
        ("{,}", "SNAPSHOT_SYNTAX", 1),
        ("{\"snapshot\":{\"meta\":5}}", "SNAPSHOT_SCHEMA", 20),
    ];
    for (text, code, offset) in cases {
        let error = error_of(text);
        assert_eq!(error.code(), format!("HEAPWARDEN_ERR_{code}"), "{text}: {error}");
        // The parser names the key's end or the byte; serde_json the place it got to.
        let found = error.offset().unwrap();
        assert!(found.abs_diff(offset) <= 2, "{text}: {error}");
    }
}

#[test]
fn what_follows_the_end_is_refused() {
    let text = small().text();
    let end = text.trim_end().len() as u64;
    let error = error_of(&format!("{}x", text.trim_end()));
    assert_eq!(error.code(), "HEAPWARDEN_ERR_SNAPSHOT_SYNTAX");
    assert_eq!(error.offset(), Some(end));
}

#[test]
fn a_section_missing_or_twice_is_refused() {
    for key in ["nodes", "edges", "strings"] {
        let text = changed(|root| {
            root.as_object_mut().unwrap().remove(key);
        });
        assert_eq!(error_of(&text).code(), "HEAPWARDEN_ERR_SNAPSHOT_SCHEMA", "{key}");
        let text = small().text();
        let text = format!("{},\"{key}\":[]}}", text.trim_end().strip_suffix('}').unwrap());
        assert_eq!(error_of(&text).code(), "HEAPWARDEN_ERR_SNAPSHOT_SCHEMA", "{key} twice");
    }
}

#[test]
fn numbers_that_are_no_unsigned_integers() {
    for (number, code) in [
        ("-1", "SNAPSHOT_SYNTAX"),
        ("1.5", "SNAPSHOT_SYNTAX"),
        ("1e3", "SNAPSHOT_SYNTAX"),
        ("\"1\"", "SNAPSHOT_SYNTAX"),
        ("null", "SNAPSHOT_SYNTAX"),
        ("18446744073709551616", "SNAPSHOT_LIMIT"),
        ("99999999999999999999999999999999999999", "SNAPSHOT_LIMIT"),
    ] {
        let text = small().text().replacen("6000000000", number, 1);
        let at = text.find(number).unwrap() as u64;
        let error = error_of(&text);
        assert_eq!(error.code(), format!("HEAPWARDEN_ERR_{code}"), "{number}");
        assert!(error.offset().unwrap() - at <= 1, "{number}: {error}");
    }
}

#[test]
fn a_string_without_end_is_refused_while_it_is_read() {
    use super::strings::MAX_STRING;

    let whole = changed(|_| {});
    let (before, _) = whole.split_once("\"strings\":[").expect("strings");
    for piece in ["a", "\\u0041", "\u{e9}"] {
        let mut parser = SnapshotParser::new();
        parser.feed(format!("{before}\"strings\":[\"").as_bytes()).unwrap();
        let chunk = piece.repeat(64 * 1024 / piece.len());
        let error = (0..4000).find_map(|_| parser.feed(chunk.as_bytes()).err()).expect("bounded");
        let expected = ErrorKind::SnapshotLimit { what: "a string", limit: MAX_STRING as u64 };
        assert_eq!(error.kind(), &expected, "{piece}");
        assert!(error.offset().is_some());
        assert!(parser.text_capacity() <= 4 * MAX_STRING);
    }
}

#[test]
fn a_header_that_is_not_utf8_is_refused_at_the_byte_even_where_nobody_reads_it() {
    let mut text = changed(|root| root["snapshot"]["meta"]["unknown"] = json!(["#"])).into_bytes();
    let at = text.iter().position(|&byte| byte == b'#').unwrap();
    text[at] = 0xcb;
    for piece in [1, 7, usize::MAX] {
        let error = parse(&text, piece).unwrap_err();
        let (expected, found) = ("a header in UTF-8".to_owned(), "byte 0xcb".to_owned());
        assert_eq!(error.kind(), &ErrorKind::SnapshotSyntax { expected, found });
        assert_eq!(error.offset(), Some(at as u64));
    }
}

#[test]
fn a_header_without_end_or_with_too_much_is_refused() {
    let mut parser = SnapshotParser::new();
    parser.feed(b"{\"snapshot\":{\"meta\":\"").unwrap();
    let chunk = vec![b'x'; 64 * 1024];
    let error = (0..1000).find_map(|_| parser.feed(&chunk).err()).expect("bounded");
    assert_eq!(error.kind(), &ErrorKind::SnapshotLimit { what: "the header", limit: 1024 * 1024 });
    assert!(parser.text_capacity() <= 4 * 1024 * 1024);
    assert_eq!(parser.feed(b"}").unwrap_err(), error);

    let fields = vec!["f"; 100_000];
    let text = changed(|root| root["snapshot"]["meta"]["node_fields"] = json!(fields));
    assert_eq!(error_of(&text).kind(), &ErrorKind::SnapshotLimit { what: "node_fields", limit: 64 });
    let types = vec!["t"; 300];
    let text = changed(|root| root["snapshot"]["meta"]["edge_types"][0] = json!(types));
    assert_eq!(error_of(&text).kind(), &ErrorKind::SnapshotLimit { what: "edge_types", limit: 256 });
    for field in ["type", "name", "id", "self_size", "edge_count"] {
        let text = changed(|root| {
            root["snapshot"]["meta"]["node_fields"].as_array_mut().unwrap().retain(|name| name != field);
        });
        assert_eq!(error_of(&text).code(), "HEAPWARDEN_ERR_SNAPSHOT_SCHEMA", "{field}");
    }
    for count in [json!(-1), json!(1.5), json!("6"), json!(null), json!(0)] {
        let text = changed(|root| root["snapshot"]["node_count"] = count.clone());
        assert_eq!(error_of(&text).code(), "HEAPWARDEN_ERR_SNAPSHOT_SCHEMA", "{count}");
    }
    let text = changed(|root| root["snapshot"]["edge_count"] = json!(1u64 << 40));
    assert_eq!(error_of(&text).code(), "HEAPWARDEN_ERR_SNAPSHOT_LIMIT");
}

#[test]
fn nesting_is_bounded_where_it_is_skipped_and_where_it_is_read() {
    let deep = "[".repeat(100_000);
    let text = small().text().replacen("\"trace_tree\":[", &format!("\"trace_tree\":[{deep}"), 1);
    assert_eq!(error_of(&text).code(), "HEAPWARDEN_ERR_SNAPSHOT_LIMIT");
    let text = small().text().replacen("\"meta\":{", &format!("\"meta\":{{\"x\":{deep}"), 1);
    assert!(parse(text.as_bytes(), 999).is_err());
    let closed = format!("{}{}", "{\"a\":".repeat(1000), "1".to_owned() + &"}".repeat(1000));
    let text = small().text().replacen("\"trace_tree\":[", &format!("\"x\":{closed},\"trace_tree\":["), 1);
    assert!(parse(text.as_bytes(), 999).is_ok());
}

#[test]
fn memory_follows_the_bytes_and_not_the_counts() {
    let text = changed(|root| {
        root["snapshot"]["node_count"] = json!(4_000_000_000u64);
        root["snapshot"]["edge_count"] = json!(4_000_000_000u64);
    });
    let mut parser = SnapshotParser::new();
    parser.feed(&text.as_bytes()[..text.find("],").unwrap() - 1]).unwrap();
    assert!(parser.column_capacity() <= 16 * 4096, "{}", parser.column_capacity());
}

#[test]
fn a_reader_that_fails_and_a_caller_that_gives_up() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let go = AtomicBool::new(false);
    assert_eq!(read_graph(&mut Broken, &go).unwrap_err().code(), "HEAPWARDEN_ERR_IO");
    let text = small().text();
    assert!(read_graph(&mut text.as_bytes(), &go).is_ok());
    let stop = AtomicBool::new(true);
    assert_eq!(read_graph(&mut text.as_bytes(), &stop).unwrap_err().kind(), &ErrorKind::Cancelled);
}

#[test]
fn of_two_faults_the_first_is_reported_at_any_split() {
    for (edges, offset) in
        [("[1,1,7, 9,1,7, x]", 8), ("[1,1,5, 1,1,7, 99999999999999999999]", 5), ("[1,1,7, 9,1,7, 1,1,7", 8)]
    {
        let text = changed(|root| {
            root["snapshot"]["edge_count"] = json!(2);
            root["nodes"][4] = json!(2);
            for node in 1..6 {
                root["nodes"][node * 7 + 4] = json!(0);
            }
            root["edges"] = json!([]);
        });
        let text = text.replacen("\"edges\":[]", &format!("\"edges\":{edges}"), 1);
        let start = text.find(edges).unwrap() as u64;
        assert_eq!(error_of(&text).offset(), Some(start + offset), "{edges}");
    }
}
