//! The last minutes of a process as a chart of characters.

use std::fmt::Write;

use crate::units::{Bytes, UnixMillis};

/// Columns of the drawing, at most; with the labels no line is wider than a terminal of 100.
const MOST_COLUMNS: usize = 78;
const ROWS: usize = 12;
/// Where the drawing begins: a label of 10 characters, and a line.
const LABEL: usize = 10;
/// A limit that is more than that many times the highest figure is named and not drawn: it would press all else to the ground.
const MOST_ABOVE: f64 = 4.0;

/// The figures of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// When.
    pub at: UnixMillis,
    /// What the last major collection left.
    pub floor: Option<Bytes>,
    /// Used heap.
    pub heap: Bytes,
    /// Memory outside the heap that its objects hold.
    pub external: Bytes,
    /// Resident set.
    pub rss: Bytes,
}

/// What is drawn across the chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// V8's.
    pub heap: Option<Bytes>,
    /// The control group's.
    pub container: Option<Bytes>,
}

/// The characters that are drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ink {
    floor: char,
    heap: char,
    external: char,
    rss: char,
    heap_limit: char,
    container_limit: char,
    axis: char,
    corner: char,
    ground: char,
    tick: char,
}

impl Ink {
    /// Blocks and lines, for terminals that know them.
    pub const BLOCKS: Self = Self {
        floor: '█',
        heap: '▓',
        external: '▒',
        rss: '░',
        heap_limit: '─',
        container_limit: '═',
        axis: '│',
        corner: '└',
        ground: '─',
        tick: '┤',
    };
    /// The same in ASCII.
    pub const ASCII: Self = Self {
        floor: '#',
        heap: '+',
        external: ':',
        rss: '.',
        heap_limit: '-',
        container_limit: '=',
        axis: '|',
        corner: '+',
        ground: '-',
        tick: '+',
    };
}

/// The chart of `points`, which are in time order, as lines of at most 100 columns; nothing where there are fewer than two moments.
///
/// A column shows the most of what fell into its time. `marks` are letters below it, at moments worth one. `size` words a figure.
pub fn chart(
    points: &[Point],
    limits: Limits,
    marks: &[(UnixMillis, char)],
    ink: &Ink,
    size: fn(Bytes) -> String,
) -> Option<Vec<String>> {
    let (first, last) = (points.first()?.at, points.last()?.at);
    if last <= first {
        return None;
    }
    let columns = points.len().clamp(2, MOST_COLUMNS);
    let column_of = |at: UnixMillis| {
        let (since, span) = (at.0.saturating_sub(first.0), last.0 - first.0);
        (u128::from(since) * (columns as u128 - 1) / u128::from(span)) as usize
    };
    let bars = bars(points, columns, column_of);
    let highest = bars.iter().map(|bar| bar.highest().0).max().unwrap_or(0).max(1);
    let is_drawn = |limit: &Bytes| limit.0 as f64 <= MOST_ABOVE * highest as f64;
    let drawn = Limits { heap: limits.heap.filter(is_drawn), container: limits.container.filter(is_drawn) };
    let top = drawn.heap.into_iter().chain(drawn.container).map(|b| b.0).max().unwrap_or(0).max(highest);
    let row_of =
        |limit: Bytes| ((limit.0 as u128 * ROWS as u128).div_ceil(u128::from(top)) as usize).max(1) - 1;
    let mut lines: Vec<String> = (0..ROWS)
        .rev()
        .map(|row| {
            let line = if drawn.container.map(row_of) == Some(row) {
                Some(ink.container_limit)
            } else {
                (drawn.heap.map(row_of) == Some(row)).then_some(ink.heap_limit)
            };
            let level = top as f64 * (row as f64 + 0.5) / ROWS as f64;
            let cells: String = bars.iter().map(|bar| bar.cell(level, line, ink)).collect();
            let label = if row == ROWS - 1 {
                size(Bytes(top))
            } else if row == ROWS / 2 {
                size(Bytes((top as u128 * (ROWS as u128 / 2 * 2 + 1) / (2 * ROWS as u128)) as u64))
            } else {
                String::new()
            };
            let axis = if label.is_empty() { ink.axis } else { ink.tick };
            format!("{label:>LABEL$} {axis}{cells}").trim_end().to_owned()
        })
        .collect();
    let ground: String = std::iter::repeat_n(ink.ground, columns).collect();
    lines.push(format!("{:>LABEL$} {}{ground}", "0", ink.corner));
    lines.extend(marked(marks, columns, first, last, column_of));
    lines.push(times(first, last, columns));
    lines.push(legend(limits, drawn, ink, size));
    Some(lines)
}

