//! One pass over a snapshot as it is written: the same chunks go to the file and to the parser.

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::report::Content;
use crate::snapshot::SnapshotParser;

/// A snapshot on its way to a file, to a graph, or to both.
///
/// The two do not depend on each other: a full disk does not cost the graph, and text that the parser refuses is still
/// written. Memory: the graph that grows, and nothing else.
pub struct Capture {
    file: Option<Result<Content>>,
    parser: Option<Result<SnapshotParser>>,
    bytes: u64,
}

/// What a [`Capture`] came to.
pub struct Captured {
    /// Length of the snapshot's text.
    pub bytes: u64,
    /// The length of the file, compressed as it is, that is complete but for its name; nothing where none was wanted.
    pub file: Option<Result<u64>>,
    /// The graph, or where the text went wrong; nothing where none was wanted.
    pub graph: Option<Result<Graph>>,
}

impl Capture {
    /// A capture into `file`, if there is to be one, and into a graph, if `parse`.
    pub fn new(file: Option<Result<Content>>, parse: bool) -> Self {
        Self { file, parser: parse.then(|| Ok(SnapshotParser::new())), bytes: 0 }
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
                None => file.finish(),
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
    use crate::report::Reserved;

    fn place(name: &str) -> (std::path::PathBuf, Reserved) {
        let path = std::env::temp_dir().join(format!("heapwarden-capture-{name}-{}", std::process::id()));
        let reserved = Reserved::create(&path).expect("a place");
        (path, reserved)
    }

    #[test]
    fn text_that_is_no_snapshot_is_still_written() {
        let (path, place) = place("odd");
        let mut capture = Capture::new(Some(place.content(None)), true);
        assert!(capture.feed(b"[1, 2") && capture.feed(b", 3]"));
        let captured = capture.finish(None);
        assert_eq!((captured.bytes, captured.file), (9, Some(Ok(9))));
        assert!(captured.graph.is_some_and(|graph| graph.is_err()));
        place.publish().expect("published");
        assert_eq!(std::fs::read(&path).expect("written"), b"[1, 2, 3]");
        std::fs::remove_file(&path).expect("removed");
    }

    #[test]
    fn a_text_that_was_cut_is_no_file() {
        let (path, place) = place("cut");
        let mut capture = Capture::new(Some(place.content(None)), false);
        assert!(capture.feed(b"{"));
        let captured = capture.finish(Some(ErrorKind::Cancelled.into()));
        assert_eq!(captured.file, Some(Err(ErrorKind::Cancelled.into())));
        drop(place);
        assert!(captured.graph.is_none() && !path.exists());
    }

    #[test]
    fn a_capture_that_can_use_nothing_says_so() {
        let refused = || ErrorKind::Unsupported { feature: "files", reason: "a test".into() }.into();
        let mut capture = Capture::new(Some(Err(refused())), false);
        assert!(!capture.feed(b"{"));
        assert_eq!(capture.finish(None).file, Some(Err(refused())));
    }
}
