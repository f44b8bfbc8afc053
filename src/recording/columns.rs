//! A record in bytes: which of its figures changed, and by how much.

use super::Record;
use crate::sample::{AfterGc, GcKind, GcTotals, HeapFigures, Load, ProcessFigures, Reading, Sample};
use crate::units::{Bytes, Micros, UnixMillis};

/// Figures of a sample, those that change most often first: the mask of what changed is then short.
const COLUMNS: usize = 24;

/// No record takes more bytes: its first number and 24 others, ten bytes each at most.
pub const MOST_BYTES: usize = 250;

/// What the next record's figures are told as differences from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Previous {
    sample: [u64; COLUMNS],
    /// The totals that the last sample's own differences were taken of.
    totals: [u64; 6],
    /// Time between the last two samples: the next one is most often as far away.
    step: u64,
    gc: [u64; 3],
    restart: u64,
}

const SAMPLE: u64 = 0;
const MAJOR: u64 = 1;
const MINOR: u64 = 2;
const RESTART: u64 = 3;

/// Writes into a buffer that has room for every record.
struct Writer<'a> {
    buffer: &'a mut [u8; MOST_BYTES],
    length: usize,
}

impl Writer<'_> {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    fn byte(&mut self, byte: u8) {
        if let Some(place) = self.buffer.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    /// Small differences in either direction are small numbers.
    fn difference(&mut self, from: u64, to: u64) {
        let difference = to.wrapping_sub(from) as i64;
        self.number(((difference << 1) ^ (difference >> 63)) as u64);
    }
}

/// Reads what [`Writer`] wrote.
pub struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
            shift += 7;
        }
    }

    fn difference(&mut self, from: u64) -> Option<u64> {
        let folded = self.number()?;
        Some(from.wrapping_add((folded >> 1) ^ (folded & 1).wrapping_neg()))
    }
}

/// Appends `record` to an empty buffer; gives its length, and what the next record differs from.
pub fn encode(record: &Record, previous: &Previous, buffer: &mut [u8; MOST_BYTES]) -> (usize, Previous) {
    let mut writer = Writer { buffer, length: 0 };
    let mut next = *previous;
    match record {
        Record::Sample(sample) => {
            next.sample = to_columns(sample, previous);
            next.totals = totals(&sample.reading);
            next.step = sample.reading.at.0.wrapping_sub(previous.sample[0]);
            let expected = expected(previous);
            let changed = (0..COLUMNS).filter(|&i| next.sample[i] != expected[i]);
            let mask = changed.clone().fold(0u64, |mask, i| mask | 1 << i);
            writer.number(mask << 2 | SAMPLE);
            changed.for_each(|i| writer.difference(expected[i], next.sample[i]));
        }
        Record::Gc(gc) => {
            writer.number(if gc.kind == GcKind::Major { MAJOR } else { MINOR });
            next.gc = [gc.at.0, gc.used.0, gc.external.0];
            (0..3).for_each(|i| writer.difference(previous.gc[i], next.gc[i]));
        }
        Record::Restart(at) => {
            writer.number(RESTART);
            writer.difference(previous.restart, at.0);
            next.restart = at.0;
        }
    }
    (writer.length, next)
}

/// Takes the next record from `reader`, and makes `previous` what the one after it differs from. Nothing at the end, and where the
/// bytes are no record.
pub fn decode(reader: &mut Reader<'_>, previous: &mut Previous) -> Option<Record> {
    let first = reader.number()?;
    match first & 3 {
        SAMPLE => {
            let expected = expected(previous);
            let mut columns = expected;
            for (i, column) in columns.iter_mut().enumerate() {
                if first >> (2 + i) & 1 == 1 {
                    *column = reader.difference(expected[i])?;
                }
            }
            let sample = from_columns(&columns, previous);
            previous.step = columns[0].wrapping_sub(previous.sample[0]);
            previous.sample = columns;
            previous.totals = totals(&sample.reading);
            Some(Record::Sample(sample))
        }
        RESTART => {
            previous.restart = reader.difference(previous.restart)?;
            Some(Record::Restart(UnixMillis(previous.restart)))
        }
        kind => {
            let mut gc = previous.gc;
            for value in &mut gc {
                *value = reader.difference(*value)?;
            }
            previous.gc = gc;
            let [at, used, external] = gc;
            let kind = if kind == MAJOR { GcKind::Major } else { GcKind::Minor };
            Some(Record::Gc(AfterGc {
                at: UnixMillis(at),
                kind,
                used: Bytes(used),
                external: Bytes(external),
            }))
        }
    }
}

