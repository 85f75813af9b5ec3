//! Finds the sidecars that read the credentials file, and asks them.
//!
//! Invariants: the list is made anew at each look, and everybody seen before is asked as well; a list that cannot be
//! made is a failure, never an empty list; a name is everybody at its addresses, since whoever answers by it may be
//! another one each time; each request has a limit of its own, and no more than [`AT_ONCE`] are under
//! way; only a refused connection counts as nobody being there.
//!
//! Not here: who is on the list ([`roster`]), what answers prove (`evidence`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::clock;
use crate::config::{self, Address, Settings};
use crate::rotation::evidence::{Answer, Listing, Look, Sighting, Unreadable, Whose};
use crate::rotation::program::{Output, Program};
use crate::secret::AccessToken;
use crate::tokens::{TokenError, Tokens};
use ask::{Heard, Speaker};
use roster::{Member, Target, Way};

mod ask;
pub mod roster;

/// Members asked at once.
const AT_ONCE: usize = 32;
/// For one status.
const STATUS: Duration = Duration::from_secs(5);
/// For one proof, which makes a few calls to the provider.
const PROOF: Duration = Duration::from_secs(30);
/// For the command that tells about members.
const COMMAND: Duration = Duration::from_secs(30);
/// Proofs are spread: so long for each member, and no longer than this together.
const SPREAD: Duration = Duration::from_millis(50);
const LONGEST_SPREAD: Duration = Duration::from_secs(10);
/// The most that a command may print.
const LONGEST: usize = 64 << 20;

/// Why there is no list of members.
#[derive(Debug, thiserror::Error)]
pub enum NoList {
    /// The name has no addresses.
    #[error("the name {0} of [rotation.fleet] cannot be looked up: {1}")]
    Name(String, std::io::Error),
    /// The command failed.
    #[error("the command of [rotation.fleet] {0}")]
    Command(String),
    /// The token cannot be read.
    #[error("the token of [rotation.fleet] cannot be read: {0}")]
    Token(#[from] TokenError),
}

/// The sidecars that read one credentials file.
#[derive(Debug, Clone)]
pub struct Fleet {
    sources: Sources,
    tls: Arc<ClientConfig>,
}

/// How members are found.
#[derive(Debug, Clone)]
enum Sources {
    /// Nobody says: the sidecar of the same settings, if it runs.
    Own(String),
    /// As `[rotation.fleet]` says.
    Named(config::rotation::Fleet),
}

impl Fleet {
    /// As the settings say; `tls` is for members with an `https` address.
    pub fn of(settings: &Settings, tls: Arc<ClientConfig>) -> Self {
        let sources = match &settings.rotation.fleet {
            Some(fleet) => Sources::Named(fleet.clone()),
            None => Sources::Own(own(settings.admin.address)),
        };
        Self { sources, tls }
    }

    /// The fewest that must be found.
    pub fn expect(&self) -> usize {
        match &self.sources {
            Sources::Own(_) => 1,
            Sources::Named(fleet) => fleet.expect,
        }
    }

    /// Everybody of today's list and everybody of `also`, and what each says.
    pub async fn look(&self, whose: &Whose, also: &[String]) -> Result<Vec<Sighting>, NoList> {
        let token = self.token()?;
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut asking = JoinSet::new();
        for (member, listing) in roster::everybody(self.listed().await?, also) {
            let (permits, tls, token, whose) = (Arc::clone(&permits), Arc::clone(&self.tls), token.clone(), whose.clone());
            asking.spawn(async move {
                let _turn = permits.acquire_owned().await;
                let answer = status(&member, &tls, token.as_ref(), &whose).await;
                (Sighting { name: member.name, listing, answer: Answer::Refuses }, answer)
            });
        }
        let mut seen = Vec::new();
        while let Some(asked) = asking.join_next().await {
            let (sighting, answer) = asked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            let known = also.contains(&sighting.name);
            match answer {
                // It holds nothing of it, so it has no say about it.
                Said::NotServed if !known => {}
                // Nobody named it, and it never was there.
                Said::Answer(Answer::Refuses) if !known && self.is_own() => {}
                Said::Answer(Answer::Refuses) if self.is_own() => {
                    seen.push(Sighting { listing: Listing::Left, answer: Answer::Refuses, ..sighting });
                }
                Said::NotServed => seen.push(Sighting { answer: Answer::Silent(Unreadable::NotServed.to_string()), ..sighting }),
                Said::Answer(answer) => seen.push(Sighting { answer, ..sighting }),
            }
        }
        seen.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(seen)
    }

    /// Asks members to try their values, spread over a moment. What came of it shows in their status.
    pub async fn prove(&self, whose: &Whose, members: &[String]) -> Result<(), NoList> {
        let token = self.token()?;
        let spread = SPREAD.saturating_mul(u32::try_from(members.len()).unwrap_or(u32::MAX)).min(LONGEST_SPREAD);
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut asking = JoinSet::new();
        for member in members.iter().map(|name| Member::at(name)) {
            let (permits, tls, token) = (Arc::clone(&permits), Arc::clone(&self.tls), token.clone());
            let path = format!("/prove?{}", whose.query());
            asking.spawn(async move {
                let Way::Ask(target) = &member.way else { return };
                tokio::time::sleep(clock::jitter(spread)).await;
                let _turn = permits.acquire_owned().await;
                let _shows_in_its_status = ask::exchange(target, &tls, token.as_ref(), Method::POST, &path, PROOF).await;
            });
        }
        while asking.join_next().await.is_some() {}
        Ok(())
    }

