//! Work off the JavaScript thread, and the promise of its result.

use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::JsDeferred;
use napi::bindgen_prelude::{Env, Object};

use super::to_napi;
use crate::error::{Error, ErrorKind, Result};

/// What V8 can have as one string, on 64 bits: 2^29 - 24.
const LONGEST: usize = (1 << 29) - 24;

/// Settles a promise of JSON text; from any thread, also after its environment is gone (then it does nothing).
pub struct Settler(JsDeferred<String, Resolver>);

type Resolver = Box<dyn FnOnce(Env) -> napi::Result<String> + Send>;

impl Settler {
    /// A promise that is open, and what settles it. The promise keeps the event loop alive until then.
    pub fn new(env: &Env) -> napi::Result<(Self, Object<'_>)> {
        let (deferred, promise) = env.create_deferred()?;
        Ok((Self(deferred), promise))
    }

    /// Settles the promise.
    pub fn settle(self, result: Result<String>) {
        match result {
            Ok(json) if json.len() > LONGEST => {
                let kind = ErrorKind::SnapshotLimit { what: "the answer", limit: LONGEST as u64 };
                self.0.reject(to_napi(&kind.into()));
            }
            Ok(json) => self.0.resolve(Box::new(move |_| Ok(json))),
            Err(error) => self.0.reject(to_napi(&error)),
        }
    }
}

/// Runs `work`; its panic becomes an error, because it must not end the host.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let message =
            text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".into());
        Err(ErrorKind::Internal { message }.into())
    })
}

/// Starts a named thread.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop).map_err(|e| {
        Error::new(ErrorKind::Unsupported { feature: "background work", reason: format!("no thread: {e}") })
    })
}

/// Runs `work` on a thread of its own and gives the promise of its JSON.
pub fn in_background(
    env: &Env,
    work: impl FnOnce() -> Result<String> + Send + 'static,
) -> napi::Result<Object<'_>> {
    let (settler, promise) = Settler::new(env)?;
    // The settler moves into the thread only if there is one.
    let slot = std::sync::Arc::new(std::sync::Mutex::new(Some(settler)));
    let in_thread = std::sync::Arc::clone(&slot);
    let take = |slot: &std::sync::Mutex<Option<Settler>>| {
        slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    };
    let spawned = spawn("heapwarden-work", move || {
        let result = guarded(work);
        if let Some(settler) = take(&in_thread) {
            settler.settle(result);
        }
    });
    if let Err(error) = spawned
        && let Some(settler) = take(&slot)
    {
        settler.settle(Err(error));
    }
    Ok(promise)
}
