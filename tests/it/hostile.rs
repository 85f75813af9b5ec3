//! Inputs that nobody means well with: the process lives, a good caller is served next, and whatever goes upstream is
//! plain, whole and carries our credential alone, as judged by a reader that is stricter than any server.

mod answers;
mod inputs;
mod judge;
mod requests;

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const SECRET: &str = "Secret1aB3";
/// `abcd1234:Secret1aB3`.
const OURS: &str = "Basic YWJjZDEyMzQ6U2VjcmV0MWFCMw==";

/// A case of the corpus of another parser's tests.
struct Case {
    name: String,
    raw: Vec<u8>,
}

/// The cases of one part of the corpus, if there is one beside the checkout.
#[expect(clippy::disallowed_methods, reason = "a corpus that may be there")]
fn corpus(part: &str) -> Option<Vec<Case>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|above| above.join("shared/corpora/llhttp.json"));
    let Some(text) = beside.into_iter().find_map(|file| std::fs::read_to_string(file).ok()) else {
        println!("SKIPPED: there is no shared/corpora/llhttp.json beside the checkout");
        return None;
    };
    let corpus: serde_json::Value = serde_json::from_str(&text).unwrap();
    let cases = corpus[part]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| Case { name: case["name"].as_str().unwrap().to_owned(), raw: STANDARD.decode(case["raw"].as_str().unwrap()).unwrap() });
    Some(cases.collect())
}
