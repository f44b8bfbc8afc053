use super::*;
use crate::postmortem::{Style, render};
use crate::recorder::{
    Damage, Event, Header, IncidentKind, IncidentPhase, Judgement, RecordedEvent, RecordedSample, State,
    StoredText,
};
use crate::sample::{HeapFigures, ProcessFigures, Reading, Sample};
use crate::units::Micros;
use crate::verdict::{Kind, Status, Verdict};
use unicode_width::UnicodeWidthStr;

/// 2026-11-21T03:49:00Z.
const BEGAN: u64 = 1_795_232_940_000;
const GROUP: &str = "/sys/fs/cgroup/kubepods/pod1/app";

/// A life in the making: a sample a second.
#[derive(Clone)]
struct Told(Recording);

impl Told {
    /// A process whose figures, in MiB, grow each second by the second number of each pair: heap, external, rss.
    fn new(seconds: u64, [heap, external, rss]: [(u64, u64); 3]) -> Self {
        let header = Header {
            bytes: 1 << 20,
            started_at: UnixMillis(BEGAN),
            pid: 4711,
            thread_id: 0,
            os_thread: 4711,
            interval: Micros(1_000_000),
            heap_limit: Bytes::mib(144),
            container_limit: Some(Bytes::mib(256)),
            boot_id: "boot-1".to_owned(),
            node: "v20.20.2".to_owned(),
            title: "node server.js".to_owned(),
        };
        let mib = |(from, step): (u64, u64), n: u64| Bytes::mib(from + step * n);
        let sample = |n: u64| Sample {
            reading: Reading {
                at: UnixMillis(BEGAN + 1000 * n),
                heap: HeapFigures {
                    used: mib(heap, n),
                    total: mib(heap, n),
                    external: mib(external, n),
                    limit: Bytes::mib(144),
                    ..HeapFigures::default()
                },
                process: ProcessFigures {
                    rss: mib(rss, n),
                    container_limit: Some(Bytes::mib(256)),
                    container_used: Some(mib(rss, n)),
                    ..ProcessFigures::default()
                },
                floor: (n > 3).then(|| mib(heap, n).saturating_sub(Bytes::mib(4))),
                ..Reading::default()
            },
            ..Sample::default()
        };
        let samples: Vec<_> = (1..=seconds)
            .map(|n| RecordedSample {
                sequence: n,
                sample: sample(n),
                status: Status::Healthy,
                kind: Kind::None,
            })
            .collect();
        let judgement = Judgement {
            verdict: Verdict { status: Status::Healthy, ..Verdict::default() },
            confirmed_by: None,
        };
        let state = samples.last().map(|last| State {
            sample: last.sample,
            judgement: Some(judgement),
            status: Status::Healthy,
            kind: Kind::None,
        });
        Self(Recording {
            header,
            samples,
            events: Vec::new(),
            state,
            words: None,
            exception: None,
            end: None,
            summary: None,
            report: None,
            damage: Vec::new(),
        })
    }

    fn leak() -> Self {
        Self::new(25, [(30, 4), (4, 0), (80, 4)])
    }

    fn healthy() -> Self {
        Self::new(25, [(30, 0), (4, 0), (80, 0)])
    }

    fn event(mut self, second: u64, event: Event) -> Self {
        let sequence = self.0.events.len() as u64 + 1;
        self.0.events.push(RecordedEvent { sequence, at: UnixMillis(BEGAN + 1000 * second), event });
        self
    }

    fn container(self, second: u64, held_mib: u64, oom_kill: u64) -> Self {
        let event = Event::Container {
            held: Bytes::mib(held_mib),
            reclaimable: Bytes(0),
            limit: Bytes::mib(256),
            max: 0,
            oom: 0,
            oom_kill,
            group: GROUP.to_owned(),
        };
        self.event(second, event)
    }

    fn incident(self, second: u64, kind: IncidentKind, phase: IncidentPhase) -> Self {
        let (used, limit) = (Bytes::mib(140), Bytes::mib(144));
        let raised_to = if kind == IncidentKind::HeapLimit { Bytes::mib(160) } else { Bytes(0) };
        let incident = Incident { kind, phase, used, limit, raised_to, reason: "level".to_owned() };
        self.event(second, Event::Incident(incident))
    }

