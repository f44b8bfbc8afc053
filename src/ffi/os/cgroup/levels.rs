//! What the control groups say beside usage and limit: what can be taken back, what happened at the limit, who waits.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Hierarchy, NO_LIMIT, locate};
use crate::container::{Events, Look};
use crate::units::{Bytes, Micros};

/// Longer than any `memory.stat` that was seen: 2 KiB.
const LONGEST: usize = 8 * 1024;
/// Below this share of the limit nobody asks what could be taken back: it is the one file that costs the kernel work.
const STAT_FROM: f64 = 0.5;

/// The groups from the process's own up to the root, their files open.
#[derive(Debug)]
pub struct Levels {
    levels: Vec<Level>,
}

/// What the groups can be asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Of the control groups: 1 or 2.
    pub version: u8,
    /// The smallest limit on the way up.
    pub limit: Option<Bytes>,
    /// Whether the group says for how long its processes have waited for memory.
    pub is_pressure_told: bool,
}

#[derive(Debug)]
struct Level {
    dir: PathBuf,
    names: Names,
    limit: File,
    /// Opened when there is a limit: most levels have none, and a process may be short of descriptors.
    files: Option<Files>,
}

#[derive(Debug)]
struct Files {
    used: File,
    stat: Option<File>,
    events: Option<File>,
    failures: Option<File>,
    pressure: Option<File>,
}

/// What the files of a version are called; empty for what it does not have.
#[derive(Debug, Clone, Copy)]
struct Names {
    used: &'static str,
    events: &'static str,
    failures: &'static str,
    pressure: &'static str,
}

impl Names {
    fn of(hierarchy: &Hierarchy) -> Self {
        let used = hierarchy.used;
        if hierarchy.limit == "memory.max" {
            Self { used, events: "memory.events", failures: "", pressure: "memory.pressure" }
        } else {
            Self { used, events: "memory.oom_control", failures: "memory.failcnt", pressure: "" }
        }
    }
}

impl Levels {
    /// Finds the groups below `root` (`/` outside of tests); nothing where none can have a limit.
    pub fn discover(root: &Path) -> Option<Self> {
        let (own, mount, hierarchy) = locate(root)?;
        let names = Names::of(&hierarchy);
        let levels: Vec<_> = own
            .ancestors()
            .take_while(|dir| dir.starts_with(&mount))
            .filter_map(|dir| {
                let limit = File::open(dir.join(hierarchy.limit)).ok()?;
                Some(Level { dir: dir.to_owned(), names, limit, files: None })
            })
            .collect();
        (!levels.is_empty()).then_some(Self { levels })
    }

    /// What the groups can be asked.
    pub fn told(&self) -> Told {
        let limits = self.levels.iter().filter_map(|level| number(&level.limit));
        let limit = limits.filter(|&n| n > 0 && n < NO_LIMIT).min().map(Bytes);
        let files = self.levels.first().and_then(|level| Files::open(&level.dir, level.names));
        let stalled = files.and_then(|files| text(&files.pressure?, stalled).flatten());
        let version =
            if self.levels.first().is_some_and(|level| level.names.failures.is_empty()) { 2 } else { 1 };
        Told { version, limit, is_pressure_told: stalled.is_some() }
    }

    /// The level that is nearest to its limit; nothing where none has one. Allocates nothing but the names of files opened for a
    /// limit that is new.
    ///
    /// Cost: a short read a level; for one with a limit two more, and three where it is half full.
    pub fn look(&mut self, at: Micros) -> Option<Look> {
        let looks = self.levels.iter_mut().filter_map(|level| level.look(at));
        looks.max_by(|a, b| a.share().total_cmp(&b.share()))
    }
}

/// The folder of the process's own group, and how many processes of it, or of one above it, the kernel has killed for a limit so far.
/// Nothing where there are no groups.
pub fn kills(root: &Path) -> Option<(PathBuf, u64)> {
    let (own, mount, hierarchy) = locate(root)?;
    let events_of = |dir: &Path| File::open(dir.join(Names::of(&hierarchy).events)).ok();
    let levels = own.ancestors().take_while(|dir| dir.starts_with(&mount));
    let kills =
        levels.filter_map(|dir| text(&events_of(dir)?, events).map(|events| events.oom_kill)).max()?;
    Some((own, kills))
}

