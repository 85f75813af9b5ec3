//! Secret Management, Subaccounts and Applications: calls as values, and what their answers mean.
//!
//! Invariants: a [`Call`] names no host and no credential; the value of a secret is in the body of the call that
//! makes it and nowhere else, and is wiped with it; an answer means what was asked was done, was not done
//! ([`Denied`] and the refusals of each call), or is [`Unclear`], which is never taken for one of the two.
//!
//! Not here: sending (`rotation::provider`), what follows from an answer (`rotation`). Facts: account 1.0.3 and the
//! specification of 2018, subaccounts 1.0.8, application-v2, fixtures of the SDKs. A 403 is known by its fragment or
//! by the word "maximum" or "last", since the fragments differ between versions.

use std::time::SystemTime;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::secret::{ApiKey, ApiSecret, ApplicationId, SecretId};

/// A call to the provider's management plane, without host and credential.
#[derive(Clone)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// Its JSON body; none is empty. Wiped when the last copy is dropped.
    pub body: Bytes,
}

impl std::fmt::Debug for Call {
    /// Without the body.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Call {
    fn bare(method: Method, path: String) -> Self {
        Self { method, path, body: Bytes::new() }
    }

    fn with(method: Method, path: String, body: Zeroizing<String>) -> Self {
        Self { method, path, body: Bytes::from_owner(Wiped(body)) }
    }
}

/// Text as bytes that are wiped.
struct Wiped(Zeroizing<String>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A secret as the provider shows it: never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: SecretId,
    /// When it was made; none when the date cannot be read.
    pub created_at: Option<SystemTime>,
}

/// An account below a primary one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subaccount {
    /// Its key.
    pub key: ApiKey,
    /// The name that its owner gave it.
    pub name: String,
    /// When it was made; none when the date cannot be read.
    pub created_at: Option<SystemTime>,
    /// Whether it is switched off.
    pub activity: Activity,
}

/// Whether an account can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It can.
    Active,
    /// Its owner has switched it off.
    Suspended,
}

/// Nothing was done, whatever was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The credential is not taken.
    #[error("the provider refuses the secret that the call was made with")]
    Unauthorized,
    /// There is no such account, or the credential may not manage it.
    #[error("the account does not exist, or is not managed by the account that asked")]
    NoSuchKey,
    /// Too many calls.
    #[error("the provider asks for fewer calls (429)")]
    Busy,
    /// It may not be done, for a reason that we do not know.
    #[error("the provider forbids it ({0})")]
    Forbidden(StatusCode),
}

/// What was asked may have been done or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provider's answer does not say whether it was done ({0})")]
pub struct Unclear(pub StatusCode);

/// What came of listing secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secrets {
    /// These are there, one or two.
    Listed(Vec<Listed>),
    /// Nothing was told.
    Denied(Denied),
}

/// What came of making a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It is made.
    Created(Listed),
    /// There are two already.
    Full,
    /// The value is not taken: by the policy, or because the account has it already. In the provider's words.
    Invalid(String),
    /// Nothing was made.
    Denied(Denied),
}

/// What came of revoking a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// It is gone.
    Revoked,
    /// It is the only one of the account, which must keep it.
    LastSecret,
    /// There is none with this id: also the answer when it was revoked before.
    NoSuchId,
    /// Nothing was revoked.
    Denied(Denied),
}

/// What came of listing subaccounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subaccounts {
    /// These are there.
    Listed(Vec<Subaccount>),
    /// Nothing was told: also the answer to an account that is no primary one.
    Denied(Denied),
}

/// What came of making a subaccount.
#[derive(Debug, Clone)]
pub enum Enrolled {
    /// It is made, with this secret, which is ours unless the provider chose another.
    Created(Subaccount, ApiSecret),
    /// What was sent is not taken; in the provider's words.
    Invalid(String),
    /// Nothing was made.
    Denied(Denied),
}

