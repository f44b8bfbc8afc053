//! What snapshots may take of a disk: whether there is space for one, and how much a folder of them may grow to.

mod budget;
mod name;
mod space;

pub use budget::{Budget, Swept, open, remove_leftovers, sweep};
pub use name::{Leftover, StoredKind, StoredName};
pub use space::{check, expected};
