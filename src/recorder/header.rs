//! Whose recording it is.

use super::layout::Layout;
use super::record::{Found, HEAD, Numbers, Payload, cut, seal};
use crate::error::{Error, ErrorKind, Result};
use crate::units::{Bytes, Micros, UnixMillis};

/// What a recording begins with.
pub(super) const MAGIC: &[u8; 8] = b"HWFLIGHT";
/// The version of the format that is written here, and the only one that is read.
pub(super) const VERSION: u32 = 1;
/// Where the header's record stands, from the start of a copy: behind magic, version and size.
pub(super) const RECORD_AT: usize = 32;
const HEADER: u16 = 1;
/// Longest text in a header: four of them fit.
const MOST_TEXT: usize = 960;

/// Whose recording it is, and of what.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Length of the file when it was made.
    pub bytes: u64,
    /// When the recording began.
    pub started_at: UnixMillis,
    /// The process.
    pub pid: u32,
    /// The thread whose heap is watched: 0 is the main thread.
    pub thread_id: u32,
    /// The number that the system gives this thread; 0 where it is not known.
    pub os_thread: u64,
    /// Time between two samples.
    #[serde(rename = "intervalUs")]
    pub interval: Micros,
    /// V8's heap limit at the beginning.
    #[serde(rename = "heapLimitBytes")]
    pub heap_limit: Bytes,
    /// The control group's memory limit at the beginning.
    #[serde(rename = "containerLimitBytes")]
    pub container_limit: Option<Bytes>,
    /// The system's boot, as it names it; empty where it does not.
    pub boot_id: String,
    /// `process.version`.
    pub node: String,
    /// What the process was started as: its title or its command.
    pub title: String,
}

impl Header {
    /// A copy of the header, as it stands in the file. A text that is too long is cut.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut page = vec![0; Layout::HEADER];
        page[..8].copy_from_slice(MAGIC);
        page[8..12].copy_from_slice(&VERSION.to_le_bytes());
        page[16..24].copy_from_slice(&self.bytes.to_le_bytes());
        let place = &mut page[RECORD_AT..];
        let mut payload = Payload::new(place);
        payload
            .number(u64::from(VERSION))
            .number(self.bytes)
            .number(u64::from(self.pid))
            .number(u64::from(self.thread_id))
            .number(self.os_thread)
            .number(self.interval.0)
            .number(self.heap_limit.0)
            .number(u64::from(self.container_limit.is_some()))
            .number(self.container_limit.unwrap_or_default().0);
        for text in [&self.boot_id, &self.node, &self.title] {
            let text = cut(text, MOST_TEXT);
            payload.number(text.len() as u64).text(text);
        }
        let length = payload.length();
        seal(place, 1, self.started_at, HEADER, length);
        page
    }

    /// The header of a recording; of its two copies the first that is whole.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let copies = Layout::HEADERS.map(|at| Self::read_copy(bytes.get(at..).unwrap_or_default(), at));
        let [first, second] = copies;
        first.or_else(|error| second.map_err(|_| error))
    }

    fn read_copy(bytes: &[u8], at: usize) -> Result<Self> {
        let wrong = |expected: &str, found: String, offset: usize| {
            let kind = ErrorKind::Recording { expected: expected.to_owned(), found };
            Error::at(kind, (at + offset) as u64)
        };
        let Some((front, rest)) = bytes.split_first_chunk::<RECORD_AT>() else {
            return Err(wrong("a header", "end of input".into(), bytes.len()));
        };
        if &front[..8] != MAGIC {
            return Err(wrong("HWFLIGHT", printable(&front[..8]), 0));
        }
        let version = u32::from_le_bytes([front[8], front[9], front[10], front[11]]);
        if version != VERSION {
            return Err(wrong("version 1", version.to_string(), 8));
        }
        let place = &rest[..rest.len().min(Layout::HEADER - RECORD_AT)];
        let record = Found::in_place(place).whole().filter(|record| record.kind == HEADER);
        let Some(record) = record else {
            return Err(wrong("a header with its checksum", "another checksum".into(), RECORD_AT));
        };
        let mut n = Numbers(record.payload);
        n.next();
        let bytes = n.next();
        if Layout::of(usize::try_from(bytes).unwrap_or(usize::MAX)).bytes as u64 != bytes {
            let offset = RECORD_AT + HEAD + 8;
            return Err(wrong("the size of a recording", bytes.to_string(), offset));
        }
        let (pid, thread_id, os_thread) = (n.next() as u32, n.next() as u32, n.next());
        let (interval, heap_limit) = (Micros(n.next()), Bytes(n.next()));
        let (has_limit, limit) = (n.next() == 1, Bytes(n.next()));
        let mut text = || {
            let length = usize::try_from(n.next()).unwrap_or(usize::MAX).min(n.0.len());
            let (text, rest) = n.0.split_at(length);
            n.0 = rest;
            String::from_utf8_lossy(text).into_owned()
        };
        let (boot_id, node, title) = (text(), text(), text());
        Ok(Self {
            bytes,
            started_at: record.at,
            pid,
            thread_id,
            os_thread,
            interval,
            heap_limit,
            container_limit: has_limit.then_some(limit),
            boot_id,
            node,
            title,
        })
    }
}

