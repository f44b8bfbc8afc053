//! What grew from one snapshot to the next, and to a third.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{Product, written};
use crate::analysis::{
    self, Compared, ConstructorDelta, Culprit, Growth, Location, MatchedBy, Newer, NodeDiff, OlderBuilder,
    View, comparison,
};
use crate::control::{Control, Stage};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Graph, NodeSink, Rows};
use crate::snapshot::{NodeParser, SnapshotParser};

/// Where the two looks came from that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Both were taken of this very isolate.
    SameIsolate,
    /// One of them, or both, in a clone of the process.
    Clone,
    /// Files or streams: what took them is not known.
    Unknown,
}

/// What became of the object ids where a comparison could not go by them; nothing where it could.
pub fn mismatch(matched_by: MatchedBy, origin: Origin) -> Option<&'static str> {
    macro_rules! reasons {
        ($($origin:pat => $cause:literal,)*) => {
            match (matched_by, origin) {
                (MatchedBy::Id, _) => None,
                $((MatchedBy::Path, $origin) => Some(concat!(
                    "object ids do not correspond: ", $cause,
                    "; objects are compared by constructor and retaining path",
                )),
                (MatchedBy::Constructor, $origin) => Some(concat!(
                    "object ids do not correspond: ", $cause,
                    "; only counts and sizes of each class are compared",
                )),)*
            }
        };
    }
    reasons! {
        Origin::SameIsolate => "an inspector session (DevTools, a profiler, a coverage tool) was closed between the two looks, after \
             which V8 numbers every object anew",
        Origin::Clone => "a clone of the process, in which one of the looks or each was taken, numbers for itself what the process \
             has not numbered",
        Origin::Unknown => "an inspector session (DevTools, a profiler, a coverage tool) was closed between the snapshots, after \
             which V8 numbers every object anew, or they are of different processes",
    }
}

/// What a comparison can be told.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct DiffSettings {
    /// Whether it says why, and not only what: needs both graphs.
    culprits: bool,
    /// Whose shallow sizes are compared.
    shallow_sizes: View,
}

impl Default for DiffSettings {
    fn default() -> Self {
        Self { culprits: true, shallow_sizes: View::File }
    }
}

/// The cheapest comparison that answers what is asked.
pub(super) fn of(settings: &DiffSettings, inputs: usize) -> Box<dyn Product> {
    if settings.culprits || settings.shallow_sizes == View::Devtools {
        let graphs = Graphs {
            parser: SnapshotParser::new(),
            last: None,
            compared: None,
            intervals: Vec::new(),
            culprits: settings.culprits,
            devtools: settings.shallow_sizes == View::Devtools,
            clones: false,
        };
        Box::new(graphs)
    } else {
        Box::new(Nodes { left: inputs.saturating_sub(1), ..Nodes::default() })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reported {
    #[serde(flatten)]
    growth: Growth,
    matched_by_reason: Option<&'static str>,
}

/// `growth` as it is told; `clones`: whether any input was taken in one.
fn reported(growth: Option<Growth>, clones: bool, control: &Control) -> Result<String> {
    let growth = growth.ok_or_else(|| {
        let message = "a comparison was finished before its second input".to_owned();
        Error::new(ErrorKind::Internal { message })
    })?;
    let origin = if clones { Origin::Clone } else { Origin::Unknown };
    let matched_by_reason = mismatch(growth.matched_by, origin);
    written(&Reported { growth, matched_by_reason }, control)
}

/// The comparison that needs the edges. At most two graphs at a time are held, whatever the number of inputs, and one where no culprits
/// are wanted.
struct Graphs {
    parser: SnapshotParser,
    last: Option<Graph>,
    compared: Option<Compared>,
    intervals: Vec<Growth>,
    culprits: bool,
    devtools: bool,
    /// Whether any input was taken in a clone.
    clones: bool,
}

impl Graphs {
    /// What changed from the input before, if there is one, to `graph`.
    fn interval(&mut self, graph: &Graph, control: &Control) -> Result<Option<Growth>> {
        let cancel = control.cancel_flag();
        self.clones |= !graph.ids_are_own();
        let mut growth = match &self.last {
            Some(last) => Some(analysis::diff(last, graph, cancel)?),
            None => None,
        };
        // Given back before the next is made.
        let last = self.last.take().filter(|_| self.devtools);
        if !self.devtools {
            return Ok(growth);
        }
        if let Some(growth) = growth.as_mut().filter(|growth| growth.matched_by == MatchedBy::Path)
            && let Some(last) = last
        {
            // The rows are to be what the culprits are: of one way to match.
            let older = Compared::by_path(&last, cancel)?;
            drop(last);
            growth.constructors = comparison(&older, &Compared::by_path(graph, cancel)?)?.1;
            self.compared = None;
        }
        let newer = Compared::of(graph, cancel)?;
        if let Some(older) = self.compared.take() {
            let (matched_by, constructors) = comparison(&older, &newer)?;
            match &mut growth {
                Some(growth) => growth.constructors = constructors,
                None => growth = Some(Growth { matched_by, constructors, culprits: Vec::new() }),
            }
        }
        self.compared = Some(newer);
        Ok(growth)
    }
}

impl Product for Graphs {
    fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        self.parser.feed(chunk)
    }

    fn end_input(&mut self, control: &Control) -> Result<()> {
        let graph = std::mem::take(&mut self.parser).finish()?;
        control.stage(Stage::Classes);
        let interval = self.interval(&graph, control)?;
        self.intervals.extend(interval);
        self.last = self.culprits.then_some(graph);
        Ok(())
    }

    fn finish(self: Box<Self>, control: &Control) -> Result<String> {
        drop((self.last, self.compared));
        reported(self.intervals.into_iter().reduce(in_both), self.clones, control)
    }
}

/// The comparison by nodes alone.
#[derive(Default)]
struct Nodes {
    parser: NodeParser,
    /// What the input at hand is measured against; nothing for the first.
    newer: Option<Newer>,
    /// The input at hand, for the one after it.
    older: OlderBuilder,
    /// How many inputs come after the one at hand.
    left: usize,
    intervals: Vec<NodeDiff>,
    /// Whether any input was taken in a clone.
    clones: bool,
}

/// Two sinks in one.
struct Both<'a>(&'a mut dyn NodeSink, &'a mut dyn NodeSink);

impl NodeSink for Both<'_> {
    fn take(&mut self, rows: Rows<'_>) -> Result<()> {
        self.0.take(rows)?;
        self.1.take(rows)
    }
}