impl Level {
    fn look(&mut self, at: Micros) -> Option<Look> {
        let limit = number(&self.limit).filter(|&n| n > 0 && n < NO_LIMIT)?;
        if self.files.is_none() {
            self.files = Files::open(&self.dir, self.names);
        }
        let files = self.files.as_ref()?;
        let used = number(&files.used)?;
        let is_half_full = used as f64 >= STAT_FROM * limit as f64;
        let stat = files.stat.as_ref().filter(|_| is_half_full);
        let mut events = files.events.as_ref().and_then(|file| text(file, events)).unwrap_or_default();
        if let Some(failures) = &files.failures {
            events.max = number(failures).unwrap_or(0);
        }
        Some(Look {
            at,
            used: Bytes(used),
            reclaimable: Bytes(stat.and_then(|file| text(file, reclaimable)).unwrap_or(0)),
            limit: Bytes(limit),
            events,
            stalled: files.pressure.as_ref().and_then(|file| text(file, stalled)).flatten(),
        })
    }
}

impl Files {
    fn open(dir: &Path, names: Names) -> Option<Self> {
        let open = |name: &str| if name.is_empty() { None } else { File::open(dir.join(name)).ok() };
        Some(Self {
            used: open(names.used)?,
            stat: open("memory.stat"),
            events: open(names.events),
            failures: open(names.failures),
            pressure: open(names.pressure),
        })
    }
}

/// The number in a file, read anew.
fn number(file: &File) -> Option<u64> {
    let mut place = [0; 32];
    let n = file.read_at(&mut place, 0).ok()?;
    std::str::from_utf8(&place[..n]).ok()?.trim_ascii().parse().ok()
}

/// What `read` makes of a file's text, as far as it fits; nothing where it cannot be read, as `memory.pressure` where pressure is not
/// accounted for.
fn text<T>(file: &File, read: impl Fn(&str) -> T) -> Option<T> {
    let mut place = [0; LONGEST];
    let mut end = 0;
    while end < LONGEST {
        match file.read_at(&mut place[end..], end as u64).ok()? {
            0 => break,
            n => end += n,
        }
    }
    Some(read(std::str::from_utf8(&place[..end]).ok()?))
}

