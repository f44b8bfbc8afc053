//! Any bytes as a flight recording, any damage to a whole one, and any records with the right checksum: no panic, neither in the reader nor
//! in the post-mortem, runs of records without a gap, and nothing that was not written.

use std::sync::{Arc, Mutex, OnceLock};

use heapwarden::postmortem::{Style, Surroundings, judge, render};
use heapwarden::recorder::{
    End, EndKind, Event, Exception, Header, Layout, Medium, Recorder, Recording, Region, SMALLEST_BYTES,
    TextKind,
};
use heapwarden::sample::Sample;
use heapwarden::units::{Bytes, Micros, UnixMillis};
use heapwarden::verdict::Verdict;

struct Memory(Arc<Mutex<Vec<u8>>>);

impl Medium for Memory {
    fn put(&self, offset: usize, bytes: &[u8]) {
        self.0.lock().expect("no panic")[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn flush(&self) {}
}

/// A recording with some of everything, its rings gone round once.
fn whole() -> &'static [u8] {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let bytes = Arc::new(Mutex::new(vec![0; SMALLEST_BYTES]));
        let header = Header {
            bytes: SMALLEST_BYTES as u64,
            started_at: UnixMillis(1),
            pid: 1,
            thread_id: 0,
            os_thread: 1,
            interval: Micros(1),
            heap_limit: Bytes(1),
            container_limit: None,
            boot_id: "b".into(),
            node: "v24.0.0".into(),
            title: "node".into(),
        };
        let recorder = Recorder::begin(Box::new(Memory(Arc::clone(&bytes))), &header);
        for n in 1..=700 {
            let mut sample = Sample::default();
            (sample.reading.at, sample.reading.heap.used) = (UnixMillis(n), Bytes(n));
            recorder.sample(&sample, &Verdict::default(), None);
            recorder.event(UnixMillis(n), &Event::Note { text: n.to_string() });
        }
        recorder.text(TextKind::Report, UnixMillis(1), "{}");
        let (at, text) = (UnixMillis(2), "Error".to_owned());
        recorder.exception(&Exception { at, origin: "uncaughtException".into(), text });
        recorder.end(&End { at: UnixMillis(3), kind: EndKind::Exit, exit_code: Some(1) });
        drop(recorder);
        let bytes = bytes.lock().expect("no panic");
        bytes.clone()
    })
}

/// A record's head: number, time, length, kind, checksum.
const HEAD: usize = 32;
/// Where the record of a header's copy stands.
const HEADER_RECORD: usize = 32;

/// The first byte says what the rest is: a file, or changes to a whole one.
fn file(data: &[u8]) -> Vec<u8> {
    let Some((&mode, rest)) = data.split_first() else { return Vec::new() };
    if mode % 4 == 0 {
        return rest.to_vec();
    }
    let mut file = whole().to_vec();
    if mode % 4 == 1 {
        overwrite(&mut file, rest);
    } else {
        add_records(&mut file, rest);
    }
    file
}

/// Overwrites with pieces (place, length, bytes), of which the last may cut the file.
fn overwrite(file: &mut Vec<u8>, mut rest: &[u8]) {
    while let Some((piece, after)) = rest.split_first_chunk::<5>() {
        let [a, b, c, length, cut] = piece.map(usize::from);
        let at = (a | b << 8 | c << 16) % file.len().max(1);
        let length = length.min(after.len());
        let end = (at + length).min(file.len());
        file[at..end].copy_from_slice(&after[..end - at]);
        if cut == 255 {
            file.truncate(end);
        }
        rest = &after[length..];
    }
}

/// Puts records with the right checksum in: of each its region, its number, its kind, its time as a power of two, its length and its payload.
fn add_records(file: &mut [u8], mut rest: &[u8]) {
    let layout = Layout::of(file.len());
    let header = |at| Region { start: at + HEADER_RECORD, slot: Layout::HEADER - HEADER_RECORD, slots: 1 };
    let regions = [
        layout.samples,
        layout.events,
        Layout::STATE,
        Layout::WORDS,
        Layout::END,
        Layout::EXCEPTION,
        layout.text(TextKind::Summary),
        layout.text(TextKind::Report),
        header(Layout::HEADERS[0]),
        header(Layout::HEADERS[1]),
    ];
    while let Some((front, after)) = rest.split_first_chunk::<6>() {
        let [region, number, kind, time, low, high] = *front;
        let region = regions[usize::from(region) % regions.len()];
        let length = usize::from(u16::from_le_bytes([low, high])).min(after.len());
        // Of a long ring the numbers go on where the whole recording's end, of the others they begin.
        let before = if region.slots > 2 { 701 } else { 0 };
        let sequence = if number == 255 { u64::MAX } else { before + u64::from(number) };
        let at = match time {
            255 => u64::MAX,
            exponent => 1 << (exponent % 64),
        };
        let place = if region.slots > 1 { region.place(sequence.max(1)) } else { region.start };
        seal(&mut file[place..place + region.slot], sequence, at, kind, &after[..length]);
        rest = &after[length..];
    }
}

fn seal(place: &mut [u8], sequence: u64, at: u64, kind: u8, payload: &[u8]) {
    let payload = &payload[..payload.len().min(place.len() - HEAD)];
    let mut record = [&[0; HEAD], payload].concat();
    record[..8].copy_from_slice(&sequence.to_le_bytes());
    record[8..16].copy_from_slice(&at.to_le_bytes());
    record[16..20].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    record[20] = kind;
    let covered = record[..24].iter().chain(&record[28..]);
    let crc = crc32(covered.copied());
    record[24..28].copy_from_slice(&crc.to_le_bytes());
    place[..record.len()].copy_from_slice(&record);
}

fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// What has to hold of any bytes.
pub fn check(data: &[u8]) {
    let file = file(data);
    let Ok(recording) = Recording::read(&file) else { return };
    let _ = recording.life();
    for pair in recording.samples.windows(2) {
        assert!(pair[0].sequence < pair[1].sequence);
    }
    for pair in recording.events.windows(2) {
        assert!(pair[0].sequence < pair[1].sequence);
    }
    assert!(recording.damage.iter().all(|damage| damage.offset <= recording.header.bytes));
    let is_alive = data.len() % 2 == 1;
    let finding =
        judge(&recording, &Surroundings { is_alive, boot_id: "b".into(), kills: Some(("/".into(), 1)) });
    for style in [Style::Blocks, Style::Ascii] {
        let _ = render(&finding, style);
    }
}
