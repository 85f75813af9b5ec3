//! vonage-sidecar: a local reverse proxy that keeps Vonage API credentials current.
//!
//! An app points its base URL at this process, keeps its API key and puts any placeholder where the secret goes.
//! The process takes the placeholder off, puts a secret of its credentials file on, and sends the request to Vonage.
//! It reads the file again whenever it changes. When Vonage refuses a secret, the request is sent once more with
//! another one that is held, and only then: a refused call has done nothing, so nothing happens twice. When all are
//! refused although they worked a moment ago, the request waits a few seconds for a newer file. So **no request
//! fails because a secret was rotated, and none is sent twice.** Everything else about a request and its answer is
//! left as it is, but for the headers that [`proxy::headers`] names. One process serves many accounts and all Vonage hosts,
//! since the path tells the host. It runs beside its app: in the same pod, in the same container network, or on the same
//! machine.
//!
//! This page is the map. The `README.md` is for those who run it.
//!
//! # The rooms
//!
//! A room is `foo.rs` and `foo/`. Inside a room, files that decide and files that act are separate: what decides is
//! plain functions over values, with `now` and random bytes as arguments, and names no socket, file, task or clock.
//!
//! | room | duty | may import |
//! |---|---|---|
//! | [`cli`] | one file a command; the only code that reads arguments and environment, and that prints | everything |
//! | [`app`] | the composition root: binds, starts every long-lived task, runs | everything but `cli` |
//! | [`proxy`] | the way of a request, from an accepted connection to its answer | `prove` and below |
//! | [`rotation`] | makes, delivers and revokes secrets; replaces one, or a key pair, on evidence alone | `prove` and below |
//! | [`admin`] | health, metrics, status and their page, on listeners of their own | `credentials`, `metrics` and below |
//! | [`prove`] | asks Vonage about one held secret with a free call | `inject` and below |
//! | [`inject`] | takes every credential of the caller off a request and puts exactly one of ours on | `upstream`, `vonage` |
//! | [`authority`] | certificates of our own listeners: given, or made by a local authority | `config`, `files`, `vonage` |
//! | [`upstream`] | connections to Vonage: pool, TLS, HTTP/1.1 and HTTP/2, egress proxy | `config`, `vonage` |
//! | [`credentials`] | what secrets are held, how they are read again, what is thought of each | `metrics`, `config`, `vonage` and below |
//! | [`telemetry`], [`metrics`] | what is written down; what is counted | `config`, `vonage` |
//! | [`config`] | `sidecar.toml`: what it may say, and the settings that come of it | `vonage` and below |
//! | [`vonage`] | everything known about the provider: hosts, endpoints, what a refusal looks like, how secrets are managed | `secret` |
//! | [`jwt`] | tokens of applications: claims, keys, the finished tokens at hand | [`secret`], `clock` |
//! | [`secret`], [`problem`] | values that cannot be printed; one thing wrong in a file, with its place and a hint | nothing of ours |
//! | [`tokens`] | tokens of the sidecar itself, read and read again | `config`, `files`, `secret` |
//! | [`bind`], [`files`], [`clock`], [`shutdown`], [`work`], [`hardening`] | listening sockets; the only readers of files and of time; how the process ends; what runs beside; no core dumps | [`config`], `clock` |
//! | [`emulator`] | a stateful Vonage, for tests and for trying things out | nothing that it is there to test |
//!
//! Arrows point down the table; values, files and time are for all. The emulator stands apart: its checks of
//! credentials are its own, or a test against it would prove nothing.
//!
//! # The way of a request
//!
//! ```text
//! accept ─▶ admit ─▶ route ─▶ strip ─▶ whose account
//!    ┌─ attempt: newest snapshot ─ order of its secrets ─ inject ─ send ─ judge ─┐
//!    └─ deliver | send again with another secret ; the first answer is held ─────┘
//!           the answer streams through, hop-by-hop headers removed both ways
//! ```
//!
//! 1. [`proxy::listen`] accepts a connection, by whatever kind of listener, and makes an
//!    [`Entrance`](proxy::entrance::Entrance); [`proxy::Proxy::handle`] is the rest of this list in order.
//! 2. [`proxy::guard::admit`] decides from the head alone and makes an [`Admitted`](proxy::guard::Admitted).
//! 3. [`proxy::route::route`] finds the [`Endpoint`](vonage::endpoints::Endpoint) and the
//!    [`Host`](vonage::hosts::Host) and makes a [`Routed`](proxy::route::Routed).
//! 4. [`inject::strip`] makes a [`Stripped`](inject::Stripped) and tells what the caller claimed to be;
//!    [`proxy::whose::whose`] makes of that an account, or an application of it, and what is put on.
//! 5. The newest [`Snapshot`](credentials::Snapshot) comes from the [`Store`](credentials::store::Store);
//!    the values of one [`Keyring`](credentials::Keyring) are ordered by [`credentials::standing`], which never leaves
//!    one out.
//! 6. [`inject::inject`] makes an [`Outgoing`](upstream::outgoing::Outgoing), the only thing that
//!    [`Upstream`](upstream::Upstream) sends.
//! 7. [`vonage::refusal`] judges the answer: a [`Verdict`](vonage::refusal::Verdict) about the credential.
//! 8. [`proxy::course::Course`] says what comes next; what went wrong is a [`Fault`](proxy::fault::Fault), and
//!    becomes an answer that is marked as ours.
//!
//! # The way of a secret
//!
//! [`credentials::watch`] sees that something changed, a refusal or a person asks, or two seconds are over;
//! [`credentials::read`] takes one consistent picture of the file and of those it names;
//! [`credentials::file`](mod@credentials::file) parses all of it or refuses all of it;
//! [`credentials::linger`] keeps for a while what is gone from it; [`credentials::store`] publishes the next
//! snapshot by swapping one pointer. A bad file changes nothing.
//!
//! # What always holds
//!
//! - Nothing is sent again unless Vonage refused the credential, or provably processed nothing. Never after a
//!   timeout, a reset, a 5xx or a 429, and never after the caller has received a byte.
//! - A request carries exactly one credential, and it goes to a Vonage host or to the origin that the settings put
//!   in its place.
//! - `Refused` takes a complete answer of a known form. No cut-off answer is one.
//! - A request takes one snapshot for each attempt and never sees half of another.
//! - A secret leaves its type only where it is injected, parsed or compared. No digest of one exists anywhere.
//! - Callers reach the management plane of Vonage only where a listener allows it by name.
//! - An answer that we made carries `x-sidecar-error`; one of Vonage is never rewritten, but for headers that would tell
//!   the caller our secret ([`inject::echo`]).
//! - Readiness is: listening, and a valid file was loaded. A refused secret never makes a process unready, or all of
//!   them would leave service at once.
//!
//! # What is not here
//!
//! Anything that is not HTTP: SMPP and SIP. Webhooks, which come from Vonage and not through here.

pub mod admin;
pub mod app;
pub mod authority;
pub mod bind;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod emulator;
pub mod files;
pub mod hardening;
pub mod inject;
pub mod jwt;
pub mod metrics;
pub mod problem;
pub mod prove;
pub mod proxy;
pub mod rotation;
pub mod secret;
pub mod shutdown;
pub mod telemetry;
pub mod tokens;
pub mod upstream;
pub mod vonage;
pub mod work;
