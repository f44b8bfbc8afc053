//! The memory limit and usage of the control groups that hold the process, versions 1 and 2.
//!
//! A limit may stand at any level between the process's own group and the root, and the smallest one counts. In a
//! container the group's path as the kernel tells it (`/proc/self/cgroup`) may lie outside of what is mounted; then the
//! mount's own root is the container's group.

#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

#[cfg(target_os = "linux")]
mod levels;

use std::fs::File;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
pub use levels::{Levels, Told, kills};

use crate::units::Bytes;

/// Version 1 says "no limit" with the largest multiple of a page below 2^63.
const NO_LIMIT: u64 = 1 << 60;

/// The open files of one hierarchy.
#[derive(Debug)]
pub struct Cgroup {
    /// From the process's own group up to the root.
    limits: Vec<File>,
    used: Option<File>,
}

/// Where a hierarchy is and what its files are called.
struct Hierarchy {
    mount: PathBuf,
    group: String,
    limit: &'static str,
    used: &'static str,
}

impl Cgroup {
    /// Finds the memory controller's files below `root` (`/` outside of tests); nothing where there is none.
    pub fn discover(root: &Path) -> Option<Self> {
        let (own, mount, hierarchy) = locate(root)?;
        let open = |dir: &Path, name| File::open(dir.join(name)).ok();
        let limits = own
            .ancestors()
            .take_while(|dir| dir.starts_with(&mount))
            .filter_map(|dir| open(dir, hierarchy.limit))
            .collect();
        let cgroup = Self { limits, used: open(&own, hierarchy.used) };
        (!cgroup.limits.is_empty() || cgroup.used.is_some()).then_some(cgroup)
    }

    /// The smallest limit on the way to the root; nothing where there is none.
    pub fn limit(&mut self) -> Option<Bytes> {
        self.limits.iter_mut().filter_map(number).filter(|&n| n < NO_LIMIT).min().map(Bytes)
    }

    /// What the group uses, page cache included.
    pub fn used(&mut self) -> Option<Bytes> {
        self.used.as_mut().and_then(number).map(Bytes)
    }
}

/// What the process can still take before its group, or one above it, is at its limit; nothing where there is no limit.
///
/// Page cache that the kernel would give up first counts as free. Reads some ten files: for now and then, not for each sample.
pub fn headroom(root: &Path) -> Option<Bytes> {
    let (own, mount, hierarchy) = locate(root)?;
    let levels = own.ancestors().take_while(|dir| dir.starts_with(&mount));
    let left = levels.filter_map(|dir| {
        let read = |name| std::fs::read_to_string(dir.join(name)).ok();
        let number = |name| read(name)?.trim().parse::<u64>().ok();
        let limit = number(hierarchy.limit).filter(|&n| n < NO_LIMIT)?;
        let used = number(hierarchy.used)?;
        Some(limit.saturating_sub(used.saturating_sub(reclaimable(&read("memory.stat").unwrap_or_default()))))
    });
    left.min().map(Bytes)
}

/// Cached files that nobody has used for a while, of a `memory.stat`; version 1 tells those of the groups below by another name.
fn reclaimable(stat: &str) -> u64 {
    let number =
        |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    number("total_inactive_file").or_else(|| number("inactive_file")).unwrap_or(0)
}

/// The process's own group, where its hierarchy is mounted, and what its files are called.
fn locate(root: &Path) -> Option<(PathBuf, PathBuf, Hierarchy)> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = std::fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
    let hierarchy = version_1(&groups, &mounts).or_else(|| version_2(&groups, &mounts))?;
    let mount = root.join(hierarchy.mount.strip_prefix("/").unwrap_or(&hierarchy.mount));
    let own = mount.join(hierarchy.group.trim_start_matches('/'));
    let own = if own.is_dir() { own } else { mount.clone() };
    Some((own, mount, hierarchy))
}

/// The number in a control file, read anew; nothing for `max` and for what cannot be read.
fn number(file: &mut File) -> Option<u64> {
    let mut text = [0; 32];
    #[cfg(unix)]
    let n = std::os::unix::fs::FileExt::read_at(file, &mut text, 0).ok()?;
    #[cfg(not(unix))]
    let n = {
        use std::io::{Read, Seek};
        file.rewind().ok()?;
        file.read(&mut text).ok()?
    };
    std::str::from_utf8(&text[..n]).ok()?.trim_ascii().parse().ok()
}

/// Lines of `/proc/self/cgroup` are `id:controllers:path`.
fn group_of(groups: &str, wanted: impl Fn(&str) -> bool) -> Option<String> {
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        wanted(controllers).then(|| path.to_owned())
    })
}

/// Lines of `/proc/self/mountinfo` are `id parent dev root mount options [tags] - type source options`.
fn mount_of(mounts: &str, kind: &str, option: Option<&str>) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut right = right.split(' ');
        let fits = right.next() == Some(kind)
            && option
                .is_none_or(|option| right.nth(1).is_some_and(|all| all.split(',').any(|o| o == option)));
        fits.then(|| left.split(' ').nth(4).map(PathBuf::from)).flatten()
    })
}