fn printable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::recorder::layout::DEFAULT_BYTES;

    pub fn header() -> Header {
        Header {
            bytes: DEFAULT_BYTES as u64,
            started_at: UnixMillis(1_795_232_940_120),
            pid: 7,
            thread_id: 3,
            os_thread: 9,
            interval: Micros(30_000_000),
            heap_limit: Bytes::mib(512),
            container_limit: Some(Bytes::mib(1024)),
            boot_id: "6c8e8b2e".into(),
            node: "v24.21.0".into(),
            title: "node server.js".into(),
        }
    }

    fn file(header: &Header) -> Vec<u8> {
        let mut file = vec![0; 4 * Layout::HEADER];
        for at in Layout::HEADERS {
            file[at..at + Layout::HEADER].copy_from_slice(&header.encode());
        }
        file
    }

    #[test]
    fn what_is_written_is_read_from_either_copy() {
        for header in [header(), Header { container_limit: None, title: String::new(), ..header() }] {
            let whole = file(&header);
            assert_eq!(Header::read(&whole), Ok(header.clone()));
            for at in Layout::HEADERS {
                let mut damaged = whole.clone();
                damaged[at..at + 4096].fill(0xff);
                assert_eq!(Header::read(&damaged), Ok(header.clone()));
            }
            assert_eq!(Header::read(&whole[..4096]), Ok(header.clone()), "the second copy is cut off");
        }
    }

    #[test]
    fn a_long_title_is_cut() {
        let long = Header { title: "é".repeat(9999), ..header() };
        let read = Header::read(&file(&long)).expect("a header");
        assert_eq!(read.title, "é".repeat(MOST_TEXT / 2));
        assert_eq!(read.node, long.node);
    }

    #[test]
    fn what_is_no_recording_is_told_with_the_place() {
        let other = file(&header());
        let changed = |at: usize, to: u8| {
            let mut file = other.clone();
            for copy in Layout::HEADERS {
                file[copy + at] = to;
            }
            file
        };
        let cases = [
            (Vec::new(), "expected a header, found end of input (at byte 0)"),
            (b"{}".repeat(99), "expected HWFLIGHT, found {}{}{}{} (at byte 0)"),
            (changed(8, 2), "expected version 1, found 2 (at byte 8)"),
            (changed(100, 1), "expected a header with its checksum, found another checksum (at byte 32)"),
            (other[..100].to_vec(), "found another checksum (at byte 32)"),
        ];
        for (file, words) in cases {
            let error = Header::read(&file).expect_err(words);
            assert_eq!(error.code(), "HEAPWARDEN_ERR_RECORDING");
            assert!(error.to_string().ends_with(words), "{error}");
        }
    }
}
