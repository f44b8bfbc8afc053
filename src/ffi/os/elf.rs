//! The objects that are loaded in this process, as far as their program headers and dynamic sections tell of them.

use std::ffi::{CStr, c_int, c_void};

/// A loaded object: the executable, or a library. Lives as long as the visit in which it is shown.
pub struct Object<'a> {
    /// What is added to the addresses of its file.
    pub base: usize,
    /// The path that it was loaded from; empty for the executable.
    pub name: &'a CStr,
    headers: &'a [libc::Elf64_Phdr],
}

/// Entry of a dynamic section (`Elf64_Dyn`).
#[repr(C)]
struct Dynamic {
    tag: i64,
    value: u64,
}

/// Calls `visit` for each object that is loaded. It must not load or unload one, and not panic.
pub fn each(mut visit: impl FnMut(&Object<'_>)) {
    let mut visit: &mut dyn FnMut(&Object<'_>) = &mut visit;
    // SAFETY: the callback has the type that is asked for and gets the address of `visit` back, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(on_object), (&raw mut visit).cast()) };
}

/// # Safety
///
/// Called by `dl_iterate_phdr` only, with the address of the closure that was given to it.
unsafe extern "C" fn on_object(info: *mut libc::dl_phdr_info, _size: usize, data: *mut c_void) -> c_int {
    // SAFETY: the C library vouches for `info`, whose header table belongs to an object that stays loaded during the call; `data` is the
    // closure of `each`, which nobody else uses meanwhile.
    let (info, visit) = unsafe { (&*info, &mut *data.cast::<&mut dyn FnMut(&Object<'_>)>()) };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: as above: the table has `dlpi_phnum` entries.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let name = if info.dlpi_name.is_null() {
        c""
    } else {
        // SAFETY: a name is a C string that lives as long as its object.
        unsafe { CStr::from_ptr(info.dlpi_name) }
    };
    visit(&Object { base: info.dlpi_addr as usize, name, headers });
    0
}

impl Object<'_> {
    /// Addresses of the loaded part that `address` lies in, and whether it may be written to; nothing where it lies in none.
    pub fn segment(&self, address: usize) -> Option<(std::ops::Range<usize>, bool)> {
        self.headers.iter().filter(|header| header.p_type == libc::PT_LOAD).find_map(|header| {
            let start = self.base.wrapping_add(header.p_vaddr as usize);
            let range = start..start.wrapping_add(header.p_memsz as usize);
            range.contains(&address).then_some((range, header.p_flags & libc::PF_W != 0))
        })
    }

    /// Calls `visit` with each tag of the dynamic section and its value.
    pub fn dynamic(&self, mut visit: impl FnMut(i64, u64)) {
        let section = self.headers.iter().find(|header| header.p_type == libc::PT_DYNAMIC);
        let Some(section) = section else { return };
        let mut entry = self.base.wrapping_add(section.p_vaddr as usize) as *const Dynamic;
        loop {
            // SAFETY: the loader has mapped and relocated the object; its dynamic section is where its header says, and ends with an
            // entry whose tag is 0: this one comes before or is it.
            let Dynamic { tag, value } = unsafe { entry.read() };
            if tag == 0 {
                return;
            }
            visit(tag, value);
            // SAFETY: the entry was not the last.
            entry = unsafe { entry.add(1) };
        }
    }

    /// The address that a dynamic section's value means: glibc has made addresses of them, musl leaves them as they are in the file.
    pub fn address(&self, value: u64) -> usize {
        let value = value as usize;
        if value < self.base { self.base.wrapping_add(value) } else { value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_objects_is_this_program() {
        let here = one_of_the_objects_is_this_program as *const () as usize;
        let mut found = 0;
        each(|object| {
            let Some((range, may_be_written)) = object.segment(here) else { return };
            found += 1;
            assert!(range.contains(&here) && !may_be_written);
            let mut tags = Vec::new();
            object.dynamic(|tag, value| {
                // DT_STRTAB, DT_SYMTAB
                if tag == 5 || tag == 6 {
                    assert!(object.segment(object.address(value)).is_some());
                }
                tags.push(tag);
            });
            assert!(tags.contains(&5) && tags.contains(&6), "{tags:?}");
        });
        assert_eq!(found, 1);
    }
}
