//! The ways to read numbers, and which of them this machine can.

use std::sync::OnceLock;

use super::batch::SLACK;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", test))]
use super::blocks::LOOK_BACK;
#[cfg(any(target_arch = "aarch64", test))]
use super::neon;
use super::portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// Text shorter than this is left to the state machine.
pub(super) const MIN_TEXT: usize = 24;

/// A way to read numbers. All give the same, at different speeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Path {
    /// The state machine alone.
    Bytewise,
    /// Eight bytes at a time, on any machine.
    Portable,
    /// aarch64; in tests, a model of it.
    #[cfg(any(target_arch = "aarch64", test))]
    Neon,
    /// x86-64 with AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// x86-64 with AVX-512 and its byte permutations.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Path {
    /// The fastest that this machine can.
    pub fn fastest() -> Self {
        static FASTEST: OnceLock<Path> = OnceLock::new();
        *FASTEST.get_or_init(|| Self::all_available().pop().unwrap_or(Self::Portable))
    }

    /// Every one that this machine can, slowest first.
    pub fn all_available() -> Vec<Self> {
        let all: &[Self] = &[
            Self::Bytewise,
            Self::Portable,
            #[cfg(any(target_arch = "aarch64", test))]
            Self::Neon,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512,
        ];
        all.iter().copied().filter(|path| path.is_available()).collect()
    }

    fn is_available(self) -> bool {
        match self {
            Self::Bytewise | Self::Portable => true,
            #[cfg(any(target_arch = "aarch64", test))]
            Self::Neon => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::is_available(),
        }
    }

    /// Reads numbers from `at`, the start of one, to `out`, whose last [`SLACK`] slots do not count; returns the place after the last
    /// number's comma, which is `at` if there is none, and how many numbers.
    pub(super) fn run(self, text: &[u8], at: usize, out: &mut [u32]) -> (usize, usize) {
        let room = out.len() - SLACK;
        if text.len() - at < MIN_TEXT || room == 0 {
            return (at, 0);
        }
        match self {
            Self::Bytewise => (at, 0),
            Self::Portable => portable::run(text, at, &mut out[..room]),
            #[cfg(any(target_arch = "aarch64", test))]
            Self::Neon => with_edges(text, at, out, neon::run),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => with_edges(text, at, out, avx2::run),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => with_edges(text, at, out, avx512::run),
        }
    }
}

/// Runs a vector path, which needs some text before it and whole blocks, and the portable one where it cannot.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", test))]
fn with_edges(
    text: &[u8],
    at: usize,
    out: &mut [u32],
    vector: impl Fn(&[u8], usize, &mut [u32], usize) -> (usize, usize),
) -> (usize, usize) {
    let room = out.len() - SLACK;
    let (at, first) = portable::single(text, at, LOOK_BACK, &mut out[..room]);
    if at < LOOK_BACK {
        return (at, first);
    }
    let (at, middle) = vector(text, at, &mut out[first..], room - first);
    let (at, last) = portable::single(text, at, text.len(), &mut out[first + middle..room]);
    (at, first + middle + last)
}
