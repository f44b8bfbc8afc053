//! Any bytes as recorded series, in any pieces: no panic, the same answer whatever the pieces, and an error's offset inside the text.

use heapwarden::error::Result;
use heapwarden::replay::{Answer, Replay, Settings};

fn replay(data: &[u8], piece: usize) -> Result<Answer> {
    let mut replay = Replay::new(Settings { explain: true, timing: false, strictness: 1.0 });
    data.chunks(piece).try_for_each(|chunk| replay.feed(chunk))?;
    replay.end_input()?;
    Ok(replay.finish())
}

/// What has to hold of any bytes.
pub fn check(data: &[u8]) {
    let (piece, data) =
        data.split_first().map_or((1, data), |(&piece, rest)| (usize::from(piece).max(1), rest));
    let answer = replay(data, piece);
    if let Err(error) = &answer {
        assert!(error.offset().is_some_and(|offset| offset <= data.len() as u64), "{error}");
    }
    let whole = replay(data, data.len().max(1));
    // As text: what is not a number is not equal to itself.
    assert_eq!(format!("{answer:?}"), format!("{whole:?}"));
}
