//! Every way in which a credential is refused: the first secret refused, the second accepted, one execution, and the app
//! sees the success and nothing else.

use http::Method;
use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::emulator::{Dialect, LegacyBasic, NumbersRefusal, Options};
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{
    APPLICATIONS, BALANCE, Call, FORM, JSON, MESSAGE, NEW, OLD, SMS, VERIFY, VERIFY2, attempts, fault, get, post, send, standing,
};
use crate::support::caller::Caller;
use crate::support::sidecar::{KEY, Setup, Sidecar};

const SMS_XML: Call = post("/sms/xml", FORM, "from=Acme&to=447700900000&text=hello");
const SHORT_CODE: Call = post("/sc/us/alert/json", FORM, "to=447700900000&code=1");
const VERIFY_XML: Call = post("/verify/xml", FORM, "number=447700900000&brand=Acme");
const INSIGHT: Call = post("/ni/basic/json", FORM, "number=447700900000");
const INSIGHT_XML: Call = post("/ni/basic/xml", FORM, "number=447700900000");

/// Endpoints whose refusal is a 200 with status 4, or a 401 in the other dialect.
const LEGACY: [Call; 7] = [SMS, SMS_XML, SHORT_CODE, VERIFY, VERIFY_XML, INSIGHT, INSIGHT_XML];

/// Endpoints whose refusal is a 401 that is known.
const KNOWN: [Call; 10] = [
    MESSAGE,
    VERIFY2,
    APPLICATIONS,
    BALANCE,
    get("/account/numbers"),
    get("/account/get-pricing/outbound/sms?country=GB"),
    get("/v2/reports/records?account_id=abcd1234&product=SMS&direction=outbound"),
    get("/beta/audit/events"),
    post("/v1/redact/transaction", JSON, r#"{"id":"x","product":"sms","type":"outbound"}"#),
    post("/number/buy", FORM, "country=GB&msisdn=447700900000"),
];

async fn with_dialect(dialect: Dialect) -> Sidecar {
    let mut setup = Setup::new(&[NEW], &[OLD, NEW]);
    setup.options = Some(Options { dialect, ..Options::with_account(KEY, &[NEW]) });
    setup.start().await
}

/// One execution at most, two attempts, the second one's answer, and nothing of ours on it.
async fn cured(sidecar: &Sidecar, call: Call, fault: &str) {
    let path = call.path;
    let mut request = call.request();
    request.headers_mut().insert("x-emulator-fault", fault.parse().unwrap());
    request.headers_mut().insert("accept-encoding", "gzip, br".parse().unwrap());
    let answer = Caller::new(sidecar.data).send(request).await.unwrap();
    let seen = attempts(sidecar, path);
    assert!(answer.status.is_success(), "{path} [{fault}]: {} {}", answer.status, answer.text());
    assert_eq!(answer.header("x-sidecar-refused"), "", "{path}");
    assert_eq!(answer.code(), "", "{path}");
    assert_eq!(seen.len(), 2, "{path} [{fault}]");
    assert_eq!(seen[0].body, seen[1].body, "{path}");
    assert_eq!(seen.iter().filter(|seen| seen.secret.is_some()).count(), 1, "{path}: one was let in");
    assert!(seen.iter().filter(|seen| seen.executed.is_some()).count() <= 1, "{path}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_in_the_body_is_cured_by_the_other_secret() {
    for call in LEGACY {
        let sidecar = with_dialect(Dialect::default()).await;
        cured(&sidecar, call, "").await;
        assert_eq!(sidecar.vonage().executions().total, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_problem_document_on_a_legacy_endpoint_is_cured_too() {
    for call in LEGACY {
        let sidecar = with_dialect(Dialect { basic: LegacyBasic::Problem401, ..Dialect::default() }).await;
        cured(&sidecar, call, "").await;
        assert_eq!(sidecar.vonage().executions().total, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_known_401_is_cured_by_the_other_secret_and_settles_both() {
    for call in KNOWN {
        let sidecar = with_dialect(Dialect::default()).await;
        let path = call.path;
        cured(&sidecar, call, "").await;
        let host: Host = Host::named(&attempts(&sidecar, path)[0].host).unwrap();
        assert_eq!(standing(&sidecar, 0, host), Standing::Refused, "{path}");
        assert_eq!(standing(&sidecar, 1, host), Standing::Good, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_dialect_of_the_numbers_endpoints_is_known() {
    let sidecar = with_dialect(Dialect { numbers: NumbersRefusal::Problem, ..Dialect::default() }).await;
    cured(&sidecar, get("/account/numbers"), "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xml_refusals_of_the_account_endpoints_are_known() {
    let sidecar = with_dialect(Dialect::default()).await;
    let call = get("/account/get-balance");
    let mut request = call.request();
    request.headers_mut().insert("accept", "application/xml".parse().unwrap());
    let answer = Caller::new(sidecar.data).send(request).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(attempts(&sidecar, "/account/get-balance").len(), 2);
    assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_401_is_cured_without_condemning_the_secret() {
    let sidecar = with_dialect(Dialect::default()).await;
    cured(&sidecar, post("/conversions/sms", FORM, "message-id=x&delivered=true&timestamp=2026-01-01"), "").await;
    assert_eq!(standing(&sidecar, 0, Host::API), Standing::Suspect);
    assert_eq!(standing(&sidecar, 1, Host::API), Standing::Good);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunked_and_compressed_answers_are_judged_alike() {
    for shape in ["chunked", "gzip", "gzip-forced", "gzip,chunked", "drip=1"] {
        for call in [SMS, MESSAGE, BALANCE, VERIFY_XML] {
            let sidecar = with_dialect(Dialect::default()).await;
            cured(&sidecar, call, shape).await;
        }
    }
}

/// A 200 that was passed on before its body came would be a refusal for the app, though another secret works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_whose_body_comes_slowly_is_judged_all_the_same() {
    let sidecar = with_dialect(Dialect::default()).await;
    let begun = vonage_sidecar::clock::now();
    cured(&sidecar, SMS, "drip=40").await;
    assert!(begun.elapsed() > std::time::Duration::from_secs(3), "it was not slow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_request_gets_one_more_attempt_without_condemning_the_secret() {
    let sidecar = with_dialect(Dialect { basic: LegacyBasic::Problem401, ..Dialect::default() }).await;
    // HEAD sends like POST here; its 401 has no body to judge.
    let mut request = get("/sms/json?from=Acme&to=447700900000&text=once").request();
    *request.method_mut() = Method::HEAD;
    let answer = Caller::new(sidecar.data).send(request).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(attempts(&sidecar, SMS.path).len(), 2);
    assert_eq!(sidecar.vonage().executions().total, 1);
    assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Suspect);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_that_sends_is_executed_once() {
    for faults in ["", "close-after", "reset-after"] {
        let sidecar = with_dialect(Dialect::default()).await;
        // A reused connection that closes is where a careless client sends a GET again; the good secret is known.
        send(&sidecar, BALANCE).await;
        if !faults.is_empty() {
            sidecar.vonage().add_fault(vonage_sidecar::emulator::Rule::new([fault(faults)]).on_path("/sms"));
        }
        let mut request = get("/sms/json?from=Acme&to=447700900000&text=once").request();
        request.headers_mut().insert("x-message-id", "once".parse().unwrap());
        let answer = Caller::new(sidecar.data).send(request).await.unwrap();
        assert_eq!(sidecar.vonage().executed("once"), 1, "{faults}");
        assert_eq!(answer.status.is_success(), faults.is_empty(), "{faults}");
    }
}
