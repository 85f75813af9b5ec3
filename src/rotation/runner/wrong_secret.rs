//! How the provider answers a wrong secret on a free call, and what it says about limits.
//!
//! A sidecar acts on these answers alone. One that is not known for a refusal is told to the operator before a rotation
//! depends on it. The secret that is asked with is made up, so the answers are all that is learnt.

use std::collections::BTreeMap;

use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};

use super::{NotRun, Rotator, System};
use crate::credentials::Basic;
use crate::inject;
use crate::prove::{self, Proof};
use crate::rotation::secrets::Chance;
use crate::secret::ApiKey;
use crate::vonage::endpoints::Scheme;
use crate::vonage::probe::{self, PROVING};

/// The longest answer that is looked at.
const LONGEST: usize = 64 << 10;
/// The longest word that is kept of an answer.
const WORD: usize = 120;

/// What one host said to a made-up secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The host.
    pub host: String,
    /// The status of its answer; 0 when there was none.
    pub status: u16,
    /// What a sidecar makes of it, in one word.
    pub taken_for: String,
    /// The family of the answer: the type of a problem document, or the label of an error code.
    pub family: String,
    /// The headers about limits.
    pub limits: BTreeMap<String, String>,
}

impl Heard {
    /// Whether a sidecar would notice that a secret is refused.
    pub fn is_understood(&self) -> bool {
        self.taken_for == Proof::Refused.word()
    }
}

impl Rotator {
    /// Asks every host that proves secrets about one that does not exist. Nobody is asked about an account that the file
    /// does not hold: it would be somebody else's.
    pub async fn ask_with_a_wrong_secret(&self, account: &ApiKey) -> Result<Vec<Heard>, NotRun> {
        if self.accounts()?.iter().all(|(key, _)| key != account) {
            return Err(NotRun::NoSuchAccount(account.clone()));
        }
        let made_up = Basic::new(account, System.secret());
        let mut heard = Vec::new();
        for host in PROVING {
            let taken_for = prove::ask_about(&self.upstream, &made_up, host).await.word().to_owned();
            let (status, family, limits) = self.raw(&made_up, host).await.unwrap_or_default();
            heard.push(Heard { host: host.to_string(), status, taken_for, family, limits });
        }
        Ok(heard)
    }

    async fn raw(&self, made_up: &Basic, host: crate::vonage::hosts::Host) -> Option<(u16, String, BTreeMap<String, String>)> {
        let call = probe::free_call(host, Scheme::Basic)?;
        let connection = self.upstream.connection(host).await.ok()?;
        let (head, body) = connection.send(inject::own_get(host, call, &made_up.header)).await.ok()?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.ok()?.to_bytes();
        Some((head.status.as_u16(), family(head.status, &body), limits(&head.headers)))
    }
}

/// The type of a problem document, or the label of an error code, or what the body is not.
fn family(status: StatusCode, body: &[u8]) -> String {
    let document: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let text = |name: &str| document.as_ref().and_then(|document| document.get(name)?.as_str().map(str::to_owned));
    let found = text("type").or_else(|| text("error-code-label")).or_else(|| text("error-code")).or_else(|| text("title"));
    let word = found.unwrap_or_else(|| if document.is_some() { "JSON without a type" } else { "no JSON" }.to_owned());
    let word: String = word.chars().filter(|letter| !letter.is_control()).take(WORD).collect();
    if status.is_success() { format!("{word} (a success)") } else { word }
}

fn limits(headers: &HeaderMap) -> BTreeMap<String, String> {
    let is_about_limits = |name: &str| name.contains("ratelimit") || name.contains("rate-limit") || name == "retry-after";
    let told = headers.iter().filter(|(name, _)| is_about_limits(name.as_str()));
    told.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).chars().take(WORD).collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_the_type_of_a_problem_or_the_label_of_a_code() {
        let of = |body: &str| family(StatusCode::UNAUTHORIZED, body.as_bytes());
        assert_eq!(of(r#"{"type":"https://developer.vonage.com/x","title":"Unauthorized"}"#), "https://developer.vonage.com/x");
        assert_eq!(of(r#"{"error-code":"401","error-code-label":"authentication failed"}"#), "authentication failed");
        assert_eq!((of("{}").as_str(), of("<html>").as_str()), ("JSON without a type", "no JSON"));
        assert!(family(StatusCode::OK, b"{}").ends_with("(a success)"));
    }

    #[test]
    fn headers_about_limits_are_kept_and_no_others() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-ratelimit-remaining", "3"), ("retry-after", "1"), ("authorization", "Basic x")] {
            headers.insert(name, http::HeaderValue::from_static(value));
        }
        assert_eq!(limits(&headers).into_keys().collect::<Vec<_>>(), ["retry-after", "x-ratelimit-remaining"]);
    }
}
