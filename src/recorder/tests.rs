use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::header::tests::header;
use super::*;
use crate::sample::Sample;
use crate::units::{Bytes, UnixMillis};
use crate::verdict::{ConfirmedBy, Status, Verdict};

/// A file in memory that goes on after its recorder.
#[derive(Clone)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn new(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(vec![0; bytes])))
    }

    fn file(&self) -> Vec<u8> {
        self.0.lock().expect("no panic").clone()
    }
}

impl Medium for Memory {
    fn put(&self, offset: usize, bytes: &[u8]) {
        self.0.lock().expect("no panic")[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn flush(&self) {}
}

fn small() -> Header {
    Header { bytes: SMALLEST_BYTES as u64, ..header() }
}

fn begin() -> (Memory, Recorder) {
    let memory = Memory::new(SMALLEST_BYTES);
    let recorder = Recorder::begin(Box::new(memory.clone()), &small());
    (memory, recorder)
}

/// Each sample has its number in it.
fn sample(n: u64) -> Sample {
    let mut sample = Sample::default();
    sample.reading.at = UnixMillis(1_000 + n);
    sample.reading.heap.used = Bytes(n);
    sample
}

fn note(n: u64) -> Event {
    Event::Note { text: n.to_string() }
}

#[test]
fn what_is_recorded_is_read() {
    let (memory, recorder) = begin();
    let verdict = Verdict { status: Status::Leak, eta_ms: Some(5), ..Verdict::default() };
    let by = ConfirmedBy {
        constructor_name: "Session".into(),
        holder: "sessions".into(),
        captures: 3,
        growth_bytes_per_second: 0.5,
    };
    recorder.sample(&sample(1), &Verdict::default(), None);
    recorder.sample(&sample(2), &verdict, Some(&by));
    recorder.pulse(&sample(3), &verdict, Some(&by));
    recorder.event(UnixMillis(7), &note(1));
    assert!(recorder.text(TextKind::Summary, UnixMillis(1), "{}"));
    for n in 0..5 {
        assert!(recorder.text(TextKind::Report, UnixMillis(n), &format!("[{n}]")));
    }
    let exception = Exception { at: UnixMillis(3), origin: "uncaughtException".into(), text: "x".into() };
    recorder.exception(&exception);
    let end = End { at: UnixMillis(4), kind: EndKind::Exit, exit_code: Some(7) };
    assert!(recorder.end(&end));
    assert!(!recorder.end(&End { exit_code: None, ..end }), "the first one counts");

    let recording = Recording::read(&memory.file()).expect("a recording");
    assert_eq!(recording.header, small());
    let told: Vec<_> = recording.samples.iter().map(|s| (s.sequence, s.sample, s.status)).collect();
    assert_eq!(told, [(1, sample(1), Status::WarmingUp), (2, sample(2), Status::Leak)]);
    assert_eq!(recording.last_sample(), Some(&sample(3)), "a tick had begun");
    assert_eq!(recording.last_verdict(), Some(&Judgement { verdict, confirmed_by: Some(by) }));
    let event = RecordedEvent { sequence: 1, at: UnixMillis(7), event: note(1) };
    assert_eq!(recording.events, [event]);
    let text = |text: Option<&StoredText>| text.map(|text| (text.at.0, text.text.clone()));
    assert_eq!(text(recording.summary.as_ref()), Some((1, "{}".to_owned())));
    assert_eq!(text(recording.report.as_ref()), Some((4, "[4]".to_owned())));
    assert_eq!((recording.exception, recording.end, recording.words), (Some(exception), Some(end), None));
    assert_eq!(recording.damage, []);
}

#[test]
fn an_empty_recording_says_whose_it_is_and_nothing_else() {
    let (memory, _recorder) = begin();
    let recording = Recording::read(&memory.file()).expect("a recording");
    assert_eq!(recording, Recording::empty(small()));
    assert_eq!(recording.life().ended, Ended::Unknown);
    assert_eq!(recording.life().last_seen, small().started_at);
}

#[test]
fn a_text_that_does_not_fit_leaves_the_one_before() {
    let (memory, recorder) = begin();
    let room = recorder.text_room(TextKind::Report);
    assert!(recorder.text(TextKind::Report, UnixMillis(1), &"x".repeat(room)));
    assert!(!recorder.text(TextKind::Report, UnixMillis(2), &"y".repeat(room + 1)));
    let recording = Recording::read(&memory.file()).expect("a recording");
    assert_eq!(recording.report.map(|text| text.text), Some("x".repeat(room)));
    assert_eq!(recording.damage, []);
}

#[test]
fn a_confirmation_with_endless_names_does_not_cost_the_verdict() {
    let (memory, recorder) = begin();
    let verdict = Verdict { status: Status::Leak, ..Verdict::default() };
    let by = ConfirmedBy {
        constructor_name: "S".repeat(5000),
        holder: String::new(),
        captures: 3,
        growth_bytes_per_second: 0.5,
    };
    recorder.sample(&sample(1), &verdict, Some(&by));
    let recording = Recording::read(&memory.file()).expect("a recording");
    assert_eq!(recording.last_verdict(), Some(&Judgement { verdict, confirmed_by: None }));
}

#[test]
fn the_record_under_way_at_the_death_is_told_and_costs_none_but_the_oldest() {
    let slots = Layout::of(SMALLEST_BYTES).samples.slots as u64;
    for written in [1, 5, slots - 1, slots, slots + 3, 3 * slots] {
        let (memory, recorder) = begin();
        for n in 1..=written {
            recorder.sample(&sample(n), &Verdict::default(), None);
        }
        let mut file = memory.file();
        // The next one's place, half written.
        let place = Layout::of(SMALLEST_BYTES).samples.place(written + 1);
        file[place..place + 100].fill(0x5a);
        let recording = Recording::read(&file).expect("a recording");
        let told: Vec<u64> = recording.samples.iter().map(|s| s.sequence).collect();
        let oldest = (written + 2).saturating_sub(slots).max(1);
        assert_eq!(told, (oldest..=written).collect::<Vec<_>>());
        let torn = Damage { part: "samples", offset: place as u64, torn: 1, lost: 0 };
        assert_eq!(recording.damage, [torn]);
    }
}

#[test]
fn reading_stops_at_the_first_torn_record_and_says_what_is_behind_it() {
    let (memory, recorder) = begin();
    for n in 1..=9 {
        recorder.event(UnixMillis(n), &note(n));
    }
    let mut file = memory.file();
    let events = Layout::of(SMALLEST_BYTES).events;
    for torn in [4, 2] {
        file[events.place(torn) + record::HEAD] ^= 1;
    }
    let recording = Recording::read(&file).expect("a recording");
    let told: Vec<u64> = recording.events.iter().map(|event| event.sequence).collect();
    assert_eq!(told, [5, 6, 7, 8, 9]);
    let offset = events.place(4) as u64;
    assert_eq!(recording.damage, [Damage { part: "events", offset, torn: 2, lost: 2 }]);
}

#[test]
fn many_threads_record_beside_each_other() {
    let (memory, recorder) = begin();
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let recorder = &recorder;
            scope.spawn(move || {
                for n in 0..500 {
                    recorder.event(UnixMillis(n), &note(1000 * thread + n));
                }
            });
        }
    });
    let recording = Recording::read(&memory.file()).expect("a recording");
    let told: Vec<u64> = recording.events.iter().map(|event| event.sequence).collect();
    let slots = Layout::of(SMALLEST_BYTES).events.slots as u64;
    assert_eq!(told, (2001 - slots..=2000).collect::<Vec<_>>());
    assert_eq!(recording.damage, []);
}

