//! Which collections between two samples are told.

use super::reading::{AfterGc, GcKind};

/// Thins out the collections between two samples: every major one, and the last minor one unless a major one came after it.
///
/// A minor collection bounds what is alive, and the last bound is the best one; a program that allocates has hundreds between two
/// samples. A running process and a replay both go through here, so that a detector is told the same of both.
#[derive(Debug, Clone, Copy, Default)]
pub struct Interval {
    minor: Option<AfterGc>,
}

impl Interval {
    /// Takes note of a collection, in time order; gives it back where it is to be told at once.
    pub fn add(&mut self, gc: AfterGc) -> Option<AfterGc> {
        match gc.kind {
            GcKind::Major => {
                self.minor = None;
                Some(gc)
            }
            GcKind::Minor => {
                self.minor = Some(gc);
                None
            }
            GcKind::Step => None,
        }
    }

    /// The collection that is to be told before the sample at the interval's end, if there is one. The next interval begins.
    pub fn end(&mut self) -> Option<AfterGc> {
        self.minor.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Bytes, UnixMillis};

    #[test]
    fn majors_are_told_and_of_the_minors_the_last_after_them() {
        let cases = [
            ("", ""),
            ("m", "m0"),
            ("mmm", "m2"),
            ("M", "M0"),
            ("mM", "M1"),
            ("mMmMmm", "M1 M3 m5"),
            ("MsM", "M0 M2"),
        ];
        let mut interval = Interval::default();
        for (happened, expected) in cases {
            let mut told = Vec::new();
            for (i, letter) in happened.chars().enumerate() {
                let kind = match letter {
                    'M' => GcKind::Major,
                    'm' => GcKind::Minor,
                    _ => GcKind::Step,
                };
                told.extend(interval.add(AfterGc {
                    at: UnixMillis(i as u64),
                    kind,
                    used: Bytes(0),
                    external: Bytes(0),
                }));
            }
            told.extend(interval.end());
            let name =
                |gc: &AfterGc| format!("{}{}", if gc.kind == GcKind::Major { 'M' } else { 'm' }, gc.at.0);
            assert_eq!(told.iter().map(name).collect::<Vec<_>>().join(" "), expected, "{happened}");
        }
    }
}
