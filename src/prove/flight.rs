//! Proofs that several requests wait for: one of them asks, the others hear the same answer.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OnceCell;

use super::Proof;
use crate::credentials::Uid;
use crate::vonage::hosts::Host;

type Flight = OnceCell<Proof>;

/// The proofs under way.
#[derive(Debug, Default)]
pub struct Flights {
    under_way: Mutex<HashMap<(Uid, Host), Weak<Flight>>>,
}

impl Flights {
    /// The outcome of `ask`, or of the one that is under way for this value and host. One whose caller leaves is taken up
    /// by another who waits.
    pub async fn join<F: Future<Output = Proof>>(&self, uid: Uid, host: Host, ask: impl FnOnce() -> F) -> Proof {
        let flight = self.flight(uid, host);
        *flight.get_or_init(ask).await
    }

    fn flight(&self, uid: Uid, host: Host) -> Arc<Flight> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = under_way.get(&(uid, host)).and_then(Weak::upgrade) {
            return flight;
        }
        under_way.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::default();
        under_way.insert((uid, host), Arc::downgrade(&flight));
        flight
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn many_who_ask_at_once_ask_once_and_a_later_one_asks_again() {
        let (flights, asked, go) = (Flights::default(), AtomicUsize::new(0), Notify::new());
        let ask = |uid| {
            let (flights, asked, go) = (&flights, &asked, &go);
            flights.join(Uid(uid), Host::API, move || async move {
                asked.fetch_add(1, Ordering::SeqCst);
                go.notified().await;
                Proof::Accepted
            })
        };
        let release = async {
            while asked.load(Ordering::SeqCst) < 2 {
                tokio::task::yield_now().await;
            }
            go.notify_waiters();
        };
        let (one, two, other, ()) = tokio::join!(ask(1), ask(1), ask(2), release);
        assert_eq!([one, two, other], [Proof::Accepted; 3]);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        go.notify_one();
        assert_eq!(ask(1).await, Proof::Accepted);
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn one_that_is_given_up_is_taken_over() {
        let flights = Flights::default();
        {
            let mut lost = std::pin::pin!(flights.join(Uid(1), Host::API, std::future::pending));
            assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(lost.as_mut().poll(cx).is_pending())).await);
        }
        assert_eq!(flights.join(Uid(1), Host::API, || async { Proof::Refused }).await, Proof::Refused);
    }
}
