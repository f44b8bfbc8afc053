//! A snapshot from anything that can be read.

use std::io::{ErrorKind as IoKind, Read};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::SnapshotParser;
use super::source::CHUNK;
use crate::compress::Decoder;
use crate::error::{Error, Result};
use crate::graph::{Graph, check, filled};

/// The graph of the snapshot that `reader` gives, compressed or not.
///
/// # Errors
///
/// Those of [`SnapshotParser`] and of [`Decoder`]; `Io` (without a path: the caller knows it) where reading fails; `Cancelled`
/// within one chunk of `cancel` being set.
pub fn read_graph(reader: &mut dyn Read, cancel: &AtomicBool) -> Result<Graph> {
    let (mut decoder, mut parser) = (Decoder::new(), SnapshotParser::new());
    let mut sink = |text: &[u8]| {
        check(cancel)?;
        parser.feed(text)
    };
    let mut buffer = filled(0, CHUNK)?;
    loop {
        check(cancel)?;
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => decoder.feed(&buffer[..count], &mut sink)?,
            Err(error) if error.kind() == IoKind::Interrupted => {}
            Err(error) => return Err(Error::io("read", Path::new(""), &error)),
        }
    }
    decoder.finish(&mut sink)?;
    parser.finish()
}
