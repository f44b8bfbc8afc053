//! Writes a recording.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::Serialize;

use super::event::Event;
use super::header::Header;
use super::layout::{Layout, Region, SLOT, STATE, TextKind};
use super::record::{End, Exception, HEAD, Payload, seal};
use super::sample;
use crate::sample::Sample;
use crate::units::UnixMillis;
use crate::verdict::{ConfirmedBy, Verdict};

/// Where a recording is written to: a mapped file.
pub trait Medium: Send + Sync {
    /// Copies `bytes` to `offset`; what lies outside is left out. Must not allocate, block or fail.
    fn put(&self, offset: usize, bytes: &[u8]);

    /// Has the system begin to bring what was written to the disk, and does not wait for it.
    fn flush(&self);
}

/// Writes one recording, from any thread, without a lock.
///
/// Each record is complete in itself and has its checksum: whatever moment the process dies in, at most the record under way is torn.
/// Two threads never get the same place, unless one of them sleeps through a whole turn of the ring, and then it is that record which is torn.
pub struct Recorder {
    medium: Box<dyn Medium>,
    layout: Layout,
    samples: AtomicU64,
    events: AtomicU64,
    state: AtomicU64,
    texts: [AtomicU64; 2],
    has_ended: AtomicBool,
    flush_wanted: AtomicBool,
}

impl Recorder {
    /// Begins a recording on a medium that is all zeros and as long as the header says.
    pub fn begin(medium: Box<dyn Medium>, header: &Header) -> Self {
        let layout = Layout::of(usize::try_from(header.bytes).unwrap_or(usize::MAX));
        let copy = header.encode();
        for at in Layout::HEADERS {
            medium.put(at, &copy);
        }
        Self {
            medium,
            layout,
            samples: AtomicU64::new(0),
            events: AtomicU64::new(0),
            state: AtomicU64::new(0),
            texts: [const { AtomicU64::new(0) }; 2],
            has_ended: AtomicBool::new(false),
            flush_wanted: AtomicBool::new(false),
        }
    }

    /// Records a sample and the verdict with it. Allocates nothing, makes no system call.
    pub fn sample(&self, sample: &Sample, verdict: &Verdict, confirmed_by: Option<&ConfirmedBy>) {
        let sequence = next(&self.samples);
        let mut place = [0; SLOT];
        let record = sample::encode(&mut place, sequence, sample, verdict.status, verdict.kind);
        self.medium.put(self.layout.samples.place(sequence), record);
        self.pulse(sample, verdict, confirmed_by);
    }

    /// Records where the process stands, without a sample: the beginning of a tick. Allocates nothing, makes no system call.
    pub fn pulse(&self, sample: &Sample, verdict: &Verdict, confirmed_by: Option<&ConfirmedBy>) {
        let sequence = next(&self.state);
        let mut place = [0; STATE];
        let mut payload = Payload::new(&mut place);
        sample::encode_numbers(&mut payload, sample, verdict.status, verdict.kind);
        let numbers = payload.length();
        let text = &mut place[HEAD + numbers..];
        // A confirmation with long names may not fit; the verdict alone always does.
        let length = json(text, &Said { verdict, confirmed_by })
            .or_else(|| json(text, &Said { verdict, confirmed_by: None }))
            .unwrap_or(0);
        let record = seal(&mut place, sequence, sample.reading.at, 1, numbers + length);
        self.medium.put(Layout::STATE.place(sequence), record);
    }

    /// Records that something happened. Allocates nothing, makes no system call.
    pub fn event(&self, at: UnixMillis, event: &Event) {
        let sequence = next(&self.events);
        let mut place = [0; SLOT];
        self.medium.put(self.layout.events.place(sequence), event.encode(&mut place, sequence, at));
        if matches!(event, Event::Verdict { .. } | Event::Incident(_)) {
            self.want_flush();
        }
    }

    /// Replaces the text of this kind; says whether it fits. One that does not leaves the one before.
    pub fn text(&self, kind: TextKind, at: UnixMillis, text: &str) -> bool {
        let region = self.layout.text(kind);
        if text.len() > self.text_room(kind) {
            return false;
        }
        let sequence = next(&self.texts[kind as usize]);
        let mut place = vec![0; HEAD + text.len()];
        let length = Payload::new(&mut place).text(text).length();
        self.medium.put(region.place(sequence), seal(&mut place, sequence, at, 1, length));
        self.want_flush();
        true
    }

    /// How long a text of this kind may be, in bytes.
    pub fn text_room(&self, kind: TextKind) -> usize {
        self.layout.text(kind).slot - HEAD
    }

    /// Records an exception that nobody caught; the one before is forgotten.
    pub fn exception(&self, exception: &Exception) {
        let Region { start, slot, .. } = Layout::EXCEPTION;
        let mut place = vec![0; slot];
        self.medium.put(start, exception.encode(&mut place, 1));
        self.want_flush();
    }

    /// Marks the end; the first mark stays. Says whether this was it.
    pub fn end(&self, end: &End) -> bool {
        if self.has_ended.swap(true, Ordering::AcqRel) {
            return false;
        }
        let mut place = [0; SLOT];
        self.medium.put(Layout::END.start, end.encode(&mut place, 1));
        true
    }

    /// Has the system begin to bring what was written to the disk, at the next [`Recorder::flush_if_wanted`].
    pub fn want_flush(&self) {
        self.flush_wanted.store(true, Ordering::Relaxed);
    }

    /// Has it begin now, if anybody wanted that: a system call, which does not wait for the disk.
    pub fn flush_if_wanted(&self) {
        if self.flush_wanted.swap(false, Ordering::Relaxed) {
            self.medium.flush();
        }
    }
}

/// A [`Judgement`] as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    verdict: &'a Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_by: Option<&'a ConfirmedBy>,
}

/// Numbers count from 1.
fn next(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

/// How many bytes of JSON were written into `place`; nothing where it does not fit. Allocates nothing.
fn json(place: &mut [u8], said: &Said<'_>) -> Option<usize> {
    let room = place.len();
    let mut rest = place;
    serde_json::to_writer(&mut rest, said).ok()?;
    Some(room - rest.len())
}
