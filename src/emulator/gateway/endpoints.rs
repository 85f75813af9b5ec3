//! The emulator's own table of the provider: which path is what, on which host, with which credentials.
//!
//! It is written from the facts a second time on purpose: a mistake in the table under test must be seen here. Order
//! matters, the first row that matches is it. A path in no row is answered after a check of whatever credential it has.
//!
//! Facts: API specifications of 2021 and 2026 (hosts, paths, methods, schemes); the gateway tests (old path-credential
//! forms, GET and HEAD that send, a plain 403 for a method that is not allowed and 404 for a path that is unknown,
//! both before any check of credentials).

use http::Method;

use crate::emulator::apis::turn::Handler;
use crate::emulator::apis::{account, applications, generic, insight, messages, numbers, secrets, sms, subaccounts, verify, verify_v2};

/// A set of paths that some hosts serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emulator) enum Set {
    Rest,
    Api,
    Eu,
    Video,
    Sandbox,
}

impl Set {
    /// The host that is meant when the `Host` header names none of the provider's.
    pub(super) const fn host(self) -> &'static str {
        match self {
            Self::Rest => "rest.nexmo.com",
            Self::Api => "api.nexmo.com",
            Self::Eu => "api-eu.vonage.com",
            Self::Video => "video.api.vonage.com",
            Self::Sandbox => "messages-sandbox.nexmo.com",
        }
    }
}

/// A way to present a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Basic,
    /// `api_key` and `api_secret` in the query, a form or a JSON body.
    Parameters,
    Signature,
    /// Two path segments; this is the index of the key, the secret follows.
    Path(usize),
    Jwt,
    /// An access token of a network API: opaque to us.
    Access,
    Nothing,
}

/// In which words a credential is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Sms,
    VerifyV1,
    Insight,
    ErrorCode,
    Numbers,
    Pricing,
    Problem,
    /// The misspelt type of Account 1.0.4, Messages and Reports.
    Unathorized,
    VerifyV2,
    Voice,
    Conversation,
    Audit,
    External,
    Conversion,
    Video,
    OAuth,
}

/// One endpoint.
pub(in crate::emulator) struct Row {
    /// Segments: a word, `*` for any one, `**` for the rest.
    pub(super) pattern: &'static str,
    methods: &'static [Method],
    pub(super) on: &'static [Set],
    pub(super) schemes: &'static [Scheme],
    pub(super) family: Family,
    /// The product that an account must have.
    pub(super) product: &'static str,
    pub(super) handler: Handler,
}

impl Row {
    pub(super) fn allows(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }

    pub(super) fn accepts(&self, scheme: Scheme) -> bool {
        self.schemes.contains(&scheme)
    }

    /// Where the key stands in the path, if the path carries credentials.
    pub(super) fn key_segment(&self) -> Option<usize> {
        self.schemes.iter().find_map(|scheme| match scheme {
            Scheme::Path(index) => Some(*index),
            Scheme::Basic | Scheme::Parameters | Scheme::Signature | Scheme::Jwt | Scheme::Access | Scheme::Nothing => None,
        })
    }

    fn matches(&self, segments: &[String]) -> bool {
        let mut given = segments.iter();
        for part in self.pattern.split('/').skip(1) {
            match (part, given.next()) {
                ("**", _) => return true,
                ("*", Some(_)) => {}
                (word, Some(segment)) if word == segment => {}
                (_, Some(_) | None) => return false,
            }
        }
        given.next().is_none()
    }
}

/// The sets that a host serves; none when the host is not the provider's.
pub(in crate::emulator) fn sets_of(host: &str) -> Option<&'static [Set]> {
    let name = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    match name.as_str() {
        "video.api.vonage.com" => return Some(&[Set::Video]),
        "messages-sandbox.nexmo.com" => return Some(&[Set::Sandbox]),
        _ => {}
    }
    let label = name.strip_suffix(".nexmo.com").or_else(|| name.strip_suffix(".vonage.com"))?;
    match (label, name.ends_with(".vonage.com")) {
        ("rest", false) => Some(&[Set::Rest]),
        (label, false) if label.starts_with("rest-") => Some(&[Set::Rest]),
        ("api", false) => Some(&[Set::Api]),
        (label, false) if label.starts_with("api-") => Some(&[Set::Api]),
        (label, true) if label.starts_with("api-") => Some(&[Set::Api, Set::Eu]),
        (_, true | false) => None,
    }
}

