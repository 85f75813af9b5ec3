//! What the provider's list of secrets means for what we hold: whose each one is, and what has changed behind our back.
//!
//! The list shows ids and dates, never values, so an id is known to be ours only when the file has it beside a value.
//! What cannot be known is said to be unknown and never guessed: a wrong guess revokes the only secret that works.

use crate::credentials::Label;
use crate::secret::SecretId;
use crate::vonage::management::Listed;

/// Whose a listed secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Ours: its id stands beside the value at this position of the file.
    Held(usize),
    /// Somebody else's: every value that we hold is another one.
    Foreign,
    /// We hold a value without an id, which may be this one or not.
    Unknown,
}

impl Whose {
    /// One word for tables and documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Held(_) => "held",
            Self::Foreign => "foreign",
            Self::Unknown => "unknown",
        }
    }
}

/// Something that is not as we left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    /// We hold a value with this id, and the provider has it no longer: somebody revoked it.
    Gone(SecretId),
    /// The provider has a secret that is not ours.
    Foreign(SecretId),
    /// We hold more values without an id than there are secrets that could be theirs: so many of them are dead.
    Dead(usize),
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gone(id) => write!(f, "revoked by somebody else: {id}"),
            Self::Foreign(id) => write!(f, "foreign: {id}"),
            Self::Dead(number) => write!(f, "held and not live: {number}"),
        }
    }
}

/// Whose each listed secret is, in the order of the list. `held` are the labels of the account in the file.
pub fn whose(listed: &[Listed], held: &[Label]) -> Vec<Whose> {
    let position = |id: &SecretId| held.iter().position(|label| label.id.as_ref() == Some(id));
    let nameless = held.iter().filter(|label| label.id.is_none()).count();
    let other = if nameless == 0 { Whose::Foreign } else { Whose::Unknown };
    listed.iter().map(|secret| position(&secret.id).map_or(other, Whose::Held)).collect()
}

/// Everything that has changed behind our back, as far as it can be known.
pub fn drift(listed: &[Listed], held: &[Label]) -> Vec<Drift> {
    let gone = held.iter().filter_map(|label| label.id.clone()).filter(|id| listed.iter().all(|secret| secret.id != *id)).map(Drift::Gone);
    let whose = whose(listed, held);
    let foreign =
        listed.iter().zip(&whose).filter(|(_, whose)| **whose == Whose::Foreign).map(|(secret, _)| Drift::Foreign(secret.id.clone()));
    let nameless = held.iter().filter(|label| label.id.is_none()).count();
    let possible = whose.iter().filter(|whose| **whose == Whose::Unknown).count();
    let dead = nameless.checked_sub(possible).filter(|dead| *dead > 0).map(Drift::Dead);
    gone.chain(foreign).chain(dead).collect()
}

/// The id of a value that was just made elsewhere and is accepted: the only listed one that can be it, none when there
/// are several.
pub fn only_newcomer<'l>(listed: &'l [Listed], held: &[Label]) -> Option<&'l Listed> {
    let whose = whose(listed, held);
    let mut new = listed.iter().zip(whose).filter(|(_, whose)| !matches!(whose, Whose::Held(_))).map(|(secret, _)| secret);
    match (new.next(), new.next()) {
        (Some(only), None) if held.iter().all(|label| label.id.is_some()) => Some(only),
        (Some(_) | None, Some(_) | None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(ids: &[&str]) -> Vec<Listed> {
        ids.iter().map(|id| Listed { id: SecretId::parse(id).unwrap(), created_at: None }).collect()
    }

    /// A name, or none for `-`.
    fn held(ids: &[&str]) -> Vec<Label> {
        let id = |id: &&str| if *id == "-" { None } else { SecretId::parse(id).ok() };
        ids.iter().map(|text| Label { id: id(text), ..Label::default() }).collect()
    }

    #[test]
    fn a_secret_is_ours_by_its_id_and_foreign_only_when_all_of_ours_have_one() {
        assert_eq!(whose(&listed(&["a", "b"]), &held(&["b", "a"])), [Whose::Held(1), Whose::Held(0)]);
        assert_eq!(whose(&listed(&["a", "b"]), &held(&["a"])), [Whose::Held(0), Whose::Foreign]);
        assert_eq!(whose(&listed(&["a", "b"]), &held(&["-"])), [Whose::Unknown, Whose::Unknown]);
        assert_eq!(whose(&listed(&["a"]), &held(&[])), [Whose::Foreign]);
    }

    #[test]
    fn what_changed_behind_our_back_is_named_and_nothing_is_guessed() {
        let id = |text| SecretId::parse(text).unwrap();
        assert_eq!(drift(&listed(&["a", "b"]), &held(&["a", "b"])), []);
        assert_eq!(drift(&listed(&["c"]), &held(&["a"])), [Drift::Gone(id("a")), Drift::Foreign(id("c"))]);
        assert_eq!(drift(&listed(&["a", "b"]), &held(&["-"])), []);
        assert_eq!(drift(&listed(&["a"]), &held(&["-", "-"])), [Drift::Dead(1)]);
        assert_eq!(drift(&listed(&["a"]), &held(&["a", "-"])), [Drift::Dead(1)]);
    }

    #[test]
    fn a_value_gets_an_id_only_when_there_is_no_other() {
        let list = listed(&["a", "b"]);
        assert_eq!(only_newcomer(&list, &held(&["a"])).map(|new| new.id.as_str()), Some("b"));
        assert_eq!(only_newcomer(&list, &held(&[])), None);
        assert_eq!(only_newcomer(&list, &held(&["-"])), None);
        assert_eq!(only_newcomer(&list[..1], &held(&["a"])), None);
    }
}
