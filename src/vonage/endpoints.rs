//! The table of endpoints: what a row is, how one is found, which paths are the management plane, where a row goes.
//!
//! Invariants:
//! - every path has exactly one row, [`UNKNOWN`] if no other; finding it allocates nothing;
//! - the management plane is decided by prefix, whatever row or host ([`plane`]);
//! - a method that the provider does not document is never repeated.
//!
//! Paths come in one normal form: decoded, without dot segments, doubled slashes resolved, lower case (`proxy::path`).
//!
//! Not here: what a refusal looks like (`refusal`), how a credential is put on a request (`inject`). Facts: named in
//! each row. "`OpenAPI`" are the provider's own description files, "gateway tests" the public suite that asserts what
//! the provider's gateway answers in production, "survey" our own list of its APIs where that names nothing closer.

use http::Method;

use crate::vonage::hosts::{Host, Label, Region, Set};

mod api;
mod regional;
mod rest;
#[cfg(test)]
mod tests;
mod video;

/// How a credential travels on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `Authorization: Basic`.
    Basic,
    /// `api_key` and `api_secret` in the query.
    Query,
    /// The same in a form body.
    Form,
    /// The same in a JSON body.
    Json,
    /// Both as path segments.
    Path,
    /// `sig` with `api_key` and `timestamp`.
    Signature,
    /// `Authorization: Bearer` with a token signed by an application's key.
    Jwt,
    /// The caller's own credential of another kind, never touched.
    PassThrough,
    /// None at all.
    Open,
}

/// What kind of thing a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plane {
    /// Sends, verifies, looks up, reads.
    Data,
    /// Makes or changes a credential, or who pays. Holds the name by which a listener may allow it.
    Management(&'static str),
}

/// How this row tells that a credential is no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// 401 with a problem document.
    Problem,
    /// 401 with `error-code` or `code` and a label, JSON or XML.
    ErrorCode,
    /// 200 with `messages[].status` 4, JSON or XML.
    SmsStatus,
    /// 200 with `status` 4, JSON or XML.
    VerifyStatus,
    /// 200 with `status` 4 (integer), JSON or XML.
    InsightStatus,
    /// 403 of Video.
    VideoForbidden,
}

/// Whether a bodiless GET or HEAD may be sent once more when its connection closed before any answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// It reads only.
    Repeatable,
    /// It sends or charges, or we do not know.
    Never,
}

/// Whether the provider serves a row from several regions, and from which hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Regional {
    /// From one host only.
    No,
    /// Messages: from the regional copies of api.nexmo.com.
    Messages,
    /// Voice, Users, Conversations, recordings: from api-us-3 and its like, which override the application's region.
    Voice,
    /// Identity Insights: from api-us.vonage.com beside api-eu.vonage.com; there is none in Asia and Pacific.
    Insights,
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name in logs and metrics.
    pub name: &'static str,
    /// The host that serves it when nothing else is asked for.
    pub host: Host,
    /// The methods that the provider documents or is known to answer. Others go the same way and are never repeated.
    pub methods: &'static [&'static str],
    /// The path template: `{name}` stands for one segment, a final `/*` for any rest (also none).
    pub path: &'static str,
    /// What it accepts, in the order of our preference.
    pub schemes: &'static [Scheme],
    /// What a refusal looks like here.
    pub refusals: &'static [Family],
    /// Data or management.
    pub plane: Plane,
    /// Whether a GET or HEAD may be repeated.
    pub repeat: Repeat,
    /// Whether a region moves it.
    pub regional: Regional,
    /// Where this is written.
    pub source: &'static str,
}

/// Whether the provider documents this method for this path, or is known to answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Documented {
    /// It does.
    Yes,
    /// It does not: the request goes the way of the path, and is never repeated.
    No,
}

/// The row of one request, with what its method changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matched {
    /// The row.
    pub endpoint: &'static Endpoint,
    /// Whether the row names the method.
    pub method: Documented,
    /// The plane of this request. This one decides, not the row's: it is right for undocumented methods too.
    pub plane: Plane,
    /// Whether this request may be repeated: the row's answer, and never for an undocumented method.
    pub repeat: Repeat,
}

