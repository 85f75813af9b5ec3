//! What a listener says about itself: who may call, what it is limited to, what it makes.

use super::Explanation;
use crate::config::{Listen, Mint, Peers, Place};
use crate::credentials::Snapshot;
use crate::proxy::fault::Fault;
use crate::proxy::mint;

/// Who may call there.
pub(super) fn callers(listen: &Listen) -> String {
    let who = match &listen.place {
        Place::Tcp(address) if address.is_loopback() => "whoever is on this machine".to_owned(),
        Place::Tcp(_) => "whoever can connect".to_owned(),
        Place::Unix(socket) if socket.peers == Peers::default() => format!("whoever may write to the socket (mode {:04o})", socket.mode),
        Place::Unix(socket) => format!("users {:?} and groups {:?}", socket.peers.uids, socket.peers.gids),
    };
    match listen.tokens.len() {
        0 => who,
        1 => format!("{who}, with the token of the listener"),
        many => format!("{who}, with one of {many} tokens"),
    }
}

/// What it is limited to, and what it opens; none when it serves whatever a sidecar serves.
pub(super) fn limits(listen: &Listen) -> Option<String> {
    let some = |name: &str, words: Vec<String>| (!words.is_empty()).then(|| format!("{name} {}", words.join(", ")));
    let each = |list: &[crate::config::PathPattern]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let said = [
        listen.account.as_ref().map(|account| format!("account {account}")),
        listen.application.as_ref().map(|application| format!("application {application}")),
        listen.host.map(|host| format!("host {host}")),
        some("methods", listen.calls.methods.iter().map(ToString::to_string).collect()),
        some("paths", each(&listen.calls.allow)),
        some("no paths", each(&listen.calls.deny)),
        some("open", listen.allow.clone()),
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// What a listener does that makes tokens and sends nothing.
pub(super) fn minted(made: &Mint, listen: &Listen, held: Option<&Snapshot>) -> Result<Explanation, Fault> {
    let unnamed = mint::order(b"", made)?;
    let whose = match held.map(|held| mint::application(&unnamed, listen, held)) {
        None => "of the application".to_owned(),
        Some(Ok(application)) => format!("of application {}", application.id),
        Some(Err(Fault::WhichApplication)) => "of the application that the request names".to_owned(),
        Some(Err(fault)) => return Err(fault),
    };
    Ok(Explanation {
        served: true,
        endpoint: Some("mint"),
        credential: Some(format!("a token {whose}, which the caller gets; nothing is sent")),
        body: Some(format!("claims {}; ttl of at most {} seconds", made.claims.join(", "), made.longest.as_secs())),
        ..Explanation::default()
    })
}
