//! Turns the value that was chosen into what goes onto the request.

use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::HeaderValue;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::pick::Pick;
use super::{Ask, AskBody};
use crate::clock;
use crate::credentials::{Account, Basic, Keyring, Slot, Uid};
use crate::inject::{Credential, Parameter, Place, signature};
use crate::jwt::{Rights, Signer};
use crate::proxy::fault::Fault;
use crate::proxy::whose::{Form, Wanted};
use crate::secret::{ApiKey, ApiSecret};
use crate::vonage::parameters;

/// A value, ready to be put on.
pub(super) enum Presented {
    /// Key and secret in a finished header.
    Basic(HeaderValue),
    /// A token, by the key that made it.
    Token(HeaderValue, Signer, Rights),
    /// Parameters.
    Parameters(Place, Vec<Parameter>),
    /// Segments of the path.
    Path((usize, usize), ApiKey, ApiSecret),
}

impl Presented {
    pub(super) fn credential(&self) -> Credential<'_> {
        match self {
            Self::Basic(header) | Self::Token(header, ..) => Credential::Header(header),
            Self::Parameters(place, parameters) => Credential::Parameters(*place, parameters),
            Self::Path(at, key, secret) => Credential::Path { at: *at, key, secret },
        }
    }

    /// The provider says that its time is over: only a token has one.
    pub(super) fn discard(&self) {
        match self {
            Self::Token(header, signer, rights) => signer.discard(rights, header),
            Self::Basic(_) | Self::Parameters(..) | Self::Path(..) => {}
        }
    }
}

/// What the value of this attempt looks like on the request.
pub(super) async fn present(ask: &Ask, wanted: &Wanted, pick: &Pick) -> Result<Presented, Failure> {
    let presented = match (wanted, &pick.keyring) {
        (Wanted::Secret(_, form), Keyring::Secrets(account)) => find(&account.secrets, pick.uid).map(|slot| secret(account, slot, *form)),
        (Wanted::Signature(_, place), Keyring::Signatures(account)) => Some(signed(ask, account, *place, pick.uid)?),
        (Wanted::Token(_, rights), Keyring::Keys(application)) => match find(&application.keys, pick.uid) {
            None => None,
            Some(slot) => {
                let header = slot.value.bearer(rights).await.map_err(|_| Failure::Unsent(Fault::NoPrivateKey))?;
                Some(Presented::Token(header, slot.value.clone(), rights.clone()))
            }
        },
        // A pick is of the keyring that is wanted.
        (Wanted::Secret(..) | Wanted::Signature(..) | Wanted::Token(..), _) => None,
    };
    presented.ok_or(Failure::Unsent(Fault::NoCredentials))
}

fn find<V>(slots: &[Slot<V>], uid: Uid) -> Option<&Slot<V>> {
    slots.iter().find(|slot| slot.uid == uid)
}

fn secret(account: &Account, slot: &Slot<Basic>, form: Form) -> Presented {
    let Basic { secret, header } = &slot.value;
    match form {
        Form::Header => Presented::Basic(header.clone()),
        Form::Path(at) => Presented::Path(at, account.key.clone(), secret.clone()),
        Form::Parameters(place) => Presented::Parameters(
            place,
            vec![
                (parameters::KEY, Zeroizing::new(account.key.to_string())),
                (parameters::SECRET, Zeroizing::new(secret.as_parameter().to_owned())),
            ],
        ),
    }
}

/// Signs this attempt, with the time of now.
fn signed(ask: &Ask, account: &Account, place: Place, uid: Uid) -> Result<Presented, Failure> {
    let slot = find(&account.signatures, uid).ok_or(Failure::Unsent(Fault::NoCredentials))?;
    let body = match &ask.body {
        AskBody::Whole(bytes) => bytes.clone(),
        AskBody::None | AskBody::Teed(_) => Bytes::new(),
    };
    let signed = signature::signed_parameters(ask.stripped.head().uri.query(), &body, ask.carried);
    let signed = signed.map_err(|_| Failure::Unsent(Fault::Unsignable))?;
    let timestamp = clock::wall().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let parameters = signature::sign(&account.key, &slot.value, account.signature_method, signed, timestamp);
    Ok(Presented::Parameters(place, parameters))
}
