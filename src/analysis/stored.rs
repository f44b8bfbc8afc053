//! A baseline as JSON, on its way from one process to another: what comes back is checked before it is believed.

use serde::{Deserialize, Serialize};

use super::baseline::{Baseline, MAX_ALIKE, MAX_CLASSES, MAX_NATIVE, MAX_SAMPLE};
use super::class::Total;

/// What a [`Baseline`] is stored as.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Stored {
    ids_are_own: bool,
    watermark: u32,
    /// Name, count and bytes.
    classes: Vec<(Box<str>, u64, u64)>,
    native: Vec<u32>,
    sample: Vec<(u32, u32)>,
    /// Place of the class, likeness, count and bytes.
    alike: Vec<(u32, u64, u64, u64)>,
}

impl From<Baseline> for Stored {
    fn from(baseline: Baseline) -> Self {
        let classes = baseline.classes.into_iter().map(|(name, total)| (name, total.count, total.size));
        let alike = baseline.alike.iter();
        Self {
            ids_are_own: baseline.ids_are_own,
            watermark: baseline.watermark,
            classes: classes.collect(),
            native: baseline.native,
            sample: baseline.sample,
            alike: alike.map(|&((class, key), Total { count, size })| (class, key, count, size)).collect(),
        }
    }
}

impl TryFrom<Stored> for Baseline {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let lengths = [
            ("classes", stored.classes.len(), MAX_CLASSES),
            ("native", stored.native.len(), MAX_NATIVE),
            ("sample", stored.sample.len(), MAX_SAMPLE),
            ("alike", stored.alike.len(), MAX_ALIKE),
        ];
        if let Some((what, len, most)) = lengths.into_iter().find(|&(_, len, most)| len > most) {
            return Err(format!("expected at most {most} entries in \"{what}\" of a baseline, found {len}"));
        }
        // They are searched by halves.
        if !stored.native.is_sorted() || !stored.sample.is_sorted_by_key(|&(id, _)| id) {
            return Err(
                "expected ascending ids in \"native\" and \"sample\" of a baseline, found others".into()
            );
        }
        let classes = stored.classes.len();
        if let Some((class, ..)) = stored.alike.iter().find(|&&(class, ..)| class as usize >= classes) {
            return Err(format!(
                "expected one of {classes} classes in \"alike\" of a baseline, found {class}"
            ));
        }
        let total = |count, size| Total { count, size };
        Ok(Self {
            ids_are_own: stored.ids_are_own,
            watermark: stored.watermark,
            classes: stored
                .classes
                .into_iter()
                .map(|(name, count, size)| (name, total(count, size)))
                .collect(),
            native: stored.native,
            sample: stored.sample,
            alike: stored
                .alike
                .into_iter()
                .map(|(class, key, n, size)| ((class, key), total(n, size)))
                .collect(),
        })
    }
}
