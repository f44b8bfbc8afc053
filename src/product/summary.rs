//! One snapshot by class: with what it keeps alive, or by count alone.

use serde::Deserialize;

use super::{Product, written};
use crate::analysis::{self, HistogramBuilder, SummaryOptions, View};
use crate::control::{Control, Stage};
use crate::error::Result;
use crate::snapshot::{NodeParser, SnapshotParser};

/// What [`Summary`] can be told.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct SummarySettings {
    /// How many of the largest objects are listed.
    objects: usize,
    /// How many objects stand for themselves in the tree of dominators.
    territories: usize,
    /// How many threads may work at a time.
    threads: usize,
    /// Whose shallow sizes are told.
    shallow_sizes: View,
}

pub(super) struct Summary {
    parser: SnapshotParser,
    options: SummaryOptions,
}

impl Summary {
    pub fn new(settings: &SummarySettings) -> Self {
        let options = SummaryOptions {
            objects: settings.objects,
            territories: settings.territories,
            threads: settings.threads,
            view: settings.shallow_sizes,
        };
        Self { parser: SnapshotParser::new(), options }
    }
}

impl Product for Summary {
    fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        self.parser.feed(chunk)
    }

    fn finish(self: Box<Self>, control: &Control) -> Result<String> {
        written(&analysis::summarize(self.parser.finish()?, self.options, control)?, control)
    }
}

/// Counts and self sizes by class: a few megabytes whatever the snapshot's size.
#[derive(Default)]
pub(super) struct Histogram {
    parser: NodeParser,
    builder: HistogramBuilder,
}

impl Product for Histogram {
    fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        self.parser.feed(chunk, &mut self.builder)
    }

    fn is_skipping(&self) -> bool {
        self.parser.is_skipping()
    }

    fn skip(&mut self, bytes: u64) {
        self.parser.skip(bytes);
    }

    fn finish(self: Box<Self>, control: &Control) -> Result<String> {
        control.stage(Stage::Classes);
        let names = self.parser.finish()?;
        written(&self.builder.finish(&names), control)
    }
}