    fn verdict(mut self, second: u64) -> Self {
        let verdict = Verdict {
            status: Status::Leak,
            kind: Kind::Heap,
            growth_bytes_per_second: 4.0 * Bytes::MIB as f64,
            since: Some(UnixMillis(BEGAN)),
            ..Verdict::default()
        };
        if let Some(state) = &mut self.0.state {
            state.judgement = Some(Judgement { verdict, confirmed_by: None });
        }
        self.event(
            second,
            Event::Verdict {
                status: Status::Leak,
                kind: Kind::Heap,
                growth_bytes_per_second: verdict.growth_bytes_per_second,
                eta_ms: None,
                limit: None,
            },
        )
    }

    fn words(mut self, signal: u32, code: i32, sender: u32) -> Self {
        let at = UnixMillis(BEGAN + 26_000);
        self.0.words = Some(Words { at, signal, code, address: 0x10, thread: 4711, sender, waited_ms: 0 });
        self
    }

    fn end(mut self, kind: EndKind, exit_code: Option<i32>) -> Self {
        self.0.end = Some(End { at: UnixMillis(BEGAN + 26_000), kind, exit_code });
        self
    }

    fn exception(mut self) -> Self {
        let text =
            "TypeError: x is not a function\n    at serve (/srv/app/server.js:12:3)\n    at \u{1b}[2Jmain"
                .to_owned();
        let at = UnixMillis(BEGAN + 25_900);
        self.0.exception = Some(Exception { at, origin: "uncaughtException".to_owned(), text });
        self
    }

    fn judged(&self) -> Finding {
        judge(&self.0, &Surroundings { boot_id: "boot-1".to_owned(), ..Surroundings::default() })
    }

    fn judged_where(&self, group: &str, kills: u64) -> Finding {
        let kills = Some((group.to_owned(), kills));
        judge(&self.0, &Surroundings { is_alive: false, boot_id: "boot-1".to_owned(), kills })
    }
}

/// The deaths of the golden files, by name.
fn deaths() -> Vec<(&'static str, Finding)> {
    use IncidentKind::{ContainerLimit, HeapLimit};
    use IncidentPhase::Began;
    let container = Told::leak()
        .verdict(20)
        .container(0, 80, 3)
        .container(18, 152, 3)
        .container(25, 253, 3)
        .incident(24, ContainerLimit, Began);
    let limit = Told::leak().verdict(20).incident(25, HeapLimit, Began).words(6, -6, 4711);
    let mut torn = Told::healthy().container(0, 80, 0);
    torn.0.damage.push(Damage { part: "samples", offset: 524_288, torn: 1, lost: 7 });
    vec![
        ("container-limit", container.judged()),
        ("container-limit-certain", container.judged_where(GROUP, 4)),
        ("heap-limit", limit.judged()),
        (
            "native-growth",
            Told::new(25, [(30, 0), (4, 0), (80, 6)]).container(0, 80, 0).container(25, 200, 0).judged(),
        ),
        ("uncaught-exception", Told::healthy().exception().end(EndKind::Exit, Some(1)).judged()),
        ("fatal-error", Told::healthy().words(11, 1, 0).judged()),
        ("clean-exit", Told::healthy().end(EndKind::Exit, Some(0)).judged()),
        ("killed", torn.judged()),
    ]
}

/// Holds `text` against a golden file; with HEAPWARDEN_BLESS=1 in the environment the file is written instead.
fn golden(name: &str, text: &str) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("__test__/golden/postmortem");
    let path = folder.join(name);
    if std::env::var_os("HEAPWARDEN_BLESS").is_some() {
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(&path, text).expect("written");
    }
    let expected = std::fs::read_to_string(&path).expect("a golden file");
    assert_eq!(text, expected, "{name}\n{text}");
}

#[test]
fn findings_read_as_they_did() {
    for (name, finding) in deaths() {
        let json = serde_json::to_string_pretty(&finding).expect("JSON");
        golden(&format!("{name}.json"), &format!("{json}\n"));
        assert_eq!(serde_json::from_str::<Finding>(&json).expect("a finding"), finding, "{name}");
        golden(&format!("{name}.txt"), &render(&finding, Style::Blocks));
    }
}

