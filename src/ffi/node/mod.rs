//! The `#[napi]` shells: convert in, call the core, convert out.
//!
//! Every export carries `catch_unwind`: a panic in a plain export would abort the host. Errors cross as one line of
//! JSON behind a mark, which `lib/errors.js` turns into a `HeapwardenError` with `code` and `offset`.

mod allocations;
mod background;
mod board;
mod bridge;
mod capture;
mod clone;
mod container;
mod counts;
mod flight;
mod heap_limit;
mod inlet;
mod job;
mod monitor;
mod notes;
mod outbox;
mod platform;
mod postmortem;
mod report;
mod routes;
mod tally;

use napi::Status;

use crate::error::Error;

/// What an error's message starts with when the rest is JSON.
const MARK: &str = "heapwarden:";

/// The core's error as Node-API carries it.
fn to_napi(error: &Error) -> napi::Error {
    napi::Error::new(Status::GenericFailure, format!("{MARK}{}", error_json(error)))
}

/// What JavaScript makes a `HeapwardenError` of.
fn error_json(error: &Error) -> serde_json::Value {
    serde_json::json!({ "code": error.code(), "message": error.to_string(), "offset": error.offset() })
}

/// Serialises a report for JavaScript, which parses it with `JSON.parse`.
fn to_json(value: &impl serde::Serialize) -> napi::Result<String> {
    serde_json::to_string(value).map_err(|e| napi::Error::from_reason(e.to_string()))
}
