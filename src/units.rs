//! Units as types, so that a byte is never added to a millisecond.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// One mebibyte.
    pub const MIB: u64 = 1024 * 1024;

    /// This many mebibytes.
    pub const fn mib(n: u64) -> Self {
        Self(n * Self::MIB)
    }

    /// The size in mebibytes, rounded to the nearest whole one.
    pub fn rounded_mib(self) -> u64 {
        (self.0 + Self::MIB / 2) / Self::MIB
    }

    /// `self - other`, or nothing where `other` is larger.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// A span of time in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub u64);

impl Micros {
    /// The span in milliseconds, with its fraction.
    pub fn as_millis(self) -> f64 {
        self.0 as f64 / 1e3
    }
}

/// A point in time: milliseconds since the Unix epoch.
///
/// Shown and serialised in the form of JavaScript's `Date.prototype.toISOString`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// Now, by the system's clock; the epoch itself where that clock stands before it.
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self(since.map_or(0, |d| d.as_millis() as u64))
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match i64::try_from(self.0).map(jiff::Timestamp::from_millisecond) {
            Ok(Ok(timestamp)) => write!(f, "{timestamp:.3}"),
            // Beyond the year 9999 no calendar is asked any more.
            _ => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for UnixMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixMillis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let timestamp: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        Ok(Self(u64::try_from(timestamp.as_millisecond()).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_javascript_writes_it() {
        let moment = UnixMillis(1_795_232_940_120);
        assert_eq!(moment.to_string(), "2026-11-21T03:49:00.120Z");
        let json = serde_json::to_string(&moment).expect("a string");
        assert_eq!(serde_json::from_str::<UnixMillis>(&json).expect("the same"), moment);
        assert_eq!(UnixMillis(u64::MAX).to_string(), format!("{} ms", u64::MAX));
        assert!(serde_json::from_str::<UnixMillis>("\"yesterday\"").is_err());
    }

    #[test]
    fn mebibytes_are_rounded() {
        assert_eq!([0, 524_287, 524_288, 1 << 20].map(|n| Bytes(n).rounded_mib()), [0, 0, 1, 1]);
    }
}
