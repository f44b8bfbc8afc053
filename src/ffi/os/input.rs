//! A file or a pipe to read from, without ever waiting where nobody could end the wait.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::{Error, Result};

/// Opens `path` for reading: a file, or a pipe whose writer may still come. From a pipe the reader says `Interrupted` now and
/// then while it waits.
pub fn open(path: &Path) -> Result<Opened> {
    let file = platform::open(path).map_err(|e| Error::io("open", path, &e))?;
    let metadata = file.metadata().map_err(|e| Error::io("open", path, &e))?;
    // Reading a folder would be told in other words on each system.
    if metadata.is_dir() {
        return Err(Error::io("read", path, &io::Error::other("it is a directory")));
    }
    Ok(if metadata.is_file() { Opened::File(file) } else { Opened::Pipe(platform::patient(file)) })
}

/// Opens `path` for reading where it is a regular file: nobody waits for a pipe, or reads a disk.
pub fn open_regular(path: &Path) -> Result<File> {
    let failed = |e: &io::Error| Error::io("open", path, e);
    let file = platform::open(path).map_err(|e| failed(&e))?;
    // Asked of what was opened: a name may be another file's by now.
    if file.metadata().map_err(|e| failed(&e))?.is_file() {
        return Ok(file);
    }
    Err(failed(&io::Error::other("it is no regular file")))
}

/// What a path turned out to be.
pub enum Opened {
    /// A file, in which one can go on elsewhere.
    File(File),
    /// A pipe, a socket, a terminal.
    Pipe(Box<dyn Read + Send>),
}

impl Opened {
    /// Either, to be read from the beginning to the end.
    pub fn into_reader(self) -> Box<dyn Read + Send> {
        match self {
            Self::File(file) => Box::new(file),
            Self::Pipe(pipe) => pipe,
        }
    }
}

/// The length of the file at `path`; nothing for anything else.
pub fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len())
}

#[cfg(unix)]
mod platform {
    use std::fs::{File, OpenOptions};
    use std::io::{self, ErrorKind, Read};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;

    /// How long a read waits before it says `Interrupted`.
    const POLL_MS: libc::c_int = 20;

    /// Opened without waiting: a pipe that nobody writes to would otherwise hold the thread for ever.
    pub fn open(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
    }

    pub fn patient(file: File) -> Box<dyn Read + Send> {
        Box::new(Patient { file, begun: false })
    }

    /// Reads from a pipe, a socket or a terminal; waits in short steps.
    struct Patient {
        file: File,
        /// Bytes have come, so that an end is the end and not a writer who has not come yet.
        begun: bool,
    }

    impl Read for Patient {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            loop {
                match self.file.read(buffer) {
                    Ok(0) if !self.begun && !buffer.is_empty() => match self.wait() {
                        // Linux tells a writer that came and went from one who never came; elsewhere the end is believed only
                        // after the first byte.
                        Waited::HungUp if cfg!(target_os = "linux") => self.begun = true,
                        // What is readable and yet gives nothing, as /dev/null, is at its end.
                        Waited::Bytes => self.begun = true,
                        Waited::HungUp | Waited::Nothing => return Err(ErrorKind::Interrupted.into()),
                    },
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        if matches!(self.wait(), Waited::Nothing) {
                            return Err(ErrorKind::Interrupted.into());
                        }
                    }
                    Ok(count) => {
                        self.begun |= count > 0;
                        return Ok(count);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }

    enum Waited {
        Bytes,
        HungUp,
        Nothing,
    }

    impl Patient {
        fn wait(&self) -> Waited {
            let mut poll = libc::pollfd { fd: self.file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: `poll` is one valid entry, and its descriptor is open as long as `self`. An error or an interruption
            // leaves `revents` at zero and only makes the caller look again.
            unsafe { libc::poll(&raw mut poll, 1, POLL_MS) };
            if poll.revents & libc::POLLIN != 0 {
                return Waited::Bytes;
            }
            if poll.revents == 0 {
                return Waited::Nothing;
            }
            if !cfg!(target_os = "linux") && !self.begun {
                // Such a system says so at once and always: without a pause this would spin.
                std::thread::sleep(std::time::Duration::from_millis(POLL_MS.unsigned_abs().into()));
            }
            Waited::HungUp
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use std::fs::File;
    use std::io::{self, Read};
    use std::path::Path;

    pub fn open(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub fn patient(file: File) -> Box<dyn Read + Send> {
        Box::new(file)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::CString;
    use std::io::Write;
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;

    use super::*;

    struct Fifo(PathBuf);

    impl Fifo {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("heapwarden-input-{name}-{}", std::process::id()));
            let c = CString::new(path.as_os_str().as_bytes()).expect("a path");
            // SAFETY: `c` is a C string that outlives the call.
            assert_eq!(unsafe { libc::mkfifo(c.as_ptr(), 0o600) }, 0);
            Self(path)
        }
    }

    impl Drop for Fifo {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn patiently(reader: &mut dyn Read) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), [0; 100]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return all,
                Ok(count) => all.extend_from_slice(&buffer[..count]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::Interrupted),
            }
        }
    }

    #[test]
    fn a_pipe_is_read_from_before_its_writer_comes_until_it_goes() {
        let fifo = Fifo::new("late");
        let mut reader = open(&fifo.0).expect("opened").into_reader();
        assert_eq!(size(&fifo.0), None);
        let none = reader.read(&mut [0; 8]).expect_err("nobody writes");
        assert_eq!(none.kind(), io::ErrorKind::Interrupted);
        let path = fifo.0.clone();
        let writing = std::thread::spawn(move || {
            let mut file = std::fs::OpenOptions::new().write(true).open(path).expect("opened");
            file.write_all(b"one, ").expect("written");
            std::thread::sleep(std::time::Duration::from_millis(60));
            file.write_all(b"two").expect("written");
        });
        assert_eq!(patiently(&mut *reader), b"one, two");
        writing.join().expect("no panic");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_writer_that_writes_nothing_ends_the_wait() {
        let fifo = Fifo::new("empty");
        let mut reader = open(&fifo.0).expect("opened").into_reader();
        drop(std::fs::OpenOptions::new().write(true).open(&fifo.0).expect("opened"));
        assert_eq!(patiently(&mut *reader), b"");
    }

    #[test]
    fn a_device_that_gives_nothing_is_at_its_end() {
        let mut reader = open(Path::new("/dev/null")).expect("opened").into_reader();
        assert_eq!(patiently(&mut *reader), b"");
    }

    #[test]
    fn a_folder_is_no_input() {
        let error = open(&std::env::temp_dir()).err().expect("refused");
        assert_eq!(error.code(), "HEAPWARDEN_ERR_IO");
    }
}
