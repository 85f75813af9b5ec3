//! The recipes under `examples/`, the table in the README and the command `placeholders` name the same options, and those
//! are the options that the SDKs have.

use vonage_sidecar::jwt::SigningKey;
use vonage_sidecar::secret::PrivateKeyPem;

use crate::support::process::Home;

const README: &str = include_str!("../../README.md");
const APPLICATION: &str = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";

/// A kind of app, its recipe, and the options that its SDK has (from the sources of the SDKs).
struct Recipe {
    sdk: &'static str,
    file: &'static str,
    text: &'static str,
    options: &'static [&'static str],
}

macro_rules! recipe {
    ($sdk:literal, $file:literal, $options:expr) => {
        Recipe { sdk: $sdk, file: concat!("examples/", $file), text: include_str!(concat!("../../examples/", $file)), options: &$options }
    };
}

const RECIPES: [Recipe; 10] = [
    recipe!("curl", "curl/send-sms.sh", ["http://localhost:8787"]),
    recipe!("python", "python/send_sms.py", ["HttpClientOptions(", "api_host=", "rest_host=", "video_host=", "REQUESTS_CA_BUNDLE"]),
    recipe!("node", "node/send-sms.cjs", ["apiHost: ", "restHost: ", "videoHost: ", "identityInsightsHost: "]),
    recipe!("java", "java/SendSms.java", ["HttpConfig.builder().baseUri("]),
    recipe!("kotlin", "kotlin/SendSms.kt", ["httpConfig { baseUri("]),
    recipe!("php", "php/send-sms.php", ["'base_api_url' => ", "'base_rest_url' => ", "'url' => [", "'https://api.nexmo.com' => "]),
    recipe!("ruby", "ruby/send_sms.rb", ["api_host: ", "rest_host: ", "video_host: ", "vonage_host: ", "http: { ca_file: "]),
    recipe!("dotnet", "dotnet/appsettings.json", ["\"Url.Api\"", "\"Url.Rest\"", "\"Url.Api.EMEA\"", "\"Url.Api.Video\""]),
    recipe!("go", "go/main.go", ["client.Config.BasePath = \"http://localhost:8787/sms\""]),
    recipe!("rust", "rust/main.rs", ["localhost:8787"]),
];

#[tokio::test]
async fn every_recipe_has_the_options_of_its_sdk_and_placeholders_print_them() {
    let home = Home::new();
    for recipe in RECIPES {
        let printed = home.run(&["placeholders", "--sdk", recipe.sdk, "--account", "abcd1234"]).await;
        assert_eq!(printed.code, Some(0), "{}: {}", recipe.sdk, printed.err);
        for option in recipe.options {
            assert!(recipe.text.contains(option), "{} does not have {option}", recipe.file);
            assert!(printed.out.contains(option), "placeholders for {} do not have {option}: {}", recipe.sdk, printed.out);
        }
        let directory = format!("`{}`", recipe.file.rsplit_once('/').unwrap().0);
        let row = README.lines().find(|line| line.starts_with("| ") && line.contains(&directory));
        let row = row.unwrap_or_else(|| panic!("{} is not in the README", recipe.file)).replace('`', "\"");
        for option in recipe.options {
            assert!(row.contains(option), "the README does not have {option} for {}: {row}", recipe.sdk);
        }
        for word in ["abcd1234", "placeholder"] {
            assert!(recipe.text.contains(word) || recipe.sdk == "rust", "{} does not have {word}", recipe.file);
        }
    }
}

/// A shell takes what is printed, and every value arrives as it was meant.
#[tokio::test]
async fn placeholders_are_variables_with_a_fresh_key_that_signs() {
    let home = Home::new();
    let arguments = ["placeholders", "--sdk", "cli", "--account", "abcd1234", "--application", APPLICATION, "--ca-dir", "my ca"];
    let [one, other] = [home.run(&arguments).await.out, home.run(&arguments).await.out];
    assert_ne!(one, other, "each time another key");
    home.write("placeholders.sh", &one);
    let names =
        "VONAGE_API_KEY VONAGE_API_SECRET VONAGE_APPLICATION_ID HTTPS_PROXY NODE_USE_ENV_PROXY NODE_EXTRA_CA_CERTS VONAGE_PRIVATE_KEY";
    let program = format!(". ./placeholders.sh; for name in {names}; do eval printf '\"%s\\\\n\"' \\\"\\$$name\\\"; done");
    let output = std::process::Command::new("sh").args(["-c", &program]).current_dir(home.path()).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let authority = home.path().join("my ca/ca.pem");
    let expected = format!("abcd1234\nplaceholder\n{APPLICATION}\nhttp://localhost:8789\n1\n{}\n", authority.display());
    let key = out.strip_prefix(&expected).unwrap_or_else(|| panic!("{out}"));
    assert!(SigningKey::parse(&PrivateKeyPem::parse(key).unwrap()).is_ok());
}

#[tokio::test]
async fn placeholders_go_into_files_that_only_their_owner_reads() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let arguments = ["placeholders", "--sdk", "node", "--account", "abcd1234", "--application", APPLICATION, "--dir", "."];
    let printed = home.run(&arguments).await;
    assert!(printed.out.contains("export VONAGE_PRIVATE_KEY_PATH=") && !printed.out.contains("PRIVATE KEY---"), "{}", printed.out);
    assert_eq!(std::fs::metadata(home.file("placeholder.key")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(home.file("placeholders.env").exists());
    let nowhere = home.run(&["placeholders", "--sdk", "node", "--account", "abcd1234", "--dir", "missing"]).await;
    assert_eq!(nowhere.code, Some(2));
    assert!(nowhere.err.contains("hint: --dir names a directory that is there"), "{}", nowhere.err);
    assert_eq!(home.run(&["placeholders", "--sdk", "cobol", "--account", "abcd1234"]).await.code, Some(2));
}
