//! Rows of api.nexmo.com that no region moves.

use super::Scheme::{Basic, Form, Json, Query, Signature};
use super::{
    ANY, APPLICATIONS, BASIC_OR_JWT, Endpoint, Family, GET, GET_POST, GET_POST_HEAD, Group, JWT, POST, PSIP, SECRETS, SUBACCOUNTS, Scheme,
    WRITES,
};
use crate::vonage::hosts::Host;

/// 200 with status 4; 401 too, since the gateway took over authentication.
const VERIFY_STATUS: &[Family] = &[Family::VerifyStatus, Family::Problem, Family::ErrorCode];
const INSIGHT_STATUS: &[Family] = &[Family::InsightStatus, Family::Problem, Family::ErrorCode];

const SECRET_MANAGEMENT: &str = "OpenAPI secret-management and account 1.0.4; SDKs (host api.nexmo.com)";
const SUBACCOUNT_SOURCE: &str = "OpenAPI subaccounts 1.0.8";
const APPLICATION_V1: &str = "OpenAPI application 1.0.2";
const APPLICATION_V2: &str = "OpenAPI application-v2 2.4.1";
const VERIFY_V1: &str = "OpenAPI verify 1.2.4 (Basic), 1.1.7 (parameters); gateway tests Verify (JSON body, GET, HEAD)";
const VERIFY_V2: &str = "OpenAPI verify-v2 1.0.1";
const INSIGHT: &str = "OpenAPI number-insight 1.2.1 (Basic), 1.1.2 (parameters); gateway tests Number Insight";
const REPORTS: &str = "OpenAPI reports 3.1.4";
const MEDIA: &str = "OpenAPI media 1.0.2; reports 3.1.4 (the same path hands out report files)";
const AUDIT: &str = "OpenAPI audit 1.0.6 (OPTIONS takes Basic too)";
const PROVISIONING: &str = "OpenAPI external-accounts 0.1.5";
const SIP: &str = "survey (methods are not named)";

pub(super) const GROUPS: &[Group] = &[
    Group { first: "accounts", rows: ACCOUNTS },
    Group { first: "verify", rows: VERIFY },
    Group { first: "ni", rows: INSIGHTS },
    Group { first: "number", rows: OLD_INSIGHTS },
    Group { first: "conversions", rows: CONVERSIONS },
    Group { first: "v0.1", rows: V0_1 },
    Group { first: "v1", rows: V1 },
    Group { first: "v2", rows: V2 },
    Group { first: "v3", rows: V3 },
    Group { first: "beta", rows: BETA },
];

