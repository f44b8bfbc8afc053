//! The header: what fields there are, in what order, and how many records to expect.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::stamp::Found;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{EdgeKind, NodeKind, Target};

/// A real header is about 1.5 KB.
pub(crate) const MAX_HEADER: usize = 1024 * 1024;

/// A record of more fields than this is no node; real ones have seven at most.
const MAX_FIELDS: usize = 64;

/// A type is kept in a byte.
const MAX_TYPES: usize = 256;

/// Which of a node's numbers is which.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeLayout {
    pub stride: usize,
    pub kind: usize,
    pub name: usize,
    pub id: usize,
    pub self_size: usize,
    pub edge_count: usize,
    /// Whether a document refers to the node; `None` where V8 wrote none (before Node 16).
    pub detachedness: Option<usize>,
}

/// Which of an edge's numbers is which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EdgeLayout {
    pub stride: usize,
    pub kind: usize,
    pub name_or_index: usize,
    pub to_node: usize,
}

/// Which of a location's numbers is which.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocationLayout {
    pub stride: usize,
    pub object_index: usize,
    pub script_id: usize,
    pub line: usize,
    pub column: usize,
}

/// Gathers the text of the header, from its first brace to the one that closes it.
#[derive(Debug)]
pub(crate) struct HeaderText {
    start: u64,
    text: Vec<u8>,
    depth: u32,
    is_in_string: bool,
    is_escaped: bool,
}

impl HeaderText {
    /// One that begins at byte `start` of the file.
    pub fn new(start: u64) -> Self {
        Self { start, text: Vec::new(), depth: 0, is_in_string: false, is_escaped: false }
    }

    /// Takes what belongs to the header; how many bytes that are, and whether it is whole now.
    pub fn take(&mut self, chunk: &[u8]) -> Result<(usize, bool)> {
        for (at, &byte) in chunk.iter().enumerate() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.is_in_string => self.is_escaped = true,
                b'"' => self.is_in_string = !self.is_in_string,
                _ if self.is_in_string => {}
                b'{' => self.depth = self.depth.saturating_add(1),
                b'}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.depth == 0 {
                self.text.extend_from_slice(&chunk[..=at]);
                return Ok((at + 1, true));
            }
            if self.text.len() + at >= MAX_HEADER {
                let kind = ErrorKind::SnapshotLimit { what: "the header", limit: MAX_HEADER as u64 };
                return Err(Error::at(kind, self.start + MAX_HEADER as u64));
            }
        }
        self.text.extend_from_slice(chunk);
        Ok((chunk.len(), false))
    }

    /// The text so far.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where the text that was taken ends.
    pub fn end(&self) -> u64 {
        self.start + self.text.len() as u64
    }

    /// What it says, when it is whole.
    pub fn parse(&self) -> Result<Header> {
        Header::parse(&self.text, self.start)
    }
}

/// What the header says.
#[derive(Debug)]
pub(crate) struct Header {
    pub node_count: u32,
    pub edge_count: u32,
    pub node: NodeLayout,
    pub edge: EdgeLayout,
    /// `None` where V8 wrote none (before Node 10).
    pub location: Option<LocationLayout>,
    pub node_kinds: Vec<NodeKind>,
    pub edge_kinds: Vec<EdgeKind>,
    /// Whether it says that the snapshot was taken in a clone of the process.
    pub in_clone: bool,
}

#[derive(Deserialize)]
struct RawHeader {
    meta: RawMeta,
    node_count: u64,
    edge_count: u64,
    heapwarden: Option<Found>,
}

#[derive(Deserialize)]
struct RawMeta {
    node_fields: Vec<String>,
    node_types: Vec<RawType>,
    edge_fields: Vec<String>,
    edge_types: Vec<RawType>,
    #[serde(default)]
    location_fields: Vec<String>,
}

/// A field's type: the names of an enumeration, or a word such as `number`.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawType {
    Names(Vec<String>),
    #[allow(dead_code, reason = "it must be read to be told from the names")]
    Word(IgnoredAny),
}

impl Header {
    /// The header in `text`, a whole JSON object that starts at `base` in the input.
    pub fn parse(text: &[u8], base: u64) -> Result<Self> {
        // What is passed over is not looked at by the JSON parser, and is passed on by whoever redacts.
        let words = std::str::from_utf8(text).map_err(|error| {
            let at = error.valid_up_to();
            let (expected, found) = ("a header in UTF-8".to_owned(), format!("byte 0x{:02x}", text[at]));
            Error::at(ErrorKind::SnapshotSyntax { expected, found }, base + at as u64)
        })?;
        let raw: RawHeader = serde_json::from_str(words).map_err(|error| json_error(text, base, &error))?;
        let end = base + text.len() as u64;
        Self::resolve(&raw).map_err(|kind| Error::at(kind, end))
    }

