//! One analysis of snapshots, on a thread of its own: files by their paths, anything else pushed by JavaScript.

use std::path::PathBuf;
use std::sync::Arc;

use napi::bindgen_prelude::{Env, Object};
use napi_derive::napi;

use super::background::{Settler, in_background};
use super::inlet::{Inlet, Pushed};
use super::{to_json, to_napi};
use crate::control::{Control, Stage};
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::os::input::{self, Opened};
use crate::product::{self, Product};
use crate::snapshot::Input;

/// One analysis, used once: `result` starts it and gives its promise; meanwhile `write` and `endInput` for each input that has
/// no path, in their order; `progress` and `cancel` at any time. Collected, it cancels itself.
#[napi]
pub struct NativeJob {
    work: Option<Work>,
    control: Arc<Control>,
    inlet: Arc<Inlet>,
}

/// What moves to the thread.
struct Work {
    product: Box<dyn Product>,
    /// Nothing for an input that is pushed.
    inputs: Vec<Option<PathBuf>>,
    /// The largest piece of text that the product is given.
    piece: usize,
    /// Whether files are read by a thread of their own.
    ahead: bool,
}

#[napi]
impl NativeJob {
    /// The analysis named `product` of these inputs: a path, or nothing for one that is pushed. `settings` is the product's own
    /// JSON; `piece_bytes` the size of the pieces that it is fed with.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        product: String,
        inputs: Vec<Option<String>>,
        settings: Option<String>,
        piece_bytes: Option<u32>,
    ) -> napi::Result<Self> {
        let settings = settings.as_deref().map_or(Ok(serde_json::Value::Null), |text| {
            serde_json::from_str(text).map_err(|e| to_napi(&invalid_settings(&e)))
        })?;
        // What the product does with its threads is its own business; one of them reads.
        let ahead =
            settings.get("threads").and_then(serde_json::Value::as_u64).is_some_and(|count| count > 1);
        let product = product::named(&product, inputs.len(), &settings).map_err(|e| to_napi(&e))?;
        let inputs: Vec<_> = inputs.into_iter().map(|path| path.map(PathBuf::from)).collect();
        let piece = piece_bytes.map_or(usize::MAX, |bytes| bytes.max(1) as usize);
        Ok(Self {
            work: Some(Work { product, inputs, piece, ahead }),
            control: Arc::default(),
            inlet: Arc::default(),
        })
    }

    /// Starts the analysis; the promise of its JSON. Rejects with `HEAPWARDEN_ERR_CANCELLED` after `cancel`.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn result<'env>(&mut self, env: &'env Env) -> napi::Result<Object<'env>> {
        let work = self.work.take();
        let (control, inlet) = (Arc::clone(&self.control), Arc::clone(&self.inlet));
        in_background(env, move || {
            // However the work ends, nothing that is still pushed may wait for it.
            let _closing = Closing(&inlet);
            let message = || ErrorKind::Internal { message: "a job is used once".to_owned() };
            let json = work.ok_or_else(|| Error::new(message()))?.run(&control, &inlet)?;
            control.stage(Stage::Done);
            Ok(json)
        })
    }

    /// Pushes the next bytes of the current input. `false`: wait for `drained` before the next.
    #[napi(catch_unwind)]
    pub fn write(&self, bytes: &[u8]) -> bool {
        self.inlet.push(Pushed::Chunk(bytes.to_vec()))
    }

    /// The promise of room for more, or of an end.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn drained<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let (settler, promise) = Settler::new(env)?;
        self.inlet.when_drained(settler);
        Ok(promise)
    }

    /// Says that the current input is complete; what is pushed next is another one's.
    #[napi(catch_unwind)]
    pub fn end_input(&self) {
        self.inlet.push(Pushed::EndInput);
    }

    /// Makes the analysis stop within one chunk or one step.
    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.control.cancel();
        self.inlet.close();
    }

    /// JSON: `changes`, the stages entered since this was last asked, and `now`; each with `stage`, `bytes`, `totalBytes`.
    #[napi(catch_unwind)]
    pub fn progress(&self) -> napi::Result<String> {
        to_json(&serde_json::json!({
            "changes": self.control.take_changes(),
            "now": self.control.progress(),
        }))
    }
}

impl Drop for NativeJob {
    fn drop(&mut self) {
        self.cancel();
    }
}

struct Closing<'a>(&'a Inlet);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Work {
    fn run(self, control: &Control, inlet: &Inlet) -> Result<String> {
        let Self { mut product, inputs, piece, ahead } = self;
        let sizes: Option<u64> = inputs.iter().map(|path| input::size(path.as_deref()?)).sum();
        if let Some(total) = sizes {
            control.set_total(total);
        }
        for path in &inputs {
            control.stage(Stage::Reading);
            let mut opened = path.as_deref().map(input::open).transpose()?;
            let mut is_fed = false;
            if let (Some(Opened::File(file)), Some(path), false) = (&mut opened, path, ahead) {
                is_fed = product::feed_file(&mut *product, file, path, piece, control)?;
            }
            let mut sink = |text: &[u8]| text.chunks(piece).try_for_each(|piece| product.feed(piece));
            let input = Input::new(control);
            match (opened, path) {
                _ if is_fed => {}
                (Some(opened), Some(path)) if ahead => {
                    input.read_ahead(opened.into_reader(), path, &mut sink)?
                }
                (Some(opened), Some(path)) => input.read(&mut *opened.into_reader(), path, &mut sink)?,
                _ => pushed(inlet, input, &mut sink)?,
            }
            product.end_input(control)?;
        }
        product.finish(control)
    }
}

fn pushed(inlet: &Inlet, mut input: Input<'_>, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    loop {
        match inlet.take() {
            Some(Pushed::Chunk(chunk)) => input.feed(&chunk, sink)?,
            Some(Pushed::EndInput) => return input.finish(sink),
            None => return Err(ErrorKind::Cancelled.into()),
        }
    }
}

fn invalid_settings(error: &serde_json::Error) -> Error {
    ErrorKind::InvalidArg { name: "settings", expected: "JSON".to_owned(), found: error.to_string() }.into()
}
