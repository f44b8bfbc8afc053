//! How much a folder of snapshots may grow to, and what goes where it would grow further.

use std::fs::{DirEntry, File, Metadata, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::name::{Leftover, StoredKind, StoredName};
use crate::error::Error;
use crate::units::Bytes;

/// How long another process may take to sweep the same folder until we go on beside it, which may remove more than is needed.
const TURN: Duration = Duration::from_secs(1);
/// A file that nobody holds and that is older is left over, even where a process of that number lives: in a container each has the same.
const STALE: Duration = Duration::from_secs(60);

/// What the snapshots in a folder may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How many there may be.
    pub files: u64,
    /// How long they may be together.
    pub bytes: Bytes,
}

/// What was removed from a folder.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// The snapshots that had to go, the oldest first.
    pub evicted: Vec<PathBuf>,
    /// Why one that had to go is still there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A file of ours in the folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Stored {
    name: StoredName,
    path: PathBuf,
    bytes: u64,
}

/// Removes the oldest of our own files of its kind beside `newcomer`, which is complete, until all are within `budget`; and what dead processes
/// left behind of files that they had begun. `is_alive` says whether a process lives.
///
/// Never removes the newcomer, what has not exactly the form of our names, what belongs to another user, or what is no regular file; nor the
/// recording of a process that lives, which does not count either: many processes that share a folder must not cost the dead theirs.
/// What is gone already, because another process is at the same, is no error. Reads the folder once.
pub fn sweep(newcomer: &Path, budget: Budget, is_alive: impl Fn(u32) -> bool) -> Swept {
    let folder = folder_of(newcomer);
    // One at a time: else each of two processes could remove what the other has just written.
    let _turn = turn(folder);
    let Ok(new) = newcomer.symlink_metadata() else { return Swept::default() };
    let owned = ours(folder, &new);
    for (entry, metadata) in &owned {
        remove_if_left_over(entry, metadata, &is_alive);
    }
    let name = newcomer.file_name().and_then(|name| StoredName::of(name.to_str()?));
    let kind = name.map_or(StoredKind::Snapshot, |name| name.kind());
    let mut stored: Vec<Stored> = owned
        .iter()
        .filter(|(entry, _)| Some(entry.file_name().as_os_str()) != newcomer.file_name())
        .filter_map(|(entry, metadata)| {
            let name = StoredName::of(entry.file_name().to_str()?).filter(|name| name.kind() == kind)?;
            Some(Stored { name, path: entry.path(), bytes: metadata.len() })
        })
        .filter(|stored| kind != StoredKind::Flight || !is_held(&stored.path))
        .collect();
    stored.sort();
    evict(stored, new.len(), budget, |path| std::fs::remove_file(path))
}

/// Removes what dead processes left behind in `folder` of files that they had begun, as [`sweep`] does; gives whether there was anything.
pub fn remove_leftovers(folder: &Path, is_alive: impl Fn(u32) -> bool) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let removed = entries
        .flatten()
        .filter_map(|entry| Some((entry.path().symlink_metadata().ok()?, entry)))
        .filter(|(metadata, entry)| remove_if_left_over(entry, metadata, &is_alive));
    removed.count() > 0
}

/// Removes the oldest of `stored`, which are in order, until they and `new` more bytes are within `budget`.
fn evict(
    stored: Vec<Stored>,
    new: u64,
    budget: Budget,
    remove: impl Fn(&Path) -> std::io::Result<()>,
) -> Swept {
    let mut files = stored.len() as u64 + 1;
    let mut bytes = stored.iter().fold(new, |sum, file| sum.saturating_add(file.bytes));
    let mut swept = Swept::default();
    for file in stored {
        if files <= budget.files && bytes <= budget.bytes.0 {
            break;
        }
        match remove(&file.path) {
            Ok(()) => swept.evicted.push(file.path),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // The next may go all the same: the disk is what is looked after.
            Err(error) => {
                swept.problem.get_or_insert_with(|| Error::io("remove", &file.path, &error).to_string());
                continue;
            }
        }
        files -= 1;
        bytes = bytes.saturating_sub(file.bytes);
    }
    swept
}

/// The regular files in `folder` that belong to the same user as the file with metadata `like`.
fn ours(folder: &Path, like: &Metadata) -> Vec<(DirEntry, Metadata)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let metadata = entry.path().symlink_metadata().ok()?;
            (metadata.is_file() && same_owner(&metadata, like)).then_some((entry, metadata))
        })
        .collect()
}

#[cfg(unix)]
fn same_owner(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    a.uid() == b.uid()
}

#[cfg(not(unix))]
fn same_owner(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// Whoever writes a file holds a lock on it, which ends with the process whatever it dies of. Where locks do not work, the number of the
/// process has to do.
fn remove_if_left_over(entry: &DirEntry, metadata: &Metadata, is_alive: &impl Fn(u32) -> bool) -> bool {
    let name = entry.file_name();
    let Some(leftover) = name.to_str().and_then(Leftover::of).filter(|_| metadata.is_file()) else {
        return false;
    };
    let is_dead = !is_alive(leftover.pid);
    let age = metadata.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    if !is_dead && age.is_none_or(|age| age < STALE) {
        return false;
    }
    let Ok(file) = open(&entry.path()) else { return false };
    // Held until the file is removed, so that nobody begins to write it meanwhile.
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return false,
        Err(TryLockError::Error(_)) if is_dead => {}
        Err(TryLockError::Error(_)) => return false,
    }
    std::fs::remove_file(entry.path()).is_ok()
}

/// Whether somebody holds the lock on a file, or may hold it: where locks do not work, the number of files is what suffers.
fn is_held(path: &Path) -> bool {
    open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Opens a file of ours, and nothing that was put in its place: no link is followed, no pipe waited for.
pub fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options.open(path)
}

/// A lock on the folder, if it can be had.
fn turn(folder: &Path) -> Option<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Nothing that was put in the folder's place: a pipe would be waited for.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_DIRECTORY);
    let folder = options.open(folder).ok()?;
    let since = std::time::Instant::now();
    loop {
        match folder.try_lock() {
            Ok(()) => return Some(folder),
            Err(TryLockError::WouldBlock) if since.elapsed() < TURN => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(_) => return None,
        }
    }
}

/// Where a file is.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
