//! V8's exported C++ functions, called without a C++ compiler.
//!
//! The node executable exports V8's public API. On the Itanium C++ ABI (every platform but Windows) a mangled name
//! carries the parameter types, so a symbol that is present has the signature that its name spells; what a name does not
//! spell (return types, the layout of what is pointed to) was checked against the headers of Node 18, 20, 22, 24 and 26.
//! Nothing here trusts that alone: before the bridge is used, JavaScript compares its figures with `node:v8`'s, field by
//! field, and falls back to the public modules where they differ.

mod gc;
mod heap;
mod interrupt;
mod limit;
mod line_ends;
mod near_limit;
mod sampling;
mod snapshot;
mod symbols;
mod walk;

pub use gc::GcHooks;
pub use heap::{STATISTICS, from_statistics, heap_statistics};
pub use interrupt::Interrupter;
pub use limit::never_at_the_limit;
pub use line_ends::make_line_ends_known;
pub use near_limit::{AtLimit, NearLimit, Next, Reply, make_iterable};
pub use sampling::{start_sampling, stop_sampling};
pub use snapshot::{ChunkSink, number_objects, take_snapshot};
pub use symbols::{Bridge, Isolate, SamplingFunctions, SnapshotFunctions, WalkFunctions, bridge};
pub use walk::{Collection, Keeper, Local, Walked, count_objects};
