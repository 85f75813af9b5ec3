//! 401 with a problem document, and the shapes close to it: Voice and Redact, Conversation, Audit, external accounts.
//!
//! `type` decides if it is known, then `detail`, then `title`: an expired token and a wrong secret share their title.
//! Facts: the provider's error catalogue, its API descriptions, the gateway tests.

use super::decode::Members;
use super::{Material, Sign, same};

/// Titles and details of a refusal where `type` is missing or names nothing.
const REFUSALS: [&str; 4] = ["unauthorized", "unauthorised", "invalid credentials supplied", "you did not provide correct credentials"];

/// What the catalogue names beside wrong credentials. Another secret changes none of these.
const OTHER_REASONS: [&str; 18] = [
    "accept-header",
    "account-suspended",
    "application-suspended",
    "content-type-header",
    "forbidden",
    "invalid-api-key",
    "invalid-id",
    "invalid-ip",
    "invalid-json",
    "invalid-params",
    "low-balance",
    "multiple-auth-methods",
    "not-found",
    "quota-exceeded",
    "throttled",
    "unavailable-legal",
    "unprovisioned",
    "wrong-verb",
];

/// Conversation's name of a token that it does not take.
const INVALID_TOKEN: &str = "system:error:invalid-token";

/// What the document says about a credential of this material.
pub(super) fn sign(members: &Members<'_>, material: Material) -> Sign {
    let kind = members.kind.text();
    if is_expired_token(members.detail.text()) {
        return expired(material);
    }
    match kind.rsplit_once('#') {
        Some((_, fragment)) => by_identifier(fragment, material),
        None if same(kind, "unauthorized") => Sign::Refused,
        None if same(members.code.text(), INVALID_TOKEN) => by_identifier(INVALID_TOKEN, material),
        None => by_words(members),
    }
}

/// The address before the fragment differs (`nexmo`, `vonage`, `api-errors/`), so only the fragment is compared.
fn by_identifier(fragment: &str, material: Material) -> Sign {
    // The second spelling is the provider's own.
    if ["unauthorized", "unathorized"].iter().any(|known| same(fragment, known)) {
        Sign::Refused
    } else if same(fragment, "invalid-signature") {
        refused_if(material == Material::Signature)
    } else if same(fragment, INVALID_TOKEN) {
        refused_if(material == Material::Token)
    } else if same(fragment, "jwt-expired") {
        expired(material)
    } else if same(fragment, "jwt-revoked") && material == Material::Token {
        // Whether the token or its key was revoked is not documented.
        Sign::Unknown
    } else if same(fragment, "jwt-revoked") || OTHER_REASONS.iter().any(|known| same(fragment, known)) {
        Sign::OtherReason
    } else {
        Sign::Unknown
    }
}

fn refused_if(ours: bool) -> Sign {
    if ours { Sign::Refused } else { Sign::OtherReason }
}

/// Another key changes nothing about the time of a token; a fresh token of ours may.
fn expired(material: Material) -> Sign {
    if material == Material::Token { Sign::Stale } else { Sign::OtherReason }
}

fn by_words(members: &Members<'_>) -> Sign {
    let words = [members.detail.text(), members.title.text(), members.error_title.text()];
    let refused = words.iter().any(|text| REFUSALS.iter().any(|known| same(text, known)));
    if refused || is_audit(members) { Sign::Refused } else { Sign::Unknown }
}

/// It wants a fresh token, not one by another key.
fn is_expired_token(detail: &str) -> bool {
    let detail = detail.to_ascii_lowercase();
    detail.contains("jwt") && detail.contains("expired")
}

fn is_audit(members: &Members<'_>) -> bool {
    same(members.error.text(), "unauthorized") && members.message.text().starts_with("Full authentication is required")
}
