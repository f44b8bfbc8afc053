//! How long the detector takes.

use std::time::Instant;

use serde::{Serialize, Serializer};

/// Updates at the start that are not counted: they find cold caches.
const COLD: u64 = 1000;
/// Classes of durations: eight to each doubling, up to some minutes.
const CLASSES: usize = 8 * 40;

/// Durations of updates, in memory of a fixed size. Serialises as `updates`, `meanUs`, `p50Us`, `p99Us`, `p999Us` and `maxUs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    seen: u64,
    count: u64,
    sum: u128,
    max: u64,
    /// How many updates took so long: the answer to a share of them is exact to a twelfth.
    classes: Vec<u64>,
}

impl Default for Timing {
    fn default() -> Self {
        Self { seen: 0, count: 0, sum: 0, max: 0, classes: vec![0; CLASSES] }
    }
}

impl Timing {
    /// Does `work`, and takes its time where that is `wanted`. Reading the clock adds some 50 ns.
    pub fn of<T>(&mut self, wanted: bool, work: impl FnOnce() -> T) -> T {
        if !wanted {
            return work();
        }
        let started = Instant::now();
        let result = work();
        self.add(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
        result
    }

    fn add(&mut self, nanos: u64) {
        self.seen += 1;
        if self.seen <= COLD {
            return;
        }
        self.count += 1;
        self.sum += u128::from(nanos);
        self.max = self.max.max(nanos);
        self.classes[class(nanos)] += 1;
    }

    /// A duration in nanoseconds that `share` of the updates do not exceed.
    fn quantile(&self, share: f64) -> u64 {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut so_far = 0;
        for (class, count) in self.classes.iter().enumerate() {
            so_far += count;
            if so_far >= wanted {
                return upper(class).min(self.max);
            }
        }
        self.max
    }
}

fn class(nanos: u64) -> usize {
    if nanos < 8 {
        return nanos as usize;
    }
    let power = nanos.ilog2();
    let eighth = (nanos >> (power - 3)) & 7;
    ((power as usize - 2) * 8 + eighth as usize).min(CLASSES - 1)
}

/// The longest duration of a class.
fn upper(class: usize) -> u64 {
    if class < 8 {
        return class as u64;
    }
    let (power, eighth) = (class / 8 + 2, class as u64 % 8);
    ((8 + eighth + 1) << (power - 3)) - 1
}

impl Serialize for Timing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Told {
            updates: u64,
            mean_us: f64,
            p50_us: f64,
            p99_us: f64,
            p999_us: f64,
            max_us: f64,
        }
        let micros = |nanos: u64| nanos as f64 / 1e3;
        let mean_us = self.sum as f64 / self.count.max(1) as f64 / 1e3;
        let of = |share: f64| micros(self.quantile(share));
        let (p50_us, p99_us, p999_us) = (of(0.5), of(0.99), of(0.999));
        Told { updates: self.count, mean_us, p50_us, p99_us, p999_us, max_us: micros(self.max) }
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_every_duration_and_their_ends_are_in_order() {
        for nanos in (0..5000).chain([1 << 20, (1 << 20) - 1, 12_345_678_901, 1 << 39]) {
            let class = class(nanos);
            assert!(upper(class) >= nanos, "{nanos}");
            assert!(class == 0 || upper(class - 1) < nanos, "{nanos}");
        }
        assert_eq!(class(u64::MAX), CLASSES - 1);
    }

    #[test]
    fn the_thousandth_that_takes_longest_is_told() {
        let mut timing = Timing::default();
        (0..COLD).for_each(|_| timing.add(1 << 40));
        (0..9980).for_each(|_| timing.add(1000));
        (0..20).for_each(|_| timing.add(900_000));
        let told = serde_json::to_value(&timing).expect("written");
        assert_eq!(told["updates"], 10_000);
        assert_eq!(told["maxUs"], 900.0);
        assert_eq!(told["p999Us"], 900.0);
        let within = |name: &str| (1.0..1.2).contains(&told[name].as_f64().expect("a number"));
        assert!(within("p50Us") && within("p99Us"), "{told}");
        assert!((told["meanUs"].as_f64().expect("a number") - 2.798).abs() < 1e-9, "{told}");
    }
}
