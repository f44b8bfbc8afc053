use proptest::prelude::*;

use super::*;
use crate::recording::lines::{self, Header};
use crate::sample::{AfterGc, GcKind, GcTotals, HeapFigures, Load, ProcessFigures, Reading, Sample};
use crate::units::{Bytes, Micros, UnixMillis};

/// Numbers of every length, the ends of the range among them.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0u32..64).prop_map(|(n, shift)| n >> shift)
}

fn size() -> impl Strategy<Value = Option<Bytes>> {
    // Of the two largest numbers a recording keeps one.
    prop::option::of(number().prop_map(|n| Bytes(n.min(u64::MAX - 1))))
}

fn counters(n: &[u64]) -> (GcTotals, Load, Micros) {
    let gc = GcTotals { minor: n[0], major: n[1], pause: Micros(n[2]) };
    (gc, Load { allocated: Bytes(n[3]), requests: n[4] }, Micros(n[5]))
}

fn sample(number: impl Strategy<Value = u64>) -> impl Strategy<Value = Record> {
    (prop::collection::vec(number, 20), size(), size(), size(), size()).prop_map(|(n, a, b, c, floor)| {
        let heap = HeapFigures {
            used: Bytes(n[0]),
            total: Bytes(n[1]),
            external: Bytes(n[2]),
            array_buffers: Bytes(n[3]),
            limit: Bytes(n[4]),
        };
        let (total_gc, total_load, cpu) = counters(&n[8..]);
        let process =
            ProcessFigures { rss: Bytes(n[5]), container_limit: a, container_used: b, cpu, native_in_use: c };
        let reading = Reading {
            at: UnixMillis(n[6]),
            heap,
            heap_age: Micros(n[7]),
            process,
            gc: total_gc,
            load: total_load,
            floor,
        };
        let (gc, load, cpu) = counters(&n[14..]);
        Record::Sample(Sample { reading, gc, load, cpu })
    })
}

fn record(number: fn() -> BoxedStrategy<u64>) -> impl Strategy<Value = Record> {
    let gc = (number(), any::<bool>(), number(), number()).prop_map(|(at, major, used, external)| {
        let kind = if major { GcKind::Major } else { GcKind::Minor };
        Record::Gc(AfterGc { at: UnixMillis(at), kind, used: Bytes(used), external: Bytes(external) })
    });
    prop_oneof![
        4 => sample(number()),
        4 => gc,
        1 => number().prop_map(|at| Record::Restart(UnixMillis(at))),
    ]
}

/// The records without restarts that say nothing.
fn telling(records: Vec<Record>) -> Vec<Record> {
    let mut told: Vec<Record> = Vec::new();
    for record in records {
        let restart = matches!(record, Record::Restart(_));
        if !restart || told.last().is_some_and(|last| !matches!(last, Record::Restart(_))) {
            told.push(record);
        }
    }
    told
}

fn recorded(records: &[Record], capacity: usize) -> Recording {
    let mut recording = Recording::new(capacity);
    records.iter().for_each(|record| recording.push(record));
    recording
}

proptest! {
    #[test]
    fn what_goes_in_comes_out_and_the_oldest_is_what_goes(
        records in prop::collection::vec(record(|| number().boxed()), 0..300), capacity in 0usize..40_000,
    ) {
        let recording = recorded(&records, capacity);
        let told = telling(records);
        let kept: Vec<Record> = recording.records().collect();
        prop_assert!(recording.len() <= capacity);
        if capacity >= LEAST_BLOCK {
            prop_assert_eq!(kept.len() as u64 + recording.dropped(), told.len() as u64);
            prop_assert!(told.is_empty() || !kept.is_empty());
        }
        prop_assert_eq!(&told[told.len() - kept.len()..], &kept[..]);
        // All but a block and a record may be in use when the oldest go.
        if recording.dropped() > 0 {
            prop_assert!(recording.len() + recording.block + MOST_BYTES * recording.used.len() >= capacity / 2);
        }
    }

    #[test]
    fn a_damaged_block_is_read_to_some_end(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        let (mut reader, mut previous) = (Reader(&bytes), Previous::default());
        let records = std::iter::from_fn(|| decode(&mut reader, &mut previous)).count();
        prop_assert!(records <= bytes.len());
    }

    #[test]
    fn as_text_it_is_the_same(
        records in prop::collection::vec(record(|| (0u64..1 << 49).boxed()), 0..40),
    ) {
        let recording = recorded(&records, 1 << 16);
        let header = Header { format: lines::FORMAT.into(), version: 1, dropped: 3, ..Header::default() };
        let text = lines::write(&header, &recording).expect("written");
        let mut all = text.lines();
        let first = all.next().expect("a header");
        prop_assert_eq!(serde_json::from_str::<Header>(first).expect("a header"), header);
        let read: Vec<Record> =
            all.map(|line| lines::read(line.as_bytes()).expect("read").expect("known")).collect();
        prop_assert_eq!(read, telling(records));
    }
}

