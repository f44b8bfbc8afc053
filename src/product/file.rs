//! A snapshot file that need not be read whole.
//!
//! Two thirds of a file are edges, and whoever counts nodes does not want them. In between the nodes and the strings there are numbers and
//! not one quote, so that the end of what is unwanted is found by bisection: a block with a quote lies behind it, one without before.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::Product;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::graph::filled;

/// Read at a time.
const CHUNK: usize = 256 * 1024;

/// Looked at to tell on which side of the end a block lies. V8 cuts strings at 1024 characters, so that there is a quote in every block
/// of them; where a longer string has none, what is found is no end, and nothing is passed over.
const PROBE: usize = 8 * 1024;

/// Feeds `product` with the plain text in `file`, without what it does not want; says whether it was plain text. If not, nothing was fed.
///
/// # Errors
///
/// Those of the product, `Io`, `OutOfMemory`, `Cancelled`.
pub fn feed_file(
    product: &mut dyn Product,
    file: &mut File,
    path: &Path,
    piece: usize,
    control: &Control,
) -> Result<bool> {
    let io = |error: &std::io::Error| Error::io("read", path, error);
    let length = file.metadata().map_err(|e| io(&e))?.len();
    let mut buffer = filled(0, CHUNK)?;
    let (mut at, mut tried) = (0, false);
    loop {
        control.check()?;
        let count = match file.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other.map_err(|e| io(&e))?,
        };
        if at == 0 && buffer[..count].first() != Some(&b'{') {
            file.rewind().map_err(|e| io(&e))?;
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
        control.add_bytes(count);
        buffer[..count].chunks(piece).try_for_each(|piece| product.feed(piece))?;
        at += count as u64;
        if !product.is_skipping() {
            tried = false;
        } else if !std::mem::replace(&mut tried, true) {
            let end = end_of_numbers(file, at, length).map_err(|e| io(&e))?.unwrap_or(at);
            file.seek(SeekFrom::Start(end)).map_err(|e| io(&e))?;
            product.skip(end - at);
            control.add_bytes((end - at) as usize);
            at = end;
        }
    }
}

