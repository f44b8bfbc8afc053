//! Every path against a naive reading of the whole text, at any split.

use proptest::prelude::*;

use super::*;
use crate::snapshot::fuzzing::{has_place, numbers};

/// What becomes of a text.
#[derive(Debug, PartialEq)]
enum Fate {
    /// It goes on.
    Open,
    /// The bracket, and the offset behind it.
    Closed(usize),
    Syntax(usize),
    TooLong(usize),
}

/// The numbers of `text` with their places, and what becomes of it, by the grammar.
fn oracle(text: &[u8]) -> (Vec<(u64, u64)>, Fate) {
    let (mut found, mut at, mut after_number) = (Vec::new(), 0, false);
    loop {
        at += text[at..].iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
        let Some(&byte) = text.get(at) else { return (found, Fate::Open) };
        if byte == b']' && (after_number || found.is_empty() && !text[..at].contains(&b',')) {
            return (found, Fate::Closed(at + 1));
        }
        if after_number {
            if byte != b',' {
                return (found, Fate::Syntax(at));
            }
            at += 1;
        } else {
            let digits = text[at..].split(|byte| !byte.is_ascii_digit()).next().unwrap();
            match digits.len() {
                0 => return (found, Fate::Syntax(at)),
                1..20 if at + digits.len() == text.len() => return (found, Fate::Open),
                1..20 => found.push((str::from_utf8(digits).unwrap().parse().unwrap(), at as u64)),
                _ => return (found, Fate::TooLong(at)),
            }
            at += digits.len();
        }
        after_number = !after_number;
    }
}

fn check(text: &[u8], sizes: &[usize], kept: usize) {
    let (expected, fate) = oracle(text);
    let values: Vec<u64> = expected.iter().map(|&(value, _)| value).collect();
    let places: Vec<u64> =
        (0..).zip(&expected).filter(|(nth, _)| has_place(*nth)).map(|(_, n)| n.1).collect();
    let error = numbers(Path::Bytewise, text, &[], 0).error;
    for path in Path::all_available() {
        let found = numbers(path, text, sizes, kept);
        let context = || format!("{path:?} on {:?} in {sizes:?}, {kept} kept", String::from_utf8_lossy(text));
        let found_fate = match (&found.error, found.end) {
            (None, None) => Fate::Open,
            (None, Some(end)) => Fate::Closed(end as usize),
            (Some(error), _) => {
                let place = error.offset().expect("a place") as usize;
                match error.kind() {
                    ErrorKind::SnapshotLimit { .. } => Fate::TooLong(place),
                    ErrorKind::SnapshotSyntax { .. } => Fate::Syntax(place),
                    kind => panic!("{kind:?}"),
                }
            }
        };
        assert_eq!(found_fate, fate, "{}", context());
        assert_eq!(found.values, values, "{}", context());
        assert_eq!(found.places, places, "{}", context());
        assert_eq!(found.error, error, "{}", context());
    }
}

