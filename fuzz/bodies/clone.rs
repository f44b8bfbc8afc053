//! Any bytes as what a clone says, in any pieces: no panic, the same messages whatever the pieces, an error's offset inside the stream.
//!
//! With `baseline` or `look` in front: any text as what a clone keeps for its parent.

use heapwarden::analysis::Baseline;
use heapwarden::clone::message::{Message, MessageReader, preamble};
use heapwarden::error::Result;
use heapwarden::verdict::Look;

fn hear(data: &[u8], piece: usize) -> (Result<()>, Vec<Message>, bool) {
    let (mut reader, mut heard) = (MessageReader::default(), Vec::new());
    let result = data.chunks(piece).try_for_each(|chunk| reader.feed(chunk, |message| heard.push(message)));
    (result, heard, reader.ended())
}

/// What has to hold of any bytes.
pub fn check(data: &[u8]) {
    if let Some(text) = data.strip_prefix(b"baseline") {
        if let Ok(baseline) = serde_json::from_slice::<Baseline>(text) {
            let again = serde_json::to_vec(&baseline).expect("what was read can be written");
            serde_json::from_slice::<Baseline>(&again).expect("and read again");
        }
        return;
    }
    if let Some(text) = data.strip_prefix(b"look") {
        let _ = serde_json::from_slice::<Look>(text);
        return;
    }
    let (piece, data) =
        data.split_first().map_or((1, data), |(&piece, rest)| (usize::from(piece).max(1), rest));
    let stream = [preamble().as_slice(), data].concat();
    let (result, heard, ended) = hear(&stream, piece);
    if let Err(error) = &result {
        assert!(error.offset().is_some_and(|offset| offset <= stream.len() as u64), "{error}");
    }
    let whole = hear(&stream, stream.len());
    assert_eq!((result.is_ok(), ended), (whole.0.is_ok(), whole.2));
    assert_eq!(heard, whole.1);
}
