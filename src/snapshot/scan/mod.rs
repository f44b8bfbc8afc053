//! Bytes to numbers: the inner loop of the parser, behind a seam small enough to be replaced.
//!
//! Nine tenths of a snapshot pass through [`NumberScanner::scan`]. It knows nothing of nodes and edges: it turns the text
//! `1,2,3]` into a [`Batch`] of numbers, and remembers between calls where in a number a chunk ended.
//!
//! One state machine, byte by byte, is the authority on what is accepted and which byte is at fault. A fast path only skips ahead:
//! from the start of a number over numbers that are all simple (up to ten digits, then `,` or `\n,`) to the start of another. What it
//! does not understand it leaves where it is, for the machine. So every [`Path`] gives the same numbers and the same errors.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512;
mod batch;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", test))]
mod blocks;
#[cfg(any(target_arch = "aarch64", test))]
#[allow(unsafe_code)]
mod neon;
#[cfg(all(test, not(target_arch = "aarch64")))]
#[allow(unsafe_code)]
mod neon_model;
mod path;
mod portable;
#[cfg(test)]
mod tests;

pub(crate) use batch::Batch;
pub use path::Path;

use super::parser::found;
use crate::error::{Error, ErrorKind, Result};

/// Numbers of more digits than this could pass 64 bits, and are no heap's.
const MAX_DIGITS: u64 = 19;

/// The largest number accepted.
const MAX_NUMBER: u64 = 9_999_999_999_999_999_999;

/// A fast path that gets this far at once was worth calling.
const WORTHWHILE: usize = 16;

/// How many numbers at most the machine reads before a fast path that was not worth calling is tried again.
const MAX_PATIENCE: usize = 256;

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
    /// After `-`: digits.
    Minus,
    /// Inside a number.
    Digits,
    /// After a number: a comma or the end.
    After,
}

/// A chunk and how far it was read.
struct Text<'a> {
    chunk: &'a [u8],
    /// The offset of its first byte in the input.
    base: u64,
    at: usize,
    /// How much of what was read is whitespace that no fast path read.
    spaces: usize,
}

impl Text<'_> {
    fn offset(&self) -> u64 {
        self.base + self.at as u64
    }
}

/// Where in an array of numbers the input stands.
#[derive(Debug)]
pub(crate) struct NumberScanner {
    path: Path,
    state: State,
    /// Whether numbers may be below zero.
    signed: bool,
    /// Whether the number begun is.
    negative: bool,
    /// Of the number begun: what was read of it.
    value: u64,
    /// Its offset in the input.
    start: u64,
    /// How many numbers the machine reads before it hands over to the fast path.
    patience: usize,
}

impl NumberScanner {
    /// A scanner for the text after the opening bracket, on the fastest path there is.
    pub fn new() -> Self {
        Self::with(Path::fastest())
    }

    /// The same on a given path.
    pub fn with(path: Path) -> Self {
        Self { path, state: State::First, signed: false, negative: false, value: 0, start: 0, patience: 1 }
    }

    /// A scanner that takes numbers below zero as well. They are few, and stand in the batch as the `u32` with the same bits.
    pub fn signed() -> Self {
        Self { signed: true, ..Self::new() }
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
        batch.begin(base, self.open());
        let mut text = Text { chunk, base, at: 0, spaces: 0 };
        let stop = loop {
            self.skip_ahead(&mut text, batch);
            match self.step(&mut text, batch, section) {
                Ok(None) => {}
                Ok(Some(stop)) => break Ok(stop),
                Err(error) => break Err(error),
            }
        };
        batch.end(&chunk[..text.at], text.spaces, self.open().is_some());
        stop.map(|stop| (text.at, stop))
    }

    /// The offset of the number that the text read so far ends inside of.
    fn open(&self) -> Option<u64> {
        (self.state == State::Digits).then_some(self.start)
    }

    /// Takes the numbers that the fast path understands, if one may start here.
    fn skip_ahead(&mut self, text: &mut Text<'_>, batch: &mut Batch) {
        if !matches!(self.state, State::First | State::Want) {
            return;
        }
        let (at, count) = self.path.run(text.chunk, text.at, batch.spare());
        if count > 0 {
            self.state = State::Want;
        }
        self.patience = if count >= WORTHWHILE { 1 } else { (self.patience * 2).min(MAX_PATIENCE) };
        batch.commit(count);
        text.at = at;
    }

    /// Reads on, byte by byte, until there is a reason to stop, or to try the fast path again.
    fn step(
        &mut self,
        text: &mut Text<'_>,
        batch: &mut Batch,
        section: &'static str,
    ) -> Result<Option<Stop>> {
        let enough = match self.path {
            Path::Bytewise => usize::MAX,
            _ => batch.len() + self.patience,
        };
        loop {
            if self.state == State::Digits {
                self.digits(text);
                if text.offset() - self.start > MAX_DIGITS {
                    let kind = ErrorKind::SnapshotLimit { what: "a number", limit: MAX_NUMBER };
                    return Err(Error::at(kind, self.start));
                }
                if text.at == text.chunk.len() {
                    return Ok(Some(Stop::Chunk));
                }
                if batch.is_full() {
                    return Ok(Some(Stop::Full));
                }
                batch.push(self.finished());
                self.state = State::After;
            }
            let Some(&byte) = text.chunk.get(text.at) else { return Ok(Some(Stop::Chunk)) };
            match (self.state, byte) {
                (State::First | State::Want | State::After, b' ' | b'\t' | b'\n' | b'\r') => text.spaces += 1,
                (State::First | State::Want, b'-') if self.signed => {
                    text.spaces += 1;
                    self.state = State::Minus;
                }
                (State::First | State::Want | State::Minus, b'0'..=b'9') => {
                    self.negative = self.state == State::Minus;
                    if !self.negative && batch.len() >= enough && text.chunk.len() - text.at >= path::MIN_TEXT
                    {
                        return Ok(None);
                    }
                    self.state = State::Digits;
                    self.value = 0;
                    self.start = text.offset();
                    continue;
                }
                (State::After, b',') => self.state = State::Want,
                (State::First | State::After, b']') => {
                    text.at += 1;
                    return Ok(Some(Stop::End));
                }
                _ => return Err(self.unexpected(byte, text.offset(), section)),
            }
            text.at += 1;
        }
    }

    /// Reads the digits that come next.
    fn digits(&mut self, text: &mut Text<'_>) {
        for &byte in &text.chunk[text.at..] {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            // What wraps here has too many digits and is refused.
            self.value = self.value.wrapping_mul(10).wrapping_add(u64::from(digit));
            text.at += 1;
        }
    }

    /// The number whose digits were read.
    fn finished(&mut self) -> u64 {
        if std::mem::take(&mut self.negative) {
            const LOWEST: u32 = 1 << 31;
            u64::from(u32::try_from(self.value).unwrap_or(LOWEST).min(LOWEST).wrapping_neg())
        } else {
            self.value
        }
    }

    fn unexpected(&self, byte: u8, offset: u64, section: &'static str) -> Error {
        let expected = match self.state {
            State::First => format!("an unsigned integer or \"]\" in \"{section}\""),
            State::Minus => format!("digits after \"-\" in \"{section}\""),
            State::Want => format!("an unsigned integer in \"{section}\""),
            State::Digits | State::After => format!("\",\" or \"]\" in \"{section}\""),
        };
        Error::at(ErrorKind::SnapshotSyntax { expected, found: found(byte) }, offset)
    }
}
