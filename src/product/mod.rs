//! What can be made of snapshots and of recorded series: each answer is one [`Product`], fed with text and finished into JSON.

mod diff;
mod file;
mod paths;
mod replay;
mod summary;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::control::{Control, Stage};
use crate::error::{ErrorKind, Result};

pub use diff::{Origin, mismatch};
pub use file::feed_file;

/// An answer in the making.
pub trait Product: Send {
    /// Takes the next piece of the current input's text, of any length.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, with its offset in that input's text.
    fn feed(&mut self, chunk: &[u8]) -> Result<()>;

    /// Whether nothing is wanted of the current input up to the next quote in its text.
    fn is_skipping(&self) -> bool {
        false
    }

    /// Says that so many bytes were passed over, while [`Product::is_skipping`].
    fn skip(&mut self, _bytes: u64) {}

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
pub fn named(name: &str, inputs: usize, settings: &Value) -> Result<Box<dyn Product>> {
    match (name, inputs) {
        ("summary", 1) => Ok(Box::new(summary::Summary::new(&read(settings)?))),
        ("histogram", 1) => Ok(Box::new(summary::Histogram::default())),
        ("paths", 1) => Ok(Box::new(paths::Paths::new(read(settings)?)?)),
        ("diff", 2 | 3) => Ok(diff::of(&read(settings)?, inputs)),
        ("replay", 1..) => Ok(Box::new(replay::Verdicts::new(read(settings)?)?)),
        _ => {
            let expected =
                "summary, histogram or paths of one snapshot, diff of two or three, or replay".to_owned();
            let found = format!("{name} of {inputs}");
            Err(ErrorKind::InvalidArg { name: "product", expected, found }.into())
        }
    }
}

/// A product's own settings; its defaults where there are none.
fn read<T: DeserializeOwned + Default>(settings: &Value) -> Result<T> {
    if settings.is_null() {
        return Ok(T::default());
    }
    T::deserialize(settings).map_err(|error| {
        let found = error.to_string();
        ErrorKind::InvalidArg { name: "settings", expected: "what the product knows".to_owned(), found }
            .into()
    })
}

/// `value` as JSON, the last stage.
fn written(value: &impl Serialize, control: &Control) -> Result<String> {
    control.stage(Stage::Writing);
    control.check()?;
    serde_json::to_string(value).map_err(|e| ErrorKind::Internal { message: e.to_string() }.into())
}

#[cfg(test)]
mod tests;
