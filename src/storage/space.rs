//! Whether there is space on a disk for a snapshot, before anybody is stopped for it.

use std::path::Path;

use crate::compress::Compression;
use crate::error::{ErrorKind, Result};
use crate::units::Bytes;

/// How long the file of a snapshot may be, for a heap of which `heap` is used.
///
/// The length follows objects and references, not bytes, so that it is known only afterwards. The factors are above what the worst
/// of heaps took, those of nothing but references or nothing but small objects; usual ones take half of that (`bench/space.js`). Where they
/// are too low all the same, the disk is full, which is an error that leaves nothing.
pub fn expected(heap: Bytes, compression: Option<Compression>) -> Bytes {
    let percent = match compression {
        None => 300,
        Some(Compression::Gzip) => 100,
        Some(Compression::Zstd) => 50,
    };
    Bytes(heap.0 / 100 * percent)
}

/// Nothing where `free` bytes suffice for a snapshot in `folder`.
///
/// # Errors
///
/// `NoSpace`.
pub fn check(folder: &Path, heap: Bytes, compression: Option<Compression>, free: Bytes) -> Result<()> {
    let expected = expected(heap, compression);
    if free >= expected {
        return Ok(());
    }
    Err(ErrorKind::NoSpace { folder: folder.to_path_buf(), heap, expected, found: free }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_is_told_with_its_numbers() {
        let heap = Bytes::mib(100);
        let short = |compression, free| check(Path::new("/var/heap"), heap, compression, Bytes::mib(free));
        assert_eq!((short(None, 300), short(Some(Compression::Zstd), 50)), (Ok(()), Ok(())));
        let error = short(None, 299).expect_err("short");
        assert_eq!(error.code(), "HEAPWARDEN_ERR_NO_SPACE");
        assert_eq!(
            error.to_string(),
            "too little space in /var/heap for a snapshot of 100 MB of heap: expected 300 MB, found 299 MB"
        );
        assert!(short(Some(Compression::Gzip), 99).is_err());
    }
}
