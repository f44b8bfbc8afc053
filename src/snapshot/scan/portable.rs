//! Eight bytes at a time in an ordinary register, on any machine.
//!
//! One number after the other would leave the processor waiting: where a number starts is known only when the one before has been
//! measured. So the text is cut at commas into a few stretches of equal length, and a cursor in each takes its turn.

/// How far behind its start a number is read: eight bytes at once, and what ends it.
const REACH: usize = 16;

/// Cursors at work at once.
const CURSORS: usize = 4;

/// How far to look for a comma to cut at.
const CUT: usize = 32;

/// Text shorter than this is not worth cutting.
const MIN_CUT: usize = 256;

const ZEROS: u64 = 0x3030_3030_3030_3030;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
/// Added to a byte, sets its high bit if it is above nine.
const ABOVE_NINE: u64 = 0x7676_7676_7676_7676;

/// The value of eight decimal digits, one a byte, the first in the lowest.
#[inline(always)]
fn eight_digits(digits: u64) -> u32 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    // Pairs 0 and 2, and pairs 1 and 3, each weighed and summed in the upper half of a product.
    let outer = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let inner = ((pairs >> 16) & PAIRS).wrapping_mul(1 + (10_000 << 32));
    (outer.wrapping_add(inner) >> 32) as u32
}

/// The number at the front of `text` and the length of it and the comma behind it, or of `\n,`; nothing for anything else.
#[inline(always)]
fn number(text: &[u8; REACH]) -> Option<(u32, usize)> {
    let [a, b, c, d, e, f, g, h, ..] = *text;
    let digits = u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ ZEROS;
    // A carry goes to later bytes only, so the first byte that is marked is the first that is no digit.
    let others = (digits.wrapping_add(ABOVE_NINE) | digits) & HIGH_BITS;
    let bits = others.trailing_zeros() & !7;
    if bits == 0 {
        return None;
    }
    let value = eight_digits(digits << (64 - bits));
    let len = bits as usize / 8;
    match text[len & (REACH - 1)] {
        b',' => Some((value, len + 1)),
        b'\n' if text[(len + 1) & (REACH - 1)] == b',' => Some((value, len + 2)),
        _ if len == 8 => long_number(text, value),
        _ => None,
    }
}

/// The same for a number whose first eight digits are `value`.
fn long_number(text: &[u8; REACH], value: u32) -> Option<(u32, usize)> {
    let len = 8 + text[8..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if len > 10 {
        return None;
    }
    let wide = text[8..len].iter().fold(u64::from(value), |value, byte| value * 10 + u64::from(byte - b'0'));
    let value = u32::try_from(wide).ok()?;
    match text[len..] {
        [b',', ..] => Some((value, len + 1)),
        [b'\n', b',', ..] => Some((value, len + 2)),
        _ => None,
    }
}

/// One of several places at which the text is read.
#[derive(Clone, Copy, Default)]
struct Cursor {
    at: usize,
    /// Where it must stop: the start of the next one.
    until: usize,
    /// The slot for its next number.
    out: usize,
}

impl Cursor {
    /// Reads one number. False, with nothing changed, if there is none that is simple enough, no room, or the end is reached.
    #[inline(always)]
    fn step(&mut self, text: &[u8], out: &mut [u32]) -> bool {
        if self.at >= self.until {
            return false;
        }
        let Some(window) = text.get(self.at..).and_then(|rest| rest.first_chunk()) else { return false };
        let (Some((value, len)), Some(slot)) = (number(window), out.get_mut(self.out)) else { return false };
        *slot = value;
        self.at += len;
        self.out += 1;
        true
    }
}

/// Reads numbers from `at`, the start of one, to `out`, until one that starts at `until` or later or is not simple; returns the
/// place after the last one's comma, and how many.
pub(super) fn single(text: &[u8], at: usize, until: usize, out: &mut [u32]) -> (usize, usize) {
    let mut cursor = Cursor { at, until, out: 0 };
    while cursor.step(text, out) {}
    (cursor.at, cursor.out)
}

/// Reads numbers from `at`, the start of one, to `out`, until it is full or a number is not simple; returns the place after the last
/// one's comma, and how many.
pub(super) fn run(text: &[u8], mut at: usize, out: &mut [u32]) -> (usize, usize) {
    let mut count = 0;
    while let Some((next, more, whole)) = several(text, at, &mut out[count..]) {
        count += more;
        at = next;
        if !whole {
            return (at, count);
        }
    }
    let (at, more) = single(text, at, text.len(), &mut out[count..]);
    (at, count + more)
}

/// Reads a stretch of text from several places at once: the place after the last number's comma, how many numbers, and whether there
/// was nothing but simple numbers. Nothing if the stretch is too short to cut.
fn several(text: &[u8], at: usize, out: &mut [u32]) -> Option<(usize, usize, bool)> {
    // A number and its comma are two bytes at least, and a cut is at most so far behind its place: a cursor's part of `out` holds
    // whatever its part of the text does.
    let slots = out.len() / CURSORS;
    let piece = (slots.checked_sub(CUT)? * 2).min((text.len() - at).saturating_sub(REACH) / CURSORS);
    if piece * CURSORS < MIN_CUT {
        return None;
    }
    let mut cursors = [Cursor { at, until: at + piece * CURSORS, out: 0 }; CURSORS];
    for k in 1..CURSORS {
        let place = at + k * piece;
        let cut = place + memchr::memchr(b',', &text[place..place + CUT])? + 1;
        cursors[k - 1].until = cut;
        (cursors[k].at, cursors[k].out) = (cut, k * slots);
    }
    let [mut a, mut b, mut c, mut d] = cursors;
    // Not `&&`, so that no cursor depends on another's luck.
    while a.step(text, out) & b.step(text, out) & c.step(text, out) & d.step(text, out) {}
    let (mut at, mut count) = (at, 0);
    for (k, cursor) in [&mut a, &mut b, &mut c, &mut d].into_iter().enumerate() {
        while cursor.step(text, out) {}
        let first = k * slots;
        out.copy_within(first..cursor.out, count);
        count += cursor.out - first;
        at = cursor.at;
        if at < cursor.until {
            return Some((at, count, false));
        }
    }
    Some((at, count, true))
}
