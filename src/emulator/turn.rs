//! What an endpoint is given and what it gives back: an admitted request with the world, an answer with what was done.

use http::Method;

use super::admission::Admission;
use super::call::Call;
use super::reply::Reply;
use super::state::{Account, World};

/// What an endpoint does with an admitted request.
pub(super) type Handler = fn(&mut Turn<'_>) -> Done;

/// An admitted request and the world that it may change.
pub(super) struct Turn<'a> {
    pub(super) world: &'a mut World,
    pub(super) call: &'a Call,
    pub(super) who: &'a Admission,
}

impl Turn<'_> {
    /// The caller's account; none where no credential was asked for.
    pub(super) fn account(&mut self) -> Option<&mut Account> {
        self.world.accounts.get_mut(&self.who.account)
    }

    /// Spends this many euros of the caller's balance; whether there was enough.
    pub(super) fn charge(&mut self, price: f64) -> bool {
        self.account().is_none_or(|account| account.charge(price))
    }

    pub(super) fn is(&self, method: &Method) -> bool {
        self.call.method == *method
    }
}

/// An answer, and whether something was sent, charged or changed for it.
pub(super) struct Done {
    pub(super) reply: Reply,
    pub(super) executed: bool,
}

impl Done {
    /// Something was sent, charged or changed.
    pub(super) fn executed(reply: Reply) -> Self {
        Self { reply, executed: true }
    }

    /// Nothing was.
    pub(super) fn only(reply: Reply) -> Self {
        Self { reply, executed: false }
    }
}
