//! What is kept of a look at the heap for a suspicion.

use crate::analysis::{Alive, Culprit};
use crate::units::{Bytes, UnixMillis};
use crate::verdict::{Group, Look};

/// Steps of a retaining path that make the holder: further out, one place has many paths.
const STEPS: usize = 6;

/// The look that a snapshot was, taken at `at`: what was alive, and what had grown by then.
pub fn look(at: UnixMillis, alive: Alive, culprits: &[Culprit]) -> Look {
    Look::new(at, Bytes(alive.heap), Bytes(alive.outside), culprits.iter().map(group))
}

fn group(culprit: &Culprit) -> Group {
    let steps = culprit.retainer_path.iter().take(STEPS);
    let holder: Vec<String> = steps.map(|step| format!("{} of {}", step.edge, step.name)).collect();
    Group {
        constructor_name: culprit.constructor_name.clone(),
        holder: holder.join(", "),
        count: culprit.count_delta.max(0).unsigned_abs(),
        size: Bytes(culprit.retained_size_delta.max(0).unsigned_abs()),
    }
}
