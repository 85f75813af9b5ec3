//! Looks at every account: what the provider lists, what the file says, whether a rotation is under way.
//!
//! Invariants: only lists are asked for, a few accounts at a time; what cannot be seen is told in words and is never
//! taken for an account without secrets; nothing is changed.
//!
//! Not here: what follows from it (`audit`, `drift`, `schedule`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::audit::{Progress, Seen};
use super::journal::disk::{Disk, journals};
use super::provider::Provider;
use super::{begun, staged};
use crate::credentials::Basic;
use crate::credentials::file::{AccountEntry, Parsed};
use crate::secret::ApiKey;
use crate::vonage::management::{Listed, Secrets, Subaccounts};

/// How many accounts are asked about at a time.
const AT_A_TIME: usize = 8;

/// Which accounts are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breadth {
    /// Those of the file.
    Held,
    /// The subaccounts of those, too, that the file does not hold.
    WithSubaccounts,
}

/// What is needed to look.
#[derive(Debug, Clone)]
pub struct Survey {
    /// The way to the provider.
    pub provider: Provider,
    /// Where journals and staged values are.
    pub state_dir: PathBuf,
}

/// The secrets with which an account is managed: its own, then those of the account that the file says manages it.
pub fn access(parsed: &Parsed, account: &ApiKey) -> Vec<Basic> {
    let entry = |key: &ApiKey| parsed.accounts.iter().find(|entry| entry.key == *key);
    let own = entry(account);
    let primary = own.and_then(|entry| entry.primary.as_ref()).and_then(entry);
    own.into_iter().chain(primary).flat_map(basics).collect()
}

fn basics(entry: &AccountEntry) -> impl Iterator<Item = Basic> {
    entry.secrets.iter().map(|item| Basic::new(&entry.key, item.value.clone()))
}

impl Survey {
    /// Looks at the accounts of the file for which `is_asked` says so, in the order of the file, each before those that
    /// it manages and the file does not hold.
    pub async fn look(&self, parsed: &Parsed, breadth: Breadth, is_asked: impl Fn(&AccountEntry) -> bool) -> Vec<Seen> {
        let asked: Vec<&AccountEntry> = parsed.accounts.iter().filter(|entry| is_asked(entry)).collect();
        let held = asked.iter().map(|entry| {
            let survey = self.clone();
            let (account, primary, access) = (entry.key.clone(), entry.primary.clone(), access(parsed, &entry.key));
            async move { survey.seen(account, primary, &access).await }
        });
        let mut found: Vec<Seen> = some_at_a_time(held).await.into_iter().map(|seen| labelled(seen, parsed)).collect();
        if breadth == Breadth::WithSubaccounts {
            // Only an account that nobody manages can manage others.
            for entry in asked.iter().filter(|entry| entry.primary.is_none()).rev() {
                let below = self.below(entry, parsed).await;
                let after = found.iter().position(|seen| seen.account == entry.key).map_or(found.len(), |at| at + 1);
                drop(found.splice(after..after, below));
            }
        }
        found
    }

    /// The subaccounts that the file does not hold. An account that has none is denied them, which is no fault.
    async fn below(&self, entry: &AccountEntry, parsed: &Parsed) -> Vec<Seen> {
        for basic in basics(entry) {
            let Ok(Subaccounts::Listed(listed)) = self.provider.subaccounts(&basic, &entry.key).await else { continue };
            let unknown = listed.into_iter().filter(|sub| parsed.accounts.iter().all(|entry| entry.key != sub.key));
            let looks = unknown.map(|sub| {
                let (survey, primary, access) = (self.clone(), entry.key.clone(), basic.clone());
                async move { survey.seen(sub.key, Some(primary), std::slice::from_ref(&access)).await }
            });
            return some_at_a_time(looks).await;
        }
        Vec::new()
    }

    async fn seen(&self, account: ApiKey, primary: Option<ApiKey>, access: &[Basic]) -> Seen {
        let listed = self.list(access, &account).await;
        let progress = progress(&self.state_dir, &account);
        Seen { account, primary, listed, held: Vec::new(), progress }
    }

    async fn list(&self, access: &[Basic], account: &ApiKey) -> Result<Vec<Listed>, String> {
        if access.is_empty() {
            return Err("no secret to ask with".to_owned());
        }
        match self.provider.list_with_any(access, account).await {
            Ok((_, Secrets::Listed(listed))) => Ok(listed),
            Ok((_, Secrets::Denied(reason))) => Err(reason.to_string()),
            Err(trouble) => Err(trouble.to_string()),
        }
    }
}

/// With what the file says about the values that it holds.
fn labelled(seen: Seen, parsed: &Parsed) -> Seen {
    let entry = parsed.accounts.iter().find(|entry| entry.key == seen.account);
    let held = entry.into_iter().flat_map(|entry| &entry.secrets).map(|item| item.label.clone()).collect();
    Seen { held, ..seen }
}

/// Whether something is under way here. What cannot be read may be a rotation.
pub fn progress(state_dir: &Path, account: &ApiKey) -> Progress {
    match (Disk::peek(&journals(state_dir), account), staged::find(state_dir, account.as_str())) {
        (Ok(Some(journal)), _) if begun::is_under_way(&journal) && journal.is_at_the_beginning() => Progress::Beginning,
        (Ok(Some(journal)), _) if begun::is_under_way(&journal) => Progress::Rotating,
        (Err(_), _) => Progress::Rotating,
        (Ok(Some(_) | None), Ok(None)) => Progress::Resting,
        (Ok(Some(_) | None), Ok(Some(_)) | Err(_)) => Progress::Staged,
    }
}

/// Runs a few at a time; what they come to, in their order.
async fn some_at_a_time<T: Send + 'static>(tasks: impl Iterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let seats = Arc::new(Semaphore::new(AT_A_TIME));
    let mut running = JoinSet::new();
    for (place, task) in tasks.enumerate() {
        let seats = Arc::clone(&seats);
        running.spawn(async move {
            let _seat = seats.acquire_owned().await;
            (place, task.await)
        });
    }
    let mut found = BTreeMap::new();
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok((place, seen)) => drop(found.insert(place, seen)),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    found.into_values().collect()
}
