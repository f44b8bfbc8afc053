//! A profile of live allocations in the format of pprof, which Go's tool, profile stores and flame-graph viewers read.
//!
//! The messages are those of the published `profile.proto`, as far as a heap profile uses them; a reader takes what is not there for zero.

use std::collections::HashMap;

use prost::Message;
use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};

/// What is alive, by the stack that allocated it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AllocationProfile {
    /// Functions, each once.
    pub frames: Vec<Frame>,
    /// What is alive, by stack.
    pub samples: Vec<Sample>,
    /// Bytes between two samples, on average.
    pub period_bytes: i64,
    /// When sampling began, in milliseconds since 1970.
    pub time_ms: i64,
    /// How long it went on.
    pub duration_ms: i64,
}

/// A function.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Frame {
    /// Empty where it has none.
    pub function_name: String,
    /// The path of its file; empty for V8's own.
    pub file: String,
    /// Where it begins, from 1; 0 where that is not known.
    pub line: i64,
    /// Likewise.
    pub column: i64,
}

/// What one stack allocated that is alive.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Sample {
    /// Places in [`AllocationProfile::frames`], innermost first.
    pub stack: Vec<usize>,
    /// Objects.
    pub count: i64,
    /// Their bytes.
    pub bytes: i64,
}

impl AllocationProfile {
    /// The profile as pprof's protocol buffer, not compressed.
    ///
    /// # Errors
    ///
    /// `HEAPWARDEN_ERR_INVALID_ARG` where a stack names a frame that is not there.
    pub fn to_pprof(&self) -> Result<Vec<u8>> {
        let mut strings = Strings::new();
        let value_type = |strings: &mut Strings, kind: &str, unit: &str| proto::ValueType {
            kind: strings.index(kind),
            unit: strings.index(unit),
        };
        let sample_types = vec![
            value_type(&mut strings, "inuse_objects", "count"),
            value_type(&mut strings, "inuse_space", "bytes"),
        ];
        let period_type = value_type(&mut strings, "space", "bytes");
        let default_sample_type = strings.index("inuse_space");
        let samples = self.samples.iter().map(|sample| self.sample(sample)).collect::<Result<_>>()?;
        let functions = (1..).zip(&self.frames).map(|(id, frame)| proto::Function {
            id,
            name: strings.index(name_of(frame)),
            system_name: strings.index(&frame.function_name),
            file_name: strings.index(&frame.file),
            start_line: frame.line,
        });
        let functions = functions.collect();
        let locations = (1..).zip(&self.frames).map(|(id, frame)| proto::Location {
            id,
            lines: vec![proto::Line { function_id: id, line: frame.line, column: frame.column }],
        });
        let profile = proto::Profile {
            sample_types,
            samples,
            locations: locations.collect(),
            functions,
            time_nanos: self.time_ms.saturating_mul(1_000_000),
            duration_nanos: self.duration_ms.saturating_mul(1_000_000),
            period_type: Some(period_type),
            period: self.period_bytes,
            default_sample_type,
            strings: strings.list,
        };
        Ok(profile.encode_to_vec())
    }

    fn sample(&self, sample: &Sample) -> Result<proto::Sample> {
        let location = |&frame: &usize| {
            if frame < self.frames.len() {
                return Ok(frame as u64 + 1);
            }
            Err(Error::new(ErrorKind::InvalidArg {
                name: "stack",
                expected: format!("numbers below {}", self.frames.len()),
                found: frame.to_string(),
            }))
        };
        let location_ids = sample.stack.iter().map(location).collect::<Result<_>>()?;
        Ok(proto::Sample { location_ids, values: vec![sample.count, sample.bytes] })
    }
}

/// Viewers show nothing at all for a function without a name.
fn name_of(frame: &Frame) -> &str {
    if frame.function_name.is_empty() { "(anonymous)" } else { &frame.function_name }
}

/// The table of strings; the first is empty.
struct Strings {
    list: Vec<String>,
    indices: HashMap<String, i64>,
}

impl Strings {
    fn new() -> Self {
        Self { list: vec![String::new()], indices: HashMap::from([(String::new(), 0)]) }
    }

