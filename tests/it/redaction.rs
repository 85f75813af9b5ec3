//! No secret comes out: neither in what the process writes, nor in what it answers, nor in what others see of it.
//!
//! The real binary runs with every log switched on, and is driven through everything that touches a value: then
//! everything it emitted is searched for every planted value in every form that a program could have given it.
#![expect(clippy::disallowed_methods, reason = "the files under test are ours and go away")]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use http::Method;
use rustix::process::Signal;
use vonage_sidecar::emulator::{Options, Running};

use crate::support::caller::{Caller, raw, request};
use crate::support::process::{Home, Process, vonage};
use crate::support::sidecar::KEY;

/// Held, and what the provider takes.
const LIVE: &str = r#"CanaryLive&1+%2":\x"#;
/// Held, and refused.
const OLD: &str = r#"CanaryOld&1+%2":\y"#;
/// Held in a file of its own.
const FILED: &str = "CanaryFiled123";
const SIGNATURE: &str = r#"CanarySign&+%":\z"#;
/// What observers present, from a file and from the settings.
const TOKENS: [&str; 2] = ["CanaryObserveFile1234", "CanaryObserveText5678"];
/// What an app sends in place of the secret; it may well be a secret of something else.
const PLACEHOLDER: &str = r#"CanaryPlace&+%":\p"#;
/// A caller's own token.
const BEARER: &str = "eyJhbGciOiJSUzI1NiJ9.Q2FuYXJ5QmVhcmVy.CanaryBearerMark";
/// Values in files that cannot be used.
const BROKEN: [&str; 4] = ["CanaryBroken1", "CanaryBroken2", "CanaryBroken3", "CanaryBroken4"];

fn private_key() -> String {
    vonage_sidecar::jwt::generate::key_pair().unwrap().private.as_pem().to_owned()
}

/// Every form in which a program could have written a value down. Parts of a form count as well: a value that is cut or
/// wrapped is still a value.
fn forms(value: &str) -> Vec<String> {
    let json = |text: &str| serde_json::to_string(text).unwrap().trim_matches('"').to_owned();
    let percent = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
    let form: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let hex = value.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let list = format!("{:?}", value.as_bytes());
    let mut forms = vec![
        value.to_owned(),
        json(value),
        json(&json(value)),
        format!("{value:?}").trim_matches('"').to_owned(),
        percent.to_ascii_lowercase(),
        percent,
        form,
        hex.to_ascii_uppercase(),
        hex,
        list.trim_matches(['[', ']']).to_owned(),
    ];
    for offset in 0..3_usize {
        let mut padded = vec![b'a'; offset];
        padded.extend_from_slice(value.as_bytes());
        // Only the characters that the value alone decides.
        let (first, last) = ((offset * 4).div_ceil(3), padded.len() * 4 / 3);
        forms.extend([STANDARD.encode(&padded), URL_SAFE.encode(&padded)].map(|text| text[first..last].to_owned()));
    }
    // The part before the first special character is in most of the forms unchanged, whatever happened to the rest.
    forms.extend(value.split(|letter: char| !letter.is_ascii_alphanumeric()).next().filter(|part| part.len() >= 9).map(str::to_owned));
    forms
}

/// All that was emitted, by where.
#[derive(Default)]
struct Emitted(Vec<(String, String)>);

impl Emitted {
    fn add(&mut self, place: impl Into<String>, bytes: &[u8]) {
        self.0.push((place.into(), String::from_utf8_lossy(bytes).into_owned()));
    }

    fn holds_none_of(&self, values: &[&str]) {
        for value in values {
            for form in forms(value) {
                for (place, text) in &self.0 {
                    if let Some(at) = text.find(&form) {
                        let from = text[..at].rfind('\n').map_or(0, |line| line + 1);
                        let line = text[from..].lines().next().unwrap();
                        panic!("{value} is in {place} as {form}: {line}");
                    }
                }
            }
        }
    }

    fn len(&self, place: &str) -> usize {
        self.0.iter().filter(|(name, _)| name == place).map(|(_, text)| text.len()).sum()
    }
}

struct House {
    home: Home,
    emulator: Running,
    process: Process,
    emitted: Emitted,
    key: String,
}

impl House {
    async fn new() -> Self {
        let home = Home::new();
        let key = private_key();
        home.write("private.key", &key);
        home.write("old-secret", &format!("{FILED}\n"));
        home.write("observe-token", TOKENS[0]);
        home.write("credentials.toml", &credentials(&[OLD, LIVE]));
        let emulator = vonage(Options::with_account(KEY, &[LIVE])).await;
        let settings = format!(
            "log.filter = \"trace\"\nlog.format = \"json\"\nfallback.hold = \"100ms\"\ntimeouts.answer_head = \"2s\"\n[admin.observe]\naddress = \"127.0.0.1:0\"\ntokens = [{{ file = \"observe-token\" }}, \"{}\"]\n",
            TOKENS[1]
        );
        let process = home.sidecar(emulator.address(), &settings).await;
        Self { home, emulator, process, emitted: Emitted::default(), key }
    }

