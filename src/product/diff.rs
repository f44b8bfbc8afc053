//! What grew from one snapshot to the next, and to a third.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{Product, written};
use crate::analysis::{self, ConstructorDelta, Culprit, Growth, MatchedBy};
use crate::control::{Control, Stage};
use crate::error::{ErrorKind, Result};
use crate::graph::Graph;
use crate::snapshot::SnapshotParser;

/// Where the two looks came from that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Both were taken of this very isolate.
    SameIsolate,
    /// Files or streams: what took them is not known.
    Unknown,
}

/// What became of the object ids where a comparison could not go by them; nothing where it could.
pub fn mismatch(matched_by: MatchedBy, origin: Origin) -> Option<&'static str> {
    match (matched_by, origin) {
        (MatchedBy::Id, _) => None,
        (MatchedBy::Constructor, Origin::SameIsolate) => Some(
            "object ids do not correspond: an inspector session (DevTools, a profiler, a coverage tool) was closed between the \
             two looks, after which V8 numbers every object anew; only counts and sizes of each class are compared",
        ),
        (MatchedBy::Constructor, Origin::Unknown) => Some(
            "object ids do not correspond: an inspector session (DevTools, a profiler, a coverage tool) was closed between the \
             snapshots, after which V8 numbers every object anew, or they are of different processes; only counts and sizes of \
             each class are compared",
        ),
    }
}

/// At most two graphs at a time are held, whatever the number of inputs.
#[derive(Default)]
pub(super) struct Diff {
    parser: SnapshotParser,
    last: Option<Graph>,
    growths: Vec<Growth>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reported {
    #[serde(flatten)]
    growth: Growth,
    matched_by_reason: Option<&'static str>,
}

impl Product for Diff {
    fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        self.parser.feed(chunk)
    }

    fn end_input(&mut self, control: &Control) -> Result<()> {
        let graph = std::mem::take(&mut self.parser).finish()?;
        if let Some(last) = self.last.take() {
            control.stage(Stage::Classes);
            self.growths.push(analysis::diff(&last, &graph, control.cancel_flag())?);
        }
        self.last = Some(graph);
        Ok(())
    }

    fn finish(self: Box<Self>, control: &Control) -> Result<String> {
        drop(self.last);
        let growth = self.growths.into_iter().reduce(in_both).ok_or_else(|| {
            let message = "a comparison was finished before its second input".to_owned();
            crate::error::Error::new(ErrorKind::Internal { message })
        })?;
        let matched_by_reason = mismatch(growth.matched_by, Origin::Unknown);
        written(&Reported { growth, matched_by_reason }, control)
    }
}

/// What grew in both of two intervals that follow each other: a cache that fills once does not, a leak does.
///
/// Figures of a class are those of both intervals together, those of a culprit the second one's.
fn in_both(first: Growth, second: Growth) -> Growth {
    let grew = |delta: &ConstructorDelta| delta.size_delta > 0 || delta.count_delta > 0;
    let before: HashMap<&str, &ConstructorDelta> = first
        .constructors
        .iter()
        .filter(|delta| grew(delta))
        .map(|delta| (delta.constructor_name.as_str(), delta))
        .collect();
    let mut constructors: Vec<ConstructorDelta> = second
        .constructors
        .into_iter()
        .filter(grew)
        .filter_map(|delta| before.get(delta.constructor_name.as_str()).map(|first| sum(first, delta)))
        .collect();
    constructors.sort_by(|a, b| {
        (b.size_delta, b.count_delta, &a.constructor_name).cmp(&(
            a.size_delta,
            a.count_delta,
            &b.constructor_name,
        ))
    });
    let causes: HashSet<_> = first.culprits.iter().map(cause).collect();
    let mut culprits = second.culprits;
    culprits.retain(|culprit| causes.contains(&cause(culprit)));
    let by_id = first.matched_by == MatchedBy::Id && second.matched_by == MatchedBy::Id;
    let matched_by = if by_id { MatchedBy::Id } else { MatchedBy::Constructor };
    Growth { matched_by, constructors, culprits }
}

/// What two culprits share that are one cause, seen twice.
fn cause(culprit: &Culprit) -> (&str, String) {
    (culprit.constructor_name.as_str(), format!("{:?}", culprit.pattern))
}

fn sum(first: &ConstructorDelta, second: ConstructorDelta) -> ConstructorDelta {
    ConstructorDelta {
        added_count: first.added_count.saturating_add(second.added_count),
        removed_count: first.removed_count.saturating_add(second.removed_count),
        count_delta: first.count_delta.saturating_add(second.count_delta),
        added_size: first.added_size.saturating_add(second.added_size),
        removed_size: first.removed_size.saturating_add(second.removed_size),
        size_delta: first.size_delta.saturating_add(second.size_delta),
        ..second
    }
}
