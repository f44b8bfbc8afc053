//! The ways to read numbers, and which of them this machine can.

use super::batch::SLACK;
use super::portable;

/// Text shorter than this is left to the state machine.
pub(super) const MIN_TEXT: usize = 24;

/// A way to read numbers. All give the same, at different speeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// The state machine alone.
    Bytewise,
    /// Eight bytes at a time, on any machine.
    Portable,
}

impl Path {
    /// The fastest that this machine can.
    pub fn fastest() -> Self {
        Self::Portable
    }

    /// Every one that this machine can, slowest first.
    pub fn all_available() -> Vec<Self> {
        vec![Self::Bytewise, Self::Portable]
    }

    /// Reads numbers from `at`, the start of one, to `out`, whose last [`SLACK`] slots do not count; returns the place after the last
    /// number's comma, which is `at` if there is none, and how many numbers.
    pub(super) fn run(self, text: &[u8], at: usize, out: &mut [u32]) -> (usize, usize) {
        let room = out.len() - SLACK;
        if text.len() - at < MIN_TEXT || room == 0 {
            return (at, 0);
        }
        match self {
            Self::Bytewise => (at, 0),
            Self::Portable => portable::run(text, at, &mut out[..room]),
        }
    }
}
