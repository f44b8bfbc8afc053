//! `.heapsnapshot` bytes to a [`Graph`](crate::graph::Graph), as a stream.
//!
//! A snapshot is one JSON object, and nearly all of it is numbers:
//!
//! ```text
//! {"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count",...],
//!                      "node_types":[["hidden","array","string",...],"string","number",...],
//!                      "edge_fields":["type","name_or_index","to_node"], ...},
//!              "node_count":2,"edge_count":1},
//!  "nodes":[9,0,1,0,1,0,0,     one node: type 9, name strings[0], id 1, 0 bytes, 1 edge, ...
//!           3,1,3,24,0,0,0],   the next
//!  "edges":[1,1,7],            one edge: type 1, name or index 1, to the node that starts at nodes[7]
//!  "trace_function_infos":[], "trace_tree":[], "samples":[],
//!  "locations":[7,391,3,27],   nodes[7] was made at script 391, line 3, column 27 (from 0)
//!  "strings":["<dummy>","Session"]}
//! ```
//!
//! The edges of the first node come first, then those of the second: `edge_count` cuts the edges among the nodes. How many
//! fields a node has, and in what order, stands in `meta` and differs between versions of Node. The strings come last, so no
//! name is known before the end.
//!
//! One machine, fed with pieces of any size, walks that:
//!
//! ```text
//!  bytes -> parser (keys, colons, commas) -> header           whole, bounded, by serde_json
//!                                         -> scan -> columns   nodes, edges, locations: numbers in batches
//!                                         -> strings           escapes undone, one buffer
//!                                         -> skip              any other key, constant memory
//! ```
//!
//! The input is not trusted. Every index is checked, against the header's counts as it is read or against the table's length
//! at the end; memory grows with the bytes that were read and never because a header said so; every error carries the offset of
//! the byte at fault.

mod columns;
#[cfg(any(test, fuzzing, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod parser;
mod read;
mod redact;
mod scan;
mod skip;
mod source;
mod stamp;
mod strings;
#[cfg(test)]
pub(crate) mod testing;

pub use parser::{NodeParser, SnapshotParser};
pub use read::read_graph;
pub use redact::{Level, Redactor, Salt, is_own};
pub use source::Input;
pub use stamp::Stamp;
#[cfg(test)]
mod tests;
