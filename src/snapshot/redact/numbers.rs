//! Numbers back to text.

use super::Sink;
use crate::error::Result;
use crate::snapshot::scan::Batch;

/// Numbers with the text of the last of them, for messages.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    pub batch: &'a Batch,
    pub chunk: &'a [u8],
}

impl Records<'_> {
    /// The number at `index`.
    pub fn value(&self, index: usize) -> u64 {
        self.batch.value(index)
    }

    /// Where in the input it stands.
    pub fn offset(&self, index: usize) -> u64 {
        self.batch.offset_of(index, self.chunk)
    }
}

/// Text that waits to be handed on.
#[derive(Debug, Default)]
pub struct Digits {
    text: Vec<u8>,
    /// Whether the array at hand has a number already.
    more: bool,
}

impl Digits {
    /// Appends `text`.
    pub fn text(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }

    /// Begins an array of numbers.
    pub fn begin(&mut self) {
        self.text(b"[");
        self.more = false;
    }

    /// Appends a number of an array.
    pub fn number(&mut self, mut number: u64) {
        if std::mem::replace(&mut self.more, true) {
            self.text.push(b',');
        }
        let mut digits = [0; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.text.extend_from_slice(&digits[at..]);
    }

    /// Appends all numbers of `batch`; says how many these are.
    pub fn all(&mut self, batch: &Batch) -> usize {
        let count = batch.values().len();
        (0..count).for_each(|index| self.number(batch.value(index)));
        count
    }

    /// Hands on what waits.
    pub fn flush(&mut self, sink: Sink<'_>) -> Result<()> {
        let result = if self.text.is_empty() { Ok(()) } else { sink(&self.text) };
        self.text.clear();
        result
    }

    /// Hands on what waits, if it is `least` bytes or more.
    pub fn flush_past(&mut self, least: usize, sink: Sink<'_>) -> Result<()> {
        if self.text.len() < least { Ok(()) } else { self.flush(sink) }
    }
}
