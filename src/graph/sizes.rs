//! Self sizes: four bytes a node, and a side table for what does not fit.

use std::collections::BTreeMap;

use super::{Node, reserve};
use crate::error::Result;

/// What stands in the column for a size that is in the side table.
const WIDE: u32 = u32::MAX;

/// The self size of every node, in bytes, of any size up to 2^64: one ArrayBuffer can pass 4 GB.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sizes {
    column: Vec<u32>,
    wide: BTreeMap<Node, u64>,
}

impl Sizes {
    /// No sizes yet; they go into `column`, which is empty.
    pub fn with_room(column: Vec<u32>) -> Self {
        Self { column, wide: BTreeMap::new() }
    }

    /// The array below, empty.
    pub fn into_cleared_column(mut self) -> Vec<u32> {
        self.column.clear();
        self.column
    }

    /// The array below, to be used again.
    pub fn into_column(self) -> Vec<u32> {
        self.column
    }

    /// Room for `extra` more.
    pub fn reserve(&mut self, extra: usize) -> Result<()> {
        reserve(&mut self.column, extra)
    }

    /// Appends the size of the next node.
    #[inline]
    pub fn push(&mut self, bytes: u64) {
        if bytes >= u64::from(WIDE) {
            self.wide.insert(self.column.len() as Node, bytes);
        }
        self.column.push(bytes.min(u64::from(WIDE)) as u32);
    }

    /// Where sizes that are all smaller than `u32::MAX` can be appended.
    pub fn narrow_column(&mut self) -> &mut Vec<u32> {
        &mut self.column
    }

    /// The size of `node`.
    #[inline]
    pub fn get(&self, node: Node) -> u64 {
        let narrow = self.column[node as usize];
        if narrow == WIDE {
            self.wide.get(&node).copied().unwrap_or(u64::from(WIDE))
        } else {
            u64::from(narrow)
        }
    }

    /// Makes the size of `node` larger by `bytes`; at most the largest number.
    #[inline]
    pub fn add(&mut self, node: Node, bytes: u64) {
        let sum = u64::from(self.column[node as usize]) + bytes.min(u64::from(WIDE));
        if sum < u64::from(WIDE) {
            self.column[node as usize] = sum as u32;
        } else {
            self.set(node, self.get(node).saturating_add(bytes));
        }
    }

    /// Replaces the size of `node`.
    pub fn set(&mut self, node: Node, bytes: u64) {
        if bytes >= u64::from(WIDE) {
            self.wide.insert(node, bytes);
        } else if self.column[node as usize] == WIDE {
            self.wide.remove(&node);
        }
        self.column[node as usize] = bytes.min(u64::from(WIDE)) as u32;
    }

    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.column.capacity()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sizes() -> impl Strategy<Value = u64> {
        prop_oneof![0..100u64, u64::from(WIDE) - 2..u64::from(WIDE) + 3, any::<u64>()]
    }

    proptest! {
        #[test]
        fn sizes_of_any_width_are_kept(first in prop::collection::vec(sizes(), 1..20), later in sizes(), more in sizes(), at in any::<prop::sample::Index>()) {
            let mut kept = Sizes::default();
            first.iter().for_each(|&bytes| kept.push(bytes));
            let mut expected = first;
            let at = at.index(expected.len());
            expected[at] = later.saturating_add(more);
            kept.set(at as Node, later);
            kept.add(at as Node, more);
            prop_assert_eq!(kept.column.len(), expected.len());
            for (node, bytes) in expected.iter().enumerate() {
                prop_assert_eq!(kept.get(node as Node), *bytes);
            }
        }
    }
}
