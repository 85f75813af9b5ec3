//! What the sidecars' own words prove: who has taken the new secret in, and who still uses the old one.
//!
//! A sidecar has *converged* when it shows the revision of the deploy, believes in the secret that stays, and had it
//! accepted from where it is since we began to watch. It is *quiet* when it has not used the secret that goes for the
//! soak, and has run for as long.
//!
//! Invariants: generations are never compared, since they count in one process each; only ages are, since clocks differ.
//! Silence is never consent: a sidecar that was seen once counts until it has left the list and refused connections
//! for [`GONE_AFTER`]. Nobody is not everybody, and of several sidecars behind one name none has a say.
//!
//! Not here: finding and asking sidecars. Facts: the contract of `/status` (`admin::status`), of which this reads what
//! it needs and no more.

use std::fmt;
use std::time::{Duration, Instant};

use crate::secret::{Revision, SecretId};

mod document;
#[cfg(test)]
mod tests;

pub use document::{Unreadable, Whose};

/// A sidecar that left the list and refuses connections for so long is gone.
pub const GONE_AFTER: Duration = Duration::from_secs(300);

/// Why a name behind which several sidecars are has no say.
const SEVERAL: &str = "several sidecars answer there by turns, of which only one is seen at a time: name each by an address of its own";

/// What one sidecar says about one account.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Another one after each start.
    pub boot_id: String,
    /// Since it started.
    pub uptime: Duration,
    /// The mark of the deploy whose file it has.
    pub revision: Option<Revision>,
    /// What it holds, retiring values too.
    pub secrets: Vec<Held>,
    /// Tokens for clients that it has made and that are alive; none of an account.
    pub client_tokens: u64,
}

/// A secret or private key that a sidecar holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The provider's id, when its file has it.
    pub id: Option<SecretId>,
    /// Since it was last on a request; none if never.
    pub unused_for: Option<Duration>,
    /// Since the provider last accepted it; none if never.
    pub accepted_ago: Option<Duration>,
    /// What is believed of it.
    pub trust: Trust,
    /// Requests that were answered with it.
    pub served: u64,
}

/// What a sidecar believes of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Nothing speaks against it.
    Trusted,
    /// It was refused at a host and not accepted there since.
    Doubted,
}

/// What was seen of one sidecar.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// Its name.
    pub name: String,
    /// Whether it is in the list of today.
    pub listing: Listing,
    /// What it says.
    pub answer: Answer,
}

/// Whether a sidecar is in the list of today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// It is.
    Listed,
    /// It was in one before.
    Left,
}

/// What a sidecar says.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// This.
    Look(Look),
    /// Something else, or nothing in time.
    Silent(String),
    /// Nobody listens there.
    Refuses,
}

impl Look {
    fn held(&self, id: &SecretId) -> Option<&Held> {
        self.secrets.iter().find(|held| held.id.as_ref() == Some(id))
    }
}

/// What every sidecar is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The mark of the deploy.
    pub revision: &'a Revision,
    /// The secret that stays.
    pub stays: &'a SecretId,
    /// What it must have come to there.
    pub must: Must,
    /// The secret that goes, and for how long it must have been unused.
    pub goes: Option<(&'a SecretId, Duration)>,
}

/// What a sidecar must have done with the secret that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Must {
    /// It holds it; the provider may not know it yet.
    Hold,
    /// It had it accepted since we began to watch, and believes in it.
    Accept,
}

/// Whether the gate is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// So many sidecars have answered as they should; there is none that has not.
    Open(usize),
    /// No sidecar was found.
    Nobody,
    /// Fewer than there must be.
    TooFew(usize),
    /// The file that reaches this one has no ids.
    WithoutIds(String),
    /// These have not; those that could try the secret by themselves are to be asked.
    Shut {
        /// Who, and why.
        on: Vec<Blocking>,
        /// Whom to ask.
        ask: Vec<String>,
    },
}

/// A sidecar that keeps the gate shut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocking {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: Why,
}

/// Why a sidecar keeps the gate shut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It says nothing that can be read.
    Silent(String),
    /// Its file is of another deploy.
    OtherRevision,
    /// It has not had the secret accepted yet.
    NotAccepted,
    /// It had the secret refused.
    Doubts,
    /// It used the old secret so long ago, or has not run for longer.
    NotQuiet(Duration),
}

impl fmt::Display for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.why {
            Why::Silent(cause) => write!(f, "{name} does not answer ({cause})"),
            Why::OtherRevision => write!(f, "{name} has the file of another deploy"),
            Why::NotAccepted => write!(f, "{name} has not had the secret accepted yet"),
            Why::Doubts => write!(f, "{name} had the secret refused"),
            Why::NotQuiet(idle) => write!(f, "{name} may have used the old secret {} s ago", idle.as_secs()),
        }
    }
}

/// Everyone seen since the deploy.
#[derive(Debug, Clone)]
pub struct Watch {
    /// When watching began: what was accepted before proves nothing.
    began: Instant,
    members: Vec<Member>,
}

#[derive(Debug, Clone)]
struct Member {
    last: Sighting,
    /// Since when it has been off the list and refusing connections.
    gone_since: Option<Instant>,
    behind: Behind,
}

/// Who is behind a name.
#[derive(Debug, Clone)]
enum Behind {
    /// One sidecar, with the names of its starts; the last one is that of now.
    One(Vec<String>),
    /// Several: a start was seen again after another one, and no start comes twice.
    Several,
}

impl Behind {
    fn and(self, boot_id: &str) -> Self {
        match self {
            Self::One(starts) if starts.last().is_some_and(|last| last == boot_id) => Self::One(starts),
            Self::One(starts) if starts.iter().any(|start| start == boot_id) => Self::Several,
            Self::One(starts) => Self::One(starts.into_iter().chain([boot_id.to_owned()]).collect()),
            Self::Several => Self::Several,
        }
    }
}

