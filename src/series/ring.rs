//! A ring that forgets its oldest.

use std::collections::VecDeque;

/// The last `capacity` values pushed, oldest first.
///
/// The memory is taken at creation; [`Ring::push`] never allocates.
#[derive(Debug, Clone)]
pub struct Ring<T> {
    values: VecDeque<T>,
    capacity: usize,
}

impl<T> Ring<T> {
    /// An empty ring for `capacity` values, at least one.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { values: VecDeque::with_capacity(capacity), capacity }
    }

    /// Adds a value, forgetting the oldest where the ring is full.
    pub fn push(&mut self, value: T) {
        if self.values.len() == self.capacity {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    /// The values, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator + Clone {
        self.values.iter()
    }

    /// How many values it holds now.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// How many it holds when it is full.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether nothing was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value pushed last.
    pub fn last(&self) -> Option<&T> {
        self.values.back()
    }

    /// The value pushed last, to be changed.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.values.back_mut()
    }

    /// Keeps every second value, from the oldest on, merging each pair with `merge`.
    pub fn halve(&mut self, mut merge: impl FnMut(&T, &T) -> T) {
        let pairs = self.values.len() / 2;
        for i in 0..pairs {
            self.values[i] = merge(&self.values[2 * i], &self.values[2 * i + 1]);
        }
        if self.values.len() % 2 == 1 {
            self.values.swap(pairs, 2 * pairs);
            self.values.truncate(pairs + 1);
        } else {
            self.values.truncate(pairs);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn holds_what_a_vector_would(values: Vec<u16>, capacity in 1usize..20) {
            let mut ring = Ring::new(capacity);
            for &value in &values {
                ring.push(value);
            }
            let expected = &values[values.len().saturating_sub(capacity)..];
            prop_assert!(ring.iter().eq(expected));
            prop_assert_eq!(ring.len(), expected.len());
            prop_assert_eq!(ring.last(), expected.last());
        }

        #[test]
        fn halving_merges_neighbours(values in prop::collection::vec(any::<u16>(), 0..40)) {
            let mut ring = Ring::new(40);
            values.iter().for_each(|&v| ring.push(v));
            ring.halve(|a, b| *a.min(b));
            let expected: Vec<u16> = values.chunks(2).map(|c| *c.iter().min().unwrap()).collect();
            prop_assert!(ring.iter().eq(&expected));
        }
    }
}
