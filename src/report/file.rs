//! Files that appear whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::compress::{Compression, Encoder};
use crate::error::{Error, Result};

/// A file that is written under a temporary name beside its place, and gets its own name when it is complete.
///
/// Readable by its owner alone (0600): heap contents are secrets. Dropped without [`AtomicFile::commit`], it leaves
/// nothing behind. An existing file of that name is replaced.
pub struct AtomicFile {
    content: Content,
    place: Reserved,
}

/// A place for a file: an empty one under a temporary name. Dropped without [`Reserved::publish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Reserved {
    /// Nothing only while the file is closed for good.
    file: Option<File>,
    temporary: PathBuf,
    path: PathBuf,
}

/// What is written into a [`Reserved`] file, by this process or by a clone of it. May be compressed as it is written.
pub struct Content {
    encoder: Encoder<Counted>,
    temporary: PathBuf,
}

/// A file, and how many bytes went into it.
struct Counted {
    file: File,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl AtomicFile {
    /// Starts the file that will be at `path`; folders that are missing on the way are created (0700).
    pub fn create(path: &Path) -> Result<Self> {
        let place = Reserved::create(path)?;
        Ok(Self { content: place.content(None)?, place })
    }

    /// Writes all of `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.content.write(bytes)
    }

    /// Brings the content to the disk and gives the file its name; gives its length in bytes.
    pub fn commit(self) -> Result<u64> {
        let bytes = self.content.finish()?;
        self.place.publish()?;
        Ok(bytes)
    }
}

impl Reserved {
    /// A place for the file that will be at `path`; folders that are missing on the way are created (0700).
    pub fn create(path: &Path) -> Result<Self> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        create_folder(folder).map_err(|e| Error::io("create the folder", folder, &e))?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let (temporary, file) = fresh(&COUNTER, "create", |unique| {
            let mut name = std::ffi::OsString::from(".");
            name.push(path.file_name().unwrap_or_default());
            name.push(format!(".{}-{unique}.tmp", std::process::id()));
            let temporary = folder.join(name);
            let opened = options.open(&temporary).and_then(held);
            if let Ok(file) = &opened {
                for_its_owner(file);
            }
            (temporary, opened)
        })?;
        Ok(Self { file: Some(file), temporary, path: path.to_path_buf() })
    }

    /// What is to be written there, compressed if so; from the start, whatever was written before.
    pub fn content(&self, compression: Option<Compression>) -> Result<Content> {
        let fail = |operation| move |e: std::io::Error| Error::io(operation, &self.temporary, &e);
        let Some(file) = &self.file else { return Err(fail("open")(ErrorKind::NotFound.into())) };
        let mut file = file.try_clone().map_err(fail("open"))?;
        file.set_len(0).and_then(|()| file.rewind()).map_err(fail("write"))?;
        let encoder = Encoder::new(Counted { file, bytes: 0 }, compression).map_err(fail("compress"))?;
        Ok(Content { encoder, temporary: self.temporary.clone() })
    }

    /// Where the file will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, for a clone to keep.
    #[cfg(unix)]
    pub fn descriptor(&self) -> Option<std::os::fd::RawFd> {
        self.file.as_ref().map(std::os::fd::AsRawFd::as_raw_fd)
    }

    /// Gives the file its name, once its content is complete.
    pub fn publish(mut self) -> Result<()> {
        // Closed first, here as in `drop`: some systems neither rename nor remove what is open.
        self.file = None;
        let renamed = std::fs::rename(&self.temporary, &self.path);
        if renamed.is_err() {
            let _ = std::fs::remove_file(&self.temporary);
        }
        renamed.map_err(|e| Error::io("rename", &self.path, &e))?;
        // The name itself must reach the disk too; a file system that cannot sync a folder has other ways.
        if let Some(folder) = self.path.parent()
            && let Ok(folder) = open_folder(folder)
        {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

impl Content {
    /// Writes all of `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.encoder.write_all(bytes).map_err(|e| Error::io("write", &self.temporary, &e))
    }

    /// Brings the content to the disk; gives its length in bytes.
    pub fn finish(self) -> Result<u64> {
        let Counted { file, bytes } =
            self.encoder.finish().map_err(|e| Error::io("write", &self.temporary, &e))?;
        file.sync_all().map_err(|e| Error::io("sync", &self.temporary, &e))?;
        Ok(bytes)
    }
}

/// Creates something under a name that `create` makes of a number, with the next number where that name is taken.
///
/// It is taken by what a killed process left behind: in a container every run has the same process id.
pub fn fresh<T>(
    counter: &AtomicU32,
    operation: &'static str,
    mut create: impl FnMut(u32) -> (PathBuf, std::io::Result<T>),
) -> Result<(PathBuf, T)> {
    /// More leftovers than that are a defect elsewhere.
    const ATTEMPTS: u32 = 10_000;
    let mut attempt = 0;
    loop {
        attempt += 1;
        match create(counter.fetch_add(1, Ordering::Relaxed)) {
            (path, Ok(created)) => return Ok((path, created)),
            (_, Err(error)) if error.kind() == ErrorKind::AlreadyExists && attempt < ATTEMPTS => {}
            (path, Err(error)) => return Err(Error::io(operation, &path, &error)),
        }
    }
}

/// The file just created, with a lock on it for as long as it is open here or in a clone: what tells it from a file that a dead process
/// left behind. Where locks do not work it goes without.
///
/// # Errors
///
/// `AlreadyExists` where somebody took it for left over in the moment before.
fn held(file: File) -> std::io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let is_taken = matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock));
        if is_taken || file.metadata()?.nlink() == 0 {
            return Err(ErrorKind::AlreadyExists.into());
        }
    }
    Ok(file)
}

