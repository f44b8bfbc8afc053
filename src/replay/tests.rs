use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::MonitorConfig;
use crate::monitor::Monitor;
use crate::recording::lines::write;
use crate::sample::{
    AfterGc, Channel, GcKind, GcTotals, HeapFigures, Load, Probe, ProcessFigures, Reading, Sample,
};
use crate::units::{Bytes, Micros, UnixMillis};
use crate::verdict::{Detector, FloorDetector, Kind, Status, Verdict};

const EXPLAIN: Settings = Settings { explain: true, timing: false, strictness: 1.0 };

fn replayed(text: &[u8], piece: usize, settings: Settings) -> Result<Answer> {
    let mut replay = Replay::new(settings);
    text.chunks(piece).try_for_each(|piece| replay.feed(piece))?;
    replay.end_input()?;
    Ok(replay.finish())
}

/// A process that leaks `step` bytes a sample, and the verdicts and alarms that it had.
fn monitored(step: u64, samples: u64, restart_at: Option<u64>) -> (Monitor, Vec<(u64, Status)>, usize) {
    let (probe, config) = (Probe::new(), MonitorConfig::default());
    let mut monitor = Monitor::new(&config, &probe);
    let (mut changes, mut alarms, mut status) = (Vec::new(), 0, Status::default());
    for i in 0..samples {
        let at = 1_800_000_000_000 + 30_000 * i;
        if restart_at == Some(i) {
            monitor.restart(&config, &probe, UnixMillis(at - 15_000));
            status = Status::default();
        }
        let heap = |used: u64| HeapFigures {
            used: Bytes(used),
            limit: Bytes::mib(2048),
            external: Bytes(i * 77),
            ..HeapFigures::default()
        };
        let alive = (40 << 20) + step * i + i % 7 * 10_000;
        probe.publish(heap(alive + (30 << 20)), Channel::Hook);
        probe.record_gc(GcKind::Major, 5_000_000, Some(heap(alive)), UnixMillis(at - 20_000));
        probe.record_gc(GcKind::Minor, 900_000, Some(heap(alive + 9_000)), UnixMillis(at - 9_000));
        probe.publish(heap(alive + (20 << 20)), Channel::Refresh);
        let process = ProcessFigures {
            rss: Bytes(alive + (90 << 20)),
            cpu: Micros(i * 1_234_567),
            ..ProcessFigures::default()
        };
        monitor.observe(&probe, process, UnixMillis(at), |alert| {
            alarms += usize::from(matches!(alert, crate::alert::Alert::Leak { .. }));
        });
        if monitor.verdict().status != status {
            status = monitor.verdict().status;
            changes.push((at, status));
        }
    }
    (monitor, changes, alarms)
}

fn exported(monitor: &Monitor) -> String {
    let header = Header { format: FORMAT.into(), version: VERSION, pid: 77, ..Header::default() };
    write(&header, monitor.recording()).expect("written")
}

#[test]
fn a_replay_comes_to_the_verdicts_that_the_process_had() {
    for (step, restart) in [(2 << 20, None), (2 << 20, Some(150)), (0, None)] {
        let (monitor, changes, alarms) = monitored(step, 400, restart);
        let answer = replayed(exported(&monitor).as_bytes(), 1000, EXPLAIN).expect("a series");
        let [trace] = &answer.traces[..] else { panic!("{answer:?}") };
        assert_eq!(trace.verdict, *monitor.verdict(), "to the last bit");
        let told: Vec<_> =
            trace.changes.iter().flatten().map(|c| (c.at.expect("a time").0, c.verdict.status)).collect();
        assert_eq!(told, changes);
        assert_eq!((trace.alarms.len(), trace.samples, trace.id.as_str()), (alarms, 400, "77-0"));
        if step > 0 {
            assert_eq!(trace.kind, Some(Kind::Heap), "{trace:?}");
            assert!(alarms > usize::from(restart.is_some()), "{changes:?}");
        } else {
            assert_eq!((trace.t, trace.kind, trace.rate), (None, None, None));
        }
    }
}

/// A trace in columns, as a recorder of other people's processes writes it.
fn columnar(n: u64, step: u64) -> Value {
    let repeat =
        |first: u64, then: u64| -> Vec<u64> { (0..n).map(|i| if i == 0 { first } else { then }).collect() };
    json!({
        "v": 1, "id": "t1", "dt": 30, "n": n, "limit": 2 << 20, "unit": "KiB", "someday": [1],
        "cols": {
            "heapUsed": repeat(60_000, step), "heapTotal": repeat(90_000, step), "rss": repeat(150_000, step),
            "alloc": repeat(400_000, 400_000), "cpu": repeat(3000, 3000), "req": repeat(2300, 2300), "later": [],
        },
        "gc": { "t": repeat(290, 300), "k": "M".repeat(n as usize), "used": repeat(40_000, step), "ext": repeat(0, 0) },
        "events": [[1e9, "restart"], [3, "oom"]],
    })
}

