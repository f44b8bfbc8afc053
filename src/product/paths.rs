//! What keeps chosen objects alive.

use serde::{Deserialize, Serialize};

use super::{Product, written};
use crate::analysis::{self, Chosen, RetainingPath};
use crate::control::{Control, Stage};
use crate::error::{ErrorKind, Result};
use crate::snapshot::SnapshotParser;

/// Objects of a class, where nothing says how many.
const DEFAULT_LIMIT: usize = 10;

/// Which objects: by `ids`, or of a class.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct PathSettings {
    ids: Option<Vec<u32>>,
    constructor_name: Option<String>,
    limit: Option<usize>,
}

pub(super) struct Paths {
    parser: SnapshotParser,
    chosen: Chosen,
}

#[derive(Serialize)]
struct Reported {
    objects: Vec<RetainingPath>,
}

impl Paths {
    pub fn new(settings: PathSettings) -> Result<Self> {
        let chosen = match settings {
            PathSettings { ids: Some(ids), constructor_name: None, .. } => Chosen::Ids(ids),
            PathSettings { ids: None, constructor_name: Some(name), limit } => {
                Chosen::Class { name, limit: limit.unwrap_or(DEFAULT_LIMIT) }
            }
            other => {
                let found = format!("{other:?}");
                let expected = "either ids or constructorName".to_owned();
                return Err(ErrorKind::InvalidArg { name: "settings", expected, found }.into());
            }
        };
        Ok(Self { parser: SnapshotParser::new(), chosen })
    }
}

impl Product for Paths {
    fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        self.parser.feed(chunk)
    }

    fn finish(self: Box<Self>, control: &Control) -> Result<String> {
        let graph = self.parser.finish()?;
        control.stage(Stage::Paths);
        let objects = analysis::retaining_paths(&graph, &self.chosen, control.cancel_flag())?;
        written(&Reported { objects }, control)
    }
}