/// What a column shows.
#[derive(Debug, Clone, Copy, Default)]
struct Bar {
    floor: u64,
    heap: u64,
    external: u64,
    rss: u64,
}

impl Bar {
    fn with(self, point: &Point) -> Self {
        Self {
            floor: self.floor.max(point.floor.map_or(0, |floor| floor.0)),
            heap: self.heap.max(point.heap.0),
            external: self.external.max(point.external.0),
            rss: self.rss.max(point.rss.0),
        }
    }

    fn highest(self) -> Bytes {
        Bytes(self.rss.max(self.heap.saturating_add(self.external)))
    }

    fn cell(self, level: f64, line: Option<char>, ink: &Ink) -> char {
        let reaches = |n: u64| n as f64 >= level;
        if reaches(self.floor.min(self.heap)) {
            ink.floor
        } else if reaches(self.heap) {
            ink.heap
        } else if let Some(line) = line {
            line
        } else if reaches(self.heap.saturating_add(self.external)) {
            ink.external
        } else if reaches(self.rss) {
            ink.rss
        } else {
            ' '
        }
    }
}

/// A bar a column; one into whose time nothing fell is as the one before it.
fn bars(points: &[Point], columns: usize, column_of: impl Fn(UnixMillis) -> usize) -> Vec<Bar> {
    let mut bars: Vec<Option<Bar>> = vec![None; columns];
    for point in points {
        if let Some(bar) = bars.get_mut(column_of(point.at)) {
            *bar = Some(bar.unwrap_or_default().with(point));
        }
    }
    let mut before = Bar::default();
    bars.into_iter()
        .map(|bar| {
            before = bar.unwrap_or(before);
            before
        })
        .collect()
}

/// The line of marks; the last one of a column is shown.
fn marked(
    marks: &[(UnixMillis, char)],
    columns: usize,
    first: UnixMillis,
    last: UnixMillis,
    column_of: impl Fn(UnixMillis) -> usize,
) -> Option<String> {
    let mut line = vec![' '; columns];
    let mut any = false;
    for &(at, mark) in marks.iter().filter(|(at, _)| *at >= first) {
        if let Some(cell) = line.get_mut(column_of(at.min(last))) {
            *cell = mark;
            any = true;
        }
    }
    any.then(|| format!("{:LABEL$}  {}", "", line.iter().collect::<String>()).trim_end().to_owned())
}

/// The times at both ends: as they are read off a clock, in UTC.
fn times(first: UnixMillis, last: UnixMillis, columns: usize) -> String {
    let clock = |at: UnixMillis| at.to_string().get(11..19).map_or_else(|| at.to_string(), str::to_owned);
    let (from, to) = (clock(first), format!("{} UTC", clock(last)));
    let gap = columns.saturating_sub(from.len() + to.len()).max(1);
    format!("{:LABEL$}  {from}{:gap$}{to}", "", "")
}

