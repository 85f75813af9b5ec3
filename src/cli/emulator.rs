//! `vonage-sidecar emulator`: a stateful Vonage on this machine, for trying things out without an account.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::report::{self, Exit, Failure, Outcome};
use super::run;
use crate::emulator::{AccountSpec, Emulator, Lag, Options};
use crate::files;
use crate::shutdown::{Shutdown, Signals};

/// The longest certificate or key file, in bytes.
const LONGEST: usize = 1 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8788")]
    listen: SocketAddr,
    /// An account with one or two secrets; may be given several times
    #[arg(long = "account", value_name = "KEY:SECRET[,SECRET]", default_value = "abcd1234:OldSecret1")]
    accounts: Vec<AccountSpec>,
    /// How long a new secret is not accepted yet
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    lag_new: Duration,
    /// How long a revoked secret is still accepted
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    lag_revoked: Duration,
    /// Serve TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// Serves until a signal.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(cert), Some(key)) => Some(Arc::new(tls(cert, key)?)),
        (Some(_) | None, Some(_) | None) => None,
    };
    let options = Options {
        address: arguments.listen,
        tls,
        accounts: arguments.accounts.clone(),
        lag: Lag { new: arguments.lag_new, revoked: arguments.lag_revoked },
        ..Options::default()
    };
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    run::runtime(2)?.block_on(async {
        let signals = Signals::register().map_err(|error| Failure::could_not_run("signals cannot be handled").caused_by(&error))?;
        let mut running = Emulator::bind(options).await.map_err(|error| {
            Failure::could_not_run(format!("cannot listen on {}", arguments.listen))
                .caused_by(&error)
                .hint("--listen chooses another address")
        })?;
        let address = running.address();
        report::data(&format!("emulated Vonage on {scheme}://{address}, control on {scheme}://{address}/_emulator/state\n"))?;
        let shutdown = Shutdown::new();
        tokio::select! {
            () = running.wait() => {}
            () = signals.endings.drive(&shutdown) => {}
            () = shutdown.draining() => {}
        }
        Ok(Exit::Done)
    })
}

fn tls(cert: &std::path::Path, key: &std::path::Path) -> Result<rustls::ServerConfig, Failure> {
    let unusable =
        |what: &str, error: &dyn std::error::Error| Failure::could_not_run(format!("the {what} cannot be used")).caused_by(error);
    let chain = files::read(cert, LONGEST).map_err(|error| unusable("certificate", &error))?;
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&chain.bytes).collect::<Result<_, _>>().map_err(|error| unusable("certificate", &error))?;
    let key = files::read(key, LONGEST).map_err(|error| unusable("key", &error))?;
    let key = PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|error| unusable("key", &error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| unusable("certificate with this key", &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