/// The offset of the bracket that closes the last array of numbers from `from` on before a quote; `None` where that is not sure.
fn end_of_numbers(file: &mut File, from: u64, length: u64) -> std::io::Result<Option<u64>> {
    let mut block = vec![0; 3 * PROBE];
    let mut read = |at: u64, length: usize| -> std::io::Result<Vec<u8>> {
        file.seek(SeekFrom::Start(at))?;
        let mut count = 0;
        while count < length {
            match file.read(&mut block[count..length])? {
                0 => break,
                more => count += more,
            }
        }
        Ok(block[..count].to_vec())
    };
    let (mut low, mut high) = (from, length);
    while high - low > PROBE as u64 {
        let middle = low + (high - low) / 2;
        if memchr::memchr(b'"', &read(middle, PROBE)?).is_some() {
            high = middle;
        } else {
            low = middle;
        }
    }
    let text = read(low, 3 * PROBE)?;
    let Some(quote) = memchr::memchr(b'"', &text) else { return Ok(None) };
    // Numbers, a bracket, a comma, and the quote of a key.
    let mut before = text[..quote].iter().enumerate().rev().filter(|(_, byte)| !byte.is_ascii_whitespace());
    let is_end = before.next().is_some_and(|(_, &byte)| byte == b',');
    let bracket = before.next().filter(|&(_, &byte)| is_end && byte == b']').map(|(at, _)| at);
    let is_number =
        |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_whitespace() || matches!(byte, b',' | b'[');
    let end = bracket.filter(|_| before.next().is_some_and(|(_, byte)| is_number(byte)));
    // A quote that ends a long string is followed by a comma or bracket, that of a key by the key.
    let key = text[quote + 1..].split(|&byte| byte == b'"').next().unwrap_or_default();
    let is_key = !key.is_empty() && key.iter().all(|&byte| byte.is_ascii_lowercase() || byte == b'_');
    Ok(end.filter(|_| is_key).map(|end| low + end as u64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::product::named;
    use crate::snapshot::testing::Snapshot;

    fn file(name: &str, text: &str) -> (std::path::PathBuf, File) {
        let path = std::env::temp_dir().join(format!("heapwarden-{name}-{}", std::process::id()));
        std::fs::write(&path, text).expect("written");
        let file = File::open(&path).expect("there");
        (path, file)
    }

    /// The histogram of the file, and of its text fed whole; how many bytes were passed over.
    fn both_ways(name: &str, text: &str) -> (Result<String>, Result<String>, u64) {
        struct Counting(Box<dyn Product>, u64);
        impl Product for Counting {
            fn feed(&mut self, chunk: &[u8]) -> Result<()> {
                self.0.feed(chunk)
            }
            fn is_skipping(&self) -> bool {
                self.0.is_skipping()
            }
            fn skip(&mut self, bytes: u64) {
                self.1 += bytes;
                self.0.skip(bytes);
            }
            fn finish(self: Box<Self>, control: &Control) -> Result<String> {
                self.0.finish(control)
            }
        }
        let control = Control::new();
        let (path, mut file) = file(name, text);
        let mut sparse = Counting(named("histogram", 1, &Value::Null).expect("a product"), 0);
        let fed = feed_file(&mut sparse, &mut file, &path, usize::MAX, &control);
        std::fs::remove_file(&path).expect("removed");
        let skipped = sparse.1;
        let sparse = fed.and_then(|plain| {
            assert!(plain);
            Box::new(sparse).finish(&control)
        });
        let mut whole = named("histogram", 1, &Value::Null).expect("a product");
        let whole = whole.feed(text.as_bytes()).and_then(|()| whole.finish(&control));
        (sparse, whole, skipped)
    }

    fn large(text: &str) -> String {
        let mut s = Snapshot::new();
        for n in 0..40_000 {
            let node = s.node("object", &format!("Class{}", n % 90), n);
            s.edge(0, "element", &n.to_string(), node);
        }
        s.edge(1, "property", text, 2);
        s.text()
    }

    #[test]
    fn edges_are_passed_over_and_the_answer_is_the_same() {
        let (sparse, whole, skipped) = both_ways("sparse", &large("name"));
        assert_eq!(sparse, whole);
        assert!(whole.is_ok() && skipped > 500_000, "{skipped}");
    }

    #[test]
    fn a_string_without_a_quote_for_long_misleads_nobody() {
        for text in ["x".repeat(4_000_000), "],".repeat(2_000_000), "1],".repeat(1_000_000)] {
            let (sparse, whole, _) = both_ways("misled", &large(&text));
            assert_eq!(sparse, whole, "{}", &text[..8]);
        }
    }

    #[test]
    fn what_is_no_plain_text_is_left_to_others() {
        for text in ["", " {}", "\u{1f}\u{8b}"] {
            let (path, mut file) = file("other", text);
            let mut product = named("histogram", 1, &Value::Null).expect("a product");
            assert_eq!(feed_file(&mut *product, &mut file, &path, 9, &Control::new()), Ok(false));
            assert_eq!(file.stream_position().expect("a place"), 0);
            std::fs::remove_file(&path).expect("removed");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_file_cut_or_damaged_anywhere_is_the_same_error_or_answer(at in 0.0..1.0f64, byte in any::<u8>(), cut in any::<bool>()) {
            let mut text = large("name").into_bytes();
            let at = (text.len() as f64 * at) as usize;
            if cut {
                text.truncate(at);
            } else if byte.is_ascii() {
                text[at] = byte;
            }
            let Ok(text) = String::from_utf8(text) else { return Ok(()) };
            prop_assume!(text.starts_with('{'));
            let (sparse, whole, _) = both_ways("damaged", &text);
            // What is jumped over is not looked at: a bracket in its place ends the lists there only for who reads them. Nothing
            // else may differ.
            if whole.is_ok() {
                prop_assert_eq!(json!(sparse.ok()), json!(whole.ok()));
            }
        }
    }
}
