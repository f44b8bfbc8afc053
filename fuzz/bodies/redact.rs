//! Any bytes as a snapshot to redact, in any pieces: no panic, the same text whatever the pieces, and a text that can be read again holds no
//! value of the input.

use heapwarden::error::Error;
use heapwarden::snapshot::{Level, Redactor, Salt};
use serde_json::Value;

fn redacted(data: &[u8], level: Level, salt: &Salt, piece: usize) -> Result<Vec<u8>, Error> {
    let (mut redactor, mut out) = (Redactor::with(level, salt.clone()), Vec::new());
    let mut sink = |text: &[u8]| {
        out.extend_from_slice(text);
        Ok(())
    };
    data.chunks(piece).try_for_each(|chunk| redactor.feed(chunk, &mut sink))?;
    redactor.finish(&mut sink)?;
    Ok(out)
}

/// What has to hold of any bytes.
pub fn check(data: &[u8]) {
    let (&piece, data) = data.split_first().unwrap_or((&1, data));
    let salt = Salt::random();
    for level in [Level::Names, Level::Shape] {
        let text = redacted(data, level, &salt, usize::from(piece).max(1));
        assert_eq!(text, redacted(data, level, &salt, data.len().max(1)));
        let Ok(text) = text else { continue };
        // A header is passed on as it is, with what JSON allows and this parser does not.
        let Ok(told) = serde_json::from_slice::<Value>(&text) else {
            assert!(serde_json::from_slice::<Value>(data).is_err(), "what was JSON is none any more");
            continue;
        };
        assert!(std::str::from_utf8(&text).is_ok());
        let (Ok(given), Some(types)) =
            (serde_json::from_slice::<Value>(data), told["snapshot"]["meta"]["node_types"][0].as_array())
        else {
            continue;
        };
        // Text of nodes whose type is the second of V8's: they all point to the stand-in, whatever they were called.
        let fields = told["snapshot"]["meta"]["node_fields"].as_array().map_or(0, Vec::len);
        let place = |field: &str| {
            let fields = told["snapshot"]["meta"]["node_fields"].as_array()?;
            fields.iter().position(|name| name == field)
        };
        if let (Some(kind), Some(name), Some(nodes)) =
            (place("type"), place("name"), told["nodes"].as_array())
        {
            for node in nodes.chunks_exact(fields.max(1)) {
                let kind = node[kind].as_u64().and_then(|kind| types.get(kind as usize));
                if kind == Some(&Value::from("string")) {
                    assert_eq!(node[name], 0);
                }
            }
        }
        let count = |value: &Value| value["strings"].as_array().map(Vec::len);
        assert_eq!(count(&given), count(&told));
    }
}
