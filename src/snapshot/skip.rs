//! A value that nobody reads: stepped over in constant memory.

use super::parser::found;
use crate::error::{Error, ErrorKind, Result};

/// Allocation traces nest one level a stack frame, and V8 keeps at most 64 frames.
const MAX_DEPTH: usize = 1024;

/// Steps over one JSON value, checking that its brackets match and its strings end.
#[derive(Debug)]
pub(crate) struct Skipper {
    /// One bit a level: set for an object.
    objects: [u64; MAX_DEPTH / 64],
    depth: usize,
    string: bool,
    escape: bool,
    /// Inside a number or a word at depth 0, whose end is the byte after it.
    word: bool,
}

impl Skipper {
    pub fn new() -> Self {
        Self { objects: [0; MAX_DEPTH / 64], depth: 0, string: false, escape: false, word: false }
    }

    /// Steps on; returns how many bytes were used and whether the value has ended.
    pub fn skip(&mut self, chunk: &[u8], base: u64) -> Result<(usize, bool)> {
        let mut at = 0;
        while at < chunk.len() {
            if self.string {
                at += self.skip_string(&chunk[at..]);
                if !self.string && self.depth == 0 {
                    return Ok((at, true));
                }
                continue;
            }
            let byte = chunk[at];
            if self.depth == 0
                && self.word
                && matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')
            {
                return Ok((at, true));
            }
            self.step(byte, base + at as u64)?;
            at += 1;
            if self.depth == 0 && matches!(byte, b']' | b'}') {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    fn step(&mut self, byte: u8, offset: u64) -> Result<()> {
        match byte {
            b'"' if !self.word || self.depth > 0 => self.string = true,
            b'[' | b'{' if !self.word || self.depth > 0 => {
                if self.depth == MAX_DEPTH {
                    let kind = ErrorKind::SnapshotLimit { what: "nesting", limit: MAX_DEPTH as u64 };
                    return Err(Error::at(kind, offset));
                }
                let (slot, bit) = (self.depth / 64, 1 << (self.depth % 64));
                if byte == b'{' {
                    self.objects[slot] |= bit;
                } else {
                    self.objects[slot] &= !bit;
                }
                self.depth += 1;
            }
            b']' | b'}' if self.depth > 0 => {
                let top = self.depth - 1;
                let object = self.objects[top / 64] >> (top % 64) & 1 == 1;
                if object != (byte == b'}') {
                    let expected = if object { "\"}\"" } else { "\"]\"" };
                    return Err(syntax(expected, byte, offset));
                }
                self.depth = top;
            }
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b',' | b':' if self.depth > 0 => {}
            b'0'..=b'9' | b'-' | b'+' | b'.' | b'a'..=b'z' | b'E' => self.word = self.depth == 0,
            _ => return Err(syntax("a JSON value", byte, offset)),
        }
        Ok(())
    }

    fn skip_string(&mut self, chunk: &[u8]) -> usize {
        if self.escape {
            self.escape = false;
            return 1;
        }
        match memchr::memchr2(b'"', b'\\', chunk) {
            None => chunk.len(),
            Some(end) => {
                if chunk[end] == b'"' {
                    self.string = false;
                } else {
                    self.escape = true;
                }
                end + 1
            }
        }
    }
}

fn syntax(expected: &str, byte: u8, offset: u64) -> Error {
    Error::at(ErrorKind::SnapshotSyntax { expected: expected.to_owned(), found: found(byte) }, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(text: &str) -> Result<Option<usize>> {
        let whole = {
            let mut skipper = Skipper::new();
            skipper.skip(text.as_bytes(), 0).map(|(used, ended)| ended.then_some(used))
        };
        let mut skipper = Skipper::new();
        for (at, byte) in text.bytes().enumerate() {
            match skipper.skip(&[byte], at as u64) {
                Ok((used, true)) => {
                    assert_eq!(whole, Ok(Some(at + used)), "bytewise and whole differ on {text}");
                    return whole;
                }
                Ok((_, false)) => {}
                Err(error) => {
                    assert_eq!(whole, Err(error), "bytewise and whole differ on {text}");
                    return whole;
                }
            }
        }
        assert_eq!(whole, Ok(None));
        whole
    }

    #[test]
    fn values_end_where_they_end() {
        for (text, end) in [
            ("[],", 2),
            ("{\"a\":[1,2,{\"b\":\"]}\"}]} ", 22),
            ("\"a\\\"b\\\\\",", 8),
            ("-1.5e3,", 6),
            ("null}", 4),
            ("true ,", 4),
        ] {
            assert_eq!(skipped(text), Ok(Some(end)), "{text}");
        }
        assert_eq!(skipped("[[["), Ok(None));
        assert_eq!(skipped("\"abc"), Ok(None));
    }

    #[test]
    fn brackets_must_match() {
        assert_eq!(skipped("[1}").unwrap_err().offset(), Some(2));
        assert_eq!(skipped("{\"a\":1]").unwrap_err().offset(), Some(6));
        assert_eq!(skipped("@").unwrap_err().offset(), Some(0));
        assert_eq!(skipped("1[").unwrap_err().offset(), Some(1));
    }

    #[test]
    fn nesting_is_bounded() {
        let error = skipped(&"[".repeat(5000)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::SnapshotLimit { what: "nesting", .. }));
        assert_eq!(error.offset(), Some(MAX_DEPTH as u64));
    }
}
