//! What came less what went.

use std::collections::HashMap;

use crate::analysis::class::{Classes, Total, class_name};
use crate::analysis::diff::signed;
use crate::graph::{Graph, Node};

/// By how much each class has grown: what came less what went.
///
/// A cache that is full replaces its entries all the time: many are new, and none is growth.
pub(crate) struct Net<'a> {
    graph: &'a Graph,
    by_name: HashMap<&'a str, i64>,
    size_by_name: HashMap<&'a str, i64>,
}

impl<'a> Net<'a> {
    pub fn of(graph: &'a Graph, classes: &Classes<'a>, before: &HashMap<&str, Total>) -> Self {
        let mut by_name: HashMap<&str, i64> = HashMap::new();
        let mut size_by_name: HashMap<&str, i64> = HashMap::new();
        for (name, total) in classes.names().iter().zip(classes.totals(graph)) {
            *by_name.entry(Self::merged(name)).or_default() += signed(total.count);
            *size_by_name.entry(name).or_default() += signed(total.size);
        }
        for (name, total) in before {
            if let Some(net) = by_name.get_mut(Self::merged(name)) {
                *net -= signed(total.count);
            }
            if let Some(net) = size_by_name.get_mut(*name) {
                *net -= signed(total.size);
            }
        }
        Self { graph, by_name, size_by_name }
    }

    /// Strings change their form while they live.
    fn merged(name: &str) -> &str {
        if matches!(name, "(concatenated string)" | "(sliced string)") { "(string)" } else { name }
    }

    /// How many more there are of `node`'s class; 0 where there are fewer.
    pub fn count(&self, node: Node) -> u64 {
        positive(self.by_name.get(Self::merged(class_name(self.graph, node))))
    }

    /// How many bytes more `node`'s class takes by itself; 0 where it takes fewer.
    pub fn size(&self, node: Node) -> u64 {
        positive(self.size_by_name.get(class_name(self.graph, node)))
    }
}

fn positive(net: Option<&i64>) -> u64 {
    net.map_or(0, |&net| u64::try_from(net).unwrap_or(0))
}
