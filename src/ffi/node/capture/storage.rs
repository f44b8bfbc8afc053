//! Where a capture's file goes: whether there is space for it, and what has to make way.

use std::path::Path;

use napi_derive::napi;

use super::NativeCapture;
use super::product::{Product, Slot, put};
use crate::control::Control;
use crate::error::Result;
use crate::ffi::node::{to_json, to_napi};
use crate::report::Reserved;
use crate::storage::{self, Budget, Swept};
use crate::units::Bytes;

/// What the folder of a capture's file may grow to, and what was removed for it.
#[derive(Clone, Default)]
pub struct Shelf {
    budget: Option<Budget>,
    swept: Slot<Swept>,
}

#[napi]
impl NativeCapture {
    /// Checks that there is space for the file of a heap of `heap_bytes`, before anybody is stopped for it. Where the file is wanted only
    /// beside something else, the shortage is told with that.
    #[napi(catch_unwind)]
    pub fn check_space(&mut self, heap_bytes: f64) -> napi::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let folder = path.parent().unwrap_or(Path::new("."));
        let check = || match free(folder) {
            Some(free) => storage::check(folder, Bytes(heap_bytes as u64), self.compression, free),
            None => Ok(()),
        };
        let mut checked = check();
        if checked.is_err() && self.shelf.budget.is_some() && storage::remove_leftovers(folder, is_alive) {
            checked = check();
        }
        match (checked, &self.product) {
            (Err(shortage), Some(Product::Growth(_))) => self.place = Some(Err(shortage)),
            (Err(shortage), _) => return Err(to_napi(&shortage)),
            (Ok(()), _) => {}
        }
        Ok(())
    }

    /// Has the oldest of our own snapshots make way for this one, where there are more than `files` in its folder, or more than `bytes`.
    #[napi(catch_unwind)]
    pub fn keep_within(&mut self, files: f64, bytes: f64) {
        self.shelf.budget = Some(Budget { files: files as u64, bytes: Bytes(bytes as u64) });
    }

    /// What had to make way, as JSON, once the capture is finished: `evicted`, and `problem` where something could not be removed.
    #[napi(catch_unwind)]
    pub fn swept(&self) -> napi::Result<Option<String>> {
        let swept = self.shelf.swept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        swept.as_ref().map(to_json).transpose()
    }
}

/// Gives a complete file its name and makes room for it. Whoever gave the capture up will never be told the name, and gets no file.
pub fn named(place: Option<Result<Reserved>>, control: &Control, shelf: &Shelf) -> Result<()> {
    let Some(Ok(place)) = place else { return Ok(()) };
    control.check()?;
    let path = place.path().to_path_buf();
    place.publish()?;
    if let Some(budget) = shelf.budget {
        put(&shelf.swept, storage::sweep(&path, budget, is_alive));
    }
    Ok(())
}

#[cfg(unix)]
pub use crate::ffi::os::disk::{free, is_alive};

/// Where nobody can be asked, nothing is known.
#[cfg(not(unix))]
pub fn free(_: &Path) -> Option<Bytes> {
    None
}

/// Where nobody can be asked, everybody lives.
#[cfg(not(unix))]
pub fn is_alive(_: u32) -> bool {
    true
}