/// Creates a folder, and those above it that are missing, for their owner alone (0700), whatever the process's umask.
///
/// What stands on the way is followed where it is a link to a folder: where evidence goes is said by whoever runs the program.
pub fn create_folder(folder: &Path) -> std::io::Result<()> {
    // A path of one name has nothing above it.
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let created = match new_folder(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let above = folder.parent().ok_or(error)?;
            create_folder(above)?;
            new_folder(folder)
        }
        created => created,
    };
    match created {
        Ok(()) => Ok(()),
        // Somebody else was quicker.
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Creates a folder for its owner alone (0700), whatever the process's umask.
pub fn new_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    // What an unusual umask has taken: not even its owner could put anything into it. By its name, since what may not be read cannot be opened.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let lacks = |found: std::fs::Metadata| found.is_dir() && found.permissions().mode() & 0o700 != 0o700;
        if folder.symlink_metadata().is_ok_and(lacks) {
            let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700));
        }
    }
    Ok(())
}

/// Gives the owner of a file that was just created the rights (0600) that an unusual umask has taken: a report that nobody can read is none.
/// Never gives anybody else any. Where the file system knows no rights it goes without.
pub fn for_its_owner(file: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if file.metadata().is_ok_and(|found| found.permissions().mode() & 0o600 != 0o600) {
            let _ = file.set_permissions(std::fs::Permissions::from_mode(0o600));
        }
    }
    #[cfg(not(unix))]
    let _ = file;
}

