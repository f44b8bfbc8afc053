//! Fixed-capacity history: everything here takes its memory once and never grows.

mod floors;
mod ring;

pub use floors::{Floor, Floors};
pub use ring::Ring;
