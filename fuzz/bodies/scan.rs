//! Any bytes as an array of numbers, in chunks of any size: every path that this machine can gives the values, the places and the error
//! that the state machine gives on the whole text.
//!
//! The first bytes say how the text is cut. Of the rest, bytes with the high bit stand for digits and separators, so that long runs of
//! right text are common; the others stand for themselves.

use heapwarden::snapshot::fuzzing::{Path, numbers};

const LIKELY: &[u8; 16] = b"0123456789,,,\n,]";

/// What has to hold of any bytes.
pub fn check(data: &[u8]) {
    let [kept, repeat, sizes @ .., _, _] = data.get(..8).unwrap_or(&[0; 8]) else { return };
    let mut text: Vec<u8> = Vec::new();
    for &byte in data.get(8..).unwrap_or_default() {
        match byte {
            0x80..=0xbf => text.push(LIKELY[usize::from(byte & 15)]),
            // A whole number of as many digits as the low bits say, and what ends it.
            0xc0.. => {
                text.extend((0..1 + byte % 12).map(|at| b'0' + (byte ^ at.wrapping_mul(37)) % 10));
                text.extend_from_slice(if byte & 32 == 0 { b"," } else { b"\n," });
            }
            _ => text.push(byte),
        }
    }
    // Enough to fill batches.
    let text = text.repeat(1 + usize::from(*repeat) % 64);
    let sizes: Vec<usize> = sizes.iter().filter(|&&size| size > 0).map(|&size| usize::from(size)).collect();
    let whole = numbers(Path::Bytewise, &text, &[], 0);
    for path in Path::all_available() {
        assert_eq!(numbers(path, &text, &sizes, usize::from(*kept) % 65), whole, "{path:?} in {sizes:?}");
        assert_eq!(numbers(path, &text, &[], 0), whole, "{path:?}");
    }
}
