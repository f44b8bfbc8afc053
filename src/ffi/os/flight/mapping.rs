//! A file that is memory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use super::places;
use crate::error::{Error, Result};
use crate::recorder::Medium;
use crate::report::{create_folder, for_its_owner};
use crate::units::UnixMillis;

/// As many names are tried: one a millisecond.
const ATTEMPTS: u64 = 1000;

/// A file of a fixed length, mapped for writing. What is stored into it survives the process: the pages are the kernel's.
pub struct Mapping {
    memory: NonNull<u8>,
    bytes: usize,
    /// Open, and locked, for as long as the recording is written.
    file: File,
    path: PathBuf,
    registered: Option<places::Registered>,
}

// SAFETY: the memory is shared and written with atomic stores alone; `File` and the rest are `Send` themselves.
unsafe impl Send for Mapping {}
// SAFETY: as above: `put` may be called from many threads, and each of its stores is atomic.
unsafe impl Sync for Mapping {}

/// Set in a child of this process that goes on without `exec`, a clone of it: the recording is its parent's.
static IS_CHILD: AtomicBool = AtomicBool::new(false);

/// Whether this process is a child that was forked off the one that records.
pub fn is_child() -> bool {
    IS_CHILD.load(Ordering::Relaxed)
}

extern "C" fn in_child() {
    IS_CHILD.store(true, Ordering::Relaxed);
}

/// Has children know that they are children.
fn watch_forks() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler is a function of this library, which is never unloaded once a recording was begun (`signals::install` pins
        // it, and the library cannot go between here and there: this is its own code on the way to it). It stores one atomic.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

impl Mapping {
    /// A new file in `directory`, all zeros, and the time in its name: `at`, or a little later where that name is taken.
    pub fn create(
        directory: &Path,
        at: UnixMillis,
        bytes: usize,
        name: impl Fn(UnixMillis) -> String,
    ) -> Result<(Self, UnixMillis)> {
        create_folder(directory).map_err(|e| Error::io("create the folder", directory, &e))?;
        let mut last = None;
        for later in 0..ATTEMPTS {
            let at = UnixMillis(at.0.saturating_add(later));
            let path = directory.join(name(at));
            match Self::at(&path, bytes) {
                Ok(mapping) => return Ok((mapping, at)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => last = Some((path, error)),
                Err(error) => return Err(Error::io("create", &path, &error)),
            }
        }
        let (path, error) =
            last.unwrap_or_else(|| (directory.to_path_buf(), ErrorKind::AlreadyExists.into()));
        Err(Error::io("create", &path, &error))
    }

    /// The file at `path`, which must be new.
    fn at(path: &Path, bytes: usize) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        for_its_owner(&file);
        let mapped = own(&file).and_then(|()| reserve(&file, bytes)).and_then(|()| map(&file, bytes));
        let memory = mapped.inspect_err(|_| {
            let _ = std::fs::remove_file(path);
        })?;
        watch_forks();
        let registered = places::register(memory, bytes);
        Ok(Self { memory, bytes, file, path: path.to_path_buf(), registered })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Locks the file for as long as it is open. Where locks do not work it goes without.
///
/// # Errors
///
/// `AlreadyExists` where somebody who makes room took it for a dead process's in the moment before.
fn own(file: &File) -> io::Result<()> {
    let is_taken = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    if is_taken || file.metadata()?.nlink() == 0 {
        return Err(ErrorKind::AlreadyExists.into());
    }
    Ok(())
}

/// Has the file system set all of the file's space aside: a disk that is full is an error here and now. A hole that is stored into later,
/// when the disk is full, is a SIGBUS.
fn reserve(file: &File, bytes: usize) -> io::Result<()> {
    // To grow beyond the limit on the length of files (`ulimit -f`) ends the process by default.
    // SAFETY: the struct is a valid place for the answer.
    let limit = unsafe {
        let mut limit = std::mem::zeroed::<libc::rlimit>();
        if libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) == 0 {
            limit.rlim_cur
        } else {
            libc::RLIM_INFINITY
        }
    };
    if limit < bytes as libc::rlim_t {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    let length = libc::off_t::try_from(bytes).map_err(|_| ErrorKind::FileTooLarge)?;
    // SAFETY: the descriptor is open for writing, and the call touches nothing but the file.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, length) } {
        0 => Ok(()),
        // A file system that cannot set space aside; written, it is there as well as it will ever be.
        libc::EOPNOTSUPP | libc::EINVAL | libc::ENOSYS => {
            let zeros = [0; 4096];
            (0..bytes.div_ceil(zeros.len())).try_for_each(|_| (&*file).write_all(&zeros))
        }
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

fn map(file: &File, bytes: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at a place of the kernel's choice, of a file that is open for reading and writing and as long as the mapping;
    // it is unmapped in `drop`, by its only owner.
    //
    // To store into it may raise SIGBUS where the file has no such page (any more). That it has all of them, on the disk too, is seen to
    // by `reserve`. That it keeps them is not in our hands: somebody may cut the file off, a disk may fail, a file system that copies on
    // writing may find no room for the copy. Then the handler of SIGBUS, which is installed before anything is stored, puts anonymous
    // memory in the mapping's place: the recording ends there, and the process does not.
    let memory = unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        libc::mmap(std::ptr::null_mut(), bytes, protection, flags, file.as_raw_fd(), 0)
    };
    if memory == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the range is the mapping just made. A child without it is forked sooner and cannot write what its parent records.
    unsafe { libc::madvise(memory, bytes, libc::MADV_DONTFORK) };
    NonNull::new(memory.cast()).ok_or_else(|| ErrorKind::Other.into())
}

/// Copies `bytes` to `to` with atomic stores. Calls nothing: a signal handler may do it.
///
/// # Safety
///
/// From `to` on there must be as many bytes of mapped, writable memory, to which nobody has a reference, and `to` must be a multiple of 8.
pub unsafe fn store(to: *mut u8, bytes: &[u8]) {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        // SAFETY: the word is within what the caller vouches for, and aligned because `to` is. Others who write there, in this process, do
        // so with atomic stores too.
        let place = unsafe { AtomicU64::from_ptr(to.add(8 * index).cast()) };
        place.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
    }
    for (index, byte) in rest.iter().enumerate() {
        // SAFETY: as above; a byte needs no alignment.
        let place = unsafe { AtomicU8::from_ptr(to.add(8 * words.len() + index)) };
        place.store(*byte, Ordering::Relaxed);
    }
}

impl Medium for Mapping {
    fn put(&self, offset: usize, bytes: &[u8]) {
        let fits = offset.checked_add(bytes.len()).is_some_and(|end| end <= self.bytes);
        if !fits || !offset.is_multiple_of(8) || is_child() {
            return;
        }
        // SAFETY: the range is within the mapping, which lives as long as `self`; its start is a multiple of a page and `offset` one of 8.
        // No reference into it was ever made. In a child it is not mapped, and nothing is stored.
        unsafe { store(self.memory.as_ptr().add(offset), bytes) };
    }

    fn flush(&self) {
        if is_child() {
            return;
        }
        // SAFETY: the descriptor is open; length 0 means up to the end. The call begins to write what is not on the disk and returns.
        unsafe { libc::sync_file_range(self.file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let is_forgotten = self.registered.take().is_none_or(places::unregister);
        // A handler that still runs may store into it: then it stays, as the process does not.
        if is_forgotten && !is_child() {
            // SAFETY: the range is this mapping, made in `map` and owned by nobody else; no handler knows of it any more.
            unsafe { libc::munmap(self.memory.as_ptr().cast(), self.bytes) };
        }
    }
}