    fn is_own(&self) -> bool {
        matches!(self.sources, Sources::Own(_))
    }

    async fn listed(&self) -> Result<Vec<Member>, NoList> {
        let fleet = match &self.sources {
            Sources::Own(origin) => return Ok(vec![Member::at(origin)]),
            Sources::Named(fleet) => fleet,
        };
        let mut found = at_every_address(&fleet.members).await;
        if let Some(name) = &fleet.dns {
            let addresses = tokio::net::lookup_host(name).await.map_err(|cause| NoList::Name(name.clone(), cause))?;
            found.extend(addresses.map(|address| Member::at(&format!("http://{address}"))));
        }
        if !fleet.command.is_empty() {
            let output = run(&fleet.command).await.map_err(NoList::Command)?;
            let told = roster::told(&output).map_err(|untold| NoList::Command(untold.to_string()))?;
            found.extend(told);
        }
        Ok(found)
    }

    /// Read at each look, since it may be replaced.
    fn token(&self) -> Result<Option<AccessToken>, NoList> {
        let Sources::Named(config::rotation::Fleet { token: Some(token), .. }) = &self.sources else { return Ok(None) };
        Ok(Tokens::read(std::slice::from_ref(token))?.current().first().cloned())
    }
}

/// Everybody at these origins. A name that cannot be looked up stays a member, which will not answer.
async fn at_every_address(origins: &[String]) -> Vec<Member> {
    let mut looking = JoinSet::new();
    for origin in origins {
        let origin = origin.clone();
        looking.spawn(async move {
            let target = Target::parse(&origin).filter(Target::may_be_many);
            let found = match &target {
                Some(target) => Member::at_each(&origin, target, ask::addresses(target).await.unwrap_or_default()),
                None => Vec::new(),
            };
            if found.is_empty() { vec![Member::at(&origin)] } else { found }
        });
    }
    looking.join_all().await.into_iter().flatten().collect()
}

/// The address at which a sidecar of these settings answers on this machine.
fn own(address: Address) -> String {
    match address {
        Address::Localhost { port } => format!("http://localhost:{port}"),
        Address::Ip(address) if address.ip().is_unspecified() => format!("http://localhost:{}", address.port()),
        Address::Ip(address) => format!("http://{address}"),
    }
}

/// What one member says.
enum Said {
    Answer(Answer),
    NotServed,
}

async fn status(member: &Member, tls: &Arc<ClientConfig>, token: Option<&AccessToken>, whose: &Whose) -> Said {
    let read = |text: &[u8]| match Look::parse(text, whose) {
        Ok(look) => Said::Answer(Answer::Look(look)),
        Err(Unreadable::NotServed) => Said::NotServed,
        Err(unreadable @ (Unreadable::Malformed(_) | Unreadable::Newer(_))) => Said::Answer(Answer::Silent(unreadable.to_string())),
    };
    match &member.way {
        Way::Told(document) => read(document),
        Way::Gone => Said::Answer(Answer::Refuses),
        Way::Ask(target) => match ask::exchange(target, tls, token, Method::GET, "/status", STATUS).await {
            Ok(Heard { status: StatusCode::OK, body, speaker }) => match (read(&body), speaker) {
                (Said::Answer(Answer::Silent(_)), Speaker::Somebody) => another(StatusCode::OK),
                (said, Speaker::Admin | Speaker::Somebody) => said,
            },
            Ok(Heard { status, speaker: Speaker::Somebody, .. }) => another(status),
            Ok(Heard { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, .. }) => {
                Said::Answer(Answer::Silent("it wants another token than that of [rotation.fleet]".to_owned()))
            }
            Ok(Heard { status, .. }) => Said::Answer(Answer::Silent(format!("it answers {status} to GET /status"))),
            Err(ask::Unheard::Refused) => Said::Answer(Answer::Refuses),
            Err(unheard) => Said::Answer(Answer::Silent(unheard.to_string())),
        },
    }
}

/// Who answers there is not whom the settings mean.
fn another(status: StatusCode) -> Said {
    let words = "it is no admin listener: [rotation.fleet] names the address of [admin] or [admin.observe] of each sidecar";
    Said::Answer(Answer::Silent(format!("it answers {status} to GET /status; {words}")))
}

/// What a command prints.
async fn run(words: &[String]) -> Result<Bytes, String> {
    let program = Program { words, input: "", output: Output::Standard, most: LONGEST + 1, patience: COMMAND };
    let ran = program.run().await.map_err(|cause| format!("cannot be started: {cause}"))?;
    match ran.status {
        None => Err(format!("did not end within {} seconds", COMMAND.as_secs())),
        Some(status) if !status.success() => Err(format!("ended with {status}")),
        Some(_) if ran.said.len() > LONGEST => Err("printed too much".to_owned()),
        Some(_) => Ok(ran.said.into()),
    }
}
