//! Lines for a terminal: no wider than it, and harmless whatever a program calls its classes.

use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// No line is wider, in columns.
pub const WIDTH: usize = 100;
/// Where the text beside a label begins.
const LABELLED: usize = 15;
/// What there is for that.
pub const ROOM: usize = WIDTH - LABELLED;
/// Indent of a label.
const LABEL: usize = 3;
/// Text of which there is more is cut: a name may be of any length, and have spaces.
const MOST_LINES: usize = 4;
/// Marks what was cut.
const GAP: &str = "...";

/// A block of text in the making.
#[derive(Default)]
pub struct Block {
    pub text: String,
}

impl Block {
    /// Adds a line at an indent, cut to the width.
    pub fn line(&mut self, indent: usize, text: &str) {
        let text = harmless(text);
        let line = format!("{:indent$}{}", "", cut(&text, WIDTH - indent));
        let _ = writeln!(self.text, "{}", line.trim_end());
    }

    /// Adds a rule across the width.
    pub fn rule(&mut self) {
        self.line(0, &"-".repeat(WIDTH));
    }

    /// Adds text at an indent, wrapped at spaces.
    pub fn wrapped(&mut self, indent: usize, text: &str) {
        for row in rows(text, WIDTH - indent) {
            self.line(indent, &row);
        }
    }

    /// The same, with what follows the first line indented further.
    pub fn hanging(&mut self, indent: usize, further: usize, text: &str) {
        for (i, row) in rows(text, WIDTH - indent - further).iter().enumerate() {
            self.line(indent + if i == 0 { 0 } else { further }, row);
        }
    }

    /// Adds text beside a label.
    pub fn labelled(&mut self, label: &str, text: &str) {
        for (i, row) in rows(text, ROOM).iter().enumerate() {
            self.entry(if i == 0 { label } else { "" }, row);
        }
    }

    /// Adds one line beside a label, which may be empty.
    pub fn entry(&mut self, label: &str, text: &str) {
        let room = LABELLED - LABEL;
        self.line(LABEL, &format!("{label:room$}{text}"));
    }
}

/// The text in rows of at most `room` columns, but for words that are longer.
fn rows(text: &str, room: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in harmless(text).split_whitespace() {
        let is_full = rows.len() == MOST_LINES;
        match rows.last_mut() {
            Some(row) if row.width() + 1 + word.width() <= room => {
                row.push(' ');
                row.push_str(word);
            }
            Some(row) if is_full => {
                *row = format!("{} {GAP}", cut(row, room - GAP.len() - 1));
                break;
            }
            _ => rows.push(word.to_owned()),
        }
    }
    rows
}

/// A name, cut to what a reader needs of it.
pub fn name(text: &str) -> String {
    const MOST: usize = 48;
    cut(&harmless(text), MOST)
}

/// The end of a path, which says more than its start.
pub fn ending(text: &str, room: usize) -> String {
    let text = harmless(text);
    if text.width() <= room {
        return text;
    }
    let mut left = room - GAP.len();
    let tail = text.char_indices().rev().take_while(|(_, c)| {
        let fits = columns(*c) <= left;
        left = left.saturating_sub(columns(*c).max(usize::from(!fits)));
        fits
    });
    let from = tail.take(room).last().map_or(text.len(), |(at, _)| at);
    format!("{GAP}{}", &text[from..])
}

/// The text without what would move the cursor, turn the direction of writing, or be seen by nobody.
fn harmless(text: &str) -> String {
    let is_hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}');
    text.chars().map(|c| if c.is_control() || is_hidden(c) { ' ' } else { c }).collect()
}

/// The start of `text`, as far as there is room.
fn cut(text: &str, room: usize) -> String {
    // Marks that combine with a letter take no room: of a thousand on one letter a terminal makes a column.
    if text.width() <= room && text.chars().count() <= 2 * room {
        return text.to_owned();
    }
    let mut left = room - GAP.len();
    let head = text.chars().take(2 * room - GAP.len()).take_while(|&c| {
        let fits = columns(c) <= left;
        left = left.saturating_sub(columns(c));
        fits
    });
    head.chain(GAP.chars()).collect()
}

fn columns(c: char) -> usize {
    c.width().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_cut_keeps_the_end_that_tells() {
        assert_eq!(cut("abcdefgh", 8), "abcdefgh");
        assert_eq!(cut("abcdefghi", 8), "abcde...");
        assert_eq!(ending("/srv/app/server.js:12", 12), "...ver.js:12");
        assert_eq!(ending("/srv/a.js", 12), "/srv/a.js");
        assert_eq!(cut("漢字漢字漢字", 8), "漢字...", "two columns each");
    }

    #[test]
    fn text_beside_a_label_stays_beside_it() {
        let mut block = Block::default();
        block.labelled("to do", &"word ".repeat(30));
        let lines: Vec<&str> = block.text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("   to do       word word"));
        assert!(lines[1].starts_with("               word"));
    }

    proptest! {
        #[test]
        fn nothing_is_wider_longer_or_harmful(text in "\\PC{0,300}|[\\x00-\\x20a\u{202e}\u{301}漢]{0,600}", room in 4..100usize) {
            let mut block = Block::default();
            block.wrapped(2, &text);
            block.labelled("label", &text);
            block.hanging(0, 3, &text);
            block.line(5, &text);
            prop_assert!(block.text.lines().count() <= 3 * MOST_LINES + 1);
            prop_assert!(block.text.lines().all(|line| line.width() <= WIDTH && line.chars().count() <= 2 * WIDTH + 10));
            let is_harmful = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            prop_assert!(!block.text.contains(is_harmful));
            prop_assert!(ending(&text, room).width() <= room);
        }
    }
}
