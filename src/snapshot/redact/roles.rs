//! What each string is used for, by the nodes and edges that name it.

use super::numbers::{Digits, Records};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{EdgeKind, NodeKind, reserve};
use crate::snapshot::columns::Names;
use crate::snapshot::header::Header;

/// A class of objects: its constructor's name, or whatever a program put into `Symbol.toStringTag`.
pub const CLASS: u8 = 1;
/// A function, a script or a variable: the program's text spells it.
pub const SPELLED: u8 = 2;
/// A property, which may be a key of a table of data.
pub const PROPERTY: u8 = 4;
/// A field that V8 or Node gave a name.
pub const INTERNAL: u8 = 8;
/// Something of V8's or Node's own.
pub const LABEL: u8 = 16;
/// A string that code refers to: a constant, perhaps.
pub const IN_CODE: u8 = 32;

/// Of a node with so many edges or more the number stands in a list.
const MANY: u8 = u8::MAX;

/// What the nodes and edges that have passed say.
#[derive(Debug, Default)]
pub struct Roles {
    /// By node: its name, what it is, and how many edges it has.
    name: Vec<u32>,
    kind: Vec<u8>,
    edges: Vec<u8>,
    many: Vec<(u32, u32)>,
    /// By string.
    uses: Vec<u8>,
    /// Which strings code refers to: the name of what refers, and the string.
    in_code: Vec<(u32, u32)>,
    /// So many of these are sorted, each once.
    settled: usize,
    /// The node whose edges come next, how many of them are left, and how many of its elements have passed.
    node: usize,
    left: u32,
    elements: u64,
    /// How many edges have passed.
    passed: u64,
}

impl Roles {
    /// Checks that the fields come in an order in which a name can be judged.
    pub fn begin(&mut self, header: &Header, offset: u64) -> Result<()> {
        let (node, edge) = (header.node, header.edge);
        if node.kind < node.name && edge.kind < edge.name_or_index && node.stride <= 64 && edge.stride <= 64 {
            return Ok(());
        }
        Err(schema("the type of a node or an edge before its name", "the name before it", offset))
    }

    /// Takes and writes the whole nodes of `numbers`; says how many numbers these are.
    pub fn nodes(&mut self, header: &Header, numbers: Records<'_>, out: &mut Digits) -> Result<usize> {
        let layout = header.node;
        let found = numbers.batch.values().len() / layout.stride;
        let records = found.min(header.node_count as usize - self.name.len());
        reserve(&mut self.name, records)?;
        reserve(&mut self.kind, records)?;
        reserve(&mut self.edges, records)?;
        for record in 0..records {
            let place = |field: usize| record * layout.stride + field;
            let value = |field: usize| numbers.value(place(field));
            let fault =
                |field: usize, what, limit| index(what, value(field), limit, numbers.offset(place(field)));
            let Some(&kind) = header.node_kinds.get(value(layout.kind) as usize) else {
                return Err(fault(layout.kind, "node type", header.node_kinds.len() as u64));
            };
            let Some(name) = narrow(value(layout.name)) else {
                return Err(fault(layout.name, "node name", u64::from(u32::MAX)));
            };
            let Some(edges) = narrow(value(layout.edge_count)) else {
                return Err(fault(layout.edge_count, "edge_count", u64::from(u32::MAX)));
            };
            let is_value = is_value(kind);
            for field in 0..layout.stride {
                let is_told = field != layout.name || !is_value;
                out.number(if is_told { value(field) } else { 0 });
            }
            if !is_value {
                self.see(name, use_of(kind), || numbers.offset(place(layout.name)))?;
            }
            if edges >= u32::from(MANY) {
                reserve(&mut self.many, 1)?;
                self.many.push((self.name.len() as u32, edges));
            }
            self.name.push(name);
            self.kind.push(kind as u8);
            self.edges.push(edges.min(u32::from(MANY)) as u8);
        }
        if found > records {
            let offset = numbers.offset(records * layout.stride);
            return Err(count("nodes", header.node_count, u64::from(header.node_count) + 1, offset));
        }
        Ok(records * layout.stride)
    }

    /// Checks that all nodes have come.
    pub fn end_nodes(&mut self, header: &Header, offset: u64) -> Result<()> {
        if self.name.len() != header.node_count as usize {
            return Err(count("nodes", header.node_count, self.name.len() as u64, offset));
        }
        self.left = self.edges_of(0);
        Ok(())
    }

