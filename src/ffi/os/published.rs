//! The process's figures that JavaScript publishes, where the platform's own are out of reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sample::{ProcessFigures, ProcessSource};
use crate::units::{Bytes, Micros};

/// The last `process.memoryUsage().rss` and `process.cpuUsage()` seen.
#[derive(Debug, Default)]
pub struct Published {
    rss: AtomicU64,
    cpu: AtomicU64,
}

impl Published {
    /// Publishes a resident set size, and the processor time where it is not read here.
    pub fn set(&self, rss: Bytes, cpu: Micros) {
        self.rss.store(rss.0, Ordering::Relaxed);
        self.cpu.store(cpu.0, Ordering::Relaxed);
    }

    fn cpu(&self) -> Micros {
        #[cfg(unix)]
        return super::cpu::process_time();
        #[cfg(not(unix))]
        return Micros(self.cpu.load(Ordering::Relaxed));
    }
}

impl ProcessSource for Arc<Published> {
    fn read(&mut self) -> ProcessFigures {
        ProcessFigures {
            rss: Bytes(self.rss.load(Ordering::Relaxed)),
            cpu: self.cpu(),
            ..ProcessFigures::default()
        }
    }
}
