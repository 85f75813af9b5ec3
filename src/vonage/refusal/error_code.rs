//! 401 with `error-code` (pricing: `code`) and a label, JSON or XML: account, numbers, pricing, message search.
//!
//! The number repeats the status; the label tells what it is about. Facts: API descriptions of account, numbers, pricing.

use super::decode::Members;
use super::{Sign, same};

/// What the document says about a credential.
pub(super) fn sign(members: &Members<'_>) -> Sign {
    let label = members.error_code_label.text();
    let is_401 = [members.error_code.text(), members.code.text()].contains(&"401");
    if same(label, "not auto-reload enabled") {
        // Top-up for an account that has not switched it on.
        Sign::OtherReason
    } else if is_401 && same(label, "authentication failed") {
        Sign::Refused
    } else {
        Sign::Unknown
    }
}