    /// Takes and writes the whole edges of `numbers`; says how many numbers these are.
    pub fn edges(&mut self, header: &Header, numbers: Records<'_>, out: &mut Digits) -> Result<usize> {
        let layout = header.edge;
        let stride = header.node.stride as u64;
        let records = numbers.batch.values().len() / layout.stride;
        for record in 0..records {
            let place = |field: usize| record * layout.stride + field;
            let value = |field: usize| numbers.value(place(field));
            let fault =
                |field: usize, what, limit| index(what, value(field), limit, numbers.offset(place(field)));
            let Some(&kind) = header.edge_kinds.get(value(layout.kind) as usize) else {
                return Err(fault(layout.kind, "edge type", header.edge_kinds.len() as u64));
            };
            let to = value(layout.to_node);
            if to % stride != 0 || to / stride >= self.name.len() as u64 {
                return Err(fault(layout.to_node, "edge to_node", stride * self.name.len() as u64));
            }
            while self.left == 0 {
                self.node += 1;
                self.elements = 0;
                if self.node >= self.name.len() {
                    let offset = numbers.offset(place(0));
                    return Err(count("edges", header.edge_count, self.passed + 1, offset));
                }
                self.left = self.edges_of(self.node);
            }
            self.left -= 1;
            self.passed += 1;
            let mut name = value(layout.name_or_index);
            let here = || numbers.offset(place(layout.name_or_index));
            match kind {
                EdgeKind::Element => {
                    name = self.elements;
                    self.elements += 1;
                }
                EdgeKind::Other => name = 0,
                EdgeKind::Hidden => {}
                _ => {
                    let Some(name) = narrow(name) else {
                        return Err(fault(layout.name_or_index, "edge name", u64::from(u32::MAX)));
                    };
                    let role = match kind {
                        EdgeKind::Context => SPELLED,
                        EdgeKind::Property => PROPERTY,
                        _ => INTERNAL,
                    };
                    self.see(name, role, here)?;
                }
            }
            let to = (to / stride) as usize;
            if self.kind[self.node] == NodeKind::Code as u8 && self.kind[to] == NodeKind::String as u8 {
                self.refer(self.name[self.node], self.name[to], here)?;
            }
            for field in 0..layout.stride {
                out.number(if field == layout.name_or_index { name } else { value(field) });
            }
        }
        Ok(records * layout.stride)
    }

    /// Checks that all edges have come.
    pub fn end_edges(&mut self, header: &Header, offset: u64) -> Result<()> {
        let is_short = self.left > 0 || (self.node + 1..self.name.len()).any(|node| self.edges[node] > 0);
        if is_short || self.passed != u64::from(header.edge_count) {
            return Err(count("edges", header.edge_count, self.passed, offset));
        }
        // The strings are what takes memory now.
        self.name = Vec::new();
        self.kind = Vec::new();
        self.edges = Vec::new();
        self.settle();
        Ok(())
    }

    /// The strings whose text is needed for a judgement.
    pub fn names(&self) -> Names {
        Names::of(self.uses.iter().map(|&uses| uses != 0))
    }

    /// Checks that the names used are there, in a table of `strings`.
    pub fn check(&self, strings: u64, offset: u64) -> Result<()> {
        let used = self.uses.len() as u64;
        if used > strings.max(1) { Err(index("name", used - 1, strings, offset)) } else { Ok(()) }
    }

    /// What string `index` is used for.
    pub fn uses(&self, index: u32) -> u8 {
        self.uses.get(index as usize).copied().unwrap_or(0)
    }

    /// How many strings may be used for something.
    pub fn len(&self) -> u32 {
        self.uses.len() as u32
    }

    /// Which strings code refers to: the name of what refers, and the string.
    pub fn in_code(&self) -> &[(u32, u32)] {
        &self.in_code
    }

    fn edges_of(&self, node: usize) -> u32 {
        match self.edges[node] {
            MANY => self
                .many
                .binary_search_by_key(&(node as u32), |&(node, _)| node)
                .map_or(0, |at| self.many[at].1),
            edges => u32::from(edges),
        }
    }

    /// Notes a use of string `name`. V8 numbers strings as they are first used: what lies far beyond is no reason to take memory.
    fn see(&mut self, name: u32, role: u8, offset: impl FnOnce() -> u64) -> Result<()> {
        let at = name as usize;
        if at >= self.uses.len() {
            let limit = 16 * (self.name.len() + self.passed as usize) + 4096;
            if at > limit {
                return Err(index("name", u64::from(name), limit as u64, offset()));
            }
            let more = at + 1 - self.uses.len();
            reserve(&mut self.uses, more)?;
            self.uses.resize(at + 1, 0);
        }
        self.uses[at] |= role;
        Ok(())
    }

    fn refer(&mut self, from: u32, string: u32, offset: impl FnOnce() -> u64) -> Result<()> {
        self.see(string, IN_CODE, offset)?;
        if self.in_code.len() == self.in_code.capacity() && self.in_code.len() > 2 * self.settled {
            self.settle();
        }
        reserve(&mut self.in_code, 1)?;
        self.in_code.push((from, string));
        Ok(())
    }

    fn settle(&mut self) {
        self.in_code.sort_unstable();
        self.in_code.dedup();
        self.settled = self.in_code.len();
    }
}

/// Whether the name of such a node is what the program's data says.
fn is_value(kind: NodeKind) -> bool {
    kind.is_string() || matches!(kind, NodeKind::Regexp | NodeKind::Other)
}

fn use_of(kind: NodeKind) -> u8 {
    match kind {
        NodeKind::Object | NodeKind::Wasm | NodeKind::Symbol | NodeKind::Number | NodeKind::BigInt => CLASS,
        NodeKind::Closure | NodeKind::Code => SPELLED,
        _ => LABEL,
    }
}

fn schema(expected: &str, found: &str, offset: u64) -> Error {
    let kind = ErrorKind::SnapshotSchema { expected: expected.to_owned(), found: found.to_owned() };
    Error::at(kind, offset)
}

fn index(field: &'static str, index: u64, limit: u64, offset: u64) -> Error {
    Error::at(ErrorKind::SnapshotIndex { field, index, limit }, offset)
}

fn count(section: &'static str, declared: u32, found: u64, offset: u64) -> Error {
    Error::at(ErrorKind::SnapshotCount { section, declared: u64::from(declared), found }, offset)
}

/// A number that can be kept in 32 bits, of which the largest stands for those that cannot.
fn narrow(number: u64) -> Option<u32> {
    u32::try_from(number).ok().filter(|&number| number < u32::MAX)
}
