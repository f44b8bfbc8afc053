//! The `strings` array: JSON strings, their escapes undone, into one buffer.

use super::columns::Names;
use super::parser::found;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{SparseStrings, StringTable, reserve};

/// A string's end is kept in 32 bits; strings are a twentieth of a file, so this is a file of 80 GB.
const MAX_TEXT: u64 = u32::MAX as u64;

/// The longest string, about: V8 cuts each off after a kilobyte, and one without end is no name.
pub(crate) const MAX_STRING: usize = 16 << 20;

const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// After `[`: a string or the end.
    First,
    /// After `,`: a string.
    Want,
    /// Inside a string.
    Text,
    /// After a backslash.
    Escape,
    /// After `\u`: digits read and their value.
    Unicode { digits: u8, value: u32 },
    /// After a string: a comma or the end.
    After,
}

/// Reads the text after the opening bracket, in pieces of any size.
#[derive(Debug)]
pub(crate) struct StringsBuilder {
    state: State,
    text: Vec<u8>,
    ends: Vec<u32>,
    /// The first half of a surrogate pair, waiting for the second.
    high: Option<u32>,
    /// Whether the current string has bytes that are not ASCII and must be checked.
    raw: bool,
    /// The strings to keep whole.
    names: Names,
    /// Index and end of what is kept, where only `names` are.
    sparse: Option<Vec<(u32, u32)>>,
    /// How many strings have ended.
    count: u64,
    /// Where the current one starts in `text`.
    start: usize,
    /// Whether nothing of the current one is kept.
    skip: bool,
}

impl StringsBuilder {
    /// A builder that keeps `names` whole and of all else the beginning.
    pub fn new(names: Names) -> Self {
        Self {
            state: State::First,
            text: Vec::new(),
            ends: Vec::new(),
            high: None,
            raw: false,
            names,
            sparse: None,
            count: 0,
            start: 0,
            skip: false,
        }
    }

    /// A builder that keeps `names` and nothing else.
    pub fn only(names: Names) -> Self {
        Self { sparse: Some(Vec::new()), ..Self::new(names) }
    }

    /// Reads on; returns how many bytes were used and whether the closing bracket was among them.
    pub fn feed(&mut self, chunk: &[u8], base: u64) -> Result<(usize, bool)> {
        let mut at = 0;
        while at < chunk.len() {
            if self.state == State::Text {
                at += self.text_run(&chunk[at..], base + at as u64)?;
                continue;
            }
            let byte = chunk[at];
            let offset = base + at as u64;
            at += 1;
            match (self.state, byte) {
                (State::First | State::Want | State::After, b' ' | b'\t' | b'\n' | b'\r') => {}
                (State::First | State::Want, b'"') => {
                    self.skip = self.sparse.is_some() && !self.names.has(self.count as usize);
                    self.state = State::Text;
                }
                (State::After, b',') => self.state = State::Want,
                (State::First | State::After, b']') => return Ok((at, true)),
                (State::Escape, _) => self.escape(byte, offset)?,
                (State::Unicode { digits, value }, _) => self.unicode(digits, value, byte, offset)?,
                _ => {
                    let expected = if self.state == State::After { "\",\" or \"]\"" } else { "a string" };
                    return Err(syntax(&format!("{expected} in \"strings\""), byte, offset));
                }
            }
        }
        Ok((at, false))
    }

    /// The number of strings so far.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// The names of what was read.
    pub fn finish_names(self) -> Result<SparseStrings> {
        SparseStrings::from_parts(self.text, self.sparse.unwrap_or_default())
    }

    /// The table of what was read.
    pub fn finish(self) -> Result<StringTable> {
        StringTable::from_parts(self.text, self.ends)
    }

    /// Copies up to the next quote or backslash; returns how many bytes were used.
    fn text_run(&mut self, chunk: &[u8], offset: u64) -> Result<usize> {
        if self.text.len() - self.start > MAX_STRING {
            let kind = ErrorKind::SnapshotLimit { what: "a string", limit: MAX_STRING as u64 };
            return Err(Error::at(kind, offset));
        }
        let (run, stop) = match memchr::memchr2(b'"', b'\\', chunk) {
            Some(end) => (&chunk[..end], Some(chunk[end])),
            None => (chunk, None),
        };
        if !run.is_empty() {
            self.lone_surrogate()?;
            self.raw |= !run.is_ascii();
            self.push(run)?;
        }
        match stop {
            Some(b'"') => self.end_string()?,
            Some(_) => self.state = State::Escape,
            None => {}
        }
        Ok(run.len() + usize::from(stop.is_some()))
    }

    fn end_string(&mut self) -> Result<()> {
        self.lone_surrogate()?;
        self.state = State::After;
        if self.count >= MAX_TEXT {
            return Err(ErrorKind::SnapshotLimit { what: "strings", limit: MAX_TEXT }.into());
        }
        let index = self.count as u32;
        self.count += 1;
        if std::mem::take(&mut self.skip) {
            self.raw = false;
            return Ok(());
        }
        if std::mem::take(&mut self.raw)
            && let Err(error) = std::str::from_utf8(&self.text[self.start..])
        {
            let good = self.start + error.valid_up_to();
            let mended = String::from_utf8_lossy(&self.text[good..]).into_owned();
            self.text.truncate(good);
            self.push(mended.as_bytes())?;
        }
        self.shorten(index);
        self.start = self.text.len();
        let Ok(end) = u32::try_from(self.text.len()) else {
            let kind = ErrorKind::SnapshotLimit { what: "the text of all strings", limit: MAX_TEXT };
            return Err(kind.into());
        };
        match &mut self.sparse {
            Some(ends) => {
                reserve(ends, 1)?;
                ends.push((index, end));
            }
            None => {
                reserve(&mut self.ends, 1)?;
                self.ends.push(end);
            }
        }
        Ok(())
    }

