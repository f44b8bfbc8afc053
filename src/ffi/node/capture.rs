//! One heap snapshot of this isolate: from V8 to a file, a summary, a baseline or the growth since one.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use napi::bindgen_prelude::{Env, Object};
use napi_derive::napi;
use serde::Serialize;

use super::background::{Settler, guarded, spawn};
use super::{error_json, to_napi};
use crate::analysis::{self, Alive, Baseline, Growth, SnapshotSummary, SummaryOptions};
use crate::capture::{Capture, Captured};
use crate::compress::Compression;
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::os::Pipe;
use crate::ffi::v8::{self, ChunkSink};
use crate::graph::Graph;
use crate::product::{Origin, mismatch};
use crate::report::look;
use crate::units::UnixMillis;
use crate::verdict::Look;

/// Chunks between V8 and the consumer: V8 writes slower than they are used, so they hardly ever wait.
const QUEUE: usize = 16;
/// Read at a time from a pipe.
const READ_BYTES: usize = 256 * 1024;

/// What is to come of the snapshot besides its file.
enum Product {
    File,
    Summary,
    Baseline,
    Growth(Arc<Baseline>),
}

/// Where a finished baseline waits to be used.
type BaselineSlot = Arc<Mutex<Option<Arc<Baseline>>>>;

/// Where what a suspicion compares waits to be used.
type LookSlot = Arc<Mutex<Option<Look>>>;

/// What the promise of `finish` gives, as JSON.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<SnapshotSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    growth: Option<Growth>,
    /// Why the growth does not go by object ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_by_reason: Option<&'static str>,
    /// Why the growth is there but its file is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_error: Option<serde_json::Value>,
    /// Why the file is there but its analysis is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// What outlives a capture besides its answer, and when it was taken.
struct Slots {
    baseline: BaselineSlot,
    look: LookSlot,
    at: UnixMillis,
}

/// From V8 to the consumer.
enum Message {
    Chunk(Vec<u8>),
    /// The text is complete; a channel that closes without it was cut.
    End,
}

/// Hands V8's chunks over.
struct Feed(SyncSender<Message>);

impl ChunkSink for Feed {
    fn chunk(&mut self, text: &[u8]) -> bool {
        self.0.send(Message::Chunk(text.to_vec())).is_ok()
    }
}

/// One capture, used once: `takeInline`, or `openPipe` and `closePipe`; then `finish`.
#[napi]
pub struct NativeCapture {
    path: Option<PathBuf>,
    compression: Option<Compression>,
    control: Arc<Control>,
    product: Option<Product>,
    baseline: BaselineSlot,
    look: LookSlot,
    pipe: Option<Pipe>,
    /// Set by `close_pipe` where all of the text went through the pipe.
    complete: Arc<AtomicBool>,
    settlers: Option<Sender<Settler>>,
}

