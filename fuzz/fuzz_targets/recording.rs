//! Any bytes as a flight recording, and any damage to a whole one: no panic, runs of records without a gap, and nothing that was not written.

#![no_main]

use std::sync::{Arc, Mutex, OnceLock};

use heapwarden::recorder::{
    End, EndKind, Event, Exception, Header, Medium, Recorder, Recording, SMALLEST_BYTES, TextKind,
};
use heapwarden::sample::Sample;
use heapwarden::units::{Bytes, Micros, UnixMillis};
use heapwarden::verdict::Verdict;
use libfuzzer_sys::fuzz_target;

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

/// The first byte says what the rest is: a file, or pieces (place, length, bytes) that overwrite a whole one, of which the last may cut it.
fn file(data: &[u8]) -> Vec<u8> {
    let Some((&mode, mut rest)) = data.split_first() else { return Vec::new() };
    if mode % 4 == 0 {
        return rest.to_vec();
    }
    let mut file = whole().to_vec();
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
    file
}

fuzz_target!(|data: &[u8]| {
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
});
