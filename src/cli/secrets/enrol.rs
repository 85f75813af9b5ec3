//! Adds a secret that is accepted to the credentials file, as the second one.

use std::path::PathBuf;

use serde::Serialize;

use super::json;
use crate::cli::operator::{Operator, entry, undelivered};
use crate::cli::report::{self, Exit, Failure, Outcome};
use crate::clock;
use crate::credentials::edit::Change;
use crate::credentials::file::Item;
use crate::credentials::{Keep, Label};
use crate::rotation::sinks::{Delivery, Expected, Sinks};
use crate::secret::{ApiKey, ApiSecret, Revision};
use crate::vonage::management::Listed;

/// Where a secret goes, and how that is told.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Place {
    /// Write it to this credentials file alone, which is made with mode 0600 if there is none
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// A secret that is to be added.
pub(in crate::cli) struct Newcomer<'n> {
    /// The account.
    pub(in crate::cli) account: &'n ApiKey,
    /// Who manages it, for an account that the file does not know.
    pub(in crate::cli) primary: Option<&'n ApiKey>,
    /// The value.
    pub(in crate::cli) value: &'n ApiSecret,
    /// What the provider shows of it; none when it is not known which it is.
    pub(in crate::cli) made: Option<&'n Listed>,
    /// What the provider shows of the one that the file holds, when there can be no doubt.
    pub(in crate::cli) other: Option<&'n Listed>,
}

#[derive(Debug, Serialize)]
struct Document {
    schema: u32,
    account: String,
    id: Option<String>,
    created_at: Option<String>,
    revision: String,
    written_to: Vec<String>,
}

impl Place {
    /// The sinks, or the one file.
    pub(in crate::cli) fn sinks(&self, operator: &Operator) -> Sinks {
        match &self.to {
            Some(file) => operator.sinks.clone().into_file(file),
            None => operator.sinks.clone(),
        }
    }

    /// What the file that is to be written holds of an account. One that holds two already has no place.
    pub(in crate::cli) fn held(&self, operator: &Operator, account: &ApiKey) -> Result<Vec<Item<ApiSecret>>, Failure> {
        let sinks = match &self.to {
            Some(file) => {
                let mut settings = operator.settings.clone();
                settings.credentials.file.clone_from(file);
                Sinks::of(&settings)
            }
            None => operator.sinks.clone(),
        };
        let current = sinks.read().map_err(|error| undelivered("the credentials cannot be read", &error))?;
        let held = entry(&current.parsed, account).map(|entry| entry.secrets.clone()).unwrap_or_default();
        if held.len() < 2 {
            return Ok(held);
        }
        let failure = Failure::no(format!("the file holds two secrets of {account} already"));
        Err(failure.hint("revoke one (vonage-sidecar secrets revoke), or take one that is dead out of the file"))
    }

    /// Delivers, and tells.
    pub(in crate::cli) async fn add(&self, operator: &Operator, held: &[Item<ApiSecret>], new: &Newcomer<'_>) -> Outcome {
        let mut items = held.to_vec();
        if let (Some(other), [only]) = (new.other, items.as_mut_slice())
            && only.label.id.is_none()
        {
            only.label.id = Some(other.id.clone());
            only.label.created_at = only.label.created_at.or(other.created_at);
        }
        let label = Label {
            id: new.made.map(|made| made.id.clone()),
            created_at: new.made.and_then(|made| made.created_at),
            keep: Keep::No,
            note: None,
        };
        items.push(Item { value: new.value.clone(), label });
        let revision = revision()?;
        let delivery = Delivery {
            changes: vec![Change::Secrets { account: new.account.clone(), items, primary: new.primary.cloned() }],
            expect: vec![Expected::Secrets(new.account.clone(), held.iter().map(|item| item.value.clone()).collect())],
            revision: revision.clone(),
        };
        let sinks = self.sinks(operator);
        let words = format!("the new secret of {} is accepted, and is staged, but could not be delivered", new.account);
        // What is staged is forgotten after this, so the credentials file must hold it.
        let delivered = if self.to.is_some() { sinks.deliver(&delivery).await } else { sinks.deliver_and_see(&delivery).await };
        delivered.map_err(|error| undelivered(&words, &error))?;
        self.tell(new, &revision, sinks.names())
    }

    pub(super) fn tell(&self, new: &Newcomer<'_>, revision: &Revision, written_to: Vec<String>) -> Outcome {
        let id = new.made.map(|made| made.id.to_string());
        if self.json {
            let created_at = new.made.and_then(|made| made.created_at).map(|at| humantime::format_rfc3339_seconds(at).to_string());
            return json(&Document {
                schema: 1,
                account: new.account.to_string(),
                id,
                created_at,
                revision: revision.to_string(),
                written_to,
            });
        }
        let id = id.unwrap_or_else(|| "whose id is not known".to_owned());
        report::data(&format!("{}: secret {id} is accepted and in {}\n", new.account, written_to.join(", "))).map(|()| Exit::Done)
    }
}

/// A new mark of a deploy.
pub(super) fn revision() -> Result<Revision, Failure> {
    let text = format!("{:016x}", u64::from_le_bytes(clock::random()));
    Revision::parse(&text).map_err(|error| Failure::could_not_run("no mark could be made").caused_by(&error))
}