#[test]
fn ascii_is_ascii_and_no_line_is_wide() {
    for (name, finding) in deaths() {
        let text = render(&finding, Style::Ascii);
        assert!(text.is_ascii(), "{name}\n{text}");
        assert!(!text.contains('\u{1b}'), "{name}: what a program says moves no cursor");
        for style in [Style::Ascii, Style::Blocks] {
            assert!(render(&finding, style).lines().all(|line| line.width() <= 100), "{name}");
        }
    }
}

/// Kind, certainty and exit code.
#[track_caller]
fn assert_cause(finding: &Finding, kind: CauseKind, certainty: Certainty, exit_code: Option<i32>) {
    let cause = &finding.cause;
    assert_eq!(
        (cause.kind, cause.certainty, cause.exit_code),
        (kind, certainty, exit_code),
        "{:#?}",
        finding.evidence
    );
}

#[test]
fn a_kill_near_the_containers_limit_is_the_containers() {
    use CauseKind::{ContainerLimit, Killed};
    use Certainty::{Certain, Inferred};
    let at = |mib| Told::leak().container(0, 80, 3).container(25, mib, 3);
    assert_cause(&at(253).judged(), ContainerLimit, Inferred, Some(137));
    assert_cause(&at(200).judged(), Killed, Inferred, Some(137));
    // What the kernel has counted since makes it certain, or at least likely.
    assert_cause(&at(253).judged_where(GROUP, 4), ContainerLimit, Certain, Some(137));
    assert_cause(&at(253).judged_where(GROUP, 3), ContainerLimit, Inferred, Some(137));
    assert_cause(&at(253).judged_where("/sys/fs/cgroup/other", 9), ContainerLimit, Inferred, Some(137));
    assert_cause(&at(120).judged_where(GROUP, 4), ContainerLimit, Inferred, Some(137));
    // An incident that was not over counts as near, one that was over does not.
    let incident = |phase| at(200).incident(24, IncidentKind::ContainerLimit, phase);
    assert_cause(&incident(IncidentPhase::Began).judged(), ContainerLimit, Inferred, Some(137));
    assert_cause(&incident(IncidentPhase::Over).judged(), Killed, Inferred, Some(137));
}

#[test]
fn a_container_that_has_emptied_since_is_not_to_blame() {
    let told = Told::healthy().container(5, 254, 0);
    assert_cause(&told.judged(), CauseKind::Killed, Certainty::Inferred, Some(137));
}

#[test]
fn without_looks_at_the_container_the_samples_tell() {
    let told = Told::new(25, [(30, 0), (4, 0), (128, 5)]);
    assert_cause(&told.judged(), CauseKind::ContainerLimit, Certainty::Inferred, Some(137));
}

#[test]
fn the_heap_limit_is_certain_where_v8_said_so() {
    use CauseKind::{FatalError, HeapLimit};
    use Certainty::{Certain, Inferred};
    let said = |told: Told| told.incident(25, IncidentKind::HeapLimit, IncidentPhase::Began);
    assert_cause(&said(Told::leak()).words(6, -6, 4711).judged(), HeapLimit, Certain, Some(134));
    assert_cause(&said(Told::leak()).judged(), HeapLimit, Inferred, None);
    assert_cause(&said(Told::leak()).end(EndKind::Exit, Some(1)).judged(), HeapLimit, Certain, Some(1));
    let full = || Told::new(25, [(31, 4), (4, 0), (80, 4)]);
    assert_cause(&full().words(6, -6, 4711).judged(), HeapLimit, Inferred, Some(134));
    assert_cause(&Told::healthy().words(6, -6, 4711).judged(), FatalError, Certain, Some(134));
    assert_cause(&full().words(11, 1, 0).judged(), FatalError, Certain, Some(139));
}

