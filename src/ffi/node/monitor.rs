//! `MemoryMonitor`'s native half: the clock, the hooks and the record.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use napi::bindgen_prelude::{Env, Float64Array, Function, Object};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Status, sys};
use napi_derive::napi;

use super::background::in_background;
use super::board::Place;
use super::capture::NativeCapture;
use super::container::{ContainerRisk, ContainerWatch};
use super::flight::{BlackBox, RunningFlight};
use super::heap_limit::{HeapLimit, HeapLimitOptions, Kept, Shared};
use super::outbox::{Event, Outbox};
use super::routes::attribution;
use super::{error_json, to_json, to_napi};
use crate::config::MonitorConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::os::{self, Published, process_source};
use crate::ffi::v8::{self, GcHooks, Interrupter};
use crate::monitor::Monitor;
use crate::recorder::{EndKind, Recorder};
use crate::recording::lines::{self, FORMAT, Header, Millis, VERSION};
use crate::report::{AtomicFile, SampleRecord, VerdictRecord};
use crate::sample::{Channel, Clock, GcKind, HeapFigures, Probe, ProcessSource, Ticker};
use crate::units::{Bytes, Micros, UnixMillis};
use crate::verdict::{Answer, Verdict};

/// Longest time that a tick waits for the JavaScript thread to publish fresh figures.
const ANSWER: Duration = Duration::from_millis(100);
/// How many times, a millisecond apart, the verdict is asked for where another thread holds it: for a sample it does for microseconds.
const VERDICT_ATTEMPTS: u32 = 50;
/// Calls JavaScript without arguments; one call waits at most, and it never keeps the process alive.
pub(super) type Wake = ThreadsafeFunction<(), (), (), Status, false, true, 1>;

/// The part that both threads use.
pub(super) struct Core {
    pub(super) probe: Arc<Probe>,
    published: Arc<Published>,
    /// Set by the sampling thread when it wakes JavaScript for figures, not for events.
    refresh_wanted: AtomicBool,
    /// Processor time of the sampling threads that have ended, and of the one that runs, in microseconds.
    ended_cpu: AtomicU64,
    own_cpu: AtomicU64,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) monitor: Monitor,
    source: Box<dyn ProcessSource>,
    outbox: Outbox,
}

impl State {
    /// The control group's limit, if there is one.
    pub(super) fn container_limit(&mut self) -> Option<Bytes> {
        self.source.read().container_limit
    }
}

impl Core {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held leaves figures that the next sample overwrites.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The black box, if this life is recorded.
    pub fn recorder(&self) -> Option<Arc<Recorder>> {
        self.lock().monitor.recorder().cloned()
    }

    /// Records in the black box, if there is one, what is known at this moment.
    pub(super) fn pulse(&self) {
        let mut state = self.lock();
        if state.monitor.recorder().is_some() {
            let process = state.source.read();
            state.monitor.pulse(&self.probe, process, UnixMillis::now());
        }
    }

    /// What the detector last said, wherever the caller is: a callback of V8's must not wait for a lock for long.
    fn last_verdict(&self) -> VerdictRecord {
        for _ in 0..VERDICT_ATTEMPTS {
            let state = match self.state.try_lock() {
                Ok(state) => state,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
            };
            return VerdictRecord::new(state.monitor.verdict(), state.monitor.confirmed_by());
        }
        VerdictRecord::new(&Verdict::default(), None)
    }

