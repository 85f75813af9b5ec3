//! Where callers and operators reach us.
//!
//! Invariants: the admin listener is on loopback, and so is a data listener whose callers need no token; no two
//! listeners want the same socket; a limit of a listener names something that exists.

use std::net::SocketAddr;

use toml::Spanned;

use super::{Check, Span, one_of, served};
use crate::config::file::{self, Text};
use crate::config::{Address, Admin, Listen, MintClaims, Observe, Place, Token};
use crate::secret::{AccessToken, ApiKey, ApplicationId, Malformed};
use crate::vonage::endpoints;
use crate::vonage::hosts::Host;

/// The parts of the management plane that a listener may open.
const ALLOW_NAMES: &[&str] = &endpoints::MANAGEMENT;
const MINT_CLAIMS: &[(&str, MintClaims)] = &[("refuse", MintClaims::Refuse), ("keep", MintClaims::Keep)];
/// Two, so that one can replace the other while both work.
const MOST_TOKENS: usize = 2;

/// The `[[listen]]` tables, or the default one when there is none.
pub(super) fn listen(check: &mut Check<'_>, raw: Option<Spanned<Vec<file::Listen>>>, default: Vec<Listen>) -> Vec<Listen> {
    let Some(raw) = raw else {
        for listener in &default {
            if let Place::Tcp(address) = listener.place {
                check.bind(None, "listen", address);
            }
        }
        return default;
    };
    if raw.get_ref().is_empty() {
        check.error(Some(raw.span()), "listen", "is empty", "leave it out for localhost:8787, or add a [[listen]] table");
    }
    raw.into_inner().iter().enumerate().map(|(index, raw)| listener(check, &format!("listen[{index}]"), raw)).collect()
}

fn listener(check: &mut Check<'_>, field: &str, raw: &file::Listen) -> Listen {
    let tokens = tokens(check, &format!("{field}.tokens"), &raw.tokens);
    let serves = served::serves(check, field, raw);
    let place = check.place(field, raw, &serves, &tokens);
    Listen {
        place,
        serves,
        tokens,
        calls: served::calls(check, field, raw),
        account: check.identifier(&format!("{field}.account"), &raw.account, ApiKey::parse),
        application: check.identifier(&format!("{field}.application"), &raw.application, ApplicationId::parse),
        host: raw.host.as_ref().and_then(|name| check.vonage_host(&format!("{field}.host"), name)),
        allow: check.each(&format!("{field}.allow"), &raw.allow, Check::open_part),
        allowed_hosts: check.each(&format!("{field}.allowed_hosts"), &raw.allowed_hosts, Check::host_value),
        mint_claims: check.word(&format!("{field}.mint_claims"), &raw.mint_claims, MINT_CLAIMS).unwrap_or_default(),
    }
}

/// `[admin]`.
pub(super) fn admin(check: &mut Check<'_>, raw: file::Admin, default: Admin) -> Admin {
    let remedy = "write localhost:PORT; probes and metrics for others belong into [admin.observe]";
    Admin {
        address: check.loopback("admin.address", &raw.address, default.address, remedy),
        observe: raw.observe.and_then(|raw| observe(check, &raw)).or(default.observe),
    }
}

fn observe(check: &mut Check<'_>, raw: &Spanned<file::Observe>) -> Option<Observe> {
    let tokens = tokens(check, "admin.observe.tokens", &raw.get_ref().tokens);
    let Some(address) = &raw.get_ref().address else {
        check.error(Some(raw.span()), "admin.observe.address", "is missing", "write for example \"0.0.0.0:9788\"");
        return None;
    };
    let bound = check.address("admin.observe.address", address)?;
    check.bind(Some(address.span()), "admin.observe.address", bound);
    Some(Observe { address: bound, tokens })
}

fn tokens(check: &mut Check<'_>, list: &str, raw: &[Spanned<file::Token>]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for (index, item) in raw.iter().enumerate() {
        let field = format!("{list}[{index}]");
        let Some(token) = check.token(&field, item) else { continue };
        if tokens.contains(&token) {
            check.warning(Some(item.span()), &field, "is there twice", "remove one of the two");
        } else {
            tokens.push(token);
        }
    }
    if let (Some(third), true) = (raw.get(MOST_TOKENS), tokens.len() > MOST_TOKENS) {
        check.error(Some(third.span()), list, "has more than two tokens", "keep the new one and the one that it replaces");
    }
    tokens
}

