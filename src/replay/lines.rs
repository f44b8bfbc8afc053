//! Text in pieces, taken apart into lines.

use crate::error::{Error, ErrorKind, Result};

/// Longest line: a columnar trace of a year at the default interval has some 20 MB.
const LONGEST: usize = 64 * 1024 * 1024;

/// One line that is not blank.
pub struct Line<'a> {
    /// Without blanks around it; never empty.
    pub text: &'a [u8],
    /// From 1.
    pub number: u64,
    /// Where it starts in the text.
    pub offset: u64,
}

/// The beginning of a line whose end is still to come.
#[derive(Default)]
pub struct Lines {
    held: Vec<u8>,
    /// Lines that ended so far.
    ended: u64,
    /// Where the current line starts.
    offset: u64,
}

impl Lines {
    /// Passes on every line that ends in `text`, and keeps the rest.
    pub fn feed(&mut self, mut text: &[u8], each: &mut dyn FnMut(Line<'_>) -> Result<()>) -> Result<()> {
        while let Some(end) = memchr::memchr(b'\n', text) {
            let (rest_of_line, rest) = (&text[..end], &text[end + 1..]);
            if self.held.is_empty() {
                self.line(rest_of_line, each)?;
            } else {
                self.hold(rest_of_line)?;
                let line = std::mem::take(&mut self.held);
                self.line(&line, each)?;
                // Kept for its memory: the next line is about as long.
                self.held = line;
                self.held.clear();
            }
            self.offset += 1;
            text = rest;
        }
        self.hold(text)
    }

    /// Passes on the last line, if it has no end, and begins a new text.
    pub fn finish(&mut self, each: &mut dyn FnMut(Line<'_>) -> Result<()>) -> Result<()> {
        let mut last = std::mem::take(self);
        let text = std::mem::take(&mut last.held);
        last.line(&text, each)
    }

    fn hold(&mut self, text: &[u8]) -> Result<()> {
        if self.held.len() + text.len() > LONGEST {
            let kind = ErrorKind::Series {
                line: self.ended + 1,
                expected: format!("at most {LONGEST} bytes in a line"),
                found: "more".to_owned(),
            };
            return Err(Error::at(kind, self.offset));
        }
        self.held.extend_from_slice(text);
        Ok(())
    }

    fn line(&mut self, text: &[u8], each: &mut dyn FnMut(Line<'_>) -> Result<()>) -> Result<()> {
        let (number, offset) = (self.ended + 1, self.offset);
        self.ended = number;
        self.offset += text.len() as u64;
        // Some editors begin a text with a mark of its encoding.
        let mark = if offset == 0 && text.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        let text = text[mark..].trim_ascii_end();
        let indent = text.len() - text.trim_ascii_start().len();
        if indent == text.len() {
            return Ok(());
        }
        each(Line { text: &text[indent..], number, offset: offset + (mark + indent) as u64 })
    }
}