    /// Takes one sample and puts what follows from it into the outbox.
    fn observe(&self) {
        let mut state = self.lock();
        let State { monitor, source, outbox } = &mut *state;
        let process = source.read();
        let mut alerts = [None; crate::alert::MOST];
        let mut count = 0;
        let sample = monitor.observe(&self.probe, process, UnixMillis::now(), |alert| {
            alerts[count] = Some(alert);
            count += 1;
        });
        let sample = Event::Sample { r#type: "sample", sample: SampleRecord::from(&sample) };
        let by = monitor.confirmed_by();
        let alerts = alerts.into_iter().flatten().map(|alert| Event::of(alert, by));
        for event in std::iter::once(sample).chain(alerts) {
            outbox.put(event);
        }
    }

    /// Puts what the container's watch has to tell into the outbox.
    pub(super) fn tell_risk(&self, risk: ContainerRisk) {
        self.lock().outbox.put(Event::Risk(risk));
    }
}

/// What exists only between `start` and `stop`. Dropped on the JavaScript thread: first the clock, whose thread is
/// joined, then the recording, then the hooks.
struct Running {
    clock: Clock,
    /// Ended before what it tells, like the clock.
    _container: Option<ContainerWatch>,
    /// Ended after the clock, which may still have recorded.
    flight: Option<RunningFlight>,
    /// Held so that dropping `Running` releases it after the clock's thread, the only caller, is gone.
    _wake: Arc<Wake>,
    _hooks: Option<GcHooks>,
    _limit: Option<HeapLimit>,
    /// Of the figures that other threads read: they are gone with this thread, however it ends.
    _place: Place,
}

type Slot = Rc<RefCell<Option<Running>>>;

/// Runs when the environment goes away before `stop` was called: the process ends, or a worker is terminated.
///
/// # Safety
///
/// Called by Node-API only, with a pointer to the slot that `start` registered and `stop` did not take back.
unsafe extern "C" fn on_teardown(slot: *mut c_void) {
    // SAFETY: `slot` came from `Rc::into_raw` in `start`; Node calls a cleanup hook once and forgets it, and `stop` takes
    // the hook back before it releases the reference, so this reference is released here or there, never twice. Node
    // runs hooks on the environment's own thread.
    let slot = unsafe { Rc::from_raw(slot.cast_const().cast::<RefCell<Option<Running>>>()) };
    // Nothing may unwind into Node; a slot that is borrowed at this point would mean a stop under way.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        if let Ok(mut slot) = slot.try_borrow_mut() {
            slot.take();
        }
    }));
}

/// The native half of `MemoryMonitor`.
#[napi]
pub struct NativeMonitor {
    pub(super) core: Arc<Core>,
    config: MonitorConfig,
    use_bridge: bool,
    rss_source: &'static str,
    at_limit: Arc<Shared>,
    slot: Slot,
    pub(super) watches_container: Cell<bool>,
}