impl Product for Nodes {
    fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        match &mut self.newer {
            None => self.parser.feed(chunk, &mut self.older),
            Some(newer) if self.left == 0 => self.parser.feed(chunk, newer),
            Some(newer) => self.parser.feed(chunk, &mut Both(newer, &mut self.older)),
        }
    }

    fn is_skipping(&self) -> bool {
        self.parser.is_skipping()
    }

    fn skip(&mut self, bytes: u64) {
        self.parser.skip(bytes);
    }

    fn end_input(&mut self, control: &Control) -> Result<()> {
        control.stage(Stage::Classes);
        let parser = std::mem::take(&mut self.parser);
        let own = parser.ids_are_own();
        self.clones |= !own;
        let names = parser.finish()?;
        if let Some(mut newer) = self.newer.take() {
            if !own {
                newer.disown_ids();
            }
            self.intervals.push(newer.finish(&names));
        }
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            let mut older = std::mem::take(&mut self.older);
            if !own {
                older.disown_ids();
            }
            self.newer = Some(Newer::new(older.finish(&names)?)?);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, control: &Control) -> Result<String> {
        let growth = |diff: NodeDiff| Growth {
            matched_by: diff.matched_by,
            constructors: diff.constructors,
            culprits: Vec::new(),
        };
        reported(self.intervals.into_iter().map(growth).reduce(in_both), self.clones, control)
    }
}

/// What grew in both of two intervals that follow each other: a cache that fills once does not, a leak does.
///
/// Figures of a class are those of both intervals together, those of a culprit the second one's.
fn in_both(first: Growth, second: Growth) -> Growth {
    let grew = |delta: &ConstructorDelta| delta.size_delta > 0 || delta.count_delta > 0;
    fn class(delta: &ConstructorDelta) -> (&str, Option<&Location>) {
        (&delta.constructor_name, delta.location.as_ref())
    }
    let before: HashMap<_, &ConstructorDelta> =
        first.constructors.iter().filter(|delta| grew(delta)).map(|delta| (class(delta), delta)).collect();
    let mut constructors: Vec<ConstructorDelta> = second
        .constructors
        .into_iter()
        .filter(grew)
        .filter_map(|delta| before.get(&class(&delta)).map(|first| sum(first, delta.clone())))
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
    Growth { matched_by: first.matched_by.max(second.matched_by), constructors, culprits }
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
