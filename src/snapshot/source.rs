//! A snapshot's text from wherever it comes: pushed in pieces or read, compressed or not, one input after the other.

use std::io::{ErrorKind as IoKind, Read};
use std::path::Path;

use crate::compress::Decoder;
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::filled;

/// Read at a time: large enough that a read costs nothing beside the parse, small enough for the second-level cache.
pub(crate) const CHUNK: usize = 256 * 1024;

/// One input on its way to whoever wants its text.
///
/// Compression is told by the first bytes, never by a name. Memory: what [`Decoder`] says; none for plain text. Compressed
/// input can be a thousand times its size as text: what bounds the work then is that the text is never held, that the receiver
/// keeps only what it makes of it, and that the work can be cancelled between any two pieces.
pub struct Input<'c> {
    control: &'c Control,
    decoder: Decoder,
}

impl<'c> Input<'c> {
    /// An input at its start, which counts its bytes in `control` and stops when that says so.
    pub fn new(control: &'c Control) -> Self {
        Self { control, decoder: Decoder::new() }
    }

    /// Takes the next bytes, of any length; `sink` is given the text that they make.
    ///
    /// # Errors
    ///
    /// `Cancelled`, those of [`Decoder::feed`], and those of `sink`.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let control = self.control;
        control.check()?;
        control.add_bytes(bytes.len());
        self.decoder.feed(bytes, &mut |text| {
            control.check()?;
            sink(text)
        })
    }

    /// Says that the input is complete.
    ///
    /// # Errors
    ///
    /// Those of [`Decoder::finish`], and those of `sink`.
    pub fn finish(mut self, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.decoder.finish(sink)
    }

    /// Reads all that `reader` gives, as this input. A reader that says `Interrupted` is asked again, after a look at the
    /// control: one that waits for a writer does so now and then.
    ///
    /// # Errors
    ///
    /// Those of `feed` and `finish`, and `Io` on `path` where reading fails.
    pub fn read(
        mut self,
        reader: &mut dyn Read,
        path: &Path,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut buffer = filled(0, CHUNK)?;
        loop {
            match read_some(reader, &mut buffer, self.control, path)? {
                0 => return self.finish(sink),
                count => self.feed(&buffer[..count], sink)?,
            }
        }
    }
}

impl Input<'_> {
    /// The same as [`Input::read`], with a thread that reads on while `sink` works: at most four pieces ahead.
    ///
    /// # Errors
    ///
    /// Those of `read`, and `Unsupported` where no thread can be had.
    pub fn read_ahead(
        mut self,
        mut reader: Box<dyn Read + Send>,
        path: &Path,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let control = self.control;
        let (filled_tx, filled_rx) = std::sync::mpsc::sync_channel::<Result<Vec<u8>>>(AHEAD);
        let (used_tx, used_rx) = std::sync::mpsc::channel::<Vec<u8>>();
        let read_on = move || {
            loop {
                let buffer = used_rx.try_recv().map_or_else(|_| filled(0, CHUNK), Ok);
                let piece = buffer.and_then(|mut buffer| {
                    // A full piece as a rule; a pipe gives what it has.
                    let count = read_some(&mut *reader, &mut buffer, control, path)?;
                    buffer.truncate(count);
                    Ok(buffer)
                });
                let is_last = piece.as_ref().map_or(true, Vec::is_empty);
                // Whoever took the pieces has an error of its own to tell.
                if filled_tx.send(piece).is_err() || is_last {
                    return;
                }
            }
        };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("heapwarden-read".to_owned());
            thread.spawn_scoped(scope, read_on).map_err(|error| {
                let reason = error.to_string();
                Error::new(ErrorKind::Unsupported { feature: "a second thread", reason })
            })?;
            // Owned in here: on the way out it is dropped before the thread is waited for, which ends it.
            let pieces = filled_rx;
            for piece in &pieces {
                let mut piece = piece?;
                if piece.is_empty() {
                    break;
                }
                self.feed(&piece, sink)?;
                piece.resize(CHUNK, 0);
                let _ = used_tx.send(piece);
            }
            self.finish(sink)
        })
    }
}

/// Reads once, again after each interruption.
fn read_some(reader: &mut dyn Read, buffer: &mut [u8], control: &Control, path: &Path) -> Result<usize> {
    loop {
        control.check()?;
        match reader.read(buffer) {
            Err(error) if error.kind() == IoKind::Interrupted => {}
            other => return other.map_err(|error| Error::io("read", path, &error)),
        }
    }
}

