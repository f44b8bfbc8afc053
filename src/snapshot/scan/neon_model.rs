//! What the NEON instructions that [`neon`](super::neon) uses do, lane by lane, after Arm's reference: for tests on other machines.

#![expect(non_camel_case_types)]

use std::array::from_fn;

#[derive(Debug, Clone, Copy)]
pub struct uint8x16_t([u8; 16]);
#[derive(Debug, Clone, Copy)]
pub struct uint16x8_t([u16; 8]);
#[derive(Debug, Clone, Copy)]
pub struct uint32x4_t([u32; 4]);
#[derive(Debug, Clone, Copy)]
pub struct uint64x2_t([u64; 2]);
#[derive(Debug, Clone, Copy)]
pub struct uint64x1_t(u64);

/// # Safety
///
/// `from` is good for reads of 16 bytes.
pub unsafe fn vld1q_u8(from: *const u8) -> uint8x16_t {
    // SAFETY: the caller upholds it; an array of bytes needs no alignment.
    uint8x16_t(unsafe { from.cast::<[u8; 16]>().read() })
}

/// # Safety
///
/// `to` is good for writes of four numbers.
pub unsafe fn vst1q_u32(to: *mut u32, values: uint32x4_t) {
    // SAFETY: the caller upholds it.
    unsafe { to.cast::<[u32; 4]>().write(values.0) }
}

/// Instructions that treat each lane by itself.
macro_rules! lanes {
    ($($name:ident($($arg:ident),*) -> $vector:ident: $lane:expr;)*) => {$(
        pub fn $name($($arg: $vector),*) -> $vector {
            $vector(from_fn(|i| { $(let $arg = $arg.0[i];)* $lane }))
        }
    )*};
}

lanes! {
    vceqq_u8(a, b) -> uint8x16_t: if a == b { u8::MAX } else { 0 };
    vcleq_u8(a, b) -> uint8x16_t: if a <= b { u8::MAX } else { 0 };
    vcgtq_u8(a, b) -> uint8x16_t: if a > b { u8::MAX } else { 0 };
    vsubq_u8(a, b) -> uint8x16_t: a.wrapping_sub(b);
    vmulq_u8(a, b) -> uint8x16_t: a.wrapping_mul(b);
    vandq_u8(a, b) -> uint8x16_t: a & b;
    veorq_u8(a, b) -> uint8x16_t: a ^ b;
    vmulq_u16(a, b) -> uint16x8_t: a.wrapping_mul(b);
    vcgtq_u32(a, b) -> uint32x4_t: if a > b { u32::MAX } else { 0 };
    vmulq_u32(a, b) -> uint32x4_t: a.wrapping_mul(b);
    vmlaq_u32(a, b, c) -> uint32x4_t: a.wrapping_add(b.wrapping_mul(c));
    vorrq_u32(a, b) -> uint32x4_t: a | b;
    vsubq_u64(a, b) -> uint64x2_t: a.wrapping_sub(b);
    vandq_u64(a, b) -> uint64x2_t: a & b;
    vorrq_u64(a, b) -> uint64x2_t: a | b;
    vbicq_u64(a, b) -> uint64x2_t: a & !b;
    vceqzq_u64(a) -> uint64x2_t: if a == 0 { u64::MAX } else { 0 };
}

/// The same bits as other lanes, the first in the lowest bytes.
macro_rules! reinterpret {
    ($($name:ident: $from:ident -> $to:ident of $lane:ident;)*) => {$(
        pub fn $name(from: $from) -> $to {
            let bytes: Vec<u8> = from.0.iter().flat_map(|lane| lane.to_le_bytes()).collect();
            $to(from_fn(|i| $lane::from_le_bytes(*bytes[i * size_of::<$lane>()..].first_chunk().unwrap())))
        }
    )*};
}

reinterpret! {
    vreinterpretq_u8_u16: uint16x8_t -> uint8x16_t of u8;
    vreinterpretq_u8_u64: uint64x2_t -> uint8x16_t of u8;
    vreinterpretq_u16_u32: uint32x4_t -> uint16x8_t of u16;
    vreinterpretq_u32_u64: uint64x2_t -> uint32x4_t of u32;
    vreinterpretq_u64_u8: uint8x16_t -> uint64x2_t of u64;
}

pub fn vdupq_n_u8(lane: u8) -> uint8x16_t {
    uint8x16_t([lane; 16])
}

pub fn vdupq_n_u16(lane: u16) -> uint16x8_t {
    uint16x8_t([lane; 8])
}

pub fn vdupq_n_u32(lane: u32) -> uint32x4_t {
    uint32x4_t([lane; 4])
}

pub fn vdupq_n_u64(lane: u64) -> uint64x2_t {
    uint64x2_t([lane; 2])
}

pub fn vcreate_u64(lane: u64) -> uint64x1_t {
    uint64x1_t(lane)
}

pub fn vcombine_u64(low: uint64x1_t, high: uint64x1_t) -> uint64x2_t {
    uint64x2_t([low.0, high.0])
}

pub fn vgetq_lane_u64<const LANE: i32>(from: uint64x2_t) -> u64 {
    from.0[LANE as usize]
}

/// The bytes of each half in the other order.
pub fn vrev64q_u8(a: uint8x16_t) -> uint8x16_t {
    uint8x16_t(from_fn(|i| a.0[i / 8 * 8 + 7 - i % 8]))
}

/// Sums of neighbours, those of the first operand first.
pub fn vpaddq_u8(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
    let both = [a.0, b.0].concat();
    uint8x16_t(from_fn(|i| both[2 * i].wrapping_add(both[2 * i + 1])))
}

/// The same.
pub fn vpaddq_u32(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t {
    let both = [a.0, b.0].concat();
    uint32x4_t(from_fn(|i| both[2 * i].wrapping_add(both[2 * i + 1])))
}

/// Sums of neighbours, twice as wide.
pub fn vpaddlq_u8(a: uint8x16_t) -> uint16x8_t {
    uint16x8_t(from_fn(|i| u16::from(a.0[2 * i]) + u16::from(a.0[2 * i + 1])))
}

/// The same.
pub fn vpaddlq_u16(a: uint16x8_t) -> uint32x4_t {
    uint32x4_t(from_fn(|i| u32::from(a.0[2 * i]) + u32::from(a.0[2 * i + 1])))
}

pub fn vmaxvq_u32(a: uint32x4_t) -> u32 {
    a.0.into_iter().max().unwrap_or(0)
}
