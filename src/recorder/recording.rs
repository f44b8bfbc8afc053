//! What a reader gets of a recording, whatever has become of the file.

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::header::Header;
use super::layout::{Layout, Region, TextKind};
use super::record::{End, Exception, Found, Numbers, Record, Words};
use super::sample;
use crate::error::Result;
use crate::sample::Sample;
use crate::units::UnixMillis;
use crate::verdict::{ConfirmedBy, Kind, Status, Verdict};

/// A recording, as far as it is whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Whose it is.
    pub header: Header,
    /// The samples, oldest first, without a gap.
    pub samples: Vec<RecordedSample>,
    /// The events, oldest first, without a gap.
    pub events: Vec<RecordedEvent>,
    /// Where the process stood when it was last heard of.
    pub state: Option<State>,
    /// What a fatal signal left.
    pub words: Option<Words>,
    /// The exception that nobody caught.
    pub exception: Option<Exception>,
    /// The mark of a clean end.
    pub end: Option<End>,
    /// The last summary of the heap.
    pub summary: Option<StoredText>,
    /// The last leak report.
    pub report: Option<StoredText>,
    /// What is not whole, one for each part of the file at most.
    pub damage: Vec<Damage>,
}

/// A sample, and what the counters said then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordedSample {
    /// Its number since the recording began, from 1.
    pub sequence: u64,
    /// The sample.
    pub sample: Sample,
    /// The verdict with this sample.
    pub status: Status,
    /// Which memory that is about.
    pub kind: Kind,
}

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordedEvent {
    /// Its number since the recording began, from 1.
    pub sequence: u64,
    /// When it was recorded.
    pub at: UnixMillis,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Where the process stood: renewed at the beginning and at the end of each tick of the clock.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The figures then. At the beginning of a tick those of the heap are as old as they say.
    pub sample: Sample,
    /// The verdict with all its numbers; nothing where it cannot be read.
    pub judgement: Option<Judgement>,
    /// The claim alone.
    pub status: Status,
    /// Which memory it is about.
    pub kind: Kind,
}

/// A verdict, and what confirmed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What was seen to grow, where looks at the heap confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<ConfirmedBy>,
}

/// A text, and when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredText {
    /// When.
    pub at: UnixMillis,
    /// The text: JSON.
    pub text: String,
}

/// Something that is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Damage {
    /// Which part of the file: `samples`, `events`, `state`, `words`, `exception`, `end`, `summary`, `report`, or `file` where its end
    /// is missing.
    pub part: &'static str,
    /// Where reading stopped, in bytes from the start of the file.
    pub offset: u64,
    /// How many places hold something that is no whole record.
    pub torn: u64,
    /// How many whole records are older than the place where reading stopped, and not told.
    pub lost: u64,
}

