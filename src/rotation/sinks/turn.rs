//! One delivery at a time, each made from what the one before shows.
//!
//! Which deploy is made on top of which is written down before it is made.

use std::time::Duration;

use super::{Delivery, NotDelivered, Scope, Sink, Sinks, blocking, target};
use crate::clock;
use crate::credentials::edit;
use crate::files::Lock;
use crate::rotation::lineage::{self, Lineage};

/// How long others may take to deliver, who may wait for a file to arrive.
const TURN: Duration = Duration::from_mins(10);
/// How often a turn that somebody else has is tried for again.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a delivered file may take to come back: the kubelet takes up to a minute and a half.
const ARRIVAL: Duration = Duration::from_mins(3);
/// How often it is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

impl Sinks {
    /// Delivers to every sink in order, and ends at the first that fails. To do it again is safe. One delivery at a time:
    /// which one was made on top of which is written down before.
    pub async fn deliver(&self, delivery: &Delivery) -> Result<(), NotDelivered> {
        let _turn = self.turn(delivery).await?;
        self.deliver_now(delivery).await
    }

    /// The same, and it has come back to the credentials file, whoever writes that. Until then nobody else delivers: the
    /// next file is made from what this one shows.
    pub async fn deliver_and_see(&self, delivery: &Delivery) -> Result<(), NotDelivered> {
        let _turn = self.turn(delivery).await?;
        self.deliver_now(delivery).await?;
        let end = clock::now() + ARRIVAL;
        while !self.shows(delivery).await? {
            if clock::now() >= end {
                return Err(NotDelivered::NotArrived(self.credentials.clone()));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// What was deployed on top of what.
    pub fn lineage(&self) -> Result<Lineage, NotDelivered> {
        Ok(lineage::disk::load(&self.state_dir)?)
    }

    async fn shows(&self, delivery: &Delivery) -> Result<bool, NotDelivered> {
        let (reader, delivery) = (self.clone(), delivery.clone());
        blocking(move || Ok(edit::holds(&reader.read()?.parsed, &delivery.changes, &delivery.revision))).await
    }

    /// Whether what is delivered is not for the credentials file at all.
    fn goes_elsewhere(&self) -> bool {
        self.all.iter().any(|sink| matches!(sink, Sink::File { path, scope: Scope::Own } if *path != self.credentials))
    }

    async fn turn(&self, delivery: &Delivery) -> Result<Lock, NotDelivered> {
        let turn = self.alone().await?;
        let (sinks, delivery) = (self.clone(), delivery.clone());
        blocking(move || {
            if sinks.goes_elsewhere() {
                return Ok(turn);
            }
            let parsed = sinks.read()?.parsed;
            target::as_expected(&sinks.credentials, &parsed, &delivery, &target::Absent::Added(parsed.clone()))?;
            if let Some(before) = &parsed.revision {
                lineage::disk::note(&sinks.state_dir, &delivery.revision, before)?;
            }
            Ok(turn)
        })
        .await
    }

    /// Waits for the others between two tries and never in one: a process that is told to end does not wait with it.
    async fn alone(&self) -> Result<Lock, NotDelivered> {
        let end = clock::now() + TURN;
        loop {
            let state_dir = self.state_dir.clone();
            match blocking(move || Ok(lineage::disk::turn(&state_dir)?)).await? {
                Some(turn) => return Ok(turn),
                None if clock::now() >= end => return Err(NotDelivered::Locked(self.credentials.clone())),
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}
