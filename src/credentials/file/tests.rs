//! Every form of the credentials file, and everything that can be wrong with one.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::credentials::Keep;
use crate::jwt::generate;

/// A private key, and another one.
static PEMS: LazyLock<[String; 2]> = LazyLock::new(|| [(); 2].map(|()| generate::key_pair().unwrap().private.as_pem().to_owned()));

static THREE: LazyLock<String> = LazyLock::new(|| THREE_WITHOUT_KEY.replace("KEY\n", &PEMS[1]));

const THREE_WITHOUT_KEY: &str = r#"
format = 1
revision = "r-7f3a"

[[account]]
api_key = "abcd1234"
secrets = ["NewSecret2", { value = "OldSecret1", id = "id-1", created_at = 2026-11-01T02:00:00+02:00, keep = true, note = "SMPP" }]
signature_secrets = ["Signature1"]
signature_method = "sha256"
primary = "master01"

[[account]]
api_key = "bbbb0001"
secrets = [{ file = "b-new" }, { file = "b-old" }]

[[account]]
api_key = "cccc0001"
secrets = ["ThirdSecret1"]

[[application]]
id = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"
account = "abcd1234"
private_keys = [{ file = "private.key" }, '''
KEY
''']
"#;

fn files(list: &[(&str, &str)]) -> Referenced {
    list.iter().map(|(path, text)| (PathBuf::from(path), Ok(Zeroizing::new(text.as_bytes().to_vec())))).collect()
}

fn good(text: &str, referenced: &Referenced) -> (Parsed, String) {
    let (parsed, problems) = parse(Path::new("c"), text, referenced);
    (parsed.unwrap_or_else(|| panic!("{text}\n{problems}")), problems.to_string())
}

/// The one account of a text and the warnings.
fn one(text: &str) -> (AccountEntry, String) {
    let (parsed, warnings) = good(text, &Referenced::new());
    assert_eq!(parsed.accounts.len(), 1);
    (parsed.accounts[0].clone(), warnings)
}

/// The problems of a text that is refused, one a line.
fn bad(text: &str) -> String {
    let (parsed, problems) = parse(Path::new("c"), text, &Referenced::new());
    assert!(parsed.is_none(), "{text}");
    assert!(problems.any_error(), "{text}");
    problems.to_string()
}

#[track_caller]
fn holds(account: &AccountEntry, key: &str, secrets: &[&str]) {
    assert_eq!(account.key.as_str(), key);
    assert_eq!(account.secrets.len(), secrets.len());
    for (item, secret) in account.secrets.iter().zip(secrets) {
        assert!(item.value.equals(secret.as_bytes()), "not {secret}");
    }
}

#[test]
fn a_whole_file_is_read_with_everything_it_says() {
    let referenced = files(&[("b-new", "BNewSecret1\n"), ("b-old", "BOldSecret1\r\n"), ("private.key", &PEMS[0])]);
    let (parsed, warnings) = good(&THREE, &referenced);
    assert_eq!(warnings, "");
    assert_eq!(parsed.revision.unwrap().as_str(), "r-7f3a");
    let [first, second, third] = &parsed.accounts[..] else { panic!("three") };
    holds(first, "abcd1234", &["NewSecret2", "OldSecret1"]);
    holds(second, "bbbb0001", &["BNewSecret1", "BOldSecret1"]);
    holds(third, "cccc0001", &["ThirdSecret1"]);
    let label = &first.secrets[1].label;
    assert_eq!((label.id.as_ref().unwrap().as_str(), label.keep, label.note.as_deref()), ("id-1", Keep::Yes, Some("SMPP")));
    assert_eq!(label.created_at, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_491_200)));
    assert_eq!((first.signatures.len(), first.signature_method), (1, SignatureMethod::Sha256));
    assert_eq!(first.primary.as_ref().unwrap().as_str(), "master01");
    let application = &parsed.applications[0];
    assert_eq!((application.id.as_str(), application.account.as_str()), ("aaaaaaaa-bbbb-cccc-dddd-0123456789ab", "abcd1234"));
    assert_eq!(application.keys.len(), 2);
}

#[test]
fn the_files_that_items_name_are_listed_once_and_no_others() {
    assert_eq!(references(&THREE), ["b-new", "b-old", "private.key"].map(PathBuf::from));
    assert_eq!(references("{\"api_secret\":{\"file\":\"s\"},\"file\":\"x\",\"other\":[{\"file\":\"y\"}]}"), [PathBuf::from("s")]);
    assert_eq!(references("api_secret = { file = \"s\" }\napi_secret_previous = { file = \"s\" }\n"), [PathBuf::from("s")]);
    assert_eq!(references("secrets = [{ file = \"\" }, { file = 1 }]"), Vec::<PathBuf>::new());
    assert_eq!(references("secrets = ["), Vec::<PathBuf>::new());
}

