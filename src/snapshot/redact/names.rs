//! Which names may stay, and what stands for the others.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::OnceLock;

use rustc_hash::FxHashSet;

use super::Level;
use super::numbers::Digits;
use super::roles::{CLASS, INTERNAL, LABEL, PROPERTY, Roles, SPELLED};
use crate::error::{ErrorKind, Result};
use crate::graph::{SparseStrings, holds_constants};

/// The names that V8, JavaScript and Node gave, in any process that does nothing: made by `scripts/own-names.js`.
const OWN: &str = include_str!("own.txt");

/// Says whether `name` is one that any process has.
pub fn is_own(name: &str) -> bool {
    static SET: OnceLock<FxHashSet<&str>> = OnceLock::new();
    SET.get_or_init(|| OWN.lines().collect()).contains(name)
}

/// What makes the hashes of one text different from those of another: a key of 128 random bits, which is kept nowhere.
#[derive(Debug, Clone)]
pub struct Salt(RandomState);

impl Salt {
    /// Another one each time.
    pub fn random() -> Self {
        Self(RandomState::new())
    }

    /// What stands for `text`.
    pub fn stand_in(&self, text: &str) -> String {
        format!("(redacted {:016x})", self.0.hash_one(text))
    }

    fn id(&self, text: &str) -> u32 {
        self.0.hash_one(text) as u32
    }
}

/// Decides on the strings of one text, once all nodes and edges have passed.
pub struct Judge<'a> {
    level: Level,
    salt: &'a Salt,
    roles: &'a Roles,
    text: &'a SparseStrings,
    /// What the program's text spells: functions, variables and the constants of its code.
    spelled: FxHashSet<&'a str>,
}

impl<'a> Judge<'a> {
    pub fn new(level: Level, salt: &'a Salt, roles: &'a Roles, text: &'a SparseStrings) -> Self {
        let mut spelled = FxHashSet::default();
        if level == Level::Names {
            let named = || (0..roles.len()).filter(|&index| roles.uses(index) & SPELLED != 0);
            spelled.extend(named().map(|index| text.get(index)));
            let pools: FxHashSet<u32> = named().filter(|&index| holds_constants(text.get(index))).collect();
            let constants = roles.in_code().iter().filter(|(from, _)| pools.contains(from));
            spelled.extend(constants.map(|&(_, string)| text.get(string)));
        }
        Self { level, salt, roles, text, spelled }
    }

    /// Writes what is told of string `index`.
    pub fn write(&self, index: u32, out: &mut Digits) -> Result<()> {
        let uses = self.roles.uses(index) & (CLASS | SPELLED | PROPERTY | INTERNAL | LABEL);
        if index == 0 {
            out.text(b"\"(redacted)\"");
        } else if uses == 0 {
            out.text(b"\"\"");
        } else {
            let name = self.text.get(index);
            let json = match self.instead(name, uses) {
                None => serde_json::to_vec(name),
                Some(other) => serde_json::to_vec(&other),
            };
            out.text(&json.map_err(|e| ErrorKind::Internal { message: e.to_string() })?);
        }
        Ok(())
    }

    /// What stands for `name`; nothing where it may stay.
    fn instead(&self, name: &str, uses: u8) -> Option<String> {
        if let Some(rest) = numbered(name, " / part of key (") {
            return Some(weak_pair(name, rest, self.salt).unwrap_or_else(|| self.salt.stand_in(name)));
        }
        let is_slot = uses & INTERNAL != 0 && name.len() <= 10 && name.bytes().all(|b| b.is_ascii_digit());
        let may_stay = name.is_empty()
            || is_own(name)
            || is_slot
            || name.strip_prefix("system / ").is_some_and(is_identifier) && uses & (LABEL | CLASS) != 0
            || match self.level {
                Level::Shape => false,
                Level::Names => {
                    uses & (SPELLED | INTERNAL) != 0
                        || uses & LABEL != 0 && is_label(name)
                        || self.is_spelled(name)
                }
            };
        (!may_stay).then(|| self.salt.stand_in(name))
    }

