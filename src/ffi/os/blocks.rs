//! The allocator of this library's own memory: large blocks have a mapping of their own, all else is the C allocator's.
//!
//! glibc gives large blocks such mappings, too, but only until the first of them is freed: from then on it keeps blocks up to that size, at most
//! 32 MB, in its arenas, one for each few threads, and gives an arena's end back at twice that size only. The threads of ours that look at
//! heaps and read recordings live for a moment each, in whichever arena is free: of 25 MB in 16 arenas of a service that was looked at once a
//! minute 12 MB were free and resident, and its allocator had become another one than it is without us. So here a block of [`LARGE`] bytes
//! or more is mapped and unmapped by itself, whatever was freed before; it grows by moving its pages, and is zero without being written.
//!
//! Sizes decide, and Rust tells them at each call: nothing is kept of a block.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;

/// Where glibc begins, before it learns.
const LARGE: usize = 128 * 1024;
/// No page is smaller, on any system that we run on: blocks that have to lie at rounder places are left to the C allocator.
const LEAST_PAGE: usize = 4096;

/// See the module.
pub struct Blocks;

const fn is_large(size: usize, align: usize) -> bool {
    size >= LARGE && align <= LEAST_PAGE
}

/// Null where there is no memory.
fn map(size: usize) -> *mut u8 {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at a place that the system chooses; the size is above 0, since it is large, and the system rounds it up.
    let start = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED { ptr::null_mut() } else { start.cast() }
}

/// Makes a mapping of `old` bytes one of `new`; null, and nothing changed, where there is no memory.
///
/// # Safety
///
/// `start` must be what [`map`] or this gave for `old` bytes.
unsafe fn remap(start: *mut u8, old: usize, new: usize) -> *mut u8 {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the caller vouches for the mapping, and nobody uses the old place afterwards: that is what `realloc` means.
        let moved = unsafe { libc::mremap(start.cast(), old, new, libc::MREMAP_MAYMOVE) };
        if moved == libc::MAP_FAILED { ptr::null_mut() } else { moved.cast() }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let moved = map(new);
        if !moved.is_null() {
            // SAFETY: two mappings that do not overlap, of at least so many bytes; the old one is the caller's to give away.
            unsafe {
                ptr::copy_nonoverlapping(start, moved, old.min(new));
                libc::munmap(start.cast(), old);
            }
        }
        moved
    }
}

// SAFETY: a block is at least as large as asked for and lies at a page's begin, which is round enough for each large block; what is not large is
// `System`'s, by the same rule of size and alignment at each call, so that each block goes back where it came from. Nothing unwinds.
unsafe impl GlobalAlloc for Blocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_large(layout.size(), layout.align()) {
            return map(layout.size());
        }
        // SAFETY: the caller's layout, as it is.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_large(layout.size(), layout.align()) {
            return map(layout.size());
        }
        // SAFETY: the caller's layout, as it is.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_large(layout.size(), layout.align()) {
            // SAFETY: mapped by us with this size, as the rule says; the caller gives it up.
            unsafe { libc::munmap(block.cast(), layout.size()) };
            return;
        }
        // SAFETY: `System`'s, as the rule says.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match (is_large(layout.size(), layout.align()), is_large(size, layout.align())) {
            // SAFETY: `System`'s before and after; the caller vouches for the rest.
            (false, false) => unsafe { System.realloc(block, layout, size) },
            // SAFETY: mapped by us with the old size.
            (true, true) => unsafe { remap(block, layout.size(), size) },
            // SAFETY: the caller vouches that the new layout is one; the two blocks do not overlap and have at least so many bytes. The old one is
            // given back only where there is a new one.
            _ => unsafe {
                let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                if !moved.is_null() {
                    ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                    self.dealloc(block, layout);
                }
                moved
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sizes() -> impl Strategy<Value = usize> {
        prop_oneof![1..5000usize, LARGE - 3..LARGE + 3, LARGE..20 * LARGE]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_block_keeps_what_was_written_however_it_grows_and_shrinks(
            steps in prop::collection::vec(sizes(), 1..12),
            power in 0..14u32,
            zeroed in any::<bool>(),
        ) {
            let align = 1usize << power;
            let mut layout = Layout::from_size_align(steps[0], align).expect("a layout");
            // SAFETY: each call has the layout of the block that it is given, and the block is used within it alone.
            unsafe {
                let mut block = if zeroed { Blocks.alloc_zeroed(layout) } else { Blocks.alloc(layout) };
                prop_assert!(!block.is_null() && (block as usize).is_multiple_of(align));
                if zeroed {
                    prop_assert!(std::slice::from_raw_parts(block, layout.size()).iter().all(|&byte| byte == 0));
                }
                let byte = |at: usize| (at.wrapping_mul(31) >> 3) as u8;
                for at in 0..layout.size() {
                    block.add(at).write(byte(at));
                }
                let mut known = layout.size();
                for &size in &steps[1..] {
                    block = Blocks.realloc(block, layout, size);
                    prop_assert!(!block.is_null() && (block as usize).is_multiple_of(align));
                    layout = Layout::from_size_align(size, align).expect("a layout");
                    known = known.min(size);
                    let kept = std::slice::from_raw_parts(block, known);
                    prop_assert!(kept.iter().enumerate().all(|(at, &found)| found == byte(at)));
                    // All of it can be written to.
                    block.add(size - 1).write(byte(size - 1));
                }
                Blocks.dealloc(block, layout);
            }
        }
    }

    #[test]
    fn where_there_is_no_memory_there_is_none() {
        let layout = Layout::from_size_align(isize::MAX as usize - 4096, 8).expect("a layout");
        // SAFETY: nothing is used of what is not there; the small block is used within its layout.
        unsafe {
            assert!(Blocks.alloc(layout).is_null());
            let small = Layout::from_size_align(LARGE, 8).expect("a layout");
            let block = Blocks.alloc(small);
            block.write(7);
            assert!(Blocks.realloc(block, small, layout.size()).is_null());
            assert_eq!(block.read(), 7, "and what was there is there");
            Blocks.dealloc(block, small);
        }
    }
}