/// The columns of a sample in which nothing happened since the one before.
fn expected(previous: &Previous) -> [u64; COLUMNS] {
    let mut expected = previous.sample;
    expected[0] = expected[0].wrapping_add(previous.step);
    expected
}

/// The totals that a sample also has as differences, in the order of both.
fn totals(reading: &Reading) -> [u64; 6] {
    let Reading { gc, load, process, .. } = reading;
    [gc.minor, gc.major, gc.pause.0, load.allocated.0, load.requests, process.cpu.0]
}

fn to_columns(sample: &Sample, previous: &Previous) -> [u64; COLUMNS] {
    let Sample { reading, gc, load, cpu } = sample;
    let Reading { heap, process, .. } = reading;
    let now = totals(reading);
    let own = [gc.minor, gc.major, gc.pause.0, load.allocated.0, load.requests, cpu.0];
    // What they are short of the totals' differences: nothing, but for a first sample.
    let odd = |i: usize| own[i].wrapping_sub(now[i].wrapping_sub(previous.totals[i]));
    [
        reading.at.0,
        heap.used.0,
        heap.total.0,
        heap.external.0,
        heap.array_buffers.0,
        reading.heap_age.0,
        process.rss.0,
        now[5],
        now[3],
        now[4],
        now[0],
        now[1],
        now[2],
        option(reading.floor),
        option(process.native_in_use),
        option(process.container_used),
        option(process.container_limit),
        heap.limit.0,
        odd(0),
        odd(1),
        odd(2),
        odd(3),
        odd(4),
        odd(5),
    ]
}

fn from_columns(columns: &[u64; COLUMNS], previous: &Previous) -> Sample {
    let &[
        at,
        used,
        total,
        external,
        array_buffers,
        heap_age,
        rss,
        cpu,
        allocated,
        requests,
        minor,
        major,
        pause,
        floor,
        native_in_use,
        container_used,
        container_limit,
        limit,
        ref odd @ ..,
    ] = columns;
    let now = [minor, major, pause, allocated, requests, cpu];
    let own = |i: usize| odd[i].wrapping_add(now[i].wrapping_sub(previous.totals[i]));
    let heap = HeapFigures {
        used: Bytes(used),
        total: Bytes(total),
        external: Bytes(external),
        array_buffers: Bytes(array_buffers),
        limit: Bytes(limit),
    };
    let process = ProcessFigures {
        rss: Bytes(rss),
        container_limit: from_option(container_limit),
        container_used: from_option(container_used),
        cpu: Micros(cpu),
        native_in_use: from_option(native_in_use),
    };
    let reading = Reading {
        at: UnixMillis(at),
        heap,
        heap_age: Micros(heap_age),
        process,
        gc: GcTotals { minor, major, pause: Micros(pause) },
        load: Load { allocated: Bytes(allocated), requests },
        floor: from_option(floor),
    };
    Sample {
        reading,
        gc: GcTotals { minor: own(0), major: own(1), pause: Micros(own(2)) },
        load: Load { allocated: Bytes(own(3)), requests: own(4) },
        cpu: Micros(own(5)),
    }
}

/// 0 for nothing; the largest of all sizes, which no memory has, is one byte less.
fn option(value: Option<Bytes>) -> u64 {
    value.map_or(0, |bytes| bytes.0.saturating_add(1))
}

fn from_option(value: u64) -> Option<Bytes> {
    value.checked_sub(1).map(Bytes)
}