/// Texts of an array that are right nearly everywhere.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        20 => "[0-9]{1,3}",
        10 => "[0-9]{4,9}",
        1 => "[0-9]{10,21}",
        1 => (0..4u64).prop_map(|more| (u64::from(u32::MAX) - 1 + more).to_string()),
    ];
    let separator = prop_oneof![
        30 => Just(","),
        30 => Just("\n,"),
        1 => prop_oneof![Just(" ,"), Just(", "), Just(",\n"), Just("\n\n,"), Just("\r\n,"), Just("\t,")],
        1 => prop_oneof![Just(",,"), Just("\n"), Just("]"), Just("-"), Just(".")],
    ];
    let any_bytes = prop::collection::vec(
        prop_oneof![
            8 => prop::sample::select(&b"0123456789"[..]),
            3 => prop::sample::select(&b",,,\n \t\r[]"[..]),
            1 => any::<u8>(),
        ],
        0..300,
    );
    let mostly_right = prop::collection::vec((number, separator), 0..120).prop_map(|pairs| {
        pairs
            .into_iter()
            .flat_map(|(number, separator)| (number + separator).into_bytes())
            .collect::<Vec<u8>>()
    });
    prop_oneof![1 => any_bytes, 4 => mostly_right].prop_flat_map(|text| {
        (Just(text), prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()))).prop_map(
            |(mut text, damage)| {
                if let Some((at, byte)) = damage.filter(|_| !text.is_empty()) {
                    let at = at.index(text.len());
                    text[at] = byte;
                }
                text.push(b']');
                text
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_path_reads_what_the_grammar_says(
        text in text(),
        sizes in prop_oneof![Just(vec![]), prop::collection::vec(1usize..200, 1..30)],
        kept in prop_oneof![Just(0), 0usize..65],
    ) {
        check(&text, &sizes, kept);
    }
}

#[test]
fn every_split_gives_the_same_numbers() {
    let text = b"0, 12\n,345 ,6000000000,9999999999999999999\t,4294967295,4294967296,007\n,8]";
    for piece in 1..=text.len() {
        for kept in [0, 1, 2, 3, 64] {
            check(text, &[piece], kept);
        }
    }
}

/// `1,22,1,22,...` of exactly `len` bytes with the last comma, in lines of two with `newlines`.
fn filler(len: usize, newlines: bool) -> Vec<u8> {
    let unit: &[u8] = if newlines { b"1,22\n," } else { b"1,22," };
    let mut text: Vec<u8> = unit.iter().copied().cycle().take(len / unit.len() * unit.len()).collect();
    match len - text.len() {
        0 => {}
        1 => text.insert(0, b'5'),
        rest => text.splice(0..0, [b"00000"[..rest - 1].to_vec(), b",".to_vec()].concat()).for_each(drop),
    }
    assert_eq!(text.len(), len);
    text
}

#[test]
fn numbers_of_every_length_at_every_place_of_a_block() {
    for digits in 1..=20 {
        for number in ["98765432101234567898", "00000000000000000001", "42949672954294967295"] {
            for (separator, newlines) in [(",", false), ("\n,", true)] {
                for before in 16..16 + 64 + 2 {
                    let mut text = filler(before, newlines);
                    text.extend_from_slice(&number.as_bytes()[..digits]);
                    text.extend_from_slice(separator.as_bytes());
                    text.extend(filler(100, newlines));
                    text.extend_from_slice(b"7]");
                    check(&text, &[], 0);
                }
            }
        }
    }
}

#[test]
fn a_wrong_byte_at_every_place_of_a_block() {
    let bytes = b"\x00\t\n\r +,-./09:;]e\x7f\x80\xac\xb0\xb9\xff\x1c\x3a";
    for newlines in [false, true] {
        let whole = [filler(240, newlines), b"1]".to_vec()].concat();
        for at in 60..60 + 70 {
            for &byte in bytes {
                let mut text = whole.clone();
                text[at] = byte;
                check(&text, &[], 0);
            }
        }
    }
}

#[test]
fn a_text_that_ends_at_every_place_of_a_block() {
    for newlines in [false, true] {
        let whole = filler(300, newlines);
        for end in 0..whole.len() {
            check(&whole[..end], &[], 0);
            check(&whole[..end], &[1 + end / 2], 5);
        }
    }
}

#[test]
fn full_batches_lose_nothing() {
    for first in [0u64, 99_999_000, u64::from(u32::MAX) - 2000] {
        let text = (first..first + 4500).map(|n| n.to_string()).collect::<Vec<_>>().join(",") + "]";
        for (sizes, kept) in [(&[][..], 0), (&[], 64), (&[1000], 7)] {
            check(text.as_bytes(), sizes, kept);
        }
    }
}

#[test]
fn places_are_kept_across_any_amount_of_space() {
    let text = (0..300).map(|n| format!("{n}{},", " ".repeat(n * 7 % 400))).collect::<String>() + "1]";
    for size in [100, 5000, usize::MAX] {
        for kept in [1, 64] {
            check(text.as_bytes(), &[size], kept);
        }
    }
}
