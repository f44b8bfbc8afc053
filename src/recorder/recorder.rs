//! Writes a recording.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::event::Event;
use super::header::Header;
use super::layout::{Layout, Region, SLOT, STATE, TextKind};
use super::record::{End, Exception, HEAD, Payload, seal};
use super::recording::Judgement;
use super::sample;
use crate::sample::Sample;
use crate::units::UnixMillis;

/// Where a recording is written to: a mapped file.
pub trait Medium: Send + Sync {
    /// Copies `bytes` to `offset`; what lies outside is left out. Must not allocate, block or fail.
    fn put(&self, offset: usize, bytes: &[u8]);

    /// Asks the system to bring what was written to the disk, and does not wait for it.
    fn flush(&self);
}

/// Writes one recording, from any thread, without a lock.
///
/// Each record is complete in itself and has its checksum: whatever moment the process dies in, at most the record under way is torn.
/// Two threads never get the same place, unless one of them sleeps through a whole turn of the ring, and then it is that record which is torn.
pub struct Recorder<M> {
    medium: M,
    layout: Layout,
    samples: AtomicU64,
    events: AtomicU64,
    state: AtomicU64,
    texts: [AtomicU64; 2],
    has_ended: AtomicBool,
}

impl<M: Medium> Recorder<M> {
    /// Begins a recording on a medium that is all zeros and as long as the header says.
    pub fn begin(medium: M, header: &Header) -> Self {
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
        }
    }

    /// What it writes to.
    pub fn medium(&self) -> &M {
        &self.medium
    }

    /// Records a sample and the verdict with it. Allocates nothing, makes no system call.
    pub fn sample(&self, sample: &Sample, judgement: &Judgement) {
        let sequence = next(&self.samples);
        let (status, kind) = (judgement.verdict.status, judgement.verdict.kind);
        let mut place = [0; SLOT];
        let record = sample::encode(&mut place, sequence, sample, status, kind);
        self.medium.put(self.layout.samples.place(sequence), record);
        self.pulse(sample, judgement);
    }

    /// Records where the process stands, without a sample: the beginning of a tick. Allocates nothing, makes no system call.
    pub fn pulse(&self, sample: &Sample, judgement: &Judgement) {
        let sequence = next(&self.state);
        let mut place = [0; STATE];
        let verdict = &judgement.verdict;
        let mut payload = Payload::new(&mut place);
        sample::encode_numbers(&mut payload, sample, verdict.status, verdict.kind);
        let numbers = payload.length();
        let text = &mut place[HEAD + numbers..];
        // A confirmation with long names may not fit; the verdict alone always does.
        let written = written(text, judgement).or_else(|| {
            written(text, &Judgement { verdict: *verdict, confirmed_by: None })
        });
        let length = numbers + written.unwrap_or(0);
        let record = seal(&mut place, sequence, sample.reading.at, 1, length);
        self.medium.put(Layout::STATE.place(sequence), record);
    }

    /// Records that something happened. Allocates nothing, makes no system call.
    pub fn event(&self, at: UnixMillis, event: &Event) {
        let sequence = next(&self.events);
        let mut place = [0; SLOT];
        self.medium.put(self.layout.events.place(sequence), event.encode(&mut place, sequence, at));
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
        self.medium.flush();
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

    /// Asks the system to bring what was written to the disk, and does not wait for it: one system call.
    pub fn flush(&self) {
        self.medium.flush();
    }
}

/// Numbers count from 1.
fn next(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

/// How many bytes of JSON were written into `place`; nothing where it does not fit. Allocates nothing.
fn written(place: &mut [u8], judgement: &Judgement) -> Option<usize> {
    let room = place.len();
    let mut rest = place;
    serde_json::to_writer(&mut rest, judgement).ok()?;
    Some(room - rest.len())
}
