//! How a history begins: what the account and the file have, and what is asked for.

use std::time::Duration;

use vonage_sidecar::credentials::Keep;
use vonage_sidecar::rotation::plan::Fleet;
use vonage_sidecar::rotation::secrets::task::{Approve, Emergency, Mode, Task};
use vonage_sidecar::rotation::secrets::{File, Plan};
use vonage_sidecar::secret::{ApiKey, ApiSecret, SecretId};

use super::luck::Luck;
use super::sidecars::OLDEST;
use super::world::{Maker, World, delivered};

/// What proves a secret: so many acceptances in a row over so long a time.
pub const PROOF: (u32, Duration) = (3, Duration::from_secs(4));

/// What the account and the file have at first.
pub fn set_up(world: &mut World, luck: &mut Luck) -> (Vec<SecretId>, Mode) {
    let (day, hour) = (Duration::from_secs(86_400), Duration::from_secs(3600));
    let maker = luck.of(&[Maker::Tool, Maker::Tool, Maker::Owner]);
    let a = world.old("a", maker, day);
    let mut items = vec![delivered(&a.value, luck.of(&[None, Some(&a.id)]), Keep::No)];
    match luck.below(12) {
        0..4 => {}
        4..6 => {
            let b = world.old("b", luck.of(&[Maker::Tool, Maker::Owner]), hour);
            let ids = luck.of(&[0, 1, 1, 1]);
            items[0].label.id = (ids == 1).then(|| a.id.clone());
            let other = delivered(&b.value, (ids == 1).then_some(&b.id), luck.of(&[Keep::No, Keep::No, Keep::Yes]));
            items.insert(luck.place(2), other);
        }
        6..8 => {
            let kept = world.old("k", Maker::Owner, luck.of(&[hour, day + day]));
            items[0].label.id = Some(a.id.clone());
            items.push(delivered(&kept.value, Some(&kept.id), Keep::Yes));
        }
        8 => items[0].label.keep = Keep::Yes,
        9 => {
            let dead = ApiSecret::parse("dead").unwrap();
            items.insert(luck.place(2), delivered(&dead, None, Keep::No));
        }
        10 => {
            world.old("f", Maker::Stranger, hour);
        }
        _ => {
            world.lag = Duration::ZERO;
        }
    }
    world.write(File { items, revision: None });
    let leaked = luck.of(&[None, Some(a.id.clone())]);
    let deadline = luck.of(&[Duration::ZERO, Duration::from_secs(120)]);
    let emergency = Mode::Emergency(Emergency { leaked, deadline });
    let mode = if luck.percent(80) { Mode::Rotate } else { luck.of(&[Mode::Drill, emergency.clone(), emergency]) };
    let made = world.secrets.iter().filter(|secret| secret.maker == Maker::Tool).map(|secret| secret.id.clone()).collect();
    (made, mode)
}

/// What is asked for.
pub fn plan(mode: Mode, luck: &mut Luck) -> Plan {
    Plan {
        account: ApiKey::parse("abcd1234").unwrap(),
        task: Task {
            mode,
            approve: luck.of(&[Approve::First, Approve::First, Approve::Always, Approve::Never]),
            soak: luck.of(&[Duration::from_secs(5), Duration::from_secs(30)]),
            revoke_lag: Duration::from_secs(120),
        },
        fleet: if luck.percent(8) { Fleet::Unwatched } else { Fleet::Watched { expect: 1 } },
        prove_times: PROOF.0,
        prove_for: PROOF.1,
        overlap: OLDEST,
        poll: Duration::from_secs(10),
        give_up: Duration::from_secs(60),
        patience: Duration::from_secs(400),
    }
}