/// Each time that a leak is called of `columnar(n, step)`, by the detector itself.
fn oracle(n: u64, step: u64, restart: Option<f64>) -> (Vec<(f64, i64)>, Verdict) {
    let kib = |n: u64| Bytes(n * 1024);
    let mut detector = FloorDetector::default();
    let (mut called, mut last, mut first) = (Vec::new(), Verdict::default(), 0);
    for i in 0..n {
        let t = 30.0 * (i + 1) as f64;
        if restart.is_some_and(|at| at > t - 30.0 && at < t) {
            (detector, last, first) = (FloorDetector::default(), Verdict::default(), i);
        }
        let after = kib(40_000 + step * i);
        let at = trial::trace_moment(t - 1.0);
        detector.on_gc(&AfterGc { at, kind: GcKind::Major, used: after, external: Bytes(0) });
        let heap = HeapFigures {
            used: kib(60_000 + step * i),
            total: kib(90_000 + step * i),
            limit: kib(2 << 20),
            ..HeapFigures::default()
        };
        let count = i + 1 - first;
        let process = ProcessFigures {
            rss: kib(150_000 + step * i),
            cpu: Micros(3_000_000 * count),
            ..ProcessFigures::default()
        };
        let one = GcTotals { major: 1, ..GcTotals::default() };
        let load = |count: u64| Load { allocated: kib(400_000 * count), requests: 2300 * count };
        let gc = GcTotals { major: count, ..one };
        let reading = Reading {
            at: trial::trace_moment(t),
            heap,
            process,
            gc,
            load: load(count),
            floor: Some(after),
            ..Reading::default()
        };
        let verdict = detector.on_sample(&Sample { reading, gc: one, load: load(1), cpu: Micros(3_000_000) });
        if verdict.status == Status::Leak && last.status != Status::Leak {
            called.push((t, verdict.growth_bytes_per_second.round() as i64));
        }
        last = verdict;
    }
    (called, last)
}

#[test]
fn a_columnar_trace_is_judged_on_its_own_clock() {
    let text = format!("{}\r\n\n{}", columnar(400, 2000), columnar(400, 0));
    for piece in [1, 999, text.len()] {
        let answer = replayed(text.as_bytes(), piece, EXPLAIN).expect("traces");
        let [leak, healthy] = &answer.traces[..] else { panic!("{answer:?}") };
        let (called, verdict) = oracle(400, 2000, None);
        assert!(!called.is_empty(), "66 KiB a second for hours");
        assert_eq!(leak.alarms.iter().map(|&(t, _, rate)| (t, rate)).collect::<Vec<_>>(), called);
        assert_eq!((leak.t, leak.rate), (Some(called[0].0), Some(called[0].1)));
        assert_eq!((leak.samples, leak.collections, leak.verdict), (400, 400, verdict));
        assert_eq!((healthy.t, healthy.alarms.len()), (None, 0));
        assert_eq!(healthy.verdict, oracle(400, 0, None).1);
        assert!(leak.changes.iter().flatten().all(|change| change.at.is_none()));
    }
}

/// What a trial is fed, in words; `t` in seconds.
fn order(trace: &Value) -> String {
    let text = trace.to_string();
    let line = Line { text: text.as_bytes(), number: 1, offset: 0 };
    let trace = columnar::read(&line, 0).expect("a trace");
    let mut trial = Trial::new("t".into(), Clock::Trace, EXPLAIN);
    trace.play(&mut trial, &mut Timing::default());
    let result = trial.finish();
    format!("{} samples, {} collections", result.samples, result.collections)
}

#[test]
fn of_the_minors_between_two_samples_one_is_told() {
    let mut trace = columnar(3, 0);
    // Samples at 30, 60 and 90 s.
    // Minor at 1 s, major at 2, minors at 28 and 29; minor at 31, major at 32; minor at 60.0, which is not before the sample.
    let zeros = [0; 8];
    trace["gc"] =
        json!({ "t": [10, 10, 260, 10, 20, 10, 280, 5000], "k": "mMmmmMmm", "used": zeros, "ext": zeros });
    assert_eq!(order(&trace), "3 samples, 4 collections");
}

