//! One pass over a snapshot as it is written: the same chunks go to the file and to the parser.

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::report::Content;
use crate::snapshot::{Level, Redactor, SnapshotParser};

/// A snapshot on its way to a file, to a graph, or to both.
///
/// The two do not depend on each other: a full disk does not cost the graph, and text that the parser refuses is still
/// written. Memory: the graph that grows, and what a redactor has to keep. Redacted text is all that either of them gets to see: where it
/// cannot be redacted, neither gets any more.
pub struct Capture {
    redactor: Option<Redactor>,
    outputs: Outputs,
}

struct Outputs {
    file: Option<Result<Content>>,
    parser: Option<Result<SnapshotParser>>,
    bytes: u64,
}

/// What a [`Capture`] came to.
pub struct Captured {
    /// Length of the snapshot's text, as it was redacted.
    pub bytes: u64,
    /// The length of the file, compressed as it is, that is complete but for its name; nothing where none was wanted.
    pub file: Option<Result<u64>>,
    /// The graph, or where the text went wrong; nothing where none was wanted.
    pub graph: Option<Result<Graph>>,
}

impl Capture {
    /// A capture into `file`, if there is to be one, and into a graph, if `parse`.
    pub fn new(file: Option<Result<Content>>, parse: bool) -> Self {
        let parser = parse.then(|| Ok(SnapshotParser::new()));
        Self { redactor: None, outputs: Outputs { file, parser, bytes: 0 } }
    }

    /// The same, with the text redacted at `level` if there is one.
    #[must_use]
    pub fn redacted(self, level: Option<Level>) -> Self {
        Self { redactor: level.map(Redactor::new), ..self }
    }

    /// Takes the next chunk, of any size; `false` where nothing is left that could use it.
    pub fn feed(&mut self, chunk: &[u8]) -> bool {
        let outputs = &mut self.outputs;
        let Some(redactor) = &mut self.redactor else { return outputs.feed(chunk) };
        // Outputs that can use nothing are no reason to stop: that is said below.
        let fed = redactor.feed(chunk, &mut |piece| {
            outputs.feed(piece);
            Ok(())
        });
        if let Err(error) = fed {
            outputs.fail(&error);
        }
        outputs.are_wanted()
    }

    /// Ends the capture. `cause` says why the text ended early, if it did: the file is then given up.
    pub fn finish(self, cause: Option<Error>) -> Captured {
        let Self { redactor, mut outputs } = self;
        if let Some(redactor) = redactor {
            let ended = redactor.finish(&mut |piece| {
                outputs.feed(piece);
                Ok(())
            });
            // Text that was cut has a cause of its own.
            if let (Err(error), None) = (ended, &cause) {
                outputs.fail(&error);
            }
        }
        outputs.finish(cause)
    }
}

impl Outputs {
    fn feed(&mut self, chunk: &[u8]) -> bool {
        self.bytes += chunk.len() as u64;
        let file = step(&mut self.file, |file| file.write(chunk));
        let parser = step(&mut self.parser, |parser| parser.feed(chunk));
        file || parser
    }

    fn are_wanted(&self) -> bool {
        matches!(self.file, Some(Ok(_))) || matches!(self.parser, Some(Ok(_)))
    }

    /// Gives both up, unless they have been given up.
    fn fail(&mut self, error: &Error) {
        let _ = step(&mut self.file, |_| Err(error.clone()));
        let _ = step(&mut self.parser, |_| Err(error.clone()));
    }

    fn finish(self, cause: Option<Error>) -> Captured {
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
    use crate::snapshot::testing::Snapshot;

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
    fn text_that_cannot_be_redacted_is_not_written() {
        let (path, place) = place("unredacted");
        let mut capture = Capture::new(Some(place.content(None)), true).redacted(Some(Level::Names));
        assert!(!capture.feed(b"[1, \"hunter2\"]"));
        let captured = capture.finish(None);
        let code = |failed: &Error| failed.code();
        assert_eq!(
            captured.file.and_then(Result::err).as_ref().map(code),
            Some("HEAPWARDEN_ERR_SNAPSHOT_SYNTAX")
        );
        assert_eq!((captured.graph.is_some_and(|graph| graph.is_err()), captured.bytes), (true, 0));
        drop(place);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_redacted_is_redacted_for_the_file_and_for_the_graph() {
        let mut snapshot = Snapshot::new();
        let (class, value) = (snapshot.node("object", "Hunter", 8), snapshot.node("string", "hunter2", 8));
        snapshot.edge(class, "property", "hunter3", value);
        let (path, place) = place("redacted");
        let mut capture = Capture::new(Some(place.content(None)), true).redacted(Some(Level::Names));
        snapshot.text().as_bytes().chunks(7).for_each(|piece| assert!(capture.feed(piece)));
        let captured = capture.finish(None);
        let graph = captured.graph.expect("wanted").expect("a graph");
        assert!(graph.nodes().all(|node| !graph.name(node).to_lowercase().contains("hunter")));
        place.publish().expect("published");
        let text = std::fs::read_to_string(&path).expect("written");
        assert_eq!(captured.bytes, text.len() as u64);
        assert!(
            !text.to_lowercase().contains("hunter") && text.contains("\"heapwarden_redaction\":\"names\"")
        );
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
