//! What the JavaScript thread pushes and a worker takes: a bounded queue of chunks.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::background::Settler;

/// Bytes that may wait; beyond that JavaScript is asked to wait itself.
const HIGH_WATER: usize = 2 * 1024 * 1024;

/// What the worker takes.
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The next bytes of the current input.
    Chunk(Vec<u8>),
    /// The current input is complete.
    EndInput,
}

/// The queue. Who pushes is never made to wait: it is told that the queue is full, and asks to be told when it has drained.
#[derive(Default)]
pub struct Inlet {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Pushed>,
    bytes: usize,
    closed: bool,
    /// Who waits for room.
    waiting: Vec<Settler>,
}

impl Inlet {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a chunk; says whether there is room for more. A closed queue drops it and never has room: whoever pushes is to ask,
    /// which lets JavaScript's event loop turn and tell why.
    pub fn push(&self, pushed: Pushed) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        if let Pushed::Chunk(chunk) = &pushed {
            state.bytes += chunk.len();
        }
        state.queue.push_back(pushed);
        self.changed.notify_one();
        state.bytes < HIGH_WATER
    }

    /// Settles `settler` when there is room, or the queue is closed.
    pub fn when_drained(&self, settler: Settler) {
        let mut state = self.lock();
        if state.has_room() {
            drop(state);
            settler.settle(Ok(String::new()));
        } else {
            state.waiting.push(settler);
        }
    }

    /// Takes the oldest; waits where there is none. Nothing once the queue is closed.
    pub fn take(&self) -> Option<Pushed> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(pushed) = state.queue.pop_front() {
                if let Pushed::Chunk(chunk) = &pushed {
                    state.bytes -= chunk.len();
                }
                let told = state.whoever_waits();
                drop(state);
                tell(told);
                return Some(pushed);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the queue from either side: what waits in it is dropped, whoever waits for it goes on.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.queue = VecDeque::new();
        state.bytes = 0;
        let told = state.whoever_waits();
        drop(state);
        self.changed.notify_all();
        tell(told);
    }
}

impl State {
    /// Half empty: so that each side gets to do some work before it waits again.
    fn has_room(&self) -> bool {
        self.closed || self.bytes <= HIGH_WATER / 2
    }

    fn whoever_waits(&mut self) -> Vec<Settler> {
        if self.has_room() { std::mem::take(&mut self.waiting) } else { Vec::new() }
    }
}

fn tell(waiting: Vec<Settler>) {
    for settler in waiting {
        settler.settle(Ok(String::new()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_is_pushed_is_taken_in_order_and_a_full_queue_says_so() {
        let inlet = Inlet::default();
        assert!(inlet.push(Pushed::Chunk(vec![1])));
        assert!(!inlet.push(Pushed::Chunk(vec![0; HIGH_WATER])));
        inlet.push(Pushed::EndInput);
        assert_eq!(inlet.take(), Some(Pushed::Chunk(vec![1])));
        assert!(matches!(inlet.take(), Some(Pushed::Chunk(chunk)) if chunk.len() == HIGH_WATER));
        assert_eq!(inlet.take(), Some(Pushed::EndInput));
        assert!(inlet.push(Pushed::Chunk(vec![2])));
    }

    #[test]
    fn closing_ends_a_wait_and_drops_what_comes_after() {
        let inlet = Arc::new(Inlet::default());
        let waiting = {
            let inlet = Arc::clone(&inlet);
            std::thread::spawn(move || inlet.take())
        };
        inlet.close();
        assert_eq!(waiting.join().expect("no panic"), None);
        assert!(!inlet.push(Pushed::Chunk(vec![0])));
        assert_eq!((inlet.take(), inlet.lock().bytes), (None, 0));
    }
}
