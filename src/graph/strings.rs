//! All strings of a snapshot in one buffer.

use crate::error::{Error, ErrorKind, Result};

/// Some of the strings of a snapshot, by index.
#[derive(Debug, Default)]
pub struct SparseStrings {
    text: String,
    /// Index and end of each, ascending.
    ends: Vec<(u32, u32)>,
}

impl SparseStrings {
    pub(crate) fn from_parts(text: Vec<u8>, ends: Vec<(u32, u32)>) -> Result<Self> {
        Ok(Self { text: utf8(text)?, ends })
    }

    /// The string at `index`; empty where it was not kept.
    pub fn get(&self, index: u32) -> &str {
        let Ok(at) = self.ends.binary_search_by_key(&index, |&(index, _)| index) else { return "" };
        let start = if at == 0 { 0 } else { self.ends[at - 1].1 };
        self.text.get(start as usize..self.ends[at].1 as usize).unwrap_or_default()
    }
}

fn utf8(text: Vec<u8>) -> Result<String> {
    String::from_utf8(text)
        .map_err(|_| Error::new(ErrorKind::Internal { message: "string table is not UTF-8".to_owned() }))
}

/// The strings of a snapshot, by index.
///
/// One buffer and one offset a string: two million strings are two allocations, not two million.
#[derive(Debug, Default)]
pub struct StringTable {
    text: String,
    ends: Vec<u32>,
}

impl StringTable {
    /// How much is kept of a string that is nobody's name: the values of strings are most of the text, and a reader wants their
    /// beginning.
    pub const VALUE_BYTES: usize = 32;

    /// A table of `text` cut at `ends`, which ascend and lie on character boundaries.
    pub(crate) fn from_parts(text: Vec<u8>, ends: Vec<u32>) -> Result<Self> {
        Ok(Self { text: utf8(text)?, ends })
    }

    /// The number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no string at all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The string at `index`; empty where there is none.
    pub fn get(&self, index: u32) -> &str {
        let index = index as usize;
        let Some(&end) = self.ends.get(index) else { return "" };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The index of the first string equal to `text`.
    pub fn find(&self, text: &str) -> Option<u32> {
        (0..self.len() as u32).find(|&index| self.get(index) == text)
    }

    /// The strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len() as u32).map(|index| self.get(index))
    }
}
