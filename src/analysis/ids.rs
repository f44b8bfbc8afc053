//! A set of object ids, and the place of each among them.
//!
//! V8's ids are dense: it counts, by two. So an id is a bit in a page of 1024, found through two directories; where there are no
//! ids there are no pages. A set of any ids takes 164 bytes an id at most, and 16 MB for directories.

use crate::error::Result;
use crate::graph::{filled, reserve};

/// Ids a page, and words of 64 of them.
const PAGE: u32 = 1 << 10;
const WORDS: usize = PAGE as usize / 64;

/// Pages a directory.
const PAGES: u32 = 1 << 10;

/// Stands for a directory or page that there is not.
const NONE: u32 = u32::MAX;

/// A set of 32-bit numbers.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    /// By the upper bits of an id, where its directory starts in `directories`.
    top: Vec<u32>,
    /// By the middle bits, its page.
    directories: Vec<u32>,
    pages: Vec<Page>,
    count: u32,
}

#[derive(Debug, Clone)]
struct Page {
    words: [u64; WORDS],
    /// How many ids of the page come before each word, once they are ranked.
    before: [u16; WORDS],
    /// How many ids come before the page.
    base: u32,
}

impl Ids {
    /// Adds `id`; says whether it is new.
    #[inline]
    pub fn insert(&mut self, id: u32) -> Result<bool> {
        let page = match self.page(id) {
            Some(page) => page,
            None => self.add_page(id)?,
        };
        let word = &mut self.pages[page as usize].words[(id % PAGE / 64) as usize];
        let bit = 1 << (id % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        self.count += u32::from(is_new);
        Ok(is_new)
    }

    #[inline]
    fn page(&self, id: u32) -> Option<u32> {
        let directory = *self.top.get((id / PAGE / PAGES) as usize)?;
        let at = directory.checked_add(id / PAGE % PAGES)?;
        let page = *self.directories.get(at as usize)?;
        (page != NONE).then_some(page)
    }

    #[cold]
    fn add_page(&mut self, id: u32) -> Result<u32> {
        let high = (id / PAGE / PAGES) as usize;
        if self.top.is_empty() {
            self.top = filled(NONE, (u32::MAX / PAGE / PAGES) as usize + 1)?;
        }
        if self.top[high] == NONE {
            reserve(&mut self.directories, PAGES as usize)?;
            self.top[high] = self.directories.len() as u32;
            self.directories.resize(self.directories.len() + PAGES as usize, NONE);
        }
        reserve(&mut self.pages, 1)?;
        self.pages.push(Page { words: [0; WORDS], before: [0; WORDS], base: 0 });
        let page = self.pages.len() as u32 - 1;
        self.directories[(self.top[high] + id / PAGE % PAGES) as usize] = page;
        Ok(page)
    }

    /// Makes [`Ids::rank`] tell places: to be called after the last id was added.
    pub fn rank_all(&mut self) {
        let mut total = 0;
        for &directory in self.top.iter().filter(|&&directory| directory != NONE) {
            let start = directory as usize;
            for &page in &self.directories[start..start + PAGES as usize] {
                let Some(page) = self.pages.get_mut(page as usize) else { continue };
                page.base = total;
                let mut before = 0;
                for (word, slot) in page.words.iter().zip(&mut page.before) {
                    *slot = before;
                    before += word.count_ones() as u16;
                }
                total += u32::from(before);
            }
        }
    }

    /// How many smaller ids there are in the set; `None` where `id` is not in it.
    #[inline]
    pub fn rank(&self, id: u32) -> Option<u32> {
        let Page { words, before, base } = &self.pages[self.page(id)? as usize];
        let (at, bit) = ((id % PAGE / 64) as usize, id % 64);
        let word = words[at];
        let smaller = (word & ((1 << bit) - 1)).count_ones();
        (word >> bit & 1 == 1).then(|| base + u32::from(before[at]) + smaller)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranks_are_places_in_order(ids in prop::collection::vec(prop_oneof![0..300u32, 65_500..65_600u32, any::<u32>()], 0..200), others in prop::collection::vec(0..70_000u32, 0..50)) {
            let mut set = Ids::default();
            let mut naive = BTreeSet::new();
            for &id in &ids {
                prop_assert_eq!(set.insert(id).unwrap(), naive.insert(id));
            }
            set.rank_all();
            prop_assert_eq!(set.len(), naive.len());
            prop_assert!(set.pages.len() <= naive.len());
            for &id in ids.iter().chain(&others) {
                let place = naive.iter().position(|&other| other == id).map(|place| place as u32);
                prop_assert_eq!(set.rank(id), place);
            }
        }
    }
}
