//! A walk over the heap from inside a Node-API call.

use napi::bindgen_prelude::Env;
use napi::sys;

use super::product::{census, internal};
use crate::error::Result;
use crate::ffi::v8::{self, Keeper, Local};

/// What walks over the heap, and over which.
pub fn walk_functions() -> Option<(&'static v8::WalkFunctions, v8::Isolate)> {
    let bridge = v8::bridge().ok()?;
    Some((bridge.walk.as_ref()?, bridge.current_isolate()?))
}

/// The census of this thread's heap.
pub fn walked(walk: &v8::WalkFunctions, isolate: v8::Isolate, env: &Env) -> Result<String> {
    census(counted(walk, isolate, env)?)
}

/// The objects of this thread's heap by constructor.
pub fn counted(walk: &v8::WalkFunctions, isolate: v8::Isolate, env: &Env) -> Result<Vec<(String, u64)>> {
    Ok(measured(walk, isolate, env, false)?.objects)
}

/// The same with the entries of collections, each of them if `each` says so.
pub fn measured(walk: &v8::WalkFunctions, isolate: v8::Isolate, env: &Env, each: bool) -> Result<v8::Walked> {
    let mut kept = References { env, all: Vec::new() };
    v8::count_objects(walk, isolate, &mut kept, each).ok_or_else(|| internal("the walk over the heap failed"))
}

/// Objects kept by references of Node-API, which are not on the heap. Node-API's values are V8's locals, and its functions are the same in all
/// versions, which V8's are not.
struct References<'e> {
    env: &'e Env,
    all: Vec<sys::napi_ref>,
}

impl Keeper for References<'_> {
    fn keep(&mut self, object: Local) -> Option<usize> {
        let mut reference = std::ptr::null_mut();
        // SAFETY: `object` is a live local of this environment's isolate, on its thread, and the reference has a place to go to. What is made
        // is a global handle, outside the heap.
        let status =
            unsafe { sys::napi_create_reference(self.env.raw(), object.0.cast(), 1, &raw mut reference) };
        if status != sys::Status::napi_ok {
            return None;
        }
        self.all.push(reference);
        Some(self.all.len() - 1)
    }

    fn take(&mut self, kept: usize) -> Option<Local> {
        let reference = std::mem::replace(self.all.get_mut(kept)?, std::ptr::null_mut());
        if reference.is_null() {
            return None;
        }
        let mut value = std::ptr::null_mut();
        // SAFETY: the reference was made in `keep` for this environment and is deleted once, here: its place is empty from now on. The value
        // is a local of the handle scope of the call at hand, which outlives the reference.
        let status = unsafe {
            let status = sys::napi_get_reference_value(self.env.raw(), reference, &raw mut value);
            sys::napi_delete_reference(self.env.raw(), reference);
            status
        };
        (status == sys::Status::napi_ok && !value.is_null()).then_some(Local(value.cast()))
    }

    fn text(&mut self, string: Local) -> String {
        /// Longer names differ before that.
        const MOST: usize = 512;
        let mut text = [0u8; MOST];
        let mut length = 0;
        // SAFETY: `string` is a live local of this environment's isolate, on its thread; the buffer is as long as said, and both places outlive
        // the call.
        let status = unsafe {
            sys::napi_get_value_string_utf8(
                self.env.raw(),
                string.0.cast(),
                text.as_mut_ptr().cast(),
                MOST,
                &raw mut length,
            )
        };
        if status != sys::Status::napi_ok {
            return String::from("(unknown)");
        }
        String::from_utf8_lossy(&text[..length.min(MOST)]).into_owned()
    }

    fn is_array(&mut self, object: Local) -> bool {
        let mut is_array = false;
        // SAFETY: `object` is a live local of this environment's isolate, on its thread, and the answer has a place to go to. The object's map
        // is read and nothing allocated.
        let status = unsafe { sys::napi_is_array(self.env.raw(), object.0.cast(), &raw mut is_array) };
        status == sys::Status::napi_ok && is_array
    }
}