#[napi]
impl NativeCapture {
    /// A capture into the file at `path`, if any. `product` is `file`, `summary`, `baseline`, or `growth`, which needs the
    /// capture that took the baseline. `compression` of the file is `gzip`, `zstd` or nothing.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        path: Option<String>,
        product: String,
        since: Option<&NativeCapture>,
        compression: Option<String>,
    ) -> napi::Result<Self> {
        let product = match (product.as_str(), since.and_then(NativeCapture::taken)) {
            ("file", _) => Product::File,
            ("summary", _) => Product::Summary,
            ("baseline", _) => Product::Baseline,
            ("growth", Some(baseline)) => Product::Growth(baseline),
            (other, _) => {
                let kind = ErrorKind::InvalidArg {
                    name: "product",
                    expected: "file, summary, baseline, or growth with a baseline".into(),
                    found: other.into(),
                };
                return Err(to_napi(&kind.into()));
            }
        };
        Ok(Self {
            path: path.map(PathBuf::from),
            compression: compression.as_deref().and_then(Compression::named),
            control: Arc::default(),
            product: Some(product),
            baseline: BaselineSlot::default(),
            look: LookSlot::default(),
            pipe: None,
            complete: Arc::default(),
            settlers: None,
        })
    }

    /// Takes the snapshot through the bridge, on this thread; gives the pause in milliseconds.
    #[napi(catch_unwind)]
    pub fn take_inline(&mut self) -> napi::Result<f64> {
        let functions = v8::bridge().ok().and_then(|b| Some((b.snapshots.as_ref()?, b.current_isolate()?)));
        let Some((functions, isolate)) = functions else {
            let reason = "the bridge to V8 is not available".into();
            return Err(to_napi(&ErrorKind::Unsupported { feature: "takeInline", reason }.into()));
        };
        let (chunks, messages) = sync_channel(QUEUE);
        self.consume(move |capture| drain(&messages, capture)).map_err(|e| to_napi(&e))?;
        let started = Instant::now();
        let mut feed = Feed(chunks);
        if v8::take_snapshot(functions, isolate, &mut feed) {
            // A consumer that is gone has its own error to tell.
            let _ = feed.0.send(Message::End);
        }
        Ok(started.elapsed().as_secs_f64() * 1e3)
    }

    /// Makes a path in `folder` for `v8.writeHeapSnapshot`, read while it is written.
    #[napi(catch_unwind)]
    pub fn open_pipe(&mut self, folder: String) -> napi::Result<String> {
        let (pipe, mut reader) = Pipe::create(Path::new(&folder)).map_err(|e| to_napi(&e))?;
        let path = pipe.path().to_string_lossy().into_owned();
        let complete = Arc::clone(&self.complete);
        // The end of the text is no sign that all of it came: `close_pipe` says that, before it lets the reader end.
        let fill = move |capture: &mut Capture| {
            read(&mut reader, capture)
                .or_else(|| (!complete.load(Ordering::Acquire)).then(|| ErrorKind::Cancelled.into()))
        };
        self.consume(fill).map_err(|e| to_napi(&e))?;
        self.pipe = Some(pipe);
        Ok(path)
    }

    /// Says that `v8.writeHeapSnapshot` returned. Where it failed, the capture is given up and nothing waits for `finish`.
    #[napi(catch_unwind)]
    pub fn close_pipe(&mut self, complete: bool) {
        self.complete.store(complete, Ordering::Release);
        self.pipe = None;
        if !complete {
            self.settlers = None;
        }
    }

    /// Gives the capture up: its promise rejects with `HEAPWARDEN_ERR_CANCELLED` and no file is left.
    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.control.cancel();
    }

    /// The promise of the result: JSON with `bytes`, and `summary` or `growth`.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn finish<'env>(&mut self, env: &'env Env) -> napi::Result<Object<'env>> {
        let (settler, promise) = Settler::new(env)?;
        match self.settlers.take() {
            Some(settlers) => {
                if let Err(unsent) = settlers.send(settler) {
                    unsent.0.settle(Err(internal("the capture's thread is gone")));
                }
            }
            None => settler.settle(Err(internal("finish before a snapshot was taken"))),
        }
        Ok(promise)
    }
}

