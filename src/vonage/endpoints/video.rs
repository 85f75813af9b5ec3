//! Rows of Video, and the one row of api.opentok.com.

use super::{ANY, Endpoint, Family, Group, JWT, POST, Scheme};
use crate::vonage::hosts::Host;

/// Video says 403 to a token it does not take; a gateway before it may say 401.
const FORBIDDEN: &[Family] = &[Family::VideoForbidden, Family::Problem, Family::ErrorCode];

const VIDEO: &str = "OpenAPI video 0.3.2";

pub(super) const GROUPS: &[Group] = &[
    Group { first: "session", rows: &[video("video-session", POST, "/session/create")] },
    Group { first: "v2", rows: &[video("video-project", ANY, "/v2/project/*").repeatable()] },
];

const fn video(name: &'static str, methods: &'static [&'static str], path: &'static str) -> Endpoint {
    Endpoint::new(name, Host::VIDEO, methods, path).takes(JWT).refuses(FORBIDDEN).source(VIDEO)
}

/// Every path of api.opentok.com: its tokens are signed with a project secret that Secret Management does not know,
/// so no credential of ours ever goes there.
pub(super) static OPENTOK: Endpoint = Endpoint::new("opentok", Host::OPENTOK, ANY, "/*")
    .takes(&[Scheme::PassThrough])
    .refuses(&[])
    .source("survey: X-OPENTOK-AUTH, signed with a project secret");
