//! One heap snapshot of this isolate: from V8 to a file, a summary, a baseline or the growth since one.

#[cfg(target_os = "linux")]
mod cloned;
mod product;
mod storage;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use napi::bindgen_prelude::{Env, Object};
use napi_derive::napi;

use super::background::{Settler, guarded, spawn};
use super::tally::NativeTally;
use super::to_napi;
use crate::analysis::Baseline;
use crate::capture::Capture;
use crate::compress::Compression;
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::os::Pipe;
use crate::ffi::v8::{self, ChunkSink};
use crate::graph::Graph;
use crate::report::Reserved;
use crate::snapshot::Level;
use crate::units::{Bytes, UnixMillis};
use crate::verdict::Look;
#[cfg(target_os = "linux")]
pub(super) use cloned::times_seen;
pub(super) use product::internal;
use product::{Between, Product, Slot, Slots, analyse};
use storage::{Shelf, named};
pub use storage::{free, is_alive};
use walk::walked;
pub(super) use walk::{counted, measured, walk_functions};

/// Chunks between V8 and the consumer: V8 writes slower than they are used, so they hardly ever wait.
const QUEUE: usize = 16;
/// Read at a time from a pipe.
const READ_BYTES: usize = 256 * 1024;

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
    redaction: Option<Level>,
    control: Arc<Control>,
    product: Option<Product>,
    baseline: Slot<Arc<Baseline>>,
    look: Slot<Look>,
    graph: Slot<Graph>,
    pipe: Option<Pipe>,
    /// Set by `close_pipe` where all of the text went through the pipe.
    complete: Arc<AtomicBool>,
    settlers: Option<Sender<Settler>>,
    /// Where the file will be, once that was tried.
    place: Option<Result<Reserved>>,
    shelf: Shelf,
    #[cfg(target_os = "linux")]
    request: u64,
    #[cfg(target_os = "linux")]
    turn: Option<cloned::Turn>,
    #[cfg(target_os = "linux")]
    spent: Slot<cloned::Spent>,
}

/// What a clone has used of the machine.
#[napi(object)]
pub struct CloneCost {
    /// Processor time, user and system; nothing where the kernel did not tell.
    pub cpu_ms: Option<f64>,
    /// The most memory that it had to itself; nothing where it did not live to tell.
    pub peak_bytes: Option<f64>,
}

/// How a clone is to be made.
#[napi(object)]
pub struct CloneOptions {
    /// When it has to be done.
    pub deadline_ms: f64,
    /// What it may take for itself.
    pub memory_bytes: f64,
    /// Used on the heap.
    pub heap_bytes: f64,
    /// How long this thread may be held up for others to fall asleep.
    pub patience_ms: f64,
    /// Whether to go on where they do not.
    pub insist: bool,
    /// Whether V8 has to be told to make line ends known.
    pub line_ends: bool,
}

/// What became of an attempt to make a clone: one of these.
#[napi(object)]
pub struct CloneAttempt {
    /// There is one: how long this thread stood still.
    pub pause_ms: Option<f64>,
    /// It is another's turn: when to ask again.
    pub wait_ms: Option<f64>,
}

