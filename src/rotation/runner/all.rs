//! Many accounts at once: those that are managed by others first, those that manage them last.
//!
//! Each has a journal of its own, so that a run that was cut short goes on where each of them was. An account that
//! manages others is left alone until they are done: it is what they are managed with.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{NotRun, Order, Ran, Rotator, Tell};
use crate::rotation::secrets::End;
use crate::secret::ApiKey;

/// Accounts rotated at once.
const AT_ONCE: usize = 4;

/// How many rotate at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A few.
    SideBySide,
    /// One.
    InTurn,
}

/// What came of one of them.
#[derive(Debug)]
pub enum Came {
    /// A run.
    Ran(Ran),
    /// No run.
    NotRun(NotRun),
    /// It was not begun, since this one, which it manages, is not done.
    Waits(ApiKey),
}

impl Came {
    /// Whether there is nothing left to do for it.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Ran(Ran::Over(End::Ended(_)) | Ran::NothingBegun))
    }
}

impl Rotator {
    /// Rotates the accounts of these orders.
    pub async fn rotate_all(&self, orders: Vec<Order>, pace: Pace, tell: &Tell) -> Result<Vec<(ApiKey, Came)>, NotRun> {
        let family = self.accounts()?;
        let manages = |order: &Order| family.iter().any(|(_, primary)| primary.as_ref() == Some(&order.account));
        let (last, first): (Vec<Order>, Vec<Order>) = orders.into_iter().partition(manages);
        let mut came = self.rotate_some(first, pace, tell).await;
        let mut ready = Vec::new();
        for order in last {
            let is_below = |key: &ApiKey| family.iter().any(|(child, primary)| child == key && primary.as_ref() == Some(&order.account));
            match came.iter().find(|(key, came)| is_below(key) && !came.is_done()).map(|(key, _)| key.clone()) {
                Some(child) => came.push((order.account.clone(), Came::Waits(child))),
                None => ready.push(order),
            }
        }
        came.extend(self.rotate_some(ready, pace, tell).await);
        Ok(came)
    }

    async fn rotate_some(&self, orders: Vec<Order>, pace: Pace, tell: &Tell) -> Vec<(ApiKey, Came)> {
        let permits = Arc::new(Semaphore::new(match pace {
            Pace::SideBySide => AT_ONCE,
            Pace::InTurn => 1,
        }));
        let mut running = JoinSet::new();
        for (place, order) in orders.into_iter().enumerate() {
            let (rotator, permits, tell) = (self.clone(), Arc::clone(&permits), Arc::clone(tell));
            running.spawn(async move {
                let _turn = permits.acquire_owned().await;
                let came = rotator.rotate(&order, &tell).await.map_or_else(Came::NotRun, Came::Ran);
                (place, order.account, came)
            });
        }
        let mut came = Vec::new();
        while let Some(one) = running.join_next().await {
            came.push(one.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
        }
        came.sort_by_key(|(place, ..)| *place);
        came.into_iter().map(|(_, key, came)| (key, came)).collect()
    }
}
