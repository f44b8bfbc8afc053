//! What is kept of a look at the heap for a suspicion.

use crate::analysis::{Alive, Culprit, PathStep};
use crate::units::{Bytes, UnixMillis};
use crate::verdict::{Group, Look};

/// Steps of a retaining path that make the holder, where no function comes sooner.
const STEPS: usize = 4;

/// The look that a snapshot was, taken at `at`: what was alive, and what had grown by then.
pub fn look(at: UnixMillis, alive: Alive, culprits: &[Culprit]) -> Look {
    Look::new(at, Bytes(alive.heap), Bytes(alive.outside), culprits.iter().map(group))
}

fn group(culprit: &Culprit) -> Group {
    Group {
        constructor_name: culprit.constructor_name.clone(),
        holder: holder(&culprit.retainer_path),
        count: culprit.count_delta.max(0).unsigned_abs(),
        size: Bytes(culprit.retained_size_delta.max(0).unsigned_abs()),
    }
}

/// The place at the start of `path`: up to the first variable of a function. The function is left out, and what holds it: of
/// all that share a variable, another may be the nearest to a root next time.
fn holder(path: &[PathStep]) -> String {
    let is_function = |step: &PathStep| step.location.is_some() || step.name.starts_with("(closure)");
    let function = path.iter().position(is_function);
    let steps = path.iter().take(function.unwrap_or(STEPS).min(STEPS));
    let mut names: Vec<String> = steps.map(|step| format!("{} of {}", step.edge, step.name)).collect();
    if let Some(at) = function.filter(|&at| at < STEPS) {
        names.push(path[at].edge.clone());
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Pattern;

    fn path(steps: &[(&str, &str)]) -> Vec<PathStep> {
        let step =
            |&(edge, name): &(&str, &str)| PathStep { name: name.into(), edge: edge.into(), location: None };
        steps.iter().map(step).collect()
    }

    #[test]
    fn a_place_is_the_same_by_whichever_function_it_is_reached() {
        let by = |function: &str| {
            holder(&path(&[("[[Entries]]", "Map"), ("sessions", function), ("_onTimeout", "Timeout")]))
        };
        assert_eq!(by("(closure) login"), "[[Entries]] of Map, sessions");
        assert_eq!(by("(closure) logout"), by("(closure) login"));
        assert_ne!(
            holder(&path(&[("[[Entries]]", "Map"), ("users", "(closure) login")])),
            by("(closure) login")
        );
    }

    #[test]
    fn a_long_path_is_cut_and_a_short_one_is_whole() {
        let long =
            [("[n]", "Array"), ("rows", "Page"), ("pages", "Book"), ("books", "Shelf"), ("shelves", "Hall")];
        assert_eq!(holder(&path(&long)), "[n] of Array, rows of Page, pages of Book, books of Shelf");
        assert_eq!(holder(&path(&[("cache", "global")])), "cache of global");
        assert_eq!(holder(&[]), "");
    }

    #[test]
    fn what_a_finding_keeps_alive_is_its_size() {
        let culprit = Culprit {
            constructor_name: "Session".into(),
            properties: Vec::new(),
            pattern: Pattern::Collection,
            count_delta: 7,
            size_delta: 70,
            retained_size_delta: 700,
            holder: None,
            retainer_path: path(&[("cache", "global")]),
            location: None,
            advice: String::new(),
            fingerprint: String::new(),
        };
        let look = look(UnixMillis(5), Alive { heap: 1000, outside: 10 }, &[culprit]);
        assert_eq!((look.at, look.heap, look.outside), (UnixMillis(5), Bytes(1000), Bytes(10)));
        let [group] = look.groups() else { panic!("one group") };
        assert_eq!((group.constructor_name.as_str(), group.count, group.size), ("Session", 7, Bytes(700)));
    }
}
