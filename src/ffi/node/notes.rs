//! What JavaScript leaves for the next that loads this addon in the same process: test runners load modules anew for each file, the addon once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use napi_derive::napi;

static NOTES: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);

/// Puts `text` down under `name`, and gives what was there.
#[napi(catch_unwind)]
pub fn exchange_note(name: String, text: String) -> Option<String> {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    notes.get_or_insert_with(HashMap::new).insert(name, text)
}
