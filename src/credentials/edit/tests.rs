//! What comes out holds what was asked for, and everything else as before, to the byte where nothing had to move.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::secret::SecretId;

fn key(text: &str) -> ApiKey {
    ApiKey::parse(text).unwrap()
}

fn mark() -> Revision {
    Revision::parse("rev-2").unwrap()
}

fn bare(value: &str) -> Item<ApiSecret> {
    Item { value: ApiSecret::parse(value).unwrap(), label: Label::default() }
}

fn named(value: &str, id: &str) -> Item<ApiSecret> {
    let label = Label { id: Some(SecretId::parse(id).unwrap()), ..Label::default() };
    Item { label, ..bare(value) }
}

fn secrets(account: &str, items: Vec<Item<ApiSecret>>) -> Change {
    Change::Secrets { account: key(account), items, primary: None }
}

fn edited(text: &str, changes: &[Change]) -> String {
    edit(text, &Referenced::new(), changes, &mark()).unwrap().to_string()
}

const COMMENTED: &str = r#"# of the whole file
format = 1
revision = "rev-1"   # the mark

# of the account
[[account]]
api_key = "abcd1234" # the key
# of the list
secrets = ["NewSecret2", { value = "OldSecret1", keep = true, note = "SMPP", colour = "red" }] # in order
signature_secrets = ["Sign1"]

[[account]]
api_key = "efgh5678"
secrets = [
    "Other1",  # other
]
"#;

#[test]
fn toml_stays_to_the_byte_but_for_what_is_changed() {
    let new = edited(COMMENTED, &[secrets("abcd1234", vec![named("NextSecret3", "id-3"), bare("NewSecret2")])]);
    let wanted = COMMENTED.replace("rev-1", "rev-2").replace(
        r#"["NewSecret2", { value = "OldSecret1", keep = true, note = "SMPP", colour = "red" }]"#,
        r#"[{ value = "NextSecret3", id = "id-3" }, "NewSecret2"]"#,
    );
    assert_eq!(new, wanted);
}

