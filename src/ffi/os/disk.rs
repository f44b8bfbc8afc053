//! What a disk has left, and what the system does to whoever writes too much.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::units::Bytes;

/// What this process may still write into `folder`, or into the nearest folder above that exists. Nothing where the file system does not
/// tell.
#[allow(clippy::unnecessary_cast, reason = "the figures are narrower on other systems")]
pub fn free(folder: &Path) -> Option<Bytes> {
    folder.ancestors().find_map(|folder| {
        let path = CString::new(folder.as_os_str().as_bytes()).ok().filter(|path| !path.is_empty())?;
        let mut figures = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
        // SAFETY: the path is a C string and the struct a valid place, both of which live through the call.
        if unsafe { libc::statvfs(path.as_ptr(), figures.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: all bits zero are a value of this struct of integers, and the call has filled it in.
        let figures = unsafe { figures.assume_init() };
        Some(left(figures.f_blocks as u64, figures.f_bavail as u64, figures.f_frsize as u64))
    })?
}

/// Of a file system: one that has no blocks at all does not count them.
fn left(blocks: u64, available: u64, block_bytes: u64) -> Option<Bytes> {
    (blocks > 0).then(|| Bytes(available.saturating_mul(block_bytes)))
}

/// Makes what this thread writes beyond the limit on the length of files (`ulimit -f`) an error, as a full disk is. By default it ends
/// the process.
pub fn survive_the_length_limit() {
    // SAFETY: both sets are valid places on this stack; a blocked signal that is this thread's own is gone with the thread.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGXFSZ);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

/// Whether there is a process of this number, whoever it belongs to.
pub fn is_alive(pid: u32) -> bool {
    let Some(pid) = libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 0) else { return false };
    // SAFETY: signal 0 is sent to nobody; the number is one process's, not a group's.
    let found = unsafe { libc::kill(pid, 0) } == 0;
    found || std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_yet_to_be_has_what_the_one_above_has() {
        let known = free(&std::env::temp_dir()).expect("told");
        let below = free(&std::env::temp_dir().join("heapwarden-none/a/b")).expect("told");
        let ratio = known.0 as f64 / below.0 as f64;
        assert!((0.9..1.1).contains(&ratio), "{known:?} {below:?}");
        assert_eq!(free(Path::new("heapwarden-none")), None, "nothing above it is named");
        assert_eq!(left(0, 0, 4096), None);
        assert_eq!(left(9, 2, 4096), Some(Bytes(8192)));
    }

    #[test]
    fn the_dead_are_told_from_the_living() {
        assert!(is_alive(std::process::id()) && is_alive(1));
        let mut child = std::process::Command::new("true").spawn().expect("a child");
        child.wait().expect("ended");
        assert!(!is_alive(child.id()));
        assert!(!is_alive(0) && !is_alive(u32::MAX));
    }
}
