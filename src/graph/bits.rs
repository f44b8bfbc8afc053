//! One bit a node or edge.

use super::filled;
use crate::error::Result;

/// A fixed number of bits, all clear at first.
#[derive(Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// `len` clear bits.
    pub fn new(len: usize) -> Result<Self> {
        Ok(Self { words: filled(0, len.div_ceil(64))? })
    }

    /// Whether bit `at` is set.
    #[inline]
    pub fn get(&self, at: u32) -> bool {
        self.words[at as usize / 64] >> (at % 64) & 1 == 1
    }

    /// Sets bit `at`; says whether it was set before.
    #[inline]
    pub fn set(&mut self, at: u32) -> bool {
        let word = &mut self.words[at as usize / 64];
        let before = *word >> (at % 64) & 1 == 1;
        *word |= 1 << (at % 64);
        before
    }

    /// The bits that are set, ascending.
    pub fn ones(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(at as u32 * 64 + bit)
            })
        })
    }
}
