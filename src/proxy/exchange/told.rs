//! What the log line of a request tells.

use std::time::Duration;

use http::Method;
use http::request::Parts;

use super::pick::Pick;
use crate::credentials::Generation;
use crate::credentials::keyring::Called;
use crate::proxy::route::Routed;
use crate::secret::{ApiKey, ApplicationId};
use crate::vonage::endpoints::Endpoint;
use crate::vonage::hosts::Host;

/// Filled in on the way.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Told {
    pub method: Method,
    pub path: String,
    pub endpoint: Option<&'static Endpoint>,
    pub host: Option<Host>,
    pub account: Option<ApiKey>,
    pub application: Option<ApplicationId>,
    pub secret: Option<Called>,
    pub generation: Generation,
    pub attempts: u32,
    pub held: Duration,
    pub code: Option<&'static str>,
}

impl Told {
    pub(in crate::proxy) fn request(&mut self, head: &Parts) {
        self.method = head.method.clone();
        head.uri.path().clone_into(&mut self.path);
    }

    pub(in crate::proxy) fn routed(&mut self, routed: &Routed) {
        self.endpoint = Some(routed.endpoint);
        self.host = Some(routed.host);
    }

    pub(in crate::proxy) fn account(&mut self, key: &ApiKey) {
        self.account = Some(key.clone());
    }

    pub(super) fn attempt(&mut self, pick: &Pick) {
        self.attempts += 1;
        self.application = pick.keyring.application().cloned();
        self.generation = pick.generation;
        self.secret = Some(pick.keyring.name(pick.uid));
    }
}
