//! How the life ended of which a recording tells.

use super::event::{Event, Incident, IncidentKind, IncidentPhase};
use super::record::{End, EndKind, Exception, Words};
use super::recording::Recording;
use crate::units::UnixMillis;

/// An exception that nobody caught is what ended a life if its end came within this time.
const SOON_MS: u64 = 30_000;
/// The same for V8's heap limit: until V8 gives up, what the limit was raised by is used up, and reports are written.
const HEAP_LIMIT_MS: u64 = 300_000;
/// A signal that asks a process to end is what ended it if it was not seen longer than this after it: process 1 of a container goes on, until
/// whoever stops the container has waited long enough.
const ASKED_MS: u64 = 120_000;

/// How a life ended, and what is known of it.
///
/// What is told here was recorded by the process itself; what a reader may infer from the figures is not.
#[derive(Debug, Clone, PartialEq)]
pub struct Life {
    /// When it began.
    pub started_at: UnixMillis,
    /// The last moment of which anything is known.
    pub last_seen: UnixMillis,
    /// How it ended.
    pub ended: Ended,
}

/// How a life ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// Orderly, with this mark.
    Clean(End),
    /// By an exception that nobody caught. The mark is there unless the process aborted, the words are there if it did.
    Uncaught {
        /// The exception.
        exception: Exception,
        /// The mark of the end that followed.
        end: Option<End>,
        /// The signal that followed.
        words: Option<Words>,
    },
    /// At V8's heap limit.
    HeapLimit {
        /// When V8 said that it was at its end.
        at: UnixMillis,
        /// What was told of it last.
        incident: Incident,
        /// The signal that followed.
        words: Option<Words>,
        /// The mark that followed: a worker ends without a signal.
        end: Option<End>,
    },
    /// By a fatal signal.
    Signal(Words),
    /// Somebody asked it to end, by SIGTERM, SIGINT or SIGHUP, and nobody in it listened.
    Asked(Words),
    /// Without a word, while the container's limit was near.
    ContainerLimit {
        /// When it came near.
        at: UnixMillis,
        /// What was told of it last.
        incident: Incident,
    },
    /// Without a word: killed, or still alive.
    Unknown,
}

impl Recording {
    /// How the life ended, as far as it was recorded.
    ///
    /// A recording that is still being written looks like one of a process that was killed; only the lock on its file tells.
    pub fn life(&self) -> Life {
        Life { started_at: self.header.started_at, last_seen: self.last_seen(), ended: self.ended() }
    }

    fn last_seen(&self) -> UnixMillis {
        let moments = [
            Some(self.header.started_at),
            self.last_sample().map(|sample| sample.reading.at),
            self.events.last().map(|event| event.at),
            self.words.map(|words| words.at),
            self.end.map(|end| end.at),
            self.exception.as_ref().map(|exception| exception.at),
        ];
        moments.into_iter().flatten().max().unwrap_or_default()
    }

    fn ended(&self) -> Ended {
        let end = self.end;
        let seen =
            self.last_sample().map(|sample| sample.reading.at).max(self.events.last().map(|event| event.at));
        let is_over = |words: &Words| {
            let went_on = seen.is_some_and(|seen| seen.0.saturating_sub(words.at.0) > ASKED_MS);
            words.asks() && (end.is_some() || went_on)
        };
        let words = self.words.filter(|words| !is_over(words));
        let over = words.map(|words| words.at).or(end.map(|end| end.at));
        let soon = |at: UnixMillis, within| over.is_none_or(|over| over.0.saturating_sub(at.0) <= within);
        let is_clean = words.is_none()
            && end.is_some_and(|end| end.kind == EndKind::Stopped || end.exit_code == Some(0));
        if let Some((at, incident)) = self.incident(IncidentKind::HeapLimit)
            && !is_clean
            && soon(at, HEAP_LIMIT_MS)
        {
            return Ended::HeapLimit { at, incident: incident.clone(), words, end };
        }
        if let Some(exception) = &self.exception
            && !is_clean
            && over.is_some()
            && soon(exception.at, SOON_MS)
        {
            return Ended::Uncaught { exception: exception.clone(), end, words };
        }
        match (words, end) {
            (Some(words), _) if words.asks() => Ended::Asked(words),
            (Some(words), _) => Ended::Signal(words),
            (None, Some(end)) => Ended::Clean(end),
            (None, None) => match self.incident(IncidentKind::ContainerLimit) {
                Some((at, incident)) => Ended::ContainerLimit { at, incident: incident.clone() },
                None => Ended::Unknown,
            },
        }
    }