impl Recording {
    /// The recording in `bytes`: all that is whole of it.
    ///
    /// In each ring the newest whole record is found by its number, and from there reading goes back in time until the first place that
    /// does not hold the record that it must hold. [`Recording::damage`] says where that was.
    ///
    /// # Errors
    ///
    /// `Recording` where neither copy of the header is whole.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let header = Header::read(bytes)?;
        let layout = Layout::of(usize::try_from(header.bytes).unwrap_or(usize::MAX));
        let mut damage = Vec::new();
        if bytes.len() < layout.bytes {
            damage.push(Damage { part: "file", offset: bytes.len() as u64, torn: 0, lost: 0 });
        }
        let mut part = |part, region| Part::read(bytes, part, region, &mut damage);
        let samples = part("samples", layout.samples);
        let events = part("events", layout.events);
        let state = part("state", Layout::STATE);
        let words = part("words", Layout::WORDS);
        let exception = part("exception", Layout::EXCEPTION);
        let end = part("end", Layout::END);
        let summary = part("summary", layout.text(TextKind::Summary));
        let report = part("report", layout.text(TextKind::Report));
        let text = |part: Part<'_>| {
            part.newest().map(|record| StoredText { at: record.at, text: Numbers(record.payload).text() })
        };
        let sample = |record: &Record<'_>| {
            let (sample, status, kind) = sample::decode(record)?;
            Some(RecordedSample { sequence: record.sequence, sample, status, kind })
        };
        let event = |record: &Record<'_>| {
            let event = Event::decode(record)?;
            Some(RecordedEvent { sequence: record.sequence, at: record.at, event })
        };
        Ok(Self {
            samples: samples.oldest_first().filter_map(sample).collect(),
            events: events.oldest_first().filter_map(event).collect(),
            state: state.newest().and_then(State::decode),
            words: words.newest().and_then(Words::decode),
            exception: exception.newest().and_then(Exception::decode),
            end: end.newest().and_then(End::decode),
            summary: text(summary),
            report: text(report),
            header,
            damage,
        })
    }

    /// The newest figures there are.
    pub fn last_sample(&self) -> Option<&Sample> {
        let of_ring = self.samples.last().map(|recorded| &recorded.sample);
        let of_state = self.state.as_ref().map(|state| &state.sample);
        of_ring.into_iter().chain(of_state).max_by_key(|sample| sample.reading.at)
    }

    /// The verdict when the process was last heard of.
    pub fn last_verdict(&self) -> Option<&Judgement> {
        self.state.as_ref()?.judgement.as_ref()
    }

    #[cfg(test)]
    pub(super) fn empty(header: Header) -> Self {
        Self {
            header,
            samples: Vec::new(),
            events: Vec::new(),
            state: None,
            words: None,
            exception: None,
            end: None,
            summary: None,
            report: None,
            damage: Vec::new(),
        }
    }
}

impl State {
    fn decode(record: &Record<'_>) -> Option<Self> {
        let mut numbers = Numbers(record.payload);
        let (sample, status, kind) = sample::decode_numbers(&mut numbers, record.at)?;
        let judgement = serde_json::from_slice(numbers.0).ok();
        Some(Self { sample, judgement, status, kind })
    }
}

/// The records of a region, newest first, without a gap.
struct Part<'a>(Vec<Record<'a>>);

impl<'a> Part<'a> {
    fn read(bytes: &'a [u8], part: &'static str, region: Region, damage: &mut Vec<Damage>) -> Self {
        let in_place = |place: usize| match bytes.get(place..) {
            Some(rest) if !rest.is_empty() => Found::in_place(&rest[..rest.len().min(region.slot)]),
            // Cut off: told once, for the file.
            _ => Found::Empty,
        };
        let (mut newest, mut whole, mut torn, mut first_torn) = (0, 0u64, 0u64, None);
        for place in region.places() {
            match in_place(place) {
                Found::Empty => {}
                // A whole record in another one's place is none.
                Found::Whole(record) if record.sequence > 0 && region.place(record.sequence) == place => {
                    whole += 1;
                    newest = newest.max(record.sequence);
                }
                Found::Whole(_) | Found::Torn => {
                    torn += 1;
                    first_torn.get_or_insert(place);
                }
            }
        }
        let mut records = Vec::new();
        let mut stopped = None;
        for back in 0..(region.slots as u64).min(newest) {
            let sequence = newest - back;
            let place = region.place(sequence);
            match in_place(place) {
                Found::Whole(record) if record.sequence == sequence => records.push(record),
                _ => {
                    stopped = Some(place);
                    break;
                }
            }
        }
        let lost = whole - records.len() as u64;
        if torn > 0 || lost > 0 {
            let offset = stopped.or(first_torn).unwrap_or(region.start) as u64;
            damage.push(Damage { part, offset, torn, lost });
        }
        Self(records)
    }

    fn newest(&self) -> Option<&Record<'a>> {
        self.0.first()
    }

    fn oldest_first(&self) -> impl Iterator<Item = &Record<'a>> {
        self.0.iter().rev()
    }
}
