//! Whom the rotation of a key pair waits for. What may come between, in all combinations, is in `tests/it/rotation`.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::task::Window;
use super::*;
use crate::jwt::generate;
use crate::rotation::Delivered;
use crate::rotation::evidence::{self, Held, Listing, Look, Sighting, Trust};
use crate::rotation::machine::{Next, Now, State as _};
use crate::rotation::plan::Fleet;
use crate::secret::{ApiKey, ApplicationId};

fn key() -> SigningKey {
    SigningKey::parse(&generate::key_pair().unwrap().private).unwrap()
}

struct Counted(u32);

impl Counted {
    fn word(&mut self) -> String {
        self.0 += 1;
        format!("n{}", self.0)
    }
}

impl Chance for Counted {
    fn key(&mut self) -> Option<SigningKey> {
        Some(key())
    }

    fn revision(&mut self) -> Revision {
        Revision::parse(&self.word()).unwrap()
    }

    fn name(&mut self) -> SecretId {
        SecretId::parse(&self.word()).unwrap()
    }
}

fn begun(window: Window, now: Now) -> Machine {
    let plan = Plan {
        account: ApiKey::parse("abcd1234").unwrap(),
        task: Task { application: ApplicationId::parse("app-1").unwrap(), window },
        fleet: Fleet::Watched { expect: 1 },
        prove_times: 1,
        prove_for: Duration::ZERO,
        overlap: Duration::ZERO,
        poll: Duration::from_secs(5),
        give_up: Duration::from_secs(60),
        patience: Duration::from_secs(600),
    };
    Machine::begin(Start { rotation: Revision::parse("one").unwrap(), plan, memory: Memory::default() }, now)
}

#[test]
fn it_says_whom_it_waits_for_and_for_which_hour() {
    let mut now = Now { instant: crate::clock::now(), date: SystemTime::UNIX_EPOCH };
    let mut machine = begun("02:00-04:30".parse().unwrap(), now);
    let (old, mut chance, mut waits) = (key(), Counted(0), Vec::new());
    let item = Delivered { value: old.clone(), label: Label::default() };
    let secrets = vec![ApiSecret::parse("OldValue1").unwrap()];
    let mut file = File { keys: crate::rotation::File { items: vec![item], revision: None }, secrets };
    while waits.len() < 2 {
        let effect = match machine.next(now, &mut chance) {
            Next::Do(effect) => effect,
            Next::Wait(until) => {
                waits.push((machine.journal().state.word(), machine.waits_for().to_vec()));
                now.instant = until;
                continue;
            }
            Next::End(end) => panic!("{end}"),
        };
        let outcome = match &effect {
            Effect::ReadFile => Outcome::File(file.clone()),
            Effect::Call(_) => Outcome::Answer(Answer::Resource(json!({ "keys": { "public_key": old.public_pem() } }))),
            Effect::Deploy(deploy) => {
                file.keys.items = deploy.items.iter().map(|key| Delivered { value: key.value.clone(), label: key.label() }).collect();
                file.keys.revision = Some(deploy.revision.clone());
                Outcome::Done
            }
            // Silent at first.
            Effect::Look { .. } => Outcome::Seen(vec![if waits.is_empty() { silent() } else { holding(&file) }]),
            Effect::Save | Effect::TrySinks | Effect::Prove { .. } | Effect::AskMembers { .. } | Effect::Report(_) => Outcome::Done,
        };
        machine.take(&effect, outcome, now);
    }
    let words = |words: &str| vec![words.to_owned()];
    assert_eq!(waits[0], ("spread", words("one does not answer (no answer in time)")));
    assert_eq!(waits[1], ("spread", words("the window opens at 02:00 and closes at 04:30 UTC")));
}

fn silent() -> Sighting {
    let answer = evidence::Answer::Silent("no answer in time".to_owned());
    Sighting { name: "one".to_owned(), listing: Listing::Listed, answer }
}

fn holding(file: &File) -> Sighting {
    let held = |item: &Delivered<SigningKey>| Held {
        id: item.label.id.clone(),
        unused_for: None,
        accepted_ago: None,
        trust: Trust::Trusted,
        served: 0,
    };
    let secrets = file.keys.items.iter().map(held).collect();
    let revision = file.keys.revision.clone();
    let look = Look { boot_id: "b".to_owned(), uptime: Duration::from_secs(1000), revision, secrets, client_tokens: 0 };
    Sighting { name: "one".to_owned(), listing: Listing::Listed, answer: evidence::Answer::Look(look) }
}
