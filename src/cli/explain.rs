//! `vonage-sidecar explain METHOD PATH`: what would happen to a request, and why.

use std::fmt::Write as _;

use http::{Method, Request, Uri};
use serde::Serialize;

use super::locate::Location;
use super::report::{self, Exit, Failure, Outcome};
use crate::config::{Origin, Settings, Transport};
use crate::proxy::entrance::Via;
use crate::proxy::guard::{self, RawFraming};
use crate::proxy::route::{self, Routed, Treatment};
use crate::vonage::endpoints::{Family, Repeat, Scheme};
use crate::vonage::hosts::Host;
use crate::vonage::{parameters, refusal};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The method, such as POST
    method: String,
    /// The path, such as /v1/messages
    path: String,
    /// The `Host` that the request would have
    #[arg(long, default_value = "localhost")]
    host: String,
    #[command(flatten)]
    location: Location,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// The answer, in the order in which it is shown.
#[derive(Debug, Serialize)]
struct Explanation {
    served: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    denied: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accepts: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refusals: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    second_attempt: Option<&'static str>,
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
    let listen = settings.listen.first().ok_or_else(|| Failure::could_not_run("there is no listener"))?;
    let routed = guard::admit(head, listen, Via::Front, RawFraming::Plain)
        .and_then(|admitted| route::route(admitted, listen, settings.upstream.region));
    Ok(match routed {
        Ok(routed) => served(&routed, settings, listen.account.as_ref().map(ToString::to_string)),
        Err(fault) => {
            let told = fault.description();
            denied(format!("{} {}: {}", told.status.as_u16(), told.code, told.what), told.remedy.into_owned())
        }
    })
}

fn denied(denied: String, remedy: String) -> Explanation {
    Explanation {
        served: false,
        denied: Some(denied),
        remedy: Some(remedy),
        endpoint: None,
        upstream: None,
        credential: None,
        accepts: Vec::new(),
        account: None,
        refusals: Vec::new(),
        body: None,
        second_attempt: None,
        repeated: None,
        source: None,
    }
}

fn served(routed: &Routed, settings: &Settings, limit: Option<String>) -> Explanation {
    let basic = routed.treatment == Treatment::Basic;
    Explanation {
        served: true,
        denied: None,
        remedy: None,
        endpoint: Some(routed.endpoint.name),
        upstream: Some(upstream(routed.host, settings.upstream.hosts.get(&routed.host))),
        credential: Some(match routed.treatment {
            Treatment::Basic => "Basic, the account's key and current secret",
            Treatment::PassThrough => "the caller's own, untouched",
            Treatment::Open => "none",
        }),
        accepts: routed.endpoint.schemes.iter().copied().map(scheme).collect(),
        account: basic.then(|| limit.unwrap_or_else(|| "the one that the request names, else the first of the file".to_owned())),
        refusals: if basic { routed.endpoint.refusals.iter().copied().map(family).collect() } else { Vec::new() },
        body: Some(body(routed, settings)),
        second_attempt: Some(if basic {
            "yes, with the other secret, after a refusal that executed nothing"
        } else {
            "no, there is no second credential"
        }),
        repeated: Some(match routed.repeat {
            Repeat::Repeatable => "a GET or HEAD without a body, once, if a reused connection closed before any answer",
            Repeat::Never => "never",
        }),
        source: Some(routed.endpoint.source),
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
    let read = if routed.treatment == Treatment::Basic && parameters::in_body(routed.endpoint) {
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
    let rows: [(&str, Option<String>); 11] = [
        ("denied", told.denied.clone()),
        ("remedy", told.remedy.clone()),
        ("endpoint", told.endpoint.map(str::to_owned)),
        ("upstream", told.upstream.clone()),
        ("credential", told.credential.map(str::to_owned)),
        ("accepts", joined(&told.accepts)),
        ("account", told.account.clone()),
        ("refusals", joined(&told.refusals)),
        ("body", told.body.clone()),
        ("second attempt", told.second_attempt.map(str::to_owned)),
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
