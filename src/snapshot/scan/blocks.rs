//! What the vector paths share: the grammar of simple numbers on 64 bytes at a time, each a bit.

/// Bytes in a block.
pub(super) const BLOCK: usize = 64;

/// How far before a block a vector path reads: the digits of a number that ends in it.
pub(super) const LOOK_BACK: usize = 16;

/// Numbers whose last eight digits are preceded by more than this are left to the state machine: the next would pass 32 bits.
pub(super) const MAX_UPPER: u32 = 41;

/// A block and what stands before it.
pub(super) type Window = [u8; LOOK_BACK + BLOCK];

/// The window of the block at `at`, if `text` has all of it.
#[inline(always)]
pub(super) fn window(text: &[u8], at: usize) -> Option<&Window> {
    text.get(at.checked_sub(LOOK_BACK)?..)?.first_chunk()
}

/// The eight bytes that end `back` bytes, at most eight, before the place of the lowest of `marks`, which is taken off; before the
/// block's end if there is none.
#[inline(always)]
pub(super) fn bytes_before(window: &Window, marks: &mut u64, back: usize) -> u64 {
    let end = LOOK_BACK - back + marks.trailing_zeros() as usize;
    *marks &= marks.wrapping_sub(1);
    window[end - 8..end].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Which bytes of a block are what; the first byte is the lowest bit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Masks {
    pub digits: u64,
    pub commas: u64,
    pub newlines: u64,
}

/// The numbers that end in a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    /// The bytes behind their last digits.
    pub marks: u64,
    /// Whether one may have more than eight digits.
    pub long: bool,
}

/// A run over the blocks of a text that starts with a number: what was accepted, and where it stands.
#[derive(Debug)]
pub(super) struct Run {
    /// The last block.
    before: Masks,
    /// The place of the next block.
    pub at: usize,
    /// The start of the first number whose comma was not seen.
    resume: usize,
    /// How many numbers ended.
    pub count: usize,
}

impl Run {
    /// A run from `at`, the start of a number.
    pub fn new(at: usize) -> Self {
        // As if after a comma.
        Self { before: Masks { digits: 0, commas: 1 << 63, newlines: 0 }, at, resume: at, count: 0 }
    }

    /// The numbers that end in `block`, the next one; nothing if it is not only digits, each number followed by `,` or `\n,`.
    #[inline(always)]
    pub fn ends(&self, block: Masks) -> Option<Ends> {
        let Masks { digits, commas, newlines } = block;
        let after_comma = commas << 1 | self.before.commas >> 63;
        let after_newline = newlines << 1 | self.before.newlines >> 63;
        let wrong = !(digits | commas | newlines) | (after_comma & !digits) | (after_newline & !commas);
        // A block without a comma is the inside of a number that no path accepts.
        if wrong != 0 || commas == 0 {
            return None;
        }
        let pairs = digits & (digits << 1);
        let fours = pairs & (pairs << 2);
        let nines = fours & (fours << 4) & (digits << 8);
        let across = self.before.digits.leading_ones() + digits.trailing_ones();
        let marks = (commas | newlines) & !after_newline;
        Some(Ends { marks, long: nines != 0 || across > 8 })
    }

    /// Goes on behind `block`, in which `count` numbers ended.
    #[inline(always)]
    pub fn accept(&mut self, block: Masks, count: usize) {
        self.resume = self.at + BLOCK - block.commas.leading_zeros() as usize;
        self.before = block;
        self.at += BLOCK;
        self.count += count;
    }

    /// The place after the comma of the last number, and how many numbers there are up to it.
    pub fn finish(self) -> (usize, usize) {
        // Behind a newline at the very end the comma has yet to come: that number starts at `resume`.
        (self.resume, self.count - (self.before.newlines >> 63) as usize)
    }
}
