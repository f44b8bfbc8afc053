//! What a recording tells between its samples.

use serde::Serialize;

use super::record::{Numbers, Payload, Record, seal};
use crate::units::{Bytes, Micros, UnixMillis};
use crate::verdict::{Kind, LimitKind, Status};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// A major collection, and what it left.
    MajorGc {
        /// Used heap right after it: the post-GC floor.
        used: Bytes,
        /// External memory right after it.
        external: Bytes,
    },
    /// A collection that held the program up for long.
    Pause {
        /// Which.
        kind: PauseKind,
        /// For how long.
        pause: Micros,
    },
    /// Another verdict than before.
    Verdict {
        /// The claim.
        status: Status,
        /// Which memory it is about.
        kind: Kind,
        /// The floor's slope.
        growth_bytes_per_second: f64,
        /// Until the nearest limit at this rate.
        eta_ms: Option<u64>,
        /// Whose limit that is.
        limit: Option<LimitKind>,
    },
    /// Memory crossed a fixed threshold.
    Threshold {
        /// Which figure crossed.
        metric: Metric,
        /// Its value.
        value: Bytes,
        /// The threshold.
        threshold: Bytes,
    },
    /// What was told before is over.
    Recovered {
        /// What it was.
        from: Recovery,
    },
    /// A look at the heap came to an end.
    Capture {
        /// How long it stopped the program.
        pause: Micros,
        /// How long it took.
        duration: Micros,
        /// What it was for and how it was taken, in words.
        what: LimitedText,
    },
    /// A limit is near: a step in the life of an incident.
    Incident(Incident),
    /// Another number of listeners or resources than before.
    Count {
        /// How many there are.
        count: u64,
        /// How many more than before; below 0 where there are fewer.
        delta: i64,
        /// Of what, in words.
        what: LimitedText,
    },
    /// Something else worth a line.
    Note {
        /// The line.
        text: LimitedText,
    },
    /// How full the container is: the first look, new highs, and kills.
    Container {
        /// What the control group is charged for that the kernel cannot take back.
        held: Bytes,
        /// What it could take back: page cache.
        reclaimable: Bytes,
        /// The limit.
        limit: Bytes,
        /// Times that the limit was hit.
        max: u64,
        /// Times that an allocation failed for it.
        oom: u64,
        /// Processes that the kernel has killed for it.
        oom_kill: u64,
        /// The control group's folder.
        group: LimitedText,
    },
}

/// A text of which some 150 bytes are recorded.
pub type LimitedText = String;

/// Which collection held the program up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PauseKind {
    /// Of the young generation.
    Minor,
    /// Of the whole heap.
    Major,
    /// A step of one.
    Step,
}

/// A figure that has a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Metric {
    /// Used V8 heap.
    HeapUsed,
    /// Resident set.
    Rss,
}

/// What a recovery ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Recovery {
    /// A leak.
    Leak,
    /// A crossed threshold.
    Threshold,
}

/// A limit that came near.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    /// Whose limit.
    pub kind: IncidentKind,
    /// How far the incident is.
    pub phase: IncidentPhase,
    /// What is used of it.
    pub used: Bytes,
    /// The limit.
    pub limit: Bytes,
    /// For V8's limit, to what it was raised meanwhile; 0 where it was not.
    pub raised_to: Bytes,
    /// What set it off, or came of it, in words.
    pub reason: LimitedText,
}

/// Whose limit came near.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentKind {
    /// V8's heap limit: V8 has said that it is at its end.
    HeapLimit,
    /// The control group's memory limit.
    ContainerLimit,
}

/// How far an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentPhase {
    /// It began.
    Began,
    /// What can be told of it is on disk.
    Captured,
    /// There is room again: it ended without a death.
    Over,
}

/// Declares the numbers by which values are written; a number that is none reads as nothing.
macro_rules! numbered {
    ($($type:ident { $($variant:ident = $number:literal),+ $(,)? })+) => {
        $(impl Numbered for $type {
            fn number(self) -> u64 {
                match self { $(Self::$variant => $number),+ }
            }
            fn of(number: u64) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        })+
    };
}

/// What is written as a number.
pub(super) trait Numbered: Sized {
    fn number(self) -> u64;
    fn of(number: u64) -> Option<Self>;
}