const fn row(name: &'static str, methods: &'static [&'static str], path: &'static str) -> Endpoint {
    Endpoint::new(name, Host::API, methods, path)
}

/// `{owner}` is not a credential: it names the account that the call is about.
const ACCOUNTS: &[Endpoint] = &[
    row("secrets", GET_POST, "/accounts/{owner}/secrets").manages(SECRETS).repeatable().source(SECRET_MANAGEMENT),
    row("secret", &["GET", "DELETE"], "/accounts/{owner}/secrets/{id}").manages(SECRETS).repeatable().source(SECRET_MANAGEMENT),
    subaccounts("subaccounts", GET_POST, "/accounts/{owner}/subaccounts"),
    subaccounts("subaccount", &["GET", "PATCH"], "/accounts/{owner}/subaccounts/{sub}"),
    subaccounts("credit-transfers", GET_POST, "/accounts/{owner}/credit-transfers"),
    subaccounts("balance-transfers", GET_POST, "/accounts/{owner}/balance-transfers"),
    subaccounts("transfer-number", POST, "/accounts/{owner}/transfer-number"),
];

const fn subaccounts(name: &'static str, methods: &'static [&'static str], path: &'static str) -> Endpoint {
    row(name, methods, path).manages(SUBACCOUNTS).repeatable().source(SUBACCOUNT_SOURCE)
}

const VERIFY_SCHEMES: &[Scheme] = &[Basic, Form, Json, Query];

const VERIFY: &[Endpoint] = &[
    row("verify-network-unblock", POST, "/verify/network-unblock").takes(VERIFY_SCHEMES).source(VERIFY_V1),
    row("verify-templates", POST, "/verify/templates").takes(VERIFY_SCHEMES).source(VERIFY_V1),
    verify("verify-request", GET_POST_HEAD, "/verify/{format}"),
    verify("verify-check", GET_POST_HEAD, "/verify/check/{format}"),
    verify("verify-control", GET_POST_HEAD, "/verify/control/{format}"),
    verify("verify-psd2", GET_POST_HEAD, "/verify/psd2/{format}"),
    verify("verify-search", GET_POST, "/verify/search/{format}").repeatable(),
];

const fn verify(name: &'static str, methods: &'static [&'static str], path: &'static str) -> Endpoint {
    row(name, methods, path).takes(VERIFY_SCHEMES).refuses(VERIFY_STATUS).source(VERIFY_V1)
}

const INSIGHTS: &[Endpoint] = &[
    insight("/ni/{format}"),
    insight("/ni/basic/{format}"),
    insight("/ni/standard/{format}"),
    insight("/ni/advanced/{format}"),
    insight("/ni/advanced/async/{format}"),
];

const OLD_INSIGHTS: &[Endpoint] =
    &[insight("/number/lookup/{format}"), insight("/number/format/{format}"), insight("/number/insight/{format}")];

/// A GET is charged, so none is ever repeated.
const fn insight(path: &'static str) -> Endpoint {
    row("number-insight", GET_POST, path).takes(&[Basic, Query, Form, Json]).refuses(INSIGHT_STATUS).source(INSIGHT)
}

const CONVERSIONS: &[Endpoint] = &[conversion("/conversions/sms"), conversion("/conversions/voice")];

const fn conversion(path: &'static str) -> Endpoint {
    row("conversion", POST, path).takes(&[Basic, Signature, Query, Form]).source("OpenAPI conversion 1.0.1; SDKs (Basic)")
}

const V0_1: &[Endpoint] = &[
    row("dispatch", POST, "/v0.1/dispatch").takes(BASIC_OR_JWT).source("OpenAPI dispatch 0.3.3"),
    row("whatsapp-manager", ANY, "/v0.1/whatsapp-manager/*").takes(BASIC_OR_JWT).repeatable().source("OpenAPI whatsapp-provisioning 0.1.4"),
    row("athena", ANY, "/v0.1/athena/*").takes(JWT).source("OpenAPI athena (a branch, never released): what a GET does is not known"),
];

const V1: &[Endpoint] = &[
    application_v1("applications-v1", GET, "/v1/applications").repeatable(),
    application_v1("applications-v1-write", POST, "/v1/applications").manages(APPLICATIONS),
    application_v1("application-v1", GET, "/v1/applications/{id}").repeatable(),
    application_v1("application-v1-write", &["PUT", "DELETE"], "/v1/applications/{id}").manages(APPLICATIONS),
    row("psip", GET, "/v1/psip/*").repeatable().source(SIP),
    row("psip-write", WRITES, "/v1/psip/*").manages(PSIP).source(SIP),
    row("addresses", ANY, "/v1/addresses/*").repeatable().source(SIP),
    row("emergency", ANY, "/v1/emergency/numbers/{number}").repeatable().source(SIP),
    row("rcs-manager", ANY, "/v1/channel-manager/rcs/*")
        .takes(BASIC_OR_JWT)
        .repeatable()
        .source("gateway tests (an Authorization header; the scheme is not shown)"),
    row("redact", POST, "/v1/redact/transaction").source("OpenAPI redact 1.1.0"),
];

const fn application_v1(name: &'static str, methods: &'static [&'static str], path: &'static str) -> Endpoint {
    row(name, methods, path).takes(&[Query]).source(APPLICATION_V1)
}

const V2: &[Endpoint] = &[
    row("applications", GET, "/v2/applications").repeatable().source(APPLICATION_V2),
    row("applications-write", POST, "/v2/applications").manages(APPLICATIONS).source(APPLICATION_V2),
    row("application", GET, "/v2/applications/{id}").repeatable().source(APPLICATION_V2),
    row("application-write", &["PUT", "DELETE"], "/v2/applications/{id}").manages(APPLICATIONS).source(APPLICATION_V2),
    row("pricing-v2", GET, "/v2/account/pricing/{service}").repeatable().source("survey"),
    row("verify-v2", POST, "/v2/verify").takes(BASIC_OR_JWT).source(VERIFY_V2),
    verify_templates("/v2/verify/templates"),
    verify_templates("/v2/verify/templates/{id}"),
    verify_templates("/v2/verify/templates/{id}/template_fragments"),
    verify_templates("/v2/verify/templates/{id}/template_fragments/{fragment}"),
    row("verify-v2-request", &["POST", "DELETE"], "/v2/verify/{id}").takes(BASIC_OR_JWT).source(VERIFY_V2),
    row("verify-v2-next", POST, "/v2/verify/{id}/next_workflow").takes(BASIC_OR_JWT).source(VERIFY_V2),
    row("verify-v2-silent-auth", GET, "/v2/verify/{id}/silent-auth/redirect").takes(&[Scheme::Open]).refuses(&[]).source(VERIFY_V2),
    row("fraud-insight", POST, "/v2/ni").source("survey (Number Insight v2, gone from most SDKs)"),
    row("calls-v2", POST, "/v2/calls").takes(JWT).source("OpenAPI voice.v2 2.2.2"),
    row("report-records", GET, "/v2/reports/records").repeatable().source(REPORTS),
    row("reports", GET_POST, "/v2/reports").repeatable().source(REPORTS),
    row("report", &["GET", "DELETE"], "/v2/reports/{id}").repeatable().source(REPORTS),
    row("number-pools", ANY, "/v2/pools/{owner}/*").repeatable().source("OpenAPI number-pools (a branch)"),
];

const fn verify_templates(path: &'static str) -> Endpoint {
    row("verify-v2-templates", &["GET", "POST", "PATCH", "DELETE"], path).takes(BASIC_OR_JWT).repeatable().source(VERIFY_V2)
}

const V3: &[Endpoint] = &[
    row("media", GET, "/v3/media").takes(BASIC_OR_JWT).repeatable().source(MEDIA),
    row("media-item", &["GET", "DELETE"], "/v3/media/{id}").takes(BASIC_OR_JWT).repeatable().source(MEDIA),
    row("media-info", &["GET", "PUT"], "/v3/media/{id}/info").takes(BASIC_OR_JWT).repeatable().source(MEDIA),
];

const BETA: &[Endpoint] = &[
    row("audit-events", &["GET", "OPTIONS"], "/beta/audit/events").repeatable().source(AUDIT),
    row("audit-event", GET, "/beta/audit/events/{id}").repeatable().source(AUDIT),
    row("external-accounts", ANY, "/beta/chatapp-accounts/*").takes(BASIC_OR_JWT).repeatable().source(PROVISIONING),
];
