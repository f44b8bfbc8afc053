//! A ring of blocks, each of which can be read by itself.

use super::Record;
use super::columns::{MOST_BYTES, Previous, Reader, decode, encode};

/// Blocks of a recording: dropping the oldest loses a sixteenth of it.
const BLOCKS: usize = 16;
/// A block has room for some records, whatever is in them.
const LEAST_BLOCK: usize = 2 * MOST_BYTES;
/// Beyond that a larger block saves nothing: the figures of a block's first record are whole numbers, those of the others differences.
const MOST_BLOCK: usize = 4096;

/// The last records, in memory taken once.
///
/// A record takes some 20 to 40 bytes. Adding one takes a microsecond and allocates nothing; where there is no room, the oldest block
/// goes.
#[derive(Debug, Clone)]
pub struct Recording {
    bytes: Box<[u8]>,
    /// Bytes and records in each block.
    used: Box<[(u32, u32)]>,
    block: usize,
    /// The block that is written to; the one after it is the oldest.
    current: usize,
    previous: Previous,
    dropped: u64,
    /// Whether the last record is a restart, or there is none.
    fresh: bool,
}

impl Recording {
    /// An empty recording in `capacity` bytes, or a little less; one that keeps nothing where that is less than two records take.
    pub fn new(capacity: usize) -> Self {
        let block = (capacity / BLOCKS).clamp(LEAST_BLOCK, MOST_BLOCK);
        let blocks = capacity / block;
        Self {
            bytes: vec![0; blocks * block].into_boxed_slice(),
            used: vec![(0, 0); blocks].into_boxed_slice(),
            block,
            current: 0,
            previous: Previous::default(),
            dropped: 0,
            fresh: true,
        }
    }

    /// Adds a record. A restart with nothing before it, or right after another, says nothing and is left out.
    pub fn push(&mut self, record: &Record) {
        let restart = matches!(record, Record::Restart(_));
        if self.used.is_empty() || restart && self.fresh {
            return;
        }
        self.fresh = restart;
        let mut encoded = [0; MOST_BYTES];
        let (mut length, mut next) = encode(record, &self.previous, &mut encoded);
        if self.used[self.current].0 as usize + length > self.block {
            self.current = (self.current + 1) % self.used.len();
            self.dropped += u64::from(self.used[self.current].1);
            self.used[self.current] = (0, 0);
            (length, next) = encode(record, &Previous::default(), &mut encoded);
        }
        self.previous = next;
        let (bytes, records) = &mut self.used[self.current];
        let start = self.current * self.block + *bytes as usize;
        self.bytes[start..start + length].copy_from_slice(&encoded[..length]);
        *bytes += length as u32;
        *records += 1;
    }

    /// The records, oldest first.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let count = self.used.len();
        (1..=count).flat_map(move |i| {
            let index = (self.current + i) % count;
            let start = index * self.block;
            let mut reader = Reader(&self.bytes[start..start + self.used[index].0 as usize]);
            let mut previous = Previous::default();
            std::iter::from_fn(move || decode(&mut reader, &mut previous))
        })
    }

    /// How many records had to go to make room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Bytes that were taken for records.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that the records take now.
    pub fn len(&self) -> usize {
        self.used.iter().map(|(bytes, _)| *bytes as usize).sum()
    }

    /// Whether nothing was recorded yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