/// What came of reading or writing an application.
#[derive(Debug, Clone, PartialEq)]
pub enum Application {
    /// The whole resource, as it is now.
    Resource(Value),
    /// There is none with this id.
    NoSuchId,
    /// What was sent is not taken; in the provider's words.
    Invalid(String),
    /// Nothing was told or done.
    Denied(Denied),
}

fn secrets_path(account: &ApiKey) -> String {
    format!("/accounts/{account}/secrets")
}

/// Lists the secrets of an account.
pub fn list(account: &ApiKey) -> Call {
    Call::bare(Method::GET, secrets_path(account))
}

/// Makes a secret with a value that we chose.
pub fn create(account: &ApiKey, value: &ApiSecret) -> Call {
    Call::with(Method::POST, secrets_path(account), quoted(r#"{"secret":"#, value, "}"))
}

/// Revokes a secret.
pub fn revoke(account: &ApiKey, id: &SecretId) -> Call {
    Call::bare(Method::DELETE, format!("{}/{id}", secrets_path(account)))
}

/// Lists the subaccounts of a primary account.
pub fn subaccounts(primary: &ApiKey) -> Call {
    Call::bare(Method::GET, format!("/accounts/{primary}/subaccounts"))
}

/// Makes a subaccount whose first secret has a value that we chose.
pub fn create_subaccount(primary: &ApiKey, name: &str, value: &ApiSecret) -> Call {
    let begin = format!(r#"{{"name":{},"secret":"#, json!(name));
    Call::with(Method::POST, format!("/accounts/{primary}/subaccounts"), quoted(&begin, value, "}"))
}

/// Reads an application.
pub fn application(id: &ApplicationId) -> Call {
    Call::bare(Method::GET, format!("/v2/applications/{id}"))
}

/// Puts an application back with another public key and otherwise unchanged: the call replaces the whole resource.
pub fn put_public_key(id: &ApplicationId, resource: &Value, public_key: &str) -> Call {
    let mut resource = resource.clone();
    if let Some(members) = resource.as_object_mut() {
        members.retain(|name, _| name != "_links" && name != "id");
        members.insert("keys".to_owned(), json!({ "public_key": public_key }));
    }
    Call::with(Method::PUT, format!("/v2/applications/{id}"), Zeroizing::new(resource.to_string()))
}

/// A value as a JSON string between two texts, without a copy that nobody wipes.
fn quoted(begin: &str, value: &ApiSecret, end: &str) -> Zeroizing<String> {
    let value = value.written();
    let mut text = Zeroizing::new(String::with_capacity(begin.len() + 2 * value.len() + 2 + end.len()));
    text.push_str(begin);
    text.push('"');
    for letter in value.chars() {
        if matches!(letter, '"' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text.push('"');
    text.push_str(end);
    text
}

/// What came of [`list`].
pub fn listed(status: StatusCode, body: &[u8]) -> Result<Secrets, Unclear> {
    if status != StatusCode::OK {
        return denied(status, body).map(Secrets::Denied);
    }
    let found = document(body).and_then(|document| document.pointer("/_embedded/secrets")?.as_array()?.iter().map(secret).collect());
    found.map(Secrets::Listed).ok_or(Unclear(status))
}

/// What came of [`create`].
pub fn created(status: StatusCode, body: &[u8]) -> Result<Created, Unclear> {
    match status {
        StatusCode::CREATED | StatusCode::OK => document(body).as_ref().and_then(secret).map(Created::Created).ok_or(Unclear(status)),
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN if says(body, &["add-excess-secret", "maximum"]) => Ok(Created::Full),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Ok(Created::Invalid(words(body))),
        _ => denied(status, body).map(Created::Denied),
    }
}

/// What came of [`revoke`].
pub fn revoked(status: StatusCode, body: &[u8]) -> Result<Revoked, Unclear> {
    match status {
        StatusCode::NO_CONTENT | StatusCode::OK => Ok(Revoked::Revoked),
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN if says(body, &["delete-last-secret", "last"]) => Ok(Revoked::LastSecret),
        StatusCode::NOT_FOUND if says(body, &["invalid-id", "invalid id"]) => Ok(Revoked::NoSuchId),
        _ => denied(status, body).map(Revoked::Denied),
    }
}

/// What came of [`subaccounts`].
pub fn subaccounts_listed(status: StatusCode, body: &[u8]) -> Result<Subaccounts, Unclear> {
    if status != StatusCode::OK {
        return denied(status, body).map(Subaccounts::Denied);
    }
    let found =
        document(body).and_then(|document| document.pointer("/_embedded/subaccounts")?.as_array()?.iter().map(subaccount).collect());
    found.map(Subaccounts::Listed).ok_or(Unclear(status))
}

/// What came of [`create_subaccount`] with this value.
pub fn subaccount_created(status: StatusCode, body: &[u8], sent: &ApiSecret) -> Result<Enrolled, Unclear> {
    match status {
        StatusCode::CREATED | StatusCode::OK => {
            let document = document(body).ok_or(Unclear(status))?;
            let made = subaccount(&document).ok_or(Unclear(status))?;
            let told = document.get("secret").and_then(Value::as_str).and_then(|text| ApiSecret::parse(text).ok());
            Ok(Enrolled::Created(made, told.unwrap_or_else(|| sent.clone())))
        }
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Ok(Enrolled::Invalid(words(body))),
        _ => denied(status, body).map(Enrolled::Denied),
    }
}

/// What came of [`application`] or [`put_public_key`].
pub fn application_answered(status: StatusCode, body: &[u8]) -> Result<Application, Unclear> {
    match status {
        StatusCode::OK => document(body).filter(Value::is_object).map(Application::Resource).ok_or(Unclear(status)),
        StatusCode::NOT_FOUND => Ok(Application::NoSuchId),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Ok(Application::Invalid(words(body))),
        _ => denied(status, body).map(Application::Denied),
    }
}

/// An answer that is no success and not one of the call's own refusals.
fn denied(status: StatusCode, body: &[u8]) -> Result<Denied, Unclear> {
    match status {
        StatusCode::UNAUTHORIZED => Ok(Denied::Unauthorized),
        // A path that a gateway does not know is a 404 as well, and says nothing about an account.
        StatusCode::NOT_FOUND if says(body, &["invalid-api-key", "invalid api key"]) => Ok(Denied::NoSuchKey),
        StatusCode::TOO_MANY_REQUESTS => Ok(Denied::Busy),
        status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => Ok(Denied::Forbidden(status)),
        status => Err(Unclear(status)),
    }
}

fn document(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

fn secret(document: &Value) -> Option<Listed> {
    let id = SecretId::parse(document.get("id")?.as_str()?).ok()?;
    Some(Listed { id, created_at: date(document) })
}

fn subaccount(document: &Value) -> Option<Subaccount> {
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    let activity = if document.get("suspended").and_then(Value::as_bool) == Some(true) { Activity::Suspended } else { Activity::Active };
    Some(Subaccount {
        key: ApiKey::parse(text("api_key")?).ok()?,
        name: text("name").unwrap_or_default().to_owned(),
        created_at: date(document),
        activity,
    })
}

fn date(document: &Value) -> Option<SystemTime> {
    humantime::parse_rfc3339(document.get("created_at")?.as_str()?).ok()
}

/// Whether type, title or detail of a problem document has one of these words, in any case.
fn says(body: &[u8], marks: &[&str]) -> bool {
    let Some(document) = document(body) else { return false };
    let texts = ["type", "title", "detail"].iter().filter_map(|name| document.get(name)?.as_str());
    texts.map(str::to_ascii_lowercase).any(|text| marks.iter().any(|mark| text.contains(mark)))
}

/// What a person should read of a problem document, cut short.
fn words(body: &[u8]) -> String {
    const LONGEST: usize = 200;
    let Some(document) = document(body) else { return "no reason is given".to_owned() };
    let mut reasons = document.get("invalid_parameters").and_then(Value::as_array).into_iter().flatten();
    let reason = reasons.find_map(|parameter| parameter.get("reason")?.as_str());
    let text = reason.or_else(|| document.get("detail")?.as_str()).unwrap_or("no reason is given");
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
