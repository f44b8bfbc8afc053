//! The outer machine: keys, colons and commas of the one object that a snapshot is.

use super::columns::{EdgeBuilder, LocationBuilder, Names, NodeBuilder, Scanned};
use super::header::{Header, HeaderText};
use super::scan::{Batch, NumberScanner, Stop};
use super::skip::Skipper;
use super::strings::StringsBuilder;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::location::Places;
use crate::graph::{Columns, Graph, NodeSink, Rows, SparseStrings};

/// A key longer than this is none of ours; only so much of it is kept.
const MAX_KEY: usize = 32;

/// The top-level values that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Snapshot,
    Nodes,
    Edges,
    Locations,
    Strings,
    Unknown,
}

impl Section {
    fn of_key(key: &[u8]) -> Self {
        match key {
            b"snapshot" => Self::Snapshot,
            b"nodes" => Self::Nodes,
            b"edges" => Self::Edges,
            b"locations" => Self::Locations,
            b"strings" => Self::Strings,
            _ => Self::Unknown,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Nodes => "nodes",
            Self::Edges => "edges",
            Self::Locations => "locations",
            Self::Strings => "strings",
            Self::Unknown => "an unknown key",
        }
    }
}

#[derive(Debug)]
enum State {
    /// Before the opening brace.
    Start,
    /// After it: a key or the end.
    FirstKey,
    /// After a comma: a key.
    NextKey,
    /// Inside a key, whose opening quote is at `start`.
    Key {
        escape: bool,
        start: u64,
    },
    Colon(Section),
    Value(Section),
    /// Inside the header's object, whose text is being gathered.
    Header(HeaderText),
    Numbers(Section, NumberScanner),
    /// Inside an array of numbers that nobody wants: up to its bracket.
    Unwanted(Section),
    Strings,
    Skip(Box<Skipper>),
    /// After a value: a comma or the end.
    AfterValue,
    /// After the closing brace: nothing.
    End,
}

/// Reads a `.heapsnapshot` in pieces of any size.
///
/// ```
/// # fn main() -> heapwarden::error::Result<()> {
/// use heapwarden::snapshot::SnapshotParser;
/// let mut parser = SnapshotParser::new();
/// let error = parser.feed(b"{\"nodes\":[").unwrap_err();
/// assert_eq!(error.code(), "HEAPWARDEN_ERR_SNAPSHOT_SCHEMA");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SnapshotParser {
    state: State,
    offset: u64,
    /// The key or the header being gathered.
    text: Vec<u8>,
    header: Option<Header>,
    nodes: Option<NodeBuilder>,
    edges: Option<EdgeBuilder>,
    locations: Option<LocationBuilder>,
    strings: Option<StringsBuilder>,
    batch: Batch,
    columns: Columns,
    places: Places,
    names: Names,
    /// Whether the nodes and their names are all that is wanted.
    alone: bool,
    /// Where the string table ended.
    strings_end: u64,
    /// Once the input is known to be bad it stays so.
    failed: Option<Error>,
}

impl Default for SnapshotParser {
    fn default() -> Self {
        Self::new()
    }
}

impl SnapshotParser {
    /// A parser at the start of an input.
    pub fn new() -> Self {
        Self {
            state: State::Start,
            offset: 0,
            text: Vec::new(),
            header: None,
            nodes: None,
            edges: None,
            locations: None,
            strings: None,
            batch: Batch::new(),
            columns: Columns::default(),
            places: Places::default(),
            names: Names::default(),
            alone: false,
            strings_end: 0,
            failed: None,
        }
    }

