//! 64 bytes at a time with AVX2: byte compares find where numbers end, then the eight bytes before each end are converted, eight
//! numbers together.

use std::arch::x86_64::*;

use super::blocks::{BLOCK, Ends, MAX_UPPER, Masks, Run, Window, bytes_before, window};

/// Numbers converted together.
const GROUP: usize = 8;

/// Whether this machine can.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// Reads numbers from `at`, the start of one with a window, to `out`, of which `room` slots count; returns the place
/// after the last one's comma, and how many: none if this machine cannot.
pub(super) fn run(text: &[u8], at: usize, out: &mut [u32], room: usize) -> (usize, usize) {
    if !is_available() {
        return (at, 0);
    }
    // SAFETY: the features that the function is compiled for were just found.
    unsafe { run_unchecked(text, at, out, room) }
}

#[target_feature(enable = "avx2,bmi1,lzcnt,popcnt")]
fn run_unchecked(text: &[u8], at: usize, out: &mut [u32], room: usize) -> (usize, usize) {
    let mut run = Run::new(at);
    while let Some(window) = window(text, run.at) {
        let masks = classify(window);
        let Some(Ends { marks, long }) = run.ends(masks) else { break };
        let count = marks.count_ones() as usize;
        if run.count + count > room {
            break;
        }
        let Some(slots) = out.get_mut(run.count..).and_then(|rest| rest.first_chunk_mut::<{ BLOCK / 2 }>())
        else {
            break;
        };
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
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the reference is to 32 readable bytes, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(slots: &mut [u32; GROUP], values: __m256i) {
    // SAFETY: the reference is to 32 writable bytes, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(slots.as_mut_ptr().cast(), values) }
}

/// Which bytes of the window's block are what.
#[inline]
#[target_feature(enable = "avx2")]
fn classify(window: &Window) -> Masks {
    let (Some((_, upper)), Some((_, both))) =
        (window.split_last_chunk::<32>(), window.split_last_chunk::<BLOCK>())
    else {
        unreachable!("a window is longer")
    };
    let Some(lower) = both.first_chunk::<32>() else { unreachable!("a block is longer") };
    let (lower, upper) = (load(lower), load(upper));
    let both = |lower: __m256i, upper: __m256i| {
        u64::from(_mm256_movemask_epi8(lower) as u32) | u64::from(_mm256_movemask_epi8(upper) as u32) << 32
    };
    let is = |byte: u8| {
        let byte = _mm256_set1_epi8(byte as i8);
        both(_mm256_cmpeq_epi8(lower, byte), _mm256_cmpeq_epi8(upper, byte))
    };
    let is_digit = |bytes: __m256i| {
        // Unsigned: what is below the zero wraps to above the nine.
        let digits = _mm256_sub_epi8(bytes, _mm256_set1_epi8(b'0' as i8));
        _mm256_cmpeq_epi8(_mm256_min_epu8(digits, _mm256_set1_epi8(9)), digits)
    };
    Masks { digits: both(is_digit(lower), is_digit(upper)), commas: is(b','), newlines: is(b'\n') }
}

/// The bytes before the next eight of `marks`, in the order in which [`values`] wants them.
#[inline]
#[target_feature(enable = "avx2")]
fn gather(window: &Window, marks: &mut u64, back: usize) -> [__m256i; 2] {
    let mut next = || bytes_before(window, marks, back).cast_signed();
    let [a, b, c, d, e, f, g, h] = [next(), next(), next(), next(), next(), next(), next(), next()];
    // Packing works within halves: its result has the two numbers of the first's lower half, of the second's, and so on.
    [_mm256_set_epi64x(f, e, b, a), _mm256_set_epi64x(h, g, d, c)]
}

/// The digits of four numbers, last digit first and zero where a number has none, and where other bytes are.
#[inline]
#[target_feature(enable = "avx2")]
fn digits(bytes: __m256i) -> (__m256i, __m256i) {
    let reversed = _mm256_set_epi64x(
        0x0809_0a0b_0c0d_0e0f,
        0x0001_0203_0405_0607,
        0x0809_0a0b_0c0d_0e0f,
        0x0001_0203_0405_0607,
    );
    let digits = _mm256_xor_si256(_mm256_shuffle_epi8(bytes, reversed), _mm256_set1_epi8(b'0' as i8));
    // Signed is enough: the first byte that is no digit follows a number, and is whitespace or punctuation.
    let others = _mm256_cmpgt_epi8(digits, _mm256_set1_epi8(9));
    // The bits below the lowest that is set: all digits before the first other byte.
    let kept = _mm256_andnot_si256(others, _mm256_add_epi64(others, _mm256_set1_epi64x(-1)));
    (_mm256_and_si256(digits, kept), others)
}

/// The eight numbers whose digits these are.
#[inline]
#[target_feature(enable = "avx2")]
fn values(first: __m256i, second: __m256i) -> __m256i {
    let fours = |digits: __m256i| {
        let pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(10 << 8 | 1));
        _mm256_madd_epi16(pairs, _mm256_set1_epi32(100 << 16 | 1))
    };
    let packed = _mm256_packus_epi32(fours(first), fours(second));
    _mm256_madd_epi16(packed, _mm256_set1_epi32(10_000 << 16 | 1))
}

/// Writes the numbers before `marks`, none of more than eight digits, to the front of `slots`.
#[inline]
#[target_feature(enable = "avx2,bmi1")]
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
#[inline]
#[target_feature(enable = "avx2,bmi1")]
fn convert_long(window: &Window, mut marks: u64, slots: &mut [u32; BLOCK / 2]) -> bool {
    let zero = _mm256_setzero_si256();
    for group in slots.as_chunks_mut().0 {
        let mut again = marks;
        let lower = gather(window, &mut marks, 0).map(|bytes| digits(bytes));
        let upper = gather(window, &mut again, 8).map(|bytes| digits(bytes));
        // The upper digits count where all of the lower ones are digits.
        let full = lower.map(|(_, others)| _mm256_cmpeq_epi64(others, zero));
        let more = [0, 1].map(|half: usize| _mm256_and_si256(upper[half].0, full[half]));
        let longer =
            [0, 1].map(|half: usize| _mm256_and_si256(_mm256_cmpeq_epi64(upper[half].1, zero), full[half]));
        let upper = values(more[0], more[1]);
        let too_large = _mm256_or_si256(
            _mm256_cmpgt_epi32(upper, _mm256_set1_epi32(MAX_UPPER as i32)),
            _mm256_or_si256(longer[0], longer[1]),
        );
        if _mm256_testz_si256(too_large, too_large) == 0 {
            return false;
        }
        let lower = values(lower[0].0, lower[1].0);
        let upper = _mm256_mullo_epi32(upper, _mm256_set1_epi32(100_000_000));
        store(group, _mm256_add_epi32(lower, upper));
        if marks == 0 {
            break;
        }
    }
    true
}
