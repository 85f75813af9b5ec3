//! Where a data listener is: an address, or a unix socket with its owner and its callers.
//!
//! Invariants: an address that others reach is bound only if callers must present a token; what belongs to a unix
//! socket is not written at an address; no two listeners want the same path.

use std::path::PathBuf;

use toml::Spanned;

use super::{Check, Span};
use crate::config::file;
use crate::config::file::Text;
use crate::config::{Address, Peers, Place, Serves, Token, UnixSocket};

/// A token is a credential that outlives its caller.
const MINTS_FOR_ALL: &str = "mints tokens for whoever can connect";
/// The port of a data listener that names no place.
const USUAL: Address = Address::Localhost { port: 8787 };
/// The permission bits of a unix socket that names none: its user and group.
const USUAL_MODE: u32 = 0o660;
/// A socket's path has room for 108 bytes, and is made beside it under a name that is longer.
const LONGEST_SOCKET_PATH: usize = 90;

impl Check<'_> {
    /// The place of a listener.
    pub(super) fn place(&mut self, field: &str, raw: &file::Listen, serves: &Serves, tokens: &[Token]) -> Place {
        match (&raw.address, &raw.unix) {
            (Some(address), Some(_)) => {
                let hint = "write a [[listen]] table for each of them";
                self.error(Some(address.span()), &format!("{field}.address"), "stands beside unix", hint);
                Place::Tcp(USUAL)
            }
            (None, Some(path)) => {
                let nobody_is_told_apart = tokens.is_empty() && raw.uids.is_empty() && raw.gids.is_empty();
                if matches!(serves, Serves::Mint(_)) && nobody_is_told_apart {
                    self.error(Some(path.span()), &format!("{field}.unix"), MINTS_FOR_ALL, "add uids, gids or tokens");
                }
                self.unix(field, raw, path)
            }
            (address, None) => {
                self.only_at_unix(field, raw);
                // Where no address is written, what is wrong with it stands at what made it wrong.
                let at = address.as_ref().map(Spanned::span).or_else(|| raw.mint.as_ref().map(Spanned::span));
                Place::Tcp(self.tcp(&format!("{field}.address"), address, at, serves, tokens))
            }
        }
    }

    fn tcp(&mut self, field: &str, raw: &Text, at: Option<Span>, serves: &Serves, tokens: &[Token]) -> Address {
        let Some(address) = raw.as_ref().map_or(Some(USUAL), |raw| self.address(field, raw)) else { return USUAL };
        if !address.is_loopback() && tokens.is_empty() {
            let remedy = "write localhost:PORT; a wider address needs caller control: tokens = [...], or a unix socket";
            self.error(at, field, "can be reached from other machines", remedy);
            return address;
        }
        if matches!(serves, Serves::Mint(_)) && tokens.is_empty() {
            self.error(at.clone(), field, MINTS_FOR_ALL, "add tokens = [...], or use a unix socket with uids or gids");
        }
        match serves {
            Serves::Http | Serves::Proxy(_) | Serves::Mint(_) if !address.is_loopback() => self.warning(
                at.clone(),
                field,
                "can be reached from other machines without TLS",
                "tokens and requests cross the network in the clear: use [listen.tls], or localhost",
            ),
            Serves::Http | Serves::Proxy(_) | Serves::Mint(_) | Serves::Https(_) => {}
        }
        self.bind(at, field, address);
        address
    }

    fn unix(&mut self, field: &str, raw: &file::Listen, path: &Spanned<String>) -> Place {
        let place = format!("{field}.unix");
        let resolved = self.path(&place, &raw.unix).unwrap_or_default();
        if resolved.as_os_str().len() > LONGEST_SOCKET_PATH {
            self.error(Some(path.span()), &place, "is longer than 90 bytes", "a socket needs a shorter path");
        }
        if self.sockets.contains(&resolved) {
            self.error(Some(path.span()), &place, "is a path that another listener has", "give each listener a path of its own");
        }
        self.sockets.push(resolved.clone());
        Place::Unix(UnixSocket {
            path: resolved,
            mode: self.mode(&format!("{field}.mode"), &raw.mode),
            owner: raw.owner.as_ref().and_then(|id| self.id(&format!("{field}.owner"), id)),
            group: raw.group.as_ref().and_then(|id| self.id(&format!("{field}.group"), id)),
            peers: Peers { uids: self.ids(&format!("{field}.uids"), &raw.uids), gids: self.ids(&format!("{field}.gids"), &raw.gids) },
        })
    }

    fn mode(&mut self, field: &str, raw: &Text) -> u32 {
        let Some(raw) = raw else { return USUAL_MODE };
        match u32::from_str_radix(raw.get_ref().trim_start_matches("0o"), 8) {
            Ok(mode) if mode <= 0o777 => mode,
            Ok(_) | Err(_) => {
                self.error(Some(raw.span()), field, "is not a mode", "write permission bits such as \"0660\"");
                USUAL_MODE
            }
        }
    }

    fn ids(&mut self, field: &str, raw: &[Spanned<i64>]) -> Vec<u32> {
        raw.iter().enumerate().filter_map(|(index, id)| self.id(&format!("{field}[{index}]"), id)).collect()
    }

    fn id(&mut self, field: &str, raw: &Spanned<i64>) -> Option<u32> {
        let id = u32::try_from(*raw.get_ref()).ok();
        if id.is_none() {
            self.error(Some(raw.span()), field, "is not the number of a user or group", "write the number that `id` shows");
        }
        id
    }

    /// What only a unix socket has.
    fn only_at_unix(&mut self, field: &str, raw: &file::Listen) {
        let first = |list: &[Spanned<i64>]| list.first().map(Spanned::span);
        let written = [
            ("mode", raw.mode.as_ref().map(Spanned::span)),
            ("owner", raw.owner.as_ref().map(Spanned::span)),
            ("group", raw.group.as_ref().map(Spanned::span)),
            ("uids", first(&raw.uids)),
            ("gids", first(&raw.gids)),
        ];
        for (name, at) in written.into_iter().filter(|(_, at)| at.is_some()) {
            let hint = "write unix = \"PATH\" in place of the address; at an address, callers are told apart by tokens";
            self.error(at, &format!("{field}.{name}"), "belongs to a unix socket", hint);
        }
    }

    /// The local authority of a table.
    pub(super) fn authority(&mut self, at: Span, field: &str, dir: &Text, publish: &Text) -> crate::config::CertificateAuthority {
        let dir: PathBuf = self.needed_path(at, &format!("{field}.ca_dir"), dir, "write the directory of the local CA, such as \"ca\"");
        let publish = self.path(&format!("{field}.publish"), publish);
        if publish.as_ref() == Some(&dir) {
            let hint = "name another directory: the key of the CA is in this one";
            self.error(None, &format!("{field}.publish"), "is the directory of the CA itself", hint);
        }
        crate::config::CertificateAuthority { dir, publish }
    }
}
