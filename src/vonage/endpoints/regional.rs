//! Rows that a region moves, rows of api-eu.vonage.com, and the Messages sandbox.

use super::{ANY, BASIC_OR_JWT, Endpoint, GET, GET_POST, Group, JWT, POST, Regional, Scheme};
use crate::vonage::hosts::Host;

const VOICE: &str = "OpenAPI voice 1.10.0; survey (regions)";
const FILES: &str = "survey: the URL arrives in the webhook";
const MESSAGES: &str = "OpenAPI messages 1.20.0 (server list names the regions)";
const SANDBOX_SOURCE: &str = "survey: host messages-sandbox.nexmo.com, Basic or token";
const CONVERSATION: &str = "OpenAPI conversation 5.5.1; survey (regions)";
const OLD_CONVERSATION: &str = "OpenAPI conversation 2.0.1 and its branch for v0.3";
const NETWORK: &str = "survey: an application's token without acl; Python SDK (host api-eu.vonage.com)";

pub(super) const GROUPS: &[Group] = &[
    Group { first: "v1", rows: V1 },
    Group { first: "v3", rows: &[file("/v3/files/{id}")] },
    Group { first: "v0.1", rows: V0_1 },
    Group { first: "v0.2", rows: V0_2 },
    Group { first: "v0.3", rows: V0_3 },
    Group { first: "beta", rows: BETA },
    Group { first: "identity-insights", rows: IDENTITY },
    Group { first: "oauth2", rows: OAUTH },
    Group { first: "camara", rows: CAMARA },
    Group { first: "network-location", rows: LOCATION },
];

/// On the sandbox host the paths of Messages are these rows.
pub(super) static SANDBOX: [Endpoint; 2] = [
    Endpoint::new("messages-sandbox", Host::SANDBOX, POST, "/v1/messages").takes(BASIC_OR_JWT).source(SANDBOX_SOURCE),
    Endpoint::new("messages-sandbox", Host::SANDBOX, POST, "/v0.1/messages").takes(BASIC_OR_JWT).source(SANDBOX_SOURCE),
];

const V1: &[Endpoint] = &[
    Endpoint::new("calls-ping", Host::API, GET, "/v1/calls/ping")
        .takes(&[Scheme::Open])
        .refuses(&[])
        .repeatable()
        .regional(Regional::Voice)
        .source(VOICE),
    voice("calls", GET_POST, "/v1/calls").repeatable(),
    voice("call", &["GET", "PUT"], "/v1/calls/{id}").repeatable(),
    voice("call-stream", &["PUT", "DELETE"], "/v1/calls/{id}/stream"),
    voice("call-talk", &["PUT", "DELETE"], "/v1/calls/{id}/talk"),
    voice("call-dtmf", &["PUT"], "/v1/calls/{id}/dtmf"),
    voice("call-input-dtmf", &["PUT", "DELETE"], "/v1/calls/{id}/input/dtmf"),
    file("/v1/files/{id}"),
    Endpoint::new("messages", Host::API, POST, "/v1/messages").takes(BASIC_OR_JWT).regional(Regional::Messages).source(MESSAGES),
    Endpoint::new("message", Host::API, &["PATCH"], "/v1/messages/{id}").takes(JWT).regional(Regional::Messages).source(MESSAGES),
    conversation("conversations", "/v1/conversations/*"),
    conversation("legs", "/v1/legs/*"),
    conversation("users", "/v1/users/*"),
    Endpoint::new("meetings", Host::EUROPE, ANY, "/v1/meetings/*").takes(JWT).repeatable().source("OpenAPI meetings (ended)"),
    Endpoint::new("10dlc", Host::EUROPE, ANY, "/v1/10dlc/*").repeatable().source("OpenAPI 10dlc (a branch)"),
];

const fn voice(name: &'static str, methods: &'static [&'static str], path: &'static str) -> Endpoint {
    Endpoint::new(name, Host::API, methods, path).takes(JWT).regional(Regional::Voice).source(VOICE)
}

const fn file(path: &'static str) -> Endpoint {
    Endpoint::new("files", Host::API, GET, path).takes(JWT).regional(Regional::Voice).repeatable().source(FILES)
}

const fn conversation(name: &'static str, path: &'static str) -> Endpoint {
    Endpoint::new(name, Host::API, ANY, path).takes(JWT).regional(Regional::Voice).repeatable().source(CONVERSATION)
}

const V0_1: &[Endpoint] = &[
    Endpoint::new("messages-v0.1", Host::API, POST, "/v0.1/messages").takes(BASIC_OR_JWT).source("OpenAPI messages-olympus 0.4.0"),
    Endpoint::new("proactive-connect", Host::EUROPE, ANY, "/v0.1/bulk/*").takes(JWT).repeatable().source("PHP SDK (ended)"),
    old_conversation("conversations-v0.1", "/v0.1/conversations/*"),
    old_conversation("legs-v0.1", "/v0.1/legs/*"),
    old_conversation("users-v0.1", "/v0.1/users/*"),
];
const V0_2: &[Endpoint] = &[
    old_conversation("conversations-v0.2", "/v0.2/conversations/*"),
    old_conversation("legs-v0.2", "/v0.2/legs/*"),
    old_conversation("users-v0.2", "/v0.2/users/*"),
];
const V0_3: &[Endpoint] = &[
    old_conversation("conversations-v0.3", "/v0.3/conversations/*"),
    old_conversation("legs-v0.3", "/v0.3/legs/*"),
    old_conversation("users-v0.3", "/v0.3/users/*"),
];
const BETA: &[Endpoint] = &[
    Endpoint::new("meetings-beta", Host::EUROPE, ANY, "/beta/meetings/*").takes(JWT).repeatable().source("OpenAPI meetings (ended)"),
    old_conversation("conversations-beta", "/beta/conversations/*"),
    old_conversation("legs-beta", "/beta/legs/*"),
    old_conversation("users-beta", "/beta/users/*"),
];

const fn old_conversation(name: &'static str, path: &'static str) -> Endpoint {
    conversation(name, path).source(OLD_CONVERSATION)
}

const IDENTITY: &[Endpoint] = &[Endpoint::new("identity-insights", Host::EUROPE, POST, "/identity-insights/v1/requests")
    .takes(JWT)
    .regional(Regional::Insights)
    .source("OpenAPI identity-insights 1.0.0; survey (hosts api-eu and api-us)")];

const OAUTH: &[Endpoint] = &[
    // A phone opens this one at another host. Should it come here, it carries no credential of ours.
    Endpoint::new("oauth-auth", Host::EUROPE, GET, "/oauth2/auth").takes(&[Scheme::Open]).refuses(&[]).source(NETWORK),
    Endpoint::new("oauth", Host::EUROPE, POST, "/oauth2/*").takes(JWT).source(NETWORK),
];

/// These take an access token that `/oauth2/token` handed to the caller, which is not ours to replace.
const CAMARA: &[Endpoint] =
    &[Endpoint::new("camara", Host::EUROPE, POST, "/camara/*").takes(&[Scheme::PassThrough]).refuses(&[]).source(NETWORK)];

const LOCATION: &[Endpoint] = &[Endpoint::new("location-retrieval", Host::EUROPE, POST, "/network-location/v0.1/retrieval")
    .takes(JWT)
    .source("OpenAPI location-retrieval 0.4.0")];
