//! What looking up names has made resident, and how it is given back.
//!
//! The tables of names of a node executable are megabytes long and are read by the dynamic linker alone. Looking up a hundred names touches
//! a few places all over them, around each of which the kernel maps sixteen pages: 1.5 MB of this process's resident set, for nothing.

use std::ops::Range;

use super::elf::{self, Object};

const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_STRSZ: i64 = 10;
const DT_GNU_HASH: i64 = 0x6fff_fef5;

/// Takes the tables of names of the object that has the function at `v8` out of the resident set; the number of bytes that are no longer
/// mapped, whether they were resident or not. Whoever looks names up again finds them in the page cache. Some 0.1 ms.
pub fn give_back(v8: usize) -> usize {
    let mut tables = None;
    elf::each(|object| {
        if object.segment(v8).is_some() {
            tables = tables_of(object);
        }
    });
    let Some(tables) = tables else { return 0 };
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return 0 };
    if !is_of_a_file(&tables, &maps) {
        return 0;
    }
    // SAFETY: the range is part of a segment that the loader maps from a file, privately and not to be written to (`tables_of`), and it
    // still is that (`is_of_a_file`): no page of it has a content of its own. What is read there next comes from the same file. Between
    // the look and this call nobody remaps it: what has tables of names is never unloaded while V8 runs, and node's own remapping to
    // large pages is of its code, before any addon is loaded.
    let advised = unsafe { libc::madvise(tables.start as *mut _, tables.len(), libc::MADV_DONTNEED) };
    if advised == 0 { tables.len() } else { 0 }
}

/// The whole pages between the first of an object's tables of names and the last's end, where they lie in one segment that is not written to.
fn tables_of(object: &Object<'_>) -> Option<Range<usize>> {
    let (mut names, mut length, mut symbols, mut hashes) = (0, 0, 0, 0);
    object.dynamic(|tag, value| match tag {
        DT_STRTAB => names = object.address(value),
        DT_STRSZ => length = value as usize,
        DT_SYMTAB => symbols = object.address(value),
        DT_GNU_HASH => hashes = object.address(value),
        _ => {}
    });
    // A linker puts the names last; where one does not, only they have a length.
    let start = [symbols, hashes, names].into_iter().filter(|&table| table != 0 && table <= names).min()?;
    let end = names.checked_add(length)?;
    let (segment, may_be_written) = object.segment(start)?;
    if may_be_written || end > segment.end {
        return None;
    }
    // SAFETY: a constant is asked for.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
    let whole = start.next_multiple_of(page)..end - end % page;
    (whole.start < whole.end).then_some(whole)
}

/// Whether all of `range` is mapped from files, privately, and cannot be written to.
fn is_of_a_file(range: &Range<usize>, maps: &str) -> bool {
    let mut covered = range.start;
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(addresses), Some(permissions), Some(_), Some(_), Some(inode)) =
            (words.next(), words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let Some((start, end)) = addresses.split_once('-') else { continue };
        let (Ok(start), Ok(end)) = (usize::from_str_radix(start, 16), usize::from_str_radix(end, 16)) else {
            continue;
        };
        if covered < start || covered >= end {
            continue;
        }
        if !matches!(permissions, "r--p" | "r-xp") || inode == "0" {
            return false;
        }
        covered = end;
        if covered >= range.end {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_this_program_are_given_back_and_still_answer() {
        // The C library's: this program has hardly any names of its own.
        // SAFETY: all symbols that the program has loaded are searched for a C string.
        let find = || unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"qsort".as_ptr()) } as usize;
        let before = find();
        assert!(give_back(before) >= 16 * 1024);
        assert_eq!(find(), before);
        // SAFETY: as above.
        let other = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"strtoull".as_ptr()) };
        assert!(!other.is_null());
    }

    #[test]
    fn an_address_of_no_object_gives_nothing_back() {
        assert_eq!(give_back(8), 0);
    }

    #[test]
    fn only_what_is_mapped_from_a_file_and_not_written_to_is_given_back() {
        let file = "1000-3000 r--p 00000000 fe:00 42 /bin/node\n3000-5000 r-xp 00002000 fe:00 42 /bin/node\n";
        assert!(is_of_a_file(&(0x1000..0x3000), file));
        assert!(is_of_a_file(&(0x2000..0x5000), file));
        assert!(!is_of_a_file(&(0x2000..0x6000), file), "the end is not mapped");
        assert!(!is_of_a_file(&(0x0..0x2000), file), "the beginning is not mapped");
        for other in
            ["r--p 00000000 00:00 0", "rw-p 00000000 fe:00 42 /bin/node", "r--s 00000000 fe:00 42 /x"]
        {
            let maps = format!("1000-2000 r--p 00000000 fe:00 42 /bin/node\n2000-3000 {other}\n");
            assert!(!is_of_a_file(&(0x1000..0x3000), &maps), "{other}");
        }
        assert!(!is_of_a_file(&(0x1000..0x3000), "nothing that is a mapping\n"));
    }
}
