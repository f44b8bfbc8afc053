//! What a monitor does about a suspicion: it asks for looks at the heap, and says what they prove.

use crate::sample::AfterGc;
use crate::units::Bytes;
use crate::verdict::{Answer, Confirmation, ConfirmedBy, Kind, Look, MOST_LOOKS, Status, Verdict};

/// Samples between two looks: three minutes at the default interval. What grows by a step in less is called by the counters soon.
const APART: u64 = 6;
/// Samples until it is asked again after a look was refused or failed: too large a heap does not shrink at once.
const PATIENCE: u64 = 20;
/// Samples in which no more than [`MOST_LOOKS`] are taken, however often the detector changes its mind: six hours at the default
/// interval. A healthy process, suspected once a day, is stopped four times.
const REST: u64 = 720;

/// Samples for which looks stay good after the detector has let go of its suspicion: a day at the default interval. One that wavers
/// suspects the same growth again.
const LINGER: u64 = 2880;

/// The number of a suspicion, so that a look that comes late is not taken for one of the next. Never 0.
pub type SuspicionNumber = u32;

/// A suspicion, what is known of it, and how many looks are left. Fixed memory.
#[derive(Debug)]
pub(super) struct Suspicion {
    number: SuspicionNumber,
    /// There since the detector suspected memory that a look can see.
    confirmation: Option<Confirmation>,
    /// There until a leak that was told is over.
    confirmed: Option<ConfirmedBy>,
    /// What the detector said at the last sample.
    status: Status,
    suspected_at: u64,
    refuted: bool,
    looking: bool,
    last_gc: Option<AfterGc>,
    samples: u64,
    looks_left: usize,
    renewed_at: u64,
    not_before: u64,
}

impl Default for Suspicion {
    fn default() -> Self {
        Self {
            number: 0,
            confirmation: None,
            confirmed: None,
            status: Status::default(),
            suspected_at: 0,
            refuted: false,
            looking: false,
            last_gc: None,
            samples: 0,
            looks_left: MOST_LOOKS,
            renewed_at: 0,
            not_before: 0,
        }
    }
}

impl Suspicion {
    /// Forgets all but the number: looks under way belong to what was.
    pub fn restart(&mut self) {
        *self = Self { number: self.number, ..Self::default() };
    }

    /// The verdict that follows from the detector's, at a sample.
    pub fn judge(&mut self, found: Verdict, last_gc: Option<AfterGc>) -> Verdict {
        self.samples += 1;
        self.last_gc = last_gc;
        let told = self.confirmed().is_some();
        self.status = found.status;
        match found.status {
            Status::Suspect => self.suspect(&found),
            // The counters have proven it; by what it was confirmed before stays true.
            Status::Leak => self.confirmation = None,
            Status::Healthy | Status::WarmingUp => {
                if told || self.samples > self.suspected_at + LINGER {
                    self.confirmation = None;
                    self.confirmed = None;
                }
            }
        }
        if found.status == Status::Suspect && self.confirmed.is_some() {
            return Verdict { status: Status::Leak, ..found };
        }
        found
    }

    fn suspect(&mut self, found: &Verdict) {
        self.suspected_at = self.samples;
        if self.samples >= self.renewed_at && self.looks_left < MOST_LOOKS {
            self.looks_left = MOST_LOOKS;
            if self.refuted {
                self.confirmation = None;
            }
        }
        if self.confirmation.as_ref().is_none_or(|confirmation| confirmation.kind() != found.kind) {
            self.confirmation = Confirmation::of(found);
            self.confirmed = None;
            self.number = self.number.wrapping_add(1).max(1);
            self.refuted = false;
            self.looking = false;
        }
    }

    /// By what the leak was confirmed, if there is one and by looks.
    pub fn confirmed(&self) -> Option<&ConfirmedBy> {
        self.confirmed.as_ref().filter(|_| matches!(self.status, Status::Suspect | Status::Leak))
    }

    /// The suspicion that wants a look at the heap now, if one does.
    pub fn look_wanted(&self) -> Option<SuspicionNumber> {
        let confirmation = self.confirmation.as_ref()?;
        let rests = self.status != Status::Suspect
            || self.looking
            || self.refuted
            || self.confirmed.is_some()
            || self.looks_left == 0;
        let due =
            !rests && self.samples >= self.not_before && confirmation.is_due(self.floor(confirmation.kind()));
        due.then_some(self.number)
    }

