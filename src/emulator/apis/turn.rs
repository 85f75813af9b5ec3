//! What an endpoint is given and what it gives back: an admitted request with the world, an answer with what was done.

use http::Method;

use crate::emulator::checks::admission::Admission;
use crate::emulator::exchange::call::Call;
use crate::emulator::exchange::reply::Reply;
use crate::emulator::world::state::{Account, World};

/// What an endpoint does with an admitted request.
pub(in crate::emulator) type Handler = fn(&mut Turn<'_>) -> Done;

/// An admitted request and the world that it may change.
pub(in crate::emulator) struct Turn<'a> {
    pub(in crate::emulator) world: &'a mut World,
    pub(in crate::emulator) call: &'a Call,
    pub(in crate::emulator) who: &'a Admission,
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
pub(in crate::emulator) struct Done {
    pub(in crate::emulator) reply: Reply,
    pub(in crate::emulator) executed: bool,
}

impl Done {
    /// Something was sent, charged or changed.
    pub(in crate::emulator) fn executed(reply: Reply) -> Self {
        Self { reply, executed: true }
    }

    /// Nothing was.
    pub(in crate::emulator) fn only(reply: Reply) -> Self {
        Self { reply, executed: false }
    }
}
