//! What each SDK is told, and what must be in its environment.
//!
//! Facts: the sources of the SDKs. Python and Ruby put `https://` in front of whatever host they are given; the Vonage CLI
//! has its hosts built in; the others take a whole base URL.

use std::path::PathBuf;

use crate::vonage::hosts::Host;

/// Where the sidecar is, and where its authority lies.
pub(super) struct Place {
    /// `HOST:PORT`.
    pub(super) address: String,
    pub(super) ca: PathBuf,
}

/// What an app is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Sdk {
    /// curl, or anything that takes a URL
    Curl,
    /// vonage 4
    Python,
    /// @vonage/server-sdk 3
    Node,
    /// com.vonage:server-sdk 9
    Java,
    /// com.vonage:server-sdk-kotlin 2
    Kotlin,
    /// vonage/client 4
    Php,
    /// vonage 7
    Ruby,
    /// Vonage 8
    Dotnet,
    /// vonage-go-sdk 0.13
    Go,
    /// No SDK
    Rust,
    /// @vonage/cli, in proxy mode
    Cli,
}

impl Sdk {
    /// Where it usually finds a listener that it can use.
    pub(super) fn usual_address(self) -> &'static str {
        match self {
            Self::Python | Self::Ruby => "localhost:8443",
            Self::Cli => "localhost:8789",
            Self::Curl | Self::Node | Self::Java | Self::Kotlin | Self::Php | Self::Dotnet | Self::Go | Self::Rust => "localhost:8787",
        }
    }

    /// Its options, as they stand in a program.
    pub(super) fn options(self, place: &Place) -> String {
        let host = &place.address;
        let url = format!("http://{host}");
        match self {
            Self::Curl | Self::Rust => format!("{url} in place of https://{} and every other host of Vonage", Host::API),
            Self::Python => format!(
                "HttpClientOptions(api_host=\"{host}\", rest_host=\"{host}\", video_host=\"{host}\")\n\
                 The listener needs tls = {{ ca_dir = \"{}\" }}.",
                place.ca.display()
            ),
            Self::Node => format!(
                "new Vonage(auth, {{ apiHost: \"{url}\", restHost: \"{url}\", videoHost: \"{url}\", identityInsightsHost: \"{url}\" }})"
            ),
            Self::Java => format!("HttpConfig.builder().baseUri(\"{url}\").build()"),
            Self::Kotlin => format!("Vonage {{ httpConfig {{ baseUri(\"{url}\") }} }}"),
            Self::Php => {
                let map = [Host::API, Host::REST, Host::EUROPE].map(|host| format!("'https://{host}' => '{url}'")).join(", ");
                format!("new Client($credentials, ['base_api_url' => '{url}', 'base_rest_url' => '{url}',\n'url' => [{map}]])")
            }
            Self::Ruby => format!(
                "Vonage::Client.new(api_host: '{host}', rest_host: '{host}', video_host: '{host}', vonage_host: '{host}',\n\
                 http: {{ ca_file: '{}' }})\n\
                 The listener needs tls = {{ ca_dir = \"{}\" }}.",
                place.ca.join("bundle.pem").display(),
                place.ca.display()
            ),
            Self::Dotnet => {
                format!("appsettings.json, section \"vonage\": \"Url.Api\", \"Url.Rest\", \"Url.Api.EMEA\", \"Url.Api.Video\": \"{url}\"")
            }
            Self::Go => format!("client.Config.BasePath = \"{url}/sms\", for each client with the path that it has"),
            Self::Cli => format!(
                "Its hosts are built in: the listener needs proxy = {{ ca_dir = \"{}\" }}.\n\
                 NODE_USE_ENV_PROXY is for Node 24 and later; before, NODE_OPTIONS=\"--require global-agent/bootstrap\" with\n\
                 GLOBAL_AGENT_HTTPS_PROXY={url} and the package global-agent.",
                place.ca.display()
            ),
        }
    }

    /// What must be in its environment besides credentials.
    pub(super) fn variables(self, place: &Place) -> Vec<(String, String)> {
        let file = |name: &str| {
            let path = place.ca.join(name);
            std::path::absolute(&path).unwrap_or(path).display().to_string()
        };
        let pairs: &[(&str, String)] = match self {
            Self::Python => &[("REQUESTS_CA_BUNDLE", file("bundle.pem"))],
            Self::Ruby => &[("SSL_CERT_FILE", file("bundle.pem"))],
            Self::Cli => &[
                ("HTTPS_PROXY", format!("http://{}", place.address)),
                ("NODE_USE_ENV_PROXY", "1".to_owned()),
                ("NODE_EXTRA_CA_CERTS", file("ca.pem")),
            ],
            Self::Curl | Self::Node | Self::Java | Self::Kotlin | Self::Php | Self::Dotnet | Self::Go | Self::Rust => &[],
        };
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }
}
