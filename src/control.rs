//! The handle on work that is under way: to stop it, and to see how far it is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::error::{ErrorKind, Result};

/// What is being done, in the order of one analysis; a comparison reads more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// The input is read, decompressed and parsed.
    Reading,
    /// Which edges hold, and who is held by whom.
    Holding,
    /// How far each node is from the roots.
    Distances,
    /// Through which node every path to a node leads.
    Dominators,
    /// Nodes are counted by class.
    Classes,
    /// What each node keeps alive.
    Retained,
    /// Retaining paths and culprits.
    Paths,
    /// The result is put into words.
    Writing,
    /// Nothing is left to do.
    Done,
}

/// How far the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Bytes of all inputs taken so far, compressed ones as they are stored.
    pub bytes: u64,
    /// Bytes of all inputs, where each is a file whose size is known.
    pub total_bytes: Option<u64>,
}

/// Changes of stage that nobody has asked for yet; a whole analysis has fewer.
const MAX_CHANGES: usize = 64;

/// No total is known. No input has so many bytes.
const UNKNOWN: u64 = u64::MAX;

/// Shared between whoever works and whoever watches. A counter that is read while it moves costs a relaxed store a chunk.
#[derive(Debug)]
pub struct Control {
    cancel: AtomicBool,
    bytes: AtomicU64,
    total: AtomicU64,
    stages: Mutex<Stages>,
}

#[derive(Debug)]
struct Stages {
    now: Stage,
    /// What was entered since the watcher last asked, and how many bytes there were then.
    changes: Vec<(Stage, u64)>,
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

impl Control {
    /// Work that starts with reading, of an input whose size is unknown.
    pub fn new() -> Self {
        let stages = Stages { now: Stage::Reading, changes: vec![(Stage::Reading, 0)] };
        Self {
            cancel: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            total: AtomicU64::new(UNKNOWN),
            stages: Mutex::new(stages),
        }
    }

    /// Asks the work to stop. It ends with `Cancelled` at its next look: within one chunk, or one step of a stage.
    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::Release);
    }

    /// Set once the work was asked to stop.
    pub fn cancel_flag(&self) -> &AtomicBool {
        &self.cancel
    }

    /// Nothing while the work may go on.
    ///
    /// # Errors
    ///
    /// `Cancelled`.
    pub fn check(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) { Err(ErrorKind::Cancelled.into()) } else { Ok(()) }
    }

    /// Says what is done from now on.
    pub fn stage(&self, stage: Stage) {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        if stages.now == stage {
            return;
        }
        stages.now = stage;
        if stages.changes.len() < MAX_CHANGES {
            let bytes = self.bytes.load(Ordering::Relaxed);
            stages.changes.push((stage, bytes));
        }
    }

    /// Counts `count` more bytes of input.
    pub fn add_bytes(&self, count: usize) {
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Says how many bytes of input there will be.
    pub fn set_total(&self, bytes: u64) {
        self.total.store(bytes, Ordering::Relaxed);
    }

    /// How far the work is now.
    pub fn progress(&self) -> Progress {
        let stage = self.stages.lock().unwrap_or_else(PoisonError::into_inner).now;
        self.at(stage, self.bytes.load(Ordering::Relaxed))
    }

    /// The changes of stage since this was last asked, oldest first; the first answer starts with the beginning.
    pub fn take_changes(&self) -> Vec<Progress> {
        let changes = std::mem::take(&mut self.stages.lock().unwrap_or_else(PoisonError::into_inner).changes);
        changes.into_iter().map(|(stage, bytes)| self.at(stage, bytes)).collect()
    }

    fn at(&self, stage: Stage, bytes: u64) -> Progress {
        let total = self.total.load(Ordering::Relaxed);
        // A file that grows while it is read must not look more than finished.
        let total_bytes = (total != UNKNOWN).then_some(total.max(bytes));
        Progress { stage, bytes, total_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_of_stage_is_told_once_with_the_bytes_of_that_moment() {
        let control = Control::new();
        control.add_bytes(5);
        control.stage(Stage::Reading);
        control.stage(Stage::Dominators);
        control.add_bytes(7);
        control.set_total(12);
        let told: Vec<_> = control.take_changes().iter().map(|p| (p.stage, p.bytes)).collect();
        assert_eq!(told, [(Stage::Reading, 0), (Stage::Dominators, 5)]);
        assert!(control.take_changes().is_empty());
        let now = control.progress();
        assert_eq!((now.stage, now.bytes, now.total_bytes), (Stage::Dominators, 12, Some(12)));
    }

    #[test]
    fn nobody_who_watches_costs_no_memory() {
        let control = Control::new();
        for _ in 0..1000 {
            control.stage(Stage::Reading);
            control.stage(Stage::Classes);
        }
        assert_eq!(control.take_changes().len(), MAX_CHANGES);
    }

    #[test]
    fn a_file_that_grew_is_not_more_than_whole() {
        let control = Control::new();
        assert_eq!(control.progress().total_bytes, None);
        control.set_total(1);
        control.add_bytes(3);
        assert_eq!(control.progress().total_bytes, Some(3));
    }

    #[test]
    fn cancelled_work_is_told_so() {
        let control = Control::new();
        assert_eq!(control.check(), Ok(()));
        control.cancel();
        assert_eq!(control.check(), Err(ErrorKind::Cancelled.into()));
        assert!(control.cancel_flag().load(Ordering::Relaxed));
    }

    #[test]
    fn stages_have_the_names_that_javascript_sees() {
        let text = serde_json::to_string(&Control::new().progress()).expect("serialises");
        assert_eq!(text, r#"{"stage":"reading","bytes":0,"totalBytes":null}"#);
    }
}