/// The number behind a name at the start of a line.
fn named(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// Of a `memory.stat`: page cache, and slab that the kernel can shrink. What is shared memory or locked is not among it.
fn reclaimable(stat: &str) -> u64 {
    // Version 1 tells those of the groups below by other names.
    let total = named(stat, "total_inactive_file").is_some();
    let names = if total {
        ["total_inactive_file", "total_active_file", "total_slab_reclaimable"]
    } else {
        ["inactive_file", "active_file", "slab_reclaimable"]
    };
    names.iter().filter_map(|name| named(stat, name)).sum()
}

/// Of `memory.events`, or of version 1's `memory.oom_control`, which only tells of kills.
fn events(text: &str) -> Events {
    let count = |name| named(text, name).unwrap_or(0);
    Events { high: count("high"), max: count("max"), oom: count("oom"), oom_kill: count("oom_kill") }
}

/// Of `memory.pressure`: the total of the line `full avg10=0.00 avg60=0.00 avg300=0.00 total=0`, in microseconds.
fn stalled(text: &str) -> Option<Micros> {
    let full = text.lines().find_map(|line| line.strip_prefix("full "))?;
    let total = full.split(' ').find_map(|part| part.strip_prefix("total="))?;
    total.parse().ok().map(Micros)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Root, V1_MOUNTS, V2_MOUNT};
    use super::*;

    #[test]
    fn version_2_tells_of_the_level_that_is_fullest() {
        let root = Root::new(
            "levels-v2",
            &[
                ("proc/self/cgroup", "0::/pod/app\n"),
                ("proc/self/mountinfo", V2_MOUNT),
                ("sys/fs/cgroup/pod/app/memory.max", "max\n"),
                ("sys/fs/cgroup/pod/app/memory.current", "700\n"),
                ("sys/fs/cgroup/pod/app/memory.events", "oom_kill 3\n"),
                ("sys/fs/cgroup/pod/memory.max", "1000\n"),
                ("sys/fs/cgroup/pod/memory.current", "800\n"),
                (
                    "sys/fs/cgroup/pod/memory.stat",
                    "anon 9\ninactive_file 50\nactive_file 20\nslab_reclaimable 30\n",
                ),
                (
                    "sys/fs/cgroup/pod/memory.events",
                    "low 0\nhigh 1\nmax 22\noom 3\noom_kill 2\noom_group_kill 0\n",
                ),
                (
                    "sys/fs/cgroup/pod/memory.pressure",
                    "some avg10=1.00 avg60=0.00 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=55\n",
                ),
                ("sys/fs/cgroup/memory.max", "9000\n"),
                ("sys/fs/cgroup/memory.current", "900\n"),
            ],
        );
        let mut levels = Levels::discover(&root.0).expect("groups");
        let told = Told { version: 2, limit: Some(Bytes(1000)), is_pressure_told: false };
        assert_eq!(levels.told(), told, "its own group has no pressure file");
        let look = levels.look(Micros(7)).expect("a limit");
        let events = Events { high: 1, max: 22, oom: 3, oom_kill: 2 };
        let expected = Look {
            at: Micros(7),
            used: Bytes(800),
            reclaimable: Bytes(100),
            limit: Bytes(1000),
            events,
            stalled: Some(Micros(55)),
        };
        assert_eq!(look, expected);
        assert_eq!((look.held(), look.left()), (Bytes(700), Bytes(300)));
        let own = root.0.join("sys/fs/cgroup/pod/app");
        assert_eq!(kills(&root.0), Some((own, 3)));
        std::fs::write(root.0.join("sys/fs/cgroup/pod/app/memory.max"), "701").expect("a limit");
        assert_eq!(levels.look(Micros(8)).map(|look| look.limit), Some(Bytes(701)), "set while we look");
    }

    #[test]
    fn version_1_tells_what_it_has() {
        let root = Root::new(
            "levels-v1",
            &[
                ("proc/self/cgroup", "4:memory:/docker/x\n0::/\n"),
                ("proc/self/mountinfo", V1_MOUNTS),
                ("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "1000\n"),
                ("sys/fs/cgroup/memory/docker/x/memory.usage_in_bytes", "990\n"),
                ("sys/fs/cgroup/memory/docker/x/memory.failcnt", "12\n"),
                (
                    "sys/fs/cgroup/memory/docker/x/memory.stat",
                    "inactive_file 1\nactive_file 1\ntotal_inactive_file 70\ntotal_active_file 20\n",
                ),
                (
                    "sys/fs/cgroup/memory/docker/x/memory.oom_control",
                    "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
                ),
            ],
        );
        let mut levels = Levels::discover(&root.0).expect("groups");
        let look = levels.look(Micros(0)).expect("a limit");
        assert_eq!((look.held(), look.events.max, look.events.oom_kill), (Bytes(900), 12, 4));
        assert_eq!((look.events.oom, look.stalled), (0, None));
    }

    #[test]
    fn without_a_limit_and_with_nonsense_there_is_nothing() {
        let files = |limit, used| {
            [
                ("proc/self/cgroup", "0::/\n"),
                ("proc/self/mountinfo", V2_MOUNT),
                ("sys/fs/cgroup/memory.max", limit),
                ("sys/fs/cgroup/memory.current", used),
                ("sys/fs/cgroup/memory.stat", "\u{0}inactive_file many\n"),
                ("sys/fs/cgroup/memory.pressure", "full total=\n"),
            ]
        };
        for (name, limit, used) in [("max", "max\n", "5\n"), ("zero", "0\n", "5\n"), ("used", "5\n", "")] {
            let root = Root::new(&format!("levels-{name}"), &files(limit, used));
            assert_eq!(
                Levels::discover(&root.0).and_then(|mut levels| levels.look(Micros(0))),
                None,
                "{name}"
            );
        }
        let root = Root::new("levels-some", &files("10\n", "9\n"));
        let look = Levels::discover(&root.0).and_then(|mut levels| levels.look(Micros(0))).expect("a limit");
        assert_eq!((look.held(), look.events, look.stalled), (Bytes(9), Events::default(), None));
        assert!(Levels::discover(&Root::new("levels-none", &[("proc/self/x", "")]).0).is_none());
    }

    #[test]
    fn a_long_file_is_read_as_far_as_it_fits() {
        let root = Root::new("levels-long", &[("long", &"x 1\n".repeat(LONGEST))]);
        let file = File::open(root.0.join("long")).expect("a file");
        assert_eq!(text(&file, str::len), Some(LONGEST));
    }
}
