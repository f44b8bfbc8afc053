//! Memory for a while, which the system has back the moment that it is dropped.
//!
//! A block of a megabyte from the C allocator has a mapping of its own, too; but when it is freed glibc takes that for a sign that blocks up to this
//! size are wanted again, keeps them in its arenas from then on, and gives an arena's end back at twice that size only. In a process that
//! read ten recordings at its start 4.7 MB stayed resident for that.

use std::io::{self, Read};
use std::ops::Deref;

/// Bytes that were read, in a mapping of their own.
pub struct Region {
    #[cfg(unix)]
    start: std::ptr::NonNull<u8>,
    #[cfg(unix)]
    mapped: usize,
    #[cfg(not(unix))]
    bytes: Vec<u8>,
    length: usize,
}

impl Region {
    /// What `source` gives, `most` bytes at most.
    ///
    /// # Errors
    ///
    /// The source's; `OutOfMemory` where there is none.
    pub fn read(mut source: impl Read, most: usize) -> io::Result<Self> {
        let mut region = Self::of(most.max(1))?;
        while region.length < most {
            let at = region.length;
            match source.read(&mut region.room()[at..most]) {
                Ok(0) => break,
                Ok(count) => region.length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(region)
    }

    #[cfg(unix)]
    fn of(mapped: usize) -> io::Result<Self> {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping of a length above 0, at a place that the system chooses.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), mapped, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let start = std::ptr::NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, mapped, length: 0 })
    }

    #[cfg(not(unix))]
    fn of(mapped: usize) -> io::Result<Self> {
        Ok(Self { bytes: vec![0; mapped], length: 0 })
    }

    /// All of it, read or not.
    #[cfg(unix)]
    fn room(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is this value's alone from `of` to `drop`, of that length, readable and writable, and zero where nothing was read.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.mapped) }
    }

    #[cfg(not(unix))]
    fn room(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Deref for Region {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        #[cfg(unix)]
        // SAFETY: as in `room`; `length` is at most `mapped`, because `read` reads into the room alone. Nobody writes while it is borrowed.
        return unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) };
        #[cfg(not(unix))]
        &self.bytes[..self.length]
    }
}

#[cfg(unix)]
impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: mapped by `of` with this length, and nothing borrows it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.mapped) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte at a time, and is interrupted now and then.
    struct Slow<'a>(&'a [u8], bool);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.0.read(&mut buffer[..1])
        }
    }

    #[test]
    fn it_has_what_was_read_and_no_more_than_was_asked_for() {
        let text: Vec<u8> = (0..10_000u32).map(|i| i as u8).collect();
        for most in [0, 1, 4096, 9_999, 10_000, 20_000] {
            let wanted = &text[..most.min(text.len())];
            assert_eq!(&*Region::read(&text[..], most).expect("read"), wanted, "{most}");
            assert_eq!(&*Region::read(Slow(&text, false), most).expect("read"), wanted, "{most}, slowly");
        }
        assert!(Region::read(io::empty(), 100).expect("read").is_empty());
    }

    #[test]
    fn an_error_is_the_sources() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::PermissionDenied.into())
            }
        }
        let error = Region::read(Broken, 100).err().map(|error| error.kind());
        assert_eq!(error, Some(io::ErrorKind::PermissionDenied));
        #[cfg(unix)]
        assert_eq!(
            Region::read(io::empty(), usize::MAX).err().map(|e| e.kind()),
            Some(io::ErrorKind::OutOfMemory)
        );
    }
}