#[test]
fn an_external_secrets_template_may_leave_its_second_value_empty() {
    let toml = "[[account]]\napi_key = \"abcd1234\"\nsecrets = [\"NewSecret2\", \"\"]\nsignature_secrets = [\"\"]\n";
    let (account, warnings) = one(toml);
    holds(&account, "abcd1234", &["NewSecret2"]);
    assert_eq!(
        warnings,
        "c:3:26 account[0].secrets[1] is empty and left out\nc:4:22 account[0].signature_secrets[0] is empty and left out"
    );
    let json = r#"{"accounts":[{"api_key":"abcd1234","secrets":["NewSecret2",null]}]}"#;
    holds(&one(json).0, "abcd1234", &["NewSecret2"]);
    assert!(
        bad("api_key = \"abcd1234\"\nsecrets = [\"\", \" \"]\n")
            .ends_with("c:2:11 secrets has no value that can be used (write one or two)")
    );
}

#[test]
fn a_vault_agent_template_is_read() {
    let text = "{\n  \"api_key\": \"abcd1234\",\n  \"api_secret\": \"NewSecret2\",\n  \"api_secret_previous\": \"OldSecret1\"\n}\n";
    let (account, warnings) = one(text);
    holds(&account, "abcd1234", &["NewSecret2", "OldSecret1"]);
    assert_eq!(warnings, "");
    let toml = "# rendered by vault agent\n[[account]]\napi_key = 'abcd1234'\nsecrets = ['New\"Sec\\ret2', 'OldSecret1',]\n\n";
    holds(&one(toml).0, "abcd1234", &["New\"Sec\\ret2", "OldSecret1"]);
}

#[test]
fn the_secret_string_of_aws_is_read() {
    let text = "{\"api_key\":\"abcd1234\",\"api_secret\":\"NewSecret2\",\"application_id\":\"x\",\"env\":\"prod\"}\n";
    let (account, warnings) = one(text);
    holds(&account, "abcd1234", &["NewSecret2"]);
    assert_eq!(warnings.lines().count(), 2);
    assert!(warnings.starts_with("c:1:66 has a field that is not known here and is ignored"), "{warnings}");
}

#[test]
fn one_trailing_line_break_is_cut_in_values_and_files() {
    let referenced = files(&[("api-secret", "NewSecret2\n"), ("bom", "\u{feff}OldSecret1\r\n")]);
    let (parsed, _) = good("api_key = \"abcd1234\"\nsecrets = [{ file = \"api-secret\" }, { file = \"bom\" }]", &referenced);
    holds(&parsed.accounts[0], "abcd1234", &["NewSecret2", "OldSecret1"]);
    holds(&one("{\"api_key\":\"abcd1234\\n\",\"api_secret\":\"NewSecret2\\r\\n\"}\n").0, "abcd1234", &["NewSecret2"]);
    assert!(bad("{\"api_key\":\"abcd1234\",\"api_secret\":\"NewSecret2\\n\\n\"}").contains("api_secret has a control character"));
}

#[test]
fn the_shorthand_needs_no_level() {
    let text = "\u{feff}api_key = \"abcd1234\"\r\nsecrets = [\"NewSecret2\", \"OldSecret1\"]\r\nsignature_secrets = \"Signature1\"\r\n\
                [[application]]\r\nid = \"app-1\"\r\nprivate_keys = \"\"\r\n";
    let (parsed, warnings) = good(text, &Referenced::new());
    holds(&parsed.accounts[0], "abcd1234", &["NewSecret2", "OldSecret1"]);
    assert_eq!(parsed.accounts[0].signatures.len(), 1);
    assert_eq!(parsed.applications[0].account.as_str(), "abcd1234");
    assert_eq!(warnings, "c:6:16 application[0].private_keys is empty and left out");
    holds(&one("api_key = \"abcd1234\"\nsecrets = \"NewSecret2\"\n").0, "abcd1234", &["NewSecret2"]);
    holds(&one("api_key = \"abcd1234\"\napi_secret_previous = \"OldSecret1\"\n").0, "abcd1234", &["OldSecret1"]);
    assert!(bad("api_key = \"a\"\nsecrets = [\"s\"]\n[[account]]\n").contains("c:1:1 has fields of an account both in"));
    assert!(bad("api_key = \"a\"\nsecrets = [\"s\"]\napi_secret = \"t\"\n").contains("c:3:14 api_secret stands beside `secrets`"));
}

