//! `vonage-sidecar explain METHOD PATH`: what would happen to a request, and why.

use std::fmt::Write as _;

use http::{Method, Request, Uri};
use serde::Serialize;

use super::locate::Location;
use super::report::{self, Exit, Failure, Outcome};
use crate::clock;
use crate::config::{Listen, Origin, Serves, Settings, Transport};
use crate::credentials::{Keyring, Snapshot, file, linger, read};
use crate::inject::strip::{self, Bearer, Carried, Claims};
use crate::jwt::{Placeholder, Rights};
use crate::proxy::entrance::Via;
use crate::proxy::fault::Fault;
use crate::proxy::guard::{self, RawFraming};
use crate::proxy::route::{self, Routed, Treatment};
use crate::proxy::whose::{self, Whose};
use crate::vonage::endpoints::{Endpoint, Family, Repeat, Scheme};
use crate::vonage::hosts::Host;
use crate::vonage::{parameters, refusal};

mod listener;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The method, such as POST
    method: String,
    /// The path, such as /v1/messages
    path: String,
    /// The `Host` that the request would have
    #[arg(long, default_value = "localhost")]
    host: String,
    /// The listener: its number in the settings, beginning with 1, or its address or path as it is written there
    #[arg(long, value_name = "LISTENER", default_value = "1")]
    listener: String,
    #[command(flatten)]
    location: Location,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// The answer, in the order in which it is shown.
#[derive(Debug, Default, Serialize)]
struct Explanation {
    served: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callers: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denied: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    with_bearer_token: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accepts: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refusals: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    second_attempt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
}

/// Explains. Exit 1 when the request would be denied.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    let settings = arguments.location.settings()?.settings;
    let explanation = explain(arguments, &settings)?;
    let served = explanation.served;
    let document =
        serde_json::to_value(&explanation).map_err(|error| Failure::could_not_run("the answer cannot be written").caused_by(&error))?;
    if arguments.json {
        report::data(&format!("{document:#}\n"))?;
    } else {
        report::data(&lines(&explanation))?;
    }
    Ok(if served { Exit::Done } else { Exit::No })
}

fn explain(arguments: &Arguments, settings: &Settings) -> Result<Explanation, Failure> {
    let method: Method = arguments
        .method
        .to_ascii_uppercase()
        .parse()
        .map_err(|_| Failure::could_not_run("this is not an HTTP method").hint("GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"))?;
    let uri: Uri = arguments.path.parse().map_err(|_| Failure::could_not_run("this is not a path").hint("a path begins with /"))?;
    let request = Request::builder().method(method).uri(uri).header("host", &arguments.host).body(());
    let (head, ()) = request.map_err(|error| Failure::could_not_run("no such request can be made").caused_by(&error))?.into_parts();
    let listen = meant(&arguments.listener, settings)?;
    let held = held(settings);
    let explained = guard::admit(head, listen, Via::Front, RawFraming::Plain).and_then(|admitted| match &listen.serves {
        Serves::Mint(mint) => listener::minted(mint, listen, held.as_ref()),
        Serves::Http | Serves::Https(_) | Serves::Proxy(_) => {
            route::route(admitted, listen, settings.upstream.region).and_then(|routed| served(&routed, settings, listen, held.as_ref()))
        }
    });
    let mut explanation = explained.unwrap_or_else(|fault| {
        let (denied_with, remedy) = words(&fault);
        denied(denied_with, remedy)
    });
    explanation.listener = Some(format!("{}, {}", listen.place, listen.serves.word()));
    explanation.callers = Some(listener::callers(listen));
    explanation.limits = listener::limits(listen);
    Ok(explanation)
}

/// The listener that is meant.
fn meant<'s>(wanted: &str, settings: &'s Settings) -> Result<&'s Listen, Failure> {
    let by_number = wanted.parse::<usize>().ok().and_then(|number| settings.listen.get(number.checked_sub(1)?));
    let by_place = || settings.listen.iter().find(|listen| listen.place.to_string() == wanted.trim_start_matches("unix:"));
    by_number.or_else(by_place).ok_or_else(|| {
        let places: Vec<String> = settings.listen.iter().map(|listen| listen.place.to_string()).collect();
        Failure::could_not_run("there is no such listener").hint(format!("the settings have {}", places.join(", ")))
    })
}

fn words(fault: &Fault) -> (String, String) {
    let told = fault.description();
    (format!("{} {}: {}", told.status.as_u16(), told.code, told.what), told.remedy.into_owned())
}

