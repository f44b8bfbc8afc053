//! Lets JavaScript check the bridge before anything relies on it.

use napi_derive::napi;

use crate::ffi::v8;

/// What the bridge to V8 can do in this process.
#[napi(object)]
pub struct BridgeState {
    /// Heap statistics and garbage-collection hooks.
    pub available: bool,
    /// Snapshots without `node:v8`.
    pub snapshots: bool,
    /// Why not, where something is missing.
    pub reason: Option<String>,
}

/// Which of V8's functions were found.
#[napi(catch_unwind)]
pub fn bridge_state() -> BridgeState {
    match v8::bridge() {
        Ok(bridge) => BridgeState { available: true, snapshots: bridge.snapshots.is_some(), reason: None },
        Err(reason) => BridgeState { available: false, snapshots: false, reason: Some(reason.to_owned()) },
    }
}

/// Names of `v8.getHeapStatistics()`, in the order of `bridgeStatistics`.
#[napi(catch_unwind)]
pub fn bridge_statistics_names() -> Vec<String> {
    v8::STATISTICS.iter().map(ToString::to_string).collect()
}

/// V8's heap statistics as the bridge reads them; nothing where it cannot.
#[napi(catch_unwind)]
pub fn bridge_statistics() -> Option<Vec<f64>> {
    let bridge = v8::bridge().ok()?;
    let isolate = bridge.current_isolate()?;
    Some(v8::heap_statistics(bridge, isolate).iter().map(|&n| n as f64).collect())
}

/// Makes the line ends of all scripts known; says whether it could.
#[napi(catch_unwind)]
pub fn make_line_ends_known() -> bool {
    let Ok(bridge) = v8::bridge() else { return false };
    let (Some(functions), Some(isolate)) = (bridge.line_ends.as_ref(), bridge.current_isolate()) else {
        return false;
    };
    v8::make_line_ends_known(functions, isolate);
    true
}
