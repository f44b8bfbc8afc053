//! What grew in the last minutes.

use super::finding::{Growth, GrowthKind, SeriesPoint};
use crate::units::Bytes;

/// Growth of the resident set that matters: so much, and so much of what there was.
const LEAST_BYTES: i64 = 32 * Bytes::MIB as i64;
const LEAST_SHARE: f64 = 0.2;
/// Fewer samples tell nothing.
const LEAST_POINTS: usize = 4;

/// From the mean of the first quarter of `series` to its end.
pub fn growth(series: &[SeriesPoint]) -> Growth {
    let (Some(first), Some(last)) = (series.first(), series.last()) else {
        return Growth { kind: GrowthKind::None, rss_bytes: 0, heap_bytes: 0, external_bytes: 0, over_ms: 0 };
    };
    let quarter = &series[..series.len().div_ceil(4)];
    let rise = |figure: fn(&SeriesPoint) -> u64| {
        let before: u128 = quarter.iter().map(|point| u128::from(figure(point))).sum();
        let before = (before / quarter.len() as u128) as i128;
        (i128::from(figure(last)) - before).clamp(i64::MIN.into(), i64::MAX.into()) as i64
    };
    // What collections leave tells more, where it was known all the time.
    let has_floors = series.iter().all(|point| point.floor.is_some());
    let heap = if has_floors {
        rise(|point| point.floor.unwrap_or_default().0)
    } else {
        rise(|point| point.heap_used.0)
    };
    let (rss, external) = (rise(|point| point.rss.0), rise(|point| point.external.0));
    let before = (last.rss.0 as f64 - rss as f64).max(0.0);
    let kind = if series.len() < LEAST_POINTS || rss < LEAST_BYTES || (rss as f64) < LEAST_SHARE * before {
        GrowthKind::None
    } else {
        kind(rss, heap.max(0), external.max(0))
    };
    let over_ms = last.at.0.saturating_sub(first.at.0);
    Growth { kind, rss_bytes: rss, heap_bytes: heap, external_bytes: external, over_ms }
}

fn kind(rss: i64, heap: i64, external: i64) -> GrowthKind {
    let known = heap.saturating_add(external);
    if known < rss / 2 {
        GrowthKind::Native
    } else if external > heap {
        GrowthKind::External
    } else {
        GrowthKind::Heap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::UnixMillis;
    use proptest::prelude::*;

    fn series(rises: [u64; 3], points: u64) -> Vec<SeriesPoint> {
        let [heap, external, rss] = rises;
        (0..points)
            .map(|n| SeriesPoint {
                at: UnixMillis(n * 1000),
                heap_used: Bytes::mib(40 + heap * n),
                floor: None,
                external: Bytes::mib(5 + external * n),
                rss: Bytes::mib(80 + rss * n),
            })
            .collect()
    }

    #[test]
    fn what_grew_is_named() {
        let kind = |rises, points| growth(&series(rises, points)).kind;
        assert_eq!(kind([5, 0, 5], 20), GrowthKind::Heap);
        assert_eq!(kind([1, 4, 5], 20), GrowthKind::External);
        assert_eq!(kind([0, 0, 5], 20), GrowthKind::Native);
        assert_eq!(kind([2, 0, 5], 20), GrowthKind::Native, "most of it");
        assert_eq!(kind([0, 0, 1], 20), GrowthKind::None, "18 MB");
        assert_eq!(kind([0, 0, 50], 3), GrowthKind::None, "too few to tell");
        assert_eq!(growth(&[]).kind, GrowthKind::None);
        assert_eq!(growth(&series([0, 0, 5], 20)).over_ms, 19_000);
    }

    #[test]
    fn where_floors_are_known_garbage_does_not_count() {
        let mut points = series([9, 0, 9], 20);
        for point in &mut points {
            point.floor = Some(Bytes::mib(40));
        }
        assert_eq!(
            growth(&points).kind,
            GrowthKind::Native,
            "the heap grew, and what collections leave did not"
        );
    }

    proptest! {
        #[test]
        fn any_figures_do(figures in prop::collection::vec(prop::array::uniform4(any::<u64>()), 0..50)) {
            let points: Vec<SeriesPoint> = figures
                .iter()
                .map(|&[at, heap, external, rss]| SeriesPoint {
                    at: UnixMillis(at), heap_used: Bytes(heap), floor: None, external: Bytes(external), rss: Bytes(rss),
                })
                .collect();
            growth(&points);
        }
    }
}
