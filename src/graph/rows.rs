//! The nodes of a snapshot as they pass by, for work that needs no graph.

use super::{Columns, NodeKind, Sizes};
use crate::error::Result;

/// What is done with the nodes of a snapshot, some hundreds at a time, in the order of the file.
pub trait NodeSink {
    /// Takes the next nodes.
    ///
    /// # Errors
    ///
    /// What keeps the work from going on: the parser stops with it.
    fn take(&mut self, rows: Rows<'_>) -> Result<()>;
}

/// Some nodes.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a>(&'a Columns);

/// One node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub kind: NodeKind,
    /// The string index of its name.
    pub name: u32,
    /// V8's number of the object.
    pub id: u32,
    /// Its own bytes.
    pub self_size: u64,
}

impl<'a> Rows<'a> {
    pub(crate) fn of(columns: &'a Columns) -> Self {
        Self(columns)
    }

    /// The nodes, in order.
    pub fn iter(&self) -> impl Iterator<Item = Row> + 'a {
        let Columns { kind, name, id, self_size, .. } = self.0;
        let sizes = (0..).map(|node| self_size.get(node));
        kind.iter().zip(name).zip(id).zip(sizes).map(|(((kind, &name), &id), self_size)| Row {
            kind: kind.kind(),
            name,
            id,
            self_size,
        })
    }
}

impl Columns {
    /// Forgets the nodes, and keeps the memory.
    pub(crate) fn clear_rows(&mut self) {
        self.kind.clear();
        self.name.clear();
        self.id.clear();
        self.self_size = Sizes::with_room(std::mem::take(&mut self.self_size).into_cleared_column());
        self.first_edge.clear();
        self.detachedness.clear();
    }
}