/// Opens a folder, and nothing that was put in its place: a pipe would be waited for.
fn open_folder(folder: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_DIRECTORY);
    options.open(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_name_that_exists_is_whole() {
        let root = std::env::temp_dir().join(format!("heapwarden-file-{}", std::process::id()));
        let folder = root.join("a/b");
        let path = folder.join("report.json");

        let mut file = AtomicFile::create(&path).expect("created");
        file.write(b"half").expect("written");
        assert!(!path.exists());
        drop(file);
        assert!(entries(&folder).is_empty(), "a file that was given up leaves nothing");

        for content in ["first", "second"] {
            let mut file = AtomicFile::create(&path).expect("created");
            file.write(content.as_bytes()).expect("written");
            assert_eq!(file.commit(), Ok(content.len() as u64));
            assert_eq!(std::fs::read_to_string(&path).expect("readable"), content);
        }
        assert_eq!(entries(&folder), ["report.json"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |p: &Path| std::fs::metadata(p).expect("there").permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(&folder)), (0o600, 0o700));
        }
        std::fs::remove_dir_all(&root).expect("removed");
    }

    #[test]
    fn a_compressed_file_is_whole_too_and_knows_its_length() {
        let text = b"[1,2,3]".repeat(10_000);
        for compression in [Compression::Gzip, Compression::Zstd] {
            let name = format!("heapwarden-file-{}-{}", compression.name(), std::process::id());
            let path = std::env::temp_dir().join(name);
            let place = Reserved::create(&path).expect("created");
            let mut given_up = place.content(None).expect("open");
            given_up
                .write(b"an attempt that came to nothing, and was longer than what comes after it")
                .expect("written");
            drop(given_up);
            let mut content = place.content(Some(compression)).expect("open");
            text.chunks(999).for_each(|chunk| content.write(chunk).expect("written"));
            let length = content.finish().expect("finished");
            assert!(!path.exists());
            place.publish().expect("published");
            let stored = std::fs::read(&path).expect("readable");
            std::fs::remove_file(&path).expect("removed");
            assert_eq!(stored.len() as u64, length);
            assert!(stored.len() * 10 < text.len());
            let (mut decoder, mut back) = (crate::compress::Decoder::new(), Vec::new());
            let mut sink = |piece: &[u8]| {
                back.extend_from_slice(piece);
                Ok(())
            };
            decoder.feed(&stored, &mut sink).and_then(|()| decoder.finish(&mut sink)).expect("whole");
            assert!(back == text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_held_while_it_is_written_and_no_longer() {
        let path = std::env::temp_dir().join(format!("heapwarden-file-held-{}", std::process::id()));
        let place = Reserved::create(&path).expect("created");
        let other = File::open(&place.temporary).expect("readable");
        assert!(other.try_lock().is_err());
        // What stands in a clone is the same open file.
        let content = place.content(None).expect("open");
        assert!(other.try_lock().is_err());
        content.finish().expect("finished");
        place.publish().expect("published");
        assert!(other.try_lock().is_ok());
        std::fs::remove_file(&path).expect("removed");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_is_full_is_an_error_that_says_so() {
        let full = |compression| {
            let file = OpenOptions::new().write(true).open("/dev/full").expect("there");
            let encoder = Encoder::new(Counted { file, bytes: 0 }, compression).expect("an encoder");
            let mut content = Content { encoder, temporary: "a.tmp".into() };
            let mut noise = (0..1u32 << 18).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes());
            let written = noise.try_for_each(|word| content.write(&word));
            written.and_then(|()| content.finish().map(drop)).expect_err("full")
        };
        for compression in [None, Some(Compression::Gzip), Some(Compression::Zstd)] {
            let error = full(compression);
            assert_eq!(error.code(), "HEAPWARDEN_ERR_IO");
            assert!(error.to_string().starts_with("cannot write a.tmp: No space left"), "{error}");
        }
    }

    #[test]
    fn what_a_killed_process_left_behind_is_stepped_over() {
        let counter = AtomicU32::new(0);
        let taken = || std::io::Error::from(ErrorKind::AlreadyExists);
        let made = |n: u32| (PathBuf::from(n.to_string()), if n < 3 { Err(taken()) } else { Ok(n) });
        assert_eq!(fresh(&counter, "create", made), Ok((PathBuf::from("3"), 3)));
        let error =
            fresh::<()>(&counter, "create", |_| (PathBuf::new(), Err(taken()))).expect_err("all taken");
        assert_eq!(error.code(), "HEAPWARDEN_ERR_IO");
    }

    #[test]
    fn a_place_that_cannot_be_says_so() {
        let error = AtomicFile::create(Path::new("/dev/null/x/report.json")).err().expect("not a folder");
        assert_eq!(error.code(), "HEAPWARDEN_ERR_IO");
    }
}