impl NativeCapture {
    /// The baseline that this capture took, once it is finished.
    fn taken(&self) -> Option<Arc<Baseline>> {
        self.baseline.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a suspicion compares, once the capture is finished and was one of growth or a baseline; given once.
    pub(super) fn take_look(&self) -> Option<Look> {
        self.look.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Starts the thread that fills the capture with `fill`, analyses it and settles the promise.
    fn consume(&mut self, fill: impl FnOnce(&mut Capture) -> Option<Error> + Send + 'static) -> Result<()> {
        let product = self.product.take().ok_or_else(|| internal("a capture is used once"))?;
        let path = self.path.take();
        let mut capture = Capture::new(path.as_deref(), self.compression, !matches!(product, Product::File));
        // Growth is wanted for its own sake, its file only beside it.
        if let Some(refusal) = capture.refusal()
            && !matches!(product, Product::Growth(_))
        {
            return Err(refusal.clone());
        }
        let slots = Slots {
            baseline: Arc::clone(&self.baseline),
            look: Arc::clone(&self.look),
            at: UnixMillis::now(),
        };
        let control = Arc::clone(&self.control);
        let (settlers, promised) = channel::<Settler>();
        self.settlers = Some(settlers);
        spawn("heapwarden-snapshot", move || {
            let result = guarded(|| {
                let cause = fill(&mut capture).or_else(|| control.check().err());
                let captured = capture.finish(cause);
                let written = matches!(captured.file, Some(Ok(_)));
                let result = analyse(captured, &product, &slots, &control);
                // Whoever gave the capture up will never be told the name of its file.
                if let (true, Some(path), Err(cancelled)) = (written, &path, control.check()) {
                    let _ = std::fs::remove_file(path);
                    return Err(cancelled);
                }
                result
            });
            settle(&promised, result);
        })
    }
}

/// Hands the result over as soon as JavaScript asks for it; a capture that nobody waits for is dropped.
fn settle(promised: &Receiver<Settler>, result: Result<String>) {
    if let Ok(settler) = promised.recv() {
        settler.settle(result);
    }
}

/// Fills `capture` with V8's chunks; says why they ended early, if they did.
fn drain(messages: &Receiver<Message>, capture: &mut Capture) -> Option<Error> {
    loop {
        match messages.recv() {
            Ok(Message::Chunk(text)) if capture.feed(&text) => {}
            // Nothing can use the rest; hanging up ends V8's serialisation.
            Ok(Message::Chunk(_)) => return None,
            Ok(Message::End) => return None,
            Err(_) => return Some(ErrorKind::Cancelled.into()),
        }
    }
}

/// Fills `capture` from a pipe; says why it ended early, if it did.
fn read(reader: &mut dyn std::io::Read, capture: &mut Capture) -> Option<Error> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return None,
            // Reads on where nothing uses the text: the writer, this process's own JavaScript thread, must not see a
            // broken pipe.
            Ok(n) => {
                capture.feed(&buffer[..n]);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Some(Error::io("read", Path::new("the snapshot pipe"), &error)),
        }
    }
}

fn analyse(captured: Captured, product: &Product, slots: &Slots, control: &Control) -> Result<String> {
    let mut outcome = Outcome { bytes: captured.bytes, ..Outcome::default() };
    let written = match (captured.file, product) {
        (Some(Err(error)), Product::Growth(_)) => {
            outcome.file_error = Some(error_json(&error));
            false
        }
        (file, _) => {
            outcome.file_bytes = file.transpose()?;
            outcome.file_bytes.is_some()
        }
    };
    if let Some(graph) = captured.graph {
        let analysed = graph.and_then(|graph| fill(&mut outcome, graph, product, slots, control));
        match analysed {
            // The file is there and is what was asked for first; the analysis can be made again from it.
            Err(error) if written => outcome.problem = Some(error.to_string()),
            other => other?,
        }
    }
    serde_json::to_string(&outcome).map_err(|e| internal(&e.to_string()))
}

fn fill(
    outcome: &mut Outcome,
    graph: Graph,
    product: &Product,
    slots: &Slots,
    control: &Control,
) -> Result<()> {
    let cancel = control.cancel_flag();
    match product {
        Product::File => {}
        Product::Summary => {
            outcome.summary = Some(analysis::summarize(graph, SummaryOptions::default(), control)?)
        }
        Product::Baseline => {
            let baseline = Arc::new(Baseline::of(&graph, cancel)?);
            put(&slots.look, look(slots.at, Alive::of(&graph), &[]));
            put(&slots.baseline, baseline);
        }
        Product::Growth(baseline) => {
            let growth = analysis::growth(baseline, &graph, cancel)?;
            put(&slots.look, look(slots.at, Alive::of(&graph), &growth.culprits));
            outcome.matched_by_reason = mismatch(growth.matched_by, Origin::SameIsolate);
            outcome.growth = Some(growth);
        }
    }
    Ok(())
}

fn put<T>(slot: &Mutex<Option<T>>, value: T) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}

fn internal(message: &str) -> Error {
    ErrorKind::Internal { message: message.to_owned() }.into()
}
