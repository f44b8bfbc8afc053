//! Resident set sizes that JavaScript publishes, where the platform's own are out of reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sample::{ProcessFigures, ProcessSource};
use crate::units::Bytes;

/// The last `process.memoryUsage().rss` seen.
#[derive(Debug, Default)]
pub struct PublishedRss(AtomicU64);

impl PublishedRss {
    /// Publishes a resident set size.
    pub fn set(&self, rss: Bytes) {
        self.0.store(rss.0, Ordering::Relaxed);
    }
}

impl ProcessSource for Arc<PublishedRss> {
    fn read(&mut self) -> ProcessFigures {
        ProcessFigures { rss: Bytes(self.0.load(Ordering::Relaxed)), ..ProcessFigures::default() }
    }
}
