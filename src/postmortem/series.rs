//! The last minutes of a recording.

use super::finding::{Figures, Moment, MomentKind, SeriesPoint};
use super::level::Level;
use crate::recorder::{Event, IncidentKind, IncidentPhase, Recording};
use crate::report::figures::{bytes, spent};
use crate::sample::Sample;
use crate::units::{Bytes, UnixMillis};
use crate::verdict::Status;

/// How far back is told.
const LAST_MS: u64 = 1_800_000;
/// But so many samples at least.
const LEAST: usize = 20;
/// Of more, each second one is left out, or of each three two.
const MOST: usize = 240;
const MOST_EVENTS: usize = 30;

/// The last half hour, or the last samples, thinned out. The last one stays.
pub fn series(recording: &Recording) -> Vec<SeriesPoint> {
    let mut samples: Vec<&Sample> = recording.samples.iter().map(|recorded| &recorded.sample).collect();
    // Where the process stood at the beginning of a tick is newer than the last sample.
    if let Some(last) = recording.last_sample()
        && samples.last().is_none_or(|sample| sample.reading.at < last.reading.at)
    {
        samples.push(last);
    }
    let end = samples.last().map_or(0, |sample| sample.reading.at.0);
    let recent = samples.iter().filter(|sample| end.saturating_sub(sample.reading.at.0) <= LAST_MS).count();
    let kept = &samples[samples.len() - recent.max(LEAST).min(samples.len())..];
    let step = kept.len().div_ceil(MOST).max(1);
    let skipped = kept.len().saturating_sub(1) % step;
    kept.iter().skip(skipped).step_by(step).map(|sample| point(sample)).collect()
}

fn point(sample: &Sample) -> SeriesPoint {
    let reading = &sample.reading;
    SeriesPoint {
        at: reading.at,
        heap_used: reading.heap.used,
        floor: reading.floor,
        external: reading.heap.external,
        rss: reading.process.rss,
    }
}

/// The last figures, and with them how full the container was.
pub fn last(recording: &Recording, level: Option<&Level>) -> Option<Figures> {
    let reading = recording.last_sample()?.reading;
    Some(Figures {
        at: reading.at,
        heap_used_bytes: reading.heap.used,
        heap_age_ms: reading.heap_age.as_millis(),
        heap_limit_bytes: reading.heap.limit,
        floor_bytes: reading.floor,
        external_bytes: reading.heap.external,
        rss_bytes: reading.process.rss,
        container_held_bytes: level.map(|level| level.held),
        container_limit_bytes: level
            .map(|level| level.limit)
            .or(reading.process.container_limit)
            .or(recording.header.container_limit),
    })
}

/// The last things that happened, in words.
pub fn events(recording: &Recording) -> Vec<Moment> {
    let told = recording.events.iter().filter_map(|recorded| moment(recorded.at, &recorded.event));
    let exception = recording.exception.iter().map(|exception| Moment {
        at: exception.at,
        kind: MomentKind::Exception,
        text: exception.text.lines().next().unwrap_or_default().to_owned(),
    });
    let mut all: Vec<Moment> = told.chain(exception).collect();
    all.sort_by_key(|moment| moment.at);
    all.split_off(all.len().saturating_sub(MOST_EVENTS))
}

fn moment(at: UnixMillis, event: &Event) -> Option<Moment> {
    let size = |figure: Bytes| bytes(figure.0 as f64);
    let (kind, text) = match event {
        // The chart has them.
        Event::MajorGc { .. } | Event::Pause { .. } | Event::Container { .. } => return None,
        Event::Verdict { status, growth_bytes_per_second, .. } => {
            let text = match status {
                Status::WarmingUp => "too young to judge".to_owned(),
                Status::Healthy => "healthy".to_owned(),
                Status::Suspect => "suspected of a leak".to_owned(),
                Status::Leak => format!("leak: {} a minute", bytes(growth_bytes_per_second * 60.0)),
            };
            (MomentKind::Verdict, text)
        }
        Event::Threshold { metric, value, threshold } => {
            let name = match metric {
                crate::recorder::Metric::HeapUsed => "used heap",
                crate::recorder::Metric::Rss => "resident set",
            };
            (
                MomentKind::Threshold,
                format!("{name} of {}, the threshold is {}", size(*value), size(*threshold)),
            )
        }
        Event::Recovered { .. } => (MomentKind::Note, "recovered".to_owned()),
        Event::Capture { pause, what, .. } => {
            (MomentKind::Capture, format!("{what}, paused {}", spent(pause.as_millis())))
        }
        Event::Incident(incident) => {
            let limit = match incident.kind {
                IncidentKind::HeapLimit => "V8's heap limit",
                IncidentKind::ContainerLimit => "the container's limit",
            };
            let of = format!("{limit} ({} of {})", size(incident.used), size(incident.limit));
            let text = match incident.phase {
                IncidentPhase::Began => format!("near {of}: {}", incident.reason),
                IncidentPhase::Captured => format!("evidence taken near {of}"),
                IncidentPhase::Over => format!("no more near {of}"),
            };
            (MomentKind::Incident, text)
        }
        // Each change of a number is recorded: the chart of them is elsewhere.
        Event::Count { .. } => return None,
        Event::Note { text } => (MomentKind::Note, text.clone()),
    };
    Some(Moment { at, kind, text })
}