    /// A call to the data port, with the value in all the places where an app puts one.
    async fn call(&mut self, what: &str, value: &str, fault: &str) {
        let pair = STANDARD.encode(format!("{KEY}:{value}"));
        let escaped: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let percent = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
        let json = serde_json::json!({ "api_key": KEY, "api_secret": value, "number": "447700900000", "brand": "Acme" }).to_string();
        let form = format!("api_key={KEY}&api_secret={escaped}&from=Acme&to=447700900000&text=hello");
        let form_type = "application/x-www-form-urlencoded";
        for (method, target, authorization, content_type, body) in [
            (Method::GET, "/account/get-balance".to_owned(), format!("Basic {pair}"), "", String::new()),
            (Method::POST, "/v1/messages".to_owned(), format!("Basic {pair}"), "application/json", "{}".to_owned()),
            (Method::GET, format!("/account/get-balance?api_key={KEY}&api_secret={escaped}"), String::new(), "", String::new()),
            (Method::POST, "/sms/json".to_owned(), String::new(), form_type, form.clone()),
            (Method::POST, "/sms/xml".to_owned(), format!("Basic {pair}"), form_type, form.clone()),
            (Method::POST, "/verify/json".to_owned(), String::new(), "application/json", json.clone()),
            (Method::POST, "/verify/json".to_owned(), String::new(), "application/json", json[..json.len() - 1].to_owned()),
            (
                Method::GET,
                format!("/ni/basic/json?number=447700900000&api_key={KEY}&api_secret={percent}"),
                String::new(),
                "",
                String::new(),
            ),
            (Method::GET, format!("/account/numbers/{KEY}/{percent}"), String::new(), "", String::new()),
            (Method::GET, format!("/account//numbers/{KEY}/{percent}"), String::new(), "", String::new()),
            (Method::POST, format!("/account/settings/{KEY}/{percent}"), String::new(), "", String::new()),
            (Method::POST, format!("/account/top-up/{KEY}/{percent}?trx=1"), String::new(), "", String::new()),
            (Method::GET, format!("/no/such/{KEY}/{percent}"), format!("Basic {pair}"), "", String::new()),
            (Method::GET, format!("/no;s={percent}/such%3Fapi_secret={percent}"), format!("Basic {pair}"), "", String::new()),
            (Method::GET, format!("/accounts/{KEY}/secrets"), format!("Basic {pair}"), "", String::new()),
            (Method::POST, "/v1/calls".to_owned(), format!("Bearer {value}"), "application/json", "{}".to_owned()),
            (
                Method::GET,
                format!("/account/get-balance?api_key=other000&api_secret={escaped}"),
                format!("Basic {pair}"),
                "",
                String::new(),
            ),
            (Method::GET, format!("/account/get-balance?api_key=other000&api_secret={escaped}"), String::new(), "", String::new()),
        ] {
            let mut call = request(method.clone(), &target, content_type, Bytes::from(body));
            call.headers_mut().remove("authorization");
            if let Ok(authorization) = authorization.parse() {
                call.headers_mut().insert("authorization", authorization);
            }
            if !fault.is_empty() {
                call.headers_mut().insert("x-emulator-fault", fault.parse().unwrap());
            }
            match Caller::new(self.process.data[0]).send(call).await {
                Ok(answer) => {
                    self.emitted.add(format!("answer to {what} {method}"), format!("{:?}", answer.headers).as_bytes());
                    self.emitted.add("answers", &answer.body);
                }
                Err(error) => self.emitted.add("errors of callers", error.as_bytes()),
            }
        }
    }