    fn resolve(raw: &RawHeader) -> Result<Self, ErrorKind> {
        let node = Fields::new("node_fields", &raw.meta.node_fields)?;
        let edge = Fields::new("edge_fields", &raw.meta.edge_fields)?;
        let location = Fields::new("location_fields", &raw.meta.location_fields)?;
        let node = NodeLayout {
            stride: node.names.len(),
            kind: node.position("type")?,
            name: node.position("name")?,
            id: node.position("id")?,
            self_size: node.position("self_size")?,
            edge_count: node.position("edge_count")?,
            detachedness: node.position("detachedness").ok(),
        };
        let edge = EdgeLayout {
            stride: edge.names.len(),
            kind: edge.position("type")?,
            name_or_index: edge.position("name_or_index")?,
            to_node: edge.position("to_node")?,
        };
        let location = if location.names.is_empty() {
            None
        } else {
            Some(LocationLayout {
                stride: location.names.len(),
                object_index: location.position("object_index")?,
                script_id: location.position("script_id")?,
                line: location.position("line")?,
                column: location.position("column")?,
            })
        };
        let node_types = type_names("node_types", &raw.meta.node_types, node.kind)?;
        let edge_types = type_names("edge_types", &raw.meta.edge_types, edge.kind)?;
        let header = Self {
            node_count: count("node_count", raw.node_count, Target::LIMIT)?,
            edge_count: count("edge_count", raw.edge_count, u32::MAX)?,
            node,
            edge,
            location,
            node_kinds: node_types.iter().map(|name| NodeKind::from_name(name)).collect(),
            edge_kinds: edge_types.iter().map(|name| EdgeKind::from_name(name)).collect(),
            in_clone: raw.heapwarden.as_ref().is_some_and(Found::is_clone),
        };
        if header.node_count == 0 {
            return Err(schema("at least one node, the root", "node_count 0"));
        }
        Ok(header)
    }
}

struct Fields<'a> {
    list: &'static str,
    names: &'a [String],
}

impl<'a> Fields<'a> {
    fn new(list: &'static str, names: &'a [String]) -> Result<Self, ErrorKind> {
        if names.len() > MAX_FIELDS {
            return Err(ErrorKind::SnapshotLimit { what: list, limit: MAX_FIELDS as u64 });
        }
        Ok(Self { list, names })
    }

    fn position(&self, field: &str) -> Result<usize, ErrorKind> {
        self.names
            .iter()
            .position(|name| name == field)
            .ok_or_else(|| schema(format!("\"{field}\" in meta.{}", self.list), "none"))
    }
}

fn type_names<'a>(
    list: &'static str,
    types: &'a [RawType],
    position: usize,
) -> Result<&'a [String], ErrorKind> {
    match types.get(position) {
        Some(RawType::Names(names)) if names.len() > MAX_TYPES => {
            Err(ErrorKind::SnapshotLimit { what: list, limit: MAX_TYPES as u64 })
        }
        Some(RawType::Names(names)) => Ok(names),
        Some(RawType::Word(_)) => {
            Err(schema(format!("the names of the types in meta.{list}"), "a single word"))
        }
        None => Err(schema(format!("the names of the types in meta.{list}"), "none")),
    }
}

/// Nodes are numbered in 30 bits and edges in 32: a snapshot with more of either is a file of 60 GB at least.
fn count(what: &'static str, value: u64, end: u32) -> Result<u32, ErrorKind> {
    let limit = u64::from(end) - 1;
    if value > limit { Err(ErrorKind::SnapshotLimit { what, limit }) } else { Ok(value as u32) }
}

fn schema(expected: impl Into<String>, found: impl Into<String>) -> ErrorKind {
    ErrorKind::SnapshotSchema { expected: expected.into(), found: found.into() }
}

/// serde_json's complaint, its line and column turned into an offset.
fn json_error(text: &[u8], base: u64, error: &serde_json::Error) -> Error {
    let line_start: usize =
        text.split_inclusive(|&b| b == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let offset = base + (line_start + error.column().saturating_sub(1)).min(text.len()) as u64;
    let full = error.to_string();
    // Without its " at line 1 column 2": the offset says it.
    let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(message, _)| message);
    let kind = if error.is_data() {
        schema("a V8 heap snapshot header", message)
    } else {
        ErrorKind::SnapshotSyntax { expected: "a JSON header".to_owned(), found: message.to_owned() }
    };
    Error::at(kind, offset)
}
