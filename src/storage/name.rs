//! Which files are ours, by their names alone.

use crate::compress::Compression;

/// Nobody else's files begin so.
const PREFIX: &str = "heapwarden-";
const SNAPSHOT: &str = ".heapsnapshot";
/// What the name of a recording has between prefix and time, and at its end.
const FLIGHT: (&str, &str) = ("flight-", ".hwr");
const PROFILES: [(&str, StoredKind); 2] =
    [(".heapprofile", StoredKind::HeapProfile), (".pb.gz", StoredKind::Pprof)];
const EXTENSIONS: [(&str, Compression); 2] = [(".gz", Compression::Gzip), (".zst", Compression::Zstd)];

/// What a file of ours is; each kind has a budget of its own, so that small files do not push out large ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoredKind {
    /// A heap snapshot, compressed or not.
    Snapshot,
    /// A profile of allocations for DevTools.
    HeapProfile,
    /// The same for pprof.
    Pprof,
    /// A recording of a process's life.
    Flight,
}

/// The name that a snapshot gets where it is given none: `heapwarden-20261121T131218-123Z-PID-THREAD-NUMBER.heapsnapshot`, with `.gz` or
/// `.zst` where it is compressed; or a profile of allocations, with `.heapprofile` or `.pb.gz`; or that of a recording,
/// `heapwarden-flight-20261121T131218-123Z-PID-THREAD.hwr`.
///
/// Ordered by time, then by the rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredName {
    name: String,
    kind: StoredKind,
}

impl StoredName {
    /// The name, if it is one of ours. A file that somebody named is somebody's, whatever it begins with.
    pub fn of(name: &str) -> Option<Self> {
        let plain = EXTENSIONS.iter().find_map(|(end, _)| name.strip_suffix(end)).unwrap_or(name);
        let profile = || PROFILES.iter().find_map(|&(end, kind)| Some((name.strip_suffix(end)?, kind)));
        let flight = || Some((name.strip_suffix(FLIGHT.1)?, StoredKind::Flight));
        let (stem, kind) = plain
            .strip_suffix(SNAPSHOT)
            .map(|stem| (stem, StoredKind::Snapshot))
            .or_else(profile)
            .or_else(flight)?;
        let parts = stem.strip_prefix(PREFIX)?;
        let (parts, wanted) = match kind {
            StoredKind::Flight => (parts.strip_prefix(FLIGHT.0)?, 2),
            _ => (parts, 3),
        };
        let mut parts = parts.split('-');
        let (second, rest) = (parts.next()?, parts.next()?);
        let (date, time) = second.split_once('T')?;
        let is_moment = is_number(date, 8)
            && is_number(time, 6)
            && rest.strip_suffix('Z').is_some_and(|millis| is_number(millis, 3));
        let numbers: Vec<&str> = parts.collect();
        let is_ours = is_moment && numbers.len() == wanted && numbers.iter().all(|n| is_number(n, n.len()));
        is_ours.then(|| Self { name: name.to_owned(), kind })
    }

    /// What the file is.
    pub fn kind(&self) -> StoredKind {
        self.kind
    }
}

/// A file that was begun and is not complete: `.NAME.PID-NUMBER.tmp`, where NAME begins as ours do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leftover {
    /// The process that began it.
    pub pid: u32,
}

impl Leftover {
    /// What the name says, if it is one of ours.
    pub fn of(name: &str) -> Option<Self> {
        let rest = name.strip_prefix('.')?.strip_suffix(".tmp")?;
        let (file, writer) = rest.rsplit_once('.')?;
        let (pid, number) = writer.split_once('-')?;
        let is_ours =
            file.starts_with(PREFIX) && is_number(pid, pid.len()) && is_number(number, number.len());
        if !is_ours {
            return None;
        }
        pid.parse().ok().map(|pid| Self { pid })
    }
}

fn is_number(text: &str, digits: usize) -> bool {
    digits > 0 && text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_names_are_ours_and_ordered_by_time() {
        let names = [
            "heapwarden-20251231T235959-999Z-7-0-12.heapsnapshot.zst",
            "heapwarden-20261121T131218-123Z-4194304-0-1.heapsnapshot",
            "heapwarden-20261121T131218-124Z-1-3-1.heapsnapshot.gz",
        ];
        let ours: Vec<_> = names.iter().map(|name| StoredName::of(name).expect("ours")).collect();
        assert!(ours.is_sorted());
    }

    #[test]
    fn a_name_tells_what_the_file_is() {
        for (end, kind) in [
            (".heapsnapshot.gz", StoredKind::Snapshot),
            (".heapprofile", StoredKind::HeapProfile),
            (".pb.gz", StoredKind::Pprof),
        ] {
            let name = format!("heapwarden-20261121T131218-123Z-7-0-1{end}");
            assert_eq!(StoredName::of(&name).map(|name| name.kind()), Some(kind), "{name}");
        }
        let flight = StoredName::of("heapwarden-flight-20261121T131218-123Z-7-0.hwr");
        assert_eq!(flight.map(|name| name.kind()), Some(StoredKind::Flight));
    }

    #[test]
    fn what_somebody_named_is_somebodys() {
        for name in [
            "heapwarden-before-the-release.heapsnapshot",
            "heapwarden-20261121T131218-123Z-7-0.heapsnapshot",
            "heapwarden-20261121T131218-123Z-7-0-1-2.heapsnapshot",
            "heapwarden-20261121T131218-123-7-0-1.heapsnapshot",
            "heapwarden-2026112T131218-123Z-7-0-1.heapsnapshot",
            "heapwarden-20261121T131218-123Z-7-x-1.heapsnapshot",
            "heapwarden-20261121T131218-123Z-7--1.heapsnapshot",
            "heapwarden-20261121T131218-123Z-7-0-1.heapsnapshot.gz.gz",
            "heapwarden-20261121T131218-123Z-7-0-1.heapsnapshot.bz2",
            "heapwarden-20261121T131218-123Z-7-0-1.json",
            "heapwarden-20261121T131218-123Z-7-0.hwr",
            "heapwarden-flight-20261121T131218-123Z-7-0-1.hwr",
            "heapwarden-flight-20261121T131218-123Z-7-0.hwr.told",
            "heapwarden-flight-20261121T131218-123Z-7-0.heapsnapshot",
            "heapwarden-20261121T131218-123Z-7-0-1.heapprofile.gz",
            "heapwarden-20261121T131218-123Z-7-0-1.pb",
            "heapwarden-leak-20261121T131218-123Z-7-0.json",
            "Heap.20261121.131218.7.0.001.heapsnapshot",
            "heapwarden-.heapsnapshot",
            "",
        ] {
            assert_eq!(StoredName::of(name), None, "{name}");
        }
    }

    #[test]
    fn a_file_that_was_begun_names_its_process() {
        let of = |name| Leftover::of(name).map(|leftover| leftover.pid);
        assert_eq!(of(".heapwarden-20261121T131218-123Z-7-0-1.heapsnapshot.7-0.tmp"), Some(7));
        assert_eq!(of(".heapwarden-leak-20261121T131218-123Z-7-0.json.4194304-12.tmp"), Some(4_194_304));
        for name in [
            ".x.heapsnapshot.7-0.tmp",
            "heapwarden-x.7-0.tmp",
            ".heapwarden-x.7.tmp",
            ".heapwarden-x.-0.tmp",
            ".heapwarden-x.7-0",
            ".heapwarden-x.99999999999-0.tmp",
            ".7-0.tmp",
            ".tmp",
        ] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