/// What is done to a file.
#[derive(Debug, Clone)]
enum Harm {
    Cut(usize),
    Overwrite(usize, Vec<u8>),
    Zero(usize, usize),
}

fn harms() -> impl Strategy<Value = Vec<Harm>> {
    let place = 0..SMALLEST_BYTES;
    // The first pages are small and hold the most; the rings begin behind them.
    let place = prop_oneof![1 => 0..20_000usize, 3 => place];
    let cut = place.clone().prop_map(Harm::Cut);
    let bytes = prop::collection::vec(any::<u8>(), 1..5000);
    let overwrite = (place.clone(), bytes).prop_map(|(at, bytes)| Harm::Overwrite(at, bytes));
    let zero = (place, 1..20_000usize).prop_map(|(at, length)| Harm::Zero(at, length));
    prop::collection::vec(prop_oneof![1 => cut, 4 => overwrite, 4 => zero], 0..6)
}

fn harm(file: &mut Vec<u8>, harms: &[Harm]) {
    for harm in harms {
        let range = |at: usize, length: usize, most: usize| at.min(most)..(at + length).min(most);
        match harm {
            Harm::Cut(at) => file.truncate(*at),
            Harm::Overwrite(at, bytes) => {
                let range = range(*at, bytes.len(), file.len());
                let length = range.len();
                file[range].copy_from_slice(&bytes[..length]);
            }
            Harm::Zero(at, length) => {
                let range = range(*at, *length, file.len());
                file[range].fill(0);
            }
        }
    }
}