/// How many pieces the reading thread may be ahead.
const AHEAD: usize = 4;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::compress::{Compression, Encoder};
    use crate::control::Stage;
    use crate::snapshot::SnapshotParser;
    use crate::snapshot::testing::Snapshot;

    fn sample() -> String {
        let mut snapshot = Snapshot::new();
        for n in 0..50 {
            let node = snapshot.node("object", &format!("Class{}", n % 7), n);
            snapshot.edge(0, "element", &n.to_string(), node);
        }
        snapshot.text()
    }

    fn compressed(text: &str, compression: Option<Compression>) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new(), compression).expect("an encoder");
        encoder.write_all(text.as_bytes()).expect("written");
        encoder.finish().expect("finished")
    }

    /// Nodes of the snapshot in `bytes`, pushed in pieces of `piece`.
    fn pushed(bytes: &[u8], piece: usize) -> Result<usize> {
        let (control, mut parser) = (Control::new(), SnapshotParser::new());
        let mut input = Input::new(&control);
        let mut sink = |text: &[u8]| parser.feed(text);
        for chunk in bytes.chunks(piece) {
            input.feed(chunk, &mut sink)?;
        }
        input.finish(&mut sink)?;
        assert_eq!(control.progress().bytes, bytes.len() as u64);
        parser.finish().map(|graph| graph.node_count())
    }

    const ALL: [Option<Compression>; 3] = [None, Some(Compression::Gzip), Some(Compression::Zstd)];

    proptest! {
        #[test]
        fn any_chunking_of_any_compression_is_the_same_snapshot(
            kind in prop::sample::select(ALL.to_vec()), piece in 1usize..5000,
        ) {
            prop_assert_eq!(pushed(&compressed(&sample(), kind), piece), Ok(51));
        }
    }

    #[test]
    fn a_snapshot_cut_at_any_byte_is_a_typed_error_with_the_offset() {
        for kind in ALL {
            let whole = compressed(&sample(), kind);
            // What V8 writes ends with a newline, which nobody needs.
            let needed = whole.len() - usize::from(kind.is_none());
            for length in 0..needed {
                let error = pushed(&whole[..length], 4096).expect_err("cut");
                let code = match kind {
                    _ if length < 4 => "HEAPWARDEN_ERR_SNAPSHOT_",
                    None => "HEAPWARDEN_ERR_SNAPSHOT_TRUNCATED",
                    Some(_) => "HEAPWARDEN_ERR_COMPRESSION_TRUNCATED",
                };
                assert!(error.code().starts_with(code), "{kind:?} {length}: {error}");
                assert!(error.offset().is_some_and(|offset| offset <= length as u64), "{error}");
            }
        }
    }

    /// Gives one byte at a time, says `Interrupted` before each, and cancels after `left`.
    struct Slow<'a>(&'a [u8], bool, usize, &'a Control);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(IoKind::Interrupted.into());
            }
            match self.2.checked_sub(1) {
                Some(left) => self.2 = left,
                None => self.3.cancel(),
            }
            let [first, rest @ ..] = self.0 else { return Ok(0) };
            buffer[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn a_reader_is_read_to_its_end_or_until_cancelled() {
        let text = sample();
        for (left, expected) in [(usize::MAX, Ok(51)), (100, Err(ErrorKind::Cancelled.into()))] {
            let (control, mut parser) = (Control::new(), SnapshotParser::new());
            let mut slow = Slow(text.as_bytes(), false, left, &control);
            let read = Input::new(&control)
                .read(&mut slow, Path::new("slow"), &mut |text| parser.feed(text))
                .and_then(|()| parser.finish().map(|graph| graph.node_count()));
            assert_eq!(read, expected);
            assert_eq!(control.progress().stage, Stage::Reading);
            if left == 100 {
                assert_eq!(control.progress().bytes, 100);
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _buffer: &mut [u8]) -> std::io::Result<usize> {
                Err(IoKind::Other.into())
            }
        }
        let control = Control::new();
        let error = Input::new(&control)
            .read(&mut Broken, Path::new("a.heapsnapshot"), &mut |_| Ok(()))
            .expect_err("broken");
        assert_eq!(error.code(), "HEAPWARDEN_ERR_IO");
        assert!(error.to_string().contains("cannot read a.heapsnapshot"), "{error}");
    }
}