/// The names by which a listener may allow parts of the management plane.
pub const MANAGEMENT: [&str; 6] = [SECRETS, SUBACCOUNTS, SETTINGS, TOP_UP, APPLICATIONS, PSIP];

const SECRETS: &str = "secrets";
const SUBACCOUNTS: &str = "subaccounts";
const SETTINGS: &str = "settings";
const TOP_UP: &str = "top-up";
const APPLICATIONS: &str = "applications";
const PSIP: &str = "psip";

/// A 401 of any shape: the same path answers with a problem document today and with `error-code` in its description.
const ANY_401: &[Family] = &[Family::Problem, Family::ErrorCode];

const GET: &[&str] = &["GET"];
const POST: &[&str] = &["POST"];
const GET_POST: &[&str] = &["GET", "POST"];
const GET_POST_HEAD: &[&str] = &["GET", "POST", "HEAD"];
/// Where a source names a resource and not its methods.
const ANY: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];
const WRITES: &[&str] = &["POST", "PUT", "PATCH", "DELETE"];

const BASIC_OR_JWT: &[Scheme] = &[Scheme::Basic, Scheme::Jwt];
const JWT: &[Scheme] = &[Scheme::Jwt];
const PATH: &[Scheme] = &[Scheme::Path];

/// The row of every path that has no other.
pub static UNKNOWN: Endpoint = Endpoint::new("unknown", Host::API, ANY, "/*")
    .takes(BASIC_OR_JWT)
    .source("our rule: api.nexmo.com serves most paths; what a GET does there is not known");

/// Rows whose paths begin with the same segment. More specific rows stand before less specific ones.
struct Group {
    first: &'static str,
    rows: &'static [Endpoint],
}

static TABLES: [&[Group]; 4] = [rest::GROUPS, api::GROUPS, regional::GROUPS, video::GROUPS];

impl Endpoint {
    /// Takes Basic, refuses with a 401, data plane, never repeated, one host: what most rows begin with.
    const fn new(name: &'static str, host: Host, methods: &'static [&'static str], path: &'static str) -> Self {
        Self {
            name,
            host,
            methods,
            path,
            schemes: &[Scheme::Basic],
            refusals: ANY_401,
            plane: Plane::Data,
            repeat: Repeat::Never,
            regional: Regional::No,
            source: "",
        }
    }

    const fn takes(self, schemes: &'static [Scheme]) -> Self {
        Self { schemes, ..self }
    }

    const fn refuses(self, refusals: &'static [Family]) -> Self {
        Self { refusals, ..self }
    }

    const fn manages(self, what: &'static str) -> Self {
        Self { plane: Plane::Management(what), ..self }
    }

    const fn repeatable(self) -> Self {
        Self { repeat: Repeat::Repeatable, ..self }
    }

    const fn regional(self, regional: Regional) -> Self {
        Self { regional, ..self }
    }

    const fn source(self, source: &'static str) -> Self {
        Self { source, ..self }
    }

    /// Positions of the segments that hold API key and secret, from 0; none where the path holds no credential.
    pub fn credential_segments(&self) -> Option<(usize, usize)> {
        // Every request asks, and few rows have any.
        if !self.schemes.contains(&Scheme::Path) {
            return None;
        }
        let position = |name| segments(self.path).position(|segment| segment == name);
        position("{key}").zip(position("{secret}"))
    }

    /// Whether a token may carry `acl` here: the token endpoints of the Network APIs refuse it.
    pub fn takes_acl(&self) -> bool {
        !self.path.starts_with("/oauth2/")
    }

    fn names(&self, method: &Method) -> bool {
        self.methods.contains(&method.as_str())
    }

    /// The host of the row in a region that the caller asked for by label: rows of api.nexmo.com and of
    /// api-eu.vonage.com have a copy there, the others are served from one host.
    fn copy_in(&self, region: Region) -> Host {
        match self.host.set() {
            Set::Api => region.nexmo(),
            Set::Europe => region.vonage(),
            Set::Rest | Set::Video | Set::Sandbox | Set::OpenTok => self.host,
        }
    }

    /// The host of the row when our settings name a region: only rows that the facts call regional move.
    fn moved_to(&self, region: Region) -> Host {
        match (self.regional, region) {
            (Regional::No, _) | (Regional::Insights, Region::Ap) => self.host,
            (Regional::Messages, _) => region.nexmo(),
            (Regional::Voice, _) => region.voice(),
            (Regional::Insights, Region::Us | Region::Eu) => region.vonage(),
        }
    }
}

/// The row of a request. `chosen` is what the host serves that the caller chose, if it chose one: it matters only
/// where the same path means another thing there (the Messages sandbox, api.opentok.com, which gets no credential of ours).
pub fn lookup(chosen: Option<Set>, method: &Method, normal_path: &str) -> Matched {
    let endpoint = match chosen {
        Some(Set::OpenTok) => Some(&video::OPENTOK),
        Some(Set::Sandbox) => find(regional::SANDBOX.iter(), method, normal_path).or_else(|| general(method, normal_path)),
        Some(Set::Rest | Set::Api | Set::Europe | Set::Video) | None => general(method, normal_path),
    };
    let endpoint = endpoint.unwrap_or(&UNKNOWN);
    let plane = plane(method, normal_path);
    if endpoint.names(method) {
        Matched { endpoint, method: Documented::Yes, plane, repeat: endpoint.repeat }
    } else {
        Matched { endpoint, method: Documented::No, plane, repeat: Repeat::Never }
    }
}

fn general(method: &Method, path: &str) -> Option<&'static Endpoint> {
    let mut parts = segments(path);
    let first = parts.next()?;
    let second = parts.next().unwrap_or_default();
    let groups = TABLES.iter().copied().flatten().filter(|group| group.first == first);
    find(groups.flat_map(|group| group.rows).filter(|row| may_fit(row.path, first, second)), method, path)
}

