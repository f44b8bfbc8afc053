//! Recorded series and the verdicts that the detector gives of them.

use crate::control::Control;
use crate::error::{ErrorKind, Result};
use crate::product::{Product, written};
use crate::replay::{Replay, STRICTNESS, Settings};

/// The replay of one or more inputs.
pub struct Verdicts(Replay);

impl Verdicts {
    /// Nothing read yet.
    ///
    /// # Errors
    ///
    /// `InvalidArg` for a strictness beyond [`STRICTNESS`].
    pub fn new(settings: Settings) -> Result<Self> {
        if !STRICTNESS.contains(&settings.strictness) {
            let expected = format!("a number from {} to {}", STRICTNESS.start(), STRICTNESS.end());
            let found = settings.strictness.to_string();
            return Err(ErrorKind::InvalidArg { name: "strictness", expected, found }.into());
        }
        Ok(Self(Replay::new(settings)))
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
