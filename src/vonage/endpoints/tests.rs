//! The table against the provider's list of calls, and the rules that the rest relies on.

use std::collections::HashSet;

use super::*;
use crate::vonage::hosts::labelled;

fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).unwrap()
}

fn rows() -> impl Iterator<Item = &'static Endpoint> {
    TABLES.iter().copied().flatten().flat_map(|group| group.rows)
}

/// Methods, paths, name of the row.
type Line = (&'static str, &'static str, &'static str);

/// Every line of the provider's list, by host.
const DOCUMENTED: &[(&str, &[Line])] = &[
    (
        "rest.nexmo.com",
        &[
            ("GET POST HEAD", "/sms/json /sms/xml", "sms"),
            ("GET POST", "/search/message /search/messages /search/rejections", "message-search"),
            ("GET POST", "/sc/us/2fa/json /sc/us/2fa/xml /sc/us/alert/json /sc/us/alert/xml", "short-code"),
            ("GET POST", "/sc/us/alert/opt-in/query/json /sc/us/alert/opt-in/manage/json /sc/us/marketing/json", "short-code"),
            ("POST", "/ussd/json /ussd-prompt/json", "ussd"),
            ("GET", "/account/get-balance", "balance"),
            ("POST", "/account/top-up", "top-up"),
            ("POST", "/account/settings", "settings"),
            (
                "GET",
                "/account/get-pricing/outbound/sms /account/get-pricing/outbound/sms-transit /account/get-pricing/outbound/voice",
                "pricing",
            ),
            ("GET", "/account/get-full-pricing/outbound/sms /account/get-prefix-pricing/outbound/voice /pricing/gb/jsonp", "pricing"),
            ("GET", "/account/numbers", "numbers"),
            ("GET", "/account/numbers/abcd1234/secret", "numbers-by-path"),
            ("GET", "/number/search", "number-search"),
            ("POST", "/number/buy", "number-buy"),
            ("POST", "/number/cancel", "number-cancel"),
            ("POST", "/number/update", "number-update"),
            ("POST", "/number/buy/abcd1234/secret/gb/447700900000", "number-buy-by-path"),
            ("POST", "/number/cancel/abcd1234/secret/gb/447700900000", "number-cancel-by-path"),
            ("POST", "/number/update/abcd1234/secret/gb/447700900000", "number-update-by-path"),
            ("GET", "/number/search/abcd1234/secret/gb", "number-search-by-path"),
            ("POST", "/phonebook/check/abcd1234/secret/gb", "phonebook"),
        ],
    ),
    (
        "api.nexmo.com",
        &[
            ("GET POST", "/accounts/abcd1234/secrets", "secrets"),
            ("GET DELETE", "/accounts/abcd1234/secrets/ad6dc56f", "secret"),
            ("GET POST", "/accounts/abcd1234/subaccounts", "subaccounts"),
            ("GET PATCH", "/accounts/abcd1234/subaccounts/bbbb1234", "subaccount"),
            ("GET POST", "/accounts/abcd1234/credit-transfers", "credit-transfers"),
            ("GET POST", "/accounts/abcd1234/balance-transfers", "balance-transfers"),
            ("POST", "/accounts/abcd1234/transfer-number", "transfer-number"),
            ("GET", "/v2/account/pricing/sms-outbound /v2/account/pricing/voice-outbound", "pricing-v2"),
            ("GET", "/v2/applications", "applications"),
            ("POST", "/v2/applications", "applications-write"),
            ("GET", "/v2/applications/aaaaaaaa", "application"),
            ("PUT DELETE", "/v2/applications/aaaaaaaa", "application-write"),
            ("GET", "/v1/applications", "applications-v1"),
            ("POST", "/v1/applications", "applications-v1-write"),
            ("GET", "/v1/applications/aaaaaaaa", "application-v1"),
            ("PUT DELETE", "/v1/applications/aaaaaaaa", "application-v1-write"),
            ("POST GET HEAD", "/verify/json /verify/xml", "verify-request"),
            ("POST GET HEAD", "/verify/check/json /verify/check/xml", "verify-check"),
            ("POST GET HEAD", "/verify/control/json /verify/control/xml", "verify-control"),
            ("POST GET HEAD", "/verify/psd2/json /verify/psd2/xml", "verify-psd2"),
            ("GET POST", "/verify/search/json /verify/search/xml", "verify-search"),
            ("POST", "/verify/network-unblock", "verify-network-unblock"),
            ("POST", "/verify/templates", "verify-templates"),
            ("POST", "/v2/verify", "verify-v2"),
            ("POST DELETE", "/v2/verify/c11236f4", "verify-v2-request"),
            ("POST", "/v2/verify/c11236f4/next_workflow", "verify-v2-next"),
            ("GET", "/v2/verify/c11236f4/silent-auth/redirect", "verify-v2-silent-auth"),
            ("GET POST PATCH DELETE", "/v2/verify/templates /v2/verify/templates/8f35a1a7", "verify-v2-templates"),
            ("GET POST PATCH DELETE", "/v2/verify/templates/8f35a1a7/template_fragments", "verify-v2-templates"),
            ("GET POST PATCH DELETE", "/v2/verify/templates/8f35a1a7/template_fragments/c70f446e", "verify-v2-templates"),
            ("GET POST", "/ni/basic/json /ni/standard/json /ni/advanced/json /ni/advanced/async/json /ni/json", "number-insight"),
            ("GET POST", "/ni/basic/xml /ni/standard/xml /ni/advanced/xml /ni/advanced/async/xml /ni/xml", "number-insight"),
            ("GET POST", "/number/lookup/json /number/format/json /number/insight/xml", "number-insight"),
            ("POST", "/v2/ni", "fraud-insight"),
            ("GET POST", "/v1/calls", "calls"),
            ("GET PUT", "/v1/calls/63f61863", "call"),
            ("PUT DELETE", "/v1/calls/63f61863/stream", "call-stream"),
            ("PUT DELETE", "/v1/calls/63f61863/talk", "call-talk"),
            ("PUT", "/v1/calls/63f61863/dtmf", "call-dtmf"),
            ("PUT DELETE", "/v1/calls/63f61863/input/dtmf", "call-input-dtmf"),
            ("GET", "/v1/calls/ping", "calls-ping"),
            ("POST", "/v2/calls", "calls-v2"),
            ("GET", "/v1/files/aaaaaaaa /v3/files/aaaaaaaa", "files"),
            ("GET", "/v1/psip /v1/psip/domain", "psip"),
            ("POST PUT DELETE", "/v1/psip /v1/psip/domain/acl", "psip-write"),
            ("GET POST", "/v1/addresses /v1/addresses/1", "addresses"),
            ("GET PATCH", "/v1/emergency/numbers/15500900000", "emergency"),
            ("POST", "/v1/messages", "messages"),
            ("PATCH", "/v1/messages/aaaaaaaa", "message"),
            ("POST", "/v0.1/messages", "messages-v0.1"),
            ("POST", "/v0.1/dispatch", "dispatch"),
            ("GET POST", "/beta/chatapp-accounts /beta/chatapp-accounts/messenger/1", "external-accounts"),
            ("GET POST DELETE", "/beta/chatapp-accounts/whatsapp/1/applications/2", "external-accounts"),
            ("GET POST", "/v0.1/whatsapp-manager/deployments/1/verify", "whatsapp-manager"),
            ("GET POST", "/v1/channel-manager/rcs/agents", "rcs-manager"),
            ("POST", "/conversions/sms /conversions/voice", "conversion"),
            ("POST", "/v1/redact/transaction", "redact"),
            ("GET", "/v2/reports/records", "report-records"),
            ("GET POST", "/v2/reports", "reports"),
            ("GET DELETE", "/v2/reports/aaaaaaaa", "report"),
            ("GET", "/v3/media", "media"),
            ("GET DELETE", "/v3/media/aaaaaaaa", "media-item"),
            ("GET PUT", "/v3/media/aaaaaaaa/info", "media-info"),
            ("GET OPTIONS", "/beta/audit/events", "audit-events"),
            ("GET", "/beta/audit/events/aaaaaaaa", "audit-event"),
            ("GET POST", "/v1/conversations /v1/conversations/con-1/members", "conversations"),
            ("GET POST", "/v1/legs /v1/legs/1", "legs"),
            ("GET POST", "/v1/users /v1/users/usr-1", "users"),
            ("GET POST", "/v0.1/conversations", "conversations-v0.1"),
            ("GET POST", "/v0.1/users/usr-1", "users-v0.1"),
            ("GET", "/v0.1/legs", "legs-v0.1"),
            ("GET POST", "/v0.2/conversations/con-1", "conversations-v0.2"),
            ("GET", "/v0.2/users", "users-v0.2"),
            ("GET", "/v0.2/legs", "legs-v0.2"),
            ("GET POST", "/v0.3/conversations/con-1", "conversations-v0.3"),
            ("GET", "/v0.3/users", "users-v0.3"),
            ("GET", "/v0.3/legs", "legs-v0.3"),
            ("GET POST", "/beta/conversations", "conversations-beta"),
            ("GET POST", "/beta/users", "users-beta"),
            ("GET", "/beta/legs", "legs-beta"),
            ("GET POST", "/v2/pools/abcd1234 /v2/pools/abcd1234/pool/numbers/447700900000", "number-pools"),
            ("GET POST", "/v0.1/athena/agents", "athena"),
        ],
    ),
    (
        "api-eu.vonage.com",
        &[
            ("POST", "/identity-insights/v1/requests", "identity-insights"),
            ("GET POST PATCH", "/v1/meetings/rooms /v1/meetings/rooms/1 /v1/meetings/dial-in-numbers", "meetings"),
            ("GET POST", "/beta/meetings/rooms", "meetings-beta"),
            ("GET POST", "/v0.1/bulk/lists /v0.1/bulk/items /v0.1/bulk/events", "proactive-connect"),
            ("POST", "/oauth2/bc-authorize /oauth2/token", "oauth"),
            ("GET", "/oauth2/auth", "oauth-auth"),
            ("POST", "/camara/sim-swap/v040/check /camara/sim-swap/v040/retrieve-date", "camara"),
            ("POST", "/camara/number-verification/v031/verify", "camara"),
            ("POST", "/network-location/v0.1/retrieval", "location-retrieval"),
            ("GET POST", "/v1/10dlc/brands /v1/10dlc/brands/b/campaigns/c /v1/10dlc/enum/vetting/1", "10dlc"),
        ],
    ),
    (
        "video.api.vonage.com",
        &[
            ("POST", "/session/create", "video-session"),
            ("GET POST", "/v2/project/aaaaaaaa/archive /v2/project/aaaaaaaa/session/s/signal", "video-project"),
            ("GET POST", "/v2/project/aaaaaaaa/broadcast /v2/project/aaaaaaaa/call /v2/project/aaaaaaaa/captions", "video-project"),
        ],
    ),
];

#[test]
fn every_documented_path_has_its_row_and_its_host() {
    let mut seen = HashSet::new();
    for (host, lines) in DOCUMENTED {
        for (methods, paths, name) in *lines {
            for (verb, path) in methods.split(' ').flat_map(|verb| paths.split(' ').map(move |path| (verb, path))) {
                let found = lookup(None, &method(verb), path);
                assert_eq!(
                    (found.endpoint.name, found.endpoint.host.name(), found.method),
                    (*name, *host, Documented::Yes),
                    "{verb} {path}"
                );
                assert_eq!(found.endpoint.plane, found.plane, "{verb} {path}");
                assert_eq!(found.endpoint.repeat, found.repeat, "{verb} {path}");
                seen.insert(found.endpoint.path);
            }
        }
    }
    let unseen: Vec<_> = rows().filter(|row| !seen.contains(row.path)).map(|row| row.path).collect();
    assert!(unseen.is_empty(), "rows that no documented path leads to: {unseen:?}");
}

#[test]
fn templates_are_well_formed_and_sourced() {
    for row in rows().chain(&regional::SANDBOX).chain([&video::OPENTOK, &UNKNOWN]) {
        assert!(!row.source.is_empty() && !row.schemes.is_empty() && !row.methods.is_empty(), "{}", row.name);
        assert!(row.path.starts_with('/') && !row.path.contains("//") && row.path == row.path.to_ascii_lowercase(), "{}", row.path);
        assert!(!row.path.contains('*') || row.path.ends_with("/*"), "{}", row.path);
        let has_path = row.schemes.contains(&Scheme::Path);
        assert_eq!(row.credential_segments().is_some(), has_path, "{}", row.path);
        assert_eq!(row.path.contains("{key}") && row.path.contains("{secret}"), has_path, "{}", row.path);
        let open = matches!(row.schemes, [Scheme::Open | Scheme::PassThrough]);
        assert_eq!(row.refusals.is_empty(), open, "{}: only a row that takes none of our credentials cannot refuse one", row.name);
        if row.schemes.contains(&Scheme::Basic) {
            assert_eq!(row.schemes[0], Scheme::Basic, "{}: Basic comes first wherever it is taken", row.name);
        }
    }
}

#[test]
fn a_group_holds_only_paths_that_begin_with_its_segment() {
    for group in TABLES.iter().copied().flatten() {
        for row in group.rows {
            assert_eq!(segments(row.path).next(), Some(group.first), "{}", row.path);
        }
    }
}

/// Whether some path fits both templates.
fn overlap(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (segments(a), segments(b));
    loop {
        match (a.next(), b.next()) {
            (Some("*"), _) | (_, Some("*")) | (None, None) => return true,
            (Some(a), Some(b)) if a == b || a.starts_with('{') || b.starts_with('{') => {}
            (Some(_), Some(_) | None) | (None, Some(_)) => return false,
        }
    }
}

/// Larger for the more specific of two templates that fit the same path.
fn specificity(path: &str) -> Vec<u8> {
    let kind = |segment: &str| match segment {
        "*" => 0,
        parameter if parameter.starts_with('{') => 2,
        _ => 3,
    };
    segments(path).map(kind).chain([1]).collect()
}

#[test]
fn no_two_rows_are_ambiguous_and_the_more_specific_stands_first() {
    let all: Vec<_> = rows().collect();
    for (index, first) in all.iter().enumerate() {
        for second in all.iter().skip(index + 1) {
            let share = first.methods.iter().any(|verb| second.methods.contains(verb));
            if share && overlap(first.path, second.path) {
                assert!(specificity(first.path) > specificity(second.path), "{} before {}", first.path, second.path);
            }
        }
    }
}

#[test]
fn the_management_plane_is_decided_by_prefix_whatever_method_and_host() {
    let any = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PURGE"];
    let writes = ["POST", "PUT", "PATCH", "DELETE", "PURGE"];
    let cases: &[(&[&str], &str, &str)] = &[
        (&any, "/accounts/abcd1234/secrets", "secrets"),
        (&any, "/accounts/abcd1234/secrets/id", "secrets"),
        (&any, "/accounts/abcd1234/secrets/id/more", "secrets"),
        (&any, "//accounts//abcd1234//secrets/", "secrets"),
        (&any, "/accounts", "subaccounts"),
        (&any, "/accounts/abcd1234", "subaccounts"),
        (&any, "/accounts/abcd1234/not-known-to-us", "subaccounts"),
        (&any, "/accounts/abcd1234/transfer-number", "subaccounts"),
        (&any, "/account/settings", "settings"),
        (&any, "/account/settings/abcd1234/secret", "settings"),
        (&any, "/account/top-up", "top-up"),
        (&any, "/account/top-up/abcd1234/secret", "top-up"),
        (&writes, "/v1/applications", "applications"),
        (&writes, "/v2/applications/id", "applications"),
        (&writes, "/v2/applications/id/keys/more", "applications"),
        (&writes, "/v1/psip", "psip"),
        (&writes, "/v1/psip/domain/users", "psip"),
        (&writes, "/v1/psip-domains", "psip"),
    ];
    for (verbs, path, name) in cases {
        for verb in *verbs {
            for set in [None, Some(Set::Rest), Some(Set::Api), Some(Set::Europe), Some(Set::Video), Some(Set::Sandbox), Some(Set::OpenTok)]
            {
                assert_eq!(lookup(set, &method(verb), path).plane, Plane::Management(name), "{verb} {path} {set:?}");
            }
            assert!(MANAGEMENT.contains(name));
        }
    }
}

#[test]
fn what_only_looks_like_management_is_data() {
    for (verb, path) in [
        ("GET", "/v2/applications"),
        ("HEAD", "/v1/applications/id"),
        ("OPTIONS", "/v1/psip"),
        ("GET", "/v1/psip/domain"),
        ("GET", "/account/get-balance"),
        ("POST", "/v2/account/pricing/sms-outbound"),
        ("POST", "/number/buy"),
        ("POST", "/"),
        ("POST", ""),
    ] {
        assert_eq!(plane(&method(verb), path), Plane::Data, "{verb} {path}");
    }
}

#[test]
fn what_sends_or_charges_is_never_repeated() {
    for verb in ["GET", "HEAD"] {
        for path in [
            "/sms/json",
            "/sms/anything",
            "/sc/us/2fa/json",
            "/sc/us/alert/opt-in/query/json",
            "/ussd/json",
            "/ussd-prompt/json",
            "/verify/json",
            "/verify/check/xml",
            "/verify/control/json",
            "/verify/psd2/json",
            "/verify/templates",
            "/ni/basic/json",
            "/ni/advanced/async/xml",
            "/number/lookup/json",
            "/number/format/json",
            "/number/insight/json",
            "/conversions/sms",
            "/number/buy/abcd1234/secret/gb/447700900000",
            "/number/search/abcd1234/secret/gb",
            "/account/numbers/abcd1234/secret",
            "/phonebook/check/abcd1234/secret/gb",
            "/not/known",
            "/",
        ] {
            assert_eq!(lookup(None, &method(verb), path).repeat, Repeat::Never, "{verb} {path}");
        }
    }
}

#[test]
fn what_only_reads_may_be_repeated() {
    for path in ["/account/get-balance", "/verify/search/json", "/v2/applications", "/v1/calls", "/v2/reports/records", "/search/message"] {
        assert_eq!(lookup(None, &Method::GET, path).repeat, Repeat::Repeatable, "{path}");
    }
}

#[test]
fn an_undocumented_method_keeps_the_row_and_is_never_repeated() {
    for (verb, path, name) in
        [("HEAD", "/account/get-balance", "balance"), ("PURGE", "/v2/applications/id", "application"), ("GET", "/v1/messages", "messages")]
    {
        let found = lookup(None, &method(verb), path);
        assert_eq!((found.endpoint.name, found.method, found.repeat), (name, Documented::No, Repeat::Never), "{verb} {path}");
    }
}

#[test]
fn an_unknown_path_goes_to_the_api_host_with_basic_or_a_token() {
    for path in ["/", "", "/unknown", "/v1", "/v9/messages", "/smsx/json", "/sms", "/account", "/number/buy/abcd1234"] {
        let found = lookup(None, &Method::GET, path);
        assert_eq!(found.endpoint, &UNKNOWN, "{path}");
        assert_eq!((found.plane, found.repeat), (Plane::Data, Repeat::Never), "{path}");
    }
    assert_eq!(UNKNOWN.host, Host::API);
    assert_eq!(UNKNOWN.schemes, [Scheme::Basic, Scheme::Jwt]);
    assert_eq!(UNKNOWN.refusals, [Family::Problem, Family::ErrorCode]);
}

#[test]
fn a_path_credential_tells_where_it_stands_and_an_owner_is_none() {
    let position = |path| lookup(None, &Method::POST, path).endpoint.credential_segments();
    assert_eq!(position("/number/buy/abcd1234/secret/gb/447700900000"), Some((2, 3)));
    assert_eq!(position("/accounts/abcd1234/secrets"), None);
    assert_eq!(position("/v2/pools/abcd1234/pool"), None);
}

#[test]
fn no_credential_of_ours_goes_to_opentok() {
    for path in ["/session/create", "/v2/project/1/archive", "/sms/json", "/unknown"] {
        assert_eq!(lookup(Some(Set::OpenTok), &Method::POST, path).endpoint.schemes, [Scheme::PassThrough], "{path}");
    }
}

#[test]
fn the_sandbox_host_has_messages_of_its_own() {
    for path in ["/v1/messages", "/v0.1/messages"] {
        assert_eq!(lookup(Some(Set::Sandbox), &Method::POST, path).endpoint.name, "messages-sandbox");
    }
    assert_eq!(lookup(Some(Set::Sandbox), &Method::POST, "/sms/json").endpoint.name, "sms");
}

fn goes(verb: &str, path: &str, region: Option<Region>, label: Option<&str>) -> &'static str {
    let chosen = label.map(|label| labelled(label).unwrap());
    destination(lookup(None, &method(verb), path).endpoint, region, chosen).name()
}

