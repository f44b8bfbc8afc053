//! One pass over a snapshot as it is written: the same chunks go to the file and to the parser.

use std::path::Path;

use crate::compress::Compression;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::report::AtomicFile;
use crate::snapshot::SnapshotParser;

/// A snapshot on its way to a file, to a graph, or to both.
///
/// The two do not depend on each other: a full disk does not cost the graph, and text that the parser refuses is still
/// written. Memory: the graph that grows, and nothing else.
pub struct Capture {
    file: Option<Result<AtomicFile>>,
    parser: Option<Result<SnapshotParser>>,
    bytes: u64,
}

/// What a [`Capture`] came to.
pub struct Captured {
    /// Length of the snapshot's text.
    pub bytes: u64,
    /// The length of the file, compressed as it is, that is there under its name; nothing where none was wanted.
    pub file: Option<Result<u64>>,
    /// The graph, or where the text went wrong; nothing where none was wanted.
    pub graph: Option<Result<Graph>>,
}

impl Capture {
    /// A capture into the file at `path`, if any, and into a graph, if `parse`.
    pub fn new(path: Option<&Path>, compression: Option<Compression>, parse: bool) -> Self {
        Self {
            file: path.map(|path| AtomicFile::compressed(path, compression)),
            parser: parse.then(|| Ok(SnapshotParser::new())),
            bytes: 0,
        }
    }

    /// Why the file could not even be started, if so: known before the first chunk, so that nobody is stopped for it.
    pub fn refusal(&self) -> Option<&Error> {
        self.file.as_ref()?.as_ref().err()
    }

    /// Takes the next chunk, of any size; `false` where nothing is left that could use it.
    pub fn feed(&mut self, chunk: &[u8]) -> bool {
        self.bytes += chunk.len() as u64;
        let file = step(&mut self.file, |file| file.write(chunk));
        let parser = step(&mut self.parser, |parser| parser.feed(chunk));
        file || parser
    }

    /// Ends the capture. `cause` says why the text ended early, if it did: the file is then given up.
    pub fn finish(self, cause: Option<Error>) -> Captured {
        let graph = self.parser.map(|parser| parser.and_then(SnapshotParser::finish));
        let file = self.file.map(|file| {
            let file = file?;
            match cause {
                Some(cause) => Err(cause),
                None => file.commit(),
            }
        });
        Captured { bytes: self.bytes, file, graph }
    }
}

/// Does the next step of one output; its first error ends it. Says whether it goes on.
fn step<T>(output: &mut Option<Result<T>>, next: impl FnOnce(&mut T) -> Result<()>) -> bool {
    let Some(Ok(state)) = output else { return false };
    match next(state) {
        Ok(()) => true,
        Err(error) => {
            *output = Some(Err(error));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn text_that_is_no_snapshot_is_still_written() {
        let path = std::env::temp_dir().join(format!("heapwarden-capture-{}", std::process::id()));
        let mut capture = Capture::new(Some(&path), None, true);
        assert!(capture.feed(b"[1, 2") && capture.feed(b", 3]"));
        let captured = capture.finish(None);
        assert_eq!((captured.bytes, captured.file), (9, Some(Ok(9))));
        assert!(captured.graph.is_some_and(|graph| graph.is_err()));
        assert_eq!(std::fs::read(&path).expect("written"), b"[1, 2, 3]");
        std::fs::remove_file(&path).expect("removed");
    }

    #[test]
    fn a_text_that_was_cut_leaves_no_file() {
        let path = std::env::temp_dir().join(format!("heapwarden-capture-cut-{}", std::process::id()));
        let mut capture = Capture::new(Some(&path), None, false);
        assert!(capture.feed(b"{"));
        let captured = capture.finish(Some(ErrorKind::Cancelled.into()));
        assert_eq!(captured.file, Some(Err(ErrorKind::Cancelled.into())));
        assert!(captured.graph.is_none() && !path.exists());
    }

    #[test]
    fn a_capture_that_can_use_nothing_says_so() {
        let mut capture = Capture::new(Some(Path::new("/dev/null/x")), None, false);
        assert!(capture.refusal().is_some() && !capture.feed(b"{"));
        assert!(matches!(capture.finish(None).file, Some(Err(_))));
    }
}
