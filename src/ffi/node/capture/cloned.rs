//! A capture in a clone of the process.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::product::{Product, Slot, Slots, analyse, internal, put};
use super::storage::{Shelf, named};
use serde::de::DeserializeOwned;

use crate::analysis::Baseline;
use crate::capture::Capture;
use crate::clone::message::{Message, Step};
use crate::clone::turn::{Answer, Turns};
use crate::compress::Compression;
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::node::background::guarded;
use crate::ffi::node::error_json;
use crate::ffi::os::clone::{Out, Watch, Watched};
use crate::ffi::v8::{self, ChunkSink};
use crate::report::Reserved;
use crate::snapshot::{Level, Stamp};
use crate::units::Bytes;
use crate::verdict::Look;

/// Whose turn it is to clone this process.
static TURNS: Mutex<Turns> = Mutex::new(Turns::new());

/// A turn that is taken, until it is dropped.
pub struct Turn {
    /// How long the process stood still.
    pub pause: Duration,
}

impl Turn {
    /// Asks for request number `request`: a turn, or how long to wait.
    pub fn ask(request: u64) -> Result<Result<Self, Duration>> {
        Ok(match turns().ask(request, Instant::now())? {
            Answer::Go => Ok(Self { pause: Duration::ZERO }),
            Answer::Wait(time) => Err(time),
        })
    }

    /// Says that request number `request` waits no longer.
    pub fn leave(request: u64) {
        turns().leave(request);
    }

    /// A number that no other request of this process has.
    pub fn request() -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        LAST.fetch_add(1, Ordering::Relaxed)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        turns().end(self.pause, Instant::now());
    }
}

fn turns() -> std::sync::MutexGuard<'static, Turns> {
    TURNS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a clone is to do.
pub struct Task<'a> {
    pub product: &'a Product,
    pub file: Option<&'a Result<Reserved>>,
    pub compression: Option<Compression>,
    pub redaction: Option<Level>,
    pub slots: &'a Slots,
    /// Whether V8 has to be told to make line ends known.
    pub line_ends: bool,
    /// Counts objects by constructor, where that needs no snapshot.
    pub walk: Option<&'a dyn Fn() -> Result<String>>,
}

/// V8's chunks on their way, which say by the first of them that the snapshot is taken.
struct Feed<'a> {
    capture: Capture,
    stamp: Stamp,
    out: &'a mut Out,
    is_reading: bool,
}

impl ChunkSink for Feed<'_> {
    fn chunk(&mut self, text: &[u8]) -> bool {
        if !self.is_reading {
            self.is_reading = true;
            self.out.step(Step::Reading);
        }
        let capture = &mut self.capture;
        self.stamp.apply(text, |piece| if capture.feed(piece) { Ok(()) } else { Err(()) }).is_ok()
    }
}

impl Task<'_> {
    /// The descriptors that the clone needs.
    pub fn keep(&self) -> Vec<RawFd> {
        self.file.and_then(|file| file.as_ref().ok()?.descriptor()).into_iter().collect()
    }

    /// Whether the clone takes a snapshot; otherwise it walks over the heap.
    pub fn takes_snapshot(&self) -> bool {
        self.counting().is_none()
    }

    fn counting(&self) -> Option<&dyn Fn() -> Result<String>> {
        self.walk.filter(|_| matches!(self.product, Product::Census))
    }

    /// Does the task. In the clone.
    pub fn run(&self, functions: &v8::SnapshotFunctions, isolate: v8::Isolate, out: &mut Out) {
        let result = guarded(|| self.product(functions, isolate, out));
        match result {
            Ok(product) => out.say(&Message::Product(product)),
            Err(error) => out.say(&Message::Failure(error_json(&error).to_string())),
        }
    }

    fn product(
        &self,
        functions: &v8::SnapshotFunctions,
        isolate: v8::Isolate,
        out: &mut Out,
    ) -> Result<String> {
        v8::never_at_the_limit(isolate);
        if let Some(count) = self.counting() {
            out.step(Step::Taking);
            let json = count();
            out.step(Step::Telling);
            return json;
        }
        if self.line_ends
            && let Some(functions) = v8::bridge().ok().and_then(|bridge| bridge.line_ends.as_ref())
        {
            v8::make_line_ends_known(functions, isolate);
        }
        out.step(Step::Taking);
        let content =
            |place: &Result<Reserved>| place.as_ref().map_err(Error::clone)?.content(self.compression);
        let capture = Capture::new(self.file.map(content), !matches!(self.product, Product::File))
            .redacted(self.redaction);
        let mut feed = Feed { capture, stamp: Stamp::new(), out: &mut *out, is_reading: false };
        let is_whole = v8::take_snapshot(functions, isolate, &mut feed);
        let Feed { capture, is_reading, .. } = feed;
        // Serialisation ends early where nothing can use the rest, which is an error of its own.
        let cause = (!is_whole && !is_reading)
            .then(|| ErrorKind::Clone { reason: "V8 took no snapshot".into() }.into());
        out.step(Step::Analysing);
        let captured = capture.finish(cause);
        if let Some(Ok(bytes)) = captured.file {
            out.say(&Message::Written { bytes });
        }
        let json = analyse(captured, self.product, self.slots, &Control::default())?;
        out.step(Step::Telling);
        self.tell(out)?;
        Ok(json)
    }

    /// Tells what is to outlive the capture in the parent.
    fn tell(&self, out: &mut Out) -> Result<()> {
        let text = |json: serde_json::Result<String>| json.map_err(|e| internal(&e.to_string()));
        if let Some(baseline) = &*taken(&self.slots.baseline) {
            out.say(&Message::Kept(text(serde_json::to_string(&**baseline))?));
        }
        if let Some(look) = &*taken(&self.slots.look) {
            out.say(&Message::Look(text(serde_json::to_string(look))?));
        }
        Ok(())
    }
}

