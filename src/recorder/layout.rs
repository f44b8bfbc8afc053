//! What is where in a recording: a function of its size alone.

/// Size of a recording, unless something else is said: 2048 samples, 17 hours at the default interval.
pub const DEFAULT_BYTES: usize = 1 << 20;
/// Smallest size: 512 samples, 4 hours at the default interval.
pub const SMALLEST_BYTES: usize = 256 << 10;
/// Largest size.
pub const MOST_BYTES: usize = 64 << 20;

/// Regions begin at multiples of it, and no small record straddles one: what a loss of power keeps or loses are pages.
pub const PAGE: usize = 4096;
/// Length of a record in the rings.
pub const SLOT: usize = 256;
/// Length of each half of the current state.
pub const STATE: usize = PAGE / 2;

const COPY_AT: usize = 3 * PAGE;
const RINGS_AT: usize = 4 * PAGE;
const STATE_AT: usize = PAGE;
const LAST_AT: usize = 2 * PAGE;

/// Consecutive places of equal length, used in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Where the first one begins, in bytes from the start of the file.
    pub start: usize,
    /// Length of each.
    pub slot: usize,
    /// How many there are.
    pub slots: usize,
}

impl Region {
    /// Where the record with this number has its place; numbers count from 1.
    pub fn place(&self, sequence: u64) -> usize {
        let index = (sequence.wrapping_sub(1) % self.slots as u64) as usize;
        self.start + index * self.slot
    }

    /// Where each place begins.
    pub fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let Self { start, slot, slots } = *self;
        (0..slots).map(move |index| start + index * slot)
    }

    /// Where the region ends.
    pub fn end(&self) -> usize {
        self.start + self.slot * self.slots
    }
}

/// What a text in a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// The last summary of the heap, shortened: JSON.
    Summary,
    /// The last LeakReport, shortened: JSON.
    Report,
}

/// What is where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Length of the file, a multiple of a page.
    pub bytes: usize,
    /// Samples: the larger half of the file.
    pub samples: Region,
    /// Events.
    pub events: Region,
    /// Two halves each of the last summary and of the last report.
    texts: [Region; 2],
}

impl Layout {
    /// The layout of a recording of `bytes`, rounded up to whole pages and to the sizes allowed.
    pub fn of(bytes: usize) -> Self {
        let bytes = bytes.clamp(SMALLEST_BYTES, MOST_BYTES).next_multiple_of(PAGE);
        let pages = bytes / PAGE;
        // A quarter for events, just under a quarter for the texts, the rest for samples.
        let ring = |start, pages| Region { start, slot: SLOT, slots: pages * PAGE / SLOT };
        let events = ring(RINGS_AT, pages / 4);
        let text_pages = (pages / 4).saturating_sub(4) / 4;
        let text = |start| Region { start, slot: text_pages * PAGE, slots: 2 };
        let summary = text(events.end());
        let report = text(summary.end());
        let samples = ring(report.end(), (bytes - report.end()) / PAGE);
        Self { bytes, samples, events, texts: [summary, report] }
    }

    /// The two copies of the header.
    pub const HEADERS: [usize; 2] = [0, COPY_AT];
    /// Length of each.
    pub const HEADER: usize = PAGE;

    /// The two halves of the current state.
    pub const STATE: Region = Region { start: STATE_AT, slot: STATE, slots: 2 };
    /// What a fatal signal left.
    pub const WORDS: Region = Region { start: LAST_AT, slot: SLOT, slots: 1 };
    /// How the life ended.
    pub const END: Region = Region { start: LAST_AT + SLOT, slot: SLOT, slots: 1 };
    /// The exception that nobody caught.
    pub const EXCEPTION: Region = Region { start: LAST_AT + 2 * SLOT, slot: PAGE - 2 * SLOT, slots: 1 };

    /// The two halves of a text.
    pub fn text(&self, kind: TextKind) -> Region {
        self.texts[kind as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overlaps_and_nothing_is_outside() {
        for bytes in [0, SMALLEST_BYTES, 300_001, DEFAULT_BYTES, 5_000_000, MOST_BYTES, usize::MAX] {
            let layout = Layout::of(bytes);
            assert_eq!(layout.bytes % PAGE, 0);
            assert_eq!(Layout::of(layout.bytes), layout, "a size tells its layout");
            let header = |start| Region { start, slot: Layout::HEADER, slots: 1 };
            let mut regions = vec![
                header(Layout::HEADERS[0]),
                Layout::STATE,
                Layout::WORDS,
                Layout::END,
                Layout::EXCEPTION,
                header(Layout::HEADERS[1]),
                layout.events,
                layout.text(TextKind::Summary),
                layout.text(TextKind::Report),
                layout.samples,
            ];
            regions.sort_by_key(|region| region.start);
            assert!(regions.windows(2).all(|pair| pair[0].end() == pair[1].start), "{layout:?}");
            assert_eq!(regions.last().map(Region::end), Some(layout.bytes));
            assert!(regions.iter().all(|region| region.slots > 0 && region.slot >= SLOT), "{layout:?}");
        }
    }

    #[test]
    fn the_sizes_are_as_documented() {
        let slots = |bytes| (Layout::of(bytes).samples.slots, Layout::of(bytes).events.slots);
        assert_eq!(slots(DEFAULT_BYTES), (2048, 1024));
        assert_eq!(slots(SMALLEST_BYTES), (512, 256));
        assert_eq!(Layout::of(DEFAULT_BYTES).text(TextKind::Report).slot, 60 * 1024);
    }

    #[test]
    fn places_are_used_in_turn() {
        let region = Region { start: 100, slot: 10, slots: 3 };
        assert_eq!([1, 2, 3, 4].map(|n| region.place(n)), [100, 110, 120, 100]);
        assert_eq!(region.places().collect::<Vec<_>>(), [100, 110, 120]);
    }
}
