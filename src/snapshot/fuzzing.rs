//! A door to the number scanner for fuzz targets and benches; not a part of the interface.

pub use super::scan::Path;
use super::scan::{Batch, NumberScanner, Stop};
use crate::error::Result;

/// What a scan of an array gives: values with the offsets at which they start, and the offset after the closing bracket (nothing if the
/// text ends before it) or what is wrong.
pub type Numbers = (Vec<(u64, u64)>, Result<Option<u64>>);

/// The numbers of `text`, which follows the opening bracket, read on `path` in chunks of `sizes`, the last one repeated.
///
/// After each chunk `kept` numbers, 64 at most, stay in the batch, as a part of a record does.
pub fn numbers(path: Path, text: &[u8], sizes: &[usize], kept: usize) -> Numbers {
    let (mut scanner, mut batch, mut found, mut base) =
        (NumberScanner::with(path), Batch::new(), Vec::new(), 0);
    let mut sizes = sizes.iter().copied();
    let (mut rest, mut size, mut last) = (text, usize::MAX, text);
    while !rest.is_empty() {
        size = sizes.next().unwrap_or(size).max(1);
        let (mut chunk, next) = rest.split_at(size.min(rest.len()));
        rest = next;
        loop {
            last = chunk;
            let scanned = scanner.scan(chunk, base, &mut batch, "nodes");
            let (used, stop) = scanned.as_ref().map_or((0, Stop::End), |&scanned| scanned);
            let kept = if stop == Stop::End { 0 } else { kept };
            let taken = batch.values().len().saturating_sub(kept);
            found.extend((0..taken).map(|index| (batch.value(index), batch.offset_of(index, chunk))));
            batch.consume(taken);
            base += used as u64;
            chunk = &chunk[used..];
            match (scanned, stop) {
                (Err(error), _) => return (found, Err(error)),
                (_, Stop::Chunk) => break,
                (_, Stop::Full) => {}
                (_, Stop::End) => return (found, Ok(Some(base))),
            }
        }
    }
    let left = batch.values().len();
    found.extend((0..left).map(|index| (batch.value(index), batch.offset_of(index, last))));
    (found, Ok(None))
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
