//! Which looks are worth a record.

use super::look::Look;
use crate::units::Micros;

/// Below this share of the limit only the first look is kept, and kills.
const FROM: f64 = 0.5;
/// Of the limit: a new high is one by so much.
const STEP: f64 = 0.01;
/// While the container is in danger, and for how long a high stays the one to be beaten.
const IN_DANGER: Micros = Micros(30_000_000);
const STALE: Micros = Micros(600_000_000);

/// Thins looks out, so that the last one that is kept says how full the container was at the end, and a record of fixed size goes far back.
///
/// A container that dies climbs to where it never was: new highs are kept, one a hundredth of the limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chronicle {
    last: Option<Look>,
    highest: f64,
}

impl Chronicle {
    /// Whether `look` is to be kept.
    pub fn keeps(&mut self, look: &Look, in_danger: bool) -> bool {
        let keeps = self.last.as_ref().is_none_or(|last| self.is_news(last, look, in_danger));
        if keeps {
            let since = self.last.map_or(0, |last| look.at.0.saturating_sub(last.at.0));
            self.highest = if since >= STALE.0 { look.share() } else { self.highest.max(look.share()) };
            self.last = Some(*look);
        }
        keeps
    }

    fn is_news(&self, last: &Look, look: &Look, in_danger: bool) -> bool {
        let since = look.at.0.saturating_sub(last.at.0);
        let (before, now) = (last.events, look.events);
        let is_high = look.share() >= FROM && look.share() - self.highest >= STEP - f64::EPSILON * 4.0;
        let is_stale = since >= STALE.0 && look.share() >= FROM;
        before.oom != now.oom
            || before.oom_kill != now.oom_kill
            || last.limit != look.limit
            || is_high
            || is_stale
            || in_danger && since >= IN_DANGER.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Events;
    use crate::units::Bytes;
    use proptest::prelude::*;

    fn look(seconds: u64, per_mille: u64) -> Look {
        Look {
            at: Micros(seconds * 1_000_000),
            used: Bytes(per_mille),
            limit: Bytes(1000),
            ..Look::default()
        }
    }

    fn kept(looks: impl IntoIterator<Item = (u64, u64)>, in_danger: bool) -> Vec<(u64, u64)> {
        let mut chronicle = Chronicle::default();
        looks.into_iter().filter(|&(at, level)| chronicle.keeps(&look(at, level), in_danger)).collect()
    }

    #[test]
    fn new_highs_are_kept_and_what_comes_and_goes_is_not() {
        let climb = [(0, 100), (1, 400), (2, 500), (3, 505), (4, 700), (5, 600), (6, 705), (7, 710)];
        assert_eq!(kept(climb, false), [(0, 100), (2, 500), (4, 700), (7, 710)]);
        let saw = (0..500).map(|s| (s, 600 + 10 * (s % 10)));
        assert_eq!(kept(saw, false).len(), 10);
        assert_eq!(kept((0..500).map(|s| (s, 950)), true).len(), 17, "one in 30 s");
    }

    #[test]
    fn a_high_is_forgotten_in_the_end() {
        let looks = [(0, 900), (10, 600), (601, 600), (602, 605), (603, 620)];
        assert_eq!(kept(looks, false), [(0, 900), (601, 600), (603, 620)]);
    }

    #[test]
    fn kills_and_other_limits_are_kept_at_any_level() {
        let mut chronicle = Chronicle::default();
        assert!(chronicle.keeps(&look(0, 1), false) && !chronicle.keeps(&look(1, 2), false));
        let killed = Look { events: Events { oom_kill: 1, ..Events::default() }, ..look(2, 1) };
        assert!(chronicle.keeps(&killed, false) && !chronicle.keeps(&killed, false));
        assert!(chronicle.keeps(&Look { limit: Bytes(5000), ..killed }, false));
    }

    proptest! {
        #[test]
        fn the_end_of_a_climb_is_known_and_records_are_few(levels in prop::collection::vec(0..1000u64, 1..200), end in 500..1000u64) {
            let highest = levels.iter().copied().max().unwrap_or(0);
            let looks: Vec<_> = (0u64..).zip(levels.into_iter().chain([highest.max(end)])).collect();
            let kept = kept(looks.iter().copied(), false);
            prop_assert!(kept.len() <= 52);
            let top = kept.iter().map(|&(_, level)| level).max().unwrap_or(0);
            prop_assert!(top + 10 > highest.max(end), "{top}");
        }
    }
}
