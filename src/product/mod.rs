//! What can be made of snapshots: each answer is one [`Product`], fed with text and finished into JSON.

mod diff;
mod summary;

use serde::Serialize;
use serde_json::Value;

use crate::control::{Control, Stage};
use crate::error::{ErrorKind, Result};

pub use diff::{Origin, mismatch};

/// An answer in the making.
pub trait Product: Send {
    /// Takes the next piece of the current input's text, of any length.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, with its offset in that input's text.
    fn feed(&mut self, chunk: &[u8]) -> Result<()>;

    /// Says that the current input is complete; what is fed next is another one's.
    ///
    /// # Errors
    ///
    /// What is missing from the text; `OutOfMemory`, `Cancelled`.
    fn end_input(&mut self, _control: &Control) -> Result<()> {
        Ok(())
    }

    /// The answer, as JSON.
    ///
    /// # Errors
    ///
    /// As [`end_input`](Self::end_input).
    fn finish(self: Box<Self>, control: &Control) -> Result<String>;
}

/// The product of that name, for that many inputs. `settings` are the product's own.
///
/// # Errors
///
/// `InvalidArg` for a name that no product has, and for a number of inputs that this one does not take.
pub fn named(name: &str, inputs: usize, _settings: &Value) -> Result<Box<dyn Product>> {
    match (name, inputs) {
        ("summary", 1) => Ok(Box::new(summary::Summary::default())),
        ("diff", 2 | 3) => Ok(Box::new(diff::Diff::default())),
        _ => {
            let expected = "summary of one snapshot, or diff of two or three".to_owned();
            let found = format!("{name} of {inputs}");
            Err(ErrorKind::InvalidArg { name: "product", expected, found }.into())
        }
    }
}

/// `value` as JSON, the last stage.
fn written(value: &impl Serialize, control: &Control) -> Result<String> {
    control.stage(Stage::Writing);
    control.check()?;
    serde_json::to_string(value).map_err(|e| ErrorKind::Internal { message: e.to_string() }.into())
}

#[cfg(test)]
mod tests;
