//! What an emulator starts with, and how it is written on a command line.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;

use super::dialect::Dialect;
use super::faults::Rule;
use crate::emulator::checks::lag::Lag;
use crate::emulator::checks::signature::{SignatureMethod, Signing};

/// What an emulator starts with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS, if wanted. The configuration's own ALPN list decides between HTTP/2 and HTTP/1.1; plain text is HTTP/1.1.
    pub tls: Option<Arc<ServerConfig>>,
    /// The accounts.
    pub accounts: Vec<AccountSpec>,
    /// The applications.
    pub applications: Vec<ApplicationSpec>,
    /// How long a change of secrets takes to be seen on every host.
    pub lag: Lag,
    /// Faults from the start.
    pub rules: Vec<Rule>,
    /// Which of two possible answers is given where the facts leave it open.
    pub dialect: Dialect,
    /// How many requests are remembered; older ones are forgotten.
    pub remembered: usize,
    /// Streams at once on an HTTP/2 connection; none is hyper's own limit.
    pub streams: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
            accounts: Vec::new(),
            applications: Vec::new(),
            lag: Lag::default(),
            rules: Vec::new(),
            dialect: Dialect::default(),
            remembered: 4096,
            streams: None,
        }
    }
}

impl Options {
    /// One account, nothing else.
    pub fn with_account(key: &str, secrets: &[&str]) -> Self {
        Self { accounts: vec![AccountSpec::new(key, secrets)], ..Self::default() }
    }
}

/// An account as it is at the start.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountSpec {
    pub(in crate::emulator) key: String,
    pub(in crate::emulator) secrets: Vec<String>,
    /// When the secrets were created, in their order; now for those without.
    pub(in crate::emulator) dates: Vec<SystemTime>,
    pub(in crate::emulator) primary: Option<String>,
    pub(in crate::emulator) signing: Signing,
}

impl AccountSpec {
    /// An account with one or two secrets. Values are taken as they are: the provider's policy is for new ones.
    pub fn new(key: &str, secrets: &[&str]) -> Self {
        Self {
            key: key.to_owned(),
            secrets: secrets.iter().map(|value| (*value).to_owned()).collect(),
            dates: Vec::new(),
            primary: None,
            signing: Signing::default(),
        }
    }

    /// The same as a subaccount of `primary`, whose secrets then manage it.
    #[must_use]
    pub fn under(self, primary: &str) -> Self {
        Self { primary: Some(primary.to_owned()), ..self }
    }

    /// The same with secrets that were created then, in their order.
    #[must_use]
    pub fn created_at(self, dates: &[SystemTime]) -> Self {
        Self { dates: dates.to_vec(), ..self }
    }

    /// The same with signature secrets. A real account has one; each of several is good here.
    #[must_use]
    pub fn signing(self, method: SignatureMethod, secrets: &[&str]) -> Self {
        let secrets = secrets.iter().map(|value| (*value).to_owned()).collect();
        Self { signing: Signing { method, secrets }, ..self }
    }
}

impl fmt::Debug for AccountSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountSpec").field("key", &self.key).field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}

/// An application as it is at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationSpec {
    /// Its id.
    pub id: String,
    /// The API key of the account that owns it.
    pub account: String,
    /// Its public key in PEM; one that cannot be read verifies nothing. Without one the signature of a token is not looked
    /// at, for tests that are about something else, until a key is put.
    pub public_key: Option<String>,
}

/// Why a text is not an account or an application. Never carries the text, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedSpec {
    /// No colon, or nothing before it.
    #[error("expected KEY:SECRET or KEY:SECRET,SECRET2")]
    Account,
    /// Not one or two secrets.
    #[error("an account has one or two secrets, none of them empty")]
    Secrets,
    /// No colon, or nothing on one side of it.
    #[error("expected APPLICATION_ID:KEY")]
    Application,
}

/// `KEY:SECRET[,SECRET2]`; a subaccount is `KEY@PRIMARY:SECRET[,SECRET2]`.
impl FromStr for AccountSpec {
    type Err = MalformedSpec;

    fn from_str(text: &str) -> Result<Self, MalformedSpec> {
        let (name, values) = text.split_once(':').filter(|(name, _)| !name.is_empty()).ok_or(MalformedSpec::Account)?;
        let secrets: Vec<&str> = values.split(',').collect();
        if secrets.len() > 2 || secrets.iter().any(|value| value.is_empty()) {
            return Err(MalformedSpec::Secrets);
        }
        match name.split_once('@') {
            None => Ok(Self::new(name, &secrets)),
            Some((key, primary)) if !key.is_empty() && !primary.is_empty() => Ok(Self::new(key, &secrets).under(primary)),
            Some(_) => Err(MalformedSpec::Account),
        }
    }
}

/// `APPLICATION_ID:KEY`.
impl FromStr for ApplicationSpec {
    type Err = MalformedSpec;

    fn from_str(text: &str) -> Result<Self, MalformedSpec> {
        match text.split_once(':') {
            Some((id, account)) if !id.is_empty() && !account.is_empty() => {
                Ok(Self { id: id.to_owned(), account: account.to_owned(), public_key: None })
            }
            Some(_) | None => Err(MalformedSpec::Application),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_key_and_one_or_two_secrets() {
        assert_eq!("abcd1234:One".parse(), Ok(AccountSpec::new("abcd1234", &["One"])));
        assert_eq!("abcd1234:One,T:wo".parse(), Ok(AccountSpec::new("abcd1234", &["One", "T:wo"])));
        assert_eq!("sub00001@abcd1234:One".parse(), Ok(AccountSpec::new("sub00001", &["One"]).under("abcd1234")));
    }

    #[test]
    fn what_is_not_an_account_is_refused_without_repeating_it() {
        for (text, problem) in [
            ("abcd1234", MalformedSpec::Account),
            (":One", MalformedSpec::Account),
            ("@abcd1234:One", MalformedSpec::Account),
            ("abcd1234:", MalformedSpec::Secrets),
            ("abcd1234:One,", MalformedSpec::Secrets),
            ("abcd1234:One,Two,Three", MalformedSpec::Secrets),
        ] {
            assert_eq!(text.parse::<AccountSpec>(), Err(problem), "{text}");
            assert!(!problem.to_string().contains("One"));
        }
    }

    #[test]
    fn an_account_never_prints_its_secrets() {
        assert!(!format!("{:?}", Options::with_account("abcd1234", &["Sup3rSecret"])).contains("Sup3rSecret"));
    }

    #[test]
    fn an_application_is_an_id_and_an_account() {
        assert_eq!("id-1:abcd1234".parse(), Ok(ApplicationSpec { id: "id-1".into(), account: "abcd1234".into(), public_key: None }));
        assert_eq!("id-1".parse::<ApplicationSpec>(), Err(MalformedSpec::Application));
        assert_eq!(":k".parse::<ApplicationSpec>(), Err(MalformedSpec::Application));
    }
}
