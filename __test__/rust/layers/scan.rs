//! Just enough of Rust's grammar to tell code from comments and strings, and to find paths and test-only items.

/// A piece of code. Comments are gone; a string literal is one token that starts with a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub text: &'a str,
    /// From 1.
    pub line: usize,
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// The end of a string that starts at `at` with `"` (escapes count), or with `hashes` of `#` (they do not).
fn string_end(bytes: &[u8], mut at: usize, hashes: Option<usize>) -> usize {
    at += 1;
    while at < bytes.len() {
        match (bytes[at], hashes) {
            (b'\\', None) => at += 1,
            (b'"', None) => return at + 1,
            (b'"', Some(n)) if bytes[at + 1..].iter().take_while(|&&b| b == b'#').count() >= n => {
                return at + 1 + n;
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn block_comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// The end of a character literal that starts at `at`, or nothing where the quote starts a lifetime.
fn char_end(source: &str, at: usize) -> Option<usize> {
    let mut chars = source[at + 1..].char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' {
        chars.next();
        return chars.find(|&(_, c)| c == '\'').map(|(i, _)| at + 1 + i + 1);
    }
    chars.next().filter(|&(_, c)| c == '\'').map(|(i, _)| at + 1 + i + 1)
}

/// The code of `source`, token by token.
pub fn tokens(source: &str) -> Vec<Token<'_>> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let (start, started_on) = (at, line);
        let mut keep = true;
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            keep = false;
        } else if bytes[at..].starts_with(b"//") {
            at = source[at..].find('\n').map_or(bytes.len(), |n| at + n);
            keep = false;
        } else if bytes[at..].starts_with(b"/*") {
            at = block_comment_end(bytes, at);
            keep = false;
        } else if bytes[at] == b'"' {
            at = string_end(bytes, at, None);
        } else if bytes[at] == b'\'' {
            at = char_end(source, at).unwrap_or(at + 1);
            keep = false;
        } else if is_word(bytes[at]) {
            while at < bytes.len() && is_word(bytes[at]) {
                at += 1;
            }
            let raw = source[start..at].ends_with('r') && at - start <= 2;
            let hashes = bytes[at..].iter().take_while(|&&b| b == b'#').count();
            match bytes.get(at + hashes) {
                Some(b'"') if raw => {
                    at = string_end(bytes, at + hashes, Some(hashes));
                    keep = false;
                }
                Some(b'"') if hashes == 0 && matches!(&source[start..at], "b" | "c") => {
                    at = string_end(bytes, at, None);
                    keep = false;
                }
                _ => {}
            }
        } else {
            at += if bytes[at..].starts_with(b"::") { 2 } else { 1 };
        }
        line += bytes[start..at].iter().filter(|&&b| b == b'\n').count();
        if keep {
            found.push(Token { text: &source[start..at], line: started_on });
        }
    }
    found
}

/// The texts from `at` on, for matching against a pattern.
pub fn matches_at(tokens: &[Token<'_>], at: usize, pattern: &[&str]) -> bool {
    tokens.len() >= at + pattern.len() && tokens[at..].iter().zip(pattern).all(|(t, p)| t.text == *p)
}

/// One past the bracket that closes the one at `at`.
fn group_end(tokens: &[Token<'_>], at: usize) -> usize {
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate().skip(at) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// One past an item that starts at `at`: its semicolon, or its body.
fn item_end(tokens: &[Token<'_>], mut at: usize) -> usize {
    while at < tokens.len() {
        match tokens[at].text {
            ";" => return at + 1,
            "{" => return group_end(tokens, at),
            "(" | "[" => at = group_end(tokens, at),
            _ => at += 1,
        }
    }
    tokens.len()
}

/// The tokens without what is compiled for tests only, and the names of the files that are (`#[cfg(test)] mod x;`).
pub fn without_tests<'a>(tokens: &[Token<'a>]) -> (Vec<Token<'a>>, Vec<&'a str>) {
    let (mut kept, mut files) = (Vec::new(), Vec::new());
    if matches_at(tokens, 0, &["#", "!", "[", "cfg", "(", "test", ")", "]"]) {
        return (kept, files);
    }
    let mut at = 0;
    while at < tokens.len() {
        let test_only = matches_at(tokens, at, &["#", "[", "cfg", "(", "test", ")", "]"])
            || matches_at(tokens, at, &["#", "[", "cfg", "(", "all", "(", "test", ","]);
        if !test_only {
            kept.push(tokens[at]);
            at += 1;
            continue;
        }
        // Past this attribute and those that follow it.
        while matches_at(tokens, at, &["#", "["]) {
            at = group_end(tokens, at + 1);
        }
        let end = item_end(tokens, at);
        if let Some(i) = (at..end).find(|&i| tokens[i].text == "mod")
            && tokens.get(i + 2).is_some_and(|t| t.text == ";")
        {
            files.push(tokens[i + 1].text);
        }
        at = end;
    }
    (kept, files)
}

/// What a path reaches right under the crate's root: `crate::x`, `crate::{x, y::z}`, `super::super::x`.
///
/// `depth` is that of the file's own module: 0 for lib.rs, 1 for src/a.rs, 2 for src/a/b.rs.
pub fn root_paths<'a>(tokens: &[Token<'a>], depth: usize) -> Vec<Token<'a>> {
    let mut found = Vec::new();
    // Of every brace that is open: whether it opened an inline module, which `super` must climb out of.
    let mut braces: Vec<bool> = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        match token.text {
            "{" => braces.push(i >= 2 && tokens[i - 2].text == "mod"),
            "}" => drop(braces.pop()),
            "crate" if matches_at(tokens, i + 1, &["::"]) => names_at(tokens, i + 2, &mut found),
            "super" if i == 0 || tokens[i - 1].text != "::" => {
                let mut ups = 0;
                while matches_at(tokens, i + 2 * ups, &["super", "::"]) {
                    ups += 1;
                }
                let inline = braces.iter().filter(|&&module| module).count();
                if ups > 0 && ups == depth + inline {
                    names_at(tokens, i + 2 * ups, &mut found);
                }
            }
            _ => {}
        }
    }
    found
}

/// The name at `at`, or the first name of each path of the group there.
fn names_at<'a>(tokens: &[Token<'a>], at: usize, found: &mut Vec<Token<'a>>) {
    let Some(first) = tokens.get(at) else { return };
    if first.text != "{" {
        found.push(*first);
        return;
    }
    let end = group_end(tokens, at);
    let mut depth = 0usize;
    for i in at..end {
        match tokens[i].text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if depth == 1 && matches!(tokens[i - 1].text, "{" | ",") => found.push(tokens[i]),
            _ => {}
        }
    }
}
