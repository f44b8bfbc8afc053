//! Arrays that are done with, to be used again.
//!
//! An analysis is a row of steps, each with some arrays of a number a node. An allocator that is given such an array back keeps it as
//! often as not, in pieces, and asks the system for the next one; and the first touch of fresh memory costs as much as the step itself.

use super::{filled, reserve};
use crate::error::Result;

/// Arrays of 32-bit numbers that wait for their next use.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    arrays: Vec<Vec<u32>>,
}

impl Spare {
    /// `len` times `value`.
    pub fn filled(&mut self, value: u32, len: usize) -> Result<Vec<u32>> {
        match self.find(len) {
            Some(mut array) => {
                array.resize(len, value);
                Ok(array)
            }
            None => filled(value, len),
        }
    }

    /// An empty array with room for `len` numbers.
    pub fn empty(&mut self, len: usize) -> Result<Vec<u32>> {
        let mut array = self.find(len).unwrap_or_default();
        reserve(&mut array, len)?;
        Ok(array)
    }

    /// Takes `array` back.
    pub fn give(&mut self, array: Vec<u32>) {
        self.arrays.push(array);
    }

    /// The smallest array with room for `len`, empty; the largest where that is nothing.
    fn find(&mut self, len: usize) -> Option<Vec<u32>> {
        let fits = self.arrays.iter().enumerate().filter(|(_, array)| array.capacity() >= len);
        let by_capacity = |(_, array): &(usize, &Vec<u32>)| array.capacity();
        let (at, _) = if len == 0 { fits.max_by_key(by_capacity)? } else { fits.min_by_key(by_capacity)? };
        let mut array = self.arrays.swap_remove(at);
        array.clear();
        Some(array)
    }
}
