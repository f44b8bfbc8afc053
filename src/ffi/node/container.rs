//! What a monitor makes of the watch over the container: records in the black box, and the event `oom-risk`.

use std::sync::Arc;

use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;
use serde::Serialize;

use super::monitor::{Core, NativeMonitor, Wake};
use crate::container::{Change, Chronicle, Look};
use crate::ffi::os;
use crate::recorder::{Event, Incident, IncidentKind, IncidentPhase};
use crate::units::{Bytes, UnixMillis};

/// What JavaScript is told of an incident.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "oom-risk", rename_all = "camelCase")]
pub struct ContainerRisk {
    kind: &'static str,
    reason: &'static str,
    at: UnixMillis,
    used_bytes: Bytes,
    reclaimable_bytes: Bytes,
    limit_bytes: Bytes,
    /// Whether this monitor is to take evidence.
    capture: bool,
}

/// A monitor that is told of the container. Not told any more when this is dropped.
pub struct ContainerWatch {
    #[cfg(target_os = "linux")]
    _subscription: os::container::Subscription,
}

impl ContainerWatch {
    /// Has `core` told; nothing where there are no control groups.
    #[cfg(target_os = "linux")]
    pub fn begin(core: &Arc<Core>, wake: &Arc<Wake>) -> Option<Self> {
        let (core, wake) = (Arc::clone(core), Arc::clone(wake));
        let group = os::container_kills().map_or_else(String::new, |(group, _)| group);
        let mut chronicle = Chronicle::default();
        let listener = move |told: &os::container::Told| {
            let at = UnixMillis::now();
            if let Some(recorder) = core.recorder() {
                if chronicle.keeps(&told.look, told.in_danger) {
                    recorder.event(at, &record(&told.look, &group));
                }
                if let Some(incident) = told.change.as_ref().map(|change| incident(change, &told.look)) {
                    recorder.event(at, &Event::Incident(incident));
                    recorder.flush_if_wanted();
                }
            }
            if let Some(Change::Began(incident)) = told.change {
                core.tell_risk(ContainerRisk {
                    kind: "container",
                    reason: incident.reason.name(),
                    at,
                    used_bytes: told.look.held(),
                    reclaimable_bytes: told.look.reclaimable,
                    limit_bytes: told.look.limit,
                    capture: incident.capture && told.is_first,
                });
                wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
            }
        };
        os::container::Subscription::new(Box::new(listener)).map(|_subscription| Self { _subscription })
    }

    /// Control groups are Linux's.
    #[cfg(not(target_os = "linux"))]
    pub fn begin(_: &Arc<Core>, _: &Arc<Wake>) -> Option<Self> {
        None
    }
}

fn record(look: &Look, group: &str) -> Event {
    Event::Container {
        held: look.held(),
        reclaimable: look.reclaimable,
        limit: look.limit,
        max: look.events.max,
        oom: look.events.oom,
        oom_kill: look.events.oom_kill,
        group: group.to_owned(),
    }
}

fn incident(change: &Change, look: &Look) -> Incident {
    let (phase, reason) = match change {
        Change::Began(incident) => (IncidentPhase::Began, incident.reason),
        Change::Ended(reason) => (IncidentPhase::Over, *reason),
    };
    at_limit(phase, look.held(), look.limit, reason.name())
}

fn at_limit(phase: IncidentPhase, used: Bytes, limit: Bytes, reason: &str) -> Incident {
    let kind = IncidentKind::ContainerLimit;
    Incident { kind, phase, used, limit, raised_to: Bytes(0), reason: reason.to_owned() }
}

#[napi]
impl NativeMonitor {
    /// Has the container watched from the next `start` on.
    #[napi(catch_unwind)]
    pub fn watch_container(&self) {
        self.watches_container.set(true);
    }

    /// Records that the evidence of a container that is nearly full is on disk.
    #[napi(catch_unwind)]
    pub fn record_container_captured(&self, used: f64, limit: f64, reason: String) {
        if let Some(recorder) = self.core.recorder() {
            let bytes = |n: f64| Bytes(n.max(0.0) as u64);
            let incident = at_limit(IncidentPhase::Captured, bytes(used), bytes(limit), &reason);
            recorder.event(UnixMillis::now(), &Event::Incident(incident));
            recorder.flush_if_wanted();
        }
    }
}
