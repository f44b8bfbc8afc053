//! Any bytes as a compressed input, in any pieces: no panic, the same text whatever the pieces, and an error's offset inside the input.

use heapwarden::compress::Decoder;
use heapwarden::error::{ErrorKind, Result};

/// A few bytes can stand for gigabytes; the rest tells nothing new.
const MOST_TEXT: usize = 1 << 20;

fn decode(data: &[u8], piece: usize) -> (Vec<u8>, Result<()>) {
    let mut text = Vec::new();
    let mut sink = |chunk: &[u8]| {
        text.extend_from_slice(chunk);
        if text.len() > MOST_TEXT { Err(ErrorKind::Cancelled.into()) } else { Ok(()) }
    };
    let mut decoder = Decoder::new();
    let fed = data.chunks(piece).try_for_each(|chunk| decoder.feed(chunk, &mut sink));
    let ended = fed.and_then(|()| decoder.finish(&mut sink));
    (text, ended)
}

/// What has to hold of any bytes.
pub fn check(data: &[u8]) {
    let (piece, data) =
        data.split_first().map_or((1, data), |(&piece, rest)| (usize::from(piece).max(1), rest));
    let (text, ended) = decode(data, piece);
    if let Err(error) = &ended {
        assert!(error.offset().is_none_or(|offset| offset <= data.len() as u64), "{error}");
    }
    let (whole, whole_ended) = decode(data, data.len().max(1));
    assert_eq!(ended.is_ok(), whole_ended.is_ok());
    if ended.is_ok() {
        assert!(text == whole);
    }
}
