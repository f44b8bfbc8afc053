//! Node's tables of imported functions, and what a clone enters there.
//!
//! In a clone no other thread will ever unlock, signal or post. A lock that one of them held is free to take: its owner is gone, and what it
//! guards was at rest when the process was cloned. To signal is to do nothing: glibc's conditions count those who wait, and wait in turn
//! for waiters that are not there. To wait for a signal is to wait for ever: better to end at once, with a status that says so.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

use crate::ffi::os::elf::{self, Object};
use crate::ffi::os::symbol_pages;

/// Status of a clone that would have waited for a thread that it does not have.
pub const WAITED: c_int = 121;

/// A place in a table, and the function that a clone enters there.
#[derive(Debug, Clone, Copy)]
pub struct Import {
    place: usize,
    replacement: usize,
}

type Mutex = libc::pthread_mutex_t;
type Lock = libc::pthread_rwlock_t;

unsafe extern "C" fn nothing(_condition: *mut c_void) -> c_int {
    0
}

unsafe extern "C" fn lock(mutex: *mut Mutex) -> c_int {
    // SAFETY: the caller's obligations are those of the function that this one stands for.
    free(unsafe { libc::pthread_mutex_trylock(mutex) })
}

unsafe extern "C" fn read_lock(lock: *mut Lock) -> c_int {
    // SAFETY: as for `lock`.
    free(unsafe { libc::pthread_rwlock_tryrdlock(lock) })
}

unsafe extern "C" fn write_lock(lock: *mut Lock) -> c_int {
    // SAFETY: as for `lock`.
    free(unsafe { libc::pthread_rwlock_trywrlock(lock) })
}

/// A lock that is taken is one whose owner is gone.
fn free(answer: c_int) -> c_int {
    if answer == libc::EBUSY { 0 } else { answer }
}

unsafe extern "C" fn wait(_a: *mut c_void, _b: *mut c_void) -> c_int {
    // SAFETY: ends the clone, and nothing else.
    unsafe { libc::_exit(WAITED) }
}

unsafe extern "C" fn wait_until(_a: *mut c_void, _b: *mut c_void, _until: *const c_void) -> c_int {
    libc::ETIMEDOUT
}

unsafe extern "C" fn wait_for_post(semaphore: *mut libc::sem_t) -> c_int {
    // SAFETY: as for `lock`.
    if unsafe { libc::sem_trywait(semaphore) } != 0 {
        // SAFETY: as in `wait`.
        unsafe { libc::_exit(WAITED) };
    }
    0
}

/// The functions that are replaced, and by what.
fn replacements() -> [(&'static CStr, usize); 11] {
    [
        (c"pthread_cond_signal", nothing as *const () as usize),
        (c"pthread_cond_broadcast", nothing as *const () as usize),
        (c"pthread_cond_wait", wait as *const () as usize),
        (c"pthread_cond_timedwait", wait_until as *const () as usize),
        (c"pthread_cond_clockwait", wait_until as *const () as usize),
        (c"pthread_mutex_lock", lock as *const () as usize),
        (c"pthread_rwlock_rdlock", read_lock as *const () as usize),
        (c"pthread_rwlock_wrlock", write_lock as *const () as usize),
        (c"pthread_join", wait as *const () as usize),
        (c"pthread_barrier_wait", wait as *const () as usize),
        (c"sem_wait", wait_for_post as *const () as usize),
    ]
}

/// The imports of the objects that V8 consists of: the one that has the function at `v8`, and the C++ library, by which V8's conditions
/// go. Found once, in some milliseconds; nothing where there is no table.
pub fn of(v8: usize) -> Option<&'static [Import]> {
    static FOUND: OnceLock<Vec<Import>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let found = find(v8);
        symbol_pages::give_back(v8);
        found
    });
    (!found.is_empty()).then_some(&**found)
}

/// Enters the replacements. For a clone only: in the process itself it would break every lock.
///
/// # Safety
///
/// The caller is the only thread of its process.
pub unsafe fn replace(imports: &[Import]) -> bool {
    // SAFETY: a constant is asked for.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    imports.iter().all(|import| {
        let start = import.place & !(page - 1);
        let length = import.place + size_of::<usize>() - start;
        // SAFETY: the pages hold a table of addresses of a loaded object (`find`), which is data, private to this process and copied on
        // write. Left writable, they harm nobody: the clone ends soon. The caller vouches that no other thread reads the table.
        unsafe {
            let writable = libc::PROT_READ | libc::PROT_WRITE;
            if libc::mprotect(start as *mut c_void, length, writable) != 0 {
                return false;
            }
            std::ptr::write_volatile(import.place as *mut usize, import.replacement);
        }
        true
    })
}

fn find(v8: usize) -> Vec<Import> {
    let mut found = Vec::new();
    elf::each(|object| {
        let is_cpp =
            object.name.to_bytes().windows(9).any(|part| part == b"libstdc++" || part == b"libc++.so");
        if is_cpp || object.segment(v8).is_some() {
            // SAFETY: the tables are those of an object that stays loaded during the visit.
            unsafe { Tables::of(object).collect(object.base, &mut found) };
        }
    });
    found
}

