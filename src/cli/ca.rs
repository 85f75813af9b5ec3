//! `vonage-sidecar ca --dir DIR`: makes the local certificate authority or shows it, and says how apps come to trust it.

use std::path::{Path, PathBuf};

use super::report::{self, Exit, Failure, Outcome};
use crate::authority::{Authority, BUNDLE, CERTIFICATE};
use crate::clock;
use crate::config::CertificateAuthority;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The directory of the authority, made when it is missing
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Another directory, in which apps find what they must trust
    #[arg(long, value_name = "DIR")]
    publish: Option<PathBuf>,
}

/// How apps are told, by what they are written with: the variable, which of the two files it takes, who reads it.
const VARIABLES: [(&str, &str, &str); 5] = [
    ("NODE_EXTRA_CA_CERTS", CERTIFICATE, "Node, the Vonage CLI"),
    ("REQUESTS_CA_BUNDLE", BUNDLE, "Python with requests, which the Vonage SDK uses"),
    ("SSL_CERT_FILE", BUNDLE, "Ruby, Go, Rust, .NET, Python without requests, everything else on OpenSSL"),
    ("CURL_CA_BUNDLE", BUNDLE, "curl"),
    ("GIT_SSL_CAINFO", BUNDLE, "git, when HTTPS_PROXY points here"),
];

/// Makes or shows it.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    let settings = CertificateAuthority { dir: arguments.dir.clone(), publish: arguments.publish.clone() };
    let authority = Authority::open(&settings).map_err(|error| {
        Failure::could_not_run("the local authority cannot be used").caused_by(&error).hint("name a directory that this user may write to")
    })?;
    let trusted = absolute(settings.publish.as_deref().unwrap_or(&settings.dir));
    let days = authority.validity().left(clock::wall()).as_secs() / 86_400;
    let mut lines = vec![
        format!("# The local authority of {}: valid for {days} days, renewed by itself.", absolute(&settings.dir).display()),
        "# It speaks for loopback and the hosts of Vonage only. Its key stays where it is.".to_owned(),
        "# What an app needs, by what it is written with:".to_owned(),
    ];
    lines.extend(VARIABLES.iter().map(|(name, file, who)| format!("export {name}={}  # {who}", quoted(&trusted.join(file)))));
    let (pem, bundle) = (quoted(&trusted.join(CERTIFICATE)), quoted(&trusted.join(BUNDLE)));
    lines.push(format!("# PHP: in php.ini, curl.cainfo and openssl.cafile are {bundle}"));
    lines.push(format!("# Java, Kotlin: keytool -importcert -noprompt -cacerts -alias vonage-sidecar -file {pem}"));
    report::data(&format!("{}\n", lines.join("\n")))?;
    Ok(Exit::Done)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// As a word of a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_');
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
