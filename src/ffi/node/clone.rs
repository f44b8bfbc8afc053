//! Lets JavaScript ask whether a clone of the process can be made, and whether there is memory for it.

use napi_derive::napi;

use super::to_napi;
use crate::clone::room::{Room, Way};
use crate::error::ErrorKind;
use crate::ffi::v8;
use crate::units::Bytes;

/// Whether the process can be cloned.
#[napi(object)]
pub struct CloneState {
    /// Why not; nothing where it can.
    pub reason: Option<String>,
    /// Whether objects can be counted in a clone without a snapshot.
    pub walk: bool,
}

/// Whether this process can be cloned on this system.
#[napi(catch_unwind)]
pub fn clone_state() -> CloneState {
    let no = |reason: &str| CloneState { reason: Some(reason.to_owned()), walk: false };
    let bridge = match v8::bridge() {
        Ok(bridge) => bridge,
        Err(reason) => return no(reason),
    };
    if bridge.snapshots.is_none() {
        return no("this runtime's snapshots cannot be taken through the bridge to V8");
    }
    #[cfg(target_os = "linux")]
    let refusal = crate::ffi::os::clone::refusal(bridge.address());
    #[cfg(not(target_os = "linux"))]
    let refusal = Some("a process can be cloned on Linux only");
    match refusal {
        Some(reason) => no(reason),
        None => CloneState { reason: None, walk: bridge.walk.is_some() },
    }
}

/// Whether there is memory for a way to look at the heap.
#[napi(object)]
pub struct RoomState {
    /// What is missing, in words; nothing where there is enough.
    pub shortage: Option<String>,
    /// What a clone may take for itself.
    pub memory_bytes: f64,
}

/// Whether there is room for `way` (`clone`, `inline` or `census`) to look at `heap_bytes` of heap. `left_bytes` is what the process can
/// still take where this system does not tell.
#[napi(catch_unwind)]
pub fn room_for(way: String, heap_bytes: f64, left_bytes: f64) -> napi::Result<RoomState> {
    let way = match way.as_str() {
        "clone" => Way::Clone,
        "inline" => Way::Inline,
        "census" => Way::Census,
        _ => {
            let expected = "clone, inline or census".into();
            return Err(to_napi(&ErrorKind::InvalidArg { name: "way", expected, found: way }.into()));
        }
    };
    #[cfg(target_os = "linux")]
    let (left, seen) = (crate::ffi::os::memory_left(), super::capture::times_seen());
    #[cfg(not(target_os = "linux"))]
    let (left, seen) = (None, None);
    let room = Room { heap: Bytes(heap_bytes as u64), left: left.unwrap_or(Bytes(left_bytes as u64)), seen };
    Ok(RoomState {
        shortage: room.fits(way).err().map(|shortage| shortage.to_string()),
        memory_bytes: room.ceiling().0 as f64,
    })
}
