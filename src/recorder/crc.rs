//! The checksum of records: the CRC-32 of gzip and zip.
//!
//! Signal handlers compute it, on a stack that may have no more than 8 KiB, the system's frame of some of them included. Libraries that take
//! tables of that size along on the stack are no good there. This needs some ten words.

/// The polynomial, lowest bit first.
const POLYNOMIAL: u32 = 0xedb8_8320;
/// Bytes at a time.
const STEP: usize = 8;

/// Of each byte, what it becomes once `n` zeros have followed it.
static AFTER_ZEROS: [[u32; 256]; STEP] = tables();

const fn tables() -> [[u32; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < STEP {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[zeros - 1][byte];
            tables[zeros][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

/// The checksum of the bytes of all parts, one after the other. Allocates nothing and calls nothing.
pub(super) fn crc32(parts: &[&[u8]]) -> u32 {
    !parts.iter().fold(!0, |crc, part| {
        let (steps, rest) = part.as_chunks::<STEP>();
        let crc = steps.iter().fold(crc, |crc, step| {
            let mut step = *step;
            for (byte, of_crc) in step.iter_mut().zip(crc.to_le_bytes()) {
                *byte ^= of_crc;
            }
            step.iter()
                .zip(AFTER_ZEROS.iter().rev())
                .fold(0, |sum, (&byte, table)| sum ^ table[usize::from(byte)])
        });
        rest.iter()
            .fold(crc, |crc, &byte| crc >> 8 ^ AFTER_ZEROS[0][usize::from(crc.to_le_bytes()[0] ^ byte)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn is_the_one_that_is_called_so() {
        assert_eq!(crc32(&[b"1234", b"56789"]), 0xcbf4_3926);
        assert_eq!(crc32(&[]), 0);
    }

    proptest! {
        #[test]
        fn is_what_a_library_makes_of_the_same(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..300usize) {
            let (front, rest) = bytes.split_at(at.min(bytes.len()));
            let mut library = flate2::Crc::new();
            library.update(&bytes);
            prop_assert_eq!(crc32(&[front, rest]), library.sum());
        }
    }
}
