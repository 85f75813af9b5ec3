//! Before an emergency begins, or what was begun turns to one: does the account have the secret that is said to have leaked?

use std::time::Duration;

use super::perform::Own as _;
use super::secrets::Account;
use super::summary::Witnessed;
use super::terms::Purpose;
use super::{NotRun, Order, Rotator};
use crate::clock;
use crate::rotation::effect::Doing;
use crate::rotation::halt::Parked;
use crate::rotation::secrets::halt::Stuck;
use crate::rotation::secrets::task::Mode;
use crate::rotation::secrets::{Answer, Call, End, Journal, Outcome};
use crate::secret::SecretId;

/// How soon the provider is asked for a list again that it did not give.
const LIST_AGAIN: Duration = Duration::from_secs(1);

/// Whether an account has a secret.
enum Lists {
    Yes,
    No,
    /// No secret that is held may list.
    Denied,
    /// There was no answer; in words why.
    Unclear(String),
}

impl Rotator {
    /// Nothing is begun, and nothing turned to, for a leak that the account does not have. What is on its way to meet this
    /// very one may have revoked it.
    pub(super) async fn no_such_leak(&self, order: &Order, begun: Option<&Journal>) -> Result<Option<End>, NotRun> {
        let Purpose::Emergency(Some(leaked)) = &order.terms.purpose else { return Ok(None) };
        let is_met = |journal: &Journal| {
            let mode = &journal.plan.task.mode;
            !journal.is_at_the_beginning() && matches!(mode, Mode::Emergency(before) if before.leaked.as_ref() == Some(leaked))
        };
        if begun.is_some_and(is_met) {
            return Ok(None);
        }
        let end = clock::now() + order.terms.give_up.unwrap_or(self.settings.rotation.give_up);
        loop {
            match self.lists(order, leaked).await? {
                Lists::Yes | Lists::Denied => return Ok(None),
                Lists::No => return Ok(Some(End::Stuck(Stuck::NoSuchLeak(leaked.clone())))),
                Lists::Unclear(cause) if clock::now() >= end => {
                    return Ok(Some(End::Parked(Parked::Failing { doing: Doing::List, cause })));
                }
                Lists::Unclear(_) => tokio::time::sleep(LIST_AGAIN).await,
            }
        }
    }

    /// Whether the account has a secret of this id.
    async fn lists(&self, order: &Order, id: &SecretId) -> Result<Lists, NotRun> {
        let parsed = self.sinks.read()?.parsed;
        let own = Account { key: order.account.clone(), witnessed: Witnessed::default() };
        for item in own.file(&parsed, None).items {
            match own.call(self, &Call::List { with: item.value }).await {
                Outcome::Answer(Answer::Listed(listed)) if listed.iter().any(|one| one.id == *id) => return Ok(Lists::Yes),
                Outcome::Answer(Answer::Listed(_)) => return Ok(Lists::No),
                Outcome::Failed(cause) => return Ok(Lists::Unclear(cause)),
                Outcome::Denied
                | Outcome::Done
                | Outcome::Moved
                | Outcome::File(_)
                | Outcome::Accepted
                | Outcome::Refused
                | Outcome::Answer(_)
                | Outcome::Seen(_) => {}
            }
        }
        Ok(Lists::Denied)
    }
}
