//! 64 bytes at a time with AVX-512: byte compares find where numbers end, a compression makes a list of the ends, and a permutation
//! of two registers brings the eight bytes before each end together, sixteen numbers a time.

use std::arch::x86_64::*;

use super::blocks::{BLOCK, Ends, MAX_UPPER, Masks, Run};

/// Numbers converted together.
const GROUP: usize = 16;

/// Which of sixteen ends the eight bytes of each number are counted from: packing works within quarters of a register, so two
/// neighbours come from the first permutation and two from the second.
const ENDS: [[u8; BLOCK]; 2] = [ends_of(0), ends_of(2)];

const fn ends_of(first: u8) -> [u8; BLOCK] {
    let mut ends = [0; BLOCK];
    let mut at = 0;
    while at < BLOCK {
        let number = (at / 8) as u8;
        ends[at] = number / 2 * 4 + number % 2 + first;
        at += 1;
    }
    ends
}

/// Added to an end in the block, gives the eight places before it in the block before and this one, the last first.
const PLACES: [u8; BLOCK] = {
    let mut places = [0; BLOCK];
    let mut at = 0;
    while at < BLOCK {
        places[at] = (BLOCK - 1 - at % 8) as u8;
        at += 1;
    }
    places
};

/// The places in a block.
const COUNT: [u8; BLOCK] = {
    let mut places = [0; BLOCK];
    let mut at = 0;
    while at < BLOCK {
        places[at] = at as u8;
        at += 1;
    }
    places
};

/// Whether this machine can.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vbmi2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// Reads numbers from `at`, the start of one, to `out`, of which `room` slots count; returns the place after the last one's comma,
/// and how many: none if this machine cannot.
pub(super) fn run(text: &[u8], at: usize, out: &mut [u32], room: usize) -> (usize, usize) {
    if !is_available() {
        return (at, 0);
    }
    // SAFETY: the features that the function is compiled for were just found.
    unsafe { run_unchecked(text, at, out, room) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,lzcnt,popcnt")]
fn run_unchecked(text: &[u8], at: usize, out: &mut [u32], room: usize) -> (usize, usize) {
    let mut run = Run::new(at);
    // No number reaches back from the first block.
    let mut before = _mm512_set1_epi8(b',' as i8);
    while let Some(bytes) = text.get(run.at..).and_then(|rest| rest.first_chunk()) {
        let block = load(bytes);
        let masks = classify(block);
        let Some(Ends { marks, long }) = run.ends(masks) else { break };
        let count = marks.count_ones() as usize;
        if run.count + count > room {
            break;
        }
        let Some(slots) = out.get_mut(run.count..).and_then(|rest| rest.first_chunk_mut()) else { break };
        let ends = Numbers { before, block, ends: _mm512_maskz_compress_epi8(marks, load(&COUNT)) };
        if !ends.convert(count, long, slots) {
            break;
        }
        before = block;
        run.accept(masks, count);
    }
    run.finish()
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8; BLOCK]) -> __m512i {
    // SAFETY: the reference is to 64 readable bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(slots: &mut [u32; GROUP], values: __m512i) {
    // SAFETY: the reference is to 64 writable bytes, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(slots.as_mut_ptr().cast(), values) }
}

/// Which bytes of a block are what.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn classify(block: __m512i) -> Masks {
    let digits = _mm512_sub_epi8(block, _mm512_set1_epi8(b'0' as i8));
    Masks {
        digits: _mm512_cmple_epu8_mask(digits, _mm512_set1_epi8(9)),
        commas: _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(b',' as i8)),
        newlines: _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(b'\n' as i8)),
    }
}

/// The numbers that end in a block.
#[derive(Clone, Copy)]
struct Numbers {
    before: __m512i,
    block: __m512i,
    /// A list of the places, a byte each.
    ends: __m512i,
}

impl Numbers {
    /// Writes them to the front of `slots`; false if one may not fit in 32 bits.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn convert(self, count: usize, long: bool, slots: &mut [u32; BLOCK / 2]) -> bool {
        for (at, group) in slots.as_chunks_mut().0.iter_mut().enumerate() {
            let ends = ENDS.map(|ends| {
                let ends = _mm512_add_epi8(load(&ends), _mm512_set1_epi8((at * GROUP) as i8));
                _mm512_permutexvar_epi8(ends, self.ends)
            });
            if !long {
                let [first, second] = ends.map(|ends| self.digits(ends, 0).0);
                store(group, values(first, second));
            } else if let Some(values) = self.long_values(ends) {
                store(group, values);
            } else {
                return false;
            }
            if count <= (at + 1) * GROUP {
                break;
            }
        }
        true
    }

    /// The values of numbers of up to sixteen digits, if all fit in 32 bits.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn long_values(self, ends: [__m512i; 2]) -> Option<__m512i> {
        let zero = _mm512_setzero_si512();
        let lower = ends.map(|ends| self.digits(ends, 0));
        let upper = ends.map(|ends| self.digits(ends, 8));
        // The upper digits count where all of the lower ones are digits.
        let full = lower.map(|(_, others)| _mm512_cmpeq_epi64_mask(others, zero));
        let longer = [0, 1].map(|half: usize| _mm512_mask_cmpeq_epi64_mask(full[half], upper[half].1, zero));
        let upper = [0, 1].map(|half: usize| _mm512_maskz_mov_epi64(full[half], upper[half].0));
        let upper = values(upper[0], upper[1]);
        let too_large = _mm512_cmpgt_epu32_mask(upper, _mm512_set1_epi32(MAX_UPPER as i32));
        if too_large != 0 || longer != [0, 0] {
            return None;
        }
        let upper = _mm512_mullo_epi32(upper, _mm512_set1_epi32(100_000_000));
        Some(_mm512_add_epi32(values(lower[0].0, lower[1].0), upper))
    }

    /// The digits of eight numbers, last digit first and zero where a number has none, and where other bytes are. Each byte of `ends`
    /// is the end of its number; the digits are those before the `back` last ones.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn digits(self, ends: __m512i, back: i8) -> (__m512i, __m512i) {
        let places = _mm512_add_epi8(ends, _mm512_sub_epi8(load(&PLACES), _mm512_set1_epi8(back)));
        let bytes = _mm512_permutex2var_epi8(self.before, places, self.block);
        let digits = _mm512_xor_si512(bytes, _mm512_set1_epi8(b'0' as i8));
        // Of what is accepted, only the separators are above nine.
        let others = _mm512_movm_epi8(_mm512_cmpgt_epi8_mask(digits, _mm512_set1_epi8(9)));
        // The bits below the lowest that is set: all digits before the first other byte.
        let below = _mm512_add_epi64(others, _mm512_set1_epi64(-1));
        /// The first and not the second and the third.
        const KEPT: i32 = 0b0010_0000;
        (_mm512_ternarylogic_epi64::<KEPT>(digits, others, below), others)
    }
}

/// The sixteen numbers whose digits these are.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn values(first: __m512i, second: __m512i) -> __m512i {
    let fours = |digits: __m512i| {
        let pairs = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(10 << 8 | 1));
        _mm512_madd_epi16(pairs, _mm512_set1_epi32(100 << 16 | 1))
    };
    let packed = _mm512_packus_epi32(fours(first), fours(second));
    _mm512_madd_epi16(packed, _mm512_set1_epi32(10_000 << 16 | 1))
}
