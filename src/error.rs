//! The one error type of the core: what was expected, what was found, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::units::Bytes;

/// What went wrong, with the numbers that a reader needs to act on it.
///
/// [`ErrorKind::code`] gives the name that JavaScript sees as `error.code`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input ended where more was expected.
    SnapshotTruncated {
        /// What should have followed, e.g. `a number in "nodes"`.
        expected: String,
    },
    /// A byte that cannot stand where it stands.
    SnapshotSyntax {
        /// What should have stood there.
        expected: String,
        /// What stood there, printable.
        found: String,
    },
    /// Well-formed JSON that does not describe a V8 heap snapshot.
    SnapshotSchema {
        /// What a snapshot has there.
        expected: String,
        /// What this one has.
        found: String,
    },
    /// The header's count and the array's length differ.
    SnapshotCount {
        /// `nodes`, `edges`, `strings`, ...
        section: &'static str,
        /// What the header declares.
        declared: u64,
        /// What the array holds.
        found: u64,
    },
    /// An index that points outside its table.
    SnapshotIndex {
        /// Which field held it, e.g. `edge to_node`.
        field: &'static str,
        /// The index found.
        index: u64,
        /// One past the largest index allowed.
        limit: u64,
    },
    /// A part of the input is larger than any real snapshot's.
    SnapshotLimit {
        /// Which part.
        what: &'static str,
        /// The largest size accepted.
        limit: u64,
    },
    /// A line that belongs into no recorded series. The offset is one in the text.
    Series {
        /// The line, from 1.
        line: u64,
        /// What should have stood there.
        expected: String,
        /// What stood there.
        found: String,
    },
    /// A file that is no flight recording, or whose header is damaged. The offset is one in the file.
    Recording {
        /// What should have stood there.
        expected: String,
        /// What stood there.
        found: String,
    },
    /// A compressed input ended before its end mark. The offset is one in the compressed input.
    CompressionTruncated {
        /// `gzip` or `zstd`.
        format: &'static str,
    },
    /// A compressed input that cannot be what its first bytes said. The offset is one in the compressed input.
    CompressionCorrupt {
        /// `gzip` or `zstd`.
        format: &'static str,
        /// What the decoder said.
        found: String,
    },
    /// Memory for the graph could not be had.
    OutOfMemory {
        /// How much was asked for, in bytes.
        bytes: u64,
    },
    /// The operating system refused.
    Io {
        /// What was being done, e.g. `open`.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's own words.
        message: String,
    },
    /// An option has a value that it cannot have.
    InvalidArg {
        /// The option's name.
        name: &'static str,
        /// What it must be.
        expected: String,
        /// What it was.
        found: String,
    },
    /// The feature does not work on this platform or runtime.
    Unsupported {
        /// Which feature.
        feature: &'static str,
        /// Why not.
        reason: String,
    },
    /// The clone of the process that took the snapshot came to grief. The offset is one in what it said.
    Clone {
        /// How.
        reason: String,
    },
    /// Something went wrong in the clone of the process, as it told itself.
    InClone {
        /// The `error.code` that it had there.
        code: &'static str,
        /// What it said there.
        message: String,
    },
    /// There is too little memory for looking at the heap.
    NoRoom {
        /// For what, and by how much.
        reason: String,
    },
    /// There is too little space on a disk for a snapshot.
    NoSpace {
        /// Where it was to go.
        folder: PathBuf,
        /// The heap that it was to be of.
        heap: Bytes,
        /// How long it may be.
        expected: Bytes,
        /// What is free there.
        found: Bytes,
    },
    /// The process is being looked at, and another request waits already.
    Busy,
    /// The caller gave up before the work was done.
    Cancelled,
    /// A defect of Heapwarden itself; please report it.
    Internal {
        /// What was violated.
        message: String,
    },
}

impl ErrorKind {
    /// The stable `error.code` of this kind.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SnapshotTruncated { .. } => "HEAPWARDEN_ERR_SNAPSHOT_TRUNCATED",
            Self::SnapshotSyntax { .. } => "HEAPWARDEN_ERR_SNAPSHOT_SYNTAX",
            Self::SnapshotSchema { .. } => "HEAPWARDEN_ERR_SNAPSHOT_SCHEMA",
            Self::SnapshotCount { .. } => "HEAPWARDEN_ERR_SNAPSHOT_COUNT",
            Self::SnapshotIndex { .. } => "HEAPWARDEN_ERR_SNAPSHOT_INDEX",
            Self::SnapshotLimit { .. } => "HEAPWARDEN_ERR_SNAPSHOT_LIMIT",
            Self::Series { .. } => "HEAPWARDEN_ERR_SERIES",
            Self::Recording { .. } => "HEAPWARDEN_ERR_RECORDING",
            Self::CompressionTruncated { .. } => "HEAPWARDEN_ERR_COMPRESSION_TRUNCATED",
            Self::CompressionCorrupt { .. } => "HEAPWARDEN_ERR_COMPRESSION_CORRUPT",
            Self::OutOfMemory { .. } => "HEAPWARDEN_ERR_OUT_OF_MEMORY",
            Self::Io { .. } => "HEAPWARDEN_ERR_IO",
            Self::InvalidArg { .. } => "HEAPWARDEN_ERR_INVALID_ARG",
            Self::Unsupported { .. } => "HEAPWARDEN_ERR_UNSUPPORTED",
            Self::Clone { .. } => "HEAPWARDEN_ERR_CLONE",
            Self::InClone { code, .. } => code,
            Self::NoRoom { .. } => "HEAPWARDEN_ERR_NO_ROOM",
            Self::NoSpace { .. } => "HEAPWARDEN_ERR_NO_SPACE",
            Self::Busy => "HEAPWARDEN_ERR_BUSY",
            Self::Cancelled => "HEAPWARDEN_ERR_CANCELLED",
            Self::Internal { .. } => "HEAPWARDEN_ERR_INTERNAL",
        }
    }
}

