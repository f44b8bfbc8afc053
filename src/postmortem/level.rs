//! How full the container was at the end.

use crate::recorder::{Event, IncidentKind, Recording};
use crate::units::{Bytes, UnixMillis};

/// Of the limit: from here on a container's limit may be what ended a life.
const NEAR: f64 = 0.9;
/// A sample says how much the container used, page cache included: where that is less than this share of what was held before, the
/// container has emptied since.
const EMPTIED: f64 = 0.9;

/// How full the container was when somebody looked last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// When.
    pub at: UnixMillis,
    /// What it held that the kernel cannot take back.
    pub held: Bytes,
    /// Its limit.
    pub limit: Bytes,
    /// Whether an incident was under way.
    pub in_danger: bool,
    /// The control group's folder, and how many of its processes the kernel had killed by then.
    pub group: Option<(String, u64)>,
}

impl Level {
    /// The last look, or where there was none, what the last sample says; nothing where there is no limit.
    pub fn of(recording: &Recording) -> Option<Self> {
        let in_danger = recording.incident(IncidentKind::ContainerLimit).is_some();
        let looked = recording.events.iter().rev().find_map(|recorded| match &recorded.event {
            Event::Container { held, limit, oom_kill, group, .. } => Some(Self {
                at: recorded.at,
                held: *held,
                limit: *limit,
                in_danger,
                group: (!group.is_empty()).then(|| (group.clone(), *oom_kill)),
            }),
            _ => None,
        });
        let sampled = recording.last_sample().and_then(|sample| {
            let process = &sample.reading.process;
            let (used, limit) = (process.container_used?, process.container_limit?);
            // Of what is resident all but mapped files is held.
            let held = process.rss.min(used);
            Some((used, Self { at: sample.reading.at, held, limit, in_danger, group: None }))
        });
        match (looked, sampled) {
            (Some(looked), Some((used, sampled))) if sampled.at > looked.at && has_emptied(&looked, used) => {
                Some(Self { group: looked.group, ..sampled })
            }
            (Some(looked), _) => Some(looked),
            (None, sampled) => sampled.map(|(_, sampled)| sampled),
        }
    }

    /// What was held, as a share of the limit.
    pub fn share(&self) -> f64 {
        self.held.0 as f64 / (self.limit.0 as f64).max(1.0)
    }

    /// Whether the limit may be what ended the life.
    pub fn is_near(&self) -> bool {
        self.in_danger || self.share() >= NEAR
    }
}

fn has_emptied(looked: &Level, used: Bytes) -> bool {
    (used.0 as f64) < EMPTIED * looked.held.0 as f64
}