#[test]
fn a_label_that_stays_leaves_its_item_alone_unknown_names_included() {
    let kept = Item { label: Label { keep: Keep::Yes, note: Some("SMPP".to_owned()), ..Label::default() }, ..bare("OldSecret1") };
    let new = edited(COMMENTED, &[secrets("abcd1234", vec![kept.clone(), named("NewSecret2", "id-2")])]);
    let item = r#"{ value = "OldSecret1", keep = true, note = "SMPP", colour = "red" }"#;
    assert!(new.contains(&format!(r#"secrets = [{item}, {{ value = "NewSecret2", id = "id-2" }}] # in order"#)), "{new}");
}

#[test]
fn a_list_in_lines_stays_in_lines_with_its_comments() {
    let new = edited(COMMENTED, &[secrets("efgh5678", vec![bare("Other1"), named("Other2", "id-2")])]);
    assert!(new.contains("secrets = [\n    \"Other1\",\n    { value = \"Other2\", id = \"id-2\" },  # other\n]\n"), "{new}");
}

#[test]
fn the_pair_stays_a_pair_until_there_is_more_to_say() {
    for (text, pair) in [
        ("api_key = \"abcd1234\"\napi_secret = \"One11111\"\n", "api_secret = \"Two22222\"\napi_secret_previous = \"One11111\"\n"),
        ("{\"api_key\": \"abcd1234\", \"api_secret\": \"One11111\"}", r#""api_secret": "Two22222", "revision": "rev-2""#),
    ] {
        let both = edited(text, &[secrets("abcd1234", vec![bare("Two22222"), bare("One11111")])]);
        assert!(both.contains("api_secret_previous"), "{both}");
        let one = edited(text, &[secrets("abcd1234", vec![bare("Two22222")])]);
        assert!(one.contains(pair.split("api_secret_previous").next().unwrap()) && !one.contains("previous"), "{one}");
        let labelled = edited(text, &[secrets("abcd1234", vec![named("Two22222", "id-2"), bare("One11111")])]);
        assert!(labelled.contains("secrets") && !labelled.contains("api_secret"), "{labelled}");
    }
}

#[test]
fn an_account_that_is_not_known_is_added_in_every_form() {
    let new = Change::Secrets { account: key("sub00001"), items: vec![named("Sub11111", "id-s")], primary: Some(key("abcd1234")) };
    for text in [
        "",
        "api_key = \"abcd1234\"\napi_secret = \"One11111\"\n",
        "[account]\napi_key = \"abcd1234\"\nsecrets = [\"One11111\"]\n",
        "account = { api_key = \"abcd1234\", secrets = \"One11111\" }\n",
        "accounts = [{ api_key = \"abcd1234\", secrets = \"One11111\" }]\n",
        "account = [{ api_key = \"abcd1234\", secrets = \"One11111\" }]\n",
        COMMENTED,
        r#"{"api_key":"abcd1234","api_secret":"One11111"}"#,
        r#"{"account":{"api_key":"abcd1234","secrets":["One11111"]}}"#,
        r#"{"accounts":[{"api_key":"abcd1234","secrets":["One11111"]}]}"#,
    ] {
        let text = edit(text, &Referenced::new(), std::slice::from_ref(&new), &mark()).unwrap_or_else(|error| panic!("{error}: {text}"));
        let parsed = parsed(&text, &Referenced::new()).unwrap();
        assert_eq!(parsed.accounts.last().unwrap().primary, Some(key("abcd1234")), "{}", *text);
    }
}

#[test]
fn json_keeps_its_order_its_numbers_and_its_lines() {
    let text = "{\n  \"zeta\": 1.10,\n  \"account\": [\n    {\n      \"secrets\": [\n        \"One11111\"\n      ],\n      \"api_key\": \"abcd1234\"\n    }\n  ]\n}\n";
    let new = edited(text, &[secrets("abcd1234", vec![bare("Two22222")])]);
    assert_eq!(new, text.replace("One11111", "Two22222").replace("  ]\n}", "  ],\n  \"revision\": \"rev-2\"\n}"));
}

#[test]
fn an_item_that_names_a_file_keeps_naming_it_while_its_value_is_wanted() {
    let referenced: Referenced = [("old-secret".into(), Ok(Zeroizing::new(b"OldSecret1\n".to_vec())))].into();
    for (text, kept) in [
        ("api_key = \"abcd1234\"\nsecrets = [{ file = \"old-secret\" }]\n", "{ file = \"old-secret\" }]"),
        (r#"{"api_key": "abcd1234", "secrets": [{"file": "old-secret"}]}"#, r#"{"file": "old-secret"}]"#),
    ] {
        let items = vec![named("NewSecret2", "id-2"), bare("OldSecret1")];
        let new = edit(text, &referenced, &[secrets("abcd1234", items)], &mark()).unwrap();
        assert!(new.contains(kept) && new.contains("NewSecret2") && !new.contains("OldSecret1"), "{}", *new);
        let alone = edit(&new, &referenced, &[secrets("abcd1234", vec![bare("NewSecret2")])], &mark()).unwrap();
        assert!(!alone.contains("old-secret"), "{}", *alone);
    }
}

#[test]
fn the_keys_of_an_application_are_changed_and_nothing_is_added_for_one_that_is_not_there() {
    let [one, two] =
        [0, 1].map(|_| rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap().serialize_pem());
    let text = format!("{COMMENTED}\n[[application]]\nid = \"app-1\"\naccount = \"abcd1234\"\nprivate_keys = [\"\"\"\n{one}\"\"\"]\n");
    let item = |pem: &str| Item { value: SigningKey::parse(&PrivateKeyPem::parse(pem).unwrap()).unwrap(), label: Label::default() };
    let change = |id: &str| Change::Keys { application: ApplicationId::parse(id).unwrap(), items: vec![item(&two), item(&one)] };
    let new = edited(&text, &[change("app-1")]);
    let keys = parsed(&new, &Referenced::new()).unwrap().applications.remove(0).keys;
    assert!(keys[0].value.same_as(&item(&two).value) && keys[1].value.same_as(&item(&one).value));
    assert!(new.contains(&one) && new.contains("# of the account"), "a key that stays is not written anew");
    let error = edit(&text, &Referenced::new(), &[change("app-2")], &mark()).unwrap_err();
    assert!(matches!(error, NotEdited::NoSuchApplication(_)));
}

#[test]
fn what_cannot_be_used_is_not_edited() {
    for text in ["[[account]]\n", "{\"account\": 1}", "not TOML"] {
        assert_eq!(edit(text, &Referenced::new(), &[secrets("a", vec![bare("One11111")])], &mark()).unwrap_err(), NotEdited::Unusable);
    }
    // Three secrets are no file of ours.
    let three = vec![bare("One11111"), bare("Two22222"), bare("Three333")];
    assert_eq!(edit(COMMENTED, &Referenced::new(), &[secrets("abcd1234", three)], &mark()).unwrap_err(), NotEdited::Unfaithful);
}

#[test]
fn a_projection_holds_what_it_names_and_nothing_else() {
    let whole = parsed(COMMENTED, &Referenced::new()).unwrap();
    let text = projected(&whole, &[key("efgh5678")], &[], &mark()).unwrap();
    let kept = parsed(&text, &Referenced::new()).unwrap();
    assert_eq!((kept.accounts.len(), kept.accounts[0].key.as_str(), kept.revision), (1, "efgh5678", Some(mark())));
    assert!(!text.contains("NewSecret2"));
    let both = projected(&whole, &[key("abcd1234"), key("efgh5678")], &[], &mark()).unwrap();
    assert!(both.contains("signature_secrets") && both.contains("SMPP"));
}

fn value() -> impl Strategy<Value = String> {
    "[!-~]{8,25}"
}

fn item() -> impl Strategy<Value = Item<ApiSecret>> {
    let label =
        (prop::option::of("[a-z0-9-]{1,36}"), prop::option::of(0_u64..4_000_000_000), any::<bool>(), prop::option::of("[ -~]{1,20}"));
    (value(), label).prop_map(|(text, (id, at, keep, note))| {
        let label = Label {
            id: id.map(|id| SecretId::parse(&id).unwrap()),
            created_at: at.map(|at| SystemTime::UNIX_EPOCH + Duration::from_secs(at)),
            keep: if keep { Keep::Yes } else { Keep::No },
            note,
        };
        Item { label, ..bare(&text) }
    })
}

/// Files in every form, made by the editor itself out of the simplest ones.
fn form() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        COMMENTED,
        "api_key = \"abcd1234\"\napi_secret = \"One11111\"\napi_secret_previous = \"\"\n",
        "api_key = 'abcd1234'\nsecrets = \"One11111\"\n",
        "[account]\napi_key = \"abcd1234\"\n[[account.secrets]]\nvalue = \"One11111\"\nnote = \"x\"\n[[account.secrets]]\nvalue = \"Two22222\"\n",
        "account.api_key = \"abcd1234\"\naccount.secrets = [\"One11111\", # first\n \"Two22222\" ]\n",
        "accounts = [{ api_key = \"abcd1234\", secrets = { value = \"One11111\" } }]\n",
        r#"{"api_key":"abcd1234","api_secret":"One11111","api_secret_previous":null}"#,
        "{\"account\":[\n{\"api_key\":\"abcd1234\",\"secrets\":[\"One11111\",{\"value\":\"Two22222\",\"keep\":true}]}]}",
        r#"{"account":{"api_key":"abcd1234","secrets":"One11111"},"application":[{"id":"a","private_keys":[]}]}"#,
    ])
}

proptest! {
    /// The edit checks itself and would be an error; what it is checked against is written here once more.
    #[test]
    fn an_edit_leaves_exactly_what_was_asked_for(text in form(), first in prop::collection::vec(item(), 1..=2), second in prop::collection::vec(item(), 1..=2)) {
        let is_double = |items: &[Item<ApiSecret>]| items.len() == 2 && items[0].value.same_as(&items[1].value);
        prop_assume!(!is_double(&first) && !is_double(&second));
        let before = parsed(text, &Referenced::new()).unwrap();
        let once = edited(text, &[secrets("abcd1234", first.clone())]);
        let twice = edited(&once, &[secrets("new00001", first.clone()), secrets("abcd1234", second.clone())]);
        let after = parsed(&twice, &Referenced::new()).unwrap();
        let of = |wanted: &str| after.accounts.iter().find(|entry| entry.key.as_str() == wanted).unwrap();
        for (entry, wanted) in [(of("abcd1234"), &second), (of("new00001"), &first)] {
            prop_assert_eq!(entry.secrets.len(), wanted.len());
            for (is, wanted) in entry.secrets.iter().zip(wanted) {
                prop_assert!(is.value.same_as(&wanted.value));
                prop_assert_eq!(&is.label, &wanted.label);
            }
        }
        prop_assert_eq!(after.accounts.len(), before.accounts.len() + 1);
        prop_assert_eq!(after.applications.len(), before.applications.len());
        for comment in text.lines().filter_map(|line| line.strip_prefix("# ")) {
            prop_assert!(twice.contains(comment));
        }
        // The same once more changes no byte.
        prop_assert_eq!(edited(&twice, &[secrets("abcd1234", second)]), twice);
    }
}
