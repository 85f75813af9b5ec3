//! `vonage-sidecar emulator`: a stateful Vonage on this machine, for trying things out without an account.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};

use super::report::{self, Exit, Failure, Outcome};
use super::run;
use crate::emulator::{AccountSpec, ApplicationSpec, Control, Emulator, Lag, MalformedMethod, MalformedSpec, Options, SignatureMethod};
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
    /// An application; its tokens are verified with the public key (PEM) in FILE, or not at all without one
    #[arg(long = "application", value_name = "ID:KEY[:FILE]")]
    applications: Vec<ApplicationArgument>,
    /// How an account signs and with what; METHOD is md5hash, md5, sha1, sha256 or sha512
    #[arg(long = "signing", value_name = "KEY:METHOD:SECRET[,SECRET]")]
    signings: Vec<SigningArgument>,
    /// How long a new secret or public key is not accepted yet
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    lag_new: Duration,
    /// How long a revoked secret or replaced public key is still accepted
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    lag_revoked: Duration,
    /// Serve TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// An application, and where its public key is.
#[derive(Debug, Clone)]
struct ApplicationArgument {
    spec: ApplicationSpec,
    key: Option<PathBuf>,
}

impl FromStr for ApplicationArgument {
    type Err = MalformedSpec;

    fn from_str(text: &str) -> Result<Self, MalformedSpec> {
        let mut parts = text.splitn(3, ':');
        let spec = format!("{}:{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default()).parse()?;
        Ok(Self { spec, key: parts.next().map(PathBuf::from) })
    }
}

impl ApplicationArgument {
    fn read(&self) -> Result<ApplicationSpec, Failure> {
        let Some(path) = &self.key else { return Ok(self.spec.clone()) };
        let unusable = |why: &dyn std::error::Error| Failure::could_not_run("the public key cannot be used").caused_by(why);
        let file = files::read(path, LONGEST).map_err(|error| unusable(&error))?;
        SubjectPublicKeyInfoDer::from_pem_slice(&file.bytes)
            .map_err(|error| unusable(&error).hint("openssl pkey -in private.key -pubout writes one in the right form"))?;
        let pem = String::from_utf8_lossy(&file.bytes).into_owned();
        Ok(ApplicationSpec { public_key: Some(pem), ..self.spec.clone() })
    }
}

/// The signature secrets of an account.
#[derive(Clone)]
struct SigningArgument {
    key: String,
    method: SignatureMethod,
    secrets: Vec<String>,
}

impl std::fmt::Debug for SigningArgument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningArgument").field("key", &self.key).finish_non_exhaustive()
    }
}

impl FromStr for SigningArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let (Some(key), Some(method), Some(secrets)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("expected KEY:METHOD:SECRET or KEY:METHOD:SECRET,SECRET2".to_owned());
        };
        let method = method.parse().map_err(|error: MalformedMethod| error.to_string())?;
        Ok(Self { key: key.to_owned(), method, secrets: secrets.split(',').map(str::to_owned).collect() })
    }
}

impl SigningArgument {
    fn set(&self, control: &Control) -> Result<(), Failure> {
        let secrets: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
        if control.set_signing(&self.key, self.method, &secrets) {
            return Ok(());
        }
        Err(Failure::could_not_run(format!("--signing names the account {}, which is not there", self.key)).hint("--account adds it"))
    }
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
        applications: arguments.applications.iter().map(ApplicationArgument::read).collect::<Result<_, _>>()?,
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
        for signing in &arguments.signings {
            signing.set(running.control())?;
        }
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
