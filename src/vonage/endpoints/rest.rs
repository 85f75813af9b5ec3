//! Rows of rest.nexmo.com.

use super::Scheme::{Basic, Form, Json, Query, Signature};
use super::{ANY_401, Endpoint, Family, GET, GET_POST, GET_POST_HEAD, Group, PATH, POST, SETTINGS, Scheme, TOP_UP};
use crate::vonage::hosts::Host;

/// 200 with status 4 for a wrong secret; 401 too, since the gateway took over authentication.
const BY_STATUS: &[Family] = &[Family::SmsStatus, Family::Problem, Family::ErrorCode];
/// Old software sends key and secret as parameters, and the gateway still takes them.
const BASIC_OR_PARAMETERS: &[Scheme] = &[Basic, Query, Form, Json];

const SMS: &str = "OpenAPI sms 1.5.1 (Basic or signature), 1.0.10 (form, JSON, query); gateway tests SMS (HEAD answers)";
const SEARCH: &str = "Ruby SDK (query parameters); survey (JSON on POST)";
const SHORT_CODES: &str = "Ruby SDK (parameters); survey (signature; Basic in newer SDKs)";
const ACCOUNT: &str = "OpenAPI account 1.0.4 (Basic), 1.0.3 (parameters); gateway tests Account (query and JSON work)";
const PRICING: &str = "OpenAPI pricing 0.0.3; survey (query before, Basic now)";
const NUMBERS: &str = "OpenAPI numbers 1.1.0 (Basic), 1.0.20 (query)";
const OLD_NUMBERS: &str = "gateway tests Numbers: the old calls with key and secret in the path are live";

pub(super) const GROUPS: &[Group] = &[
    Group { first: "sms", rows: SMS_ROWS },
    Group { first: "search", rows: SEARCH_ROWS },
    Group { first: "sc", rows: SHORT_CODE_ROWS },
    Group { first: "ussd", rows: &[ussd("/ussd/json")] },
    Group { first: "ussd-prompt", rows: &[ussd("/ussd-prompt/json")] },
    Group { first: "account", rows: ACCOUNT_ROWS },
    Group { first: "pricing", rows: &[pricing("/pricing/{country}/jsonp").source("gateway tests: still routed")] },
    Group { first: "number", rows: NUMBER_ROWS },
    Group { first: "phonebook", rows: PHONEBOOK_ROWS },
];

const fn row(name: &'static str, methods: &'static [&'static str], path: &'static str) -> Endpoint {
    Endpoint::new(name, Host::REST, methods, path)
}

const SMS_ROWS: &[Endpoint] =
    &[row("sms", GET_POST_HEAD, "/sms/{format}").takes(&[Basic, Signature, Form, Json, Query]).refuses(BY_STATUS).source(SMS)];

const SEARCH_ROWS: &[Endpoint] = &[search("/search/message"), search("/search/messages"), search("/search/rejections")];

const fn search(path: &'static str) -> Endpoint {
    row("message-search", GET_POST, path).takes(&[Query, Json]).repeatable().source(SEARCH)
}

const SHORT_CODE_ROWS: &[Endpoint] = &[
    short_code("/sc/us/2fa/{format}"),
    short_code("/sc/us/alert/opt-in/query/json"),
    short_code("/sc/us/alert/opt-in/manage/json"),
    short_code("/sc/us/alert/{format}"),
    short_code("/sc/us/marketing/json"),
];

const fn short_code(path: &'static str) -> Endpoint {
    row("short-code", GET_POST, path).takes(&[Basic, Signature, Query, Form]).refuses(BY_STATUS).source(SHORT_CODES)
}

/// No source tells what a refusal looks like here, so a 200 is not judged.
const fn ussd(path: &'static str) -> Endpoint {
    row("ussd", POST, path).takes(&[Form, Query]).source("old SDKs; no description exists")
}

const ACCOUNT_ROWS: &[Endpoint] = &[
    row("balance", GET, "/account/get-balance").takes(BASIC_OR_PARAMETERS).repeatable().source(ACCOUNT),
    row("top-up", POST, "/account/top-up").takes(BASIC_OR_PARAMETERS).manages(TOP_UP).source(ACCOUNT),
    row("settings", POST, "/account/settings").takes(BASIC_OR_PARAMETERS).manages(SETTINGS).source(ACCOUNT),
    pricing("/account/get-pricing/outbound/{type}"),
    pricing("/account/get-full-pricing/outbound/{type}"),
    pricing("/account/get-prefix-pricing/outbound/{type}"),
    row("numbers", GET, "/account/numbers").takes(&[Basic, Query]).repeatable().source(NUMBERS),
    by_path("numbers-by-path", GET, "/account/numbers/{key}/{secret}").source(OLD_NUMBERS),
];

const fn pricing(path: &'static str) -> Endpoint {
    row("pricing", GET, path).takes(&[Basic, Query]).repeatable().source(PRICING)
}

const NUMBER_ROWS: &[Endpoint] = &[
    row("number-search", GET, "/number/search").takes(&[Basic, Query]).repeatable().source(NUMBERS),
    number_order("number-buy", "/number/buy"),
    number_order("number-cancel", "/number/cancel"),
    number_order("number-update", "/number/update"),
    by_path("number-search-by-path", GET, "/number/search/{key}/{secret}/{country}").source(OLD_NUMBERS),
    by_path("number-buy-by-path", POST, "/number/buy/{key}/{secret}/{country}/{msisdn}").source(OLD_NUMBERS),
    by_path("number-cancel-by-path", POST, "/number/cancel/{key}/{secret}/{country}/{msisdn}").source(OLD_NUMBERS),
    by_path("number-update-by-path", POST, "/number/update/{key}/{secret}/{country}/{msisdn}").source(OLD_NUMBERS),
];

/// The body is a form, so an old caller's key and secret may stand there as well as in the query.
const fn number_order(name: &'static str, path: &'static str) -> Endpoint {
    row(name, POST, path).takes(&[Basic, Query, Form]).source(NUMBERS)
}

const PHONEBOOK_ROWS: &[Endpoint] =
    &[by_path("phonebook", POST, "/phonebook/check/{key}/{secret}/{country}").source("gateway tests only; no description exists")];

const fn by_path(name: &'static str, methods: &'static [&'static str], path: &'static str) -> Endpoint {
    row(name, methods, path).takes(PATH).refuses(ANY_401)
}