fn legend(limits: Limits, drawn: Limits, ink: &Ink, size: fn(Bytes) -> String) -> String {
    let mut line = format!(
        "{:LABEL$}  {} floor  {} heap  {} external  {} resident",
        "", ink.floor, ink.heap, ink.external, ink.rss
    );
    let named = [
        ("heap limit", limits.heap, drawn.heap, ink.heap_limit),
        ("container", limits.container, drawn.container, ink.container_limit),
    ];
    for (name, limit, drawn, ink) in named {
        if let Some(limit) = limit {
            let mark = if drawn.is_some() { ink } else { '^' };
            let _ = write!(line, "  {mark} {name} {}", size(limit));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    fn size(bytes: Bytes) -> String {
        format!("{} MB", bytes.rounded_mib())
    }

    fn point(second: u64, floor: u64, heap: u64, external: u64, rss: u64) -> Point {
        Point {
            at: UnixMillis(1_795_232_940_000 + second * 1000),
            floor: (floor > 0).then(|| Bytes::mib(floor)),
            heap: Bytes::mib(heap),
            external: Bytes::mib(external),
            rss: Bytes::mib(rss),
        }
    }

    #[test]
    fn a_leak_of_the_heap_in_a_container() {
        let points: Vec<Point> = (0..40).map(|s| point(s, 20 + 4 * s, 30 + 4 * s, 10, 70 + 4 * s)).collect();
        let limits = Limits { heap: Some(Bytes::mib(2096)), container: Some(Bytes::mib(240)) };
        let marks = [(points[30].at, 'L'), (points[38].at, '!')];
        let lines = chart(&points, limits, &marks, &Ink::ASCII, size).expect("a chart");
        let expected = [
            "    240 MB +========================================",
            "           |                                   .....",
            "           |                              ........::",
            "           |                         ........::+++##",
            "           |                    ........::+++#######",
            "    130 MB +               ........::+++############",
            "           |          ........::+++#################",
            "           |     ........::+++######################",
            "           |........::+++###########################",
            "           |...::+++################################",
            "           |+++#####################################",
            "           |########################################",
            "         0 +----------------------------------------",
            "                                          L       !",
            "            03:49:00                    03:49:39 UTC",
            "            # floor  + heap  : external  . resident  ^ heap limit 2096 MB  = container 240 MB",
        ];
        assert_eq!(lines, expected, "\n{}", lines.join("\n"));
    }

    #[test]
    fn a_limit_inside_the_picture_is_drawn_over_what_it_does_not_limit() {
        let points = [point(0, 10, 20, 0, 200), point(10, 10, 30, 0, 220)];
        let limits = Limits { heap: Some(Bytes::mib(100)), container: None };
        let lines = chart(&points, limits, &[], &Ink::BLOCKS, size).expect("a chart");
        assert_eq!(lines.iter().filter(|line| line.ends_with("──") && !line.contains('└')).count(), 1);
        assert!(lines.last().is_some_and(|legend| legend.contains("─ heap limit 100 MB")));
        assert_eq!(chart(&points[..1], limits, &[], &Ink::BLOCKS, size), None);
        assert_eq!(chart(&[], limits, &[], &Ink::BLOCKS, size), None);
    }

    proptest! {
        #[test]
        fn any_points_make_lines_that_fit(
            figures in prop::collection::vec(prop::array::uniform5(any::<u64>()), 0..300),
            limits in any::<[Option<u64>; 2]>(),
            mark in any::<u64>(),
        ) {
            let mut points: Vec<Point> = figures
                .iter()
                .map(|&[at, floor, heap, external, rss]| Point {
                    at: UnixMillis(at), floor: Some(Bytes(floor)), heap: Bytes(heap), external: Bytes(external), rss: Bytes(rss),
                })
                .collect();
            points.sort_by_key(|point| point.at);
            let [heap, container] = limits.map(|limit| limit.map(Bytes));
            let limits = Limits { heap, container };
            let size = |bytes: Bytes| format!("{:.1e}", bytes.0 as f64);
            for ink in [Ink::ASCII, Ink::BLOCKS] {
                if let Some(lines) = chart(&points, limits, &[(UnixMillis(mark), '!')], &ink, size) {
                    // Times beyond the calendar are numbers, and long.
                    prop_assert!(lines.iter().all(|line| line.width() <= 110), "{lines:?}");
                    prop_assert!(lines.iter().filter(|line| line.width() > 100).count() <= 1);
                }
            }
        }
    }
}
