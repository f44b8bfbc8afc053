//! 64 bytes at a time with NEON: byte compares find where numbers end, then the eight bytes before each end are converted, four
//! numbers together.

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::*;

use super::blocks::{BLOCK, Ends, MAX_UPPER, Masks, Run, Window, bytes_before, window};
// The tests hold this code against the others on machines without NEON, too.
#[cfg(not(target_arch = "aarch64"))]
use super::neon_model::*;

/// Numbers converted together.
const GROUP: usize = 4;

/// Reads numbers from `at`, the start of one with a window, to `out`, of which `room` slots count; returns the place after the last
/// one's comma, and how many.
pub(super) fn run(text: &[u8], at: usize, out: &mut [u32], room: usize) -> (usize, usize) {
    // SAFETY: NEON belongs to every aarch64 that this is compiled for, and the model of it needs nothing.
    #[cfg_attr(not(target_arch = "aarch64"), expect(unused_unsafe))]
    unsafe {
        run_unchecked(text, at, out, room)
    }
}

#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn run_unchecked(text: &[u8], at: usize, out: &mut [u32], room: usize) -> (usize, usize) {
    let mut run = Run::new(at);
    while let Some(window) = window(text, run.at) {
        let masks = classify(window);
        let Some(Ends { marks, long }) = run.ends(masks) else { break };
        let count = marks.count_ones() as usize;
        if run.count + count > room {
            break;
        }
        let Some(slots) = out.get_mut(run.count..).and_then(|rest| rest.first_chunk_mut()) else { break };
        if long {
            if !convert_long(window, marks, slots) {
                break;
            }
        } else {
            convert(window, marks, slots);
        }
        run.accept(masks, count);
    }
    run.finish()
}

#[inline]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn load(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: the reference is to 16 readable bytes, and the load needs no alignment.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

#[inline]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn store(slots: &mut [u32; GROUP], values: uint32x4_t) {
    // SAFETY: the reference is to four writable numbers.
    unsafe { vst1q_u32(slots.as_mut_ptr(), values) }
}

/// Which bytes of the window's block are what.
#[inline]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn classify(window: &Window) -> Masks {
    let [_, block @ ..] = window.as_chunks().0 else { unreachable!("a window is longer") };
    let Some(block) = block.first_chunk::<{ BLOCK / 16 }>() else { unreachable!("a window holds a block") };
    let block = [load(&block[0]), load(&block[1]), load(&block[2]), load(&block[3])];
    let is = |byte: u8| bits(block.map(|bytes| vceqq_u8(bytes, vdupq_n_u8(byte))));
    let digits = block.map(|bytes| vcleq_u8(vsubq_u8(bytes, vdupq_n_u8(b'0')), vdupq_n_u8(9)));
    Masks { digits: bits(digits), commas: is(b','), newlines: is(b'\n') }
}

/// A bit for each byte, which is all ones or zero.
#[inline]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn bits(bytes: [uint8x16_t; 4]) -> u64 {
    let weights = vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201));
    let [a, b, c, d] = bytes.map(|bytes| vandq_u8(bytes, weights));
    // Neighbours are added until eight bytes are one.
    let sums = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
    vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)))
}

/// The bytes before the next four of `marks`.
#[inline]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn gather(window: &Window, marks: &mut u64, back: usize) -> [uint8x16_t; 2] {
    let mut next = || vcreate_u64(bytes_before(window, marks, back));
    let [a, b, c, d] = [next(), next(), next(), next()];
    [vreinterpretq_u8_u64(vcombine_u64(a, b)), vreinterpretq_u8_u64(vcombine_u64(c, d))]
}

/// The digits of two numbers, last digit first and zero where a number has none, and where other bytes are.
#[inline]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn digits(bytes: uint8x16_t) -> (uint8x16_t, uint64x2_t) {
    let digits = veorq_u8(vrev64q_u8(bytes), vdupq_n_u8(b'0'));
    let others = vreinterpretq_u64_u8(vcgtq_u8(digits, vdupq_n_u8(9)));
    // The bits below the lowest that is set: all digits before the first other byte.
    let kept = vbicq_u64(vsubq_u64(others, vdupq_n_u64(1)), others);
    (vandq_u8(digits, vreinterpretq_u8_u64(kept)), others)
}

/// The four numbers whose digits these are.
#[inline]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn values(first: uint8x16_t, second: uint8x16_t) -> uint32x4_t {
    let [first, second] = [first, second].map(|digits| {
        let pairs = vpaddlq_u8(vmulq_u8(digits, vreinterpretq_u8_u16(vdupq_n_u16(10 << 8 | 1))));
        let fours = vpaddlq_u16(vmulq_u16(pairs, vreinterpretq_u16_u32(vdupq_n_u32(100 << 16 | 1))));
        vmulq_u32(fours, vreinterpretq_u32_u64(vdupq_n_u64(10_000 << 32 | 1)))
    });
    vpaddq_u32(first, second)
}

/// Writes the numbers before `marks`, none of more than eight digits, to the front of `slots`.
#[inline]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn convert(window: &Window, mut marks: u64, slots: &mut [u32; BLOCK / 2]) {
    for group in slots.as_chunks_mut().0 {
        let [first, second] = gather(window, &mut marks, 0);
        store(group, values(digits(first).0, digits(second).0));
        if marks == 0 {
            break;
        }
    }
}

/// The same for numbers of up to sixteen digits; false if one may not fit in 32 bits.
// A function with a target feature is no `Fn`, a closure within one is.
#[cfg_attr(not(target_arch = "aarch64"), expect(clippy::redundant_closure))]
#[inline]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn convert_long(window: &Window, mut marks: u64, slots: &mut [u32; BLOCK / 2]) -> bool {
    for group in slots.as_chunks_mut().0 {
        let mut again = marks;
        let lower = gather(window, &mut marks, 0).map(|bytes| digits(bytes));
        let upper = gather(window, &mut again, 8).map(|bytes| digits(bytes));
        // The upper digits count where all of the lower ones are digits.
        let full = lower.map(|(_, others)| vceqzq_u64(others));
        let more = [0, 1].map(|half: usize| vandq_u8(upper[half].0, vreinterpretq_u8_u64(full[half])));
        let longer = [0, 1].map(|half: usize| vandq_u64(vceqzq_u64(upper[half].1), full[half]));
        let upper = values(more[0], more[1]);
        let too_large = vorrq_u32(
            vcgtq_u32(upper, vdupq_n_u32(MAX_UPPER)),
            vreinterpretq_u32_u64(vorrq_u64(longer[0], longer[1])),
        );
        if vmaxvq_u32(too_large) != 0 {
            return false;
        }
        let lower = values(lower[0].0, lower[1].0);
        store(group, vmlaq_u32(lower, upper, vdupq_n_u32(100_000_000)));
        if marks == 0 {
            break;
        }
    }
    true
}
