//! Bytes to numbers: the inner loop of the parser, behind a seam small enough to be replaced.
//!
//! Nine tenths of a snapshot pass through [`NumberScanner::scan`]. It knows nothing of nodes and edges: it turns the text
//! `1,2,3]` into a [`Batch`] of numbers and the offsets at which they start, and remembers between calls where in a number a
//! chunk ended.

use super::parser::found;
use crate::error::{Error, ErrorKind, Result};

/// Numbers of more digits than this could pass 64 bits, and are no heap's.
const MAX_DIGITS: u64 = 19;

/// The largest number accepted.
const MAX_NUMBER: u64 = 9_999_999_999_999_999_999;

/// How many numbers a batch holds: enough to leave the loop seldom, few enough to stay in the first-level cache.
pub(crate) const BATCH: usize = 1024;

/// Scanned numbers and where each starts in the input.
#[derive(Debug)]
pub(crate) struct Batch {
    values: Box<[u64; BATCH]>,
    starts: Box<[u64; BATCH]>,
    len: usize,
}

impl Batch {
    pub fn new() -> Self {
        Self { values: Box::new([0; BATCH]), starts: Box::new([0; BATCH]), len: 0 }
    }

    pub fn values(&self) -> &[u64] {
        &self.values[..self.len]
    }

    pub fn starts(&self) -> &[u64] {
        &self.starts[..self.len]
    }

    /// Drops the first `count` numbers; what is left, a part of a record, moves to the front.
    pub fn consume(&mut self, count: usize) {
        self.values.copy_within(count..self.len, 0);
        self.starts.copy_within(count..self.len, 0);
        self.len -= count;
    }
}

/// Why a scan stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The chunk is used up.
    Chunk,
    /// The batch is full.
    Full,
    /// The closing bracket was read.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// After `[`: a number or the end.
    First,
    /// After `,`: a number.
    Want,
    /// Inside a number.
    Digits,
    /// After a number: a comma or the end.
    After,
}

/// Where in an array of numbers the input stands.
#[derive(Debug)]
pub(crate) struct NumberScanner {
    state: State,
    value: u64,
    start: u64,
}

impl NumberScanner {
    /// A scanner for the text after the opening bracket.
    pub fn new() -> Self {
        Self { state: State::First, value: 0, start: 0 }
    }

    /// Appends numbers of `chunk`, whose first byte is at `base` in the input, to `batch`; returns how many bytes were used.
    ///
    /// `section` is the array's name, for messages. The numbers before an error are in the batch: something may be wrong with one of
    /// them, and the first fault is the one to report, however the input was cut.
    pub fn scan(
        &mut self,
        chunk: &[u8],
        base: u64,
        batch: &mut Batch,
        section: &'static str,
    ) -> Result<(usize, Stop)> {
        let Batch { values, starts, len: batch_len } = batch;
        // Locals, so that the loop keeps them in registers.
        let (mut state, mut value, mut start, mut len) = (self.state, self.value, self.start, *batch_len);
        let mut at = 0;
        let stop = loop {
            if state == State::Digits {
                while at < chunk.len() {
                    let digit = chunk[at].wrapping_sub(b'0');
                    if digit > 9 {
                        break;
                    }
                    // What wraps here has too many digits and is refused below.
                    value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
                    at += 1;
                }
                if base + at as u64 - start > MAX_DIGITS {
                    let kind = ErrorKind::SnapshotLimit { what: "a number", limit: MAX_NUMBER };
                    break Err(Error::at(kind, start));
                }
                if at == chunk.len() {
                    break Ok(Stop::Chunk);
                }
                if len == BATCH {
                    break Ok(Stop::Full);
                }
                values[len] = value;
                starts[len] = start;
                len += 1;
                // The usual case, without another turn through the states: a comma and the next digit.
                if let [b',', next, ..] = chunk[at..]
                    && next.is_ascii_digit()
                {
                    at += 1;
                    value = 0;
                    start = base + at as u64;
                    continue;
                }
                state = State::After;
            }
            let Some(&byte) = chunk.get(at) else { break Ok(Stop::Chunk) };
            match (state, byte) {
                (_, b' ' | b'\t' | b'\n' | b'\r') => {}
                (State::First | State::Want, b'0'..=b'9') => {
                    state = State::Digits;
                    value = 0;
                    start = base + at as u64;
                    continue;
                }
                (State::After, b',') => state = State::Want,
                (State::First | State::After, b']') => {
                    at += 1;
                    break Ok(Stop::End);
                }
                _ => {
                    let expected = match state {
                        State::First => format!("an unsigned integer or \"]\" in \"{section}\""),
                        State::Want => format!("an unsigned integer in \"{section}\""),
                        State::Digits | State::After => format!("\",\" or \"]\" in \"{section}\""),
                    };
                    let kind = ErrorKind::SnapshotSyntax { expected, found: found(byte) };
                    break Err(Error::at(kind, base + at as u64));
                }
            }
            at += 1;
        };
        (self.state, self.value, self.start, *batch_len) = (state, value, start, len);
        stop.map(|stop| (at, stop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str, piece: usize) -> Result<Vec<(u64, u64)>> {
        let (mut scanner, mut batch, mut out, mut base) = (NumberScanner::new(), Batch::new(), Vec::new(), 0);
        for chunk in text.as_bytes().chunks(piece) {
            let mut chunk = chunk;
            loop {
                let (used, stop) = scanner.scan(chunk, base, &mut batch, "nodes")?;
                base += used as u64;
                chunk = &chunk[used..];
                out.extend(batch.values().iter().copied().zip(batch.starts().iter().copied()));
                batch.consume(batch.values().len());
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
        let text = "0, 12\n,345 ,6000000000,9999999999999999999\t]";
        let expected = vec![(0, 0), (12, 3), (345, 7), (6_000_000_000, 12), (MAX_NUMBER, 23)];
        for piece in 1..=text.len() {
            assert_eq!(numbers(text, piece).unwrap(), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn a_full_batch_loses_nothing() {
        let text = (0..5000).map(|n| n.to_string()).collect::<Vec<_>>().join(",") + "]";
        for piece in [1, 7, 4096, text.len()] {
            let values: Vec<u64> =
                numbers(&text, piece).unwrap().into_iter().map(|(value, _)| value).collect();
            assert_eq!(values, (0..5000).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn what_is_no_number_is_named_with_its_place() {
        for (text, offset) in
            [("-1]", 0), ("1,-1]", 2), ("1.5]", 1), ("1e3]", 1), ("1,]", 2), ("1,,2]", 2), ("\"a\"]", 0)]
        {
            for piece in 1..=text.len() {
                let error = numbers(text, piece).unwrap_err();
                assert_eq!(error.offset(), Some(offset), "{text}");
                assert!(matches!(error.kind(), ErrorKind::SnapshotSyntax { .. }), "{text}");
            }
        }
    }

    #[test]
    fn twenty_digits_are_refused_before_they_end() {
        for piece in [1, 5, 64] {
            let error = numbers("7,10000000000000000000]", piece).unwrap_err();
            assert_eq!(error.offset(), Some(2));
            assert!(matches!(error.kind(), ErrorKind::SnapshotLimit { .. }));
        }
    }
}