    fn index(&mut self, text: &str) -> i64 {
        if let Some(&index) = self.indices.get(text) {
            return index;
        }
        let index = self.list.len() as i64;
        self.list.push(text.to_owned());
        self.indices.insert(text.to_owned(), index);
        index
    }
}

/// The messages, with the numbers of their fields.
mod proto {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Profile {
        #[prost(message, repeated, tag = "1")]
        pub sample_types: Vec<ValueType>,
        #[prost(message, repeated, tag = "2")]
        pub samples: Vec<Sample>,
        #[prost(message, repeated, tag = "4")]
        pub locations: Vec<Location>,
        #[prost(message, repeated, tag = "5")]
        pub functions: Vec<Function>,
        #[prost(string, repeated, tag = "6")]
        pub strings: Vec<String>,
        #[prost(int64, tag = "9")]
        pub time_nanos: i64,
        #[prost(int64, tag = "10")]
        pub duration_nanos: i64,
        #[prost(message, optional, tag = "11")]
        pub period_type: Option<ValueType>,
        #[prost(int64, tag = "12")]
        pub period: i64,
        #[prost(int64, tag = "14")]
        pub default_sample_type: i64,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct ValueType {
        #[prost(int64, tag = "1")]
        pub kind: i64,
        #[prost(int64, tag = "2")]
        pub unit: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Sample {
        #[prost(uint64, repeated, tag = "1")]
        pub location_ids: Vec<u64>,
        #[prost(int64, repeated, tag = "2")]
        pub values: Vec<i64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Location {
        #[prost(uint64, tag = "1")]
        pub id: u64,
        #[prost(message, repeated, tag = "4")]
        pub lines: Vec<Line>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Line {
        #[prost(uint64, tag = "1")]
        pub function_id: u64,
        #[prost(int64, tag = "2")]
        pub line: i64,
        #[prost(int64, tag = "3")]
        pub column: i64,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Function {
        #[prost(uint64, tag = "1")]
        pub id: u64,
        #[prost(int64, tag = "2")]
        pub name: i64,
        #[prost(int64, tag = "3")]
        pub system_name: i64,
        #[prost(int64, tag = "4")]
        pub file_name: i64,
        #[prost(int64, tag = "5")]
        pub start_line: i64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> AllocationProfile {
        let frame = |name: &str, line| Frame {
            function_name: name.into(),
            file: "/srv/app/a.js".into(),
            line,
            column: 7,
        };
        AllocationProfile {
            frames: vec![frame("leak", 3), frame("", 1)],
            samples: vec![Sample { stack: vec![0, 1], count: 20, bytes: 640 }],
            period_bytes: 32_768,
            time_ms: 1_000,
            duration_ms: 60_000,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let decoded = proto::Profile::decode(&*profile().to_pprof().expect("encoded")).expect("decoded");
        let text = |index: i64| decoded.strings[index as usize].as_str();
        assert_eq!(text(0), "");
        let types: Vec<_> = decoded.sample_types.iter().map(|t| (text(t.kind), text(t.unit))).collect();
        assert_eq!(types, [("inuse_objects", "count"), ("inuse_space", "bytes")]);
        let sample = &decoded.samples[0];
        assert_eq!((sample.location_ids.as_slice(), sample.values.as_slice()), (&[1, 2][..], &[20, 640][..]));
        let function = &decoded.functions[1];
        assert_eq!(
            (text(function.name), text(function.file_name), function.start_line),
            ("(anonymous)", "/srv/app/a.js", 1)
        );
        assert_eq!(
            (decoded.time_nanos, decoded.duration_nanos, decoded.period),
            (1_000_000_000, 60_000_000_000, 32_768)
        );
        assert_eq!(text(decoded.default_sample_type), "inuse_space");
    }

    #[test]
    fn a_stack_of_frames_that_are_not_there_is_refused() {
        let mut broken = profile();
        broken.samples[0].stack = vec![2];
        let error = broken.to_pprof().expect_err("refused");
        assert_eq!(error.to_string(), "stack: expected numbers below 2, found 2");
    }
}
