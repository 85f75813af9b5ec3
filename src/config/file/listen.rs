//! `[[listen]]` as it may be written.

use std::fmt;

use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use toml::Spanned;

use super::{Text, Token};

/// `[[listen]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Listen {
    /// Where.
    pub address: Text,
    /// Where, in the file system.
    pub unix: Text,
    /// Permission bits of the unix socket.
    pub mode: Text,
    /// Its user.
    pub owner: Option<Spanned<i64>>,
    /// Its group.
    pub group: Option<Spanned<i64>>,
    /// Users that may call.
    pub uids: Vec<Spanned<i64>>,
    /// Groups that may call.
    pub gids: Vec<Spanned<i64>>,
    /// Tokens of which a caller must present one.
    pub tokens: Vec<Spanned<Token>>,
    /// The only methods.
    pub methods: Vec<Spanned<String>>,
    /// The only paths, and those that are not served.
    pub paths: Paths,
    /// `[listen.tls]`
    pub tls: Option<Spanned<Tls>>,
    /// `[listen.proxy]`
    pub proxy: Option<Spanned<ProxyMode>>,
    /// The only account.
    pub account: Text,
    /// The only application.
    pub application: Text,
    /// The only Vonage host.
    pub host: Text,
    /// Open parts of the management plane.
    pub allow: Vec<Spanned<String>>,
    /// More `Host` values.
    pub allowed_hosts: Vec<Spanned<String>>,
}

/// `paths`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table with `allow` and `deny`")]
pub struct Paths {
    /// The only ones.
    pub allow: Vec<Spanned<String>>,
    /// None of these.
    pub deny: Vec<Spanned<String>>,
}

/// `[listen.tls]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table with `ca_dir`, or with `cert` and `key`")]
pub struct Tls {
    /// The chain.
    pub cert: Text,
    /// Its key.
    pub key: Text,
    /// The local authority.
    pub ca_dir: Text,
    /// Where apps find it.
    pub publish: Text,
}

/// `[listen.proxy]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table with `ca_dir`")]
pub struct ProxyMode {
    /// The local authority.
    pub ca_dir: Text,
    /// Where apps find it.
    pub publish: Text,
    /// Which other hosts are joined.
    pub tunnel: Option<Spanned<Tunnel>>,
}

/// `tunnel`
#[derive(Debug)]
pub enum Tunnel {
    /// One word.
    Word(String),
    /// Hosts.
    List(Vec<Spanned<String>>),
}

impl<'de> Deserialize<'de> for Tunnel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Tunnel;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"any\" or a list of hosts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Tunnel, E> {
                Ok(Tunnel::Word(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Tunnel, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(Tunnel::List)
            }
        }
        deserializer.deserialize_any(Either)
    }
}
