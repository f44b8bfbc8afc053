//! Resident set size on Linux.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::units::Bytes;

/// `/proc/self/statm`, kept open: one read of some 30 bytes a sample, no allocation.
pub struct Statm {
    file: File,
    page: u64,
    last: Bytes,
}

impl Statm {
    /// Opens it; nothing where `/proc` is not mounted.
    pub fn open() -> Option<Self> {
        let file = File::open("/proc/self/statm").ok()?;
        // SAFETY: `sysconf` takes a constant, touches no memory of ours and may be called on any thread.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = u64::try_from(page).ok().filter(|&page| page > 0)?;
        Some(Self { file, page, last: Bytes(0) })
    }

    /// The resident set now; the last one read where the read fails.
    pub fn rss(&mut self) -> Bytes {
        let mut text = [0; 128];
        if let Ok(n) = self.file.read_at(&mut text, 0)
            && let Some(pages) = second_number(&text[..n])
        {
            self.last = Bytes(pages.saturating_mul(self.page));
        }
        self.last
    }
}

/// The second of the numbers in `size resident shared text lib data dt`, in pages.
fn second_number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text.split(|&b| b == b' ').nth(1)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::os::alone::alone;

    #[test]
    fn reads_this_process() {
        alone(concat!(module_path!(), "::reads_this_process"), || {
            assert_eq!(second_number(b"5 42 3 2 1\n"), Some(42));
            assert_eq!(second_number(b""), None);
            let mut statm = Statm::open().expect("Linux has /proc");
            let before = statm.rss();
            assert!(before > Bytes::mib(1) && before < Bytes::mib(4096), "{before:?}");
            let block = std::hint::black_box(vec![1u8; 64 << 20]);
            assert!(statm.rss() > Bytes(before.0 + (48 << 20)));
            drop(block);
        });
    }
}
