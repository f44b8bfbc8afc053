//! What the floors say of the routes, for JavaScript to put into words.

use serde_json::{Value, json};

use crate::verdict::{Attribution, NoRoute};

/// The route, by its number in what was published, that the growth comes from; or why none is named.
pub fn attribution(told: &Attribution) -> Value {
    match &told.found {
        Ok(leak) => json!({
            "floors": told.rows,
            "leak": {
                "route": leak.route,
                "bytesPerRequest": leak.bytes_per_request,
                "intervalBytesPerRequest": leak.interval,
                "requests": leak.requests.round() as u64,
                "share": leak.share,
            },
        }),
        Err(why) => json!({ "floors": told.rows, "leak": null, "why": no_route(why) }),
    }
}

fn no_route(why: &NoRoute) -> Value {
    match why {
        NoRoute::Rows { wanted } => json!({ "kind": "floors", "wanted": wanted }),
        NoRoute::Requests => json!({ "kind": "requests" }),
        NoRoute::Growth => json!({ "kind": "growth" }),
        NoRoute::Collinear { route, with } => {
            json!({ "kind": "collinear", "route": route, "with": with })
        }
        NoRoute::None => json!({ "kind": "none" }),
        NoRoute::Several => json!({ "kind": "several" }),
    }
}