    /// Requests that are none, each with a value in it.
    async fn malformed(&mut self, value: &str) {
        let pair = STANDARD.encode(format!("{KEY}:{value}"));
        let token = value.replace(['"', '\\'], "");
        for bytes in [
            format!("GET /sms/json?api_secret={token} HTTP/1.1\r\nauthorization: Basic {pair}\r\n\r\n"),
            format!("GET /sms/json?api_secret={token} HTTP/1.1\r\nhost: localhost\r\nauthorization Basic {pair}\r\n\r\n"),
            format!("GET /sms/json HTTP/1.1\r\nhost: {token}\r\nauthorization: Basic {pair}\r\n\r\n"),
            format!("{token} /sms/json HTTP/1.1\r\nhost: localhost\r\n\r\n"),
            format!("GET http://u:{token}@localhost/sms/json HTTP/1.1\r\nhost: localhost\r\n\r\n"),
            format!("GET /{token}%00 HTTP/1.1\r\nhost: localhost\r\n\r\n"),
            format!("POST /sms/json HTTP/1.1\r\nhost: localhost\r\ncontent-length: {token}\r\n\r\n"),
            format!("POST /sms/json HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: {token}\r\n\r\n"),
            format!("POST /sms/json HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{token}\r\n"),
            format!("GET /sms/json HTTP/1.1\r\nhost: localhost\r\nte: {token}\r\nexpect: {token}\r\n\r\n"),
            format!("GET /account/get-balance HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\n\r\n"),
            format!("GET /account/get-balance HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic {token}\r\ncookie: {token}\r\n\r\n"),
            format!("CONNECT {token}:443 HTTP/1.1\r\nhost: localhost\r\nproxy-authorization: Basic {pair}\r\n\r\n"),
        ] {
            for to in [self.process.data[0], self.process.admin[0], self.process.admin[1]] {
                let answer = raw(to, bytes.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1).as_bytes()).await;
                self.emitted.add("answers to what is no request", &answer);
            }
        }
    }

    /// Everything that operators and observers can ask.
    async fn admin(&mut self) {
        for to in self.process.admin.clone() {
            for (method, path) in [
                ("GET", "/"),
                ("GET", "/livez"),
                ("GET", "/readyz"),
                ("GET", "/startupz"),
                ("GET", "/metrics"),
                ("GET", "/status"),
                ("POST", "/reload"),
                ("POST", "/prove"),
                ("GET", "/nothing"),
            ] {
                for token in [TOKENS[0], TOKENS[1], PLACEHOLDER] {
                    let head = format!(
                        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nx-sidecar-admin: 1\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
                    );
                    self.emitted.add(format!("admin {path}"), &raw(to, head.as_bytes()).await);
                }
            }
        }
    }

    async fn command(&mut self, arguments: &[&str]) {
        let ended = self.home.run(arguments).await;
        self.emitted.add(format!("command {}", arguments[0]), format!("{}{}", ended.out, ended.err).as_bytes());
    }

    /// Puts a file there and makes sure that it was read.
    async fn reload(&mut self, text: &str) {
        self.home.write("credentials.toml", text);
        self.process.signal(Signal::HUP);
        let to = self.process.admin[0];
        let head = format!("POST /reload HTTP/1.1\r\nhost: {to}\r\nx-sidecar-admin: 1\r\nconnection: close\r\n\r\n");
        self.emitted.add("admin /reload", &raw(to, head.as_bytes()).await);
    }
}

fn credentials(secrets: &[&str]) -> String {
    let secrets: Vec<String> = secrets.iter().map(|secret| serde_json::to_string(secret).unwrap()).collect();
    let signature = serde_json::to_string(SIGNATURE).unwrap();
    format!(
        "[[account]]\napi_key = \"{KEY}\"\nsecrets = [{}]\nsignature_secrets = [{signature}]\n[[account]]\napi_key = \"other000\"\nsecrets = [{{ file = \"old-secret\" }}]\n[[application]]\nid = \"aaaaaaaa-bbbb-cccc-dddd-0123456789ab\"\naccount = \"{KEY}\"\nprivate_keys = [{{ file = \"private.key\" }}]\n",
        secrets.join(", ")
    )
}

/// Files that cannot be used, or hardly, with a value where the fault is.
fn broken() -> Vec<String> {
    let [one, two, three, four] = BROKEN;
    vec![
        format!("[[account]]\napi_key = \"{KEY}\"\nsecrets = [\"{one}]\n"),
        format!("[[account]]\napi_key = {one}\nsecrets = \"{two}\" \"{three}\"\n"),
        format!("{{\"api_key\": \"{KEY}\", \"api_secret\": \"{one}\" \"{two}\"}}"),
        format!(
            "{{\"api_key\": \"{KEY}\", \"api_secret\": \"{one}\", \"api_secret_previous\": {{\"{two}\": \"{three}\"}}, \"{four}\": \"{one}\"}}"
        ),
        format!("[[account]]\napi_key = \"{one} {two}\"\nsecrets = [\"{three} with a space\"]\nprimary = \"{four}:\"\n"),
        format!("[[account]]\napi_key = \"{KEY}\"\nsecrets = [{{ vaule = \"{one}\" }}, {{ value = 1, id = \"{two} {three}\" }}]\n"),
        format!("[[account]]\napi_key = \"{KEY}\"\nsecrets = [\"{one}\", \"{two}\", \"{three}\"]\nsignature_method = \"{four}\"\n"),
        format!(
            "[[account]]\napi_key = \"{KEY}\"\nsecrets = [{{ value = \"{one}\", created_at = \"{two}\" }}]\n[account.\"{three}\"]\nx = 1\n"
        ),
        format!(
            "api_key = \"{KEY}\"\napi_secret = \"{one}\"\n{two} = \"{three}\"\n[[application]]\nid = \"{four} x\"\nprivate_keys = [\"-----BEGIN {three}\"]\n"
        ),
        format!("api_key = \"{KEY}\"\nsecrets = [{{ file = \"{one}\" }}, {{ file = \"old-secret/{two}\" }}]\n"),
        format!("{one}\n"),
        String::new(),
    ]
}

