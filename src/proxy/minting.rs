//! Makes the tokens that [`super::mint`] allows.

use std::sync::PoisonError;

use bytes::Bytes;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use hyper::body::Incoming;

use super::answer::AnswerBody;
use super::entrance::Entrance;
use super::fault::Fault;
use super::{Proxy, mint, token};
use crate::clock;
use crate::config::Mint;
use crate::credentials::keyring::Keyring;
use crate::credentials::standing::Trial;
use crate::inject::strip::Claims as CallerClaims;
use crate::jwt::claims::Claims;
use crate::vonage::hosts::Host;

impl Proxy {
    /// One token, signed by the key that requests are signed by now.
    pub(super) async fn mint(&self, head: Parts, body: Incoming, mint: &Mint, entrance: &Entrance) -> Result<Response<AnswerBody>, Fault> {
        let tokens = entrance.tokens.current();
        let presence = token::in_head(&head.headers, entrance.via, &tokens);
        token::settle(presence, &CallerClaims::default(), &tokens)?;
        let (body, _share) = self.read_whole(body).await?;
        if body.len() > mint::LONGEST {
            return Err(Fault::MintMalformed);
        }
        let order = mint::order(&body, mint)?;
        let snapshot = self.store.load();
        let application = mint::application(&order, &entrance.listen, &snapshot)?;
        let keys = Keyring::Keys(std::sync::Arc::clone(&application));
        let uid = keys.opinion().lock().order(&keys.candidates(), Host::API, Trial::No, clock::now()).first().copied();
        let slot = uid.and_then(|uid| application.keys.iter().find(|slot| slot.uid == uid)).ok_or(Fault::NoApplication)?;
        let key = slot.value.key.clone();
        let now = slot.value.now();
        let claims = Claims::new(&application.id, order.claims, order.life, now, clock::random()).map_err(|_| Fault::MintClaim)?;
        let expires = claims.expires;
        // A signature takes about a millisecond, which is long for a thread that serves others.
        let signed = tokio::task::spawn_blocking(move || key.sign(&claims)).await;
        let signed = signed.map_err(|_| Fault::MintFailed)?.map_err(|_| Fault::MintFailed)?;
        application.handed_out.lock().unwrap_or_else(PoisonError::into_inner).note(expires, now);
        let document = serde_json::json!({ "jwt": signed.hand_out(), "expires_in": order.life.as_secs() });
        let mut answer = Response::new(AnswerBody::own(Bytes::from(format!("{document}\n"))));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(answer)
    }
}
