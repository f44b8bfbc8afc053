//! A path that another writer takes for a file, and that is read here while it is written.
//!
//! For `v8.writeHeapSnapshot(path)`, where there is no bridge: V8's text then needs no disk. On Unix the path is a named
//! pipe. Elsewhere it is a temporary file, read when it is complete.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::error::Result;
use crate::report::{fresh, new_folder};

/// The path's owner: removes it when dropped.
pub struct Pipe {
    folder: PathBuf,
    path: PathBuf,
    done: Arc<AtomicBool>,
}

impl Pipe {
    /// Makes the path in a fresh folder of its own (0700) inside `parent`, and the end to read from.
    ///
    /// `parent` is the caller's to say: reading the environment here would race with JavaScript that writes to it on
    /// another thread.
    pub fn create(parent: &Path) -> Result<(Self, impl Read + Send + use<>)> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let (folder, ()) = fresh(&COUNTER, "create the folder", |unique| {
            let folder = parent.join(format!("heapwarden-pipe-{}-{unique}", std::process::id()));
            let created = new_folder(&folder);
            (folder, created)
        })?;
        let path = folder.join("snapshot.heapsnapshot");
        let done = Arc::new(AtomicBool::new(false));
        // From here on the folder is removed whatever happens.
        let pipe = Self { folder, path, done };
        let reader = platform::open(&pipe.path, Arc::clone(&pipe.done))?;
        Ok((pipe, reader))
    }

    /// The path to write to, once.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // The writer is through, or never came: what is buffered is the rest.
        self.done.store(true, Ordering::Release);
        #[cfg(unix)]
        {
            let _ = std::fs::remove_file(&self.path);
            let _ = std::fs::remove_dir(&self.folder);
        }
    }
}

#[cfg(unix)]
mod platform {
    use std::ffi::CString;
    use std::fs::{File, OpenOptions};
    use std::io::{self, Read};
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::error::{Error, Result};

    /// How long a read waits before it looks whether the writer is through.
    const POLL_MS: libc::c_int = 20;

    /// The reading end; opened without waiting, so that a writer that never comes cannot hold the reader for ever.
    pub struct Reader {
        file: File,
        done: Arc<AtomicBool>,
    }

    pub fn open(path: &Path, done: Arc<AtomicBool>) -> Result<Reader> {
        let name = CString::new(path.as_os_str().as_bytes())
            .map_err(|e| Error::io("create the pipe", path, &io::Error::other(e)))?;
        // SAFETY: `name` is a C string that outlives the call.
        if unsafe { libc::mkfifo(name.as_ptr(), 0o600) } != 0 {
            return Err(Error::io("create the pipe", path, &io::Error::last_os_error()));
        }
        // What an unusual umask has taken; the folder is nobody else's.
        // SAFETY: as above.
        unsafe { libc::chmod(name.as_ptr(), 0o600) };
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
        Ok(Reader { file: file.map_err(|e| Error::io("open", path, &e))?, done })
    }

    impl Read for Reader {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            loop {
                // Asked before the read: what the writer wrote before it was through is then seen by the read.
                let done = self.done.load(Ordering::Acquire);
                match self.file.read(buffer) {
                    // No writer holds the pipe: not yet, or no longer.
                    Ok(0) if done => return Ok(0),
                    Ok(0) => std::thread::sleep(std::time::Duration::from_millis(1)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(),
                    other => return other,
                }
            }
        }
    }

    impl Reader {
        /// Waits for bytes or for the writer to go.
        fn wait(&self) {
            let mut poll = libc::pollfd { fd: self.file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: `poll` is one valid entry, and its descriptor is open as long as `self`. An error or an
            // interruption only makes the caller look again.
            unsafe { libc::poll(&raw mut poll, 1, POLL_MS) };
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use std::fs::File;
    use std::io::{self, Read};
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::error::Result;

    /// Reads the finished file and removes it with its folder.
    pub struct Reader {
        path: PathBuf,
        file: Option<File>,
        done: Arc<AtomicBool>,
    }

    pub fn open(path: &Path, done: Arc<AtomicBool>) -> Result<Reader> {
        Ok(Reader { path: path.to_path_buf(), file: None, done })
    }

    impl Read for Reader {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            while !self.done.load(Ordering::Acquire) {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            if self.file.is_none() {
                self.file = Some(File::open(&self.path)?);
            }
            self.file.as_mut().map_or(Ok(0), |file| file.read(buffer))
        }
    }

    impl Drop for Reader {
        fn drop(&mut self) {
            self.file = None;
            let _ = std::fs::remove_file(&self.path);
            if let Some(folder) = self.path.parent() {
                let _ = std::fs::remove_dir(folder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_is_left() {
        let (pipe, mut reader) = Pipe::create(&std::env::temp_dir()).expect("a pipe");
        let folder = pipe.folder.clone();
        let text: Vec<u8> = (0..1_000_000u32).map(|i| i as u8).collect();
        let reading = std::thread::spawn(move || {
            let mut got = Vec::new();
            reader.read_to_end(&mut got).map(|_| got)
        });
        std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(pipe.path())
            .expect("open")
            .write_all(&text)
            .expect("written");
        drop(pipe);
        assert!(reading.join().expect("no panic").expect("read") == text);
        assert!(!folder.exists());
    }

    #[test]
    fn a_writer_that_never_comes_does_not_hold_the_reader() {
        let (pipe, mut reader) = Pipe::create(&std::env::temp_dir()).expect("a pipe");
        drop(pipe);
        #[cfg(unix)]
        assert_eq!(reader.read(&mut [0; 8]).expect("the end"), 0);
        #[cfg(not(unix))]
        assert!(reader.read(&mut [0; 8]).is_err());
    }
}
