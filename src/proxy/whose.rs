//! Whose request it is, and what is put on it: from what the caller claims, what the listener allows and what we hold.
//! Pure.
//!
//! The account is the one that the caller names, else the default; the application the one that its token names, else
//! the account's only one. A listener's account and application are limits: another one there is refused, and so is
//! another account than that of its application.

use std::sync::Arc;

use super::fault::Fault;
use crate::config::{Listen, MintClaims};
use crate::credentials::{Account, Application, Membership, Snapshot, keyring};
use crate::inject::Place;
use crate::inject::strip::{Bearer, Carried, Claims};
use crate::jwt::{Placeholder, Rights};
use crate::metrics::CallerSecret;
use crate::secret::{ApiKey, ApplicationId};
use crate::vonage::endpoints::{Endpoint, Scheme};

/// What is put on a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// Key and secret of an account.
    Secret(ApiKey, Form),
    /// A signature with a signature secret of an account.
    Signature(ApiKey, Place),
    /// A token of an application, with these rights.
    Token(ApplicationId, Rights),
}

/// How key and secret travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As `Authorization: Basic`.
    Header,
    /// As parameters.
    Parameters(Place),
    /// As segments of the path, at these positions.
    Path((usize, usize)),
}

impl Wanted {
    /// The values to choose among.
    pub fn keyring(&self) -> keyring::Name {
        match self {
            Self::Secret(key, _) => keyring::Name::Secrets(key.clone()),
            Self::Signature(key, _) => keyring::Name::Signatures(key.clone()),
            Self::Token(application, _) => keyring::Name::Keys(application.clone()),
        }
    }

    /// What it is to the provider.
    pub fn scheme(&self) -> Scheme {
        match self {
            Self::Secret(_, Form::Header) => Scheme::Basic,
            Self::Secret(_, Form::Parameters(Place::Query)) => Scheme::Query,
            Self::Secret(_, Form::Parameters(Place::Form)) => Scheme::Form,
            Self::Secret(_, Form::Parameters(Place::Json)) => Scheme::Json,
            Self::Secret(_, Form::Path(_)) => Scheme::Path,
            Self::Signature(..) => Scheme::Signature,
            Self::Token(..) => Scheme::Jwt,
        }
    }
}

/// Who a request is made for.
#[derive(Debug)]
pub struct Whose {
    /// The account, which for a token is the application's.
    pub account: Arc<Account>,
    /// What is put on it.
    pub wanted: Wanted,
}

/// Decides both. A token goes where the endpoint takes nothing else, or where the caller sent one and there is an
/// application to sign it; everywhere else what the account has, which can do everything: not in place of a token that
/// was limited.
pub fn whose(claims: &Claims, endpoint: &Endpoint, listen: &Listen, snapshot: &Snapshot) -> Result<Whose, Fault> {
    if snapshot.accounts.is_empty() {
        return Err(Fault::NoCredentials);
    }
    let named = named(claims, limit(listen, snapshot)?)?;
    let takes_token = endpoint.schemes.contains(&Scheme::Jwt);
    let takes_else = endpoint.schemes.iter().any(|scheme| *scheme != Scheme::Jwt);
    let wants_token = takes_token && (!takes_else || any_application(claims, named, listen, snapshot));
    if wants_token {
        return token(claims, named, endpoint, listen, snapshot);
    }
    if claims.bearer.is_limited() {
        return Err(Fault::TokenLimited);
    }
    let account = account(named, snapshot)?;
    let wanted = of_account(&account, endpoint, claims.carried)?;
    Ok(Whose { account, wanted })
}

/// The account that a listener is limited to: its own, else that of its application.
pub fn limit<'a>(listen: &'a Listen, snapshot: &'a Snapshot) -> Result<Option<&'a ApiKey>, Fault> {
    match (&listen.account, &listen.application) {
        (Some(account), _) => Ok(Some(account)),
        (None, Some(id)) => snapshot.application(id.as_str()).map(|held| Some(&held.account)).ok_or(Fault::ApplicationUnknown),
        (None, None) => Ok(None),
    }
}

/// The key that the request names, or that the listener is limited to.
fn named<'a>(claims: &'a Claims, limit: Option<&'a ApiKey>) -> Result<Option<&'a str>, Fault> {
    let mut keys = claims.keys.iter().filter(|key| !key.is_empty());
    let first = keys.next();
    if keys.any(|other| Some(other) != first) {
        return Err(Fault::KeysDiffer);
    }
    match (first.map(String::as_str), limit.map(ApiKey::as_str)) {
        (Some(named), Some(limit)) if named != limit => Err(Fault::KeyLimited),
        (Some(key), Some(_) | None) | (None, Some(key)) => Ok(Some(key)),
        (None, None) => Ok(None),
    }
}

fn account(named: Option<&str>, snapshot: &Snapshot) -> Result<Arc<Account>, Fault> {
    match named {
        Some(key) => snapshot.account(key).cloned().ok_or(Fault::KeyUnknown),
        None => snapshot.default_account().cloned().ok_or(Fault::NoCredentials),
    }
}

/// What an account has for an endpoint: its signature where it signs and the endpoint takes one, else its key and
/// secret: in a header wherever that is taken.
fn of_account(account: &Account, endpoint: &Endpoint, carried: Carried) -> Result<Wanted, Fault> {
    let key = account.key.clone();
    let takes = |scheme| endpoint.schemes.contains(&scheme);
    if takes(Scheme::Signature) && account.signs() {
        Ok(Wanted::Signature(key, place(endpoint, carried)?))
    } else if takes(Scheme::Basic) {
        Ok(Wanted::Secret(key, Form::Header))
    } else if let Some(at) = endpoint.credential_segments() {
        Ok(Wanted::Secret(key, Form::Path(at)))
    } else {
        Ok(Wanted::Secret(key, Form::Parameters(place(endpoint, carried)?)))
    }
}