#[napi]
impl NativeMonitor {
    /// A monitor that is not started; figures come through the bridge, or from `refresh` where it is not used.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        use_bridge: bool,
        interval_ms: Option<f64>,
        alert_threshold_mb: Option<f64>,
        max_samples: Option<f64>,
        history_bytes: Option<f64>,
    ) -> napi::Result<Self> {
        let config = MonitorConfig::from_numbers(interval_ms, alert_threshold_mb, max_samples, history_bytes)
            .map_err(|error| to_napi(&error))?;
        let probe = Arc::new(Probe::new());
        let published = Arc::new(Published::default());
        let (source, rss_source) = process_source(&published);
        let state = State { monitor: Monitor::new(&config, &probe), source, outbox: Outbox::new() };
        let core = Arc::new(Core {
            probe,
            published,
            refresh_wanted: AtomicBool::new(false),
            ended_cpu: AtomicU64::new(0),
            own_cpu: AtomicU64::new(0),
            state: Mutex::new(state),
        });
        let (at_limit, slot, watches_container) = (Arc::default(), Slot::default(), Cell::new(false));
        Ok(Self { core, config, use_bridge, rss_source, at_limit, slot, watches_container })
    }

    /// Where resident set sizes come from: `procfs` or `node`.
    #[napi(getter, catch_unwind)]
    pub fn rss_source(&self) -> &'static str {
        self.rss_source
    }

    /// Whether processor times are to be given to `refresh`.
    #[napi(getter, catch_unwind)]
    pub fn wants_cpu(&self) -> bool {
        os::PUBLISHES_CPU
    }

    /// Sets the hooks and starts the clock. `on_wake` is called on the JavaScript thread when figures are wanted
    /// (`refresh`) or events wait (`takeEvents`, `takeAtLimit`). With `at_limit` the heap's limit is watched, through the bridge and where
    /// nobody else in this thread does. Does nothing where it runs already.
    ///
    /// `black_box` says where its life is recorded, if it is. What keeps that from being done is given as JSON: the monitor runs without.
    #[napi(catch_unwind)]
    pub fn start(
        &self,
        env: Env,
        on_wake: Function<'_, (), ()>,
        thread_id: u32,
        black_box: Option<BlackBox>,
        at_limit: Option<HeapLimitOptions>,
    ) -> napi::Result<Option<String>> {
        if self.slot.borrow().is_some() {
            return Ok(None);
        }
        self.core.lock().monitor.restart(&self.config, &self.core.probe, UnixMillis::now());
        let wake = on_wake.build_threadsafe_function::<()>().weak::<true>().max_queue_size::<1>();
        let wake: Arc<Wake> = Arc::new(wake.build()?);
        let bridge = if self.use_bridge { v8::bridge().ok() } else { None };
        let isolate = bridge.and_then(|bridge| Some((bridge, bridge.current_isolate()?)));
        let hooks = isolate.map(|(b, isolate)| GcHooks::install(b, isolate, Arc::clone(&self.core.probe)));
        if let Some(bridge) = bridge {
            os::give_symbols_back(bridge.address());
        }
        let interrupter =
            isolate.map(|(b, isolate)| Interrupter::new(b, isolate, &self.core.probe, thread_id != 0));

        let flight = black_box.map(|place| RunningFlight::begin(&self.core, place, self.config.interval));
        let (flight, problem) = match flight {
            Some(Err(error)) => (None, Some(error_json(&error).to_string())),
            Some(Ok(flight)) => (Some(flight), None),
            None => (None, None),
        };
        self.at_limit.woken_by(&wake);
        self.at_limit.recorded_by(self.core.recorder());
        let limit = isolate.zip(at_limit).and_then(|((_, isolate), options)| {
            let core = Arc::clone(&self.core);
            HeapLimit::watch(
                isolate,
                env.raw(),
                options,
                &self.at_limit,
                Box::new(move || core.last_verdict()),
            )
        });

        let core = Arc::clone(&self.core);
        let caller = Arc::clone(&wake);
        let answer = ANSWER.min(self.config.interval / 2);
        let clock = Clock::start(self.config.interval, move |ticker| {
            tick(&core, &caller, interrupter.as_ref(), ticker, answer);
        })
        .map_err(|e| {
            let reason = format!("no thread: {e}");
            to_napi(&ErrorKind::Unsupported { feature: "sampling", reason }.into())
        })?;
        let watches = self.watches_container.get();
        let container = watches.then(|| ContainerWatch::begin(&self.core, &wake)).flatten();
        *self.slot.borrow_mut() = Some(Running {
            clock,
            _container: container,
            flight,
            _wake: wake,
            _hooks: hooks,
            _limit: limit,
            _place: Place(thread_id),
        });

        let slot = Rc::into_raw(Rc::clone(&self.slot)).cast_mut().cast::<c_void>();
        // SAFETY: `env` is the environment of this call. `slot` stays valid until the hook runs or `stop` takes it back.
        // Registered after the threadsafe function, the hook runs before that one's own: Node runs them newest first.
        let status = unsafe { sys::napi_add_env_cleanup_hook(env.raw(), Some(on_teardown), slot) };
        if status != sys::Status::napi_ok {
            // SAFETY: the hook was not registered, so the reference made above is still ours.
            drop(unsafe { Rc::from_raw(slot.cast_const().cast::<RefCell<Option<Running>>>()) });
            self.slot.borrow_mut().take();
            return Err(napi::Error::new(Status::from(status), "cannot register a cleanup hook"));
        }
        Ok(problem)
    }

    /// Stops the clock, joins its thread and removes the hooks. Does nothing where it is stopped already.
    #[napi(catch_unwind)]
    pub fn stop(&self, env: Env) {
        let Some(running) = self.slot.borrow_mut().take() else { return };
        self.at_limit.recorded_by(None);
        let slot = Rc::as_ptr(&self.slot).cast_mut().cast::<c_void>();
        // SAFETY: the slot was filled, so `start` registered exactly this pair of function and pointer, and the teardown,
        // which would have emptied the slot, has not run.
        let status = unsafe { sys::napi_remove_env_cleanup_hook(env.raw(), Some(on_teardown), slot) };
        if status == sys::Status::napi_ok {
            // SAFETY: the hook is gone, so the reference that `start` gave it is ours again.
            drop(unsafe { Rc::from_raw(slot.cast_const().cast::<RefCell<Option<Running>>>()) });
        }
        if let Some(flight) = &running.flight {
            flight.end(EndKind::Stopped, None);
        }
        drop(running);
        // The thread is joined: what it has used is all that it will have used.
        let used = self.core.own_cpu.swap(0, Ordering::Relaxed);
        self.core.ended_cpu.fetch_add(used, Ordering::Relaxed);
    }

    /// The file in which this life is recorded, if it is.
    #[napi(getter, catch_unwind)]
    pub fn recording_path(&self) -> Option<String> {
        let slot = self.slot.borrow();
        slot.as_ref()?.flight.as_ref().map(|flight| flight.path().to_string_lossy().into_owned())
    }

    /// Publishes fresh figures. With the bridge only `array_buffers`, `rss`, `requests` and `cpu_ms` are used; the others come from V8.
    #[napi(catch_unwind)]
    #[allow(
        clippy::too_many_arguments,
        reason = "plain numbers cross from JavaScript ten times as fast as an object"
    )]
    pub fn refresh(
        &self,
        array_buffers: f64,
        rss: f64,
        requests: f64,
        cpu_ms: f64,
        used: f64,
        total: f64,
        external: f64,
        limit: f64,
    ) {
        let bytes = |n: f64| Bytes(n.max(0.0) as u64);
        let of_v8 = if self.use_bridge { current_figures() } else { None };
        let given = HeapFigures {
            used: bytes(used),
            total: bytes(total),
            external: bytes(external),
            limit: bytes(limit),
            ..HeapFigures::default()
        };
        let figures = HeapFigures { array_buffers: bytes(array_buffers), ..of_v8.unwrap_or(given) };
        self.core.published.set(bytes(rss), Micros((cpu_ms.max(0.0) * 1e3) as u64));
        self.core.probe.set_requests(requests.max(0.0) as u64);
        self.core.probe.publish(figures, Channel::Refresh);
        if let Some(running) = self.slot.borrow().as_ref() {
            running.clock.ticker().wake();
        }
    }

    /// Records a garbage collection that JavaScript observed, where there is no bridge to see it first. `used_before` is nothing
    /// where it is not known, and then the sizes after a minor collection are not exact either.
    #[napi(catch_unwind)]
    pub fn record_gc(
        &self,
        major: bool,
        pause_ms: f64,
        at_ms: f64,
        used: f64,
        external: f64,
        used_before: Option<f64>,
    ) {
        let bytes = |n: f64| Bytes(n.max(0.0) as u64);
        let after = HeapFigures { used: bytes(used), external: bytes(external), ..HeapFigures::default() };
        let kind = if major { GcKind::Major } else { GcKind::Minor };
        if let Some(before) = used_before {
            self.core.probe.count_allocation(bytes(before), after.used);
        }
        self.core.probe.record_gc(
            kind,
            (pause_ms.max(0.0) * 1e6) as u64,
            (major || used_before.is_some()).then_some(after),
            UnixMillis(at_ms.max(0.0) as u64),
        );
    }

    /// Whether the sampling thread waits for a `refresh`; asked once for each wake-up.
    #[napi(catch_unwind)]
    pub fn take_refresh_wanted(&self) -> bool {
        self.core.refresh_wanted.swap(false, Ordering::AcqRel)
    }

    /// Takes a sample now, from the figures published last.
    #[napi(catch_unwind)]
    pub fn observe(&self) {
        self.core.observe();
    }

    /// The events since the last call, oldest first: a JSON array.
    #[napi(catch_unwind)]
    pub fn take_events(&self) -> napi::Result<String> {
        let events = self.core.lock().outbox.take();
        to_json(&events)
    }

    /// What happened at the heap's limit since the last call, oldest first: a JSON array.
    #[napi(catch_unwind)]
    pub fn take_at_limit(&self) -> napi::Result<Option<String>> {
        let told = self.at_limit.take();
        if told.is_empty() { Ok(None) } else { to_json(&told).map(Some) }
    }

    /// Has growth at the heap's limit measured from this capture's baseline, `rung` being its place on the ladder, as JSON; nothing for not
    /// at all.
    #[napi(catch_unwind)]
    pub fn keep_baseline(&self, capture: Option<&NativeCapture>, rung: Option<String>) {
        let baseline = capture.and_then(NativeCapture::taken);
        let rung = rung.and_then(|rung| serde_json::from_str(&rung).ok());
        self.at_limit.keep(baseline.map(|baseline| Kept { baseline, rung }));
    }

    /// The last samples, oldest first: a JSON array.
    #[napi(catch_unwind)]
    pub fn report(&self) -> napi::Result<String> {
        let samples: Vec<SampleRecord> = self.core.lock().monitor.samples().map(SampleRecord::from).collect();
        to_json(&samples)
    }

    /// All that the detector was fed, as far as it is kept: lines of JSON.
    #[napi(catch_unwind)]
    pub fn export_series(&self, node: String, thread_id: u32) -> napi::Result<String> {
        series(&self.core, &self.config, node, thread_id).map_err(|error| to_napi(&error))
    }

    /// The same, written to a file that appears whole or not at all; the promise of its length in bytes.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn export_series_to<'env>(
        &self,
        env: &'env Env,
        path: String,
        node: String,
        thread_id: u32,
    ) -> napi::Result<Object<'env>> {
        let (core, config) = (Arc::clone(&self.core), self.config);
        in_background(env, move || {
            let text = series(&core, &config, node, thread_id)?;
            let mut file = AtomicFile::create(Path::new(&path))?;
            file.write(text.as_bytes())?;
            file.commit().map(|bytes| bytes.to_string())
        })
    }

    /// The judgement at the last sample: JSON.
    #[napi(catch_unwind)]
    pub fn verdict(&self) -> napi::Result<String> {
        let state = self.core.lock();
        let record = VerdictRecord::new(state.monitor.verdict(), state.monitor.confirmed_by());
        drop(state);
        to_json(&record)
    }

    /// Takes note of how many requests of each route are complete, all since the program began: at most one figure for each of the routes
    /// that are told apart, and one for all others.
    #[napi(catch_unwind)]
    pub fn publish_routes(&self, counts: Float64Array) {
        self.core.lock().monitor.publish_routes(UnixMillis::now(), &counts);
    }

    /// The route, by its number in what was published, that the growth of the floor comes from; or why none is named: JSON.
    #[napi(catch_unwind)]
    pub fn route(&self) -> napi::Result<String> {
        let told = self.core.lock().monitor.route();
        to_json(&attribution(&told))
    }

    /// What is counted since the monitor was made, and what it costs: JSON.
    #[napi(catch_unwind)]
    pub fn totals(&self) -> napi::Result<String> {
        let Core { probe, ended_cpu, own_cpu, .. } = &*self.core;
        let (_, load, _) = probe.figures();
        let gc = |kind| {
            let (count, pause) = probe.gc_of(kind);
            serde_json::json!({ "count": count, "pauseMs": pause.as_millis() })
        };
        let cpu = Micros(ended_cpu.load(Ordering::Relaxed) + own_cpu.load(Ordering::Relaxed));
        let state = self.core.lock();
        let size = state.monitor.size() + probe.size() + state.outbox.size();
        drop(state);
        to_json(&serde_json::json!({
            "gc": { "minor": gc(GcKind::Minor), "major": gc(GcKind::Major), "step": gc(GcKind::Step) },
            "allocatedBytes": load.allocated,
            "samplingCpuMs": cpu.as_millis(),
            "bytes": size,
        }))
    }

    /// The number of the suspicion that wants a look at the heap now; 0 where none does.
    #[napi(catch_unwind)]
    pub fn look_wanted(&self) -> u32 {
        self.core.lock().monitor.look_wanted().unwrap_or(0)
    }

    /// Takes note that the look is being taken.
    #[napi(catch_unwind)]
    pub fn look_begins(&self, number: u32) {
        self.core.lock().monitor.look_begins(number);
    }

    /// Takes note that the look cannot be taken, or failed.
    #[napi(catch_unwind)]
    pub fn look_refused(&self, number: u32) {
        self.core.lock().monitor.look_refused(number);
    }

    /// Holds a finished look against those before: `confirmed`, `not-yet` or `refuted`.
    #[napi(catch_unwind, ts_return_type = "'confirmed' | 'not-yet' | 'refuted'")]
    pub fn confirm(&self, number: u32, capture: &NativeCapture) -> napi::Result<&'static str> {
        let look = capture.take_look().ok_or_else(|| {
            to_napi(&ErrorKind::Internal { message: "this capture has no look to give".to_owned() }.into())
        })?;
        Ok(match self.core.lock().monitor.confirm(number, look, &self.core.probe) {
            Answer::Confirmed(_) => "confirmed",
            Answer::NotYet => "not-yet",
            Answer::Refuted => "refuted",
        })
    }
}

