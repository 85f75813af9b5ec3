//! Where an admitted request goes, and how it is treated there. Pure.

use http::request::Parts;

use super::fault::Fault;
use super::guard::{Admitted, Chosen};
use crate::config::Listen;
use crate::vonage::endpoints::{self, Endpoint, Repeat, Scheme};
use crate::vonage::hosts::{Host, Label, Region};

/// A request with its row of the table and its host. Made by [`route`] only.
#[derive(Debug)]
pub struct Routed {
    /// Its head.
    pub head: Parts,
    /// Its row.
    pub endpoint: &'static Endpoint,
    /// Where it goes.
    pub host: Host,
    /// Whether a bodiless GET or HEAD may be repeated.
    pub repeat: Repeat,
    /// Whose credential it carries.
    pub treatment: Treatment,
}

/// Whose credential a request carries. Which of ours is decided from what the caller claims (`whose`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// One of ours.
    Ours,
    /// The caller's own, of another kind, which passes.
    PassThrough,
    /// None: the endpoint is open.
    Open,
}

/// Finds row, host and treatment.
pub fn route(admitted: Admitted, listen: &Listen, region: Option<Region>) -> Result<Routed, Fault> {
    let label = match (admitted.chosen(), listen.host) {
        (Chosen::ByPath, None) => None,
        (Chosen::ByPath, Some(host)) => Some(Label::Host(host)),
        (Chosen::Label(label), None) => Some(label),
        (Chosen::Label(Label::Host(chosen)), Some(host)) if chosen == host => Some(Label::Host(host)),
        (Chosen::Label(_), Some(_)) => return Err(Fault::HostLimited),
    };
    let set = match label {
        Some(Label::Host(host)) => Some(host.set()),
        Some(Label::Region(_)) | None => None,
    };
    let matched = endpoints::lookup(set, admitted.method(), admitted.path());
    let host = endpoints::destination(matched.endpoint, region, label);
    let treatment = treatment(matched.endpoint);
    Ok(Routed { head: admitted.into_head(), endpoint: matched.endpoint, host, repeat: matched.repeat, treatment })
}

fn treatment(endpoint: &Endpoint) -> Treatment {
    if endpoint.schemes.contains(&Scheme::PassThrough) {
        Treatment::PassThrough
    } else if endpoint.schemes.contains(&Scheme::Open) {
        Treatment::Open
    } else {
        Treatment::Ours
    }
}
