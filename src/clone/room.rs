//! Whether there is memory for looking at the heap, and in which way.
//!
//! V8 builds a graph of 350 to 540 bytes a node before it writes the first byte, and ours comes after it: together 4 to 17 times the
//! heap, whose nodes are small or large. A clone needs that too, and as much again as the process writes while the clone lives, because
//! each page that it writes is copied: at worst the whole heap.

use crate::units::Bytes;

/// What a snapshot takes, in times the heap, of a process of which none has been taken yet.
const GRAPH_TIMES: f64 = 8.0;
/// The least that was ever seen. Less room than that is certainly too little.
const LEAST_TIMES: f64 = 4.0;
/// A later snapshot may take that much more than the one before.
const MARGIN: f64 = 1.25;
/// What the walk of a census takes, in times the heap.
const CENSUS_TIMES: f64 = 1.0;
/// What the process may write while a clone lives, in times the heap.
const WRITTEN_TIMES: f64 = 1.0;

/// A way to look at the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A snapshot in a clone.
    Clone,
    /// A snapshot in the process itself.
    Inline,
    /// A walk over the heap in a clone, which counts.
    Census,
}

/// What is there to decide by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// Used on the heap.
    pub heap: Bytes,
    /// What the process can still take: by the machine, and by the container's limit.
    pub left: Bytes,
    /// What the last snapshot of this process took, in times the heap of that moment.
    pub seen: Option<f64>,
}

/// There is too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// What may be needed.
    pub needed: Bytes,
    /// What there is.
    pub left: Bytes,
}

impl Room {
    /// What `way` may need.
    pub fn needed(&self, way: Way) -> Bytes {
        let graph = self.seen.map_or(GRAPH_TIMES, |seen| (MARGIN * seen).max(1.0));
        let times = match way {
            Way::Clone => graph + WRITTEN_TIMES,
            // Asked for by a person, and there is no other way left: what is not certainly too little may be tried.
            Way::Inline => self.seen.map_or(LEAST_TIMES, |_| graph),
            Way::Census => CENSUS_TIMES + WRITTEN_TIMES,
        };
        Bytes((self.heap.0 as f64 * times) as u64)
    }

    /// Nothing where there is room for `way`.
    ///
    /// # Errors
    ///
    /// How much is missing.
    pub fn fits(&self, way: Way) -> Result<(), Shortage> {
        let needed = self.needed(way);
        if needed <= self.left { Ok(()) } else { Err(Shortage { needed, left: self.left }) }
    }

    /// What a clone may take for itself before it has to end: what is left but for what the process may write meanwhile.
    pub fn ceiling(&self) -> Bytes {
        Bytes(self.left.0.saturating_sub((self.heap.0 as f64 * WRITTEN_TIMES) as u64))
    }
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mb = |bytes: Bytes| bytes.0.div_ceil(Bytes::MIB);
        write!(f, "it may need {} MB of memory, and {} MB are left", mb(self.needed), mb(self.left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = Bytes::MIB;

    fn room(heap: u64, left: u64, seen: Option<f64>) -> Room {
        Room { heap: Bytes(heap * MB), left: Bytes(left * MB), seen }
    }

    #[test]
    fn the_more_is_left_the_more_ways_there_are() {
        let ways = |left| {
            let room = room(100, left, None);
            [Way::Clone, Way::Inline, Way::Census].map(|way| room.fits(way).is_ok())
        };
        assert_eq!(ways(1000), [true, true, true]);
        assert_eq!(ways(500), [false, true, true]);
        assert_eq!(ways(300), [false, false, true]);
        assert_eq!(ways(150), [false, false, false]);
        let shortage = room(100, 500, None).fits(Way::Clone).expect_err("short");
        assert_eq!(shortage.to_string(), "it may need 900 MB of memory, and 500 MB are left");
    }

    #[test]
    fn what_was_seen_counts_more_than_what_is_usual() {
        let few_nodes = room(100, 300, Some(0.5));
        assert_eq!((few_nodes.fits(Way::Clone), few_nodes.fits(Way::Inline)), (Ok(()), Ok(())));
        let many_nodes = room(100, 1500, Some(16.0));
        assert_eq!(many_nodes.fits(Way::Clone).map_err(|s| s.needed), Err(Bytes(2100 * MB)));
        assert_eq!(many_nodes.fits(Way::Inline).map_err(|s| s.needed), Err(Bytes(2000 * MB)));
    }

    #[test]
    fn a_clone_leaves_the_process_room_to_write() {
        assert_eq!(room(100, 1000, None).ceiling(), Bytes(900 * MB));
        assert_eq!(room(100, 50, None).ceiling(), Bytes(0));
    }
}