#[test]
fn equal_items_count_once_and_what_either_says_is_kept() {
    let (account, warnings) = one("api_key = \"a\"\nsecrets = [\"Same1\", \"Other1\", { value = \"Same1\", keep = true, id = \"i\" }]\n");
    holds(&account, "a", &["Same1", "Other1"]);
    assert_eq!((account.secrets[0].label.keep, account.secrets[0].label.id.is_some()), (Keep::Yes, true));
    assert_eq!(warnings, "c:2:31 secrets[2] is the value of another item and counts once");
    assert!(bad("api_key = \"a\"\nsecrets = [\"S1\", \"S2\", \"S3\"]\n").contains("c:2:24 secrets[2] is a third value (keep two"));
}

#[test]
fn a_field_that_is_not_known_warns_and_never_refuses() {
    let text =
        "shine = 1\n[[account]]\napi_key = \"a\"\nsecrts = [\"x\"]\nsecrets = [{ value = \"S1\", colour = \"red\" }]\n[odd.table]\nx = 1\n";
    let (_, warnings) = good(text, &Referenced::new());
    assert_eq!(
        warnings,
        "c:1:1 has a field that is not known here and is ignored\n\
         c:6:2 has a field that is not known here and is ignored\n\
         c:4:1 account[0] has a field that is not known here and is ignored (did you mean `secrets`?)\n\
         c:5:28 account[0].secrets[0] has a field that is not known here and is ignored"
    );
}

#[test]
fn a_secret_whose_file_is_missing_is_left_out_while_one_is_left() {
    let text = "api_key = \"a\"\nsecrets = [{ file = \"gone\" }, \"S1\"]\n";
    let missing: Referenced = [(PathBuf::from("gone"), Err("there is no such file".to_owned()))].into();
    let (parsed, warnings) = good(text, &missing);
    holds(&parsed.accounts[0], "a", &["S1"]);
    assert_eq!(warnings, "c:2:21 secrets[0] names a file that cannot be used and is left out (there is no such file)");
    assert!(bad("api_key = \"a\"\nsecrets = [{ file = \"gone\" }]\n").contains("secrets has no value that can be used"));
    let telling: Referenced = [(PathBuf::from("gone"), Err("gone: no such file".to_owned()))].into();
    assert!(good(text, &telling).1.ends_with("left out"));
}

#[test]
fn a_private_key_that_cannot_be_used_disables_that_key_alone() {
    let text = "api_key = \"a\"\nsecrets = [\"S1\"]\n[[application]]\nid = \"i\"\nprivate_keys = [{ file = \"gone\" }, { file = \"key\" }, \"not PEM\"]\n";
    let (parsed, warnings) = good(text, &files(&[("key", &PEMS[0])]));
    assert_eq!(parsed.applications[0].keys.len(), 1);
    assert!(warnings.contains("private_keys[0] names a file that cannot be used and is left out (it was not read)"), "{warnings}");
    assert!(warnings.contains("private_keys[2] has no PEM block of a private key and is left out"), "{warnings}");
    let unreadable = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----";
    let (parsed, warnings) = good(text, &files(&[("gone", &PEMS[1]), ("key", unreadable)]));
    assert_eq!(parsed.applications[0].keys.len(), 1);
    assert!(warnings.contains("private_keys[1] is not "), "{warnings}");
    let (parsed, _) = good(text, &Referenced::new());
    assert!(parsed.applications[0].keys.is_empty());
}

#[test]
fn a_mistake_in_a_label_refuses_nothing_and_never_frees_a_kept_secret() {
    let text = "revision = \"a b\"\napi_key = \"a\"\nsecrets = [{ value = \"S1\", id = 1, created_at = \"yesterday\", keep = \"no\", note = 2 }]\n";
    let (account, warnings) = one(text);
    let label = &account.secrets[0].label;
    assert_eq!((&label.id, label.created_at, label.keep, &label.note), (&None, None, Keep::Yes, &None));
    assert_eq!(warnings.lines().count(), 5, "{warnings}");
}

