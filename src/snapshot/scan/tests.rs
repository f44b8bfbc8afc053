use super::*;

/// The numbers of `text` with their places, read in pieces of `piece` bytes, all but `kept` of a batch consumed at a time.
fn numbers(path: Path, text: &[u8], piece: usize, kept: usize) -> Result<Vec<(u64, u64)>> {
    let (mut scanner, mut batch, mut out, mut base) =
        (NumberScanner::with(path), Batch::new(), Vec::new(), 0);
    for mut chunk in text.chunks(piece) {
        loop {
            let scanned = scanner.scan(chunk, base, &mut batch, "nodes");
            let len = batch.values().len();
            let take = if matches!(scanned, Ok((_, Stop::Chunk | Stop::Full))) {
                len.saturating_sub(kept)
            } else {
                len
            };
            out.extend((0..take).map(|index| (batch.value(index), batch.offset_of(index, chunk))));
            batch.consume(take);
            let (used, stop) = scanned?;
            base += used as u64;
            chunk = &chunk[used..];
            match stop {
                Stop::Chunk => break,
                Stop::Full => {}
                Stop::End => return Ok(out),
            }
        }
    }
    panic!("no end")
}

#[test]
fn every_split_gives_the_same_numbers() {
    let text = "0, 12\n,345 ,6000000000,9999999999999999999\t,4294967295,4294967296,007\n,8]";
    let expected = vec![
        (0, 0),
        (12, 3),
        (345, 7),
        (6_000_000_000, 12),
        (MAX_NUMBER, 23),
        (u64::from(u32::MAX), 44),
        (1 << 32, 55),
        (7, 66),
        (8, 71),
    ];
    for path in Path::all_available() {
        for piece in 1..=text.len() {
            for kept in 0..8 {
                let found = numbers(path, text.as_bytes(), piece, kept).unwrap();
                assert_eq!(found, expected, "{path:?}, pieces of {piece}, {kept} kept");
            }
        }
    }
}

#[test]
fn a_full_batch_loses_nothing() {
    let text = (0..9000).map(|n| n.to_string()).collect::<Vec<_>>().join(",") + "]";
    for path in Path::all_available() {
        for piece in [1, 7, 4096, text.len()] {
            for kept in [0, 5, 64] {
                let found = numbers(path, text.as_bytes(), piece, kept).unwrap();
                assert!(found.iter().map(|&(value, _)| value).eq(0..9000));
                let mut place = 0;
                for (value, start) in found {
                    assert_eq!(start, place);
                    place += value.to_string().len() as u64 + 1;
                }
            }
        }
    }
}

#[test]
fn what_is_no_number_is_named_with_its_place() {
    for (text, offset) in
        [("-1]", 0), ("1,-1]", 2), ("1.5]", 1), ("1e3]", 1), ("1,]", 2), ("1,,2]", 2), ("\"a\"]", 0)]
    {
        for path in Path::all_available() {
            for piece in 1..=text.len() {
                let error = numbers(path, text.as_bytes(), piece, 0).unwrap_err();
                assert_eq!(error.offset(), Some(offset), "{text}");
                assert!(matches!(error.kind(), ErrorKind::SnapshotSyntax { .. }), "{text}");
            }
        }
    }
}

#[test]
fn twenty_digits_are_refused_before_they_end() {
    for path in Path::all_available() {
        for piece in [1, 5, 64] {
            let error = numbers(path, b"7,10000000000000000000]", piece, 0).unwrap_err();
            assert_eq!(error.offset(), Some(2));
            assert!(matches!(error.kind(), ErrorKind::SnapshotLimit { .. }));
        }
    }
}
