//! A door to the number scanner for fuzz targets and benches; not a part of the interface.

pub use super::scan::Path;
use super::scan::{Batch, NumberScanner, Stop};
use crate::error::{Error, Result};

/// What a scan of an array gives.
#[derive(Debug, Default, PartialEq)]
pub struct Numbers {
    /// All before the fault.
    pub values: Vec<u64>,
    /// Where those of [`has_place`] start: to find a place costs as much as to read a batch.
    pub places: Vec<u64>,
    /// The offset behind the closing bracket, if the text gets there.
    pub end: Option<u64>,
    /// What is wrong.
    pub error: Option<Error>,
}

/// Whether the place of the `nth` number is told: of the first some hundred all, then of one in a hundred.
pub fn has_place(nth: usize) -> bool {
    nth < 256 || nth.is_multiple_of(101)
}

impl Numbers {
    /// Takes the first `count` numbers of `batch`, last filled from `chunk`.
    fn take(&mut self, batch: &mut Batch, count: usize, chunk: &[u8]) {
        for index in 0..count {
            if has_place(self.values.len()) {
                self.places.push(batch.offset_of(index, chunk));
            }
            self.values.push(batch.value(index));
        }
        batch.consume(count);
    }
}

/// The numbers of `text`, which follows the opening bracket, read on `path` in chunks of `sizes`, the last one repeated.
///
/// After each chunk `kept` numbers, 64 at most, stay in the batch, as a part of a record does.
pub fn numbers(path: Path, text: &[u8], sizes: &[usize], kept: usize) -> Numbers {
    let (mut scanner, mut batch, mut found, mut base) =
        (NumberScanner::with(path), Batch::new(), Numbers::default(), 0);
    let mut sizes = sizes.iter().copied();
    let (mut rest, mut size, mut chunk) = (text, usize::MAX, text);
    while !rest.is_empty() {
        size = sizes.next().unwrap_or(size).max(1);
        (chunk, rest) = rest.split_at(size.min(rest.len()));
        loop {
            let (used, stop) = match scanner.scan(chunk, base, &mut batch, "nodes") {
                Ok(scanned) => scanned,
                Err(error) => {
                    found.error = Some(error);
                    (0, Stop::End)
                }
            };
            base += used as u64;
            let len = batch.values().len();
            if stop == Stop::End {
                found.take(&mut batch, len, chunk);
                found.end = found.error.is_none().then_some(base);
                return found;
            }
            found.take(&mut batch, len.saturating_sub(kept), chunk);
            if stop == Stop::Chunk {
                break;
            }
            chunk = &chunk[used..];
        }
    }
    let left = batch.values().len();
    found.take(&mut batch, left, chunk);
    found
}

/// Gives the batches of `text`, an array without its opening bracket, read on `path` in chunks of `size`, to `take`.
///
/// # Errors
///
/// What is wrong with the text.
pub fn each_batch(path: Path, text: &[u8], size: usize, mut take: impl FnMut(&[u32])) -> Result<()> {
    let (mut scanner, mut batch, mut base) = (NumberScanner::with(path), Batch::new(), 0);
    for mut chunk in text.chunks(size) {
        loop {
            let (used, stop) = scanner.scan(chunk, base, &mut batch, "nodes")?;
            take(batch.values());
            batch.consume(batch.values().len());
            base += used as u64;
            chunk = &chunk[used..];
            match stop {
                Stop::Full => {}
                Stop::Chunk => break,
                Stop::End => return Ok(()),
            }
        }
    }
    Ok(())
}
