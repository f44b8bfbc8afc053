//! Batches of numbers to columns: nodes, edges, locations.
//!
//! Each builder takes whole records off the front of a [`Batch`] and checks them against the header as it goes, so that an
//! error names the very number at fault. String indexes are the exception: the strings come last, so the largest index seen
//! is remembered with its place and checked at the end.

mod edges;
mod locations;
mod nodes;

use super::header::Header;
use super::scan::Batch;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::reserve;

pub(crate) use edges::EdgeBuilder;
pub(crate) use locations::LocationBuilder;
pub(crate) use nodes::NodeBuilder;

/// The largest string index seen; and the first that no V8 would write at its place, and where.
///
/// The strings come last, so an index is judged at the end. To find the offset of a number costs a second look at the text: only what
/// is suspect already is worth it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Highest {
    index: u32,
    suspect: Option<(u32, u64)>,
}

impl Highest {
    /// Notes `index`, which comes after `records` nodes and edges; `offset` finds its place.
    #[inline]
    fn see(&mut self, index: u32, records: usize, offset: impl FnOnce() -> u64) {
        if index > self.index {
            self.index = index;
            if self.suspect.is_none() && is_far(index, records) {
                self.suspect = Some((index, offset()));
            }
        }
    }

    /// The error for an index outside a table of `limit` entries, which ends at `end`.
    pub fn check(self, field: &'static str, limit: u64, end: u64) -> Result<()> {
        match self.suspect {
            Some((index, offset)) if u64::from(index) >= limit => {
                Err(index_error(field, u64::from(index), limit, offset))
            }
            _ if u64::from(self.index) >= limit => Err(index_error(field, u64::from(self.index), limit, end)),
            _ => Ok(()),
        }
    }
}

/// V8 numbers strings as they are first used, so that hardly any index is larger than the number of records before it.
#[inline]
fn is_far(index: u32, records: usize) -> bool {
    index as usize > 16 * records + 4096
}

fn index_error(field: &'static str, index: u64, limit: u64, offset: u64) -> Error {
    Error::at(ErrorKind::SnapshotIndex { field, index, limit }, offset)
}

/// One past the largest number that fits in 32 bits.
const U32_LIMIT: u64 = 1 << 32;

fn count_error(section: &'static str, declared: u64, found: u64, offset: u64) -> Error {
    Error::at(ErrorKind::SnapshotCount { section, declared, found }, offset)
}

/// The strings that name something: classes, functions, properties. Of the others only the beginning is kept.
#[derive(Debug, Default)]
pub(crate) struct Names {
    bits: Vec<u64>,
    /// An index was too large to be believed: keep everything.
    all: bool,
}

impl Names {
    /// Notes that string `index` is a name; `records` is how many nodes and edges were read so far.
    #[inline]
    fn see(&mut self, index: u32, records: usize) {
        let word = index as usize / 64;
        if word >= self.bits.len() && !self.grow(index, records) {
            return;
        }
        self.bits[word] |= 1 << (index % 64);
    }

    /// What lies far beyond is no reason to take memory.
    #[cold]
    fn grow(&mut self, index: u32, records: usize) -> bool {
        let words = index as usize / 64 + 1;
        let more = words - self.bits.len();
        if self.all || is_far(index, records) || reserve(&mut self.bits, more).is_err() {
            self.all = true;
            return false;
        }
        self.bits.resize(words, 0);
        true
    }

    /// The strings for which `are_names` says so, in their order.
    pub fn of(are_names: impl Iterator<Item = bool>) -> Self {
        let mut bits = Vec::new();
        for (index, is_name) in are_names.enumerate() {
            if index % 64 == 0 {
                bits.push(0);
            }
            if is_name && let Some(word) = bits.last_mut() {
                *word |= 1 << (index % 64);
            }
        }
        Self { bits, all: false }
    }

    /// Says that it is not known which strings are names.
    pub fn keep_all(&mut self) {
        self.all = true;
    }

    /// Whether string `index` is a name.
    pub fn has(&self, index: usize) -> bool {
        self.all || self.bits.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }
}

/// A batch with the text of its last numbers, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scanned<'a> {
    pub batch: &'a Batch,
    pub chunk: &'a [u8],
}

impl Scanned<'_> {
    fn at(self, index: usize) -> u64 {
        self.batch.offset_of(index, self.chunk)
    }
}

/// Appends what `value` makes of each row to a column with room for them.
#[inline]
fn append<T: Copy, const S: usize>(
    column: &mut Vec<T>,
    rows: &[[u32; S]],
    zero: T,
    mut value: impl FnMut(&[u32; S]) -> T,
) {
    let start = column.len();
    column.resize(start + rows.len(), zero);
    for (slot, row) in column[start..].iter_mut().zip(rows) {
        *slot = value(row);
    }
}

fn whole_records(what: &str, stride: usize, batch: &Batch, offset: u64) -> Result<()> {
    match batch.values().len() {
        0 => Ok(()),
        rest => Err(Error::at(
            ErrorKind::SnapshotSchema {
                expected: format!("{stride} numbers a {what}"),
                found: format!("{rest} in the last"),
            },
            offset,
        )),
    }
}

/// Numbers in the file point at the first number of a node; this makes them node indexes.
#[derive(Debug, Clone, Copy)]
struct NodeIndex {
    stride: u32,
    limit: u64,
}

impl NodeIndex {
    fn new(header: &Header) -> Self {
        let stride = header.node.stride as u32;
        Self { stride, limit: u64::from(stride) * u64::from(header.node_count) }
    }

    /// The node that starts at `value`; `None` where none does.
    #[inline]
    fn of(self, value: u32) -> Option<u32> {
        // A division by a constant is a multiplication; these two are all that V8 has written since Node 14.
        let (node, rest) = match self.stride {
            7 => (value / 7, value % 7),
            6 => (value / 6, value % 6),
            stride => (value / stride, value % stride),
        };
        (rest == 0 && u64::from(value) < self.limit).then_some(node)
    }

    /// What is wrong with `value`.
    #[cold]
    fn fault(self, field: &'static str, value: u64, offset: u64) -> Error {
        if value >= self.limit {
            return index_error(field, value, self.limit, offset);
        }
        let kind = ErrorKind::SnapshotSchema {
            expected: format!("{field}: a multiple of {}", self.stride),
            found: value.to_string(),
        };
        Error::at(kind, offset)
    }
}
