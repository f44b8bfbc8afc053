//! Counts of objects after each of several rounds, kept outside the heap that is counted.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::pace::{Grown, is_steady_count};
use crate::analysis::diff::signed;

/// The rounds that are looked at are never fewer.
const LEAST_ROUNDS: usize = 2;

/// Objects by constructor after each round.
#[derive(Debug, Default)]
pub struct Tally {
    /// A name's place in every count.
    places: HashMap<Box<str>, usize>,
    /// By round; a constructor that came later has no place in the counts before.
    counts: Vec<Vec<u64>>,
}

/// A constructor of which there were more after each round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tallied {
    /// Its name.
    pub constructor_name: String,
    /// How many there were: before the rounds, and after each.
    pub counts: Vec<u64>,
}

impl Tally {
    /// Adds what a count has found.
    pub fn push(&mut self, counts: Vec<(String, u64)>) {
        let mut row = vec![0; self.places.len()];
        for (name, count) in counts {
            let next = self.places.len();
            let place = *self.places.entry(name.into_boxed_str()).or_insert(next);
            if place == row.len() {
                row.push(0);
            }
            row[place] += count;
        }
        self.counts.push(row);
    }

    /// By how many each constructor has grown since the last count.
    pub fn since(&self, counts: Vec<(String, u64)>) -> HashMap<String, i64> {
        let last = self.counts.last();
        let then = self.places.iter().map(|(name, &place)| {
            let count = last.and_then(|row| row.get(place)).copied().unwrap_or(0);
            (name.to_string(), signed(count).saturating_neg())
        });
        let mut growth: HashMap<String, i64> = then.collect();
        for (name, count) in counts {
            *growth.entry(name).or_default() += signed(count);
        }
        growth
    }

    /// How many counts there are.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The constructors whose number grew in proportion to `calls` in each of the last rounds, one for each of `calls`; most growth first.
    pub fn steady(&self, calls: &[u64]) -> Vec<Tallied> {
        if calls.len() < LEAST_ROUNDS || self.counts.len() <= calls.len() {
            return Vec::new();
        }
        let rows = &self.counts[self.counts.len() - calls.len() - 1..];
        let mut found: Vec<Tallied> = Vec::new();
        for (name, &place) in &self.places {
            let counts: Vec<u64> = rows.iter().map(|row| row.get(place).copied().unwrap_or(0)).collect();
            let grown: Vec<Grown> = counts
                .windows(2)
                .zip(calls)
                .map(|(pair, &calls)| Grown { calls, by: pair[1] as f64 - pair[0] as f64 })
                .collect();
            if is_steady_count(&grown) {
                found.push(Tallied { constructor_name: name.to_string(), counts });
            }
        }
        let grown = |tallied: &Tallied| tallied.counts.last().copied().unwrap_or(0) - tallied.counts[0];
        found.sort_by(|a, b| (grown(b), &a.constructor_name).cmp(&(grown(a), &b.constructor_name)));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(rows: &[&[(&str, u64)]]) -> Tally {
        let mut tally = Tally::default();
        for row in rows {
            tally.push(row.iter().map(|&(name, count)| (name.to_owned(), count)).collect());
        }
        tally
    }

    #[test]
    fn only_what_grew_in_every_round_is_told() {
        let tally = pushed(&[
            &[("Object", 1000), ("Once", 1)],
            &[("Object", 1003), ("Session", 100), ("Once", 90), ("Page", 100)],
            &[("Object", 1001), ("Session", 200), ("Once", 91), ("Page", 150)],
            &[("Object", 1002), ("Session", 300), ("Once", 91), ("Page", 150)],
        ]);
        assert_eq!(
            tally.steady(&[100, 100, 100]),
            [Tallied { constructor_name: "Session".into(), counts: vec![0, 100, 200, 300] }]
        );
        assert_eq!(tally.steady(&[100, 100, 100, 100]), [], "there are no four rounds");
        assert_eq!(tally.steady(&[100]), [], "one round shows no proportion");
    }

    #[test]
    fn a_name_that_comes_twice_in_a_count_is_one() {
        let tally = pushed(&[&[], &[("A", 4), ("B", 1), ("A", 6)], &[("B", 1), ("A", 20)]]);
        assert_eq!(tally.steady(&[10, 10])[0].counts, [0, 10, 20]);
        assert_eq!(tally.len(), 3);
        let growth = tally.since(vec![("A".into(), 20), ("A".into(), 5), ("C".into(), 2)]);
        assert_eq!(growth, HashMap::from([("A".into(), 5), ("B".into(), -1), ("C".into(), 2)]));
    }
}
