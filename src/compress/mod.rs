//! gzip and zstd: told apart by their first bytes, undone and made as streams.

mod decode;
mod encode;

pub use decode::Decoder;
pub use encode::Encoder;

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// The name in options and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The compression of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Gzip, Self::Zstd].into_iter().find(|compression| compression.name() == name)
    }
}
