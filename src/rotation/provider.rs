//! Calls to the provider's management plane with one of our own secrets.
//!
//! Invariants: a call is sent once and never again in here: whoever asks decides. What is known of it is told in
//! three ways: an answer that says what was done or not; [`Trouble::NotSent`], after which the provider cannot have done
//! anything; [`Trouble::Unclear`], after which it may have.
//!
//! Not here: what calls and answers look like (`vonage::management`), what follows (`cli`, the runner).

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http_body_util::{BodyExt, Limited};

use crate::credentials::Basic;
use crate::inject;
use crate::prove::{self, Proof};
use crate::secret::{ApiKey, ApiSecret, ApplicationId, SecretId};
use crate::upstream::{SendError, Upstream};
use crate::vonage::hosts::Host;
use crate::vonage::management::{self, Application, Call, Created, Denied, Enrolled, Revoked, Secrets, Subaccounts};
use crate::vonage::probe;

/// For one call, connecting included.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest answer: a thousand subaccounts with room to spare.
const LONGEST: usize = 4 << 20;

/// Why it is not known what a call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The provider cannot have done anything; the code says why.
    #[error("Vonage could not be asked ({0}); nothing was sent")]
    NotSent(&'static str),
    /// It may have been done; the code says why it is not known.
    #[error("it is not known whether Vonage did it ({0})")]
    Unclear(&'static str),
    /// It may have been done: the answer does not say.
    #[error(transparent)]
    Answer(#[from] management::Unclear),
}

impl Trouble {
    /// Whether the provider may have done what was asked.
    pub fn may_have_happened(self) -> bool {
        match self {
            Self::NotSent(_) => false,
            Self::Unclear(_) | Self::Answer(_) => true,
        }
    }
}

/// The management plane at one host.
#[derive(Debug, Clone)]
pub struct Provider {
    upstream: Arc<Upstream>,
    host: Host,
}

impl Provider {
    /// Sends through `upstream` to `host` (`rotation.host` of the settings).
    pub fn new(upstream: Arc<Upstream>, host: Host) -> Self {
        Self { upstream, host }
    }

    /// Lists the secrets of an account.
    pub async fn list(&self, with: &Basic, account: &ApiKey) -> Result<Secrets, Trouble> {
        let (status, body) = self.send(with, &management::list(account)).await?;
        Ok(management::listed(status, &body)?)
    }

    /// Makes a secret with this value, which must be on disk by now.
    pub async fn create(&self, with: &Basic, account: &ApiKey, value: &ApiSecret) -> Result<Created, Trouble> {
        let (status, body) = self.send(with, &management::create(account, value)).await?;
        Ok(match management::created(status, &body)? {
            Created::Invalid(words) => Created::Invalid(value.taken_out_of(&words)),
            other @ (Created::Created(_) | Created::Full | Created::Denied(_)) => other,
        })
    }

    /// Revokes a secret.
    pub async fn revoke(&self, with: &Basic, account: &ApiKey, id: &SecretId) -> Result<Revoked, Trouble> {
        let (status, body) = self.send(with, &management::revoke(account, id)).await?;
        Ok(management::revoked(status, &body)?)
    }

    /// Lists the subaccounts of an account.
    pub async fn subaccounts(&self, with: &Basic, primary: &ApiKey) -> Result<Subaccounts, Trouble> {
        let (status, body) = self.send(with, &management::subaccounts(primary)).await?;
        Ok(management::subaccounts_listed(status, &body)?)
    }

    /// Makes a subaccount whose first secret has this value, which must be on disk by now.
    pub async fn create_subaccount(&self, with: &Basic, primary: &ApiKey, name: &str, value: &ApiSecret) -> Result<Enrolled, Trouble> {
        let (status, body) = self.send(with, &management::create_subaccount(primary, name, value)).await?;
        Ok(match management::subaccount_created(status, &body, value)? {
            Enrolled::Invalid(words) => Enrolled::Invalid(value.taken_out_of(&words)),
            other @ (Enrolled::Created(..) | Enrolled::Denied(_)) => other,
        })
    }

    /// Reads an application.
    pub async fn application(&self, with: &Basic, id: &ApplicationId) -> Result<Application, Trouble> {
        let (status, body) = self.send(with, &management::application(id)).await?;
        Ok(management::application_answered(status, &body)?)
    }

    /// Puts an application back with another public key, from which moment the tokens of the old one are refused.
    pub async fn put_public_key(
        &self,
        with: &Basic,
        id: &ApplicationId,
        resource: &serde_json::Value,
        public_key: &str,
    ) -> Result<Application, Trouble> {
        let (status, body) = self.send(with, &management::put_public_key(id, resource, public_key)).await?;
        Ok(management::application_answered(status, &body)?)
    }

    /// Whether a secret is accepted at every host that can be asked about it: the first proof that is not acceptance,
    /// or acceptance.
    pub async fn prove(&self, secret: &Basic) -> (Host, Proof) {
        for host in probe::PROVING {
            match prove::ask_about(&self.upstream, secret, host).await {
                Proof::Accepted => {}
                other => return (host, other),
            }
        }
        (self.host, Proof::Accepted)
    }

    /// Lists the secrets of an account with the first of these that may, and says which it was.
    pub async fn list_with_any<'b>(&self, with: &'b [Basic], account: &ApiKey) -> Result<(&'b Basic, Secrets), Trouble> {
        let mut last = Err(Trouble::NotSent("no_secret"));
        for basic in with {
            match self.list(basic, account).await? {
                denied @ Secrets::Denied(Denied::Unauthorized | Denied::NoSuchKey | Denied::Forbidden(_)) => last = Ok((basic, denied)),
                answer @ (Secrets::Listed(_) | Secrets::Denied(Denied::Busy)) => return Ok((basic, answer)),
            }
        }
        last
    }

    async fn send(&self, with: &Basic, call: &Call) -> Result<(StatusCode, bytes::Bytes), Trouble> {
        let connection = match tokio::time::timeout(PATIENCE, self.upstream.connection(self.host)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(Trouble::NotSent(error.code())),
            Err(_) => return Err(Trouble::NotSent("connect_timeout")),
        };
        let outgoing = inject::own_call(self.host, call, &with.header).map_err(|_| Trouble::NotSent("not_a_path"))?;
        let exchange = async {
            let answer = connection.send(outgoing).await.map_err(|error| failed(&error))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, LONGEST).collect().await.map_err(|_| Trouble::Unclear("answer_broken"))?;
            Ok((head.status, body.to_bytes()))
        };
        tokio::time::timeout(PATIENCE, exchange).await.unwrap_or(Err(Trouble::Unclear("answer_timeout")))
    }
}

fn failed(error: &SendError) -> Trouble {
    match error {
        SendError::NotProcessed(_) | SendError::Refused(_) | SendError::NoStream => Trouble::NotSent(error.code()),
        SendError::ClosedBeforeAnswer(_) | SendError::Timeout | SendError::Failed(_) => Trouble::Unclear(error.code()),
    }
}
