//! A snapshot from anything that can be read.

use std::io::{ErrorKind as IoKind, Read};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use super::SnapshotParser;
use crate::error::{ErrorKind, Result};
use crate::graph::{Graph, check, filled};

/// Large enough that a read costs nothing beside the parse, small enough for the second-level cache.
const CHUNK: usize = 256 * 1024;

/// The graph of the snapshot that `reader` gives.
///
/// # Errors
///
/// Those of [`SnapshotParser`]; `Io` (without a path: the caller knows it) where reading fails; `Cancelled` within one chunk of
/// `cancel` being set.
pub fn read_graph(reader: &mut dyn Read, cancel: &AtomicBool) -> Result<Graph> {
    let mut parser = SnapshotParser::new();
    let mut buffer = filled(0, CHUNK)?;
    loop {
        check(cancel)?;
        match reader.read(&mut buffer) {
            Ok(0) => return parser.finish(),
            Ok(count) => parser.feed(&buffer[..count])?,
            Err(error) if error.kind() == IoKind::Interrupted => {}
            Err(error) => {
                return Err(ErrorKind::Io {
                    operation: "read",
                    path: PathBuf::new(),
                    message: error.to_string(),
                }
                .into());
            }
        }
    }
}
