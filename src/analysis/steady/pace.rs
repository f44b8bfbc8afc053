//! When growth counts as proportional: as much in each round as in the others, for as many calls.
//!
//! | grows | in each round | |
//! |---|---|---|
//! | an object per call | 200, 200 | steady |
//! | one in ten calls, by chance | 17, 24 | steady |
//! | a cache that fills | 200, 60 | not: it comes to an end |
//! | something lazy | 14, 0 | not: once |

/// What grew in one round, and by how many calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grown {
    /// Calls of the function in this round.
    pub calls: u64,
    /// What there is more after it: objects, or bytes.
    pub by: f64,
}

/// Fewer objects than one in so many calls are no growth of the function's.
const RAREST: f64 = 25.0;
/// Nor are fewer than so many in a round.
const FEWEST: f64 = 3.0;
/// By this share the rounds may differ in any case.
const TOLERANCE: f64 = 0.2;
/// And by so many standard errors, where what grows comes by chance: as a count of independent events.
const ERRORS: f64 = 3.0;
/// Bytes per call below which nothing is said of a text or a store that grows.
const LEAST_BYTES: f64 = 1.0;
/// Nor of fewer than so many bytes in a round.
const FEWEST_BYTES: f64 = 256.0;
/// Texts may be of any length, and no two rounds append the same.
const BYTES_TOLERANCE: f64 = 0.5;

/// Whether a count grew in proportion to the calls in every round.
pub fn is_steady_count(rounds: &[Grown]) -> bool {
    let is_enough = |round: &Grown| round.by >= FEWEST.max(round.calls as f64 / RAREST);
    rounds.iter().all(is_enough)
        && agree(rounds, |least, most| TOLERANCE * most + ERRORS * (least + most).sqrt())
}

/// The same for the bytes of a text or a store.
pub fn is_steady_size(rounds: &[Grown]) -> bool {
    let is_enough = |round: &Grown| round.by >= FEWEST_BYTES.max(LEAST_BYTES * round.calls as f64);
    rounds.iter().all(is_enough) && agree(rounds, |_, most| BYTES_TOLERANCE * most)
}

/// The same for large objects that come rarely: in every round some, and much. `bytes` are those of one.
pub fn is_steady_few(rounds: &[Grown], bytes: f64) -> bool {
    /// What all of a round have to come to.
    const MUCH: f64 = 64.0 * 1024.0;
    let is_enough = |round: &Grown| round.by >= 2.0 && round.by * bytes >= MUCH;
    rounds.iter().all(is_enough) && agree(rounds, |least, most| ERRORS * (least + most).sqrt())
}

/// Whether the least and the most, both for as many calls as the longest round has, differ by no more than `allowed`.
fn agree(rounds: &[Grown], allowed: impl Fn(f64, f64) -> f64) -> bool {
    let longest = rounds.iter().map(|round| round.calls).max().unwrap_or(0) as f64;
    let scaled = rounds.iter().map(|round| round.by * longest / round.calls.max(1) as f64);
    let (least, most) = scaled.fold((f64::MAX, 0.0_f64), |(least, most), by| (least.min(by), most.max(by)));
    !rounds.is_empty() && most - least <= allowed(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rounds(calls: u64, by: &[f64]) -> Vec<Grown> {
        by.iter().map(|&by| Grown { calls, by }).collect()
    }

    fn is_steady(calls: u64, by: &[f64]) -> bool {
        is_steady_count(&rounds(calls, by))
    }

    #[test]
    fn what_comes_with_the_calls_is_told_from_what_comes_once() {
        assert!(is_steady(200, &[200.0, 200.0]));
        assert!(is_steady(200, &[20.0, 20.0]), "one in ten calls");
        assert!(is_steady(200, &[14.0, 27.0]), "one in ten by chance");
        assert!(is_steady(200, &[201.0, 204.0, 199.0]));
        assert!(!is_steady(200, &[200.0, 100.0]), "a cache that is full in the second round");
        assert!(!is_steady(200, &[200.0, 0.0]), "once");
        assert!(!is_steady(200, &[7.0, 7.0]), "one in thirty");
        assert!(!is_steady(10, &[2.0, 2.0]), "too few to tell");
        assert!(!is_steady(200, &[-200.0, -200.0]), "it shrinks");
        assert!(!is_steady_count(&[]));
    }

    #[test]
    fn rounds_need_not_be_of_one_length() {
        let unlike = [Grown { calls: 100, by: 100.0 }, Grown { calls: 300, by: 300.0 }];
        assert!(is_steady_count(&unlike));
        let same_count = [Grown { calls: 100, by: 300.0 }, Grown { calls: 300, by: 300.0 }];
        assert!(!is_steady_count(&same_count), "a third per call in the longer one");
    }

    #[test]
    fn bytes_may_vary_and_large_things_may_be_rare() {
        assert!(is_steady_size(&rounds(200, &[4000.0, 5800.0])));
        assert!(!is_steady_size(&rounds(200, &[4000.0, 0.0])));
        assert!(!is_steady_size(&rounds(200, &[200.0, 200.0])), "less than a text's noise");
        assert!(is_steady_few(&rounds(200, &[2.0, 2.0]), 1e6));
        assert!(!is_steady_few(&rounds(200, &[1.0, 1.0]), 1e6));
        assert!(!is_steady_few(&rounds(200, &[2.0, 2.0]), 1e4));
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_what_ends_is_never_steady(by in prop::collection::vec(0.0..1e6f64, 1..6), calls in 1..5000u64) {
            let forth = is_steady(calls, &by);
            let back: Vec<f64> = by.iter().rev().copied().collect();
            prop_assert_eq!(forth, is_steady(calls, &back));
            let ended: Vec<f64> = by.iter().copied().chain([0.0]).collect();
            prop_assert!(!is_steady(calls, &ended));
        }

        #[test]
        fn the_same_in_every_round_is_steady(per_call in 0.05..50.0f64, calls in 100..5000u64, rounds in 2..6usize) {
            prop_assert!(is_steady(calls, &vec![(per_call * calls as f64).round(); rounds]));
        }
    }
}