    /// Cuts the string that ends here, if it is long and names nothing.
    fn shorten(&mut self, index: u32) {
        let mut end = self.start + StringTable::VALUE_BYTES;
        if self.text.len() > end && !self.names.has(index as usize) {
            // Not inside a character: the bytes after its first are 0b10xxxxxx.
            while self.text[end] & 0xC0 == 0x80 {
                end -= 1;
            }
            self.text.truncate(end);
        }
    }

    fn escape(&mut self, byte: u8, offset: u64) -> Result<()> {
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.state = State::Unicode { digits: 0, value: 0 };
                return Ok(());
            }
            _ => return Err(syntax("an escape in a string", byte, offset)),
        };
        self.lone_surrogate()?;
        self.push(&[plain])?;
        self.state = State::Text;
        Ok(())
    }

    fn unicode(&mut self, digits: u8, value: u32, byte: u8, offset: u64) -> Result<()> {
        let Some(digit) = (byte as char).to_digit(16) else {
            return Err(syntax("four hexadecimal digits after \\u", byte, offset));
        };
        let value = value * 16 + digit;
        if digits < 3 {
            self.state = State::Unicode { digits: digits + 1, value };
            return Ok(());
        }
        self.state = State::Text;
        match (self.high.take(), value) {
            (Some(high), 0xDC00..=0xDFFF) => {
                self.push_char(0x10000 + ((high - 0xD800) << 10) + (value - 0xDC00))
            }
            (before, _) => {
                if before.is_some() {
                    self.push(REPLACEMENT)?;
                }
                if (0xD800..0xDC00).contains(&value) {
                    self.high = Some(value);
                    Ok(())
                } else {
                    self.push_char(value)
                }
            }
        }
    }

    /// A first half with no second: what stands for a character that cannot be.
    fn lone_surrogate(&mut self) -> Result<()> {
        if self.high.take().is_some() { self.push(REPLACEMENT) } else { Ok(()) }
    }

    fn push_char(&mut self, code: u32) -> Result<()> {
        let mut buffer = [0; 4];
        let text = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut buffer);
        self.push(text.as_bytes())
    }

    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        if self.skip {
            return Ok(());
        }
        reserve(&mut self.text, bytes.len())?;
        self.text.extend_from_slice(bytes);
        Ok(())
    }
}

fn syntax(expected: &str, byte: u8, offset: u64) -> Error {
    Error::at(ErrorKind::SnapshotSyntax { expected: expected.to_owned(), found: found(byte) }, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &[u8]) -> Result<Vec<String>> {
        let mut results = Vec::new();
        for piece in [1, 2, 3, 5, text.len()] {
            let mut builder = StringsBuilder::new(Names::default());
            let mut result = Ok(());
            for (n, chunk) in text.chunks(piece).enumerate() {
                if let Err(error) = builder.feed(chunk, (n * piece) as u64) {
                    result = Err(error);
                    break;
                }
            }
            results
                .push(result.and_then(|()| builder.finish()).map(|t| t.iter().map(str::to_owned).collect()));
        }
        let first = results.swap_remove(0);
        assert!(results.iter().all(|other| *other == first), "splits differ");
        first
    }

    #[test]
    fn escapes_are_undone() {
        let text = br#"["", "a\"b\\c\/d\b\f\n\r\t", "\u00e9\u4e2d","\ud83d\ude00"]"#;
        assert_eq!(strings(&text[1..]).unwrap(), ["", "a\"b\\c/d\u{8}\u{c}\n\r\t", "é中", "😀"]);
    }

    #[test]
    fn lone_surrogates_become_the_replacement() {
        let text = br#"["\ud83d","\ud83dx","\ude00","\ud83d\n","\ud83d\ud83d\ude00","\ud83d\u0041"]"#;
        let r = '\u{FFFD}';
        assert_eq!(
            strings(&text[1..]).unwrap(),
            [
                format!("{r}"),
                format!("{r}x"),
                format!("{r}"),
                format!("{r}\n"),
                format!("{r}😀"),
                format!("{r}A")
            ]
        );
    }

    #[test]
    fn raw_utf8_is_kept_and_broken_utf8_mended() {
        assert_eq!(strings("\"é中😀\"]".as_bytes()).unwrap(), ["é中😀"]);
        assert_eq!(strings(b"\"ok\",\"a\xffb\",\"\xe4\xb8\"]").unwrap(), ["ok", "a\u{FFFD}b", "\u{FFFD}"]);
    }

    #[test]
    fn errors_have_places() {
        for (text, offset) in [
            (&br#"["a" "b"]"#[..], 5),
            (br#"["a",]"#, 5),
            (br#"[1]"#, 1),
            (br#"["\x"]"#, 3),
            (br#"["\u12g4"]"#, 6),
        ] {
            // The builder starts after the bracket.
            let error = strings(&text[1..]).unwrap_err();
            assert_eq!(error.offset(), Some(offset - 1), "{}", String::from_utf8_lossy(text));
        }
    }
}
