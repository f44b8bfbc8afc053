//! What is decided and said about a clone of the process, apart from making one.
//!
//! A clone is a forked copy of the process that takes a snapshot of the frozen heap while the process goes on. [`message`] is what
//! it says to its parent, [`room`] whether there is memory for one, [`turn`] whose turn it is, [`limit`] what is done at the heap's limit.

pub mod limit;
pub mod message;
pub mod room;
pub mod turn;
