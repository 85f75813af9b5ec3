//! 200 with a status in the body: SMS and short codes (one for each part of a message), Verify v1, Number Insight.
//!
//! Refused only if every status says so: one part that was sent makes a second attempt a double send. Status 2
//! ("missing") is no refusal: we always put a credential on, so it is about the request.
//!
//! Facts: guides and error tables of SMS, Verify v1 and Number Insight; the gateway tests.

use serde::Deserialize;

use super::decode::{self, Element, Shape, Word};
use super::{Material, Verdict};
use crate::vonage::endpoints::Family;

/// The verdict on a complete text.
pub(super) fn verdict(family: Family, material: Material, text: &str) -> Verdict {
    let statuses = match decode::shape(text) {
        Some(Shape::Json) => in_json(family, text),
        Some(Shape::Xml) => in_xml(family, text),
        None => None,
    };
    let Some(statuses) = statuses else { return Verdict::NoEvidence };
    let refusal = refusal_of(family, material);
    if !statuses.is_empty() && statuses.iter().all(|status| Some(status.as_str()) == refusal) {
        Verdict::Refused
    } else if statuses.iter().any(|status| proves(family, status)) {
        Verdict::Accepted
    } else {
        Verdict::NoEvidence
    }
}

/// The status that refuses this material: 4 for key and secret, 14 for a signature, which only SMS takes.
fn refusal_of(family: Family, material: Material) -> Option<&'static str> {
    match (family, material) {
        (Family::SmsStatus | Family::VerifyStatus | Family::InsightStatus, Material::KeyAndSecret) => Some("4"),
        (Family::SmsStatus, Material::Signature) => Some("14"),
        (Family::VerifyStatus | Family::InsightStatus, Material::Signature)
        | (Family::Problem | Family::ErrorCode | Family::VideoForbidden, _)
        | (_, Material::Token | Material::NotOurs) => None,
    }
}

/// Whether a status is one that only a request with a good credential gets. Others (throttled, missing, no credit,
/// internal) may be said before the secret was looked at.
fn proves(family: Family, status: &str) -> bool {
    match family {
        Family::SmsStatus => status == "0",
        // Too many at once for one number, wrong code, too often wrong, nothing left to do; a search says words.
        Family::VerifyStatus => matches!(status, "0" | "10" | "16" | "17" | "19") || is_search_word(status),
        // 43 to 45: looked up in part.
        Family::InsightStatus => matches!(status, "0" | "43" | "44" | "45"),
        Family::Problem | Family::ErrorCode | Family::VideoForbidden => false,
    }
}

/// `SUCCESS`, `IN PROGRESS` and so on.
fn is_search_word(status: &str) -> bool {
    status.starts_with(|first: char| first.is_ascii_uppercase())
        && status.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b' ' | b'_'))
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    status: Word<'a>,
    #[serde(borrow, default)]
    messages: Vec<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    status: Word<'a>,
}

/// Every status of the answer; one that should be there and is not counts as an empty one. None at all where SMS
/// has no messages: a status at the top alone is not its shape.
fn in_json(family: Family, text: &str) -> Option<Vec<String>> {
    let answer: Answer<'_> = serde_json::from_str(text).ok()?;
    let mut statuses: Vec<String> = answer.messages.iter().map(|message| message.status.text().to_owned()).collect();
    let top_is_expected = match family {
        Family::SmsStatus => answer.status != Word::Absent && !statuses.is_empty(),
        Family::VerifyStatus | Family::InsightStatus | Family::Problem | Family::ErrorCode | Family::VideoForbidden => true,
    };
    if top_is_expected {
        statuses.push(answer.status.text().to_owned());
    }
    Some(statuses)
}

/// As in JSON; the root has many names and none is looked at.
fn in_xml(family: Family, text: &str) -> Option<Vec<String>> {
    let mut found = Found::default();
    decode::walk(text, |open| found.end(family, open))?;
    let shapeless = family == Family::SmsStatus && found.messages == 0;
    Some(if shapeless { Vec::new() } else { found.statuses })
}

/// What was found so far in an XML answer.
#[derive(Default)]
struct Found {
    statuses: Vec<String>,
    messages: usize,
    in_message: usize,
}

impl Found {
    fn end(&mut self, family: Family, open: &[Element]) {
        let names: Vec<&str> = open.iter().skip(1).map(|element| element.name.as_str()).collect();
        let Some(last) = open.last() else { return };
        match (family, names.as_slice()) {
            (Family::SmsStatus, ["messages", "message", "status"]) => {
                self.in_message += 1;
                self.statuses.push(last.text.trim().to_owned());
            }
            (Family::SmsStatus, ["messages", "message"]) => {
                self.messages += 1;
                if std::mem::take(&mut self.in_message) == 0 {
                    self.statuses.push(String::new());
                }
            }
            (Family::InsightStatus, ["error"]) => self.statuses.push(last.code.clone()),
            (_, ["status"]) => self.statuses.push(last.text.trim().to_owned()),
            _ => {}
        }
    }
}
