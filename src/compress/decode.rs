//! Bytes pushed in, compressed or not; text pushed out.

use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder as Unzstd, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::get_frame_content_size;

use super::Compression;
use crate::error::{Error, ErrorKind, Result};

/// Text given on at a time.
const OUTPUT: usize = 128 * 1024;

/// The first bytes that tell a compression take so many at most.
const MAGIC: usize = 4;

/// A zstd frame's header has so many bytes at most (RFC 8878, 3.1.1).
const ZSTD_HEADER: usize = 18;

/// The window of a gzip stream: 2^15 bytes, all that the format allows.
const GZIP_WINDOW_BITS: u8 = 15;

/// Undoes gzip and zstd, told by the first bytes, and passes on anything else as it is.
///
/// Members of a gzip stream and frames of a zstd stream may follow each other, as `cat a.gz b.gz` makes them. Memory: 128 KiB
/// of text and the window, which is 32 KiB for gzip and 128 MiB at most for zstd; a frame that asks for more is refused.
pub struct Decoder {
    state: State,
    /// Bytes taken before the current call, for offsets.
    offset: u64,
    output: Vec<u8>,
}

enum State {
    /// Too few bytes to tell: they are kept here.
    Start(Vec<u8>),
    Plain,
    Gzip(Gzip),
    Zstd(Zstd),
}

struct Gzip {
    inflate: Decompress,
    /// Between two members.
    ended: bool,
}

struct Zstd {
    decoder: Unzstd<'static>,
    /// Between two frames.
    ended: bool,
    frame: Frame,
}

/// A zstd frame, of which libzstd compares what it promised with what came only where no empty block is the last, or where it is given all at once.
#[derive(Default)]
struct Frame {
    /// Its first bytes: the first `known` of these.
    header: [u8; ZSTD_HEADER],
    known: usize,
    /// Bytes of text that came of it.
    made: u64,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the start of an input.
    pub fn new() -> Self {
        Self { state: State::Start(Vec::new()), offset: 0, output: Vec::new() }
    }

    /// How the input is compressed; nothing for plain input, and before that is known.
    pub fn compression(&self) -> Option<Compression> {
        match self.state {
            State::Start(_) | State::Plain => None,
            State::Gzip(_) => Some(Compression::Gzip),
            State::Zstd(_) => Some(Compression::Zstd),
        }
    }

    /// Takes the next bytes, of any length, and gives `sink` the text that they make, in pieces.
    ///
    /// # Errors
    ///
    /// `CompressionCorrupt` with the offset in the compressed input, and those of `sink`.
    pub fn feed(&mut self, input: &[u8], sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let State::Start(held) = &mut self.state else { return self.advance(input, sink) };
        let wanted = (MAGIC - held.len()).min(input.len());
        held.extend_from_slice(&input[..wanted]);
        let Some(kind) = recognise(held) else { return Ok(()) };
        let held = std::mem::take(held);
        self.state = self.start(kind)?;
        self.advance(&held, sink)?;
        self.advance(&input[wanted..], sink)
    }