    /// Whether the program's text spells a property or a class, in one of the forms that V8 gives them.
    fn is_spelled(&self, name: &str) -> bool {
        let symbol = || name.strip_prefix("<symbol ")?.strip_suffix('>');
        let accessor = || name.strip_prefix("get ").or_else(|| name.strip_prefix("set "));
        self.spelled.contains(name)
            || symbol().is_some_and(|name| self.spelled.contains(name))
            || accessor().is_some_and(|name| self.spelled.contains(name) || is_own(name))
    }
}

fn is_identifier(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether `name` may be one that a C++ program gave: those have no data in them, but a page's elements have their attributes.
fn is_label(name: &str) -> bool {
    const MOST: usize = 128;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" _:/()<>,.*&~[]-".contains(&byte);
    name.len() <= MOST && name.bytes().all(is_plain)
}

/// The rest of `name` behind digits and `mark`.
fn numbered<'a>(name: &'a str, mark: &str) -> Option<&'a str> {
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 { None } else { name[digits..].strip_prefix(mark) }
}

/// The digits at the end of `text` behind ` @`.
fn id_at_end(text: &str) -> Option<&str> {
    let (_, id) = text.rsplit_once(" @")?;
    (!id.is_empty() && id.len() <= 10 && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}

/// `12 / part of key (KEY @7) -> value (VALUE @9) pair in WeakMap (table @11)`, with nothing of what the two are called. Their text may look
/// like anything, this form included; the end is V8's own in any case, and the middle where it is there once.
fn weak_pair(name: &str, rest: &str, salt: &Salt) -> Option<String> {
    const MIDDLE: &str = ") -> value (";
    let number = &name[..name.bytes().take_while(u8::is_ascii_digit).count()];
    let (pair, table) = rest.strip_suffix(')')?.rsplit_once(") pair in WeakMap (table @")?;
    if number.len() > 10 || table.is_empty() || table.len() > 10 || !table.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let value = id_at_end(pair)?;
    let key = match pair.split_once(MIDDLE) {
        Some((key, after)) if !after.contains(MIDDLE) => id_at_end(key)?.to_owned(),
        _ => salt.id(pair).to_string(),
    };
    Some(format!(
        "{number} / part of key (redacted @{key}) -> value (redacted @{value}) pair in WeakMap (table @{table})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_pair_keeps_its_ids_and_nothing_else() {
        let salt = Salt::random();
        let told =
            |name: &str| numbered(name, " / part of key (").and_then(|rest| weak_pair(name, rest, &salt));
        let v8 = "12 / part of key (Object @7) -> value (hunter2 @9) pair in WeakMap (table @11)";
        let ours = "12 / part of key (redacted @7) -> value (redacted @9) pair in WeakMap (table @11)";
        assert_eq!(told(v8).as_deref(), Some(ours));
        let odd = "1 / part of key (a @4444) -> value (b @5) -> value (c @5555) -> value (d @9) pair in WeakMap (table @11)";
        let told_of_odd = told(odd).expect("a pair");
        assert!(!told_of_odd.contains("4444") && !told_of_odd.contains("5555"), "{told_of_odd}");
        assert!(told_of_odd.ends_with("value (redacted @9) pair in WeakMap (table @11)"), "{told_of_odd}");
        assert_eq!(told("1 / part of key (hunter2"), None);
        assert_eq!(numbered("/ part of key (", " / part of key ("), None);
    }

    #[test]
    fn what_any_process_has_is_known() {
        for name in ["Object", "Array", "system / Context", "map", "elements", "prototype", "_events"] {
            assert!(is_own(name), "{name}");
        }
        assert!(!is_own("") && !is_own("hunter2"));
        assert!(OWN.lines().is_sorted());
    }

    #[test]
    fn a_hash_is_another_in_each_text() {
        let (one, other) = (Salt::random(), Salt::random());
        assert_eq!(one.stand_in("a"), one.stand_in("a"));
        assert_ne!(one.stand_in("a"), one.stand_in("b"));
        assert_ne!(one.stand_in("a"), other.stand_in("a"));
    }
}
