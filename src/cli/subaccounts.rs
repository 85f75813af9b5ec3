//! `vonage-sidecar subaccounts`: those of a primary account, and new ones with their first secret in the file.

use serde::Serialize;

use super::columns::columns;
use super::operator::{self, Files, Operator, denied, entry, key, troubled, try_sinks};
use super::report::{self, Exit, Failure, Outcome};
use super::secrets::create::{self, Way};
use super::secrets::enrol::Newcomer;
use super::secrets::{day, json};
use crate::credentials::Basic;
use crate::prove::Proof;
use crate::rotation::staged::{Known, Staged};
use crate::secret::ApiKey;
use crate::vonage::management::{Activity, Denied, Enrolled, Secrets, Subaccount, Subaccounts};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    files: Files,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the subaccounts of a primary account
    List(List),
    /// Make a subaccount, prove its secret, and add both to the credentials file
    Create(Create),
}

#[derive(Debug, clap::Args)]
struct List {
    /// The primary account, which must be in the file
    #[arg(long, value_name = "PRIMARY", value_parser = key)]
    with: ApiKey,
    /// For machines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Create {
    /// What it is to be called
    name: String,
    /// The primary account, which must be in the file
    #[arg(long, value_name = "PRIMARY", value_parser = key)]
    with: ApiKey,
    #[command(flatten)]
    way: Way,
}

#[derive(Debug, Serialize)]
struct Document {
    schema: u32,
    primary: String,
    subaccounts: Vec<Told>,
}

#[derive(Debug, Serialize)]
struct Told {
    account: String,
    name: String,
    created_at: Option<String>,
    suspended: bool,
    held: bool,
}

/// Does what is asked.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    match &arguments.command {
        Command::List(list) => operator::operate(&arguments.files, async |operator| listed(&operator, list).await),
        Command::Create(create) => operator::operate(&arguments.files, async |operator| created(&operator, create).await),
    }
}

async fn listed(operator: &Operator, arguments: &List) -> Outcome {
    let parsed = operator.held()?;
    let access = Operator::access(&parsed, &arguments.with, None)?;
    let (_, found) = subaccounts(operator, &access, &arguments.with).await?;
    let is_held = |sub: &Subaccount| entry(&parsed, &sub.key).is_some();
    if arguments.json {
        let told = |sub: &Subaccount| Told {
            account: sub.key.to_string(),
            name: sub.name.clone(),
            created_at: sub.created_at.map(|at| humantime::format_rfc3339_seconds(at).to_string()),
            suspended: sub.activity == Activity::Suspended,
            held: is_held(sub),
        };
        return json(&Document { schema: 1, primary: arguments.with.to_string(), subaccounts: found.iter().map(told).collect() });
    }
    let mut rows = vec![["ACCOUNT", "NAME", "CREATED", "STATE", "IN FILE"].map(str::to_owned)];
    rows.extend(found.iter().map(|sub| {
        let state = match sub.activity {
            Activity::Active => "active",
            Activity::Suspended => "suspended",
        };
        let held = if is_held(sub) { "yes" } else { "no" };
        [sub.key.to_string(), sub.name.clone(), day(sub.created_at), state.to_owned(), held.to_owned()]
    }));
    report::data(&columns(&rows)).map(|()| Exit::Done)
}

/// The subaccounts, with the first credential that is not refused.
async fn subaccounts<'b>(operator: &Operator, access: &'b [Basic], primary: &ApiKey) -> Result<(&'b Basic, Vec<Subaccount>), Failure> {
    let what = format!("the subaccounts of {primary} cannot be listed");
    let mut reason = Denied::Unauthorized;
    for basic in access {
        match operator.provider.subaccounts(basic, primary).await {
            Ok(Subaccounts::Listed(found)) => return Ok((basic, found)),
            Ok(Subaccounts::Denied(denied)) => reason = denied,
            Err(trouble) => return Err(troubled(&what, trouble)),
        }
    }
    Err(denied(&what, reason))
}

async fn created(operator: &Operator, arguments: &Create) -> Outcome {
    let Create { name, with, way: Way { place, patience } } = arguments;
    let parsed = operator.held()?;
    let access = Operator::access(&parsed, with, None)?;
    let (basic, before) = subaccounts(operator, &access, with).await?;
    try_sinks(&place.sinks(operator)).await?;
    let stage = format!("subaccount {with} {name}");
    let staged = match create::find(operator, &stage)? {
        Some(staged) => staged,
        None => create::stage(operator, &stage, before.iter().map(|sub| sub.key.to_string()).collect())?,
    };
    let (account, staged) = match settled(operator, &before, name, &staged).await? {
        Some(account) => (account, staged),
        None => make(operator, basic, with, name, staged).await?,
    };
    if let Err(last) = patience.prove(operator, &account, &staged.value).await {
        return Err(create::unproven(&account, last));
    }
    let own = Basic::new(&account, staged.value.clone());
    let made = match operator.provider.list(&own, &account).await {
        Ok(Secrets::Listed(listed)) => <[_; 1]>::try_from(listed).ok().map(|[only]| only),
        Ok(Secrets::Denied(_)) | Err(_) => None,
    };
    let new = Newcomer { account: &account, primary: Some(with), value: &staged.value, made: made.as_ref(), other: None };
    let exit = place.add(operator, &[], &new).await?;
    create::forget(staged)?;
    Ok(exit)
}

/// The subaccount that an earlier call made with the staged value though its answer did not arrive: the one of that name
/// that is new, also when the value is not accepted there yet.
async fn settled(operator: &Operator, listed: &[Subaccount], name: &str, staged: &Staged) -> Result<Option<ApiKey>, Failure> {
    if staged.known == Known::Nothing {
        return Ok(None);
    }
    let new: Vec<&ApiKey> = listed.iter().filter(|sub| sub.name == name && staged.is_new(sub.key.as_str())).map(|sub| &sub.key).collect();
    if let [] | [_] = new.as_slice() {
        return Ok(new.first().copied().cloned());
    }
    for key in new {
        if operator.provider.prove(&Basic::new(key, staged.value.clone())).await.1 == Proof::Accepted {
            return Ok(Some(key.clone()));
        }
    }
    let failure = Failure::no(format!("there are several new subaccounts {name:?}, and none of them takes the staged value yet"));
    Err(failure.hint("run it again in a minute: the value is tried at each"))
}

async fn make(operator: &Operator, with: &Basic, primary: &ApiKey, name: &str, mut staged: Staged) -> Result<(ApiKey, Staged), Failure> {
    let what = format!("no subaccount {name:?} was made");
    let before = staged.known.clone();
    staged.sends().map_err(|error| create::unstaged(&error))?;
    let failure = match operator.provider.create_subaccount(with, primary, name, &staged.value).await {
        Ok(Enrolled::Created(made, value)) => {
            if !value.same_as(&staged.value) {
                staged.becomes(value).map_err(|error| create::unstaged(&error))?;
            }
            return Ok((made.key, staged));
        }
        Err(trouble) if trouble.may_have_happened() => {
            return Err(troubled(&format!("nobody knows whether a subaccount {name:?} was made"), trouble));
        }
        Ok(Enrolled::Invalid(words)) => Failure::no(what).because(words).hint("choose another name"),
        Ok(Enrolled::Denied(reason)) => denied(&what, reason),
        Err(trouble) => troubled(&what, trouble),
    };
    Err(create::unmade(staged, &before, failure))
}
