//! What a record is: a head with a checksum, and a payload.
//!
//! ```text
//!  0        8        16     20    22    24     28     32
//!  | number | time   | length | kind | 0 | crc32 | 0  | payload ...
//! ```
//!
//! All numbers are little-endian. The checksum is over all of head and payload but itself.

use super::crc::crc32;
use crate::units::UnixMillis;

/// Length of a record's head.
pub const HEAD: usize = 32;
const CRC_AT: usize = 24;

/// A record as it was found: its checksum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its number in its region, from 1.
    pub sequence: u64,
    /// When it was written.
    pub at: UnixMillis,
    /// What the payload is; each region has kinds of its own.
    pub kind: u16,
    /// The payload.
    pub payload: &'a [u8],
}

/// What stands in a record's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// Nothing was ever written there.
    Empty,
    /// A whole record.
    Whole(Record<'a>),
    /// Something that is no whole record.
    Torn,
}

impl<'a> Found<'a> {
    /// What stands in `place`.
    pub fn in_place(place: &'a [u8]) -> Self {
        let Some((head, rest)) = place.split_first_chunk::<HEAD>() else { return Self::Torn };
        if head.iter().all(|&byte| byte == 0) {
            return Self::Empty;
        }
        let length = number(head, 16) as u32 as usize;
        let Some(payload) = rest.get(..length) else { return Self::Torn };
        if checksum(head, payload) != number(head, CRC_AT) as u32 {
            return Self::Torn;
        }
        let kind = u16::from_le_bytes([head[20], head[21]]);
        let (sequence, at) = (number(head, 0), UnixMillis(number(head, 8)));
        Self::Whole(Record { sequence, at, kind, payload })
    }

    /// The record, if it is whole.
    pub fn whole(self) -> Option<Record<'a>> {
        match self {
            Self::Whole(record) => Some(record),
            Self::Empty | Self::Torn => None,
        }
    }
}

/// The eight bytes of `bytes` from `at`, or those that there are, as a number.
fn number(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes.get(at..).unwrap_or_default()) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

fn checksum(head: &[u8; HEAD], payload: &[u8]) -> u32 {
    crc32(&[&head[..CRC_AT], &head[CRC_AT + 4..], payload])
}

/// Writes the head of a record whose payload stands behind it in `place`, and gives the whole. Allocates nothing.
///
/// A payload that does not fit is cut.
pub fn seal(place: &mut [u8], sequence: u64, at: UnixMillis, kind: u16, payload: usize) -> &[u8] {
    let Some((head, rest)) = place.split_first_chunk_mut::<HEAD>() else { return &[] };
    let length = payload.min(rest.len());
    head.fill(0);
    head[..8].copy_from_slice(&sequence.to_le_bytes());
    head[8..16].copy_from_slice(&at.0.to_le_bytes());
    head[16..20].copy_from_slice(&(length as u32).to_le_bytes());
    head[20..22].copy_from_slice(&kind.to_le_bytes());
    let crc = checksum(head, &rest[..length]);
    head[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    &place[..HEAD + length]
}

/// Writes numbers and a text one after the other; what does not fit is left out.
pub struct Payload<'a> {
    place: &'a mut [u8],
    length: usize,
}

impl<'a> Payload<'a> {
    /// Writes into a record's place, behind the head.
    pub fn new(place: &'a mut [u8]) -> Self {
        let from = HEAD.min(place.len());
        Self { place: &mut place[from..], length: 0 }
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Adds the whole characters of `text` that fit. Text comes last: it has no length of its own.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(cut(text, self.place.len() - self.length).as_bytes())
    }

    /// Adds bytes, all or none.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        if let Some(to) = self.place.get_mut(self.length..self.length + bytes.len()) {
            to.copy_from_slice(bytes);
            self.length += bytes.len();
        }
        self
    }

    /// How long the payload is.
    pub fn length(&self) -> usize {
        self.length
    }
}

/// The whole characters of `text` that fit into `most` bytes.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Reads a payload; what is missing reads as 0.
#[derive(Debug, Clone, Copy)]
pub struct Numbers<'a>(pub &'a [u8]);

