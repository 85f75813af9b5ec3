//! The cheap calls that prove a secret or a key: they read, cost nothing and change nothing.
//!
//! None is named where we only believe that the call is served: an answer that proves nothing would leave a new
//! secret unproven for ever, and without a free call a request proves it. Facts: API descriptions of account,
//! application-v2 and voice.

use super::endpoints::Scheme;
use super::hosts::{Host, Set};

/// Path and query of a free GET that needs a credential in this form, at this host; none where we know of none.
pub fn free_call(host: Host, scheme: Scheme) -> Option<&'static str> {
    match (scheme, host.set()) {
        (Scheme::Basic, Set::Rest) => Some("/account/get-balance"),
        // The hosts of this set at vonage.com serve Voice, Users and Conversations, which take tokens only.
        (Scheme::Basic, Set::Api) if host.name().ends_with(".nexmo.com") => Some("/v2/applications?page_size=1"),
        (Scheme::Jwt, Set::Api) => Some("/v1/calls?page_size=1"),
        (
            Scheme::Basic
            | Scheme::Query
            | Scheme::Form
            | Scheme::Json
            | Scheme::Path
            | Scheme::Signature
            | Scheme::Jwt
            | Scheme::PassThrough
            | Scheme::Open,
            Set::Rest | Set::Api | Set::Europe | Set::Video | Set::Sandbox | Set::OpenTok,
        ) => None,
    }
}

/// The hosts at which a secret is proven: one of each set that has a free call. A secret may be live at one and not yet
/// at the other.
pub const PROVING: [Host; 2] = [Host::REST, Host::API];
/// The same for keys of applications.
pub const PROVING_KEYS: [Host; 1] = [Host::API];

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::vonage::endpoints::{Documented, Plane, Repeat, lookup};

    #[test]
    fn a_free_call_only_reads_and_takes_its_scheme_at_its_host() {
        let calls = Host::all().flat_map(|host| [Scheme::Basic, Scheme::Jwt].map(|scheme| (host, scheme, free_call(host, scheme))));
        for (host, scheme, call) in calls.filter_map(|(host, scheme, call)| Some((host, scheme, call?))) {
            let path = call.split('?').next().unwrap();
            let found = lookup(Some(host.set()), &Method::GET, path);
            assert_eq!((found.method, found.plane, found.repeat), (Documented::Yes, Plane::Data, Repeat::Repeatable), "{host}");
            assert_eq!(found.endpoint.schemes.first(), Some(&scheme), "{host}");
            assert_eq!(found.endpoint.host.set(), host.set(), "{host}");
        }
        assert!(free_call(Host::REST, Scheme::Basic).is_some() && free_call(Host::API, Scheme::Basic).is_some());
        assert!(free_call(Host::API, Scheme::Jwt).is_some());
    }

    #[test]
    fn a_host_that_takes_only_tokens_has_no_free_call_for_a_secret() {
        for name in ["api-us-3.vonage.com", "api-ap-4.vonage.com", "video.api.vonage.com", "api.opentok.com"] {
            assert_eq!(free_call(Host::named(name).unwrap(), Scheme::Basic), None, "{name}");
        }
    }
}