#[test]
fn ends_that_were_recorded_are_certain() {
    use CauseKind::{CleanExit, Exit, Stopped, Terminated, UncaughtException};
    use Certainty::Certain;
    let ended = |kind, code| Told::healthy().end(kind, code).judged();
    assert_cause(&ended(EndKind::Exit, Some(0)), CleanExit, Certain, Some(0));
    assert_cause(&ended(EndKind::Exit, Some(3)), Exit, Certain, Some(3));
    assert_cause(&ended(EndKind::Stopped, None), Stopped, Certain, None);
    assert_cause(&ended(EndKind::Teardown, None), Terminated, Certain, None);
    let thrown = Told::healthy().exception();
    assert_cause(&thrown.clone().end(EndKind::Exit, Some(7)).judged(), UncaughtException, Certain, Some(7));
    assert_cause(&thrown.words(6, -6, 4711).judged(), UncaughtException, Certain, Some(134));
    // Docker and Kubernetes stop a process that way, and a terminal by Ctrl-C.
    for (signal, code) in [(15, 143), (2, 130), (1, 129)] {
        let asked = Told::leak().words(signal, 0, 4711).judged();
        assert_cause(&asked, Terminated, Certain, Some(code));
        assert!(!asked.is_bad());
    }
    // Process 1 of a container goes on, and what it ended of after that is not known.
    let mut later = Told::leak().words(15, 0, 4711);
    later.0.words.as_mut().expect("words").at = UnixMillis(BEGAN + 1000);
    let later = later.judged();
    assert_cause(&later, Terminated, Certainty::Inferred, None);
    assert!(later.cause.what.contains("SIGTERM was to end it"), "{}", later.cause.what);
    assert!(!ended(EndKind::Exit, Some(3)).is_bad() && Told::healthy().judged().is_bad());
}

#[test]
fn a_machine_that_was_started_anew_may_have_taken_it_along() {
    let told = Told::leak().container(25, 254, 0);
    let finding = judge(&told.0, &Surroundings { boot_id: "boot-2".to_owned(), ..Surroundings::default() });
    assert_cause(&finding, CauseKind::Killed, Certainty::Inferred, Some(137));
    assert!(finding.evidence.iter().any(|claim| claim.text.contains("started anew")));
}

#[test]
fn what_lives_is_not_judged() {
    let alive = Surroundings { is_alive: true, ..Surroundings::default() };
    let finding = judge(&Told::leak().0, &alive);
    assert_cause(&finding, CauseKind::Running, Certainty::Certain, None);
    assert!(!finding.is_bad());
}

#[test]
fn a_recording_with_nothing_in_it_is_a_kill() {
    let mut told = Told::new(0, [(1, 1); 3]);
    told.0.header.container_limit = None;
    told.0.summary = Some(StoredText { at: UnixMillis(BEGAN), text: "{\"constructors\":[]}".to_owned() });
    let finding = told.judged();
    assert_cause(&finding, CauseKind::Killed, Certainty::Inferred, Some(137));
    assert_eq!((finding.last, finding.series.len()), (None, 0));
    assert!(finding.summary.is_some());
    render(&finding, Style::Blocks);
}

#[test]
fn the_series_is_bounded_and_ends_with_the_last_sample() {
    let told = Told::new(2000, [(1, 0), (1, 0), (50, 0)]);
    let finding = told.judged();
    assert!(finding.series.len() <= 240 && finding.series.len() > 200, "{}", finding.series.len());
    assert_eq!(finding.series.last().map(|point| point.at), Some(UnixMillis(BEGAN + 2_000_000)));
    let began = finding.series.first().map_or(0, |point| point.at.0);
    assert!((BEGAN + 200_000..BEGAN + 210_000).contains(&began), "half an hour");
}

#[test]
fn the_end_of_time_is_a_time_like_others() {
    let mut told = Told::new(30, [(1, 0), (1, 0), (50, 0)]);
    let last = told.0.samples.len() - 1;
    told.0.samples[last].sample.reading.at = UnixMillis(u64::MAX);
    let finding = told.judged();
    assert_eq!(finding.series.len(), 20, "the last alone is recent, and so many are told at least");
    render(&finding, Style::Blocks);
}

#[test]
fn what_is_thrown_while_a_module_is_run_may_be_either() {
    let said = |origin: &str, text: &str| {
        let mut told = Told::healthy().exception().end(EndKind::Exit, Some(1));
        let exception = told.0.exception.as_mut().expect("an exception");
        (exception.origin, exception.text) = (origin.to_owned(), format!("Error: x\n    at {text}"));
        told.judged().cause.what
    };
    assert_eq!(said("unhandledRejection", "serve (/a.js:1:1)"), "a rejection that nobody handled: Error: x");
    for place in
        ["Module._compile (node:internal/modules/cjs/loader:1:1)", "ModuleJob.run (node:internal/x:1:1)"]
    {
        assert_eq!(
            said("unhandledRejection", place),
            "an exception or a rejection that nobody handled: Error: x"
        );
        assert_eq!(said("uncaughtException", place), "an exception that nobody caught: Error: x");
    }
}