impl<'a> Numbers<'a> {
    /// The next number.
    #[allow(clippy::should_implement_trait, reason = "there is always one more: 0")]
    pub fn next(&mut self) -> u64 {
        let value = number(self.0, 0);
        self.0 = self.0.get(8..).unwrap_or_default();
        value
    }

    /// What is left, as text; bytes that are none are replaced.
    pub fn text(self) -> String {
        String::from_utf8_lossy(self.0).into_owned()
    }
}

/// What the handler of a fatal signal writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// When the signal came.
    pub at: UnixMillis,
    /// Its number: 6 is SIGABRT, 11 SIGSEGV.
    pub signal: u32,
    /// `si_code`: above 0 where the processor raised it, 0 and below where somebody sent it.
    pub code: i32,
    /// `si_addr`: the address of the fault; 0 for a signal that was sent.
    pub address: u64,
    /// The number that the system gives the thread which got it.
    pub thread: u64,
    /// Who sent it, for a signal that was sent.
    pub sender: u32,
    /// How long the process's death was put off for something to come to its end, in milliseconds.
    pub waited_ms: u64,
}

/// What a signal is called; nothing for one that no recording has. The numbers are those of Linux and macOS for all but SIGBUS, which a recording
/// of Linux has as 7.
pub fn signal_name(number: u32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 | 10 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        31 => "SIGSYS",
        _ => return None,
    })
}

/// Kinds in [`super::Layout::WORDS`].
pub mod words {
    /// A signal that ends the process, or may.
    pub const FATAL: u16 = 1;
    /// One that somebody else dealt with: the process goes on.
    pub const HANDLED: u16 = 2;
}

impl Words {
    /// The record, in `place`. May be called in a signal handler: allocates nothing, calls nothing.
    pub fn encode<'a>(&self, place: &'a mut [u8; super::layout::SLOT], sequence: u64, kind: u16) -> &'a [u8] {
        let mut payload = Payload::new(place);
        payload
            .number(u64::from(self.signal))
            .number(u64::from(self.code.cast_unsigned()))
            .number(self.address)
            .number(self.thread)
            .number(u64::from(self.sender))
            .number(self.waited_ms);
        let length = payload.length();
        seal(place, sequence, self.at, kind, length)
    }

    /// Whether it is a signal by which somebody asks a process to end: SIGHUP, SIGINT or SIGTERM, which have these numbers everywhere.
    pub fn asks(&self) -> bool {
        matches!(self.signal, 1 | 2 | 15)
    }

    pub(super) fn decode(record: &Record<'_>) -> Option<Self> {
        let mut numbers = Numbers(record.payload);
        (record.kind == words::FATAL).then(|| Self {
            at: record.at,
            signal: numbers.next() as u32,
            code: (numbers.next() as u32).cast_signed(),
            address: numbers.next(),
            thread: numbers.next(),
            sender: numbers.next() as u32,
            waited_ms: numbers.next(),
        })
    }
}

/// What put a clean end to a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EndKind {
    /// The process's or the worker's `exit` event.
    Exit,
    /// The environment was taken down without one: a worker was terminated.
    Teardown,
    /// `monitor.stop()`: what became of the process is not known.
    Stopped,
}

/// The mark of a clean end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: UnixMillis,
    /// What ended.
    pub kind: EndKind,
    /// The exit code that `exit` was told.
    pub exit_code: Option<i32>,
}

impl End {
    pub(super) fn encode<'a>(&self, place: &'a mut [u8], sequence: u64) -> &'a [u8] {
        let kind = match self.kind {
            EndKind::Exit => 1,
            EndKind::Teardown => 2,
            EndKind::Stopped => 3,
        };
        let mut payload = Payload::new(place);
        payload.number(u64::from(self.exit_code.is_some()));
        payload.number(u64::from(self.exit_code.unwrap_or(0).cast_unsigned()));
        let length = payload.length();
        seal(place, sequence, self.at, kind, length)
    }

    pub(super) fn decode(record: &Record<'_>) -> Option<Self> {
        let kind = match record.kind {
            1 => EndKind::Exit,
            2 => EndKind::Teardown,
            3 => EndKind::Stopped,
            _ => return None,
        };
        let mut numbers = Numbers(record.payload);
        let has_code = numbers.next() == 1;
        let code = (numbers.next() as u32).cast_signed();
        Some(Self { at: record.at, kind, exit_code: has_code.then_some(code) })
    }
}