#[test]
fn a_line_of_another_kind_is_passed_over_and_a_wrong_one_is_not() {
    for line in [r#"{"t":5}"#, r#"{"t":5,"event":"oom"}"#, r#"{"t":5,"later":{"a":[1]}}"#] {
        assert_eq!(lines::read(line.as_bytes()).expect(line), None);
    }
    for line in [r#"{"gc":"major"}"#, r#"{"t":5,"gc":"middle"}"#, r#"{"t":5,"sample":{"rss":-1}}"#, "{"] {
        assert!(lines::read(line.as_bytes()).is_err(), "{line}");
    }
}

/// A reading of a server at work, as the default interval sees it.
fn ordinary(n: u64) -> Reading {
    let noise = |salt: u64, range: u64| {
        (n.wrapping_add(salt).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23) >> 11) % range
    };
    let heap = HeapFigures {
        used: Bytes((80 << 20) + noise(2, 40 << 20)),
        total: Bytes((130 << 20) + (noise(3, 8) << 18)),
        external: Bytes((9 << 20) + noise(4, 1 << 16)),
        array_buffers: Bytes((7 << 20) + noise(4, 1 << 16)),
        limit: Bytes(4 << 30),
    };
    let process = ProcessFigures {
        rss: Bytes((210 << 20) + (noise(5, 1 << 10) << 12)),
        container_limit: Some(Bytes(1 << 30)),
        container_used: Some(Bytes((230 << 20) + (noise(6, 1 << 10) << 12))),
        cpu: Micros(3_000_000 * n + noise(7, 1_000_000)),
        native_in_use: Some(Bytes((60 << 20) + (noise(8, 2) << 10))),
    };
    Reading {
        at: UnixMillis(1_700_000_000_000 + 30_000 * n + noise(1, 3)),
        heap,
        heap_age: Micros(200 + noise(11, 400)),
        process,
        gc: GcTotals { minor: 30 * n, major: n / 2, pause: Micros(60_000 * n + noise(9, 20_000)) },
        load: Load { allocated: Bytes((400 << 20) * n + noise(10, 40 << 20)), requests: 2300 * n },
        floor: Some(Bytes((60 << 20) + n / 2 * 1000)),
    }
}

#[test]
fn a_quarter_of_a_megabyte_holds_more_than_a_day() {
    let mut recording = Recording::new(256 * 1024);
    let mut samples = 0;
    while recording.dropped() == 0 {
        let (before, reading) = (ordinary(samples), ordinary(samples + 1));
        let kind = if samples.is_multiple_of(2) { GcKind::Major } else { GcKind::Minor };
        let at = UnixMillis(reading.at.0 - 5_000);
        recording.push(&Record::Gc(AfterGc {
            at,
            kind,
            used: reading.heap.used,
            external: before.heap.external,
        }));
        recording.push(&Record::Sample(Sample {
            reading,
            gc: reading.gc.since(before.gc),
            load: reading.load.since(before.load),
            cpu: Micros(reading.process.cpu.0 - before.process.cpu.0),
        }));
        samples += 1;
    }
    let each = recording.len() as f64 / (recording.records().count() as f64 / 2.0);
    println!("{each:.1} bytes for a sample and a collection, {samples} samples before the oldest go");
    assert!(samples > 2880, "{samples}");
}
