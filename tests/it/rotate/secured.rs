//! Sidecars that are asked over TLS, with a private authority, and with a token: what they say counts; what cannot be
//! asked, for a wrong token or certificate, begins nothing, revokes nothing and says what to mend.

use vonage_sidecar::emulator::Options;

use super::rig::{Host, KEY, Load, OLD, one_account};
use crate::support::authority::Authority;
use crate::support::front::Front;

const TOKEN: &str = "the-observe-token-1";
const ANOTHER: &str = "some-other-token-12";
const APPROVE: &str = "approve = \"never\"";

/// A sidecar whose observe listener wants a token, and is reached through TLS.
struct Secured {
    host: Host,
    authority: Authority,
    front: Front,
}

impl Secured {
    async fn new() -> Self {
        let observe = format!("admin.observe.address = \"127.0.0.1:0\"\nadmin.observe.tokens = [\"{TOKEN}\"]\n");
        let host = Host::serving(Options::with_account(KEY, &[OLD]), &one_account(&[OLD]), &observe).await;
        let authority = Authority::new();
        let front = Front::of(&authority, *host.sidecar.admin.last().unwrap()).await;
        host.home.write("token", &format!("{TOKEN}\n"));
        Self { host, authority, front }
    }

    /// Those who rotate trust this authority, and have the token of the file.
    fn trusting(&self, authority: &Authority, rotation: &str) {
        let fleet = format!("members = [\"{}\"]\ntoken = {{ file = \"token\" }}", self.front.url());
        self.host.rotates(&format!("upstream.ca_file = \"{}\"", authority.ca_file().display()), rotation, &fleet);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sidecars_that_are_asked_over_tls_with_a_token_give_their_evidence() {
    let secured = Secured::new().await;
    let host = &secured.host;
    secured.trusting(&secured.authority, APPROVE);
    // Nobody calls, so the new secret is accepted from there only when `POST /prove` comes through as well.
    let done = host.does(&format!("rotate --account {KEY}")).await;
    assert!(done.out.contains("1 sidecar had the new secret accepted"), "{}", done.out);
    host.is_rotated(KEY, OLD);
    assert_eq!(host.reports()[0]["members"][0]["name"], secured.front.url());
    assert!(!format!("{}{}{}", done.out, done.err, host.reports()[0]).contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_that_cannot_be_asked_begins_nothing_and_says_what_to_mend() {
    let secured = Secured::new().await;
    let host = &secured.host;
    let (file, ids) = (host.text("credentials.toml"), host.ids(KEY));
    let another = Authority::new();
    for (authority, token, words) in
        [(&secured.authority, ANOTHER, "it wants another token than that of [rotation.fleet]"), (&another, TOKEN, "upstream.ca_file")]
    {
        secured.trusting(authority, APPROVE);
        host.home.write("token", token);
        for command in ["rotate", "rotate --dry-run"] {
            let ended = host.run(&format!("{command} --account {KEY}")).await;
            let told = format!("{}{}", ended.out, ended.err);
            assert_eq!(ended.code, Some(1), "{told}");
            assert!(told.contains(words) && told.contains(&secured.front.url()) && !told.contains(token), "{told}");
            assert!(told.contains("see what is wrong with the sidecars named"), "{told}");
        }
        assert_eq!((host.text("credentials.toml"), host.ids(KEY)), (file.clone(), ids.clone()));
    }
    host.home.write("token", TOKEN);
    secured.trusting(&secured.authority, APPROVE);
    host.does(&format!("rotate --account {KEY}")).await;
    host.is_rotated(KEY, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_or_certificate_that_goes_wrong_on_the_way_revokes_nothing_until_it_is_right_again() {
    let secured = Secured::new().await;
    let host = &secured.host;
    let load = Load::through(&host.sidecar, 1);
    let old = host.old_id();
    secured.trusting(&secured.authority, "");
    host.refuses(&format!("rotate --account {KEY}"), "was not made by this tool").await;

    let another = Authority::new();
    secured.trusting(&another, "");
    let approved = ["rotate", "--account", KEY, "--approve", &old];
    let untrusting = host.home.start(&approved);
    let line = untrusting.prints("waiting: ").await;
    assert!(line.contains("signed by nobody this machine trusts"), "{line}");
    assert_eq!(host.ids(KEY).len(), 2);
    untrusting.signal(rustix::process::Signal::KILL);
    untrusting.ends().await;

    secured.trusting(&secured.authority, "");
    host.home.write("token", ANOTHER);
    let waiting = host.home.start(&approved);
    let line = waiting.prints("waiting: ").await;
    assert!(line.contains("it wants another token"), "{line}");
    assert_eq!(host.ids(KEY).len(), 2);
    // The file is read at each look.
    host.home.write("token", TOKEN);
    assert_eq!(waiting.ends().await, Some(0));
    host.is_rotated(KEY, OLD);
    load.was_served().await;
}
