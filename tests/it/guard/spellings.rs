//! No spelling opens what the plain path closes, whatever server reads it.
//!
//! The servers here are of our own making, and read as real ones do: how often they decode and whether before or after
//! they part segments, whether `\` parts segments, what `;` and `//` are, and when `..` is resolved. What any of them takes
//! for a closed path must not have been admitted.

use http::{Method, Request};
use proptest::prelude::*;
use vonage_sidecar::config::{Listen, PathPattern, Settings};
use vonage_sidecar::proxy::entrance::Via;
use vonage_sidecar::proxy::guard::{self, RawFraming};

/// When a server decodes.
#[derive(Debug, Clone, Copy)]
enum Decodes {
    Never,
    BeforeParting,
    TwiceBeforeParting,
    AfterParting,
}

/// What a server does about `;`.
#[derive(Debug, Clone, Copy)]
enum Semicolon {
    IsALetter,
    IsCutFirst,
    IsCutAfterDots,
    EndsThePath,
}

/// What a server does about `//`.
#[derive(Debug, Clone, Copy)]
enum DoubleSlash {
    IsAnEmptySegment,
    IsMergedFirst,
    BeginsAHost,
}

#[derive(Debug, Clone, Copy)]
struct Server {
    decodes: Decodes,
    backslash_parts: bool,
    semicolon: Semicolon,
    double_slash: DoubleSlash,
    resolves_dots: bool,
}