numbered! {
    PauseKind { Minor = 1, Major = 2, Step = 3 }
    Metric { HeapUsed = 1, Rss = 2 }
    Recovery { Leak = 1, Threshold = 2 }
    IncidentKind { HeapLimit = 1, ContainerLimit = 2 }
    IncidentPhase { Began = 1, Captured = 2, Over = 3 }
    Status { WarmingUp = 1, Healthy = 2, Suspect = 3, Leak = 4 }
    Kind { None = 1, Heap = 2, External = 3, Native = 4, Fragmentation = 5 }
    LimitKind { Heap = 1, Container = 2 }
}

const MAJOR_GC: u16 = 1;
const PAUSE: u16 = 2;
const VERDICT: u16 = 3;
const THRESHOLD: u16 = 4;
const RECOVERED: u16 = 5;
const CAPTURE: u16 = 6;
const INCIDENT: u16 = 7;
const COUNT: u16 = 8;
const NOTE: u16 = 9;
const CONTAINER: u16 = 10;

impl Event {
    /// The record, in `place`. Allocates nothing.
    pub(super) fn encode<'a>(&self, place: &'a mut [u8], sequence: u64, at: UnixMillis) -> &'a [u8] {
        let mut payload = Payload::new(place);
        let kind = match self {
            Self::MajorGc { used, external } => {
                payload.number(used.0).number(external.0);
                MAJOR_GC
            }
            Self::Pause { kind, pause } => {
                payload.number(kind.number()).number(pause.0);
                PAUSE
            }
            Self::Verdict { status, kind, growth_bytes_per_second, eta_ms, limit } => {
                payload
                    .number(status.number())
                    .number(kind.number())
                    .number(growth_bytes_per_second.to_bits())
                    .number(u64::from(eta_ms.is_some()))
                    .number(eta_ms.unwrap_or(0))
                    .number(limit.map_or(0, Numbered::number));
                VERDICT
            }
            Self::Threshold { metric, value, threshold } => {
                payload.number(metric.number()).number(value.0).number(threshold.0);
                THRESHOLD
            }
            Self::Recovered { from } => {
                payload.number(from.number());
                RECOVERED
            }
            Self::Capture { pause, duration, what } => {
                payload.number(pause.0).number(duration.0).text(what);
                CAPTURE
            }
            Self::Incident(Incident { kind, phase, used, limit, raised_to, reason }) => {
                payload
                    .number(kind.number())
                    .number(phase.number())
                    .number(used.0)
                    .number(limit.0)
                    .number(raised_to.0)
                    .text(reason);
                INCIDENT
            }
            Self::Container { held, reclaimable, limit, max, oom, oom_kill, group } => {
                payload.number(held.0).number(reclaimable.0).number(limit.0);
                payload.number(*max).number(*oom).number(*oom_kill).text(group);
                CONTAINER
            }
            Self::Count { count, delta, what } => {
                payload.number(*count).number(delta.cast_unsigned()).text(what);
                COUNT
            }
            Self::Note { text } => {
                payload.text(text);
                NOTE
            }
        };
        let length = payload.length();
        seal(place, sequence, at, kind, length)
    }

    /// What the record says; nothing where it is of a kind that this version does not know.
    pub(super) fn decode(record: &Record<'_>) -> Option<Self> {
        let mut n = Numbers(record.payload);
        Some(match record.kind {
            MAJOR_GC => Self::MajorGc { used: Bytes(n.next()), external: Bytes(n.next()) },
            PAUSE => Self::Pause { kind: Numbered::of(n.next())?, pause: Micros(n.next()) },
            VERDICT => {
                let (status, kind) = (Numbered::of(n.next())?, Numbered::of(n.next())?);
                let growth_bytes_per_second = f64::from_bits(n.next());
                let (has_eta, eta) = (n.next() == 1, n.next());
                let limit = Numbered::of(n.next());
                Self::Verdict { status, kind, growth_bytes_per_second, eta_ms: has_eta.then_some(eta), limit }
            }
            THRESHOLD => Self::Threshold {
                metric: Numbered::of(n.next())?,
                value: Bytes(n.next()),
                threshold: Bytes(n.next()),
            },
            RECOVERED => Self::Recovered { from: Numbered::of(n.next())? },
            CAPTURE => Self::Capture { pause: Micros(n.next()), duration: Micros(n.next()), what: n.text() },
            INCIDENT => Self::Incident(Incident {
                kind: Numbered::of(n.next())?,
                phase: Numbered::of(n.next())?,
                used: Bytes(n.next()),
                limit: Bytes(n.next()),
                raised_to: Bytes(n.next()),
                reason: n.text(),
            }),
            COUNT => Self::Count { count: n.next(), delta: n.next().cast_signed(), what: n.text() },
            NOTE => Self::Note { text: n.text() },
            CONTAINER => Self::Container {
                held: Bytes(n.next()),
                reclaimable: Bytes(n.next()),
                limit: Bytes(n.next()),
                max: n.next(),
                oom: n.next(),
                oom_kill: n.next(),
                group: n.text(),
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::recorder::layout::SLOT;
    use crate::recorder::record::Found;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        // Short enough to be kept whole.
        "[a-zé\n\"]{0,40}"
    }

    fn one_of<T: Numbered + std::fmt::Debug>() -> impl Strategy<Value = T> {
        (0..9u64)
            .prop_map(|n| (n..n + 9).find_map(|n| T::of(n % 9)).expect("one of nine stands for something"))
    }

    /// Any event.
    pub fn events() -> impl Strategy<Value = Event> {
        let bytes = || any::<u64>().prop_map(Bytes);
        let micros = || any::<u64>().prop_map(Micros);
        let verdict = (one_of(), one_of(), any::<i32>(), any::<Option<u64>>(), prop::option::of(one_of()));
        let incident = (one_of(), one_of(), bytes(), bytes(), bytes(), text());
        prop_oneof![
            (bytes(), bytes()).prop_map(|(used, external)| Event::MajorGc { used, external }),
            (one_of(), micros()).prop_map(|(kind, pause)| Event::Pause { kind, pause }),
            verdict.prop_map(|(status, kind, growth, eta_ms, limit)| Event::Verdict {
                status,
                kind,
                growth_bytes_per_second: f64::from(growth),
                eta_ms,
                limit
            }),
            (one_of(), bytes(), bytes()).prop_map(|(metric, value, threshold)| Event::Threshold {
                metric,
                value,
                threshold
            }),
            one_of().prop_map(|from| Event::Recovered { from }),
            (micros(), micros(), text()).prop_map(|(pause, duration, what)| Event::Capture {
                pause,
                duration,
                what
            }),
            incident.prop_map(|(kind, phase, used, limit, raised_to, reason)| Event::Incident(Incident {
                kind,
                phase,
                used,
                limit,
                raised_to,
                reason
            })),
            (any::<u64>(), any::<i64>(), text()).prop_map(|(count, delta, what)| Event::Count {
                count,
                delta,
                what
            }),
            text().prop_map(|text| Event::Note { text }),
            (prop::array::uniform6(any::<u64>()), text()).prop_map(
                |([held, reclaimable, limit, max, oom, oom_kill], group)| {
                    let [held, reclaimable, limit] = [held, reclaimable, limit].map(Bytes);
                    Event::Container { held, reclaimable, limit, max, oom, oom_kill, group }
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(event in events(), sequence in 1..u64::MAX, at in any::<u64>()) {
            let mut place = [0; SLOT];
            let record = Found::in_place(event.encode(&mut place, sequence, UnixMillis(at))).whole().expect("whole");
            prop_assert_eq!(Event::decode(&record), Some(event));
            prop_assert_eq!((record.sequence, record.at), (sequence, UnixMillis(at)));
        }

        #[test]
        fn any_payload_is_read_or_refused(kind in any::<u16>(), payload in prop::collection::vec(any::<u8>(), 0..99)) {
            let record = Record { sequence: 1, at: UnixMillis(1), kind, payload: &payload };
            let _ = Event::decode(&record);
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let mut place = [0; SLOT];
        let event = Event::Note { text: "é".repeat(1000) };
        let record = Found::in_place(event.encode(&mut place, 1, UnixMillis(0))).whole().expect("whole");
        assert_eq!(Event::decode(&record), Some(Event::Note { text: "é".repeat(112) }));
    }
}
