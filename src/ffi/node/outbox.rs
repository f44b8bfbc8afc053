//! What waits for JavaScript to fetch it.

use std::collections::VecDeque;

use serde::Serialize;

use super::container::ContainerRisk;
use crate::alert::Alert;
use crate::report::{SampleRecord, VerdictRecord};
use crate::verdict::ConfirmedBy;

/// Events kept for a JavaScript thread that does not come to fetch them; the oldest sample goes first.
const OUTBOX: usize = 256;

/// What JavaScript is told.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Event {
    Sample { r#type: &'static str, sample: SampleRecord },
    Claim { r#type: &'static str, verdict: VerdictRecord },
    Alert(Alert),
    Risk(ContainerRisk),
}

impl Event {
    /// What JavaScript is told of `alert`.
    pub fn of(alert: Alert, confirmed_by: Option<&ConfirmedBy>) -> Self {
        let claim =
            |r#type, verdict| Self::Claim { r#type, verdict: VerdictRecord::new(verdict, confirmed_by) };
        match &alert {
            Alert::Suspect { verdict } => claim("suspect", verdict),
            Alert::Leak { verdict } => claim("leak", verdict),
            _ => Self::Alert(alert),
        }
    }
}

/// Events, oldest first.
pub struct Outbox(VecDeque<Event>);

impl Outbox {
    /// An empty one, with room for all that it may hold: a sample allocates nothing.
    pub fn new() -> Self {
        Self(VecDeque::with_capacity(OUTBOX))
    }

    /// Adds an event. Where there are too many the oldest sample makes way, or the oldest event.
    pub fn put(&mut self, event: Event) {
        let Self(events) = self;
        if events.len() == OUTBOX {
            let oldest = events.iter().position(|e| matches!(e, Event::Sample { .. })).unwrap_or(0);
            events.remove(oldest);
        }
        events.push_back(event);
    }

    /// Takes all of them.
    pub fn take(&mut self) -> Vec<Event> {
        self.0.drain(..).collect()
    }

    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        self.0.capacity() * size_of::<Event>()
    }
}
