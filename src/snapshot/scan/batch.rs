//! Scanned numbers on their way to the columns, and where in the input they stand.
//!
//! Nearly all numbers of a snapshot fit in 32 bits and nearly none is at fault. So a value is a `u32`, the few that are wider stand
//! in a list beside, and no offset is kept: [`Batch::offset_of`] finds it again in the text when an error needs it.

/// How many numbers a batch holds: enough to leave the inner loop seldom, few enough to stay in the first-level cache.
pub(crate) const BATCH: usize = 4096;

/// How far behind the last number of a batch a vector path may write.
pub(super) const SLACK: usize = 32;

/// The most numbers that may be left in a batch when the next chunk is scanned: a part of a record.
pub(crate) const MAX_CARRIED: usize = 64;

/// Spaces beyond the grammar of the fast paths that [`TAIL`] has room for.
const SPARE_SPACES: usize = 64;

/// The longest text of [`MAX_CARRIED`] numbers and one unfinished: 19 digits, a newline and a comma each, and some spaces.
const TAIL: usize = (MAX_CARRIED + 1) * 21 + SPARE_SPACES;

/// Numbers in the order of the text.
#[derive(Debug)]
pub(crate) struct Batch {
    values: Box<[u32; BATCH + SLACK]>,
    len: usize,
    /// Index and value of the numbers that do not fit in 32 bits, ascending.
    wide: Vec<(usize, u64)>,
    /// Where the numbers that are older than the last chunk start; they are the first of the batch.
    carried: Vec<u64>,
    /// The offset of the last chunk's first byte.
    base: u64,
    /// Where the number that the last chunk began inside of starts.
    open: Option<u64>,
    /// How many numbers the last chunk added.
    added: usize,
    /// How many of these were consumed.
    dropped: usize,
    /// The end of what was used of the last chunk.
    tail: Vec<u8>,
    /// The offset of the tail's end.
    tail_end: u64,
    /// Whether the tail ends inside a number, which is not in the batch yet.
    tail_open: bool,
}

impl Batch {
    /// A batch without numbers.
    pub fn new() -> Self {
        Self {
            values: Box::new([0; BATCH + SLACK]),
            len: 0,
            wide: Vec::new(),
            carried: Vec::new(),
            base: 0,
            open: None,
            added: 0,
            dropped: 0,
            tail: Vec::new(),
            tail_end: 0,
            tail_open: false,
        }
    }

    /// The numbers; `u32::MAX` also stands for those that are larger, see [`value`](Self::value).
    pub fn values(&self) -> &[u32] {
        &self.values[..self.len]
    }

    /// The number at `index`, whatever its size.
    #[inline]
    pub fn value(&self, index: usize) -> u64 {
        match self.values()[index] {
            u32::MAX => self.wide_value(index),
            narrow => u64::from(narrow),
        }
    }

    /// Whether any number may be one that does not fit in 32 bits.
    pub fn has_wide(&self) -> bool {
        !self.wide.is_empty()
    }

    #[cold]
    fn wide_value(&self, index: usize) -> u64 {
        match self.wide.binary_search_by_key(&index, |&(at, _)| at) {
            Ok(found) => self.wide[found].1,
            Err(_) => u64::from(u32::MAX),
        }
    }

    /// Drops the first `count` numbers; what is left, a part of a record, moves to the front.
    pub fn consume(&mut self, count: usize) {
        self.values.copy_within(count..self.len, 0);
        self.len -= count;
        let carried = count.min(self.carried.len());
        self.carried.drain(..carried);
        self.dropped += count - carried;
        if !self.wide.is_empty() {
            self.wide.retain_mut(|(at, _)| {
                let left = *at >= count;
                *at = at.saturating_sub(count);
                left
            });
        }
    }

    /// The input offset of the first digit of the number at `index`.
    ///
    /// `chunk` is the text given to the last call of `scan`. It is read again up to that number: some microseconds.
    pub fn offset_of(&self, index: usize, chunk: &[u8]) -> u64 {
        if let Some(&start) = self.carried.get(index) {
            return start;
        }
        let mut nth = index - self.carried.len() + self.dropped;
        let mut from = 0;
        if let Some(start) = self.open {
            if nth == 0 {
                return start;
            }
            nth -= 1;
            from = chunk.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(chunk.len());
        }
        self.base + nth_number(chunk, from, nth) as u64
    }