/// Relocation with addend (`Elf64_Rela`).
#[repr(C)]
struct Relocation {
    offset: u64,
    info: u64,
    _addend: i64,
}

/// Symbol (`Elf64_Sym`).
#[repr(C)]
struct Symbol {
    name: u32,
    _info: u8,
    _other: u8,
    _section: u16,
    _value: u64,
    _size: u64,
}

const DT_PLTRELSZ: i64 = 2;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_RELA: i64 = 7;
const DT_RELASZ: i64 = 8;
const DT_JMPREL: i64 = 23;

/// `R_X86_64_GLOB_DAT`, `R_X86_64_JUMP_SLOT`
#[cfg(target_arch = "x86_64")]
const ADDRESS_OF_FUNCTION: [u32; 2] = [6, 7];
/// `R_AARCH64_GLOB_DAT`, `R_AARCH64_JUMP_SLOT`
#[cfg(not(target_arch = "x86_64"))]
const ADDRESS_OF_FUNCTION: [u32; 2] = [1025, 1026];

/// Where the tables of a loaded object are.
#[derive(Default)]
struct Tables {
    strings: usize,
    symbols: usize,
    /// Address and bytes: of imported data and functions, and of functions alone.
    relocations: [(usize, usize); 2],
}

impl Tables {
    fn of(object: &Object<'_>) -> Self {
        let mut tables = Self::default();
        object.dynamic(|tag, value| match tag {
            DT_STRTAB => tables.strings = object.address(value),
            DT_SYMTAB => tables.symbols = object.address(value),
            DT_RELA => tables.relocations[0].0 = object.address(value),
            DT_RELASZ => tables.relocations[0].1 = value as usize,
            DT_JMPREL => tables.relocations[1].0 = object.address(value),
            DT_PLTRELSZ => tables.relocations[1].1 = value as usize,
            _ => {}
        });
        tables
    }

    /// # Safety
    ///
    /// The tables are those of an object that is loaded at `base`.
    unsafe fn collect(&self, base: usize, found: &mut Vec<Import>) {
        if self.strings == 0 || self.symbols == 0 {
            return;
        }
        let replacements = replacements();
        for (address, bytes) in self.relocations.into_iter().filter(|&(address, _)| address != 0) {
            for number in 0..bytes / size_of::<Relocation>() {
                // SAFETY: the table has that many entries, by its size in the dynamic section.
                let Relocation { offset, info, .. } =
                    unsafe { (address as *const Relocation).add(number).read() };
                let (symbol, kind) = ((info >> 32) as usize, info as u32);
                if !ADDRESS_OF_FUNCTION.contains(&kind) {
                    continue;
                }
                // SAFETY: a relocation names a symbol of its object's table, and a symbol a string of its object's strings, which end
                // with a zero each.
                let name = unsafe {
                    let symbol = (self.symbols as *const Symbol).add(symbol).read();
                    CStr::from_ptr((self.strings as *const c_char).add(symbol.name as usize))
                };
                if let Some((_, replacement)) = replacements.iter().find(|(wanted, _)| *wanted == name) {
                    found.push(Import {
                        place: base.wrapping_add(offset as usize),
                        replacement: *replacement,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_hold_the_addresses_of_what_they_name() {
        // This program's own table: the standard library imports some of the functions.
        let found = find(find as *const () as usize);
        assert!(!found.is_empty());
        for Import { place, replacement } in found {
            let named = replacements().into_iter().filter(|&(_, other)| other == replacement);
            // SAFETY: the names are C strings; all symbols that the program has loaded are searched.
            let addresses =
                named.map(|(name, _)| unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) } as usize);
            // SAFETY: the place was found in a table of this program.
            let entered = unsafe { (place as *const usize).read() };
            assert!(addresses.into_iter().any(|address| address == entered), "{entered:x} is none of them");
        }
    }

    #[test]
    fn a_lock_whose_owner_is_gone_can_be_taken_and_given_back() {
        let mut mutex = libc::PTHREAD_MUTEX_INITIALIZER;
        let mut rwlock = libc::PTHREAD_RWLOCK_INITIALIZER;
        let (mutex, rwlock) = (&raw mut mutex, &raw mut rwlock);
        // SAFETY: both live until the end of the test and are used by this thread alone.
        unsafe {
            assert_eq!((lock(mutex), lock(mutex)), (0, 0));
            assert_eq!(libc::pthread_mutex_unlock(mutex), 0);
            assert_eq!(libc::pthread_mutex_trylock(mutex), 0);
            assert_eq!((write_lock(rwlock), read_lock(rwlock), write_lock(rwlock)), (0, 0, 0));
            assert_eq!(libc::pthread_rwlock_unlock(rwlock), 0);
        }
    }
}
