//! Recorded series and the verdicts that the detector gives of them.

use crate::control::Control;
use crate::error::Result;
use crate::product::{Product, written};
use crate::replay::{Replay, Settings};

/// The replay of one or more inputs.
pub struct Verdicts(Replay);

impl Verdicts {
    /// Nothing read yet.
    pub fn new(settings: Settings) -> Self {
        Self(Replay::new(settings))
    }
}

impl Product for Verdicts {
    fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        self.0.feed(chunk)
    }

    fn end_input(&mut self, _control: &Control) -> Result<()> {
        self.0.end_input()
    }

    fn finish(self: Box<Self>, control: &Control) -> Result<String> {
        written(&self.0.finish(), control)
    }
}