/// What waits in `slot`.
fn taken<T>(slot: &Slot<T>) -> std::sync::MutexGuard<'_, Option<T>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a clone has used of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// Processor time, user and system.
    pub cpu: Option<Duration>,
    /// The most memory that it had to itself.
    pub peak: Option<Bytes>,
}

/// What was heard of a clone.
struct Heard {
    product: Option<String>,
    failure: Option<String>,
    is_written: bool,
    kept: Result<()>,
}

/// What the snapshots of this process take, in times the heap, by the last of them; as bits, 0 where none was taken.
static TIMES: AtomicU64 = AtomicU64::new(0);

/// More is not the heap's: what V8 and the C library need for any snapshot is many times a heap that is hardly there.
const MOST_TIMES: f64 = 32.0;

/// What the last snapshot took, in times the heap of that moment.
pub fn times_seen() -> Option<f64> {
    match TIMES.load(Ordering::Relaxed) {
        0 => None,
        bits => Some(f64::from_bits(bits)),
    }
}

/// Hears a clone to its end and gives its result. `heap` is what was used on the heap when it was made, if a snapshot was taken there: what a
/// census takes says nothing of the next snapshot.
pub fn hear(
    watch: Watch,
    place: Option<Result<Reserved>>,
    slots: &Slots,
    heap: Option<Bytes>,
    control: &Control,
    shelf: &Shelf,
    spent: &Slot<Spent>,
) -> Result<String> {
    let mut heard = Heard { product: None, failure: None, is_written: false, kept: Ok(()) };
    let watched = watch.hear(control.cancel_flag(), |message| match message {
        Message::Product(json) => heard.product = Some(json),
        Message::Failure(json) => heard.failure = Some(json),
        Message::Written { .. } => heard.is_written = true,
        Message::Kept(json) => heard.kept = keep::<Baseline, _>(&slots.baseline, &json),
        Message::Look(json) => heard.kept = keep::<Look, _>(&slots.look, &json),
        Message::Step(_) | Message::End { .. } => {}
    });
    match watched {
        Watched::Cancelled => Err(ErrorKind::Cancelled.into()),
        Watched::Lost { reason, cpu } => {
            put(spent, Spent { cpu, peak: None });
            Err(ErrorKind::Clone { reason }.into())
        }
        Watched::Told { peak, cpu } => {
            put(spent, Spent { cpu, peak: Some(Bytes(peak)) });
            if let Some(heap) = heap.filter(|heap| heap.0 > 0) {
                let times = (peak as f64 / heap.0 as f64).min(MOST_TIMES);
                TIMES.store(times.to_bits(), Ordering::Relaxed);
            }
            heard.kept?;
            named(place.filter(|_| heard.is_written), control, shelf)?;
            match (heard.product, heard.failure) {
                (Some(product), _) => Ok(product),
                (None, Some(failure)) => Err(told(&failure)),
                (None, None) => Err(internal("a clone ended without a result")),
            }
        }
    }
}

/// The error that a clone told of.
fn told(failure: &str) -> Error {
    let failure: serde_json::Value = serde_json::from_str(failure).unwrap_or_default();
    let text = |name| failure[name].as_str().unwrap_or_default();
    // Its memory has a limit of its own: what does not fit into that may fit into the process.
    if text("code") == "HEAPWARDEN_ERR_OUT_OF_MEMORY" {
        return ErrorKind::Clone { reason: format!("it came to the end of its memory: {}", text("message")) }
            .into();
    }
    Error::in_clone(text("code"), text("message"))
}

/// Keeps what a clone sent for later. Text that is not what it should be is a defect.
fn keep<T: DeserializeOwned, U: From<T>>(slot: &Slot<U>, json: &str) -> Result<()> {
    let value: T = serde_json::from_str(json).map_err(|e| internal(&format!("what a clone kept was {e}")))?;
    put(slot, value.into());
    Ok(())
}