    /// Whether no more fits.
    pub(super) fn is_full(&self) -> bool {
        self.len == BATCH
    }

    /// How many numbers are in it.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends a number of any size. The batch must not be full.
    #[inline]
    pub(super) fn push(&mut self, value: u64) {
        self.values[self.len] = u32::try_from(value).unwrap_or_else(|_| {
            self.wide.push((self.len, value));
            u32::MAX
        });
        self.len += 1;
    }

    /// The free slots, and [`SLACK`] more that may be written to and do not count.
    pub(super) fn spare(&mut self) -> &mut [u32] {
        &mut self.values[self.len..]
    }

    /// Takes the first `count` of the spare slots in.
    pub(super) fn commit(&mut self, count: usize) {
        debug_assert!(self.len + count <= BATCH);
        self.len = (self.len + count).min(BATCH);
    }

    /// Begins a chunk at `base`, which is inside the number that starts at `open` or between two.
    pub(super) fn begin(&mut self, base: u64, open: Option<u64>) {
        self.carry();
        (self.base, self.open, self.added, self.dropped) = (base, open, 0, 0);
    }

    /// Ends the chunk begun, of which `used` was used. `spaces` is how many bytes of it were neither digits nor commas, without
    /// those that the fast paths know: at most one newline a number.
    pub(super) fn end(&mut self, used: &[u8], spaces: usize, open: bool) {
        self.added = self.len - self.carried.len();
        self.tail.clear();
        if self.added > 0 {
            let kept = if spaces <= SPARE_SPACES { used.len().min(TAIL) } else { used.len() };
            self.tail.extend_from_slice(&used[used.len() - kept..]);
        }
        self.tail_end = self.base + used.len() as u64;
        self.tail_open = open;
    }

    /// Notes where the numbers left over from the last chunk start, while that can still be known.
    fn carry(&mut self) {
        let mut fresh = self.len - self.carried.len();
        debug_assert!(fresh <= MAX_CARRIED, "more than a part of a record was left");
        let old = self.carried.len();
        if fresh > 0
            && fresh == self.added
            && let Some(start) = self.open
        {
            self.carried.push(start);
            fresh -= 1;
        }
        let mut at = self.tail.len();
        if self.tail_open {
            at = skip_back(&self.tail, at, |byte| byte.is_ascii_digit());
        }
        let first = self.carried.len();
        for _ in 0..fresh {
            let end = skip_back(&self.tail, at, |byte| !byte.is_ascii_digit());
            at = skip_back(&self.tail, end, |byte| byte.is_ascii_digit());
            self.carried.push(self.tail_end - (self.tail.len() - at) as u64);
        }
        self.carried[first..].reverse();
        debug_assert!(self.carried[old..].is_sorted());
    }
}

/// The start of the run of bytes before `end` that are `wanted`.
fn skip_back(text: &[u8], end: usize, wanted: impl Fn(u8) -> bool) -> usize {
    text[..end].iter().rposition(|&byte| !wanted(byte)).map_or(0, |at| at + 1)
}

/// The place of the `nth` run of digits at or after `from`; the text's length if there are fewer.
fn nth_number(text: &[u8], from: usize, mut nth: usize) -> usize {
    /// Below 256, so that a block's count fits the lanes of bytes in which the compiler counts.
    const BLOCK: usize = 128;
    let is_start = |pair: &[u8]| u8::from(pair[1].is_ascii_digit() & !pair[0].is_ascii_digit());
    if from < text.len() && text[from].is_ascii_digit() {
        if nth == 0 {
            return from;
        }
        nth -= 1;
    }
    // Pairs of neighbours: the second is where a number may start.
    let mut at = from;
    while at + BLOCK < text.len() {
        let count: u8 = text[at..=at + BLOCK].windows(2).map(is_start).sum();
        if usize::from(count) > nth {
            break;
        }
        nth -= usize::from(count);
        at += BLOCK;
    }
    let rest = text.get(at..).unwrap_or_default();
    let found = rest.windows(2).enumerate().filter(|(_, pair)| is_start(pair) == 1).nth(nth);
    found.map_or(text.len(), |(before, _)| at + before + 1)
}
