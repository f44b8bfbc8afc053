use super::*;
use proptest::prelude::*;

/// A folder of this test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("heapwarden-budget-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn write(&self, name: &str, bytes: usize) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, vec![b'x'; bytes]).expect("written");
        path
    }

    /// The `n`th snapshot, by its time.
    fn snapshot(&self, n: u32, bytes: usize) -> PathBuf {
        self.write(&name(n), bytes)
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("the folder");
        let mut names: Vec<_> =
            entries.map(|e| e.expect("an entry").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn name(n: u32) -> String {
    format!("heapwarden-20261121T1312{n:02}-000Z-7-0-{n}.heapsnapshot")
}

const fn budget(files: u64, bytes: u64) -> Budget {
    Budget { files, bytes: Bytes(bytes) }
}

const PLENTY: u64 = 1 << 40;

#[test]
fn the_oldest_go_until_the_new_one_fits() {
    let folder = Folder::new("oldest");
    for n in [3, 1, 2, 4] {
        folder.snapshot(n, 100);
    }
    let newcomer = folder.snapshot(5, 50);
    let swept = sweep(&newcomer, budget(3, PLENTY), |_| true);
    assert_eq!(swept.evicted, [folder.0.join(name(1)), folder.0.join(name(2))]);
    assert_eq!(folder.names(), [name(3), name(4), name(5)]);
    let swept = sweep(&newcomer, budget(3, 150), |_| true);
    assert_eq!((swept.evicted, swept.problem), (vec![folder.0.join(name(3))], None));
    assert_eq!(sweep(&newcomer, budget(3, 150), |_| true), Swept::default());
    sweep(&newcomer, budget(1, 1), |_| true);
    assert_eq!(folder.names(), [name(5)], "never the new one, however long it is");
}

#[test]
fn a_recording_that_is_being_written_neither_goes_nor_counts() {
    let folder = Folder::new("flights");
    let flight = |n: u32| format!("heapwarden-flight-20261121T1312{n:02}-000Z-{n}-0.hwr");
    for n in 1..=4 {
        folder.write(&flight(n), 10);
    }
    folder.snapshot(1, 10);
    let alive = open(&folder.0.join(flight(1))).expect("open");
    alive.lock().expect("a lock");
    let newcomer = folder.write(&flight(9), 10);
    let swept = sweep(&newcomer, budget(2, PLENTY), |_| false);
    assert_eq!(swept.evicted, [folder.0.join(flight(2)), folder.0.join(flight(3))]);
    assert_eq!(folder.names(), [name(1), flight(1), flight(4), flight(9)]);
    drop(alive);
    sweep(&newcomer, budget(2, PLENTY), |_| false);
    assert_eq!(folder.names(), [name(1), flight(4), flight(9)]);
}

#[test]
fn nothing_of_anybody_elses_is_touched() {
    let folder = Folder::new("others");
    let theirs =
        ["Heap.1.heapsnapshot", "heapwarden-mine.heapsnapshot", "heapwarden-leak.json", ".other.7-0.tmp"];
    for name in theirs {
        folder.write(name, 1000);
    }
    std::fs::create_dir(folder.0.join(name(1))).expect("a folder of that name");
    let mut kept = vec![name(1)];
    #[cfg(unix)]
    {
        let target = folder.write("precious", 1000);
        std::os::unix::fs::symlink(&target, folder.0.join(name(2))).expect("a link");
        std::os::unix::fs::symlink(&target, folder.0.join(".heapwarden-x.99999999-0.tmp")).expect("a link");
        kept.extend(["precious".to_owned(), name(2), ".heapwarden-x.99999999-0.tmp".to_owned()]);
    }
    let newcomer = folder.snapshot(9, 10);
    assert_eq!(sweep(&newcomer, budget(1, 10), |_| false), Swept::default());
    kept.extend(theirs.map(str::to_owned));
    kept.push(name(9));
    kept.sort();
    assert_eq!(folder.names(), kept);
}

#[test]
fn what_dead_processes_left_goes_and_what_is_being_written_stays() {
    let folder = Folder::new("leftovers");
    let temporary = |pid: u32| format!(".{}.{pid}-0.tmp", name(1));
    for pid in [10, 20, 30, 40] {
        folder.write(&temporary(pid), 5);
    }
    let open = |pid| open(&folder.0.join(temporary(pid))).expect("open");
    // Held by somebody whose number means nothing here, as in another container.
    let (held, stale) = (open(20), open(40));
    held.lock().expect("a lock");
    let long_ago = SystemTime::now() - 2 * STALE;
    stale.set_modified(long_ago).and_then(|()| held.set_modified(long_ago)).expect("a time");
    drop(stale);
    let newcomer = folder.snapshot(2, 5);
    sweep(&newcomer, budget(9, PLENTY), |pid| pid >= 30);
    assert_eq!(folder.names(), [temporary(20), temporary(30), name(2)]);
    drop(held);
    assert!(remove_leftovers(&folder.0, |pid| pid >= 30));
    assert!(!remove_leftovers(&folder.0, |pid| pid >= 30));
    assert_eq!(folder.names(), [temporary(30), name(2)]);
}

#[test]
fn a_file_that_another_process_removed_is_no_error_and_one_that_stays_is_told() {
    let stored: Vec<Stored> = (1..=4)
        .map(|n| Stored {
            name: StoredName::of(&name(n)).expect("ours"),
            path: PathBuf::from(n.to_string()),
            bytes: 10,
        })
        .collect();
    let remove = |path: &Path| match path.to_str() {
        Some("1") => Err(std::io::Error::from(ErrorKind::NotFound)),
        Some("2") => Err(std::io::Error::from(ErrorKind::PermissionDenied)),
        _ => Ok(()),
    };
    let swept = evict(stored, 10, budget(3, PLENTY), remove);
    assert_eq!(swept.evicted, [PathBuf::from("3")], "1 was gone, 2 stays, 3 goes, 4 fits");
    assert!(swept.problem.is_some_and(|problem| problem.starts_with("cannot remove 2: ")));
}

#[test]
fn two_that_sweep_at_a_time_leave_one() {
    for round in 0..20 {
        let folder = Folder::new(&format!("race-{round}"));
        std::thread::scope(|scope| {
            for n in 1..=4 {
                let folder = &folder;
                scope.spawn(move || sweep(&folder.snapshot(n, 10), budget(1, PLENTY), |_| true));
            }
        });
        assert_eq!(folder.names().len(), 1, "{:?}", folder.names());
    }
}

#[test]
fn a_folder_that_is_gone_is_nothing_to_sweep() {
    let nowhere = Path::new("/nonexistent/heapwarden").join(name(1));
    assert_eq!(sweep(&nowhere, budget(1, 1), |_| true), Swept::default());
    assert!(!remove_leftovers(Path::new("/nonexistent"), |_| true));
}

proptest! {
    #[test]
    fn what_stays_is_within_budget_and_no_smaller_than_it_must_be(
        sizes in prop::collection::vec(0..100u64, 0..20),
        new in 0..100u64,
        files in 1..20u64,
        bytes in 0..1000u64,
    ) {
        let stored: Vec<Stored> = sizes.iter().zip(0..).map(|(&bytes, n)| Stored {
            name: StoredName::of(&name(n)).expect("ours"),
            path: PathBuf::from(n.to_string()),
            bytes,
        }).collect();
        let swept = evict(stored, new, budget(files, bytes), |_| Ok(()));
        let gone = swept.evicted.len();
        let fits = |gone: usize| {
            (sizes.len() - gone + 1) as u64 <= files && sizes[gone..].iter().sum::<u64>() + new <= bytes
        };
        prop_assert!(fits(gone) || gone == sizes.len());
        prop_assert!((0..gone).all(|fewer| !fits(fewer)));
        let oldest: Vec<PathBuf> = (0..gone).map(|n| PathBuf::from(n.to_string())).collect();
        prop_assert_eq!(swept.evicted, oldest);
    }
}
