//! Who may ask what on the two admin surfaces, and who may not.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Request;

use super::*;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const POD: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3));

fn tokens() -> Vec<AccessToken> {
    vec![AccessToken::parse("first-token").unwrap(), AccessToken::parse("second-token").unwrap()]
}

fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// The code of the denial, or "admitted".
fn code(surface: Surface, local: IpAddr, head: &Parts) -> &'static str {
    admit(surface, &tokens(), local, head).map_or_else(|denied| denied.code, |_| "admitted")
}

fn as_operator(method: &str, target: &str, headers: &[(&str, &str)]) -> &'static str {
    let mut all = vec![("host", "localhost:9787")];
    all.extend(headers);
    code(Surface::Operators, LOOPBACK, &head(method, target, &all))
}

fn as_observer(method: &str, target: &str, headers: &[(&str, &str)]) -> &'static str {
    let mut all = vec![("host", "10.1.2.3:9788")];
    all.extend(headers);
    code(Surface::Observers, POD, &head(method, target, &all))
}

fn with_host(surface: Surface, local: IpAddr, host: &str) -> &'static str {
    code(surface, local, &head("GET", "/livez", &[("host", host)]))
}

#[test]
fn operators_may_ask_for_everything() {
    for path in ["/", "/livez", "/readyz", "/startupz", "/metrics", "/status", "/status?x=1"] {
        assert_eq!(as_operator("GET", path, &[]), "admitted", "{path}");
    }
    for path in ["/reload", "/prove", "/prove?account=abcd1234", "/quit"] {
        assert_eq!(as_operator("POST", path, &[("x-sidecar-admin", "1")]), "admitted", "{path}");
    }
}

#[test]
fn observers_get_health_and_metrics_and_nothing_else() {
    for path in ["/livez", "/readyz", "/startupz", "/metrics"] {
        assert_eq!(as_observer("GET", path, &[]), "admitted", "{path}");
    }
    let token = ("authorization", "Bearer first-token");
    for (method, path) in [("GET", "/"), ("POST", "/reload"), ("POST", "/quit"), ("GET", "/debug"), ("GET", "/livez/"), ("GET", "//livez")]
    {
        assert_eq!(as_observer(method, path, &[token, ("x-sidecar-admin", "1")]), "not_found", "{method} {path}");
    }
}

#[test]
fn either_token_opens_status_and_prove_to_observers() {
    for token in ["Bearer first-token", "bearer second-token"] {
        assert_eq!(as_observer("GET", "/status", &[("authorization", token)]), "admitted");
        assert_eq!(as_observer("POST", "/prove", &[("authorization", token), ("x-sidecar-admin", "1")]), "admitted");
    }
    assert_eq!(as_observer("GET", "/status", &[]), "token_missing");
    for wrong in ["Bearer ", "Bearer first-toke", "Bearer first-token2", "Bearer  first-token"] {
        assert_eq!(as_observer("GET", "/status", &[("authorization", wrong)]), "token_wrong", "{wrong}");
    }
    assert_eq!(as_observer("GET", "/status", &[("authorization", "Basic first-token")]), "token_missing");
    let asked = head("GET", "/status", &[("host", "10.1.2.3"), ("authorization", "Bearer ")]);
    assert_eq!(admit(Surface::Observers, &[], POD, &asked), Err(CLOSED));
}

#[test]
fn a_post_needs_the_header_that_no_form_can_send() {
    for path in ["/reload", "/prove", "/quit"] {
        assert_eq!(as_operator("POST", path, &[]), "admin_header_missing", "{path}");
    }
    let token = ("authorization", "Bearer first-token");
    assert_eq!(as_observer("POST", "/prove", &[token]), "admin_header_missing");
}

#[test]
fn a_get_changes_nothing_and_a_post_reads_nothing() {
    for path in ["/reload", "/prove", "/quit"] {
        assert_eq!(as_operator("GET", path, &[("x-sidecar-admin", "1")]), "method_not_allowed", "{path}");
    }
    for path in ["/", "/status", "/metrics"] {
        assert_eq!(as_operator("POST", path, &[("x-sidecar-admin", "1")]), "method_not_allowed", "{path}");
    }
}