    /// The incident of this kind that was not over at the end: when it began, and what was told of it last.
    pub fn incident(&self, wanted: IncidentKind) -> Option<(UnixMillis, &Incident)> {
        let mut began = None;
        let mut last = None;
        for event in &self.events {
            let Event::Incident(incident) = &event.event else { continue };
            if incident.kind != wanted {
                continue;
            }
            match incident.phase {
                IncidentPhase::Over => (began, last) = (None, None),
                IncidentPhase::Began | IncidentPhase::Captured => {
                    began.get_or_insert(event.at);
                    last = Some(incident);
                }
            }
        }
        began.zip(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::header::tests::header;
    use crate::recorder::recording::RecordedEvent;
    use crate::units::Bytes;

    const AT: u64 = 1_000_000_000;

    fn recording() -> Recording {
        Recording::empty(header())
    }

    fn incident(kind: IncidentKind, phase: IncidentPhase, after: u64) -> RecordedEvent {
        let incident = Incident {
            kind,
            phase,
            used: Bytes(9),
            limit: Bytes(10),
            raised_to: Bytes(0),
            reason: String::new(),
        };
        RecordedEvent { sequence: 1, at: UnixMillis(AT + after), event: Event::Incident(incident) }
    }

    fn words(signal: u32, after: u64) -> Option<Words> {
        let at = UnixMillis(AT + after);
        Some(Words { at, signal, code: 0, address: 0, thread: 0, sender: 0, waited_ms: 0 })
    }

    fn end(kind: EndKind, exit_code: Option<i32>, after: u64) -> Option<End> {
        Some(End { at: UnixMillis(AT + after), kind, exit_code })
    }

    fn exception(after: u64) -> Option<Exception> {
        Some(Exception { at: UnixMillis(AT + after), origin: String::new(), text: String::new() })
    }

    fn seen(mut recording: Recording, after: u64) -> Recording {
        let event = Event::Incident(Incident {
            kind: IncidentKind::HeapLimit,
            phase: IncidentPhase::Over,
            used: Bytes(9),
            limit: Bytes(10),
            raised_to: Bytes(0),
            reason: String::new(),
        });
        recording.events.push(RecordedEvent { sequence: 2, at: UnixMillis(AT + after), event });
        recording
    }

    fn name(recording: &Recording) -> &'static str {
        match recording.life().ended {
            Ended::Clean(_) => "clean",
            Ended::Uncaught { .. } => "uncaught",
            Ended::HeapLimit { .. } => "heap limit",
            Ended::Signal(_) => "signal",
            Ended::Asked(_) => "asked",
            Ended::ContainerLimit { .. } => "container limit",
            Ended::Unknown => "unknown",
        }
    }

    #[test]
    fn what_the_process_said_decides() {
        use IncidentKind::{ContainerLimit, HeapLimit};
        use IncidentPhase::{Began, Captured, Over};
        let cases: Vec<(&str, Recording)> = vec![
            ("unknown", recording()),
            ("clean", Recording { end: end(EndKind::Exit, Some(3), 0), ..recording() }),
            ("clean", Recording { end: end(EndKind::Stopped, None, 0), ..recording() }),
            ("signal", Recording { words: words(11, 0), ..recording() }),
            ("asked", Recording { words: words(15, 0), ..recording() }),
            ("asked", Recording { words: words(2, 0), ..recording() }),
            // Nobody listened, as process 1 of a container; it was seen until it was killed, or came to its own end.
            ("asked", seen(Recording { words: words(15, 0), ..recording() }, ASKED_MS)),
            ("unknown", seen(Recording { words: words(15, 0), ..recording() }, ASKED_MS + 1)),
            (
                "clean",
                Recording { words: words(15, 0), end: end(EndKind::Exit, Some(0), 900), ..recording() },
            ),
            // After an orderly exit something still crashed.
            ("signal", Recording { words: words(11, 5), end: end(EndKind::Exit, Some(0), 0), ..recording() }),
            (
                "uncaught",
                Recording { exception: exception(0), end: end(EndKind::Exit, Some(1), 9), ..recording() },
            ),
            ("uncaught", Recording { exception: exception(0), words: words(6, 9), ..recording() }),
            // Somebody listened and went on; the end, later, is another matter.
            (
                "clean",
                Recording { exception: exception(0), end: end(EndKind::Exit, Some(0), 9), ..recording() },
            ),
            (
                "clean",
                Recording {
                    exception: exception(0),
                    end: end(EndKind::Exit, Some(1), 99_000),
                    ..recording()
                },
            ),
            ("unknown", Recording { exception: exception(0), ..recording() }),
            (
                "heap limit",
                Recording {
                    events: vec![incident(HeapLimit, Began, 0)],
                    words: words(6, 60_000),
                    ..recording()
                },
            ),
            ("heap limit", Recording { events: vec![incident(HeapLimit, Captured, 0)], ..recording() }),
            (
                "heap limit",
                Recording {
                    events: vec![incident(HeapLimit, Began, 0)],
                    end: end(EndKind::Exit, Some(1), 9),
                    ..recording()
                },
            ),
            (
                "clean",
                Recording {
                    events: vec![incident(HeapLimit, Began, 0)],
                    end: end(EndKind::Exit, Some(0), 9),
                    ..recording()
                },
            ),
            (
                "signal",
                Recording {
                    events: vec![incident(HeapLimit, Began, 0)],
                    words: words(6, 999_000),
                    ..recording()
                },
            ),
            (
                "container limit",
                Recording { events: vec![incident(ContainerLimit, Began, 0)], ..recording() },
            ),
            (
                "unknown",
                Recording {
                    events: vec![incident(ContainerLimit, Began, 0), incident(ContainerLimit, Over, 5)],
                    ..recording()
                },
            ),
            (
                "signal",
                Recording {
                    events: vec![incident(ContainerLimit, Began, 0)],
                    words: words(7, 1),
                    ..recording()
                },
            ),
        ];
        for (index, (expected, recording)) in cases.iter().enumerate() {
            assert_eq!(name(recording), *expected, "case {index}");
        }
    }
}