impl Check<'_> {
    /// An address on this machine only; the default when it is not set or wrong.
    fn loopback(&mut self, field: &str, raw: &Text, default: Address, remedy: &str) -> Address {
        let at = raw.as_ref().map(Spanned::span);
        let address = match raw {
            None => Some(default),
            Some(raw) => self.address(field, raw),
        };
        let Some(address) = address else { return default };
        if address.is_loopback() {
            self.bind(at, field, address);
        } else {
            self.error(at, field, "can be reached from other machines", remedy);
        }
        address
    }

    pub(super) fn address(&mut self, field: &str, raw: &Spanned<String>) -> Option<Address> {
        let text = raw.get_ref().trim();
        let localhost =
            text.rsplit_once(':').filter(|(host, _)| host.eq_ignore_ascii_case("localhost")).and_then(|(_, port)| port.parse().ok());
        let address = localhost.map(|port| Address::Localhost { port }).or_else(|| text.parse::<SocketAddr>().ok().map(Address::Ip));
        if address.is_none() {
            self.error(
                Some(raw.span()),
                field,
                "is not an address with a port",
                "write for example \"localhost:8787\", \"127.0.0.1:8787\" or \"[::1]:8787\"",
            );
        }
        address
    }

    /// Takes the sockets of an address, each of which can be had once.
    pub(super) fn bind(&mut self, at: Option<Span>, field: &str, address: Address) {
        let taken =
            self.bound.iter().any(|other| other.sockets().iter().any(|one| address.sockets().iter().any(|two| collide(*one, *two))));
        if taken {
            self.error(at, field, "is an address that another listener has", "give each listener a port of its own");
        }
        self.bound.push(address);
    }

    fn identifier<T>(&mut self, field: &str, raw: &Text, parse: fn(&str) -> Result<T, Malformed>) -> Option<T> {
        let raw = raw.as_ref()?;
        parse(raw.get_ref()).map_err(|malformed| self.error(Some(raw.span()), field, malformed.to_string(), "")).ok()
    }

    /// A host of the provider by its name.
    pub(super) fn vonage_host(&mut self, field: &str, raw: &Spanned<String>) -> Option<Host> {
        let host = Host::named(raw.get_ref());
        if host.is_none() {
            let known: Vec<&str> = Host::all().map(Host::name).collect();
            self.error(Some(raw.span()), field, "is not a Vonage host", one_of(raw.get_ref(), &known));
        }
        host
    }

    /// Every good item of a list.
    pub(super) fn each<T>(
        &mut self,
        field: &str,
        raw: &[Spanned<String>],
        read: fn(&mut Self, &str, &Spanned<String>) -> Option<T>,
    ) -> Vec<T> {
        raw.iter().enumerate().filter_map(|(index, item)| read(self, &format!("{field}[{index}]"), item)).collect()
    }

    fn open_part(&mut self, field: &str, raw: &Spanned<String>) -> Option<String> {
        if ALLOW_NAMES.contains(&raw.get_ref().as_str()) {
            return Some(raw.get_ref().clone());
        }
        self.error(Some(raw.span()), field, "is not a part of the management plane", one_of(raw.get_ref(), ALLOW_NAMES));
        None
    }

    fn host_value(&mut self, field: &str, raw: &Spanned<String>) -> Option<String> {
        let host = raw.get_ref().to_ascii_lowercase();
        let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if host.is_empty() || !host.bytes().all(of_a_name) {
            self.error(Some(raw.span()), field, "is not a host name", "write the name alone, without scheme, port or wildcard");
            return None;
        }
        Some(host)
    }

    /// A token of a sidecar, or where it is.
    pub(super) fn token(&mut self, field: &str, raw: &Spanned<file::Token>) -> Option<Token> {
        let at = Some(raw.span());
        match raw.get_ref() {
            file::Token::File(path) if path.get_ref().trim().is_empty() => {
                self.error(Some(path.span()), field, "names no file", "write the path of a file, relative to this one");
                None
            }
            file::Token::File(path) => Some(Token::File(self.directory.join(path.get_ref()))),
            file::Token::Value(value) => match AccessToken::parse(value) {
                Ok(_) if value.len() < AccessToken::SHORTEST => {
                    self.error(
                        at,
                        field,
                        "is short enough to be guessed",
                        "write 16 characters or more, for example from `openssl rand -hex 16`",
                    );
                    None
                }
                Ok(token) => Some(Token::Value(token)),
                Err(malformed) => {
                    self.error(at, field, malformed.to_string(), "");
                    None
                }
            },
        }
    }
}

/// Whether two sockets cannot be bound side by side. The system chooses a free port for 0.
pub(super) fn collide(one: SocketAddr, two: SocketAddr) -> bool {
    one.port() != 0 && one.port() == two.port() && (one.ip() == two.ip() || one.ip().is_unspecified() || two.ip().is_unspecified())
}
