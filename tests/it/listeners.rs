//! Every kind of listener: unix sockets, TLS with a certificate that was given or made, HTTP/2, proxy mode; and who may
//! call there.

mod authority; // the local authority: one for all who start, strict, renewed
mod control; // tokens, users, methods and paths
mod mint; // tokens for the clients of apps
mod minted; // the same as the settings file says it, up to the provider that takes them
mod proxy; // CONNECT to a host of the provider, to others, to nobody
mod reread; // tokens and certificates that change under a process
mod rig; // clients for all of it
mod rules; // what is refused on a plain listener is refused on every other one
mod stalls; // HTTP/2: who stops in the middle is not waited for
mod streams; // HTTP/2: departures, drain, bounds
mod tls; // HTTPS for SDKs that insist on it
mod unix; // a socket in the file system