/// Whether numbers follow each other without a gap.
fn is_run(numbers: &[u64]) -> bool {
    numbers.windows(2).all(|pair| pair[0] + 1 == pair[1])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn of_a_harmed_file_what_is_told_was_written_in_this_order(
        samples in 0..1200u64,
        events in prop::collection::vec(super::event::tests::events(), 0..400),
        harms in harms(),
    ) {
        let (memory, recorder) = begin();
        for n in 1..=samples {
            recorder.sample(&sample(n), &Verdict::default(), None);
        }
        for (n, event) in (1..).zip(&events) {
            recorder.event(UnixMillis(n), event);
        }
        recorder.text(TextKind::Report, UnixMillis(1), "[1]");
        recorder.end(&End { at: UnixMillis(2), kind: EndKind::Exit, exit_code: Some(3) });
        let mut file = memory.file();
        harm(&mut file, &harms);
        let Ok(recording) = Recording::read(&file) else {
            prop_assert!(!harms.is_empty());
            return Ok(());
        };
        let _ = recording.life();
        let numbers: Vec<u64> = recording.samples.iter().map(|s| s.sequence).collect();
        prop_assert!(is_run(&numbers), "{:?}", numbers);
        for recorded in &recording.samples {
            prop_assert_eq!(recorded.sample, sample(recorded.sequence));
        }
        let numbers: Vec<u64> = recording.events.iter().map(|event| event.sequence).collect();
        prop_assert!(is_run(&numbers), "{:?}", numbers);
        for recorded in &recording.events {
            prop_assert_eq!(Some(&recorded.event), events.get(recorded.sequence as usize - 1));
        }
        prop_assert!(recording.report.is_none_or(|text| text.text == "[1]"));
        prop_assert!(recording.end.is_none_or(|end| end.exit_code == Some(3)));
        if harms.is_empty() {
            let layout = Layout::of(SMALLEST_BYTES);
            prop_assert_eq!(recording.samples.len() as u64, samples.min(layout.samples.slots as u64));
            prop_assert_eq!(recording.events.len(), events.len().min(layout.events.slots));
            prop_assert_eq!(recording.damage, vec![]);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..9000), has_header in any::<bool>()) {
        let mut file = bytes;
        if has_header {
            let page = small().encode();
            file.splice(0..0, page);
        }
        prop_assert_eq!(Recording::read(&file).is_ok(), has_header);
    }
}
