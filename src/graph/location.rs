//! Where in the source a function, or the constructor of an object, stands.
//!
//! V8 records a script's number, a line and a column for each closure and for each object that was made by a function
//! with a source. The script's number means nothing outside the process; its file name is found in the graph itself:
//!
//! ```text
//!  closure --shared--> code (SharedFunctionInfo) --script--> code (Script), whose name is the file's
//! ```
//!
//! The second edge is called `script_or_debug_info` up to Node 20 and `script` after.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::{EdgeKind, Graph, Node, NodeKind, out_of_memory, reserve};
use crate::error::Result;

/// A place in a source file, as editors count: the first line is 1, and so is the first column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// The path of the file; `node:...` for Node's own code.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

impl Location {
    /// Whether this is the service's code rather than Node's own.
    pub fn is_user_code(&self) -> bool {
        is_user_file(&self.file)
    }

    /// Whether this is in the service's own files: neither Node's nor those of an installed package.
    pub fn is_program(&self) -> bool {
        let is_installed = self.file.split(['/', '\\']).any(|part| part == "node_modules");
        self.is_user_code() && !is_installed
    }
}

/// Whether `file` is part of the service: not Node's own (`node:` and, in bundled tools, `internal/`), not nameless.
pub fn is_user_file(file: &str) -> bool {
    !(file.is_empty()
        || file.starts_with("node:")
        || file.starts_with("internal/")
        || file.starts_with("evalmachine."))
}

/// A script's number, a line and a column, as V8 writes them: from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub script: u32,
    pub line: u32,
    pub column: u32,
}

/// What V8 writes where it knows a script but no position in it: -1.
const NOWHERE: u32 = u32::MAX;

/// The snapshot's `locations`: 8 bytes each, because objects of a class share their place.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Node and index into `table`, ascending once they are resolved.
    by_node: Vec<(Node, u32)>,
    table: Vec<Place>,
    /// Where in `table` a place is, while they are read.
    known: FxHashMap<Place, u32>,
    /// Script number and the node whose name is the file's, ascending.
    scripts: Vec<(u32, Node)>,
}

impl Places {
    /// Takes the next entry.
    pub fn add(&mut self, node: Node, place: Place) -> Result<()> {
        let last = self.by_node.last().map(|&(_, at)| at);
        let at = match last {
            Some(at) if self.table[at as usize] == place => at,
            _ => match self.known.get(&place) {
                Some(&at) => at,
                None => self.new_place(place)?,
            },
        };
        reserve(&mut self.by_node, 1)?;
        self.by_node.push((node, at));
        Ok(())
    }

    fn new_place(&mut self, place: Place) -> Result<u32> {
        let at = self.table.len() as u32;
        reserve(&mut self.table, 1)?;
        self.known.try_reserve(1).map_err(|_| out_of_memory(self.table.len() * 16))?;
        self.table.push(place);
        self.known.insert(place, at);
        Ok(at)
    }

    /// Finds the scripts' names in `graph`.
    pub fn resolve(&mut self, graph: &Graph) {
        self.known = FxHashMap::default();
        self.by_node.sort_by_key(|&(node, _)| node);
        self.by_node.dedup_by_key(|&mut (node, _)| node);
        let mut scripts: Vec<(u32, Node)> = Vec::new();
        let mut last = None;
        for &(node, at) in &self.by_node {
            let script = self.table[at as usize].script;
            if last == Some(script) || graph.kind(node) != NodeKind::Closure {
                continue;
            }
            last = Some(script);
            if let Err(slot) = scripts.binary_search_by_key(&script, |&(script, _)| script)
                && let Some(node) = script_of(graph, node)
            {
                scripts.insert(slot, (script, node));
            }
        }
        self.scripts = scripts;
    }

    /// The nodes that have a place, ascending, with an index that is the same for the same place.
    pub fn by_node(&self) -> &[(Node, u32)] {
        &self.by_node
    }

    /// The place with an index that [`Places::by_node`] gave.
    pub fn place(&self, index: u32) -> Place {
        self.table[index as usize]
    }

    /// Where in the source `node` is written.
    pub fn of(&self, graph: &Graph, node: Node) -> Option<Location> {
        let slot = self.by_node.binary_search_by_key(&node, |&(node, _)| node).ok()?;
        let place = self.table[self.by_node[slot].1 as usize];
        if place.line == NOWHERE {
            return None;
        }
        let script = self.scripts.binary_search_by_key(&place.script, |&(script, _)| script).ok()?;
        let file = path_of_url(graph.name(self.scripts[script].1));
        if file.is_empty() {
            return None;
        }
        let column = if place.column == NOWHERE { 0 } else { place.column };
        Some(Location { file, line: place.line.saturating_add(1), column: column.saturating_add(1) })
    }
}

/// The script node of a closure.
fn script_of(graph: &Graph, closure: Node) -> Option<Node> {
    let internal = |node: Node, name: &str| {
        let edge = graph.edge_named(node, name)?;
        (graph.edge_kind(node, edge) == EdgeKind::Internal).then(|| graph.edge_to(edge))
    };
    let shared = internal(closure, "shared")?;
    let script = internal(shared, "script").or_else(|| internal(shared, "script_or_debug_info"))?;
    // While a debugger is attached its record stands between the function and the script.
    let script = internal(script, "script").unwrap_or(script);
    (graph.kind(script) == NodeKind::Code && !graph.name(script).starts_with("system /")).then_some(script)
}

/// A `file://` URL as a path; anything else as it is.
fn path_of_url(name: &str) -> String {
    let Some(rest) = name.strip_prefix("file://") else { return name.to_owned() };
    // file:///C:/x is C:/x on Windows; file:///x is /x elsewhere.
    let rest = match rest.as_bytes() {
        [b'/', drive, b':', ..] if drive.is_ascii_alphabetic() => &rest[1..],
        _ => rest,
    };
    percent_decoded(rest)
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |i: usize| bytes.get(i).and_then(|&b| (b as char).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_paths() {
        assert_eq!(path_of_url("file:///srv/app/a%20b.mjs"), "/srv/app/a b.mjs");
        assert_eq!(path_of_url("file:///C:/app/x.js"), "C:/app/x.js");
        assert_eq!(path_of_url("/srv/app/100%.js"), "/srv/app/100%.js");
        assert_eq!(path_of_url("file:///srv/%zz%4"), "/srv/%zz%4");
    }

    #[test]
    fn node_is_not_user_code() {
        for file in ["", "node:events", "node:internal/timers", "internal/bootstrap/node"] {
            assert!(!is_user_file(file), "{file}");
        }
        assert!(is_user_file("/srv/app/server.js"));
        assert!(is_user_file("app.js"));
    }
}