#[test]
fn a_region_of_the_settings_moves_regional_rows_only() {
    let eu = Some(Region::Eu);
    assert_eq!(goes("POST", "/v1/messages", eu, None), "api-eu.nexmo.com");
    assert_eq!(goes("PATCH", "/v1/messages/id", eu, None), "api-eu.nexmo.com");
    assert_eq!(goes("POST", "/v1/calls", Some(Region::Us), None), "api-us-3.vonage.com");
    assert_eq!(goes("GET", "/v1/users", Some(Region::Ap), None), "api-ap-3.vonage.com");
    assert_eq!(goes("GET", "/v1/conversations", eu, None), "api-eu-3.vonage.com");
    assert_eq!(goes("GET", "/v1/files/id", eu, None), "api-eu-3.vonage.com");
    assert_eq!(goes("POST", "/identity-insights/v1/requests", Some(Region::Us), None), "api-us.vonage.com");
    assert_eq!(goes("POST", "/identity-insights/v1/requests", Some(Region::Ap), None), "api-eu.vonage.com");
    for (path, host) in [
        ("/sms/json", "rest.nexmo.com"),
        ("/v2/verify", "api.nexmo.com"),
        ("/unknown", "api.nexmo.com"),
        ("/session/create", "video.api.vonage.com"),
    ] {
        assert_eq!(goes("POST", path, eu, None), host, "{path}");
    }
}

#[test]
fn a_chosen_host_wins_and_a_chosen_region_leaves_the_rest_to_the_row() {
    let us = Some(Region::Us);
    assert_eq!(goes("POST", "/v1/messages", us, Some("messages-sandbox")), "messages-sandbox.nexmo.com");
    assert_eq!(goes("GET", "/accounts/abcd1234/secrets", us, Some("rest")), "rest.nexmo.com");
    assert_eq!(goes("POST", "/v1/calls", us, Some("api-eu-4")), "api-eu-4.vonage.com");
    assert_eq!(goes("POST", "/v1/messages", us, Some("api-eu")), "api-eu.nexmo.com");
    assert_eq!(goes("POST", "/camara/sim-swap/v040/check", us, Some("api-eu")), "api-eu.vonage.com");
    assert_eq!(goes("POST", "/identity-insights/v1/requests", None, Some("api-us")), "api-us.vonage.com");
    assert_eq!(goes("POST", "/sms/json", None, Some("api-eu")), "rest.nexmo.com");
    assert_eq!(goes("GET", "/unknown", None, Some("api-ap")), "api-ap.nexmo.com");
}
