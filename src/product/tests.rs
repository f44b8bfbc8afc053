use serde_json::json;

use super::*;
use crate::snapshot::testing::Snapshot;

/// A heap with so many objects of each class, in a global table; ids go on from snapshot to snapshot as in one process.
fn heap(classes: &[(&str, usize)]) -> Snapshot {
    let mut snapshot = Snapshot::new();
    for n in 0..40 {
        let own = snapshot.node("object", &format!("Builtin{n}"), 16);
        snapshot.edge(0, "element", &n.to_string(), own);
    }
    let table = snapshot.node("object", "Table", 32);
    snapshot.edge(0, "property", "table", table);
    let mut at = 0;
    for (place, (class, count)) in classes.iter().enumerate() {
        for n in 0..*count {
            let object = snapshot.node("object", class, 24);
            // Room for ten thousand of each class, so that the ids of one never meet another's.
            snapshot.set_id(object, (1000 + place * 10_000 + n) as u64 * 2 + 1);
            snapshot.edge(table, "element", &at.to_string(), object);
            at += 1;
        }
    }
    snapshot
}

fn answer(name: &str, texts: &[String]) -> Result<(Value, Vec<Stage>)> {
    let control = Control::new();
    let mut product = named(name, texts.len(), &Value::Null)?;
    for text in texts {
        control.stage(Stage::Reading);
        product.feed(text.as_bytes())?;
        product.end_input(&control)?;
    }
    let json = product.finish(&control)?;
    let stages = control.take_changes().iter().map(|progress| progress.stage).collect();
    Ok((serde_json::from_str(&json).expect("JSON"), stages))
}

fn names(value: &Value) -> Vec<&str> {
    let constructors = value["constructors"].as_array().expect("an array");
    constructors.iter().filter_map(|c| c["constructorName"].as_str()).collect()
}

#[test]
fn a_summary_is_the_summary_of_the_graph() {
    let (summary, stages) = answer("summary", &[heap(&[("A", 3)]).text()]).expect("good");
    assert_eq!(summary["nodeCount"], json!(45));
    assert!(names(&summary).contains(&"A"));
    assert_eq!(stages.first(), Some(&Stage::Reading));
    assert_eq!(stages.last(), Some(&Stage::Writing));
}

#[test]
fn of_three_only_what_grew_in_both_intervals_is_told() {
    // A leaks, B grew once and stopped, C grew late, D shrank.
    let texts = [
        heap(&[("A", 10), ("B", 10), ("C", 10), ("D", 10)]).text(),
        heap(&[("A", 20), ("B", 20), ("C", 10), ("D", 5)]).text(),
        heap(&[("A", 40), ("B", 20), ("C", 30), ("D", 4)]).text(),
    ];
    let (diff, _) = answer("diff", &texts).expect("good");
    assert_eq!(names(&diff), ["A"]);
    assert_eq!(diff["constructors"][0]["countDelta"], json!(30));
    assert_eq!(diff["constructors"][0]["sizeDelta"], json!(30 * 24));
    assert_eq!((&diff["matchedBy"], &diff["matchedByReason"]), (&json!("id"), &Value::Null));
    assert!(diff["culprits"].as_array().expect("culprits").iter().all(|c| c["constructorName"] == "A"));

    let (first, _) = answer("diff", &texts[..2]).expect("good");
    assert_eq!(names(&first), ["A", "B", "D"]);
}

#[test]
fn ids_that_do_not_correspond_are_said_to() {
    let mut renumbered = heap(&[("A", 10)]);
    for node in 1..=51 {
        renumbered.set_id(node, node as u64 * 2 + 7);
    }
    let (diff, _) = answer("diff", &[heap(&[("A", 10)]).text(), renumbered.text()]).expect("good");
    assert_eq!(diff["matchedBy"], "path");
    let reason = diff["matchedByReason"].as_str().expect("words");
    assert!(reason.starts_with("object ids do not correspond: an inspector session"), "{reason}");
    assert!(
        reason.ends_with("different processes; objects are compared by constructor and retaining path"),
        "{reason}"
    );
}

