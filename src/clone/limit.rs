//! What is decided when the heap comes to its limit: by how much it is raised, and how the heap is looked at.

use super::room::{Room, Way};
use crate::units::Bytes;

/// The share of the limit by which it is raised, as one part in so many; between the least and the most.
const SHARE: u64 = 10;
const LEAST_SLACK: Bytes = Bytes::mib(16);
const MOST_SLACK: Bytes = Bytes::mib(256);
/// Of the memory that the process can still take, the slack is no more than one part in so many: the look needs some, too.
const LEFT_SHARE: u64 = 4;
/// V8 wants a higher limit than the one before, or it ends the process.
const TINY_SLACK: Bytes = Bytes::mib(4);
/// A larger heap is not looked at inline: at some 50 ms a megabyte, whoever watches the process has killed it before.
const MOST_INLINE: Bytes = Bytes::mib(512);

/// By how much a heap's limit of `limit` is raised, where `left` is what the process can still take. `wanted` is what a user asked for,
/// which is done.
pub fn slack(wanted: Option<Bytes>, limit: Bytes, left: Option<Bytes>) -> Bytes {
    wanted.unwrap_or_else(|| {
        let usual = Bytes(limit.0 / SHARE).clamp(LEAST_SLACK, MOST_SLACK);
        let affordable = left.map_or(usual, |left| Bytes(left.0 / LEFT_SHARE));
        usual.min(affordable).max(TINY_SLACK)
    })
}

/// What can be done in this process, whether there is room for it or not.
#[derive(Debug, Clone, Default)]
pub struct Means {
    /// Why the heap is not to be looked at.
    pub blind: Option<String>,
    /// Why no clone can be made.
    pub no_clone: Option<String>,
    /// Whether the heap can be walked.
    pub walk: bool,
    /// Whether V8 has given up already: nothing more can be asked of it in the process itself.
    pub fatal: bool,
}

/// How the heap is looked at, and why not better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The way; nothing where there is none.
    pub way: Option<Way>,
    /// Why it is not the best one, in words.
    pub reason: Option<String>,
}

/// How a heap with `room` is looked at: in a clone, so that the process can go on; else inline; else objects are counted in a clone.
pub fn plan(room: &Room, means: &Means) -> Plan {
    let with = |way, reason| Plan { way, reason };
    if let Some(blind) = &means.blind {
        return with(None, Some(blind.clone()));
    }
    let no_clone = means.no_clone.clone().or_else(|| room.fits(Way::Clone).err().map(|s| s.to_string()));
    let Some(no_clone) = no_clone else { return with(Some(Way::Clone), None) };
    let no_inline = inline_refusal(room, means);
    let Some(no_inline) = no_inline else {
        return with(Some(Way::Inline), Some(format!("not in a clone: {no_clone}")));
    };
    let why = format!("no snapshot in a clone: {no_clone}; none inline: {no_inline}");
    let can_count = means.no_clone.is_none() && means.walk;
    if can_count && room.fits(Way::Census).is_ok() {
        return with(Some(Way::Census), Some(why));
    }
    with(None, Some(why))
}

/// Why a heap with `room` cannot be looked at inline, if so.
pub fn inline_refusal(room: &Room, means: &Means) -> Option<String> {
    if means.fatal {
        return Some("V8 had no memory left".into());
    }
    if room.heap > MOST_INLINE {
        let mb = |bytes: Bytes| bytes.rounded_mib();
        return Some(format!(
            "the heap has {} MB, and over {} MB the process would stand still for too long",
            mb(room.heap),
            mb(MOST_INLINE)
        ));
    }
    room.fits(Way::Inline).err().map(|shortage| shortage.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(heap: u64, left: u64) -> Room {
        Room { heap: Bytes::mib(heap), left: Bytes::mib(left), seen: None }
    }

    #[test]
    fn the_slack_is_a_tenth_within_bounds_and_no_more_than_there_is() {
        let slack =
            |limit, left: Option<u64>| slack(None, Bytes::mib(limit), left.map(Bytes::mib)).rounded_mib();
        assert_eq!([40, 160, 400, 2048, 4096].map(|limit| slack(limit, None)), [16, 16, 40, 205, 256]);
        assert_eq!([10_000, 400, 64, 0].map(|left| slack(400, Some(left))), [40, 40, 16, 4]);
        assert_eq!(super::slack(Some(Bytes::mib(1)), Bytes::mib(400), Some(Bytes(0))), Bytes::mib(1));
    }

    #[test]
    fn the_less_room_there_is_the_less_is_seen() {
        let means = Means { walk: true, ..Means::default() };
        let way = |heap, left| plan(&room(heap, left), &means).way;
        assert_eq!(way(100, 900), Some(Way::Clone));
        assert_eq!(way(100, 899), Some(Way::Inline));
        assert_eq!(way(100, 399), Some(Way::Census));
        assert_eq!(way(100, 199), None);
        assert_eq!(way(1000, 8999), Some(Way::Census), "too large for inline");
        let reason = plan(&room(100, 199), &means).reason.expect("a reason");
        assert!(
            reason.contains("none inline: it may need 400 MB of memory, and 199 MB are left"),
            "{reason}"
        );
    }

    #[test]
    fn what_cannot_be_done_is_not_planned() {
        let plenty = room(100, 100_000);
        let no_clone = Means { no_clone: Some("switched off".into()), walk: true, ..Means::default() };
        let planned = plan(&plenty, &no_clone);
        assert_eq!(
            (planned.way, planned.reason.as_deref()),
            (Some(Way::Inline), Some("not in a clone: switched off"))
        );
        let fatal = Means { fatal: true, ..no_clone };
        assert_eq!(plan(&plenty, &fatal).way, None);
        let blind = Means { blind: Some("evidence is switched off".into()), ..Means::default() };
        assert_eq!(plan(&plenty, &blind), Plan { way: None, reason: blind.blind.clone() });
        assert_eq!(plan(&room(100, 300), &Means::default()).way, None, "nothing walks the heap");
    }
}
