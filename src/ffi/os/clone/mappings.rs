//! The memory that a child would not get, and how it does.

use std::io;

/// Private anonymous memory that is marked as not to be copied: address and length.
#[derive(Debug, PartialEq, Eq)]
pub struct Uncopied(Vec<(usize, usize)>);

/// While this lives the memory is copied to children; dropped, no longer.
pub struct Copied(Vec<(usize, usize)>);

/// Whether the kernel tells the flags of a mapping.
pub fn are_told() -> bool {
    std::fs::read_to_string("/proc/thread-self/smaps").is_ok_and(|text| text.contains("\nVmFlags: "))
}

/// The memory of this process that children do not get.
///
/// Cost: the kernel walks the page tables, about 1 ms for each hundred megabytes in use.
pub fn uncopied() -> io::Result<Uncopied> {
    Ok(parse(&std::fs::read_to_string("/proc/self/smaps")?))
}

impl Uncopied {
    /// Has children get the memory, until what is returned is dropped.
    pub fn copied(self) -> Copied {
        advise(&self.0, libc::MADV_DOFORK);
        Copied(self.0)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        advise(&self.0, libc::MADV_DONTFORK);
    }
}

fn advise(ranges: &[(usize, usize)], advice: libc::c_int) {
    for &(address, length) in ranges {
        // SAFETY: the advice changes what a later fork copies and nothing that this process sees. Where the range is no longer what it was
        // when it was listed (another isolate has given a page back a moment ago), the worst is an error, which is ignored, or a
        // mapping with the wrong advice: the window is a few milliseconds, in which this thread maps nothing.
        unsafe { libc::madvise(address as *mut libc::c_void, length, advice) };
    }
}

/// The private anonymous mappings with the flag `dc` ("do not copy"), neighbours as one.
fn parse(smaps: &str) -> Uncopied {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let mut current = None;
    for line in smaps.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            let has = |flag| flags.split(' ').any(|f| f == flag);
            // Memory of devices has the flag for reasons of its own.
            if let Some((start, end)) = current.take()
                && has("dc")
                && !has("io")
                && !has("pf")
            {
                match found.last_mut() {
                    Some((address, length)) if *address + *length == start => *length += end - start,
                    _ => found.push((start, end - start)),
                }
            }
        } else if let Some(range) = anonymous(line) {
            current = range;
        }
    }
    Uncopied(found)
}

/// Of the first line of a mapping its range, if it is private and anonymous; nothing where the line is another one.
///
/// `7f0e5c000000-7f0e5c021000 rw-p 00000000 00:00 0` and perhaps a name.
fn anonymous(line: &str) -> Option<Option<(usize, usize)>> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let range = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    let (permissions, _offset, _device, inode) = (words.next()?, words.next()?, words.next()?, words.next()?);
    // A name in brackets is one that somebody gave to anonymous memory.
    let is_file = words.next().is_some_and(|name| !name.starts_with("[anon"));
    let is_ours = permissions.ends_with('p') && inode == "0" && !is_file && range.0 < range.1;
    Some(is_ours.then_some(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(range: &str, permissions: &str, inode: &str, name: &str, flags: &str) -> String {
        format!(
            "{range} {permissions} 00000000 00:00 {inode} {name}\nSize:  256 kB\nRss:  12 kB\nTHPeligible:    0\n\
             VmFlags: {flags} \n"
        )
    }

    #[test]
    fn only_private_anonymous_memory_that_is_not_copied_is_listed() {
        let text = [
            mapping("1000-2000", "rw-p", "0", "", "rd wr mr mw me ac dc sd"),
            mapping("2000-3000", "---p", "0", "", "mr mw me dc"),
            mapping("4000-5000", "rw-p", "0", "", "rd wr mr mw me ac sd"),
            mapping("5000-6000", "rw-s", "0", "", "rd wr sh dc"),
            mapping("6000-7000", "rw-p", "77", "/lib/x.so", "rd wr dc"),
            mapping("7000-8000", "rw-p", "0", "[anon:v8]", "rd wr dc"),
            mapping("8000-9000", "rw-p", "0", "[stack]", "rd wr gd dc"),
            mapping("9000-a000", "rw-p", "0", "", "rd wr io dc"),
            mapping("a000-b000", "rw-p", "0", "", "rd wr pf dc"),
        ];
        assert_eq!(parse(&text.concat()), Uncopied(vec![(0x1000, 0x2000), (0x7000, 0x1000)]));
    }

    #[test]
    fn what_the_kernel_does_not_write_is_nothing() {
        assert_eq!(parse(""), Uncopied(vec![]));
        assert_eq!(
            parse("VmFlags: dc\n1-\nxx-yy rw-p\n2000-1000 rw-p 0 0:0 0\nVmFlags: dc\n"),
            Uncopied(vec![])
        );
    }

    #[test]
    fn the_advice_is_given_and_taken_back() {
        let length = 1 << 16;
        // SAFETY: a new mapping, used by nobody else, unmapped at the end.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let memory = libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, flags, -1, 0);
            assert_ne!(memory, libc::MAP_FAILED);
            libc::madvise(memory, length, libc::MADV_DONTFORK);
            let here = |uncopied: &Uncopied| {
                uncopied.0.iter().any(|&(start, size)| {
                    start <= memory as usize && memory as usize + length <= start + size
                })
            };
            let before = uncopied().expect("readable");
            assert!(here(&before));
            let copied = before.copied();
            assert!(!here(&uncopied().expect("readable")));
            drop(copied);
            assert!(here(&uncopied().expect("readable")));
            libc::munmap(memory, length);
        }
    }
}
