//! One snapshot by class.

use super::{Product, written};
use crate::analysis;
use crate::control::{Control, Stage};
use crate::error::Result;
use crate::snapshot::SnapshotParser;

#[derive(Default)]
pub(super) struct Summary {
    parser: SnapshotParser,
}

impl Product for Summary {
    fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        self.parser.feed(chunk)
    }

    fn finish(self: Box<Self>, control: &Control) -> Result<String> {
        let graph = self.parser.finish()?;
        control.stage(Stage::Dominators);
        written(&analysis::summarize(&graph, control.cancel_flag())?, control)
    }
}
