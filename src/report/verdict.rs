//! A verdict as JavaScript and reports see it.

use serde::{Deserialize, Serialize};

use crate::units::UnixMillis;
use crate::verdict::{ConfirmedBy, Evidence, Kind, Status, Verdict};

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
    /// Since when it grows.
    pub since: Option<UnixMillis>,
    /// Until the nearest limit at this rate, in milliseconds.
    pub eta_ms: Option<u64>,
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
        let Verdict { status, kind, growth_bytes_per_second, since, eta_ms, evidence: numbers } = *verdict;
        let evidence = VerdictEvidence { numbers, confirmed_by: confirmed_by.cloned() };
        Self { status, kind, growth_bytes_per_second, since, eta_ms, evidence }
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