#[test]
fn a_restart_begins_a_new_judgement() {
    let mut trace = columnar(400, 2000);
    trace["events"] = json!([[4510, "restart"]]);
    let answer = replayed(trace.to_string().as_bytes(), 64, EXPLAIN).expect("a trace");
    let result = &answer.traces[0];
    let (called, verdict) = oracle(400, 2000, Some(4510.0));
    assert!(called.iter().any(|(t, _)| *t > 4510.0), "{called:?}");
    assert_eq!(result.alarms.iter().map(|&(t, _, rate)| (t, rate)).collect::<Vec<_>>(), called);
    assert_eq!(result.verdict, verdict);
}

#[track_caller]
fn refused(text: &str, line: u64, offset: usize, words: &str) {
    let error = replayed(text.as_bytes(), 7, EXPLAIN).expect_err(text);
    assert_eq!(error.code(), "HEAPWARDEN_ERR_SERIES");
    assert!(error.to_string().contains(&format!("line {line}: ")), "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(error.offset(), Some(offset as u64), "{error}");
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_place() {
    let header = r#"{"format":"heapwarden-series","version":1}"#;
    let after = header.len() + 1;
    refused("{\"t\":1}", 1, 0, "expected a header before the first record, found a record");
    refused("\n\n{\"a\":1}\n", 3, 2, "expected a header, a record or a columnar trace");
    refused("\n  [1]", 2, 3, "expected a JSON object, found '['");
    refused(&format!("{header}\nnonsense\n"), 2, after, "expected a JSON object, found 'n'");
    refused(
        &format!("{header}\n{{nonsense"),
        2,
        after + 1,
        "expected a JSON object, found key must be a string",
    );
    refused(
        &format!("{header}\n{{\"t\":1,\"sample\":{{\"rss\":-5}}}}"),
        2,
        after + 24,
        "found invalid value: integer `-5`",
    );
    refused(&format!("{header}\n{{\"t\":1,\"sam"), 2, after + 10, "EOF");
    refused("{\"format\":\"other\",\"version\":1}", 1, 0, "found format \"other\", version 1");
    refused(
        "{\"format\":\"heapwarden-series\",\"version\":2}",
        1,
        0,
        "found format \"heapwarden-series\", version 2",
    );
    let changed = |path: &str, value: Value| {
        let mut trace = columnar(5, 1);
        *trace.pointer_mut(path).expect("there") = value;
        trace.to_string()
    };
    refused(&changed("/cols/heapUsed", json!([1, 2])), 1, 0, "expected 5 numbers in cols.heapUsed, found 2");
    refused(&changed("/cols/rss", json!([])), 1, 0, "expected 5 numbers in cols.rss, found 0");
    refused(
        &changed("/n", json!(4_000_000_000u32)),
        1,
        0,
        "expected 4000000000 numbers in cols.heapUsed, found 5",
    );
    refused(&changed("/gc/k", json!("M")), 1, 0, "expected 5 entries in gc.k, as in gc.t, found 1");
    refused(&changed("/dt", json!(0)), 1, 0, "expected cols.t, or a dt above 0");
    refused(&changed("/unit", json!("MB")), 1, 0, "expected unit \"KiB\", found \"MB\"");
    refused(&changed("/events", json!([5])), 1, 0, "expected events of the form [seconds, name], found 5");
}

#[test]
fn nothing_is_no_trace_and_a_header_alone_is_one() {
    assert_eq!(replayed(b"\n \n", 1, EXPLAIN).expect("nothing").traces.len(), 0);
    let text = b"\xEF\xBB\xBF{\"format\":\"heapwarden-series\",\"version\":1}";
    let answer = replayed(text, 2, Settings::default()).expect("a series");
    assert_eq!((answer.traces.len(), answer.traces[0].samples), (1, 0));
    let told = serde_json::to_value(&answer).expect("written");
    assert_eq!((&told["traces"][0]["t"], told.get("timing")), (&Value::Null, None));
}

proptest! {
    #[test]
    fn any_bytes_are_an_answer_or_an_error(bytes: Vec<u8>, piece in 1usize..50) {
        if let Err(error) = replayed(&bytes, piece, EXPLAIN) {
            prop_assert!(error.offset().is_some_and(|offset| offset <= bytes.len() as u64));
        }
    }

    #[test]
    fn a_damaged_trace_is_an_answer_or_an_error(at in 0.0..1.0f64, byte in any::<u8>(), piece in 1usize..5000) {
        let (monitor, ..) = monitored(9_999, 4, Some(2));
        let mut bytes = format!("{}{}", exported(&monitor), columnar(6, 77)).into_bytes();
        let at = (bytes.len() as f64 * at) as usize;
        bytes[at] = byte;
        let whole = replayed(&bytes, usize::MAX, EXPLAIN);
        prop_assert_eq!(replayed(&bytes, piece, EXPLAIN), whole);
    }
}
