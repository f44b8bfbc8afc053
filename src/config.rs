//! What a monitor may be told.

use std::time::Duration;

use crate::error::{ErrorKind, Result};
use crate::units::Bytes;

/// Settings of one monitor, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonitorConfig {
    /// Time between two samples.
    pub interval: Duration,
    /// Used heap at which `threshold` is raised; nothing for 90 % of the nearest limit.
    pub alert_threshold: Option<Bytes>,
    /// How many samples `report()` gives.
    pub max_samples: usize,
    /// Memory for the record of what the detector was fed; 0 for none.
    pub history_bytes: usize,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            alert_threshold: None,
            max_samples: 20,
            history_bytes: 256 * 1024,
        }
    }
}

/// Shortest interval: below it the monitor would be a load of its own.
const MIN_INTERVAL_MS: f64 = 10.0;
/// Longest interval: a day.
const MAX_INTERVAL_MS: f64 = 86_400_000.0;
/// Smallest history, but for none at all: some blocks of some records.
const MIN_HISTORY: f64 = 16.0 * 1024.0;
/// Largest history: a year at the default interval.
const MAX_HISTORY: f64 = 64.0 * 1024.0 * 1024.0;
/// Most samples kept for `report()`, at some 150 bytes each.
const MAX_SAMPLES: f64 = 100_000.0;

impl MonitorConfig {
    /// Settings from the numbers a user gave; nothing stands for the default.
    pub fn from_numbers(
        interval_ms: Option<f64>,
        alert_threshold_mb: Option<f64>,
        max_samples: Option<f64>,
        history_bytes: Option<f64>,
    ) -> Result<Self> {
        let mut config = Self::default();
        if let Some(ms) = interval_ms {
            in_range("intervalMs", ms, MIN_INTERVAL_MS, MAX_INTERVAL_MS, "milliseconds")?;
            config.interval = Duration::from_micros((ms * 1e3) as u64);
        }
        if let Some(mb) = alert_threshold_mb {
            in_range("alertThresholdMB", mb, 1.0, 1e9, "megabytes")?;
            config.alert_threshold = Some(Bytes((mb * Bytes::MIB as f64) as u64));
        }
        if let Some(n) = max_samples {
            in_range("maxSamples", n, 1.0, MAX_SAMPLES, "samples")?;
            if n.fract() != 0.0 {
                return Err(invalid("maxSamples", "a whole number", n));
            }
            config.max_samples = n as usize;
        }
        if let Some(bytes) = history_bytes {
            if bytes != 0.0 {
                in_range("historyBytes", bytes, MIN_HISTORY, MAX_HISTORY, "bytes; 0 for none")?;
            }
            config.history_bytes = bytes as usize;
        }
        Ok(config)
    }
}

fn in_range(name: &'static str, value: f64, least: f64, most: f64, unit: &str) -> Result<()> {
    // The comparison is also false for NaN.
    if value >= least && value <= most {
        return Ok(());
    }
    Err(invalid(name, &format!("a number from {least} to {most} ({unit})"), value))
}

fn invalid(name: &'static str, expected: &str, found: f64) -> crate::error::Error {
    ErrorKind::InvalidArg { name, expected: expected.into(), found: found.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_the_default() {
        assert_eq!(MonitorConfig::from_numbers(None, None, None, None), Ok(MonitorConfig::default()));
        let config =
            MonitorConfig::from_numbers(Some(100.5), Some(500.0), Some(3.0), Some(0.0)).expect("valid");
        assert_eq!(config.interval, Duration::from_micros(100_500));
        assert_eq!((config.alert_threshold, config.max_samples), (Some(Bytes::mib(500)), 3));
        assert_eq!(config.history_bytes, 0);
    }

    #[test]
    fn nonsense_is_named() {
        let cases = [
            (
                MonitorConfig::from_numbers(Some(0.0), None, None, None),
                "intervalMs: expected a number from 10",
            ),
            (MonitorConfig::from_numbers(Some(f64::NAN), None, None, None), "found NaN"),
            (MonitorConfig::from_numbers(None, Some(-1.0), None, None), "alertThresholdMB"),
            (
                MonitorConfig::from_numbers(None, None, Some(1.5), None),
                "maxSamples: expected a whole number, found 1.5",
            ),
            (MonitorConfig::from_numbers(None, None, Some(f64::INFINITY), None), "maxSamples"),
            (
                MonitorConfig::from_numbers(None, None, None, Some(100.0)),
                "historyBytes: expected a number from 16384 to 67108864 (bytes; 0 for none), found 100",
            ),
        ];
        for (result, words) in cases {
            let error = result.expect_err(words);
            assert_eq!(error.code(), "HEAPWARDEN_ERR_INVALID_ARG");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