#[napi]
impl NativeCapture {
    /// A capture into the file at `path`, if any. `product` is `file`, `summary`, `census`, `audit`, `baseline`, `graph`, or one of those that
    /// need earlier captures: `growth` that of the baseline, `steady` those of two graphs, `since` and `between`, which it uses up, the `calls`
    /// between each two, and the `tally` that has measured collections beside each, if there is one; a mark of the tally's may stand for `between`. `compression` of the file is `gzip`, `zstd` or nothing.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        path: Option<String>,
        product: String,
        since: Option<&NativeCapture>,
        compression: Option<String>,
        between: Option<&NativeCapture>,
        calls: Option<Vec<f64>>,
        tally: Option<&NativeTally>,
    ) -> napi::Result<Self> {
        let product = match (product.as_str(), since.and_then(NativeCapture::taken)) {
            ("file", _) => Product::File,
            ("summary", _) => Product::Summary,
            ("census", _) => Product::Census,
            ("audit", _) => Product::Audit,
            ("baseline", _) => Product::Baseline,
            ("growth", Some(baseline)) => Product::Growth(baseline),
            ("graph", _) => Product::Graph,
            ("steady", _) => {
                let graph = |of: Option<&NativeCapture>| Some(Arc::clone(&of?.graph));
                let mark = || tally.and_then(NativeTally::marked).map(Between::Mark);
                let middle = graph(between).map(Between::Snapshot).or_else(mark);
                Product::steady(graph(since), middle, calls, tally.map(NativeTally::lengths))
                    .map_err(|e| to_napi(&e))?
            }
            (other, _) => {
                let kind = ErrorKind::InvalidArg {
                    name: "product",
                    expected: "file, summary, census, audit, baseline, graph, or growth with a baseline"
                        .into(),
                    found: other.into(),
                };
                return Err(to_napi(&kind.into()));
            }
        };
        Ok(Self {
            path: path.map(PathBuf::from),
            compression: compression.as_deref().and_then(Compression::named),
            redaction: None,
            control: Arc::default(),
            product: Some(product),
            baseline: Slot::default(),
            look: Slot::default(),
            graph: Slot::default(),
            pipe: None,
            complete: Arc::default(),
            settlers: None,
            place: None,
            shelf: Shelf::default(),
            #[cfg(target_os = "linux")]
            request: cloned::Turn::request(),
            #[cfg(target_os = "linux")]
            turn: None,
            #[cfg(target_os = "linux")]
            spent: Slot::default(),
        })
    }

    /// Has the snapshot redacted at `level`, `names` or `shape`, before it gets to the file or to what is made of it.
    #[napi(catch_unwind)]
    pub fn redact(&mut self, level: String) -> napi::Result<()> {
        self.redaction = Some(Level::named(&level).ok_or_else(|| {
            let kind =
                ErrorKind::InvalidArg { name: "redact", expected: "names or shape".into(), found: level };
            to_napi(&kind.into())
        })?);
        Ok(())
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

    /// Clones the process to take the snapshot there. Neither a pause nor a time to wait: other threads are at work, and it is the
    /// caller's turn until it asks again or drops the capture.
    // What this attribute registers does not know of `cfg`: the method is there on every system.
    #[napi(catch_unwind)]
    pub fn take_clone(&mut self, env: &Env, options: CloneOptions) -> napi::Result<CloneAttempt> {
        self.cloned(env, &options).map_err(|e| to_napi(&e))
    }

    /// What the clone has used, once the capture is finished, well or not; nothing where there was none.
    #[napi(catch_unwind)]
    pub fn clone_cost(&self) -> Option<CloneCost> {
        #[cfg(target_os = "linux")]
        return self.spent.lock().unwrap_or_else(PoisonError::into_inner).map(|spent| CloneCost {
            cpu_ms: spent.cpu.map(|time| time.as_secs_f64() * 1e3),
            peak_bytes: spent.peak.map(|bytes| bytes.0 as f64),
        });
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// Counts the objects of this thread's heap by walking over it, on this thread; gives the pause in milliseconds, and nothing where this
    /// runtime cannot.
    #[napi(catch_unwind)]
    pub fn take_walk(&mut self, env: &Env) -> napi::Result<Option<f64>> {
        let Some((walk, isolate)) = walk_functions() else { return Ok(None) };
        let started = Instant::now();
        let result = walked(walk, isolate, env);
        let pause = started.elapsed();
        self.product = None;
        let (settlers, promised) = channel::<Settler>();
        self.settlers = Some(settlers);
        spawn("heapwarden-census", move || settle(&promised, result)).map_err(|e| to_napi(&e))?;
        Ok(Some(pause.as_secs_f64() * 1e3))
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
    pub fn cancel(&mut self) {
        self.control.cancel();
        #[cfg(target_os = "linux")]
        {
            self.turn = None;
            cloned::Turn::leave(self.request);
        }
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

#[cfg(target_os = "linux")]
impl NativeCapture {
    fn cloned(&mut self, env: &Env, options: &CloneOptions) -> Result<CloneAttempt> {
        use crate::ffi::os::clone::{Attempt, Limits, attempt};
        use std::time::Duration;

        let unsupported = || ErrorKind::Unsupported {
            feature: "takeClone",
            reason: "the bridge to V8 is not available".into(),
        };
        let bridge = v8::bridge().ok();
        let (bridge, isolate) =
            bridge.and_then(|b| Some((b, b.current_isolate()?))).ok_or_else(unsupported)?;
        let functions = bridge.snapshots.as_ref().ok_or_else(unsupported)?;
        if self.turn.is_none() {
            match cloned::Turn::ask(self.request)? {
                Ok(turn) => self.turn = Some(turn),
                Err(time) => {
                    return Ok(CloneAttempt { pause_ms: None, wait_ms: Some(time.as_secs_f64() * 1e3) });
                }
            }
        }
        let product = self.product.clone().ok_or_else(|| internal("a capture is used once"))?;
        if self.place.is_none() {
            self.place = self.reserve(&product)?;
        }
        let slots = self.slots();
        let (file, compression, line_ends) = (self.place.as_ref(), self.compression, options.line_ends);
        let walk = walk_functions().map(|(walk, isolate)| move || walked(walk, isolate, env));
        let walk = walk.as_ref().map(|walk| walk as &dyn Fn() -> Result<String>);
        let redaction = self.redaction;
        let task =
            cloned::Task { product: &product, file, compression, redaction, slots: &slots, line_ends, walk };
        let heap = task.takes_snapshot().then_some(Bytes(options.heap_bytes as u64));
        let duration = |ms: f64| Duration::try_from_secs_f64(ms / 1e3).unwrap_or(Duration::MAX);
        let limits = Limits {
            deadline: duration(options.deadline_ms),
            memory: Bytes(options.memory_bytes as u64),
            patience: duration(options.patience_ms),
            insist: options.insist,
            outlives: false,
        };
        let made = attempt(bridge.address(), &task.keep(), &limits, |out| task.run(functions, isolate, out))?;
        let Attempt::Made(watch, pause) = made else {
            return Ok(CloneAttempt { pause_ms: None, wait_ms: None });
        };
        self.product = None;
        let (place, mut turn) = (self.place.take(), self.turn.take());
        if let Some(turn) = &mut turn {
            turn.pause = pause;
        }
        let control = Arc::clone(&self.control);
        let (shelf, spent) = (self.shelf.clone(), Arc::clone(&self.spent));
        let (settlers, promised) = channel::<Settler>();
        self.settlers = Some(settlers);
        spawn("heapwarden-clone", move || {
            let result = guarded(|| cloned::hear(watch, place, &slots, heap, &control, &shelf, &spent));
            // Whoever is told of the result may ask for the next.
            drop(turn);
            settle(&promised, result);
        })?;
        Ok(CloneAttempt { pause_ms: Some(pause.as_secs_f64() * 1e3), wait_ms: None })
    }
}

#[cfg(not(target_os = "linux"))]
impl NativeCapture {
    #[allow(clippy::unused_self, reason = "the shape that it has on Linux")]
    fn cloned(&mut self, _: &Env, _: &CloneOptions) -> Result<CloneAttempt> {
        let reason = "a process can be cloned on Linux only".into();
        Err(ErrorKind::Unsupported { feature: "takeClone", reason }.into())
    }
}

#[cfg(target_os = "linux")]
impl Drop for NativeCapture {
    fn drop(&mut self) {
        cloned::Turn::leave(self.request);
    }
}

impl NativeCapture {
    /// The baseline that this capture took, once it is finished.
    pub(super) fn taken(&self) -> Option<Arc<Baseline>> {
        self.baseline.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a suspicion compares, once the capture is finished and was one of growth or a baseline; given once.
    pub(super) fn take_look(&self) -> Option<Look> {
        self.look.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn slots(&self) -> Slots {
        Slots {
            baseline: Arc::clone(&self.baseline),
            look: Arc::clone(&self.look),
            graph: Arc::clone(&self.graph),
            at: UnixMillis::now(),
        }
    }

    /// The place of the file, if there is to be one. One that cannot be is an error, known before anybody is stopped for it, unless the
    /// growth is wanted for its own sake and the file only beside it.
    fn reserve(&mut self, product: &Product) -> Result<Option<Result<Reserved>>> {
        let path = self.path.take();
        let place = self.place.take().or_else(|| path.map(|path| Reserved::create(&path)));
        match place {
            Some(Err(refusal)) if !matches!(product, Product::Growth(_)) => Err(refusal),
            place => Ok(place),
        }
    }

    /// Starts the thread that fills the capture with `fill`, analyses it and settles the promise.
    fn consume(&mut self, fill: impl FnOnce(&mut Capture) -> Option<Error> + Send + 'static) -> Result<()> {
        let product = self.product.take().ok_or_else(|| internal("a capture is used once"))?;
        let place = self.reserve(&product)?;
        let content =
            place.as_ref().map(|place| place.as_ref().map_err(Error::clone)?.content(self.compression));
        let mut capture = Capture::new(content, !matches!(product, Product::File)).redacted(self.redaction);
        let slots = self.slots();
        let (control, shelf) = (Arc::clone(&self.control), self.shelf.clone());
        let (settlers, promised) = channel::<Settler>();
        self.settlers = Some(settlers);
        spawn("heapwarden-snapshot", move || {
            #[cfg(unix)]
            crate::ffi::os::disk::survive_the_length_limit();
            let result = guarded(|| {
                let cause = fill(&mut capture).or_else(|| control.check().err());
                let captured = capture.finish(cause);
                let is_written = matches!(captured.file, Some(Ok(_)));
                let result = analyse(captured, &product, &slots, &control);
                named(place.filter(|_| is_written), &control, &shelf)?;
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
