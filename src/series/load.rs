//! The load signal, at several time constants.

/// Spans of the three averages, in samples: two minutes, twenty minutes and an hour at 30 seconds.
const SPANS: [f64; 3] = [4.0, 40.0, 120.0];

/// Running averages of the load a sample, so that memory which follows the load with a lag can be explained by it.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadFilter {
    /// Whether there was a request.
    serves: bool,
    samples: f64,
    total: f64,
    smooth: [f64; 3],
}

impl LoadFilter {
    /// Adds the load of one sample: requests where the program serves any, or else what it allocated.
    pub fn add(&mut self, requests: f64, allocated: f64) {
        if requests > 0.0 && !self.serves {
            // Averages of another signal are no averages of this one.
            self.serves = true;
            self.samples = 0.0;
        }
        let load = if self.serves { requests } else { allocated };
        self.samples += 1.0;
        self.total += load;
        for (smooth, span) in self.smooth.iter_mut().zip(SPANS) {
            // A plain mean until the span is full: an average that starts at 0 would look like rising load.
            *smooth += (load - *smooth) / self.samples.min(span);
        }
    }

    /// All load so far.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// The averages, shortest span first.
    pub fn smooth(&self) -> [f32; 3] {
        self.smooth.map(|v| v as f32)
    }
}