#[tokio::test]
async fn nothing_that_is_emitted_holds_a_secret_in_any_form() {
    let mut house = House::new().await;
    for value in [PLACEHOLDER, LIVE, OLD, BEARER] {
        house.call("served", value, "").await;
        house.malformed(value).await;
    }
    for fault in [
        "refused",
        "status=503",
        "empty-401",
        "proxy-page",
        "reset-after",
        "reset-mid-body",
        "garbage-before",
        "close-before",
        "gzip",
        "throttled=1",
    ] {
        house.call(fault, PLACEHOLDER, fault).await;
    }
    house.call("silence", LIVE, "reset-before").await;
    house.admin().await;
    house.emulator.control().revoke_value(KEY, LIVE);
    house.call("both refused", PLACEHOLDER, "").await;
    house.admin().await;
    for text in broken() {
        house.reload(&text).await;
        house.command(&["check"]).await;
        house.command(&["check", "--json"]).await;
        house.admin().await;
    }
    house.reload(&credentials(&[OLD, LIVE])).await;
    house.emulator.control().create_secret(KEY, "Another1Secret").unwrap();
    let admin = house.process.admin[0].to_string();
    for arguments in [
        &["check", "--online"][..],
        &["check", "--online", "--json"],
        &["explain", "POST", "/sms/json?api_secret=CanaryPlace"],
        &["explain", "GET", "/account/numbers/abcd1234/CanaryPlace"],
        &["explain", "GET", "/accounts/abcd1234/CanaryPlace", "--json"],
        &["status", "--admin", &admin],
        &["status", "--json", "--admin", &admin],
        &["health", "--admin", &admin],
    ] {
        house.command(arguments).await;
    }
    let pid = house.process.pid.as_raw_nonzero();
    for name in ["cmdline", "environ", "comm", "status", "maps"] {
        // What the kernel keeps from us it keeps from others.
        if let Ok(bytes) = std::fs::read(format!("/proc/{pid}/{name}")) {
            house.emitted.add(format!("/proc/PID/{name}"), &bytes);
        }
    }
    house.process.signal(Signal::TERM);
    assert_eq!(house.process.ends().await, Some(0));
    let (out, err) = house.process.written();
    house.emitted.add("standard output", &out);
    house.emitted.add("standard error", &err);
    assert!(house.emitted.len("standard error") > 50_000 && house.emitted.len("answers") > 1_000, "hardly anything was emitted");
    let key: Vec<&str> = house.key.lines().filter(|line| !line.starts_with('-')).collect();
    let planted = [LIVE, OLD, FILED, SIGNATURE, TOKENS[0], TOKENS[1], PLACEHOLDER, BEARER, "CanaryBearerMark"];
    house.emitted.holds_none_of(&[&planted[..], &BROKEN, &key].concat());
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let pair = STANDARD.encode(format!("{KEY}:{LIVE}"));
    let shifted = STANDARD.encode(format!("x{KEY}:{LIVE}"));
    for text in [
        LIVE.to_owned(),
        format!("{:?}", format!("{LIVE:?}")),
        serde_json::json!({ "a": LIVE }).to_string(),
        format!("Basic {pair}"),
        format!("Basic {shifted}"),
        form_urlencoded::byte_serialize(LIVE.as_bytes()).collect(),
        format!("{:?}", Bytes::from(LIVE)),
        format!("{:?}", LIVE.as_bytes()),
    ] {
        assert!(forms(LIVE).iter().any(|form| text.contains(form.as_str())), "{text}");
    }
}

/// The kernel's own word for "no dump, no debugger": the memory belongs to root, whoever runs the process.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_memory_of_the_process_is_nobody_elses() {
    use std::os::unix::fs::MetadataExt;
    let home = Home::new();
    let process = home.start(&["emulator", "--listen", "127.0.0.1:0"]);
    process.prints("emulated Vonage").await;
    let pid = process.pid.as_raw_nonzero();
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core: Vec<&str> = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{core:?}");
    if !rustix::process::getuid().is_root() {
        assert_eq!(std::fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid(), 0);
        assert!(std::fs::read(format!("/proc/{pid}/environ")).is_err());
        assert!(std::fs::File::open(format!("/proc/{pid}/mem")).is_err());
    }
}
