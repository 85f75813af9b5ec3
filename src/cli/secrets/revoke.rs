//! `secrets revoke`: by id, and only when what is left was just proven.

use super::Whose;
use super::enrol::revision;
use crate::cli::operator::{self, Files, Operator, denied, entry, troubled, undelivered};
use crate::cli::report::{self, Exit, Failure, Outcome};
use crate::credentials::edit::Change;
use crate::credentials::file::Item;
use crate::credentials::{Basic, Keep, Label};
use crate::prove::Proof;
use crate::rotation::drift::{self, Whose as Owner};
use crate::rotation::journal::disk::{Disk, journals};
use crate::rotation::sinks::{Delivery, Expected};
use crate::secret::{ApiKey, ApiSecret, Malformed, SecretId};
use crate::vonage::management::{Listed, Revoked};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    whose: Whose,
    /// The id of the secret, as `secrets list` shows it
    #[arg(long, value_name = "ID", value_parser = id)]
    id: SecretId,
    /// Do it although this is so; may be given several times
    #[arg(long, value_name = "REASON")]
    despite: Vec<Objection>,
}

fn id(text: &str) -> Result<SecretId, Malformed> {
    SecretId::parse(text)
}

/// Why a secret should not be revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Objection {
    /// A rotation of the account is under way, which may need it
    Rotating,
    /// The file says that others depend on it
    Kept,
    /// It is the only one that the file holds, so that nothing is left to work with
    OnlyHeld,
    /// No other secret of the file was just accepted, or it may be the very one that is to be revoked
    Unproven,
}

impl Objection {
    fn words(self) -> &'static str {
        match self {
            Self::Rotating => "a rotation of the account is under way, which `rotate` finishes and `rotate --abort` calls off",
            Self::Kept => "the file says that others depend on it (keep = true)",
            Self::OnlyHeld => "it is the only secret of this account that the file holds",
            Self::Unproven => "no other secret of the file was just accepted that is known to be another one",
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::Rotating => "rotating",
            Self::Kept => "kept",
            Self::OnlyHeld => "only-held",
            Self::Unproven => "unproven",
        }
    }
}

pub(super) fn execute(arguments: &Arguments, files: &Files) -> Outcome {
    operator::operate(files, async |operator| revoke(&operator, arguments).await)
}

async fn revoke(operator: &Operator, arguments: &Arguments) -> Outcome {
    let Arguments { whose: Whose { account, with }, id, despite } = arguments;
    let parsed = operator.held()?;
    let access = Operator::access(&parsed, account, with.as_ref())?;
    let held = entry(&parsed, account).map(|entry| entry.secrets.clone()).unwrap_or_default();
    let (manager, listed) = operator.listed(&access, account).await?;
    if listed.iter().all(|secret| secret.id != *id) {
        let failure = Failure::no(format!("{account} has no secret {id}"));
        return Err(failure.hint("vonage-sidecar secrets list shows those that there are"));
    }
    if listed.len() < 2 {
        let failure = Failure::no(format!("{id} is the last secret of {account}, and an account must have one"));
        return Err(failure.hint("make another one first: vonage-sidecar secrets create"));
    }
    let survivor = survivor(operator, account, &held, &listed, id).await;
    let rotating = is_rotating(operator, account)?.then_some(Objection::Rotating);
    for objection in rotating.into_iter().chain(objections(&held, id, survivor.as_ref())) {
        if !despite.contains(&objection) {
            let failure = Failure::no(format!("{id} is not revoked")).because(objection.words());
            return Err(failure.hint(format!("if you know better: --despite {}", objection.flag())));
        }
    }
    let own = survivor.map(|value| Basic::new(account, value));
    let what = format!("{id} is not revoked");
    match operator.provider.revoke(own.as_ref().unwrap_or(manager), account, id).await {
        Ok(Revoked::Revoked | Revoked::NoSuchId) => {}
        Ok(Revoked::LastSecret) => return Err(Failure::no(what).because("it is the last one").hint("make another one first")),
        Ok(Revoked::Denied(reason)) => return Err(denied(&what, reason)),
        Err(trouble) => return Err(troubled(&format!("it is not known whether {id} is revoked"), trouble)),
    }
    clean_up(operator, account, &held, id).await?;
    report::data(&format!("{account}: secret {id} is revoked\n")).map(|()| Exit::Done)
}

/// Whether a rotation has begun that has not ended.
fn is_rotating(operator: &Operator, account: &ApiKey) -> Result<bool, Failure> {
    let kept = Disk::peek(&journals(&operator.settings.rotation.state_dir), account);
    let journal = kept.map_err(|error| Failure::could_not_run("it is not known whether a rotation is under way").caused_by(&error))?;
    Ok(journal.is_some_and(|journal| !journal.is_over() && !journal.is_at_the_beginning()))
}

/// A value of the file that was accepted just now and cannot be the one with this id.
async fn survivor(operator: &Operator, account: &ApiKey, held: &[Item<ApiSecret>], listed: &[Listed], id: &SecretId) -> Option<ApiSecret> {
    let mut live = Vec::new();
    for item in held {
        let basic = Basic::new(account, item.value.clone());
        if operator.provider.prove(&basic).await.1 == Proof::Accepted {
            live.push(item);
        }
    }
    let labels: Vec<Label> = live.iter().map(|item| item.label.clone()).collect();
    let is_other =
        |item: &&Item<ApiSecret>| item.label.id.as_ref().is_some_and(|own| own != id && listed.iter().any(|secret| secret.id == *own));
    let known = live.iter().copied().find(is_other).map(|item| item.value.clone());
    // With the id beside one value, the other value that is live is the other secret.
    let target_is_held =
        drift::whose(listed, &labels).iter().zip(listed).any(|(whose, secret)| secret.id == *id && matches!(whose, Owner::Held(_)));
    known.or_else(|| {
        let mut others = live.iter().filter(|item| item.label.id.is_none() && target_is_held);
        others.next().map(|item| item.value.clone())
    })
}

fn objections(held: &[Item<ApiSecret>], id: &SecretId, survivor: Option<&ApiSecret>) -> Vec<Objection> {
    let of = |item: &&Item<ApiSecret>| item.label.id.as_ref() == Some(id);
    let is_held = held.iter().any(|item| of(&item));
    let is_kept = held.iter().any(|item| of(&item) && item.label.keep == Keep::Yes);
    let mut found = Vec::new();
    found.extend(is_kept.then_some(Objection::Kept));
    found.extend((is_held && held.len() == 1).then_some(Objection::OnlyHeld));
    found.extend(survivor.is_none().then_some(Objection::Unproven));
    found
}

/// Takes the revoked one out of the file, while another is left there.
async fn clean_up(operator: &Operator, account: &ApiKey, held: &[Item<ApiSecret>], id: &SecretId) -> Result<(), Failure> {
    let left: Vec<Item<ApiSecret>> = held.iter().filter(|item| item.label.id.as_ref() != Some(id)).cloned().collect();
    if left.is_empty() || left.len() == held.len() {
        return Ok(());
    }
    let delivery = Delivery {
        changes: vec![Change::Secrets { account: account.clone(), items: left, primary: None }],
        expect: vec![Expected::Secrets(account.clone(), held.iter().map(|item| item.value.clone()).collect())],
        revision: revision()?,
    };
    let what = format!("{id} is revoked, but is still in the file");
    operator.sinks.deliver(&delivery).await.map_err(|error| undelivered(&what, &error))
}