fn version_1(groups: &str, mounts: &str) -> Option<Hierarchy> {
    Some(Hierarchy {
        group: group_of(groups, |controllers| controllers.split(',').any(|c| c == "memory"))?,
        mount: mount_of(mounts, "cgroup", Some("memory"))?,
        limit: "memory.limit_in_bytes",
        used: "memory.usage_in_bytes",
    })
}

fn version_2(groups: &str, mounts: &str) -> Option<Hierarchy> {
    Some(Hierarchy {
        group: group_of(groups, str::is_empty)?,
        mount: mount_of(mounts, "cgroup2", None).unwrap_or_else(|| "/sys/fs/cgroup".into()),
        limit: "memory.max",
        used: "memory.current",
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A root directory made of `(path, content)`, removed when dropped.
    pub struct Root(pub PathBuf);

    impl Root {
        pub fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("heapwarden-cgroup-{}-{name}", std::process::id()));
            for (path, content) in files {
                let path = root.join(path);
                std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
                std::fs::write(path, content).expect("a file");
            }
            Self(root)
        }

        fn figures(&self) -> Option<(Option<u64>, Option<u64>)> {
            let mut cgroup = Cgroup::discover(&self.0)?;
            Some((cgroup.limit().map(|b| b.0), cgroup.used().map(|b| b.0)))
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    pub const V2_MOUNT: &str =
        "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    pub const V1_MOUNTS: &str = "31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                             36 30 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

    #[test]
    fn version_2_takes_the_smallest_limit_on_the_way_up() {
        let root = Root::new(
            "v2",
            &[
                ("proc/self/cgroup", "0::/pods/one/app\n"),
                ("proc/self/mountinfo", V2_MOUNT),
                ("sys/fs/cgroup/pods/one/app/memory.max", "max\n"),
                ("sys/fs/cgroup/pods/one/app/memory.current", "1048576\n"),
                ("sys/fs/cgroup/pods/one/memory.max", "536870912\n"),
                ("sys/fs/cgroup/pods/memory.max", "1073741824\n"),
            ],
        );
        assert_eq!(root.figures(), Some((Some(512 << 20), Some(1 << 20))));
    }

    #[test]
    fn a_group_outside_of_the_mount_is_the_mount_itself() {
        let root = Root::new(
            "ns",
            &[
                ("proc/self/cgroup", "0::/../../elsewhere\n"),
                ("proc/self/mountinfo", V2_MOUNT),
                ("sys/fs/cgroup/memory.max", "268435456\n"),
                ("sys/fs/cgroup/memory.current", "5\n"),
            ],
        );
        assert_eq!(root.figures(), Some((Some(256 << 20), Some(5))));
    }

    #[test]
    fn the_headroom_is_that_of_the_level_that_is_fullest() {
        let root = Root::new(
            "room",
            &[
                ("proc/self/cgroup", "0::/pods/one\n"),
                ("proc/self/mountinfo", V2_MOUNT),
                ("sys/fs/cgroup/pods/one/memory.max", "1000\n"),
                ("sys/fs/cgroup/pods/one/memory.current", "400\n"),
                ("sys/fs/cgroup/pods/one/memory.stat", "anon 1\ninactive_file 100\ninactive_file_x 7\n"),
                ("sys/fs/cgroup/pods/memory.max", "2000\n"),
                ("sys/fs/cgroup/pods/memory.current", "1500\n"),
            ],
        );
        assert_eq!(headroom(&root.0), Some(Bytes(500)));
        let stat = root.0.join("sys/fs/cgroup/pods/memory.stat");
        std::fs::write(stat, "inactive_file 5\ntotal_inactive_file 400\n").expect("a file");
        assert_eq!(headroom(&root.0), Some(Bytes(700)));
        assert_eq!(headroom(&Root::new("room-none", &[("proc/self/x", "")]).0), None);
    }

    #[test]
    fn version_1_knows_no_limit_when_it_sees_one() {
        let files = |limit| {
            [
                ("proc/self/cgroup", "4:memory:/docker/x\n2:cpu,cpuacct:/docker/x\n0::/\n"),
                ("proc/self/mountinfo", V1_MOUNTS),
                ("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", limit),
                ("sys/fs/cgroup/memory/docker/x/memory.usage_in_bytes", "77\n"),
            ]
        };
        let none = Root::new("v1-none", &files("9223372036854771712\n"));
        assert_eq!(none.figures(), Some((None, Some(77))));
        let some = Root::new("v1-some", &files("1048576\n"));
        assert_eq!(some.figures(), Some((Some(1 << 20), Some(77))));
    }

    #[test]
    fn no_control_groups_and_nonsense_are_nothing() {
        assert_eq!(Root::new("none", &[("proc/self/x", "")]).figures(), None);
        let nonsense = [("proc/self/cgroup", "::\n\u{0}:"), ("proc/self/mountinfo", "a - b\n - \n")];
        assert_eq!(Root::new("nonsense", &nonsense).figures(), None);
        let words = [
            ("proc/self/cgroup", "0::/\n"),
            ("proc/self/mountinfo", V2_MOUNT),
            ("sys/fs/cgroup/memory.max", "many\n"),
        ];
        assert_eq!(Root::new("words", &words).figures(), Some((None, None)));
    }
}