fn servers() -> Vec<Server> {
    let mut all = Vec::new();
    for decodes in [Decodes::Never, Decodes::BeforeParting, Decodes::TwiceBeforeParting, Decodes::AfterParting] {
        for semicolon in [Semicolon::IsALetter, Semicolon::IsCutFirst, Semicolon::IsCutAfterDots, Semicolon::EndsThePath] {
            for double_slash in [DoubleSlash::IsAnEmptySegment, DoubleSlash::IsMergedFirst, DoubleSlash::BeginsAHost] {
                for (backslash_parts, resolves_dots) in [(false, false), (false, true), (true, false), (true, true)] {
                    all.push(Server { decodes, backslash_parts, semicolon, double_slash, resolves_dots });
                }
            }
        }
    }
    all
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl Server {
    /// The segments that it sees, in lower case.
    fn reads(self, raw: &str) -> Vec<String> {
        let mut text = match self.decodes {
            Decodes::Never | Decodes::AfterParting => raw.to_owned(),
            Decodes::BeforeParting => decoded(raw),
            Decodes::TwiceBeforeParting => decoded(&decoded(raw)),
        };
        if self.backslash_parts {
            text = text.replace('\\', "/");
        }
        if let Semicolon::EndsThePath = self.semicolon {
            text.truncate(text.find(';').unwrap_or(text.len()));
        }
        let cut = |segment: &str| segment.split(';').next().unwrap_or_default().to_owned();
        let mut segments: Vec<String> = text.split('/').skip(1).map(str::to_owned).collect();
        if let Semicolon::IsCutFirst = self.semicolon {
            segments = segments.iter().map(|segment| cut(segment)).collect();
        }
        if let Decodes::AfterParting = self.decodes {
            segments = segments.iter().map(|segment| decoded(segment)).collect();
        }
        match self.double_slash {
            DoubleSlash::IsAnEmptySegment => {}
            DoubleSlash::IsMergedFirst => segments.retain(|segment| !segment.is_empty()),
            DoubleSlash::BeginsAHost => {
                let empty = segments.iter().take_while(|segment| segment.is_empty()).count();
                segments = segments.split_off(if empty > 0 { (empty + 1).min(segments.len()) } else { 0 });
            }
        }
        if self.resolves_dots {
            segments = segments.into_iter().fold(Vec::new(), |mut kept, segment| {
                match segment.as_str() {
                    "." => {}
                    ".." => drop(kept.pop()),
                    _name => kept.push(segment),
                }
                kept
            });
        }
        if let Semicolon::IsCutAfterDots = self.semicolon {
            segments = segments.iter().map(|segment| cut(segment)).collect();
        }
        segments.iter().filter(|segment| !segment.is_empty()).map(|segment| segment.to_ascii_lowercase()).collect()
    }
}

/// What the listener of this test closes, in words of its own.
fn is_closed(segments: &[String]) -> bool {
    let names: Vec<&str> = segments.iter().map(String::as_str).collect();
    matches!(names.as_slice(), ["accounts" | "sms", ..] | ["account", "settings" | "top-up", ..] | ["v1" | "v2", "applications", ..])
}

fn listen() -> Listen {
    let mut listen = Settings::default().listen.remove(0);
    listen.calls.deny = vec![PathPattern::Below("/sms".to_owned())];
    listen
}

/// The path that goes upstream, when one does.
fn sent(raw: &str, listen: &Listen) -> Option<String> {
    let request = Request::builder().method(Method::POST).uri(raw).header("host", "localhost").body(());
    // What is no target at all is refused before.
    let head = request.ok()?.into_parts().0;
    let admitted = guard::admit(head, listen, Via::Front, RawFraming::Plain).ok()?;
    Some(admitted.into_head().uri.path().to_owned())
}

fn is_admitted(raw: &str, listen: &Listen) -> bool {
    sent(raw, listen).is_some()
}

fn closed_by_nobody(raw: &str) {
    if let Some(sent) = sent(raw, &listen()) {
        let reader = servers().into_iter().find(|server| is_closed(&server.reads(&sent)));
        assert!(reader.is_none(), "{raw} is sent as {sent}, and {reader:?} reads {:?}", reader.map(|server| server.reads(&sent)));
    }
}

/// A letter, or an escape of it, or an escape of that.
fn letter(letter: char) -> impl Strategy<Value = String> {
    let code = format!("{:02x}", u32::from(letter));
    prop_oneof![
        12 => Just(letter.to_string()),
        1 => Just(format!("%{code}")),
        1 => Just(format!("%{}", code.to_ascii_uppercase())),
        1 => Just(format!("%25{code}")),
    ]
}

fn spelled(text: &'static str) -> impl Strategy<Value = String> {
    text.chars().map(letter).collect::<Vec<_>>().prop_map(|letters| letters.concat())
}

fn piece() -> impl Strategy<Value = String> {
    let names = vec!["accounts", "account", "settings", "v2", "applications", "sms", "json", "abcd1234", "secrets", "x", "odd"];
    let marks = vec!["/", "/", "/", "//", "\\", "..", ".", ";", ";a=b", "/..", "/../", "/;/..", "/x\\../..", "..;", "/;/", "./"];
    prop_oneof![
        3 => proptest::sample::select(names).prop_flat_map(spelled),
        4 => proptest::sample::select(marks).prop_flat_map(spelled),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_spelling_is_admitted_that_any_server_takes_for_a_closed_path(pieces in proptest::collection::vec(piece(), 1..9)) {
        closed_by_nobody(&format!("/{}", pieces.concat()));
    }
}

#[test]
fn spellings_by_which_real_servers_were_reached_are_refused() {
    for raw in [
        "/%61ccounts/x%5c../../accounts/abcd1234/secrets",
        "/%61ccounts/x%5c../../abcd1234/secrets",
        "/%61ccounts/y/x%5c../../abcd1234/secrets",
        "/%61ccounts/;/../abcd1234/secrets",
        "/%61ccounts/.;/../abcd1234/secrets/ID",
        "/v2/%61pplications/;/..",
        "/v2/%61pplications/;/../",
        "/%73ms/;/../json",
    ] {
        assert!(servers().iter().any(|server| is_closed(&server.reads(raw))), "{raw}");
        assert!(!is_admitted(raw, &listen()), "{raw}");
    }
}

#[test]
fn plain_paths_and_those_with_one_meaning_are_admitted() {
    for raw in [
        "/v1/messages",
        "/v1/calls/CALL-0A1b",
        "//v1/messages",
        "/v1/messages/",
        "/v1/users/a%20b",
        "/v1/users/50%25",
        "/v1/users/a;b",
        "/v1/users/a..b",
        "/v1/users/%C3%A9",
        "/.well-known/jwks.json",
    ] {
        assert!(is_admitted(raw, &listen()), "{raw}");
    }
}

#[test]
fn slashes_before_a_path_are_one_also_where_paths_are_limited() {
    let mut limited = listen();
    limited.calls.allow = vec![PathPattern::Below("/v1".to_owned())];
    for raw in ["/v1/messages", "//v1/messages", "///v1/messages"] {
        assert_eq!(sent(raw, &limited).as_deref(), Some("/v1/messages"), "{raw}");
    }
    assert_eq!(sent("//sms/json", &listen()), None);
    assert_eq!(sent("//accounts/abcd1234/secrets", &listen()), None);
}

#[test]
fn a_part_that_is_allowed_opens_no_other_part_by_any_reading() {
    let allowing = |part: &str| Listen { allow: vec![part.to_owned()], ..listen() };
    assert!(is_admitted("/accounts/abcd1234/secrets", &allowing("secrets")));
    assert!(!is_admitted("/accounts/abcd1234;/secrets", &allowing("secrets")), "it ends at ; for some");
    assert!(is_admitted("/accounts/abcd1234/subaccounts", &allowing("subaccounts")));
    for raw in ["/accounts/abcd%2f1234/secrets", "/accounts/abcd\\1234/secrets"] {
        assert!(!is_admitted(raw, &allowing("subaccounts")), "{raw}");
    }
}
