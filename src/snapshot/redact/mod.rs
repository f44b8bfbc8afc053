//! A snapshot's text without what the program's data says: the values of strings, or the names as well.
//!
//! ```text
//!  nodes    text, patterns             -> all called strings[0]
//!  edges    places in lists            -> counted anew within each node
//!  strings  0                          -> "(redacted)"
//!           a name that may stay       -> as it is
//!           another name               -> "(redacted 5f0c...)", a hash with a salt of this text's own
//!           what names nothing         -> ""
//!  all else                            -> as it is: counts, ids, sizes, places in scripts
//! ```
//!
//! The strings come last, so that nodes and edges are written before any name is known: what is written for them must not depend on it. What
//! a string is used for is collected meanwhile ([`roles`]), the strings that name something are kept until the last one has passed, and then
//! all are written ([`names`] decides). Of the values of strings nothing is kept at all.
//!
//! Whatever is not understood ends the text with an error: nothing passes because it was not looked at.

mod names;
mod numbers;
mod roles;
#[cfg(test)]
mod tests;

use super::header::{Header, HeaderText};
use super::parser::found;
use super::scan::{Batch, NumberScanner, Stop};
use super::skip::Skipper;
use super::strings::StringsBuilder;
use crate::error::{Error, ErrorKind, Result};
use numbers::{Digits, Records};
use roles::Roles;

pub use names::{Salt, is_own};

/// How much of a heap's contents may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// No values of strings; names that the program's text spells.
    Names,
    /// No names either, but for those of V8, JavaScript and Node.
    Shape,
}

impl Level {
    /// The name in options and in the text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::Shape => "shape",
        }
    }

    /// The level of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Names, Self::Shape].into_iter().find(|level| level.name() == name)
    }
}

/// What is gathered before it is handed on.
const PIECE: usize = 64 * 1024;

/// A longer key is none that V8 would write.
const MAX_KEY: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Snapshot,
    Nodes,
    Edges,
    Locations,
    Strings,
    Other,
}

#[derive(Debug)]
enum State {
    Start,
    FirstKey,
    NextKey,
    Key,
    Colon(Section),
    Value(Section),
    Header(HeaderText),
    Numbers(Section, NumberScanner),
    Strings(Box<StringsBuilder>),
    /// A value of which only the text in it is taken away: whether it stands inside a string, and behind a backslash.
    Other(Box<Skipper>, bool, bool),
    AfterValue,
    End,
}

/// Where the redacted text goes, in pieces.
pub type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

/// Redacts a `.heapsnapshot` in pieces of any size.
///
/// Memory: six bytes a node, one a string, and the text of names; never a byte of a value.
#[derive(Debug)]
pub struct Redactor {
    level: Level,
    salt: Salt,
    state: State,
    offset: u64,
    key: Vec<u8>,
    header: Option<Header>,
    batch: Batch,
    roles: Roles,
    out: Digits,
    /// The sections that have begun.
    seen: Vec<Section>,
    failed: Option<Error>,
}

impl Redactor {
    /// A redactor for a text of which nothing has passed, with a salt of its own.
    pub fn new(level: Level) -> Self {
        Self::with(level, Salt::random())
    }

    /// The same with a given salt.
    pub fn with(level: Level, salt: Salt) -> Self {
        Self {
            level,
            salt,
            state: State::Start,
            offset: 0,
            key: Vec::new(),
            header: None,
            batch: Batch::new(),
            roles: Roles::default(),
            out: Digits::default(),
            seen: Vec::new(),
            failed: None,
        }
    }

    /// Takes the next piece of the text and hands what may be told of it to `sink`.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, with the offset of the byte at fault, and those of `sink`; every later call gives the same.
    pub fn feed(&mut self, chunk: &[u8], sink: Sink<'_>) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.advance(chunk, sink).inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// Hands on what is left.
    ///
    /// # Errors
    ///
    /// As [`Redactor::feed`]; `SnapshotTruncated` where the text has not ended.
    pub fn finish(mut self, sink: Sink<'_>) -> Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !matches!(self.state, State::End) {
            let kind = ErrorKind::SnapshotTruncated { expected: self.expected().to_owned() };
            return Err(Error::at(kind, self.offset));
        }
        self.out.flush(sink)
    }