/// The answer to a diff with `settings`.
fn diff_with(settings: &Value, texts: &[String]) -> Value {
    let control = Control::new();
    let mut product = named("diff", texts.len(), settings).expect("a product");
    for text in texts {
        product.feed(text.as_bytes()).expect("good");
        product.end_input(&control).expect("whole");
    }
    serde_json::from_str(&product.finish(&control).expect("an answer")).expect("JSON")
}

#[test]
fn what_a_clone_numbered_is_not_compared_by_number() {
    let heaps = [heap(&[("A", 10), ("B", 5)]), heap(&[("A", 30), ("B", 5)])];
    for stamped in [[true, true], [true, false], [false, true]] {
        let text = |at: usize| if stamped[at] { heaps[at].stamped() } else { heaps[at].text() };
        let texts = [text(0), text(1)];
        for (settings, matched_by) in [
            (json!({}), "path"),
            (json!({ "shallowSizes": "devtools" }), "path"),
            (json!({ "culprits": false }), "constructor"),
            (json!({ "culprits": false, "shallowSizes": "devtools" }), "constructor"),
        ] {
            let diff = diff_with(&settings, &texts);
            assert_eq!(diff["matchedBy"], matched_by, "{settings}");
            let reason = diff["matchedByReason"].as_str().expect("words");
            assert!(reason.starts_with("object ids do not correspond: a clone of the process"), "{reason}");
            assert_eq!(reason.ends_with("by constructor and retaining path"), matched_by == "path");
            assert_eq!(names(&diff), ["A"], "{settings}");
            assert_eq!(diff["constructors"][0]["addedCount"], 20);
        }
    }
    let plain = heaps.each_ref().map(Snapshot::text);
    assert_eq!(diff_with(&json!({}), &plain)["matchedBy"], "id");
}

#[test]
fn of_three_that_are_compared_by_path_what_grew_in_both_intervals_is_told() {
    // A leaks, B grew once and stopped, C shrank.
    let heaps = [
        heap(&[("A", 100), ("B", 10), ("C", 10)]).moved(1),
        heap(&[("A", 1100), ("B", 500), ("C", 5)]).moved(2),
        heap(&[("A", 2300), ("B", 500), ("C", 4)]).moved(3),
    ];
    for settings in [json!({}), json!({ "shallowSizes": "devtools" })] {
        let diff = diff_with(&settings, &heaps.each_ref().map(Snapshot::stamped));
        assert_eq!(diff["matchedBy"], "path");
        assert_eq!(names(&diff), ["A"]);
        let row = &diff["constructors"][0];
        assert_eq!((&row["addedCount"], &row["removedCount"]), (&json!(2200), &json!(0)));
        let culprits = diff["culprits"].as_array().expect("culprits");
        let found: Vec<_> = culprits.iter().map(|c| (&c["constructorName"], &c["countDelta"])).collect();
        assert_eq!(found, [(&json!("A"), &json!(1200))]);
    }
    // One interval by number and one by path are both told by what tells less.
    let mixed = [heaps[0].text(), heap(&[("A", 1100)]).moved(1).text(), heap(&[("A", 2300)]).stamped()];
    assert_eq!(diff_with(&json!({}), &mixed)["matchedBy"], "path");
}

#[test]
fn a_product_takes_the_inputs_that_it_can_use() {
    for (name, inputs) in [("summary", 2), ("diff", 1), ("diff", 4), ("sum", 1)] {
        let error = named(name, inputs, &Value::Null).err().expect("refused");
        assert_eq!(error.code(), "HEAPWARDEN_ERR_INVALID_ARG");
    }
}

#[test]
fn a_cancelled_product_gives_no_answer() {
    let text = heap(&[("A", 3)]).text();
    for name in ["summary", "diff"] {
        let inputs = if name == "summary" { 1 } else { 2 };
        let control = Control::new();
        let mut product = named(name, inputs, &Value::Null).expect("a product");
        product.feed(text.as_bytes()).expect("good");
        product.end_input(&control).expect("whole");
        control.cancel();
        let end = (1..inputs).try_for_each(|_| {
            product.feed(text.as_bytes())?;
            product.end_input(&control)
        });
        let error = end.and_then(|()| product.finish(&control)).expect_err("cancelled");
        assert_eq!(error.code(), "HEAPWARDEN_ERR_CANCELLED");
    }
}