#[test]
fn a_date_is_the_same_instant_in_every_form() {
    let instant = Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_793_491_200_500));
    for date in ["2026-11-01T00:00:00.5Z", "2026-11-01 02:00:00.500+02:00", "2026-10-31T18:30:00.5-05:30"] {
        for form in [date.to_owned(), format!("\"{date}\"")] {
            let (account, warnings) = one(&format!("api_key = \"a\"\nsecrets = [{{ value = \"S1\", created_at = {form} }}]\n"));
            assert_eq!((account.secrets[0].label.created_at, warnings.as_str()), (instant, ""), "{form}");
        }
    }
    for date in ["2026-11-01", "2026-11-01T00:00:00", "1969-01-01T00:00:00Z", "00:00:00"] {
        let (account, warnings) = one(&format!("api_key = \"a\"\nsecrets = [{{ value = \"S1\", created_at = {date} }}]\n"));
        assert_eq!(account.secrets[0].label.created_at, None);
        assert!(warnings.contains("is not a date with time and zone and is ignored"), "{date}");
    }
}

#[test]
fn everything_wrong_is_reported_at_once_with_its_place() {
    let text = "format = 2\n[[account]]\nsecrets = [\"a b\"]\nsignature_method = \"sha265\"\n[[account]]\napi_key = \"k:1\"\n\
                [[account]]\napi_key = \"k\"\nsecrets = [1]\n[[account]]\napi_key = \"k\"\nsecrets = [{}, { value = \"v\", file = \"f\" }]\n\
                [[application]]\nid = \"i\"\naccount = \"nobody\"\nprivate_keys = []\n[[application]]\nid = \"i\"\n";
    assert_eq!(
        bad(text),
        "c:1:10 format is a format that this version does not know (write format = 1, or leave it out)\n\
         c:2:1 account[0].api_key is missing\n\
         c:3:12 account[0].secrets[0] has a space\n\
         c:4:20 account[0].signature_method is not a signature method (did you mean \"sha256\"?)\n\
         c:6:11 account[1].api_key has a character other than letters, digits, '-', '_' and '.'\n\
         c:5:1 account[1].secrets is missing (write one or two secrets of the account)\n\
         c:9:12 account[2].secrets[0] must be text in quotes or a table with `value` or `file`\n\
         c:11:11 account[3].api_key is the key of another account of this file (write each account once)\n\
         c:12:12 account[3].secrets[0] has neither `value` nor `file` (write one of the two)\n\
         c:12:38 account[3].secrets[1] has both `value` and `file` (keep one of the two)\n\
         c:15:11 application[0].account is not an account of this file (write the api_key of an account that is)\n\
         c:18:6 application[1].id is the id of another application of this file (write each application once)\n\
         c:17:1 application[1].private_keys is missing (write [{ file = \"private.key\" }])"
    );
}

#[test]
fn a_json_problem_has_a_place_as_well() {
    let text = "{\n \"account\": [\n  {\"api_key\": \"a\",\n   \"secrets\": [\"S1\", \"a b\"]}\n ]\n}";
    assert_eq!(bad(text), "c:4:22 account[0].secrets[1] has a space");
    assert!(bad("{\"a\": 1,\n \"a\": 2}").starts_with("c:2:7 has a name that appears twice"));
    assert!(bad("{\"api_key\": \"a\",\n  oops}").starts_with("c:2:3 is not JSON from here on"));
    assert!(bad("{\"api_key\": \"\\ud800\"}").starts_with("c:1:13 is a value that is not JSON"));
}

#[test]
fn a_text_that_is_not_whole_or_not_ours_is_refused() {
    for (text, what) in [
        ("", "c is empty"),
        (" \n", "c is empty"),
        ("# nothing\n", "c has no account"),
        ("{}", "c has no account"),
        ("account = []\n", "c:1:11 account is empty"),
        ("account = 1\n", "c:1:11 account must be a table"),
        ("[[account]]\n[[accounts]]\n", "c:2:1 accounts stands beside `account`"),
        ("a = 1\na = 2\n", "c:2:1 has a name that appears twice"),
        ("api_key = {{ .key }}\n", "is not TOML from here on"),
        ("api_key = \"a\"\nsecrets = [\"S1\"\n", "is not TOML from here on"),
        ("{\"api_key\":\"a\"} trailing", "is not JSON from here on"),
    ] {
        assert!(bad(text).contains(what), "{text:?}: {}", bad(text));
    }
}

