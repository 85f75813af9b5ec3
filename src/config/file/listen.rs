//! `[[listen]]` as it may be written.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

use super::{Measure, Text, Token};

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
    /// Tokens for clients of apps.
    pub mint: Option<Spanned<Mint>>,
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
    /// Limits of a caller's token.
    pub mint_claims: Text,
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

/// `mint`
#[derive(Debug)]
pub enum Mint {
    /// A switch.
    Switch(bool),
    /// With limits.
    Limits(MintLimits),
}

/// `[listen.mint]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table with `max_ttl` and `claims`")]
pub struct MintLimits {
    /// The longest life.
    pub max_ttl: Measure,
    /// The claims that a caller may name.
    pub claims: Option<Vec<Spanned<String>>>,
}

impl<'de> Deserialize<'de> for Mint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Mint;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or a table with `max_ttl` and `claims`")
            }

            fn visit_bool<E: Error>(self, on: bool) -> Result<Mint, E> {
                Ok(Mint::Switch(on))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Mint, A::Error> {
                MintLimits::deserialize(MapAccessDeserializer::new(map)).map(Mint::Limits)
            }
        }
        deserializer.deserialize_any(Either)
    }
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