/// What the credentials file holds, if it can be used now.
fn held(settings: &Settings) -> Option<Snapshot> {
    let path = &settings.credentials.file;
    let picture = read::picture(path, settings.credentials.modes).ok()?;
    let (parsed, _problems) = file::parse(path, picture.text(), &picture.referenced);
    let (snapshot, _changes) = linger::succeed(&Snapshot::default(), parsed?, std::time::Duration::ZERO, clock::now(), &mut 1);
    Some(snapshot)
}

fn denied(denied: String, remedy: String) -> Explanation {
    Explanation { denied: Some(denied), remedy: Some(remedy), ..Explanation::default() }
}

fn served(routed: &Routed, settings: &Settings, listen: &Listen, held: Option<&Snapshot>) -> Result<Explanation, Fault> {
    let ours = routed.treatment == Treatment::Ours;
    let claimed = claims(routed)?;
    let whose = match held {
        Some(held) if ours => Some((whose::whose(&claimed, routed.endpoint, listen, held)?, held)),
        Some(_) | None => None,
    };
    let credential = match (routed.treatment, &whose) {
        (Treatment::PassThrough, _) => "the caller's own, untouched".to_owned(),
        (Treatment::Open, _) => "none".to_owned(),
        (Treatment::Ours, Some((whose, held))) => described(whose, held),
        (Treatment::Ours, None) => without_file(routed.endpoint).to_owned(),
    };
    let with_token = whose.as_ref().and_then(|(_, held)| with_token(routed, listen, held));
    Ok(Explanation {
        served: true,
        endpoint: Some(routed.endpoint.name),
        upstream: Some(upstream(routed.host, settings.upstream.hosts.get(&routed.host))),
        with_bearer_token: with_token.filter(|with_token| *with_token != credential),
        credential: Some(credential),
        accepts: routed.endpoint.schemes.iter().copied().map(scheme).collect(),
        account: ours.then(|| account(&claimed, listen, held)),
        refusals: if ours { routed.endpoint.refusals.iter().copied().map(family).collect() } else { Vec::new() },
        body: Some(body(routed, settings)),
        second_attempt: Some(if ours { second_attempt(whose.as_ref()) } else { "no, there is no second credential".to_owned() }),
        repeated: Some(match routed.repeat {
            Repeat::Repeatable => "a GET or HEAD without a body, once, if a reused connection closed before any answer",
            Repeat::Never => "never",
        }),
        source: Some(routed.endpoint.source),
        ..Explanation::default()
    })
}

/// What the request says about its caller, taken off it as the proxy does, with the body that such a request has.
fn claims(routed: &Routed) -> Result<Claims, Fault> {
    let takes = |scheme| routed.endpoint.schemes.contains(&scheme);
    let carried = if matches!(routed.head.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        Carried::Nothing
    } else if takes(Scheme::Form) {
        Carried::Form
    } else if takes(Scheme::Json) {
        Carried::Object
    } else {
        Carried::Nothing
    };
    let (_stripped, claims) = strip::head(routed.head.clone(), routed.endpoint)?;
    Ok(Claims { carried, ..claims })
}

/// What the same request would get if it carried a token that says nothing; none where no token is taken.
fn with_token(routed: &Routed, listen: &Listen, held: &Snapshot) -> Option<String> {
    if !routed.endpoint.schemes.contains(&Scheme::Jwt) {
        return None;
    }
    let bearer = Bearer::Token(Placeholder { application: None, rights: Rights::default() });
    let claims = Claims { bearer, ..claims(routed).ok()? };
    let found = whose::whose(&claims, routed.endpoint, listen, held);
    Some(found.map_or_else(|fault| words(&fault).0, |whose| described(&whose, held)))
}

/// Which account it is for, and who says so.
fn account(claims: &Claims, listen: &Listen, held: Option<&Snapshot>) -> String {
    let named = claims.keys.iter().find(|key| !key.is_empty());
    let of_application = held.and_then(|held| whose::limit(listen, held).ok().flatten());
    match (listen.account.as_ref().or(of_application), named) {
        (Some(limit), _) => limit.to_string(),
        (None, Some(key)) => format!("{key}, which the request names"),
        (None, None) => "the one that the request names, else the first of the file".to_owned(),
    }
}

/// Whether there is another value to try, as far as the file says now.
fn second_attempt(whose: Option<&(Whose, &Snapshot)>) -> String {
    let keyring = whose.and_then(|(whose, held)| held.keyring(&whose.wanted.keyring()));
    let Some(keyring) = keyring else {
        return "yes, if the file has another secret or key, after a refusal that executed nothing".to_owned();
    };
    let kind = match keyring {
        Keyring::Secrets(_) => "secret",
        Keyring::Signatures(_) => "signature secret",
        Keyring::Keys(_) => "private key",
    };
    match keyring.items().count() {
        0 | 1 => format!("no, no other {kind} is held, unless a newer file brings one in time"),
        _several => format!("yes, with the other {kind}, after a refusal that executed nothing"),
    }
}