    fn floor(&self, kind: Kind) -> Option<Bytes> {
        self.last_gc.map(|gc| if kind == Kind::External { gc.external } else { gc.used })
    }

    /// Takes note that a look is taken.
    pub fn look_begins(&mut self, number: SuspicionNumber) {
        if self.looks_left == MOST_LOOKS {
            self.renewed_at = self.samples + REST;
        }
        self.looks_left = self.looks_left.saturating_sub(1);
        self.not_before = self.samples + APART;
        self.looking = number == self.number;
    }

    /// Takes note that a look cannot be taken, or came to nothing.
    pub fn look_refused(&mut self, number: SuspicionNumber) {
        self.not_before = self.samples + PATIENCE;
        if number == self.number {
            self.looking = false;
        }
    }

    /// Takes note of what a look saw, `last_gc` being the last major collection by now.
    pub fn look(&mut self, number: SuspicionNumber, look: Look, last_gc: Option<AfterGc>) -> Answer {
        if number != self.number || !std::mem::take(&mut self.looking) {
            return Answer::NotYet;
        }
        self.last_gc = last_gc.or(self.last_gc);
        let Some(kind) = self.confirmation.as_ref().map(Confirmation::kind) else { return Answer::NotYet };
        let floor = self.floor(kind);
        let answer = self.confirmation.as_mut().map_or(Answer::NotYet, |known| known.add(look, floor));
        match &answer {
            Answer::Confirmed(by) => self.confirmed = Some(by.clone()),
            Answer::Refuted => {
                self.refuted = true;
                self.looks_left = 0;
                self.renewed_at = self.samples + REST;
            }
            Answer::NotYet => {}
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::GcKind;
    use crate::units::UnixMillis;
    use crate::verdict::Group;

    fn says(status: Status) -> Verdict {
        Verdict { status, kind: Kind::Heap, growth_bytes_per_second: 7.0, ..Verdict::default() }
    }

    fn gc(mib: u64) -> Option<AfterGc> {
        let (at, external) = (UnixMillis(0), Bytes(0));
        Some(AfterGc { at, kind: GcKind::Major, used: Bytes::mib(mib), external })
    }

    fn look(minute: u64, mib: u64) -> Look {
        let group = Group {
            constructor_name: "Session".into(),
            holder: "sessions of Map".into(),
            count: mib,
            size: Bytes::mib(mib),
        };
        Look::new(UnixMillis(minute * 60_000), Bytes::mib(20 + mib), Bytes(0), [group])
    }

    impl Suspicion {
        /// Samples at which a look was wanted, each then taken with what `see` gives, if anything.
        fn lives(
            &mut self,
            status: Status,
            samples: u64,
            mut see: impl FnMut(u64) -> Option<u64>,
        ) -> Vec<u64> {
            let mut wanted = Vec::new();
            for _ in 0..samples {
                let now = self.samples + 1;
                self.judge(says(status), see(now).map_or(gc(20), |mib| gc(20 + mib)));
                let Some(number) = self.look_wanted() else { continue };
                wanted.push(now);
                match see(now) {
                    Some(mib) => {
                        self.look_begins(number);
                        assert_eq!(self.look_wanted(), None, "one at a time");
                        self.look(number, look(now, mib), gc(20 + mib));
                    }
                    None => self.look_refused(number),
                }
            }
            wanted
        }
    }

    #[test]
    fn a_suspicion_that_looks_confirm_is_a_leak_until_the_detector_calls_it_healthy() {
        let mut suspicion = Suspicion::default();
        assert!(suspicion.lives(Status::Healthy, 5, Some).is_empty(), "nothing is looked at");
        assert_eq!(suspicion.lives(Status::Suspect, 40, Some), [6, 12, 18]);
        let by = suspicion.confirmed().expect("confirmed");
        assert_eq!((by.constructor_name.as_str(), by.captures), ("Session", 3));
        let leak = suspicion.judge(says(Status::Suspect), None);
        assert_eq!(leak, says(Status::Leak), "the same kind and numbers");
        assert_eq!(suspicion.judge(says(Status::Leak), None), says(Status::Leak));
        assert!(suspicion.confirmed().is_some());
        assert_eq!(suspicion.judge(says(Status::Healthy), None), says(Status::Healthy));
        assert_eq!(suspicion.confirmed(), None);
        assert_eq!(suspicion.judge(says(Status::Suspect), None), says(Status::Suspect));
    }

    #[test]
    fn a_refuted_suspicion_rests() {
        let mut suspicion = Suspicion::default();
        // The heap grows, and no look says by what.
        let mut wanted = Vec::new();
        for now in 1..=REST + 13 {
            suspicion.judge(says(Status::Suspect), gc(20 + 2 * now));
            if let Some(number) = suspicion.look_wanted() {
                wanted.push(now);
                suspicion.look_begins(number);
                let empty = Look::new(UnixMillis(now), Bytes::mib(20 + 2 * now), Bytes(0), []);
                suspicion.look(number, empty, gc(20 + 2 * now));
            }
        }
        let again = 13 + REST;
        assert_eq!(wanted, [1, 7, 13, again]);
    }

    #[test]
    fn a_detector_that_wavers_gets_no_more_looks_than_one_that_does_not() {
        let mut suspicion = Suspicion::default();
        let mut wanted = Vec::new();
        for now in 1..=REST + 1 {
            let kind = if now / 10 % 2 == 0 { Kind::Heap } else { Kind::External };
            suspicion.judge(Verdict { kind, ..says(Status::Suspect) }, gc(20));
            if let Some(number) = suspicion.look_wanted() {
                wanted.push(now);
                suspicion.look_begins(number);
                suspicion.look(number, look(now, 1), gc(20));
            }
        }
        assert_eq!(
            wanted,
            [1, 10, 20, 30, REST + 1],
            "each is another suspicion; and anew when it has rested"
        );
    }

    #[test]
    fn the_looks_of_a_suspicion_that_comes_again_count_together() {
        let mut suspicion = Suspicion::default();
        for _ in 0..2 {
            assert_eq!(suspicion.lives(Status::Suspect, 5, Some).len(), 1);
            assert!(suspicion.lives(Status::Healthy, 20, Some).is_empty());
        }
        suspicion.judge(says(Status::Suspect), gc(90));
        let number = suspicion.look_wanted().expect("wanted");
        suspicion.look_begins(number);
        assert_eq!(suspicion.judge(says(Status::Healthy), None), says(Status::Healthy));
        assert!(matches!(suspicion.look(number, look(60, 60), gc(90)), Answer::Confirmed(_)));
        assert_eq!(suspicion.confirmed(), None, "nothing is told while the detector sees nothing");
        assert_eq!(suspicion.judge(says(Status::Suspect), None), says(Status::Leak));
        assert_eq!(suspicion.confirmed().map(|by| by.captures), Some(3));

        let mut suspicion = Suspicion::default();
        suspicion.lives(Status::Suspect, 7, Some);
        suspicion.lives(Status::Healthy, LINGER + 1, |_| None);
        suspicion.lives(Status::Suspect, 7, Some);
        assert!(suspicion.confirmed().is_none(), "two looks of long ago are no evidence");
    }

    #[test]
    fn a_look_that_was_refused_is_asked_for_again_and_costs_nothing() {
        let mut suspicion = Suspicion::default();
        let asked = suspicion.lives(Status::Suspect, 4 * PATIENCE, |_| None);
        assert_eq!(asked, [1, 1 + PATIENCE, 1 + 2 * PATIENCE, 1 + 3 * PATIENCE]);
        assert_eq!(suspicion.looks_left, MOST_LOOKS);
    }

    #[test]
    fn a_look_that_comes_too_late_is_not_taken_for_one_of_the_next_suspicion() {
        let mut suspicion = Suspicion::default();
        suspicion.judge(says(Status::Suspect), None);
        let number = suspicion.look_wanted().expect("wanted");
        suspicion.look_begins(number);
        suspicion.restart();
        for _ in 0..2 {
            suspicion.judge(says(Status::Suspect), None);
        }
        let next = suspicion.look_wanted().expect("wanted");
        assert_ne!(number, next);
        suspicion.look(number, look(0, 1), gc(20));
        assert_eq!(suspicion.look_wanted(), Some(next), "as if nothing had been looked at");
    }

    #[test]
    fn nobody_looks_for_what_is_outside_of_javascript() {
        let mut suspicion = Suspicion::default();
        let native = Verdict { kind: Kind::Native, ..says(Status::Suspect) };
        assert_eq!(suspicion.judge(native, gc(20)), native);
        assert_eq!(suspicion.look_wanted(), None);
        suspicion.judge(says(Status::Suspect), gc(20));
        assert!(suspicion.look_wanted().is_some(), "it may turn out to be another memory");
    }
}
