//! A stack for signal handlers: where a thread's own has overflowed, there is no other place for them.

use std::cell::RefCell;
use std::ptr::NonNull;
use std::rc::{Rc, Weak};

/// Of it only the pages that are used are taken. As large as it is because handlers that were there before ours, made for an ordinary
/// stack, are called on it.
const BYTES: usize = 256 * 1024;
const GUARD: usize = 4096;

/// A thread's alternate stack, from creation to drop. Not `Send`: both happen on the thread.
pub struct AltStack {
    memory: NonNull<libc::c_void>,
}

impl AltStack {
    /// The stack of the calling thread; nothing where it has one already that is not ours, or none can be had. Another's does as well: of
    /// the smallest, 8 KiB, the handlers and what they write need a small part.
    pub fn of_this_thread() -> Option<Rc<Self>> {
        thread_local! {
            static CURRENT: RefCell<Weak<AltStack>> = const { RefCell::new(Weak::new()) };
        }
        CURRENT.with(|current| {
            let mut current = current.borrow_mut();
            if let Some(stack) = current.upgrade() {
                return Some(stack);
            }
            let stack = Rc::new(Self::new()?);
            *current = Rc::downgrade(&stack);
            Some(stack)
        })
    }

    fn new() -> Option<Self> {
        // SAFETY: the calls are about this thread's stack for handlers and memory that is made here: unmapped where it is not used, else owned
        // by the result, which takes it back before it unmaps it.
        unsafe {
            let mut before = std::mem::zeroed::<libc::stack_t>();
            if libc::sigaltstack(std::ptr::null(), &raw mut before) != 0
                || before.ss_flags & libc::SS_DISABLE == 0
            {
                return None;
            }
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
            let memory = libc::mmap(std::ptr::null_mut(), GUARD + BYTES, protection, flags, -1, 0);
            if memory == libc::MAP_FAILED {
                return None;
            }
            let stack = libc::stack_t { ss_sp: memory.add(GUARD), ss_flags: 0, ss_size: BYTES };
            let is_guarded = libc::mprotect(memory, GUARD, libc::PROT_NONE) == 0;
            if !is_guarded || libc::sigaltstack(&raw const stack, std::ptr::null_mut()) != 0 {
                libc::munmap(memory, GUARD + BYTES);
                return None;
            }
            NonNull::new(memory).map(|memory| Self { memory })
        }
    }
}

impl Drop for AltStack {
    fn drop(&mut self) {
        // SAFETY: the thread is the one that the stack was made for. Where somebody has put another one in its place, that one stays. The
        // memory is unmapped only once the kernel does not know it any more.
        unsafe {
            let mut now = std::mem::zeroed::<libc::stack_t>();
            let is_known = libc::sigaltstack(std::ptr::null(), &raw mut now) == 0;
            if is_known
                && now.ss_flags & libc::SS_DISABLE == 0
                && now.ss_sp == self.memory.as_ptr().add(GUARD)
            {
                let none =
                    libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
                if libc::sigaltstack(&raw const none, std::ptr::null_mut()) != 0 {
                    return;
                }
            }
            libc::munmap(self.memory.as_ptr(), GUARD + BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> libc::stack_t {
        // SAFETY: the place is valid and the thread's own.
        unsafe {
            let mut now = std::mem::zeroed::<libc::stack_t>();
            assert_eq!(libc::sigaltstack(std::ptr::null(), &raw mut now), 0);
            now
        }
    }

    #[test]
    fn a_thread_has_one_while_somebody_wants_it() {
        // Rust gives its own threads such a stack; one that it does not know has none.
        extern "C" fn work(_: *mut libc::c_void) -> *mut libc::c_void {
            let is_off = || now().ss_flags & libc::SS_DISABLE != 0;
            let mut fine = is_off();
            let first = AltStack::of_this_thread();
            let second = AltStack::of_this_thread();
            fine &= first.is_some() && !is_off() && now().ss_size == BYTES;
            drop(first);
            fine &= !is_off();
            drop(second);
            fine &= is_off();
            usize::from(fine) as *mut libc::c_void
        }
        // SAFETY: the thread's function is valid and takes nothing; it is joined before the test ends.
        let fine = unsafe {
            let mut thread = std::mem::zeroed();
            assert_eq!(
                libc::pthread_create(&raw mut thread, std::ptr::null(), work, std::ptr::null_mut()),
                0
            );
            let mut fine = std::ptr::null_mut();
            libc::pthread_join(thread, &raw mut fine);
            fine as usize
        };
        assert_eq!(fine, 1);
    }
}