/// In words: the scheme, whose it is, and which value goes first.
fn described(whose: &Whose, held: &Snapshot) -> String {
    let form = match whose.wanted.scheme() {
        Scheme::Jwt => "a token (Bearer)",
        Scheme::Signature => "a signature (sig)",
        Scheme::Basic => "key and secret (Basic)",
        Scheme::Query => "key and secret (query)",
        Scheme::Form => "key and secret (form)",
        Scheme::Json => "key and secret (JSON)",
        Scheme::Path => "key and secret (path)",
        Scheme::PassThrough | Scheme::Open => "nothing of ours",
    };
    let Some(keyring) = held.keyring(&whose.wanted.keyring()) else { return form.to_owned() };
    let owner = keyring.application().map_or_else(|| format!("account {}", keyring.account()), |id| format!("application {id}"));
    let first = keyring.items().next().map(|item| item.uid);
    format!("{form} of {owner}, {} first", first.map_or_else(|| "nothing".to_owned(), |uid| keyring.name(uid).to_string()))
}

/// The same where the credentials file cannot be read now.
fn without_file(endpoint: &Endpoint) -> &'static str {
    if endpoint.schemes.iter().all(|scheme| *scheme == Scheme::Jwt) {
        "a token of the application"
    } else if endpoint.schemes.contains(&Scheme::Basic) {
        "Basic, the account's key and current secret"
    } else {
        "the account's key and current secret"
    }
}

fn upstream(host: Host, replaced: Option<&Origin>) -> String {
    match replaced {
        None => format!("https://{host}"),
        Some(Origin { transport, host: name, port }) => {
            let scheme = match transport {
                Transport::Plain => "http",
                Transport::Tls => "https",
            };
            format!("{scheme}://{name}:{port}, in place of {host}")
        }
    }
}

fn body(routed: &Routed, settings: &Settings) -> String {
    let limit = settings.limits.replay;
    let read = if routed.treatment == Treatment::Ours && parameters::in_body(routed.endpoint) {
        format!("read whole and cleaned of credentials, at most {limit} bytes")
    } else {
        format!("streamed, the first {limit} bytes kept for a second attempt")
    };
    let judged = if refusal::judged_by_body(routed.endpoint) { "; the answer is read to judge it" } else { "" };
    format!("{read}{judged}")
}

fn scheme(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Basic => "basic",
        Scheme::Query => "query",
        Scheme::Form => "form",
        Scheme::Json => "json",
        Scheme::Path => "path",
        Scheme::Signature => "signature",
        Scheme::Jwt => "jwt",
        Scheme::PassThrough => "pass-through",
        Scheme::Open => "open",
    }
}

fn family(family: Family) -> &'static str {
    match family {
        Family::Problem => "401 with a problem document",
        Family::ErrorCode => "401 with error-code and label",
        Family::SmsStatus => "200 with messages[].status 4",
        Family::VerifyStatus => "200 with status 4",
        Family::InsightStatus => "200 with status 4 (integer)",
        Family::VideoForbidden => "403 of Video",
    }
}

fn lines(told: &Explanation) -> String {
    let joined = |words: &[&'static str]| (!words.is_empty()).then(|| words.join(", "));
    let rows: [(&str, Option<String>); 15] = [
        ("listener", told.listener.clone()),
        ("callers", told.callers.clone()),
        ("limits", told.limits.clone()),
        ("denied", told.denied.clone()),
        ("remedy", told.remedy.clone()),
        ("endpoint", told.endpoint.map(str::to_owned)),
        ("upstream", told.upstream.clone()),
        ("credential", told.credential.clone()),
        ("with a token", told.with_bearer_token.clone()),
        ("accepts", joined(&told.accepts)),
        ("account", told.account.clone()),
        ("refusals", joined(&told.refusals)),
        ("body", told.body.clone()),
        ("second attempt", told.second_attempt.clone()),
        ("repeated", told.repeated.map(str::to_owned)),
    ];
    let mut text = String::new();
    for (name, value) in rows.iter().chain([&("source", told.source.map(str::to_owned))]) {
        if let Some(value) = value {
            let _infallible = writeln!(text, "{name:<15} {value}");
        }
    }
    text
}