    /// Takes the next piece of the input, of any length.
    ///
    /// # Errors
    ///
    /// What is wrong with the input and the offset of the byte at fault; every later call gives the same error.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        self.feed_to(chunk, &mut NoSink)
    }

    fn feed_to(&mut self, chunk: &[u8], sink: &mut dyn NodeSink) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.advance(chunk, sink).inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// How many bytes were taken without an error.
    pub fn bytes_read(&self) -> u64 {
        self.offset
    }

    /// The graph of all that was fed.
    ///
    /// # Errors
    ///
    /// `SnapshotTruncated` where the input has not ended, `SnapshotIndex` for names outside the string table, and the error that
    /// `feed` gave.
    pub fn finish(self) -> Result<Graph> {
        let strings = self.check_end()?;
        let edges = self.edges.as_ref().ok_or_else(|| self.missing(Section::Edges))?;
        edges.highest.check("edge name", strings, self.strings_end)?;
        match (self.edges, self.strings) {
            (Some(edges), Some(strings)) => {
                let layouts = edges.layouts.finish();
                let mut graph = Graph::new(self.columns, layouts, strings.finish()?, self.places);
                if self.header.is_some_and(|header| header.in_clone) {
                    graph.disown_ids();
                }
                Ok(graph)
            }
            _ => Err(ErrorKind::Internal { message: "a section is gone".to_owned() }.into()),
        }
    }

    /// Checks that the input has ended and that its nodes have names; says how many strings there are.
    fn check_end(&self) -> Result<u64> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if !matches!(self.state, State::End) {
            let kind = ErrorKind::SnapshotTruncated { expected: self.expected() };
            return Err(Error::at(kind, self.offset));
        }
        let nodes = self.nodes.as_ref().ok_or_else(|| self.missing(Section::Nodes))?;
        let strings = self.strings.as_ref().ok_or_else(|| self.missing(Section::Strings))?.len();
        nodes.highest.check("node name", strings, self.strings_end)?;
        Ok(strings)
    }

    fn missing(&self, section: Section) -> Error {
        let kind = ErrorKind::SnapshotSchema {
            expected: format!("the key \"{}\"", section.name()),
            found: "the end of the object".to_owned(),
        };
        Error::at(kind, self.offset)
    }

    #[cfg(test)]
    pub(crate) fn text_capacity(&self) -> usize {
        let header = if let State::Header(text) = &self.state { text.text().len() } else { 0 };
        self.text.capacity() + header
    }

    #[cfg(test)]
    pub(crate) fn column_capacity(&self) -> usize {
        self.columns.self_size.capacity() + self.columns.edge_to.capacity()
    }

    fn advance(&mut self, mut chunk: &[u8], sink: &mut dyn NodeSink) -> Result<()> {
        while !chunk.is_empty() {
            let used = match &self.state {
                State::Numbers(..) => self.numbers(chunk, sink)?,
                _ => self.step(chunk)?,
            };
            self.offset += used as u64;
            chunk = &chunk[used..];
        }
        Ok(())
    }

    /// Uses a part of `chunk`, one byte at least or a change of state.
    fn step(&mut self, chunk: &[u8]) -> Result<usize> {
        match &mut self.state {
            State::Key { .. } => self.key(chunk),
            State::Header(_) => self.header(chunk),
            State::Unwanted(_) => match memchr::memchr(b']', chunk) {
                Some(end) => {
                    self.state = State::AfterValue;
                    Ok(end + 1)
                }
                None => Ok(chunk.len()),
            },
            State::Strings => self.strings(chunk),
            State::Skip(skipper) => {
                let (used, ended) = skipper.skip(chunk, self.offset)?;
                if ended {
                    self.state = State::AfterValue;
                }
                Ok(used)
            }
            _ => self.punctuation(chunk[0]),
        }
    }

    fn punctuation(&mut self, byte: u8) -> Result<usize> {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok(1);
        }
        self.state = match (&self.state, byte) {
            (State::Start, b'{') => State::FirstKey,
            (State::FirstKey | State::NextKey, b'"') => {
                self.text.clear();
                State::Key { escape: false, start: self.offset }
            }
            (State::FirstKey | State::AfterValue, b'}') => State::End,
            (State::AfterValue, b',') => State::NextKey,
            (State::Colon(section), b':') => State::Value(*section),
            (State::Value(section), _) => return self.value(*section, byte),
            _ => {
                let kind = ErrorKind::SnapshotSyntax { expected: self.expected(), found: found(byte) };
                return Err(Error::at(kind, self.offset));
            }
        };
        Ok(1)
    }

    fn key(&mut self, chunk: &[u8]) -> Result<usize> {
        let State::Key { escape, start } = &mut self.state else { return Ok(0) };
        for (at, &byte) in chunk.iter().enumerate() {
            match byte {
                _ if *escape => *escape = false,
                b'\\' => *escape = true,
                b'"' => {
                    let section = Section::of_key(&self.text);
                    let start = *start;
                    self.check_order(section, start)?;
                    self.state = State::Colon(section);
                    return Ok(at + 1);
                }
                _ => {}
            }
            if self.text.len() <= MAX_KEY {
                self.text.push(byte);
            }
        }
        Ok(chunk.len())
    }

    /// The header says how to read the rest, so it must come first; nothing may come twice.
    fn check_order(&self, section: Section, start: u64) -> Result<()> {
        let key = || format!("\"{}\"", String::from_utf8_lossy(&self.text).escape_debug());
        if self.header.is_none() && section != Section::Snapshot {
            let kind = ErrorKind::SnapshotSchema {
                expected: "\"snapshot\" as the first key".to_owned(),
                found: key(),
            };
            return Err(Error::at(kind, start));
        }
        // The edges are cut among the nodes as they come.
        if section == Section::Edges && self.nodes.is_none() {
            let kind =
                ErrorKind::SnapshotSchema { expected: "\"nodes\" before \"edges\"".to_owned(), found: key() };
            return Err(Error::at(kind, start));
        }
        let twice = match section {
            Section::Snapshot => self.header.is_some(),
            Section::Nodes => self.nodes.is_some(),
            Section::Edges => self.edges.is_some(),
            Section::Locations => self.locations.is_some(),
            Section::Strings => self.strings.is_some(),
            Section::Unknown => false,
        };
        if twice {
            let kind = ErrorKind::SnapshotSchema { expected: format!("{} once", key()), found: key() };
            return Err(Error::at(kind, start));
        }
        Ok(())
    }

    fn value(&mut self, section: Section, byte: u8) -> Result<usize> {
        let opening = match section {
            Section::Snapshot => b'{',
            Section::Unknown => byte,
            _ => b'[',
        };
        if byte != opening {
            let kind = ErrorKind::SnapshotSyntax { expected: self.expected(), found: found(byte) };
            return Err(Error::at(kind, self.offset));
        }
        let numbers = State::Numbers(section, NumberScanner::new());
        self.state = match (section, &self.header) {
            (Section::Snapshot, _) => {
                self.text.clear();
                State::Header(HeaderText::new(self.offset))
            }
            (Section::Nodes, Some(header)) => {
                self.nodes = Some(NodeBuilder::new(header, self.alone));
                numbers
            }
            (Section::Edges | Section::Locations, _) if self.alone => State::Unwanted(section),
            (Section::Edges, Some(header)) => {
                self.edges = Some(EdgeBuilder::new(header));
                numbers
            }
            (Section::Locations, Some(header)) => match header.location {
                Some(layout) => {
                    self.locations = Some(LocationBuilder::new(header, layout));
                    State::Numbers(section, NumberScanner::signed())
                }
                None => State::Skip(Box::new(Skipper::new())),
            },
            (Section::Strings, _) => {
                if self.nodes.is_none() || (self.edges.is_none() && !self.alone) {
                    self.names.keep_all();
                }
                let names = std::mem::take(&mut self.names);
                self.strings =
                    Some(if self.alone { StringsBuilder::only(names) } else { StringsBuilder::new(names) });
                State::Strings
            }
            _ => State::Skip(Box::new(Skipper::new())),
        };
        // What is gathered or skipped is read from its first byte on.
        Ok(usize::from(!matches!(self.state, State::Header(_) | State::Skip(_))))
    }

    fn header(&mut self, chunk: &[u8]) -> Result<usize> {
        let State::Header(text) = &mut self.state else { return Ok(0) };
        let (used, is_whole) = text.take(chunk)?;
        if is_whole {
            self.header = Some(text.parse()?);
            self.state = State::AfterValue;
        }
        Ok(used)
    }

    fn numbers(&mut self, chunk: &[u8], sink: &mut dyn NodeSink) -> Result<usize> {
        let State::Numbers(section, scanner) = &mut self.state else { return Ok(0) };
        let scanned = scanner.scan(chunk, self.offset, &mut self.batch, section.name());
        let (used, stop) = scanned.as_ref().map_or((0, Stop::Full), |&scanned| scanned);
        let last = self.offset + (used as u64).saturating_sub(1);
        if stop == Stop::Chunk && self.batch.values().is_empty() {
            return Ok(used);
        }
        let (read, columns) = (Scanned { batch: &self.batch, chunk }, &mut self.columns);
        let end = (stop == Stop::End).then_some(last);
        let used_up = match section {
            Section::Nodes => match &mut self.nodes {
                Some(nodes) => nodes.take(read, columns, &mut self.names)?,
                None => 0,
            },
            Section::Edges => match &mut self.edges {
                Some(edges) => edges.take(read, columns, &mut self.names)?,
                None => 0,
            },
            _ => match &self.locations {
                Some(locations) => locations.take(read, &mut self.places)?,
                None => 0,
            },
        };
        self.batch.consume(used_up);
        if self.alone && matches!(section, Section::Nodes) {
            sink.take(Rows::of(&self.columns))?;
            self.columns.clear_rows();
        }
        if let Some(end) = end {
            let (batch, columns) = (&self.batch, &self.columns);
            match section {
                Section::Nodes => self.nodes.as_ref().map_or(Ok(()), |nodes| nodes.finish(batch, end))?,
                Section::Edges => {
                    self.edges.as_mut().map_or(Ok(()), |edges| edges.finish(batch, columns, end))?
                }
                _ => self.locations.as_ref().map_or(Ok(()), |locations| locations.finish(batch, end))?,
            }
        }
        scanned?;
        if stop == Stop::End {
            self.state = State::AfterValue;
        }
        Ok(used)
    }

    fn strings(&mut self, chunk: &[u8]) -> Result<usize> {
        let Some(strings) = &mut self.strings else { return Ok(chunk.len()) };
        let (used, ended) = strings.feed(chunk, self.offset).map_err(|error| {
            if error.offset().is_some() { error } else { Error::at(error.kind().clone(), self.offset) }
        })?;
        if ended {
            self.strings_end = self.offset + (used as u64).saturating_sub(1);
            self.state = State::AfterValue;
        }
        Ok(used)
    }

    /// What may come next, for messages.
    fn expected(&self) -> String {
        match &self.state {
            State::Start => "\"{\"".to_owned(),
            State::FirstKey => "the key \"snapshot\"".to_owned(),
            State::NextKey => "a key".to_owned(),
            State::Key { .. } => "the end of a key".to_owned(),
            State::Colon(section) => format!("\":\" after {}", section.name()),
            State::Value(Section::Snapshot) => "\"{\" in \"snapshot\"".to_owned(),
            State::Value(Section::Unknown) => "a value".to_owned(),
            State::Value(section) => format!("\"[\" in \"{}\"", section.name()),
            State::Header(_) => "the end of the header".to_owned(),
            State::Numbers(section, _) => format!("a number or \"]\" in \"{}\"", section.name()),
            State::Unwanted(section) => format!("\"]\" in \"{}\"", section.name()),
            State::Strings => "a string or \"]\" in \"strings\"".to_owned(),
            State::Skip(_) => "the end of a value".to_owned(),
            State::AfterValue => "\",\" or \"}\"".to_owned(),
            State::End => "the end of the input".to_owned(),
        }
    }
}

