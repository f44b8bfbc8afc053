//! How much growth, and how much proof, a kind of memory is asked for.

use super::judge::URGENT_SHARE;

/// Length of window, in samples, that [`Demands::share`] is asked of: an hour at 30 seconds. Over half of it, twice as much
/// is: working sets move by much in minutes, and by less an hour the longer they are watched.
const SHARE_SAMPLES: f64 = 120.0;

/// What is asked of one kind of memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demands {
    /// Growth, in bytes, that is worth a word whatever the size of the process.
    pub least_bytes: f64,
    /// Growth over an hour at 30 seconds a sample, as a share of the process's size.
    pub share: f64,
    /// The share that is asked of the longest windows.
    pub least_share: f64,
    /// Shortest window, in samples.
    pub least_span: f64,
    /// Standard errors that the slope must be from 0.
    pub t: f64,
    /// How far the window's end must lie above all that was before, as a share of the growth.
    pub record: f64,
    /// Schwarz's criterion by which a line must beat a plateau, and that for growth which began within the window.
    pub straight: f64,
    pub sudden_straight: f64,
    /// What all signs together must weigh: see [`Signs`](super::weight::Signs).
    pub weight: f64,
    /// Whether only major collections leave floors, and points between them hold garbage in proportion to allocation.
    pub collected: bool,
    /// Whether growth is certain only once major collections have shown it.
    pub shown_by_majors: bool,
}

impl Demands {
    /// The same with `strictness` times the growth, straightness and certainty asked.
    pub fn times(self, strictness: f64) -> Self {
        Self {
            least_bytes: self.least_bytes * strictness,
            share: self.share * strictness,
            least_share: self.least_share * strictness,
            t: self.t * strictness,
            straight: self.straight * strictness,
            sudden_straight: self.sudden_straight * strictness,
            weight: self.weight + strictness.ln(),
            ..self
        }
    }

    /// Growth that a window of `span` samples must show in a process of this size.
    pub(super) fn least(&self, span: f64, footprint: f64) -> f64 {
        self.least_bytes.max((self.share * SHARE_SAMPLES / span).max(self.least_share) * footprint)
    }

    /// What [`suspect`](super::suspect::suspect) asks of a window.
    pub(super) fn least_suspect(&self, span: f64, footprint: f64) -> f64 {
        const BYTES: f64 = 0.8;
        const SHARE: f64 = 0.01;
        (BYTES * self.least_bytes).max(SHARE * (0.5 * SHARE_SAMPLES / span) * footprint)
    }

    /// The rise, as [`super::window::glance`] measures it, below which a window needs no look: for a leak, for a suspicion.
    pub fn least_rise(&self, span: f64, footprint: f64) -> (f64, f64) {
        let leak = self.least(span, footprint).min(URGENT_SHARE * footprint);
        (0.3 * leak, 0.5 * self.least_suspect(span, footprint))
    }
}
