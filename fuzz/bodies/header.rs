//! Any bytes as the header's object, with a body that fits the smallest one: no panic, and memory within reason.

use heapwarden::snapshot::SnapshotParser;

/// What has to hold of any bytes.
pub fn check(data: &[u8]) {
    let mut parser = SnapshotParser::new();
    let (size, data) = data.split_first().map_or((1, data), |(&size, rest)| (usize::from(size).max(1), rest));
    let fed =
        parser.feed(b"{\"snapshot\":").and_then(|()| data.chunks(size).try_for_each(|c| parser.feed(c)));
    let body = b",\"nodes\":[9,0,1,0,0,0,0],\"edges\":[],\"locations\":[0,1,2,3],\"strings\":[\"\"]}";
    if fed.and_then(|()| parser.feed(body)).is_ok() {
        let _ = parser.finish();
    }
}