/// What the `Host` header and the path lead to.
pub(in crate::emulator) enum Found {
    Row(&'static Row),
    /// The host does not serve this path.
    NoSuchPath,
}

/// Looks up a path on the sets of a host, or on all when the host is not the provider's.
pub(in crate::emulator) fn find(segments: &[String], sets: Option<&[Set]>) -> Found {
    let matching = || ROWS.iter().filter(|row| row.matches(segments));
    let served = |row: &&Row| sets.is_none_or(|sets| row.on.iter().any(|set| sets.contains(set)));
    match (matching().find(served), matching().next()) {
        (Some(row), _) => Found::Row(row),
        (None, Some(_)) => Found::NoSuchPath,
        (None, None) => Found::Row(&UNKNOWN),
    }
}

const ANY: &[Method] = &[];
const GET: &[Method] = &[Method::GET];
const POST: &[Method] = &[Method::POST];
const GET_POST: &[Method] = &[Method::GET, Method::POST];
const SENDS: &[Method] = &[Method::GET, Method::POST, Method::HEAD];

const B: &[Scheme] = &[Scheme::Basic];
const LEGACY: &[Scheme] = &[Scheme::Basic, Scheme::Parameters];
const SIGNED: &[Scheme] = &[Scheme::Basic, Scheme::Parameters, Scheme::Signature];
const JWT: &[Scheme] = &[Scheme::Jwt];
const B_JWT: &[Scheme] = &[Scheme::Basic, Scheme::Jwt];
const ACCESS: &[Scheme] = &[Scheme::Access];
const OPEN: &[Scheme] = &[Scheme::Nothing];
const PATH_2: &[Scheme] = &[Scheme::Path(2)];

const REST: &[Set] = &[Set::Rest];
const API: &[Set] = &[Set::Api];
const API_REST: &[Set] = &[Set::Api, Set::Rest];
const API_SANDBOX: &[Set] = &[Set::Api, Set::Sandbox];
const API_EU: &[Set] = &[Set::Api, Set::Eu];
const EU: &[Set] = &[Set::Eu];
const VIDEO: &[Set] = &[Set::Video];

static UNKNOWN: Row =
    row("/**", ANY, API_REST, &[Scheme::Basic, Scheme::Jwt, Scheme::Parameters], Family::Problem, "other", generic::answer);

const fn row(
    pattern: &'static str,
    methods: &'static [Method],
    on: &'static [Set],
    schemes: &'static [Scheme],
    family: Family,
    product: &'static str,
    handler: Handler,
) -> Row {
    Row { pattern, methods, on, schemes, family, product, handler }
}

static ROWS: &[Row] = &[
    // rest.nexmo.com
    row("/sms/json", SENDS, REST, SIGNED, Family::Sms, "sms", sms::send),
    row("/sms/xml", SENDS, REST, SIGNED, Family::Sms, "sms", sms::send),
    row("/sc/us/alert/opt-in/*/json", GET_POST, REST, SIGNED, Family::Sms, "short-codes", generic::answer),
    row("/sc/us/2fa/*", SENDS, REST, SIGNED, Family::Sms, "short-codes", sms::send),
    row("/sc/us/alert/*", SENDS, REST, SIGNED, Family::Sms, "short-codes", sms::send),
    row("/sc/us/marketing/*", SENDS, REST, SIGNED, Family::Sms, "short-codes", sms::send),
    row("/ussd/json", POST, REST, LEGACY, Family::Sms, "ussd", sms::send),
    row("/ussd-prompt/json", POST, REST, LEGACY, Family::Sms, "ussd", sms::send),
    row("/search/*", GET_POST, REST, LEGACY, Family::ErrorCode, "search", generic::answer),
    row("/account/get-balance", GET, REST, LEGACY, Family::ErrorCode, "account", account::balance),
    row("/account/top-up", GET_POST, REST, LEGACY, Family::ErrorCode, "account", account::top_up),
    row("/account/settings", GET_POST, REST, LEGACY, Family::ErrorCode, "account", account::settings),
    row("/account/get-pricing/outbound/*", GET, REST, LEGACY, Family::Pricing, "pricing", account::pricing),
    row("/account/get-full-pricing/outbound/*", GET, REST, LEGACY, Family::Pricing, "pricing", account::pricing),
    row("/account/get-prefix-pricing/outbound/*", GET, REST, LEGACY, Family::Pricing, "pricing", account::pricing),
    row("/pricing/*/jsonp", GET, REST, LEGACY, Family::Pricing, "pricing", account::pricing),
    row("/account/numbers", GET, REST, LEGACY, Family::Numbers, "numbers", numbers::list),
    row("/account/numbers/*/*", GET_POST, REST, PATH_2, Family::Numbers, "numbers", numbers::list),
    row("/number/search", GET, REST, LEGACY, Family::Numbers, "numbers", numbers::search),
    row("/number/buy", POST, REST, LEGACY, Family::Numbers, "numbers", numbers::buy),
    row("/number/cancel", POST, REST, LEGACY, Family::Numbers, "numbers", numbers::cancel),
    row("/number/update", POST, REST, LEGACY, Family::Numbers, "numbers", numbers::update),
    row("/number/search/*/*/*", GET_POST, REST, PATH_2, Family::Numbers, "numbers", numbers::search),
    row("/number/buy/*/*/*/*", GET_POST, REST, PATH_2, Family::Numbers, "numbers", numbers::buy),
    row("/number/cancel/*/*/*/*", GET_POST, REST, PATH_2, Family::Numbers, "numbers", numbers::cancel),
    row("/number/update/*/*/*/*", GET_POST, REST, PATH_2, Family::Numbers, "numbers", numbers::update),
    row("/phonebook/check/*/*/*", POST, REST, PATH_2, Family::Numbers, "phonebook", generic::answer),
    // api.nexmo.com
    row("/accounts/*/secrets", GET_POST, API_REST, B, Family::Problem, "account", secrets::collection),
    row("/accounts/*/secrets/*", &[Method::GET, Method::DELETE], API_REST, B, Family::Problem, "account", secrets::member),
    row("/accounts/*/subaccounts", GET_POST, API, B, Family::Problem, "subaccounts", subaccounts::collection),
    row("/accounts/*/subaccounts/*", &[Method::GET, Method::PATCH], API, B, Family::Problem, "subaccounts", subaccounts::member),
    row("/accounts/*/*", GET_POST, API, B, Family::Problem, "subaccounts", subaccounts::transfers),
    row("/v2/account/pricing/*", GET, API, B, Family::Unathorized, "pricing", account::pricing),
    row("/v1/applications/**", ANY, API, LEGACY, Family::Problem, "applications", generic::answer),
    row("/v2/applications", GET_POST, API, B, Family::Problem, "applications", applications::collection),
    row("/v2/applications/*", &[Method::GET, Method::PUT, Method::DELETE], API, B, Family::Problem, "applications", applications::member),
    row("/verify/templates", POST, API, B, Family::VerifyV2, "verify", generic::answer),
    row("/verify/network-unblock", POST, API, B, Family::VerifyV2, "verify", generic::answer),
    row("/verify/check/*", SENDS, API, LEGACY, Family::VerifyV1, "verify", verify::check),
    row("/verify/control/*", SENDS, API, LEGACY, Family::VerifyV1, "verify", verify::control),
    row("/verify/search/*", GET_POST, API, LEGACY, Family::VerifyV1, "verify", verify::search),
    row("/verify/psd2/*", SENDS, API, LEGACY, Family::VerifyV1, "verify", verify::request),
    row("/verify/*", SENDS, API, LEGACY, Family::VerifyV1, "verify", verify::request),
    row("/v2/verify", POST, API, B_JWT, Family::VerifyV2, "verify-v2", verify_v2::start),
    row("/v2/verify/templates/**", ANY, API, B_JWT, Family::VerifyV2, "verify-v2", generic::answer),
    row("/v2/verify/*/silent-auth/redirect", GET, API, OPEN, Family::VerifyV2, "verify-v2", generic::answer),
    row("/v2/verify/*/next_workflow", POST, API, B_JWT, Family::VerifyV2, "verify-v2", verify_v2::next_workflow),
    row("/v2/verify/*", &[Method::POST, Method::DELETE], API, B_JWT, Family::VerifyV2, "verify-v2", verify_v2::member),
    row("/ni/**", SENDS, API, LEGACY, Family::Insight, "number-insight", insight::look_up),
    row("/number/lookup/*", SENDS, API, LEGACY, Family::Insight, "number-insight", insight::look_up),
    row("/number/format/*", SENDS, API, LEGACY, Family::Insight, "number-insight", insight::look_up),
    row("/number/insight/*", SENDS, API, LEGACY, Family::Insight, "number-insight", insight::look_up),
    row("/v2/ni", POST, API, B, Family::Problem, "fraud", generic::charged),
    row("/v1/calls/ping", GET, API, OPEN, Family::Voice, "voice", generic::answer),
    row("/v1/calls", GET_POST, API, JWT, Family::Voice, "voice", generic::calls),
    row("/v1/calls/**", ANY, API, JWT, Family::Voice, "voice", generic::charged_unless_get),
    row("/v2/calls", POST, API, JWT, Family::Voice, "voice", generic::calls),
    row("/v1/files/*", GET, API, JWT, Family::Voice, "voice", generic::file),
    row("/v3/files/*", GET, API, JWT, Family::Voice, "voice", generic::file),
    row("/v1/psip/**", ANY, API, B, Family::Problem, "psip", generic::answer),
    row("/v1/addresses/**", ANY, API, B, Family::Problem, "emergency", generic::answer),
    row("/v1/emergency/**", ANY, API, B, Family::Problem, "emergency", generic::answer),
    row("/v1/messages", POST, API_SANDBOX, B_JWT, Family::Unathorized, "messages", messages::send),
    row("/v1/messages/*", &[Method::PATCH], API, JWT, Family::Unathorized, "messages", generic::answer),
    row("/v0.1/messages", POST, API_SANDBOX, B_JWT, Family::Unathorized, "messages", messages::send),
    row("/v0.1/dispatch", POST, API, B_JWT, Family::Unathorized, "dispatch", messages::send),
    row("/beta/chatapp-accounts/**", ANY, API, B_JWT, Family::External, "external-accounts", generic::answer),
    row("/v0.1/whatsapp-manager/**", ANY, API, B_JWT, Family::External, "whatsapp", generic::answer),
    row("/v1/channel-manager/**", ANY, API, B_JWT, Family::External, "rcs", generic::answer),
    row("/conversions/sms", GET_POST, API, SIGNED, Family::Conversion, "conversion", generic::conversion),
    row("/conversions/voice", GET_POST, API, SIGNED, Family::Conversion, "conversion", generic::conversion),
    row("/v1/redact/transaction", POST, API, B, Family::Voice, "redact", generic::redact),
    row("/v2/reports/records", GET, API, B, Family::Unathorized, "reports", generic::records),
    row("/v2/reports/**", &[Method::GET, Method::POST, Method::DELETE], API, B, Family::Unathorized, "reports", generic::reports),
    row("/v3/media", GET, API, B_JWT, Family::Unathorized, "media", generic::media),
    row("/v3/media/*", &[Method::GET, Method::DELETE], API, B_JWT, Family::Unathorized, "media", generic::file),
    row("/v3/media/*/info", &[Method::GET, Method::PUT], API, B_JWT, Family::Unathorized, "media", generic::answer),
    row("/beta/audit/events/**", &[Method::GET, Method::OPTIONS], API, B, Family::Audit, "audit", generic::events),
    row("/v1/conversations/**", ANY, API, JWT, Family::Conversation, "conversation", generic::answer),
    row("/v1/legs/**", ANY, API, JWT, Family::Conversation, "conversation", generic::answer),
    row("/v1/users/**", ANY, API, JWT, Family::Conversation, "users", generic::users),
    row("/v0.1/conversations/**", ANY, API, JWT, Family::Conversation, "conversation", generic::answer),
    row("/v0.2/conversations/**", ANY, API, JWT, Family::Conversation, "conversation", generic::answer),
    row("/v0.3/conversations/**", ANY, API, JWT, Family::Conversation, "conversation", generic::answer),
    row("/v2/pools/**", ANY, API, B, Family::Problem, "pools", generic::answer),
    // api-eu.vonage.com and video.api.vonage.com
    row("/oauth2/token", POST, API_EU, JWT, Family::OAuth, "network", generic::access_token),
    row("/oauth2/bc-authorize", POST, EU, JWT, Family::OAuth, "network", generic::authorize),
    row("/camara/**", POST, EU, ACCESS, Family::OAuth, "network", generic::charged),
    row("/identity-insights/v1/requests", POST, EU, JWT, Family::VerifyV2, "identity-insights", generic::charged),
    row("/network-location/**", POST, EU, JWT, Family::VerifyV2, "network", generic::charged),
    row("/v1/meetings/**", ANY, EU, JWT, Family::Problem, "meetings", generic::answer),
    row("/beta/meetings/**", ANY, EU, JWT, Family::Problem, "meetings", generic::answer),
    row("/v0.1/bulk/**", ANY, EU, JWT, Family::Problem, "bulk", generic::answer),
    row("/v1/10dlc/**", ANY, EU, B, Family::Problem, "10dlc", generic::answer),
    row("/session/create", POST, VIDEO, JWT, Family::Video, "video", generic::session),
    row("/v2/project/**", ANY, VIDEO, JWT, Family::Video, "video", generic::project),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(path: &str) -> Vec<String> {
        path.split('/').skip(1).map(str::to_owned).collect()
    }

    fn pattern(path: &str, host: &str) -> Option<&'static str> {
        match find(&segments(path), sets_of(host)) {
            Found::Row(row) => Some(row.pattern),
            Found::NoSuchPath => None,
        }
    }

