//! The black box's file: mapped memory that the kernel keeps whatever the process dies of, and the last words of a fatal signal.
//!
//! - [`mapping`]: the file, its lock, and how it is written to.
//! - [`places`]: the recordings that handlers know of, and the last words in them.
//! - [`signals`]: handlers of fatal signals, which write the last words and then have happen what would have happened without them.
//! - [`stack`]: a stack of its own for the handlers, so that a stack that overflowed is no obstacle.

mod mapping;
mod places;
mod signals;
mod stack;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use mapping::Mapping;
pub use signals::thread;
pub use stack::AltStack;

use crate::error::Result;
use crate::recorder::{Header, Layout, Recorder};
use crate::units::UnixMillis;

/// A recording that is being written.
pub struct Flight {
    /// Writes it.
    pub recorder: Arc<Recorder>,
    /// Its file.
    pub path: PathBuf,
    /// Until then handlers on this thread have a stack of their own. Not `Send`, so that it is dropped on the thread that it was made on.
    _stack: Option<Rc<AltStack>>,
}

/// Begins a recording in `directory`, which is made where it is missing, for the thread that calls. `header` says all but what is known
/// here: the size as it is, the time, the thread and the boot.
///
/// With the first one in a process handlers of fatal signals are installed, which stay.
///
/// # Errors
///
/// `Io` where the file cannot be made, or there is no space for all of it.
pub fn begin(directory: &Path, header: Header) -> Result<Flight> {
    let layout = Layout::of(usize::try_from(header.bytes).unwrap_or(usize::MAX));
    let name = |at: UnixMillis| file_name(at, header.pid, header.thread_id);
    let (mapping, started_at) = Mapping::create(directory, UnixMillis::now(), layout.bytes, name)?;
    let path = mapping.path().to_path_buf();
    let header = Header {
        bytes: layout.bytes as u64,
        started_at,
        os_thread: signals::thread(),
        boot_id: boot_id(),
        ..header
    };
    // Before anything is stored: the handler of SIGBUS is what a store into a file that is cut off needs.
    let stack = AltStack::of_this_thread();
    signals::install();
    let recorder = Arc::new(Recorder::begin(Box::new(mapping), &header));
    Ok(Flight { recorder, path, _stack: stack })
}

/// Whether the process that writes the recording lives: it holds a lock on the file. Nothing where locks do not work there.
///
/// A lock is the file system's: on one machine it holds across containers that share the volume; on a network file system across machines
/// where that has locks.
pub fn is_alive(path: &Path) -> Option<bool> {
    let file = crate::storage::open(path).ok()?;
    match file.try_lock_shared() {
        Ok(()) => Some(false),
        Err(std::fs::TryLockError::WouldBlock) => Some(true),
        Err(std::fs::TryLockError::Error(_)) => None,
    }
}

/// `heapwarden-flight-20261121T131218-123Z-PID-THREAD.hwr`.
fn file_name(at: UnixMillis, pid: u32, thread_id: u32) -> String {
    let time = at.to_string().replace(['-', ':'], "").replace('.', "-");
    format!("heapwarden-flight-{time}-{pid}-{thread_id}.hwr")
}

fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{End, EndKind, Recording, SMALLEST_BYTES};
    use crate::units::{Bytes, Micros};

    pub fn header() -> Header {
        Header {
            bytes: SMALLEST_BYTES as u64,
            started_at: UnixMillis(0),
            pid: std::process::id(),
            thread_id: 0,
            os_thread: 0,
            interval: Micros(1000),
            heap_limit: Bytes(1),
            container_limit: None,
            boot_id: String::new(),
            node: "v20.0.0".into(),
            title: "a test".into(),
        }
    }

    #[test]
    fn what_is_recorded_is_in_the_file_at_once_and_stays() {
        let folder = std::env::temp_dir().join(format!("heapwarden-flight-{}", std::process::id()));
        let flight = begin(&folder, header()).expect("begun");
        let other = begin(&folder, header()).expect("another one beside it");
        assert_ne!(flight.path, other.path);
        let read = |path: &Path| Recording::read(&std::fs::read(path).expect("a file")).expect("a recording");
        let header = read(&flight.path).header;
        assert_eq!((header.os_thread, header.boot_id.is_empty()), (signals::thread(), false));
        assert_eq!(read(&flight.path).end, None);
        assert_eq!(is_alive(&flight.path), Some(true));
        let end = End { at: UnixMillis(1), kind: EndKind::Exit, exit_code: Some(3) };
        assert!(flight.recorder.end(&end) && !flight.recorder.end(&End { exit_code: Some(4), ..end }));
        assert_eq!(read(&flight.path).end, Some(end));
        let path = flight.path.clone();
        drop(flight);
        assert_eq!(is_alive(&path), Some(false));
        assert_eq!(read(&path).end, Some(end));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let metadata = std::fs::metadata(&path).expect("there");
            assert_eq!(
                (metadata.permissions().mode() & 0o777, metadata.len()),
                (0o600, SMALLEST_BYTES as u64)
            );
        }
        std::fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn a_place_that_cannot_be_is_an_error() {
        let error = begin(Path::new("/dev/null/x"), header()).err().expect("no folder");
        assert_eq!(error.code(), "HEAPWARDEN_ERR_IO");
    }

    #[test]
    fn a_file_that_somebody_cuts_off_does_not_end_the_process() {
        let folder = std::env::temp_dir().join(format!("heapwarden-flight-cut-{}", std::process::id()));
        let flight = begin(&folder, header()).expect("begun");
        std::fs::OpenOptions::new()
            .write(true)
            .open(&flight.path)
            .and_then(|file| file.set_len(0))
            .expect("cut");
        let end = End { at: UnixMillis(1), kind: EndKind::Stopped, exit_code: None };
        // Without the handler of SIGBUS this is the end of the test's process.
        assert!(flight.recorder.end(&end));
        std::fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn a_name_tells_when_and_whose() {
        let name = file_name(UnixMillis(1_795_232_940_120), 7, 2);
        assert_eq!(name, "heapwarden-flight-20261121T034900-120Z-7-2.hwr");
    }
}
