//! Turns the value that was chosen into what goes onto the request.

use http::HeaderValue;

use super::attempt::{Failure, Pick};
use crate::credentials::Keyring;
use crate::inject::Credential;
use crate::proxy::fault::Fault;
use crate::proxy::whose::Wanted;

/// A value, ready to be put on.
pub(super) enum Presented {
    /// A finished `Authorization` header.
    Header(HeaderValue),
}

impl Presented {
    pub(super) fn credential(&self) -> Credential<'_> {
        match self {
            Self::Header(header) => Credential::Header(header),
        }
    }

    /// The provider says that its time is over.
    pub(super) fn discard(&self, wanted: &Wanted, pick: &Pick) {
        let Keyring::Keys(application) = &pick.keyring else { return };
        let Self::Header(header) = self;
        if let Some(slot) = application.keys.iter().find(|slot| slot.uid == pick.uid) {
            slot.value.discard(&wanted.rights, header);
        }
    }
}

/// What the value of this attempt looks like on the request.
pub(super) async fn present(wanted: &Wanted, pick: &Pick) -> Result<Presented, Failure> {
    match &pick.keyring {
        Keyring::Secrets(account) | Keyring::Signatures(account) => {
            let slot = account.secrets.iter().find(|slot| slot.uid == pick.uid).ok_or(Failure::Unsent(Fault::NoCredentials))?;
            Ok(Presented::Header(slot.value.header.clone()))
        }
        Keyring::Keys(application) => {
            let slot = application.keys.iter().find(|slot| slot.uid == pick.uid).ok_or(Failure::Unsent(Fault::NoCredentials))?;
            slot.value.bearer(&wanted.rights).await.map(Presented::Header).map_err(|_| Failure::Unsent(Fault::NoPrivateKey))
        }
    }
}
