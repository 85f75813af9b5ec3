//! Rotations of secrets: what only they ask for, of one account.

use std::path::Path;

use super::event::Event;
use super::perform::{Own, parsed};
use super::summary::{self, Witnessed};
use super::{Rotator, System, drill};
use crate::credentials::Basic;
use crate::credentials::edit::Change;
use crate::credentials::file::Parsed;
use crate::files::FileError;
use crate::prove::{self, Proof};
use crate::rotation::effect::Deploy;
use crate::rotation::evidence::{Sighting, Whose};
use crate::rotation::report::{Purpose, Report};
use crate::rotation::secrets::fact::Fact;
use crate::rotation::secrets::halt::Ending;
use crate::rotation::secrets::task::Task;
use crate::rotation::secrets::{Answer, Call, Chance, End, File, Item, Journal, Outcome, Secrets};
use crate::rotation::sinks::Expected;
use crate::secret::{ApiKey, ApiSecret, Revision};
use crate::vonage::hosts::Host;
use crate::vonage::management::{self, Created, Denied, Revoked};

/// The account whose secret is rotated.
pub(super) struct Account {
    pub(super) key: ApiKey,
    pub(super) witnessed: Witnessed,
}

impl Own for Account {
    type Kind = Secrets;

    fn chance(system: &mut System) -> &mut (dyn Chance + 'static) {
        system
    }

    fn whose(&self) -> Whose {
        Whose::Account(self.key.clone())
    }

    fn file(&self, parsed: &Parsed, revision: Option<Revision>) -> File {
        let entries = parsed.accounts.iter().filter(|entry| entry.key == self.key);
        File { items: entries.flat_map(|entry| entry.secrets.iter().cloned()).collect(), revision }
    }

    fn delivery(&self, deploy: &Deploy<Secrets>) -> (Change, Expected) {
        let items = deploy.items.iter().map(Item::delivered).collect();
        let change = Change::Secrets { account: self.key.clone(), items, primary: None };
        (change, Expected::Secrets(self.key.clone(), deploy.expect.clone()))
    }

    async fn prove(&self, rotator: &Rotator, value: &ApiSecret, host: Host) -> Proof {
        prove::ask_about(&rotator.upstream, &Basic::new(&self.key, value.clone()), host).await
    }

    async fn call(&self, rotator: &Rotator, call: &Call) -> Outcome {
        let (Call::List { with } | Call::Create { with, .. } | Call::Revoke { with, .. }) = call;
        let access = match self.access(rotator, with).await {
            Ok(access) => access,
            Err(cause) => return Outcome::Failed(cause),
        };
        let mut last = Outcome::Denied;
        for basic in &access {
            last = match self.answer(rotator, basic, call).await {
                Ok(Ok(answer)) => return Outcome::Answer(answer),
                Ok(Err(Denied::Unauthorized)) => Outcome::Denied,
                Ok(Err(denied @ (Denied::NoSuchKey | Denied::Busy | Denied::Forbidden(_)))) => Outcome::Failed(denied.to_string()),
                Err(cause) => return Outcome::Failed(cause),
            };
        }
        last
    }

    fn follow(&mut self, journal: &Journal, seen: &[Sighting]) {
        self.witnessed.note(journal, seen);
    }

    fn purpose(task: &Task) -> Purpose {
        summary::purpose(&task.mode)
    }

    fn event(fact: &Fact) -> Event {
        Event::Fact(fact.clone())
    }

    fn report(&self, frame: Report, journal: &Journal) -> Report {
        summary::of_secrets(frame, journal, &self.witnessed)
    }

    fn keep(state_dir: &Path, journal: &Journal, end: &End) -> Result<(), FileError> {
        if let End::Ended(Ending::Drilled) = end { drill::keep(state_dir, journal) } else { Ok(()) }
    }
}

impl Account {
    /// With what the account is managed: the secrets of the account above it when they are held, then its own one.
    async fn access(&self, rotator: &Rotator, with: &ApiSecret) -> Result<Vec<Basic>, String> {
        let parsed = parsed(rotator).await?;
        let primary = parsed.accounts.iter().find(|entry| entry.key == self.key).and_then(|entry| entry.primary.as_ref());
        let above = parsed.accounts.iter().filter(|entry| Some(&entry.key) == primary);
        let mut access: Vec<Basic> =
            above.flat_map(|entry| entry.secrets.iter().map(|item| Basic::new(&entry.key, item.value.clone()))).collect();
        access.push(Basic::new(&self.key, with.clone()));
        Ok(access)
    }

    /// What the provider says, or why it does not take what the call is made with; in words why there is no answer.
    async fn answer(&self, rotator: &Rotator, basic: &Basic, call: &Call) -> Result<Result<Answer, Denied>, String> {
        let provider = &rotator.provider;
        let answered = match call {
            Call::List { .. } => provider.list(basic, &self.key).await.map(|answer| match answer {
                management::Secrets::Listed(listed) => Ok(Answer::Listed(listed)),
                management::Secrets::Denied(denied) => Err(denied),
            }),
            Call::Create { value, .. } => provider.create(basic, &self.key, value).await.map(|answer| match answer {
                Created::Created(made) => Ok(Answer::Created(made)),
                Created::Full => Ok(Answer::Full),
                Created::Invalid(words) => Ok(Answer::Invalid(words)),
                Created::Denied(denied) => Err(denied),
            }),
            Call::Revoke { id, .. } => provider.revoke(basic, &self.key, id).await.map(|answer| match answer {
                Revoked::Revoked => Ok(Answer::Revoked),
                Revoked::NoSuchId => Ok(Answer::NoSuchId),
                Revoked::LastSecret => Ok(Answer::LastSecret),
                Revoked::Denied(denied) => Err(denied),
            }),
        };
        answered.map_err(|trouble| trouble.to_string())
    }
}