    /// Says that the input is complete.
    ///
    /// # Errors
    ///
    /// `CompressionTruncated` with the length of the compressed input, and those of `sink`.
    pub fn finish(&mut self, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let whole = match &mut self.state {
            // Shorter than any compressed stream: the parser says what is wrong with it.
            State::Start(held) => return sink(held),
            State::Plain => true,
            State::Gzip(gzip) => gzip.ended,
            State::Zstd(zstd) => zstd.ended,
        };
        match self.compression() {
            Some(compression) if !whole => {
                let kind = ErrorKind::CompressionTruncated { format: compression.name() };
                Err(Error::at(kind, self.offset))
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, kind: Option<Compression>) -> Result<State> {
        self.output = vec![0; if kind.is_some() { OUTPUT } else { 0 }];
        Ok(match kind {
            None => State::Plain,
            Some(Compression::Gzip) => {
                State::Gzip(Gzip { inflate: Decompress::new_gzip(GZIP_WINDOW_BITS), ended: false })
            }
            Some(Compression::Zstd) => {
                let decoder = Unzstd::new().map_err(|error| corrupt(Compression::Zstd, &error, 0))?;
                State::Zstd(Zstd { decoder, ended: false, frame: Frame::default() })
            }
        })
    }

    fn advance(&mut self, input: &[u8], sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match &mut self.state {
            State::Start(_) => {}
            State::Plain => sink(input)?,
            State::Gzip(gzip) => gzip.advance(input, self.offset, &mut self.output, sink)?,
            State::Zstd(zstd) => zstd.advance(input, self.offset, &mut self.output, sink)?,
        }
        self.offset += input.len() as u64;
        Ok(())
    }
}

/// What an input that starts with `held` is: `Some(None)` for plain, nothing where more bytes are needed to tell.
fn recognise(held: &[u8]) -> Option<Option<Compression>> {
    /// What a byte may be: any from the first to the second.
    type Signature = [(u8, u8); MAGIC];
    const ANY: (u8, u8) = (0, 255);
    const SIGNATURES: [(Signature, Compression); 3] = [
        ([(0x1F, 0x1F), (0x8B, 0x8B), ANY, ANY], Compression::Gzip),
        ([(0x28, 0x28), (0xB5, 0xB5), (0x2F, 0x2F), (0xFD, 0xFD)], Compression::Zstd),
        // A frame to be skipped, with which a zstd stream may start.
        ([(0x50, 0x5F), (0x2A, 0x2A), (0x4D, 0x4D), (0x18, 0x18)], Compression::Zstd),
    ];
    let possible = |(signature, _): &&(Signature, Compression)| {
        held.iter().zip(signature).all(|(&byte, &(low, high))| (low..=high).contains(&byte))
    };
    match SIGNATURES.iter().find(possible) {
        None => Some(None),
        Some(&(_, compression)) => (held.len() >= MAGIC).then_some(Some(compression)),
    }
}

fn corrupt(compression: Compression, found: &dyn std::fmt::Display, offset: u64) -> Error {
    let kind = ErrorKind::CompressionCorrupt { format: compression.name(), found: found.to_string() };
    Error::at(kind, offset)
}

impl Gzip {
    fn advance(
        &mut self,
        input: &[u8],
        offset: u64,
        output: &mut [u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut at = 0;
        loop {
            if self.ended {
                if at == input.len() {
                    return Ok(());
                }
                *self = Self { inflate: Decompress::new_gzip(GZIP_WINDOW_BITS), ended: false };
            }
            let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(&input[at..], output, FlushDecompress::None);
            at += (self.inflate.total_in() - taken) as usize;
            let made = (self.inflate.total_out() - given) as usize;
            let status = status.map_err(|error| {
                let words = error.message().unwrap_or("data that cannot be inflated");
                corrupt(Compression::Gzip, &words, offset + at as u64)
            })?;
            if made > 0 {
                sink(&output[..made])?;
            }
            self.ended = status == Status::StreamEnd;
            // An output that was filled may not have been all.
            if !self.ended && at == input.len() && made < output.len() {
                return Ok(());
            }
        }
    }
}

impl Zstd {
    fn advance(
        &mut self,
        input: &[u8],
        offset: u64,
        output: &mut [u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut input = InBuffer::around(input);
        let size = input.src.len();
        while input.pos() < size || !self.ended {
            let (mut text, from) = (OutBuffer::around(&mut *output), input.pos());
            let wanted = self
                .decoder
                .run(&mut input, &mut text)
                .map_err(|error| corrupt(Compression::Zstd, &error, offset + input.pos() as u64))?;
            let made = text.pos();
            self.frame.take(&input.src[from..input.pos()], made);
            if made > 0 {
                sink(&output[..made])?;
            }
            self.ended = wanted == 0;
            if self.ended {
                std::mem::take(&mut self.frame)
                    .check()
                    .map_err(|found| corrupt(Compression::Zstd, &found, offset + input.pos() as u64))?;
            }
            // An output that was filled may not have been all.
            if input.pos() == size && made < output.len() {
                break;
            }
        }
        Ok(())
    }
}

impl Frame {
    /// Bytes of it that were read, and how many bytes of text came of them.
    fn take(&mut self, input: &[u8], made: usize) {
        let rest = &mut self.header[self.known..];
        let length = rest.len().min(input.len());
        rest[..length].copy_from_slice(&input[..length]);
        self.known += length;
        self.made += made as u64;
    }

    /// At its end: whether as much came as its header says.
    fn check(&self) -> std::result::Result<(), String> {
        match get_frame_content_size(&self.header[..self.known]) {
            Ok(Some(promised)) if promised != self.made => {
                Err(format!("a frame of {promised} bytes that ends after {}", self.made))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