/// An exception, or the reason of a rejection, that nobody caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// When.
    pub at: UnixMillis,
    /// `uncaughtException`, or `unhandledRejection`.
    pub origin: String,
    /// Its stack, or what else it says of itself; cut after some 3 kB.
    pub text: String,
}

impl Exception {
    pub(super) fn encode<'a>(&self, place: &'a mut [u8], sequence: u64) -> &'a [u8] {
        let kind = u16::from(self.origin == "unhandledRejection") + 1;
        let mut payload = Payload::new(place);
        payload.text(&self.text);
        let length = payload.length();
        seal(place, sequence, self.at, kind, length)
    }

    pub(super) fn decode(record: &Record<'_>) -> Option<Self> {
        let origin = match record.kind {
            1 => "uncaughtException",
            2 => "unhandledRejection",
            _ => return None,
        };
        Some(Self { at: record.at, origin: origin.to_owned(), text: Numbers(record.payload).text() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_found_and_any_changed_bit_is_noticed() {
        let mut place = [0xaa; 64];
        place[HEAD..HEAD + 5].copy_from_slice(b"hello");
        let length = seal(&mut place, 7, UnixMillis(1_000), 3, 5).len();
        assert_eq!(length, HEAD + 5);
        let record = Found::in_place(&place).whole().expect("whole");
        let expected = Record { sequence: 7, at: UnixMillis(1_000), kind: 3, payload: b"hello" };
        assert_eq!(record, expected);
        for bit in 0..length * 8 {
            let mut changed = place;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Found::in_place(&changed), Found::Torn, "bit {bit}");
        }
        assert_eq!(Found::in_place(&[0; 64]), Found::Empty);
        assert_eq!(Found::in_place(&place[..HEAD + 4]), Found::Torn);
        assert_eq!(Found::in_place(&place[..9]), Found::Torn);
    }

    #[test]
    fn what_does_not_fit_is_cut_between_characters() {
        let mut place = [0; HEAD + 8 + 4];
        let mut payload = Payload::new(&mut place);
        payload.number(5).text("aéé!");
        assert_eq!(payload.length(), 8 + 3);
        payload.number(6);
        assert_eq!(payload.length(), 8 + 3, "all of a number or nothing");
        let mut numbers = Numbers(&place[HEAD..HEAD + 11]);
        assert_eq!(numbers.next(), 5);
        assert_eq!(numbers.text(), "aé");
    }

    #[test]
    fn words_ends_and_exceptions_come_back_as_they_were() {
        let words = Words {
            at: UnixMillis(5),
            signal: 11,
            code: -6,
            address: u64::MAX,
            thread: 12,
            sender: 13,
            waited_ms: 14,
        };
        let mut place = [0; super::super::layout::SLOT];
        fn record(bytes: &[u8]) -> Record<'_> {
            Found::in_place(bytes).whole().expect("whole")
        }
        assert_eq!(Words::decode(&record(words.encode(&mut place, 1, words::FATAL))), Some(words));
        assert_eq!(Words::decode(&record(words.encode(&mut place, 1, words::HANDLED))), None);
        for (kind, exit_code) in [
            (EndKind::Exit, Some(0)),
            (EndKind::Exit, Some(-1)),
            (EndKind::Teardown, None),
            (EndKind::Stopped, None),
        ] {
            let end = End { at: UnixMillis(9), kind, exit_code };
            assert_eq!(End::decode(&record(end.encode(&mut place, 1))), Some(end));
        }
        for origin in ["uncaughtException", "unhandledRejection"] {
            let (at, text) = (UnixMillis(1), "Error: é\n    at x".to_owned());
            let exception = Exception { at, origin: origin.to_owned(), text };
            assert_eq!(Exception::decode(&record(exception.encode(&mut place, 1))), Some(exception));
        }
    }
}
