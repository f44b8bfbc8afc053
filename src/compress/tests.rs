use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::compress::Encoder;

fn encode(text: &[u8], compression: Option<Compression>) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), compression).expect("an encoder");
    encoder.write_all(text).expect("written");
    encoder.finish().expect("finished")
}

/// What comes out of `input` fed in pieces that end at `cuts`.
fn decode(input: &[u8], cuts: &[usize]) -> Result<Vec<u8>> {
    let (mut decoder, mut out) = (Decoder::new(), Vec::new());
    let mut sink = |text: &[u8]| {
        out.extend_from_slice(text);
        Ok(())
    };
    let mut from = 0;
    for to in cuts.iter().copied().chain([input.len()]) {
        let to = to.clamp(from, input.len());
        decoder.feed(&input[from..to], &mut sink)?;
        from = to;
    }
    decoder.finish(&mut sink)?;
    Ok(out)
}

fn kinds() -> impl Strategy<Value = Option<Compression>> {
    prop::sample::select(vec![None, Some(Compression::Gzip), Some(Compression::Zstd)])
}

/// A text that compresses, longer than one output buffer.
fn long() -> Vec<u8> {
    (0..100_000u32).flat_map(|n| format!("{},", n % 977).into_bytes()).collect()
}

proptest! {
    #[test]
    fn any_chunking_of_any_compression_gives_the_text(
        text in prop::collection::vec(any::<u8>(), 0..2000),
        kind in kinds(),
        mut cuts in prop::collection::vec(0usize..3000, 0..20),
    ) {
        cuts.sort_unstable();
        // Plain text that starts like a compressed stream is one, as far as anybody can tell.
        let text = [b"{".as_slice(), &text].concat();
        prop_assert_eq!(decode(&encode(&text, kind), &cuts), Ok(text));
    }

    #[test]
    fn members_and_frames_may_follow_each_other(
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..5),
        kind in prop::sample::select(vec![Compression::Gzip, Compression::Zstd]),
        mut cuts in prop::collection::vec(0usize..1000, 0..20),
    ) {
        cuts.sort_unstable();
        let input: Vec<u8> = texts.iter().flat_map(|text| encode(text, Some(kind))).collect();
        prop_assert_eq!(decode(&input, &cuts), Ok(texts.concat()));
    }

    #[test]
    fn bytes_at_random_are_text_or_an_error_but_never_a_panic(
        magic in prop::sample::select(vec![&b""[..], b"\x1f\x8b", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x51\x2a\x4d\x18"]),
        rest in prop::collection::vec(any::<u8>(), 0..500),
    ) {
        let input = [magic, &rest].concat();
        match decode(&input, &[]) {
            Ok(_) => {}
            Err(error) => {
                prop_assert!(error.code().starts_with("HEAPWARDEN_ERR_COMPRESSION_"), "{}", error);
                prop_assert!(error.offset().is_some_and(|offset| offset <= input.len() as u64));
            }
        }
    }
}

#[test]
fn a_stream_cut_at_any_byte_is_an_error_that_says_where() {
    let text: Vec<u8> = (0..400u32).flat_map(|n| n.to_string().into_bytes()).collect();
    for kind in [Compression::Gzip, Compression::Zstd] {
        let whole = encode(&text, Some(kind));
        // With fewer bytes nobody can tell that it is compressed.
        for length in MAGIC..whole.len() {
            let error = decode(&whole[..length], &[length / 2]).expect_err("cut");
            assert_eq!(error.code(), "HEAPWARDEN_ERR_COMPRESSION_TRUNCATED", "{kind:?} {length}");
            assert_eq!(error.offset(), Some(length as u64));
            assert!(error.to_string().starts_with(kind.name()), "{error}");
        }
        assert_eq!(decode(&whole, &[]), Ok(text.clone()));
    }
}

#[test]
fn a_byte_that_was_changed_is_noticed() {
    let text = long();
    for kind in [Compression::Gzip, Compression::Zstd] {
        let whole = encode(&text, Some(kind));
        for at in (MAGIC + 6..whole.len()).step_by(whole.len() / 50) {
            let mut bad = whole.clone();
            bad[at] ^= 0x10;
            let error = decode(&bad, &[]).expect_err("a checksum");
            assert!(error.code().starts_with("HEAPWARDEN_ERR_COMPRESSION_"), "{error}");
            assert!(error.offset().is_some_and(|offset| offset <= whole.len() as u64), "{error}");
        }
    }
}

#[test]
fn what_follows_the_stream_must_be_another() {
    for kind in [Compression::Gzip, Compression::Zstd] {
        let mut input = encode(b"{}", Some(kind));
        let end = input.len() as u64;
        input.extend_from_slice(b"and so on");
        let error = decode(&input, &[]).expect_err("no second stream");
        assert_eq!(error.code(), "HEAPWARDEN_ERR_COMPRESSION_CORRUPT");
        assert!(error.offset().is_some_and(|offset| offset >= end), "{error}");
    }
}

#[test]
fn an_error_of_the_sink_ends_it() {
    let input = encode(&long(), Some(Compression::Gzip));
    let mut calls = 0;
    let error = Decoder::new().feed(&input, &mut |_| {
        calls += 1;
        Err(ErrorKind::Cancelled.into())
    });
    assert_eq!((error, calls), (Err(ErrorKind::Cancelled.into()), 1));
}

#[test]
fn a_long_text_comes_in_pieces() {
    for kind in [Compression::Gzip, Compression::Zstd] {
        let (text, mut longest, mut sum) = (long(), 0, 0);
        let mut sink = |piece: &[u8]| {
            longest = longest.max(piece.len());
            sum += piece.len();
            Ok(())
        };
        let mut decoder = Decoder::new();
        decoder.feed(&encode(&text, Some(kind)), &mut sink).expect("good");
        assert_eq!(decoder.compression(), Some(kind));
        decoder.finish(&mut sink).expect("whole");
        assert_eq!(sum, text.len());
        assert!(longest <= OUTPUT, "{longest}");
    }
}

#[test]
fn a_frame_that_promised_more_is_corrupt_however_it_comes() {
    // 135 bytes, says the header, and its one block is the last and empty.
    const FRAME: [u8; 9] = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x87, 0x01, 0x00, 0x00];
    let twice = [FRAME, FRAME].concat();
    for cut in 0..=FRAME.len() {
        for input in [&FRAME[..], &twice] {
            let error = decode(input, &[cut]).expect_err("corrupt");
            assert!(matches!(error.kind(), ErrorKind::CompressionCorrupt { .. }), "cut at {cut}: {error}");
        }
    }
    let empty = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x00, 0x01, 0x00, 0x00];
    assert_eq!(decode(&empty, &[6]), Ok(Vec::new()));
}