/// A look at the first letter behind `/first/`, which settles most rows of a large group.
fn may_fit(template: &str, first: &str, second: &str) -> bool {
    match template.as_bytes().get(first.len() + 2) {
        None | Some(b'{' | b'*') => true,
        letter @ Some(_) => letter == second.as_bytes().first(),
    }
}

/// The first row that fits path and method, else the first that fits the path.
fn find(rows: impl Iterator<Item = &'static Endpoint>, method: &Method, path: &str) -> Option<&'static Endpoint> {
    let mut other_method = None;
    for row in rows.filter(|row| fits(row.path, path)) {
        if row.names(method) {
            return Some(row);
        }
        other_method = other_method.or(Some(row));
    }
    other_method
}

/// Whether a path fits a template.
fn fits(template: &str, path: &str) -> bool {
    let mut path = segments(path);
    for wanted in segments(template) {
        if wanted == "*" {
            return true;
        }
        match path.next() {
            Some(segment) if wanted.starts_with('{') || wanted == segment => {}
            Some(_) | None => return false,
        }
    }
    path.next().is_none()
}

/// Empty segments do not count, so that a doubled or trailing slash never makes another rule.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// The plane of a request, by prefix and whatever the host: a path that no row has is denied with its neighbours.
///
/// Management is everything under /accounts/, account settings, top-up, and writes under /v1|v2/applications and
/// /v1/psip (a public key is a permanent credential). Anything but GET, HEAD and OPTIONS is a write.
pub fn plane(method: &Method, normal_path: &str) -> Plane {
    let mut segments = segments(normal_path);
    let mut next = || segments.next().unwrap_or_default();
    let writes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    match (next(), next(), next()) {
        ("accounts", _, "secrets") => Plane::Management(SECRETS),
        ("accounts", _, _) => Plane::Management(SUBACCOUNTS),
        ("account", "settings", _) => Plane::Management(SETTINGS),
        ("account", "top-up", _) => Plane::Management(TOP_UP),
        ("v1" | "v2", "applications", _) if writes => Plane::Management(APPLICATIONS),
        ("v1", second, _) if writes && second.starts_with(PSIP) => Plane::Management(PSIP),
        _ => Plane::Data,
    }
}

/// Where a request of this row goes. A host that the caller chose wins; a region that it chose by label takes the
/// copy of the row there; a region of our settings moves only what the provider calls regional.
pub fn destination(row: &Endpoint, region: Option<Region>, chosen: Option<Label>) -> Host {
    match (chosen, region) {
        (Some(Label::Host(host)), _) => host,
        (Some(Label::Region(asked)), _) => row.copy_in(asked),
        (None, Some(region)) => row.moved_to(region),
        (None, None) => row.host,
    }
}