    #[test]
    fn a_path_is_found_on_its_own_host_and_on_an_unknown_one() {
        assert_eq!(pattern("/sms/json", "rest.nexmo.com"), Some("/sms/json"));
        assert_eq!(pattern("/sms/json", "127.0.0.1:1234"), Some("/sms/json"));
        assert_eq!(pattern("/sms/json", "api.nexmo.com"), None);
        assert_eq!(pattern("/number/lookup/json", "api.nexmo.com"), Some("/number/lookup/*"));
        assert_eq!(pattern("/v1/messages", "messages-sandbox.nexmo.com"), Some("/v1/messages"));
        assert_eq!(pattern("/v1/calls", "api-us-3.vonage.com"), Some("/v1/calls"));
        assert_eq!(pattern("/camara/sim-swap/v040/check", "api-eu.vonage.com"), Some("/camara/**"));
        assert_eq!(pattern("/camara/sim-swap/v040/check", "api.nexmo.com"), None);
        assert_eq!(pattern("/never/heard/of", "api.nexmo.com"), Some("/**"));
    }

    #[test]
    fn the_rest_of_a_path_may_be_empty() {
        assert_eq!(pattern("/v1/users", "api.nexmo.com"), Some("/v1/users/**"));
        assert_eq!(pattern("/v1/users/USR-1/conversations", "api.nexmo.com"), Some("/v1/users/**"));
    }

    #[test]
    fn no_row_is_hidden_by_an_earlier_one() {
        for row in ROWS {
            let example = row.pattern.replace("**", "x/y").replace('*', "json");
            let Found::Row(found) = find(&segments(&example), None) else { panic!("{example}") };
            assert_eq!(found.pattern, row.pattern, "{example}");
        }
    }
}