/// Where parameters go: to those that the caller sent, since the provider does not want both places mixed.
fn place(endpoint: &Endpoint, carried: Carried) -> Result<Place, Fault> {
    let takes = |scheme| endpoint.schemes.contains(&scheme);
    match carried {
        Carried::Lying => Err(Fault::BodyTypeDiffers),
        Carried::Form if takes(Scheme::Form) => Ok(Place::Form),
        Carried::Object if takes(Scheme::Json) => Ok(Place::Json),
        Carried::Nothing | Carried::Form | Carried::Object | Carried::Other => Ok(Place::Query),
    }
}

/// Whether the caller sent a token and the account has an application to put one of ours in its place.
fn any_application(claims: &Claims, named: Option<&str>, listen: &Listen, snapshot: &Snapshot) -> bool {
    let key = match &claims.bearer {
        Bearer::Absent => return false,
        Bearer::Token(Placeholder { application: None, .. }) => {
            named.or_else(|| snapshot.default_account().map(|account| account.key.as_str()))
        }
        // Whose it is, the token says, or should.
        Bearer::Token(Placeholder { application: Some(_), .. }) | Bearer::Broken => named,
    };
    let is_of_key = |application: &Arc<Application>| key.is_none_or(|key| application.account.as_str() == key);
    listen.application.is_some() || snapshot.applications.iter().any(is_of_key)
}

fn token(claims: &Claims, named: Option<&str>, endpoint: &Endpoint, listen: &Listen, snapshot: &Snapshot) -> Result<Whose, Fault> {
    let placeholder = match &claims.bearer {
        Bearer::Absent => None,
        Bearer::Token(placeholder) => Some(placeholder),
        Bearer::Broken => return Err(Fault::TokenBroken),
    };
    let application = application(placeholder, named, listen, snapshot)?;
    let rights = rights(placeholder, endpoint, listen)?;
    if named.is_some_and(|key| key != application.account.as_str()) {
        return Err(if claims.keys.is_empty() { Fault::ApplicationLimited } else { Fault::ApplicationOfAnother });
    }
    if application.keys.is_empty() {
        return Err(Fault::NoPrivateKey);
    }
    let account = snapshot.account(application.account.as_str()).cloned().ok_or(Fault::KeyUnknown)?;
    let wanted = Wanted::Token(application.id.clone(), rights);
    Ok(Whose { account, wanted })
}

/// The application that the token names, else the listener's, else the account's only one.
fn application(
    placeholder: Option<&Placeholder>,
    named: Option<&str>,
    listen: &Listen,
    snapshot: &Snapshot,
) -> Result<Arc<Application>, Fault> {
    let limit = listen.application.as_ref();
    let id = match (placeholder.and_then(|placeholder| placeholder.application.as_deref()), limit) {
        (Some(id), Some(limit)) if id != limit.as_str() => return Err(Fault::ApplicationLimited),
        (Some(id), Some(_) | None) => id,
        (None, Some(limit)) => limit.as_str(),
        (None, None) => {
            let account = account(named, snapshot)?;
            return only_one(snapshot, |application| application.account == account.key);
        }
    };
    snapshot.application(id).cloned().ok_or(Fault::ApplicationUnknown)
}

/// The only application among those that may be used. One that left the file does not make two of it.
pub fn only_one(snapshot: &Snapshot, may_be_used: impl Fn(&Application) -> bool) -> Result<Arc<Application>, Fault> {
    let among: Vec<&Arc<Application>> = snapshot.applications.iter().filter(|application| may_be_used(application)).collect();
    let listed: Vec<&Arc<Application>> = among.iter().copied().filter(|application| application.place == Membership::Listed).collect();
    match (listed.as_slice(), among.as_slice()) {
        ([only], _) | ([], [only]) => Ok(Arc::clone(only)),
        ([], []) => Err(Fault::NoApplication),
        _several => Err(Fault::WhichApplication),
    }
}

/// What the token may do. A caller's limits are carried over or the request is refused, never dropped.
fn rights(placeholder: Option<&Placeholder>, endpoint: &Endpoint, listen: &Listen) -> Result<Rights, Fault> {
    let Some(rights) = placeholder.map(|placeholder| &placeholder.rights).filter(|rights| !rights.is_empty()) else {
        return Ok(Rights::default());
    };
    match listen.mint_claims {
        MintClaims::Refuse => Err(Fault::TokenLimited),
        MintClaims::Keep if endpoint.takes_acl() => Ok(rights.clone()),
        MintClaims::Keep => Ok(rights.clone().without_acl()),
    }
}

/// What kind of secret the caller carries. An app that still carries a held one would break without us.
pub fn caller_secret(claims: &Claims, account: &Account) -> CallerSecret {
    let held = |secret: &str| account.secrets.iter().any(|slot| slot.value.secret.equals(secret.as_bytes()));
    if claims.secrets.iter().any(|secret| held(secret)) {
        CallerSecret::Held
    } else if claims.bearer != Bearer::Absent {
        CallerSecret::Token
    } else if claims.secrets.is_empty() {
        CallerSecret::None
    } else {
        CallerSecret::Placeholder
    }
}
