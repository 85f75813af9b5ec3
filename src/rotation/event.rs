//! What somebody is told: one JSON document an event, with a `schema`, which only grows. Never a value.
//!
//! Not here: telling (`notify`).

use std::time::SystemTime;

use serde::Serialize;

use super::halt::Halt as _;
use super::keypair;
use super::secrets::End;
use super::secrets::halt::{Ending, Stuck};
use crate::secret::{ApiKey, ApplicationId, Revision};

/// The number of the format.
const SCHEMA: u32 = 1;

/// Something that a person may want to know at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    schema: u32,
    /// What it is.
    pub event: Kind,
    /// The account.
    pub account: String,
    /// The application; none when it is about secrets.
    pub application: Option<String>,
    /// The name of the rotation; none when it is about none.
    pub rotation: Option<String>,
    /// When (RFC 3339).
    pub at: String,
    /// What happened, in words.
    pub reason: String,
    /// What to do; empty when there is nothing.
    pub remedy: String,
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A rotation came to its end.
    Done,
    /// A person must look.
    Stuck,
    /// Something failed for longer than it is tried again.
    Parked,
    /// A person must say yes.
    AwaitingApproval,
    /// A secret comes close to the age that it may not reach.
    Overdue,
    /// The provider refuses every secret of an account.
    AllRefused,
}

impl Event {
    /// About the end of a run; none when nobody needs to be told: what a person took back, a drill.
    pub fn of(end: &End, account: &ApiKey, rotation: Option<&Revision>, at: SystemTime) -> Option<Self> {
        let (event, reason, remedy) = match end {
            End::Ended(Ending::Done | Ending::Added | Ending::Removed) => (Kind::Done, end.to_string(), String::new()),
            End::Ended(Ending::Drilled | Ending::Aborted) => return None,
            End::Parked(parked) => (Kind::Parked, parked.to_string(), parked.remedy()),
            End::Stuck(stuck @ Stuck::AllRefused) => (Kind::AllRefused, stuck.to_string(), stuck.remedy()),
            End::Stuck(stuck) => (Kind::Stuck, stuck.to_string(), stuck.remedy()),
            End::Awaiting(unapproved) => (
                Kind::AwaitingApproval,
                format!("the revoke of {} waits for the approval of a person", unapproved.id()),
                format!("vonage-sidecar rotate --account {account} --approve {}", unapproved.id()),
            ),
        };
        Some(Self { rotation: rotation.map(ToString::to_string), ..Self::about(event, account, at, reason, remedy) })
    }

    /// The same about the key pair of an application.
    pub fn of_keys(end: &keypair::End, account: &ApiKey, application: &ApplicationId, rotation: &Revision, at: SystemTime) -> Option<Self> {
        let (event, reason, remedy) = match end {
            keypair::End::Ended(keypair::halt::Ending::Done) => (Kind::Done, end.to_string(), String::new()),
            keypair::End::Ended(keypair::halt::Ending::Aborted) => return None,
            keypair::End::Parked(parked) => (Kind::Parked, parked.to_string(), parked.remedy()),
            keypair::End::Stuck(stuck) => (Kind::Stuck, stuck.to_string(), stuck.remedy()),
            keypair::End::Awaiting(nobody) => match *nobody {},
        };
        let (application, rotation) = (Some(application.to_string()), Some(rotation.to_string()));
        Some(Self { application, rotation, ..Self::about(event, account, at, reason, remedy) })
    }

    /// A secret is older than nine tenths of what is allowed.
    pub fn overdue(account: &ApiKey, at: SystemTime) -> Self {
        let remedy = "vonage-sidecar schedule says what keeps it; vonage-sidecar rotate --account KEY rotates it now";
        Self::about(Kind::Overdue, account, at, "the oldest secret has 90 % of max_age or more".to_owned(), remedy.to_owned())
    }

    /// Everything that is held is refused.
    pub fn all_refused(account: &ApiKey, at: SystemTime) -> Self {
        let stuck = Stuck::AllRefused;
        Self::about(Kind::AllRefused, account, at, stuck.to_string(), stuck.remedy())
    }

    fn about(event: Kind, account: &ApiKey, at: SystemTime, reason: String, remedy: String) -> Self {
        let at = humantime::format_rfc3339_seconds(at).to_string();
        Self { schema: SCHEMA, event, account: account.to_string(), application: None, rotation: None, at, reason, remedy }
    }

    /// As it is told.
    pub fn json(&self) -> String {
        serde_json::to_string(self).map(|text| text + "\n").unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotation::effect::Doing;
    use crate::rotation::halt::Parked;
    use crate::rotation::secrets::halt::Unapproved;
    use crate::secret::SecretId;

    #[test]
    fn a_person_is_told_of_what_is_done_and_of_what_waits_for_a_person() {
        let account = ApiKey::parse("abcd1234").unwrap();
        let id = || SecretId::parse("id-1").unwrap();
        let name = Revision::parse("r-1").unwrap();
        let told = |end: End| Event::of(&end, &account, Some(&name), SystemTime::UNIX_EPOCH);
        for (end, word) in [
            (End::Ended(Ending::Done), "done"),
            (End::Ended(Ending::Removed), "done"),
            (End::Parked(Parked::Failing { doing: Doing::List, cause: "nothing".to_owned() }), "parked"),
            (End::Stuck(Stuck::NoEvidence), "stuck"),
            (End::Stuck(Stuck::AllRefused), "all_refused"),
            (End::Awaiting(Unapproved::NotOurs(id())), "awaiting_approval"),
        ] {
            let document: serde_json::Value = serde_json::from_str(&told(end).unwrap().json()).unwrap();
            assert_eq!((document["schema"].as_u64(), document["event"].as_str()), (Some(1), Some(word)));
            assert_eq!((document["account"].as_str(), document["rotation"].as_str()), (Some("abcd1234"), Some("r-1")));
            assert_eq!(document["at"], "1970-01-01T00:00:00Z");
            assert_eq!(document["remedy"] != "", word != "done", "{document}");
        }
        assert_eq!((told(End::Ended(Ending::Aborted)), told(End::Ended(Ending::Drilled))), (None, None));
    }

    #[test]
    fn a_person_is_told_of_key_pairs_and_whose_they_are() {
        let (account, application) = (ApiKey::parse("abcd1234").unwrap(), ApplicationId::parse("app-1").unwrap());
        let name = Revision::parse("r-1").unwrap();
        let told = |end: keypair::End| Event::of_keys(&end, &account, &application, &name, SystemTime::UNIX_EPOCH);
        for (end, word) in [
            (keypair::End::Ended(keypair::halt::Ending::Done), "done"),
            (keypair::End::Parked(Parked::Failing { doing: Doing::PutKey, cause: "nothing".to_owned() }), "parked"),
            (keypair::End::Stuck(keypair::halt::Stuck::Contested), "stuck"),
        ] {
            let document: serde_json::Value = serde_json::from_str(&told(end).unwrap().json()).unwrap();
            assert_eq!((document["application"].as_str(), document["account"].as_str()), (Some("app-1"), Some("abcd1234")));
            assert_eq!((document["event"].as_str(), document["rotation"].as_str()), (Some(word), Some("r-1")));
            assert_eq!(document["remedy"] != "", word != "done", "{document}");
        }
        assert_eq!(told(keypair::End::Ended(keypair::halt::Ending::Aborted)), None);
    }
}
