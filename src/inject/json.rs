//! The top level of a JSON object: take members out, put some in, leave every other byte alone.
//!
//! Going through a value tree would reorder members, fold duplicates and change large numbers; here the text of
//! every member that stays is copied as it is.

use std::fmt;

use super::Parameter;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text is not a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnObject;

/// Members in the order of the text, duplicates included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// A member is nested or null, so it has no text of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotPlain;

/// All members of the top level as they are meant, in order: texts, and numbers and truth values as they are written.
pub fn pairs(text: &[u8]) -> Result<Vec<(String, String)>, NotPlain> {
    let Members(members) = serde_json::from_slice(text).map_err(|_| NotPlain)?;
    let is_plain = |raw: &RawValue| !raw.get().starts_with(['[', '{', 'n']);
    let pair = |(name, raw): (String, &RawValue)| if is_plain(raw) { Ok((name, plain(raw))) } else { Err(NotPlain) };
    members.into_iter().map(pair).collect()
}

/// Puts members behind those that are there, in place of any with the same name.
pub fn put(text: &str, parameters: &[Parameter]) -> Result<String, NotAnObject> {
    let names: Vec<&'static str> = parameters.iter().map(|(name, _)| *name).collect();
    let mut rest = take(text, &names)?.0.unwrap_or_else(|| text.to_owned());
    let Members(kept) = serde_json::from_str(&rest).map_err(|_| NotAnObject)?;
    let members: Vec<String> =
        parameters.iter().map(|(name, value)| format!("\"{name}\":{}", serde_json::Value::from(value.as_str()))).collect();
    let comma = if kept.is_empty() { "" } else { "," };
    let end = rest.rfind('}').ok_or(NotAnObject)?;
    rest.insert_str(end, &format!("{comma}{}", members.join(",")));
    Ok(rest)
}

/// A member that was taken out. The value is its text if it is a string or a number.
pub type Taken = (&'static str, String);

/// Takes out every top-level member whose name is in `names` (lower case), in any case and escaping. Returns the
/// remaining text, or nothing if none was there, and what was taken.
pub fn take(text: &str, names: &[&'static str]) -> Result<(Option<String>, Vec<Taken>), NotAnObject> {
    let Members(members) = serde_json::from_str(text).map_err(|_| NotAnObject)?;
    let mut taken = Vec::new();
    let mut rest = String::with_capacity(text.len());
    let mut from = text.find('{').map_or(0, |at| at + 1);
    rest.push_str(text.get(..from).unwrap_or_default());
    let mut kept_any = false;
    for (name, raw) in &members {
        // The member's own text, with the comma before it, ends where its value ends.
        let end = (raw.get().as_ptr().addr() + raw.get().len()).saturating_sub(text.as_ptr().addr());
        let own = text.get(from..end).unwrap_or_default();
        from = end;
        let lower = name.to_ascii_lowercase();
        if let Some(found) = names.iter().find(|wanted| **wanted == lower) {
            taken.push((*found, plain(raw)));
            continue;
        }
        rest.push_str(if kept_any { own } else { without_comma(own) });
        kept_any = true;
    }
    rest.push_str(text.get(from..).unwrap_or_default());
    Ok(if taken.is_empty() { (None, taken) } else { (Some(rest), taken) })
}

/// The first member that stays must not begin with the comma of one that went.
fn without_comma(own: &str) -> &str {
    own.trim_start_matches([' ', '\t', '\r', '\n']).strip_prefix(',').unwrap_or(own)
}

fn plain(raw: &RawValue) -> String {
    serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["api_key", "api_secret"];

    #[test]
    fn members_that_stay_keep_their_bytes() {
        let text =
            "{ \"api_key\" : \"k\" ,\n \"to\":12345678901234567890.10, \"to\":1 , \"api\\u005fsecret\":\"a\\\"b\",\"x\":{\"api_key\":1} }";
        let (rest, taken) = take(text, NAMES).unwrap();
        assert_eq!(rest.unwrap(), "{\n \"to\":12345678901234567890.10, \"to\":1,\"x\":{\"api_key\":1} }");
        assert_eq!(taken, [("api_key", "k".to_owned()), ("api_secret", "a\"b".to_owned())]);
    }

    #[test]
    fn an_object_of_credentials_only_becomes_empty() {
        let (rest, _) = take("{\"api_key\":\"k\",\"api_secret\":7}", NAMES).unwrap();
        assert_eq!(rest.unwrap(), "{}");
    }

    #[test]
    fn without_a_credential_nothing_is_rewritten() {
        assert_eq!(take("{\"a\":[1,2]}", NAMES).unwrap().0, None);
    }

    #[test]
    fn members_stand_behind_the_others_and_in_place_of_their_like() {
        let parameters = [("api_key", "k".to_owned().into()), ("sig", "\"\\".to_owned().into())];
        assert_eq!(put("{ \"sig\":1, \"to\":1.0 }", &parameters).unwrap(), "{ \"to\":1.0 ,\"api_key\":\"k\",\"sig\":\"\\\"\\\\\"}");
        assert_eq!(put(" {} ", &parameters).unwrap(), " {\"api_key\":\"k\",\"sig\":\"\\\"\\\\\"} ");
    }

    proptest::proptest! {
        #[test]
        fn what_is_put_in_is_what_is_read(secret in "\\PC{1,40}") {
            let written = put("{\"to\":\"1\"}", &[("api_secret", secret.clone().into())]).unwrap();
            let kept = written.starts_with("{\"to\":\"1\",");
            proptest::prop_assert!(kept);
            proptest::prop_assert_eq!(take(&written, NAMES).unwrap().1, [("api_secret", secret)]);
        }
    }

    #[test]
    fn what_is_cut_short_is_no_object() {
        for bad in ["", "{", "{\"a\":1", "[1]", "{\"a\":1}x", "\"text\""] {
            assert_eq!(take(bad, NAMES), Err(NotAnObject), "{bad}");
        }
    }
}