    fn expected(&self) -> &'static str {
        match self.state {
            State::Start => "\"{\"",
            State::FirstKey => "a key or \"}\"",
            State::NextKey | State::Key => "a key",
            State::Colon(_) => "\":\"",
            State::Value(_) | State::Header(_) | State::Other(..) => "a value",
            State::Numbers(..) => "a number or \"]\"",
            State::Strings(_) => "a string or \"]\"",
            State::AfterValue => "\",\" or \"}\"",
            State::End => "the end of the input",
        }
    }

    fn advance(&mut self, mut chunk: &[u8], sink: Sink<'_>) -> Result<()> {
        while !chunk.is_empty() {
            let used = match &self.state {
                State::Key => self.key(chunk)?,
                State::Header(_) => self.header(chunk)?,
                State::Numbers(..) => self.numbers(chunk)?,
                State::Strings(_) => self.strings(chunk, sink)?,
                State::Other(..) => self.other(chunk)?,
                _ => self.punctuation(chunk[0])?,
            };
            self.offset += used as u64;
            chunk = &chunk[used..];
            self.out.flush_past(PIECE, sink)?;
        }
        Ok(())
    }

    fn syntax<T>(&self, byte: u8) -> Result<T> {
        let kind = ErrorKind::SnapshotSyntax { expected: self.expected().to_owned(), found: found(byte) };
        Err(Error::at(kind, self.offset))
    }

    fn punctuation(&mut self, byte: u8) -> Result<usize> {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok(1);
        }
        self.state = match (&self.state, byte) {
            (State::Start, b'{') => {
                self.out.text(b"{");
                State::FirstKey
            }
            (State::FirstKey | State::NextKey, b'"') => {
                self.key.clear();
                State::Key
            }
            (State::FirstKey | State::AfterValue, b'}') => {
                self.out.text(b"}\n");
                State::End
            }
            (State::AfterValue, b',') => State::NextKey,
            (State::Colon(section), b':') => State::Value(*section),
            (State::Value(section), _) => return self.value(*section, byte),
            _ => return self.syntax(byte),
        };
        Ok(1)
    }

    fn key(&mut self, chunk: &[u8]) -> Result<usize> {
        for (at, &byte) in chunk.iter().enumerate() {
            match byte {
                b'"' => {
                    // What is wrong is wrong with the key, wherever pieces end.
                    let start = self.offset + at as u64 - self.key.len() as u64;
                    let section = self.begin(start)?;
                    self.state = State::Colon(section);
                    return Ok(at + 1);
                }
                b'a'..=b'z' | b'_' if self.key.len() < MAX_KEY => self.key.push(byte),
                _ => {
                    return schema(self.offset + at as u64, "a key of at most 32 small letters", "another");
                }
            }
        }
        Ok(chunk.len())
    }

    /// Which section the key begins that stands at `start`. Names are judged by nodes and edges, so these have to come before the strings.
    fn begin(&mut self, start: u64) -> Result<Section> {
        let (section, before): (_, &[Section]) = match &self.key[..] {
            b"snapshot" => (Section::Snapshot, &[]),
            b"nodes" => (Section::Nodes, &[Section::Snapshot]),
            b"edges" => (Section::Edges, &[Section::Nodes]),
            b"locations" => (Section::Locations, &[Section::Snapshot]),
            b"strings" => (Section::Strings, &[Section::Edges]),
            _ => (Section::Other, &[Section::Snapshot]),
        };
        if before.iter().any(|section| !self.seen.contains(section)) {
            return schema(start, "snapshot, nodes, edges and strings in this order", "another order");
        }
        if section != Section::Other {
            if self.seen.contains(&section) {
                return schema(start, "each key once", "one twice");
            }
            self.seen.push(section);
        }
        let is_first = matches!(self.seen[..], [Section::Snapshot]) && section == Section::Snapshot;
        self.out.text(if is_first { b"\"" } else { b",\n\"" });
        self.out.text(&self.key);
        self.out.text(b"\":");
        Ok(section)
    }

    fn value(&mut self, section: Section, byte: u8) -> Result<usize> {
        let opening = match section {
            Section::Snapshot => b'{',
            Section::Other => byte,
            _ => b'[',
        };
        if byte != opening {
            return self.syntax(byte);
        }
        self.state = match section {
            Section::Snapshot => {
                self.key.clear();
                State::Header(HeaderText::new(self.offset))
            }
            Section::Other => State::Other(Box::new(Skipper::new()), false, false),
            Section::Strings => {
                self.out.text(b"[");
                State::Strings(Box::new(StringsBuilder::only(self.roles.names())))
            }
            _ => {
                self.out.begin();
                State::Numbers(section, NumberScanner::new())
            }
        };
        // What is gathered or copied is read from its first byte on.
        Ok(usize::from(!matches!(section, Section::Snapshot | Section::Other)))
    }

    fn header(&mut self, chunk: &[u8]) -> Result<usize> {
        let State::Header(header) = &mut self.state else { return Ok(0) };
        let (used, is_whole) = header.take(chunk)?;
        if is_whole {
            let parsed = header.parse()?;
            self.roles.begin(&parsed, header.end())?;
            // A header that parses has the key "meta": there is something for the comma to stand before.
            let note = format!("{{\"heapwarden_redaction\":\"{}\",", self.level.name());
            self.out.text(note.as_bytes());
            self.out.text(&header.text()[1..]);
            self.header = Some(parsed);
            self.state = State::AfterValue;
        }
        Ok(used)
    }

    fn numbers(&mut self, chunk: &[u8]) -> Result<usize> {
        let (State::Numbers(section, scanner), Some(header)) = (&mut self.state, &self.header) else {
            return Ok(0);
        };
        let section = *section;
        let name = match section {
            Section::Nodes => "nodes",
            Section::Edges => "edges",
            _ => "locations",
        };
        let scanned = scanner.scan(chunk, self.offset, &mut self.batch, name);
        let records = Records { batch: &self.batch, chunk };
        // Something may be wrong with a number before the one that could not be read, and the first fault is the one to tell.
        let taken = match section {
            Section::Nodes => self.roles.nodes(header, records, &mut self.out)?,
            Section::Edges => self.roles.edges(header, records, &mut self.out)?,
            _ => self.out.all(&self.batch),
        };
        self.batch.consume(taken);
        let (used, stop) = scanned?;
        if stop == Stop::End {
            // Where the bracket is.
            let at = self.offset + used as u64 - 1;
            match section {
                Section::Nodes => self.roles.end_nodes(header, at)?,
                Section::Edges => self.roles.end_edges(header, at)?,
                _ => {}
            }
            if !self.batch.values().is_empty() {
                return schema(at, "whole records", "a part of one at the end");
            }
            self.out.text(b"]");
            self.state = State::AfterValue;
        }
        Ok(used)
    }

    fn strings(&mut self, chunk: &[u8], sink: Sink<'_>) -> Result<usize> {
        let State::Strings(builder) = &mut self.state else { return Ok(0) };
        let (used, ended) = builder.feed(chunk, self.offset)?;
        if ended && let State::Strings(builder) = std::mem::replace(&mut self.state, State::AfterValue) {
            let count = builder.len();
            self.roles.check(count, self.offset + used as u64 - 1)?;
            let text = builder.finish_names()?;
            let judge = names::Judge::new(self.level, &self.salt, &self.roles, &text);
            for index in 0..count as u32 {
                if index > 0 {
                    self.out.text(b",");
                }
                judge.write(index, &mut self.out)?;
                self.out.flush_past(PIECE, sink)?;
            }
            self.out.text(b"]");
        }
        Ok(used)
    }

    fn other(&mut self, chunk: &[u8]) -> Result<usize> {
        let State::Other(skipper, string, escape) = &mut self.state else { return Ok(0) };
        let (used, ended) = skipper.skip(chunk, self.offset)?;
        for &byte in &chunk[..used] {
            match byte {
                _ if *escape => *escape = false,
                b'\\' if *string => *escape = true,
                b'"' => {
                    *string = !*string;
                    self.out.text(b"\"");
                }
                _ if *string => {}
                byte => self.out.text(&[byte]),
            }
        }
        if ended {
            self.state = State::AfterValue;
        }
        Ok(used)
    }
}

fn schema<T>(offset: u64, expected: &str, found: &str) -> Result<T> {
    let kind = ErrorKind::SnapshotSchema { expected: expected.to_owned(), found: found.to_owned() };
    Err(Error::at(kind, offset))
}