/// Where nodes go that become a graph: nowhere else.
struct NoSink;

impl NodeSink for NoSink {
    fn take(&mut self, _: Rows<'_>) -> Result<()> {
        Ok(())
    }
}

/// Reads the nodes of a `.heapsnapshot` and the names of their classes, in constant memory and pieces of any size.
///
/// Edges are stepped over unread, so that what is wrong in them is not seen.
#[derive(Debug)]
pub struct NodeParser(SnapshotParser);

impl NodeParser {
    /// A parser at the start of an input.
    pub fn new() -> Self {
        Self(SnapshotParser { alone: true, ..SnapshotParser::new() })
    }

    /// Takes the next piece of the input, of any length, and hands the nodes in it to `sink`.
    ///
    /// # Errors
    ///
    /// As [`SnapshotParser::feed`], and those of the sink.
    pub fn feed(&mut self, chunk: &[u8], sink: &mut dyn NodeSink) -> Result<()> {
        self.0.feed_to(chunk, sink)
    }

    /// Whether what comes next is of no interest up to the next quote.
    pub fn is_skipping(&self) -> bool {
        matches!(self.0.state, State::Unwanted(_))
    }

    /// Goes on behind the next `bytes` bytes of the input, which are known to hold no quote; only while [`NodeParser::is_skipping`].
    pub fn skip(&mut self, bytes: u64) {
        self.0.offset += bytes;
    }

    /// Whether the ids are those of the process, as far as the text has said until now: see [`Graph::ids_are_own`].
    pub fn ids_are_own(&self) -> bool {
        !self.0.header.as_ref().is_some_and(|header| header.in_clone)
    }

    /// The names of objects and native nodes, by string index.
    ///
    /// # Errors
    ///
    /// As [`SnapshotParser::finish`].
    pub fn finish(self) -> Result<SparseStrings> {
        self.0.check_end()?;
        self.0.strings.map_or_else(|| Ok(SparseStrings::default()), StringsBuilder::finish_names)
    }
}

impl Default for NodeParser {
    fn default() -> Self {
        Self::new()
    }
}

/// `byte` as a person would write it.
pub(crate) fn found(byte: u8) -> String {
    match byte {
        b' '..=b'~' => format!("\"{}\"", byte as char),
        _ => format!("byte 0x{byte:02x}"),
    }
}