/// The recording as text. The lock is held for a copy of the bytes alone.
fn series(core: &Core, config: &MonitorConfig, node: String, thread_id: u32) -> Result<String> {
    let recording = core.lock().monitor.recording().clone();
    let header = Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        interval_ms: Millis(Micros(config.interval.as_micros() as u64)),
        pid: std::process::id(),
        thread_id,
        node,
        dropped: recording.dropped(),
    };
    lines::write(&header, &recording)
        .map_err(|error| Error::new(ErrorKind::Internal { message: error.to_string() }))
}

/// V8's figures of the isolate that the calling thread is in.
fn current_figures() -> Option<HeapFigures> {
    let bridge = v8::bridge().ok()?;
    let isolate = bridge.current_isolate()?;
    Some(v8::from_statistics(&v8::heap_statistics(bridge, isolate)))
}

/// One tick on the sampling thread: ask for fresh figures, wait a moment for them, record what there is.
fn tick(core: &Core, wake: &Wake, interrupter: Option<&Interrupter>, ticker: &Ticker, answer: Duration) {
    // Before anything is waited for: what is on record is never older than an interval, whatever the JavaScript thread does.
    core.pulse();
    let before = core.probe.generation();
    core.refresh_wanted.store(true, Ordering::Release);
    // A full queue means that a call is on its way already; a closing function that the environment is going away.
    wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
    if let Some(interrupter) = interrupter {
        interrupter.request();
    }
    let deadline = Instant::now() + answer;
    while core.probe.generation() == before {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        if !ticker.wait(left) {
            return;
        }
    }
    os::survey();
    core.observe();
    if let Some(recorder) = core.recorder() {
        recorder.flush_if_wanted();
    }
    wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
    core.own_cpu.store(os::thread_time().0, Ordering::Relaxed);
}