#[test]
fn a_web_page_reaches_nothing() {
    for marks in [
        [("origin", "http://localhost:9787")],
        [("origin", "null")],
        [("sec-fetch-site", "same-origin")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "")],
    ] {
        for path in ["/", "/livez", "/status"] {
            assert_eq!(as_operator("GET", path, &marks), "web_page", "{marks:?} {path}");
        }
        assert_eq!(as_observer("GET", "/metrics", &marks), "web_page");
    }
    let twice = [("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")];
    assert_eq!(as_operator("GET", "/", &twice), "web_page");
}

#[test]
fn an_address_typed_into_a_browser_opens_the_page() {
    assert_eq!(as_operator("GET", "/", &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")]), "admitted");
}

#[test]
fn loopback_names_are_ours_at_any_port() {
    for host in [
        "localhost",
        "LOCALHOST:1",
        "localhost.:9787",
        "sidecar.localhost:80",
        "127.0.0.1:9787",
        "127.8.9.1",
        "[::1]:9787",
        "[::ffff:127.0.0.1]",
    ] {
        assert_eq!(with_host(Surface::Operators, LOOPBACK, host), "admitted", "{host}");
        assert_eq!(with_host(Surface::Observers, POD, host), "admitted", "{host}");
    }
}

#[test]
fn other_names_are_refused() {
    for host in ["evil.example", "localhost.evil.example", "evillocalhost", "10.1.2.4", "0.0.0.0", "[::2]", "10.1.2.3.nip.io"] {
        assert_eq!(with_host(Surface::Operators, LOOPBACK, host), "host_not_allowed", "{host}");
        assert_eq!(with_host(Surface::Observers, POD, host), "host_not_allowed", "{host}");
    }
    assert_eq!(with_host(Surface::Operators, LOOPBACK, "10.1.2.3"), "host_not_allowed");
}

#[test]
fn observers_may_ask_by_the_address_they_connected_to() {
    assert_eq!(with_host(Surface::Observers, POD, "10.1.2.3:9788"), "admitted");
    let mapped = IpAddr::V6(Ipv4Addr::new(10, 1, 2, 3).to_ipv6_mapped());
    assert_eq!(with_host(Surface::Observers, mapped, "10.1.2.3:9788"), "admitted");
    let pod = IpAddr::V6("fd00::7".parse::<Ipv6Addr>().unwrap());
    assert_eq!(with_host(Surface::Observers, pod, "[fd00::7]:9788"), "admitted");
}

#[test]
fn a_target_or_host_that_could_mean_two_things_is_refused() {
    let operators = Surface::Operators;
    assert_eq!(code(operators, LOOPBACK, &head("GET", "/livez", &[])), "bad_host");
    assert_eq!(code(operators, LOOPBACK, &head("GET", "/livez", &[("host", "localhost"), ("host", "localhost")])), "bad_host");
    assert_eq!(code(operators, LOOPBACK, &head("GET", "http://localhost/livez", &[("host", "localhost")])), "bad_host");
    assert_eq!(with_host(operators, LOOPBACK, "user@localhost"), "bad_host");
    assert_eq!(with_host(operators, LOOPBACK, "local host"), "bad_host");
}

#[test]
fn prove_takes_one_account_one_application_or_all() {
    let asked =
        |target: &str| admit(Surface::Operators, &[], LOOPBACK, &head("POST", target, &[("host", "localhost"), (ADMIN_HEADER, "1")]));
    assert_eq!(asked("/prove"), Ok(Call::Prove(Proven::Everything)));
    assert_eq!(asked("/prove?account=abcd1234"), Ok(Call::Prove(Proven::Account(ApiKey::parse("abcd1234").unwrap()))));
    assert_eq!(asked("/prove?application=app-1"), Ok(Call::Prove(Proven::Application(ApplicationId::parse("app-1").unwrap()))));
    for bad in [
        "/prove?account=",
        "/prove?account=a&account=b",
        "/prove?account=a&application=b",
        "/prove?application=",
        "/prove?other=1",
        "/prove?account=a%0ab",
    ] {
        assert_eq!(asked(bad), Err(BAD_QUERY), "{bad}");
    }
}