impl Watch {
    /// Begins to watch, knowing the names of those seen in an earlier run.
    pub fn begin(known: &[String], now: Instant) -> Self {
        let unseen = |name: &String| Member {
            last: Sighting { name: name.clone(), listing: Listing::Left, answer: Answer::Silent("not asked yet".to_owned()) },
            gone_since: None,
            behind: Behind::One(Vec::new()),
        };
        Self { began: now, members: known.iter().map(unseen).collect() }
    }

    /// The names of all that count.
    pub fn names(&self) -> Vec<String> {
        self.members.iter().map(|member| member.last.name.clone()).collect()
    }

    /// The tokens for clients that all of them have made and that are alive.
    pub fn client_tokens(&self) -> u64 {
        let of = |member: &Member| match &member.last.answer {
            Answer::Look(look) => look.client_tokens,
            Answer::Silent(_) | Answer::Refuses => 0,
        };
        self.members.iter().map(of).sum()
    }

    /// Takes in a look. Returns the names of those that are dropped by it.
    pub fn note(&mut self, seen: Vec<Sighting>, now: Instant) -> Vec<String> {
        for mut sighting in seen {
            let known = self.members.iter().position(|member| member.last.name == sighting.name);
            let earlier = known.and_then(|at| self.members.get(at)).and_then(|member| member.gone_since);
            let gone_since = match (sighting.listing, &sighting.answer) {
                (Listing::Left, Answer::Refuses) => Some(earlier.unwrap_or(now)),
                (Listing::Left, Answer::Look(_) | Answer::Silent(_)) | (Listing::Listed, _) => None,
            };
            let before = known.and_then(|at| self.members.get(at)).map_or(Behind::One(Vec::new()), |member| member.behind.clone());
            let behind = match &sighting.answer {
                Answer::Look(look) => before.and(&look.boot_id),
                Answer::Silent(_) | Answer::Refuses => before,
            };
            if let (Behind::Several, Answer::Look(_)) = (&behind, &sighting.answer) {
                sighting.answer = Answer::Silent(SEVERAL.to_owned());
            }
            let member = Member { last: sighting, gone_since, behind };
            match known.and_then(|at| self.members.get_mut(at)) {
                Some(place) => *place = member,
                None => self.members.push(member),
            }
        }
        let gone = |member: &Member| member.gone_since.is_some_and(|since| now.saturating_duration_since(since) >= GONE_AFTER);
        self.members.extract_if(.., |member| gone(member)).map(|member| member.last.name).collect()
    }

    /// Whether the gate is open, for which at least `expect` sidecars must be listed.
    pub fn gate(&self, question: &Question<'_>, expect: usize, now: Instant) -> Gate {
        let watched = now.saturating_duration_since(self.began);
        let mut on = Vec::new();
        let mut ask = Vec::new();
        for member in &self.members {
            let name = &member.last.name;
            match answer(&member.last.answer, question, watched) {
                Ok(()) => {}
                Err(Shut::WithoutIds) => return Gate::WithoutIds(name.clone()),
                Err(Shut::Because(why)) => {
                    if matches!(why, Why::NotAccepted | Why::Doubts) {
                        ask.push(name.clone());
                    }
                    on.push(Blocking { name: name.clone(), why });
                }
            }
        }
        let listed = self.members.iter().filter(|member| member.last.listing == Listing::Listed).count();
        if self.members.is_empty() {
            Gate::Nobody
        } else if !on.is_empty() {
            Gate::Shut { on, ask }
        } else if listed < expect {
            Gate::TooFew(listed)
        } else {
            Gate::Open(self.members.len())
        }
    }
}

/// Those that say nothing, when nobody says anything: such a fleet can give no leave.
pub fn all_silent(seen: &[Sighting]) -> Option<Vec<Blocking>> {
    let silent = |sighting: &Sighting| {
        let cause = match &sighting.answer {
            Answer::Look(_) => return None,
            Answer::Silent(cause) => cause.clone(),
            Answer::Refuses => "connection refused".to_owned(),
        };
        Some(Blocking { name: sighting.name.clone(), why: Why::Silent(cause) })
    };
    seen.iter().map(silent).collect()
}

enum Shut {
    WithoutIds,
    Because(Why),
}

/// Whether one sidecar's answer is as it should be.
fn answer(answer: &Answer, question: &Question<'_>, watched: Duration) -> Result<(), Shut> {
    let look = match answer {
        Answer::Look(look) => look,
        Answer::Silent(cause) => return Err(Shut::Because(Why::Silent(cause.clone()))),
        Answer::Refuses => return Err(Shut::Because(Why::Silent("connection refused".to_owned()))),
    };
    if look.revision.as_ref() != Some(question.revision) {
        return Err(Shut::Because(Why::OtherRevision));
    }
    let stays = look.held(question.stays).ok_or(Shut::WithoutIds)?;
    match question.must {
        Must::Accept if stays.trust == Trust::Doubted => return Err(Shut::Because(Why::Doubts)),
        Must::Accept if stays.accepted_ago.is_none_or(|ago| ago > watched) => return Err(Shut::Because(Why::NotAccepted)),
        Must::Hold | Must::Accept => {}
    }
    let Some((goes, soak)) = question.goes else { return Ok(()) };
    let goes = look.held(goes).ok_or(Shut::WithoutIds)?;
    let idle = goes.unused_for.unwrap_or(look.uptime).min(look.uptime);
    if idle < soak { Err(Shut::Because(Why::NotQuiet(idle))) } else { Ok(()) }
}
