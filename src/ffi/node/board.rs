//! Figures that the threads of a process show each other: each isolate has its own monitor, and one endpoint tells of all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use napi_derive::napi;

/// What each thread wrote last, as JSON, by its number.
static BOARD: Mutex<BTreeMap<u32, String>> = Mutex::new(BTreeMap::new());
/// Whether anybody has read it. Nothing is written before.
static READ: AtomicBool = AtomicBool::new(false);

/// Longest text that a thread may leave; and how many threads.
const MOST_BYTES: usize = 256 * 1024;
const MOST_THREADS: usize = 1024;

fn board() -> MutexGuard<'static, BTreeMap<u32, String>> {
    BOARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread's place on the board, which is cleared when it is dropped.
pub struct Place(pub u32);

impl Drop for Place {
    fn drop(&mut self) {
        board().remove(&self.0);
    }
}

/// Whether somebody reads what threads write.
#[napi(catch_unwind)]
pub fn board_is_read() -> bool {
    READ.load(Ordering::Relaxed)
}

/// Shows `figures` under the number of a thread; a text that is too long is not shown.
#[napi(catch_unwind)]
pub fn show_on_board(thread_id: u32, figures: String) {
    let mut board = board();
    if figures.len() <= MOST_BYTES && (board.len() < MOST_THREADS || board.contains_key(&thread_id)) {
        board.insert(thread_id, figures);
    }
}

/// What the threads but `thread_id` have shown, lowest number first. From the first call on they do.
#[napi(catch_unwind)]
pub fn read_board(thread_id: u32) -> Vec<String> {
    READ.store(true, Ordering::Relaxed);
    board().iter().filter(|(id, _)| **id != thread_id).map(|(_, figures)| figures.clone()).collect()
}
