//! A verdict as JavaScript and reports see it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::units::UnixMillis;
use crate::verdict::{ConfirmedBy, Evidence, Kind, LimitKind, Status, Verdict};

/// A verdict with all that it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerdictRecord {
    /// The claim.
    pub status: Status,
    /// Which memory it is about.
    pub kind: Kind,
    /// The floor's slope; 0 unless suspect or leak.
    pub growth_bytes_per_second: f64,
    /// An interval that holds the slope with 95 % confidence.
    #[serde(rename = "growthIntervalBytesPerSecond", default)]
    pub growth_interval: Option<[f64; 2]>,
    /// Since when it grows.
    pub since: Option<UnixMillis>,
    /// Until the nearest limit at this rate, in milliseconds.
    pub eta_ms: Option<u64>,
    /// Whose limit that is.
    #[serde(default)]
    pub limit: Option<LimitKind>,
    /// What to do, where objects of the program are not at fault.
    #[serde(default)]
    pub advice: Option<Cow<'static, str>>,
    /// What it rests on.
    pub evidence: VerdictEvidence,
}

/// The numbers behind a verdict, and what confirmed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerdictEvidence {
    /// The numbers.
    #[serde(flatten)]
    pub numbers: Evidence,
    /// What was seen to grow, where looks at the heap confirmed what the counters alone had not proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<ConfirmedBy>,
}

impl VerdictRecord {
    /// The record of `verdict`.
    pub fn new(verdict: &Verdict, confirmed_by: Option<&ConfirmedBy>) -> Self {
        let Verdict {
            status,
            kind,
            growth_bytes_per_second,
            growth_interval,
            since,
            eta_ms,
            limit,
            advice,
            evidence: numbers,
        } = *verdict;
        let advice = advice.map(Cow::Borrowed);
        let evidence = VerdictEvidence { numbers, confirmed_by: confirmed_by.cloned() };
        Self {
            status,
            kind,
            growth_bytes_per_second,
            growth_interval,
            since,
            eta_ms,
            limit,
            advice,
            evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let verdict = Verdict { status: Status::Leak, kind: Kind::Heap, ..Verdict::default() };
        let by = ConfirmedBy {
            constructor_name: "Session".into(),
            holder: "sessions of Map".into(),
            captures: 3,
            growth_bytes_per_second: 0.5,
        };
        for confirmed_by in [None, Some(&by)] {
            let record = VerdictRecord::new(&verdict, confirmed_by);
            let json = serde_json::to_string(&record).expect("JSON");
            assert_eq!(
                json.contains(r#""confirmedBy":{"constructorName":"Session""#),
                confirmed_by.is_some()
            );
            let plain = serde_json::to_string(&verdict).expect("JSON");
            assert_eq!(json == plain, confirmed_by.is_none(), "without, it is the detector's to the letter");
            assert_eq!(serde_json::from_str::<VerdictRecord>(&json).expect("a verdict"), record);
        }
        let old = serde_json::to_string(&verdict).expect("JSON");
        assert_eq!(
            serde_json::from_str::<VerdictRecord>(&old).expect("a verdict"),
            VerdictRecord::new(&verdict, None),
            "reports of before have no such field"
        );
    }
}
