//! What a clone says to its parent, over a pipe.
//!
//! ```text
//! stream   magic "HWCL" · version u16 · frame*
//! frame    tag u8 · length u32 · payload
//!
//! tag 1    step      one byte, the number of a Step: what the clone does from now on
//! tag 2    product   text: the result
//! tag 3    kept      text: what outlives the capture in the parent, a baseline
//! tag 4    look      text: what a suspicion compares
//! tag 5    failure   text: why there is no result
//! tag 6    written   bytes u64: the file is complete but for its name
//! tag 7    end       peak u64: the most memory that the clone had to itself, in bytes; nothing follows
//! ```
//!
//! Numbers are little-endian. Both ends are the same build of the same process, so that the version guards against a mix-up, not
//! against an old peer. A clone may die at any byte: what came before counts, a frame that is not whole does not.

use crate::error::{Error, ErrorKind, Result};

const MAGIC: [u8; 4] = *b"HWCL";
const VERSION: u16 = 1;
const PREAMBLE_BYTES: usize = MAGIC.len() + 2;
const HEAD_BYTES: usize = 5;
/// More than any result: a summary of a heap with a million classes.
const MAX_PAYLOAD: u32 = 1 << 30;

/// What a clone does, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It rids itself of what is its parent's.
    Preparing,
    /// V8 collects garbage and builds its graph, or walks the heap.
    Taking,
    /// V8's text is written and read.
    Reading,
    /// The graph is analysed.
    Analysing,
    /// The result is put into words.
    Telling,
}

impl Step {
    const ALL: [Self; 5] = [Self::Preparing, Self::Taking, Self::Reading, Self::Analysing, Self::Telling];

    /// In words that follow "while".
    pub fn words(self) -> &'static str {
        match self {
            Self::Preparing => "it was being prepared",
            Self::Taking => "V8 took the snapshot",
            Self::Reading => "the snapshot was written and read",
            Self::Analysing => "the snapshot was analysed",
            Self::Telling => "the result was handed over",
        }
    }
}

/// One thing said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// What is done from now on.
    Step(Step),
    /// The result, as JSON.
    Product(String),
    /// What outlives the capture, as JSON.
    Kept(String),
    /// What a suspicion compares, as JSON.
    Look(String),
    /// Why there is no result, as JSON.
    Failure(String),
    /// The file is complete but for its name.
    Written {
        /// Its length, in bytes.
        bytes: u64,
    },
    /// Nothing follows.
    End {
        /// The most memory that the clone had to itself, in bytes.
        peak: u64,
    },
}

impl Message {
    fn parts(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Step(step) => (1, vec![*step as u8]),
            Self::Product(text) => (2, text.as_bytes().to_vec()),
            Self::Kept(text) => (3, text.as_bytes().to_vec()),
            Self::Look(text) => (4, text.as_bytes().to_vec()),
            Self::Failure(text) => (5, text.as_bytes().to_vec()),
            Self::Written { bytes } => (6, bytes.to_le_bytes().to_vec()),
            Self::End { peak } => (7, peak.to_le_bytes().to_vec()),
        }
    }

    fn of(tag: u8, payload: &[u8], offset: u64) -> Result<Self> {
        let text = || {
            String::from_utf8(payload.to_vec())
                .map_err(|_| wrong("text", "bytes that are none".into(), offset))
        };
        let number = || {
            let bytes = payload
                .try_into()
                .map_err(|_| wrong("8 bytes", format!("{} bytes", payload.len()), offset))?;
            Ok(u64::from_le_bytes(bytes))
        };
        match tag {
            1 => match payload {
                [number] => Step::ALL
                    .get(usize::from(*number))
                    .copied()
                    .map(Self::Step)
                    .ok_or_else(|| wrong("a step from 0 to 4", number.to_string(), offset)),
                _ => Err(wrong("a step of one byte", format!("{} bytes", payload.len()), offset)),
            },
            2 => text().map(Self::Product),
            3 => text().map(Self::Kept),
            4 => text().map(Self::Look),
            5 => text().map(Self::Failure),
            6 => number().map(|bytes| Self::Written { bytes }),
            7 => number().map(|peak| Self::End { peak }),
            other => Err(wrong("a tag from 1 to 7", other.to_string(), offset)),
        }
    }
}

/// What comes before the first message.
pub fn preamble() -> [u8; PREAMBLE_BYTES] {
    let [a, b] = VERSION.to_le_bytes();
    let [m, n, o, p] = MAGIC;
    [m, n, o, p, a, b]
}