#[test]
fn no_nesting_exhausts_the_stack() {
    let deep = 200_000;
    for text in [
        format!("{{\"a\":{}{}}}", "[".repeat(deep), "]".repeat(deep)),
        format!("{{\"a\":{}", "{\"a\":".repeat(deep)),
        format!("a = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("a = {}", "{ a = ".repeat(deep)),
        format!("{}a = 1", "a.".repeat(deep)),
        format!("[{}a]", "a.".repeat(deep)),
    ] {
        bad(&text);
        assert!(references(&text).is_empty());
    }
}

#[test]
fn a_file_full_of_problems_is_reported_in_time_and_still_refused() {
    let text = format!("account = [{}]", "{x=1},".repeat(20_000));
    let (parsed, problems) = parse(Path::new("c"), &text, &Referenced::new());
    assert!(parsed.is_none() && problems.any_error());
    assert!(problems.iter().filter(|problem| problem.position.is_some()).count() <= 100);
}

#[test]
fn every_prefix_of_a_file_is_refused_or_read() {
    let referenced = files(&[("b-new", "BNewSecret1\n"), ("b-old", "BOldSecret1"), ("private.key", &PEMS[0])]);
    let mut usable = 0;
    for (end, _) in THREE.char_indices() {
        let (parsed, problems) = parse(Path::new("c"), &THREE[..end], &referenced);
        assert_eq!(parsed.is_none(), problems.any_error(), "{end}");
        assert!(!problems.to_string().contains("Secret"), "{problems}");
        usable += usize::from(parsed.is_some());
    }
    assert!((1..THREE.len()).contains(&usable), "{usable}");
}

#[test]
fn no_prefix_of_a_json_file_is_read() {
    let text = r#"{"accounts":[{"api_key":"abcd1234","secrets":["NewSecret2",{"value":"OldSecret1","keep":true}]},{"api_key":"b","api_secret":"S"}]}"#;
    assert_eq!(good(text, &Referenced::new()).0.accounts.len(), 2);
    for end in 0..text.len() {
        assert!(!bad(&text[..end]).contains("Secret2"), "{end}");
    }
}

/// Pieces that files are made of, and a secret.
fn piece(secret: &'static str) -> impl Strategy<Value = String> {
    let words = vec![
        "[[account]]\n",
        "[[application]]\n",
        "api_key = ",
        "secrets = ",
        "api_secret = ",
        "private_keys = ",
        "account",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "'''",
        ",",
        ":",
        "=",
        "\n",
        "file = ",
        "value = ",
        "id = ",
        "created_at = ",
        "keep",
        "note",
        "true",
        "null",
        "1",
        "2026-11-01T00:00:00Z",
        "\\",
        "signature_method = ",
        "revision = ",
        "format = ",
        "\"api_key\":",
        "\"secrets\":",
        "\"accounts\":",
        "\u{feff}",
        "\u{e9}",
        "#",
        ".",
        "primary = ",
        secret,
    ];
    prop_oneof![4 => proptest::sample::select(words).prop_map(str::to_owned), 2 => Just(format!("\"{secret}\"")), 1 => any::<String>()]
}

const PLANTED: &str = "Pl4ntedSecret";

proptest! {
    #[test]
    fn any_text_is_read_without_panic_and_no_problem_shows_what_it_says(pieces in prop::collection::vec(piece(PLANTED), 0..40)) {
        let text = pieces.concat();
        let referenced: Referenced = references(&text).into_iter().map(|path| (path.clone(), Err(path.display().to_string()))).collect();
        for referenced in [referenced, Referenced::new()] {
            let (parsed, problems) = parse(Path::new("c"), &text, &referenced);
            prop_assert_eq!(parsed.is_none(), problems.any_error());
            prop_assert!(!problems.to_string().contains(PLANTED), "{}", problems);
        }
    }

    #[test]
    fn any_bytes_in_a_referenced_file_are_read_without_panic(bytes in any::<Vec<u8>>()) {
        let referenced: Referenced = [(PathBuf::from("f"), Ok(Zeroizing::new(bytes)))].into();
        let (parsed, problems) = parse(Path::new("c"), "api_key = \"a\"\nsecrets = [{ file = \"f\" }]\n", &referenced);
        prop_assert_eq!(parsed.is_none(), problems.any_error());
    }

    #[test]
    fn a_value_anywhere_in_a_mistaken_file_is_not_shown(at in 0..THREE.len(), cut in 0..40_usize) {
        let mut text = THREE.to_owned();
        let end = (at + cut).min(text.len());
        if text.is_char_boundary(at) && text.is_char_boundary(end) {
            text.replace_range(at..end, PLANTED);
        }
        let (_, problems) = parse(Path::new("c"), &text, &Referenced::new());
        prop_assert!(!problems.to_string().contains(PLANTED), "{}", problems);
    }
}