/// Every code that an error in a clone may have.
const CODES: [&str; 18] = [
    "HEAPWARDEN_ERR_SNAPSHOT_TRUNCATED",
    "HEAPWARDEN_ERR_SNAPSHOT_SYNTAX",
    "HEAPWARDEN_ERR_SNAPSHOT_SCHEMA",
    "HEAPWARDEN_ERR_SNAPSHOT_COUNT",
    "HEAPWARDEN_ERR_SNAPSHOT_INDEX",
    "HEAPWARDEN_ERR_SNAPSHOT_LIMIT",
    "HEAPWARDEN_ERR_SERIES",
    "HEAPWARDEN_ERR_COMPRESSION_TRUNCATED",
    "HEAPWARDEN_ERR_COMPRESSION_CORRUPT",
    "HEAPWARDEN_ERR_OUT_OF_MEMORY",
    "HEAPWARDEN_ERR_IO",
    "HEAPWARDEN_ERR_INVALID_ARG",
    "HEAPWARDEN_ERR_UNSUPPORTED",
    "HEAPWARDEN_ERR_CLONE",
    "HEAPWARDEN_ERR_NO_ROOM",
    "HEAPWARDEN_ERR_NO_SPACE",
    "HEAPWARDEN_ERR_CANCELLED",
    "HEAPWARDEN_ERR_INTERNAL",
];

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SnapshotTruncated { expected } => {
                write!(f, "snapshot ends early: expected {expected}, found end of input")
            }
            Self::SnapshotSyntax { expected, found } => {
                write!(f, "not a heap snapshot: expected {expected}, found {found}")
            }
            Self::SnapshotSchema { expected, found } => {
                write!(f, "unknown snapshot layout: expected {expected}, found {found}")
            }
            Self::SnapshotCount { section, declared, found } => {
                write!(f, "snapshot header declares {declared} {section}, found {found}")
            }
            Self::SnapshotIndex { field, index, limit } => {
                write!(f, "{field} out of range: expected less than {limit}, found {index}")
            }
            Self::SnapshotLimit { what, limit } => {
                write!(f, "{what} is larger than any heap snapshot's: expected at most {limit}")
            }
            Self::Series { line, expected, found } => {
                write!(f, "not a recorded series: line {line}: expected {expected}, found {found}")
            }
            Self::Recording { expected, found } => {
                write!(f, "not a flight recording: expected {expected}, found {found}")
            }
            Self::CompressionTruncated { format } => {
                write!(
                    f,
                    "{format} input ends early: expected the end of the {format} stream, found end of input"
                )
            }
            Self::CompressionCorrupt { format, found } => {
                write!(f, "not a whole {format} stream: expected {format} data, found {found}")
            }
            Self::OutOfMemory { bytes } => write!(f, "could not allocate {bytes} bytes"),
            Self::Io { operation, path, message } => {
                write!(f, "cannot {operation} {}: {message}", path.display())
            }
            Self::InvalidArg { name, expected, found } => {
                write!(f, "{name}: expected {expected}, found {found}")
            }
            Self::Unsupported { feature, reason } => {
                write!(f, "{feature} is not available here: {reason}")
            }
            Self::Clone { reason } => write!(f, "the clone of the process gave no result: {reason}"),
            Self::InClone { message, .. } => f.write_str(message),
            Self::NoRoom { reason } => write!(f, "too little memory: {reason}"),
            Self::NoSpace { folder, heap, expected, found } => {
                // Both rounded so that the one that is larger never reads as the smaller.
                let (heap, expected) = (heap.0.div_ceil(Bytes::MIB), expected.0.div_ceil(Bytes::MIB));
                let (folder, found) = (folder.display(), found.0 / Bytes::MIB);
                write!(
                    f,
                    "too little space in {folder} for a snapshot of {heap} MB of heap: expected {expected} MB, found {found} MB"
                )
            }
            Self::Busy => write!(
                f,
                "the heap is being looked at, and another request waits already: expected at most two at a time, found three"
            ),
            Self::Cancelled => write!(f, "cancelled"),
            Self::Internal { message } => write!(f, "internal error: {message}"),
        }
    }
}

/// An [`ErrorKind`] and, for parsed input, the byte offset at which it was noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    offset: Option<u64>,
}

impl Error {
    /// An error that belongs to no place in an input.
    pub fn new(kind: ErrorKind) -> Self {
        Self { kind, offset: None }
    }

    /// An error noticed at `offset` bytes from the start of the input.
    pub fn at(kind: ErrorKind, offset: u64) -> Self {
        Self { kind, offset: Some(offset) }
    }

    /// An operating-system error on `path`.
    pub fn io(operation: &'static str, path: &Path, error: &std::io::Error) -> Self {
        Self::new(ErrorKind::Io { operation, path: path.to_path_buf(), message: error.to_string() })
    }

    /// The error that a clone told of: its code, its message (the place in the input included), and nothing else.
    pub fn in_clone(code: &str, message: &str) -> Self {
        let code = CODES.iter().find(|known| **known == code).unwrap_or(&"HEAPWARDEN_ERR_CLONE");
        Self::new(ErrorKind::InClone { code, message: message.to_owned() })
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Bytes from the start of the input, where the input is what is wrong.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    /// The stable `error.code`.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match self.offset {
            Some(offset) => write!(f, " (at byte {offset})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

/// The core's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