/// The bytes of one message; a text too long for a frame is replaced by a failure that says so.
pub fn encoded(message: &Message) -> Vec<u8> {
    let (tag, payload) = message.parts();
    let Some(length) = u32::try_from(payload.len()).ok().filter(|&length| length <= MAX_PAYLOAD) else {
        let message = format!("a result of {} bytes is too long to be handed over", payload.len());
        let failure =
            serde_json::json!({ "code": "HEAPWARDEN_ERR_CLONE", "message": message, "offset": null });
        return encoded(&Message::Failure(failure.to_string()));
    };
    let mut bytes = Vec::with_capacity(HEAD_BYTES + payload.len());
    bytes.push(tag);
    bytes.extend(length.to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// Makes messages of a clone's bytes, in pieces of any size.
///
/// Memory: the frame at hand, and only as much of it as has come.
#[derive(Debug, Default)]
pub struct MessageReader {
    pending: Vec<u8>,
    /// Bytes that were used up before `pending`.
    offset: u64,
    greeted: bool,
    ended: bool,
}

impl MessageReader {
    /// Takes the next bytes and gives each message that they complete to `take`.
    ///
    /// # Errors
    ///
    /// `Clone`, with the offset, where the bytes are not what a clone says. The reader is of no use afterwards.
    pub fn feed(&mut self, bytes: &[u8], mut take: impl FnMut(Message)) -> Result<()> {
        self.pending.extend_from_slice(bytes);
        let mut at = 0;
        while let Some((message, length)) = self.next(at)? {
            at += length;
            self.ended |= matches!(message, Some(Message::End { .. }));
            message.into_iter().for_each(&mut take);
        }
        self.pending.drain(..at);
        self.offset += at as u64;
        Ok(())
    }

    /// Whether the clone said all that it had to say.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// What stands at `at` and how long it is; nothing where it is not whole.
    fn next(&mut self, at: usize) -> Result<Option<(Option<Message>, usize)>> {
        let rest = &self.pending[at..];
        let offset = self.offset + at as u64;
        if !self.greeted {
            let Some(found) = rest.get(..PREAMBLE_BYTES) else { return Ok(None) };
            if found != preamble() {
                return Err(wrong("a clone's first bytes", format!("{found:02x?}"), offset));
            }
            self.greeted = true;
            return Ok(Some((None, PREAMBLE_BYTES)));
        }
        if self.ended && !rest.is_empty() {
            return Err(wrong("nothing after the end", format!("{} bytes", rest.len()), offset));
        }
        let Some((head, rest)) = rest.split_at_checked(HEAD_BYTES) else { return Ok(None) };
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        if length > MAX_PAYLOAD {
            return Err(wrong("a frame of at most 2^30 bytes", length.to_string(), offset));
        }
        let Some(payload) = rest.get(..length as usize) else { return Ok(None) };
        Ok(Some((Some(Message::of(head[0], payload, offset)?), HEAD_BYTES + payload.len())))
    }
}

fn wrong(expected: &str, found: String, offset: u64) -> Error {
    Error::at(
        ErrorKind::Clone {
            reason: format!("it said what no clone says: expected {expected}, found {found}"),
        },
        offset,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message() -> impl Strategy<Value = Message> {
        prop_oneof![
            (0..5usize).prop_map(|n| Message::Step(Step::ALL[n])),
            ".{0,40}".prop_map(Message::Product),
            ".{0,40}".prop_map(Message::Kept),
            ".{0,40}".prop_map(Message::Look),
            ".{0,40}".prop_map(Message::Failure),
            any::<u64>().prop_map(|bytes| Message::Written { bytes }),
        ]
    }

    fn stream(messages: &[Message]) -> Vec<u8> {
        let mut bytes = preamble().to_vec();
        messages.iter().for_each(|message| bytes.extend(encoded(message)));
        bytes
    }

    proptest! {
        #[test]
        fn what_is_said_is_heard_in_pieces_of_any_size(
            mut messages in prop::collection::vec(message(), 0..8),
            peak in any::<u64>(),
            piece in 1..50usize,
        ) {
            messages.push(Message::End { peak });
            let (mut reader, mut heard) = (MessageReader::default(), Vec::new());
            for piece in stream(&messages).chunks(piece) {
                prop_assert!(!reader.ended());
                reader.feed(piece, |message| heard.push(message)).expect("well-formed");
            }
            prop_assert!(reader.ended());
            prop_assert_eq!(heard, messages);
        }

        #[test]
        fn a_clone_that_dies_anywhere_leaves_what_was_whole(
            messages in prop::collection::vec(message(), 1..8),
            cut in 0.0..1.0f64,
        ) {
            let bytes = stream(&messages);
            let cut = (bytes.len() as f64 * cut) as usize;
            let (mut reader, mut heard) = (MessageReader::default(), Vec::new());
            reader.feed(&bytes[..cut], |message| heard.push(message)).expect("well-formed");
            prop_assert!(!reader.ended());
            let whole = (0..=messages.len()).rev().find(|&n| stream(&messages[..n]).len() <= cut);
            prop_assert_eq!(&heard[..], &messages[..whole.unwrap_or(0)]);
        }

        #[test]
        fn any_bytes_are_an_error_at_worst(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut stream = preamble().to_vec();
            stream.extend(&bytes);
            let _ = MessageReader::default().feed(&stream, drop);
            let _ = MessageReader::default().feed(&bytes, drop);
        }
    }

    #[test]
    fn what_no_clone_says_is_refused_where_it_stands() {
        let refused = |bytes: &[u8]| {
            let error = MessageReader::default().feed(bytes, drop).expect_err("refused");
            (error.to_string(), error.offset())
        };
        let (message, offset) = refused(b"HTTP/1.1 200");
        assert!(message.contains("a clone's first bytes"), "{message}");
        assert_eq!(offset, Some(0));
        let with = |frame: &[u8]| [preamble().as_slice(), frame].concat();
        for (frame, expected) in [
            (vec![9, 0, 0, 0, 0], "a tag from 1 to 7, found 9"),
            (vec![1, 1, 0, 0, 0, 7], "a step from 0 to 4, found 7"),
            (vec![1, 0, 0, 0, 0], "a step of one byte, found 0 bytes"),
            (vec![2, 0, 0, 0, 0x80], "at most 2^30"),
            (vec![2, 1, 0, 0, 0, 0xFF], "expected text"),
            (vec![6, 1, 0, 0, 0, 0], "expected 8 bytes, found 1 bytes"),
        ] {
            let (message, offset) = refused(&with(&frame));
            assert!(message.contains(expected), "{message}");
            assert_eq!(offset, Some(6));
        }
        let mut twice = stream(&[Message::End { peak: 1 }]);
        twice.push(2);
        assert!(refused(&twice).0.contains("nothing after the end"));
    }
}
