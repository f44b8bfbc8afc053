//! A sample as a record.

use super::event::Numbered;
use super::record::{Numbers, Payload, Record, seal};
use crate::sample::{GcTotals, HeapFigures, Load, ProcessFigures, Reading, Sample};
use crate::units::{Bytes, Micros, UnixMillis};
use crate::verdict::{Kind, Status};

/// Kind of the records in the ring of samples.
const SAMPLE: u16 = 1;

/// Which optional figures a record has.
const CONTAINER_LIMIT: u64 = 1;
const CONTAINER_USED: u64 = 2;
const NATIVE: u64 = 4;
const FLOOR: u64 = 8;

/// Adds the numbers of `sample`, all but its time, which stands in the head.
pub(super) fn encode_numbers(payload: &mut Payload<'_>, sample: &Sample, status: Status, kind: Kind) {
    let Sample { reading, gc, load, cpu } = sample;
    let (heap, process) = (&reading.heap, &reading.process);
    let flag = |value: Option<Bytes>, flag| if value.is_some() { flag } else { 0 };
    let flags = flag(process.container_limit, CONTAINER_LIMIT)
        | flag(process.container_used, CONTAINER_USED)
        | flag(process.native_in_use, NATIVE)
        | flag(reading.floor, FLOOR);
    let or_0 = |value: Option<Bytes>| value.unwrap_or_default().0;
    payload
        .number(flags | status.number() << 8 | kind.number() << 16)
        .number(heap.used.0)
        .number(heap.total.0)
        .number(heap.external.0)
        .number(heap.array_buffers.0)
        .number(heap.limit.0)
        .number(reading.heap_age.0)
        .number(process.rss.0)
        .number(or_0(process.container_limit))
        .number(or_0(process.container_used))
        .number(process.cpu.0)
        .number(or_0(process.native_in_use))
        .number(reading.gc.minor)
        .number(reading.gc.major)
        .number(reading.gc.pause.0)
        .number(reading.load.allocated.0)
        .number(reading.load.requests)
        .number(or_0(reading.floor))
        .number(gc.minor)
        .number(gc.major)
        .number(gc.pause.0)
        .number(load.allocated.0)
        .number(load.requests)
        .number(cpu.0);
}

/// How long that is.
pub(super) const NUMBERS: usize = 24 * 8;

/// The sample of that time.
pub(super) fn decode_numbers(numbers: &mut Numbers<'_>, at: UnixMillis) -> Option<(Sample, Status, Kind)> {
    let flags = numbers.next();
    let (status, kind) = (Status::of(flags >> 8 & 0xff)?, Kind::of(flags >> 16 & 0xff)?);
    let mut bytes = || Bytes(numbers.next());
    let heap = HeapFigures {
        used: bytes(),
        total: bytes(),
        external: bytes(),
        array_buffers: bytes(),
        limit: bytes(),
    };
    let heap_age = Micros(numbers.next());
    let has = |flag: u64, value: Bytes| (flags & flag != 0).then_some(value);
    let process = ProcessFigures {
        rss: Bytes(numbers.next()),
        container_limit: has(CONTAINER_LIMIT, Bytes(numbers.next())),
        container_used: has(CONTAINER_USED, Bytes(numbers.next())),
        cpu: Micros(numbers.next()),
        native_in_use: has(NATIVE, Bytes(numbers.next())),
    };
    let gc = totals(numbers);
    let load = load(numbers);
    let floor = has(FLOOR, Bytes(numbers.next()));
    let reading = Reading { at, heap, heap_age, process, gc, load, floor };
    let sample =
        Sample { reading, gc: totals(numbers), load: self::load(numbers), cpu: Micros(numbers.next()) };
    Some((sample, status, kind))
}

fn totals(numbers: &mut Numbers<'_>) -> GcTotals {
    GcTotals { minor: numbers.next(), major: numbers.next(), pause: Micros(numbers.next()) }
}

fn load(numbers: &mut Numbers<'_>) -> Load {
    Load { allocated: Bytes(numbers.next()), requests: numbers.next() }
}

/// The record of a sample, in `place`. Allocates nothing.
pub(super) fn encode<'a>(
    place: &'a mut [u8],
    sequence: u64,
    sample: &Sample,
    status: Status,
    kind: Kind,
) -> &'a [u8] {
    let mut payload = Payload::new(place);
    encode_numbers(&mut payload, sample, status, kind);
    let length = payload.length();
    seal(place, sequence, sample.reading.at, SAMPLE, length)
}

/// What the record says; nothing where it is none of a sample.
pub(super) fn decode(record: &Record<'_>) -> Option<(Sample, Status, Kind)> {
    if record.kind != SAMPLE || record.payload.len() < NUMBERS {
        return None;
    }
    decode_numbers(&mut Numbers(record.payload), record.at)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::recorder::layout::SLOT;
    use crate::recorder::record::Found;
    use proptest::prelude::*;

    /// Any sample: each of its numbers is another one.
    pub fn samples() -> impl Strategy<Value = Sample> {
        (prop::array::uniform24(any::<u64>()), any::<u64>(), any::<u8>()).prop_map(|(numbers, at, flags)| {
            let mut bytes = Vec::new();
            bytes.extend((u64::from(flags & 15) | 1 << 8 | 1 << 16).to_le_bytes());
            bytes.extend(numbers[1..].iter().flat_map(|n| n.to_le_bytes()));
            decode_numbers(&mut Numbers(&bytes), UnixMillis(at)).expect("a sample").0
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(sample in samples(), status in 1..5u64, kind in 1..6u64) {
            let (status, kind) = (Status::of(status).expect("one"), Kind::of(kind).expect("one"));
            let mut place = [0; SLOT];
            let record = Found::in_place(encode(&mut place, 9, &sample, status, kind)).whole().expect("whole");
            prop_assert_eq!(record.payload.len(), NUMBERS);
            prop_assert_eq!(decode(&record), Some((sample, status, kind)));
        }
    }
}
