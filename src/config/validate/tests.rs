//! Every problem of the settings at once with its place, and never a value.

use proptest::prelude::*;

use super::*;
use crate::config::rotation::{Rotation, Sink};
use crate::config::{Origin, Proxy, Token, Transport, parse};
use crate::vonage::hosts::Host;

fn good(text: &str) -> Settings {
    let (settings, warnings) = parse(Path::new("/etc/sidecar/sidecar.toml"), text).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    assert!(warnings.is_empty(), "{warnings}");
    settings
}

/// The problems of a text, one a line, without the name of the file.
fn bad(text: &str) -> String {
    let problems = parse(Path::new("sidecar.toml"), text).expect_err(text);
    problems.to_string().replace("sidecar.toml:", "")
}

#[test]
fn every_problem_is_told_at_once_also_beside_names_that_are_no_settings() {
    let text = "lissten = 1\n[timeout]\nconnect = \"1s\"\n[timeouts]\nconect = \"1s\"\n[admin]\naddress = \"0.0.0.0:1\"\n";
    let told = parse(Path::new("sidecar.toml"), text).unwrap_err().sorted();
    let told: Vec<&str> = told.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(told, ["lissten", "timeout", "timeouts.conect", "admin.address"]);
    let types = "[runtime]\nworkers = \"two\"\n[log]\naccess = \"yes\"\n[[listen]]\naddress = 3\nadress = 4\n";
    let told = parse(Path::new("sidecar.toml"), types).unwrap_err().sorted();
    let told: Vec<&str> = told.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(told, ["runtime.workers", "log.access", "listen[0].address", "listen[0].adress"]);
}

#[test]
fn nothing_set_is_everything_at_its_default() {
    let default = Settings::default();
    let expected = Settings {
        credentials: Credentials { file: PathBuf::from("/etc/sidecar/credentials.toml"), ..default.credentials.clone() },
        rotation: Rotation { state_dir: PathBuf::from("/etc/sidecar/state"), ..default.rotation.clone() },
        ..default
    };
    assert_eq!(good(""), expected);
    assert_eq!(good("\u{feff}# a comment\r\n[limits]\r\n"), expected);
}

#[test]
fn every_problem_of_meaning_is_reported_at_once_with_its_place() {
    let text = "[fallback]\nhold = \"5\"\n[limits]\nhead = \"64KB\"\nreplay = \"2MiB\"\nreplay_memory = \"1MiB\"\n[runtime]\nworkers = 0\n";
    assert_eq!(
        bad(text),
        "2:8 fallback.hold is not a duration (write a number and a unit, such as \"500ms\", \"5s\" or \"15m\")\n\
         4:8 limits.head has a unit that may be taken for powers of ten (write KiB, MiB or GiB)\n\
         5:10 limits.replay is larger than limits.replay_memory (one kept body must fit into the memory for all of them)\n\
         8:11 runtime.workers is less than one (write 1 or more)"
    );
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_known_one() {
    assert_eq!(bad("[[listen]]\nadress = \"localhost:1\"\n"), "2:1 listen[0].adress is not a setting (did you mean `address`?)");
    assert_eq!(bad("[timeout]\n"), "1:2 timeout is not a setting (did you mean `timeouts`?)");
    assert_eq!(bad("[runtime]\nstack = 1\n"), "2:1 runtime.stack is not a setting (known here: workers)");
}

#[test]
fn a_value_of_the_wrong_type_is_named_by_what_was_expected_only() {
    assert_eq!(bad("[upstream]\nhttp2 = \"Sup3rSecret\"\n"), "2:9 upstream.http2 must be true or false");
    assert_eq!(bad("[admin.observe]\ntokens = \"Sup3rSecret\"\n"), "2:10 admin.observe.tokens must be a list");
    assert_eq!(bad("[[listen]]\nallow = [1]\n"), "2:10 listen[0].allow[0] must be text in quotes");
    assert_eq!(bad("[fallback]\nhold = 1.5\n"), "2:8 fallback.hold must be text with a number and a unit, such as \"5s\" or \"64KiB\"");
    assert!(bad("[log]\nformat = json\n").starts_with("2:10 is not TOML: "));
}

#[test]
fn callers_and_operators_are_on_this_machine() {
    let settings = good("[[listen]]\naddress = \"LocalHost:1\"\n[[listen]]\naddress = \"127.0.0.2:1\"\n[admin]\naddress = \"[::1]:2\"\n");
    assert_eq!(settings.listen.len(), 2);
    for wide in ["0.0.0.0:1", "[::]:1", "192.168.0.1:1", "[::ffff:127.0.0.1]:1"] {
        let found = bad(&format!("[[listen]]\naddress = \"{wide}\"\n[admin]\naddress = \"{wide}\"\n"));
        assert!(found.contains("2:11 listen[0].address can be reached from other machines (write localhost:PORT; a wider"), "{found}");
        assert!(found.contains("4:11 admin.address can be reached from other machines (write localhost:PORT; probes"), "{found}");
    }
    for wrong in ["", "8787", ":8787", "localhost", "localhost:99999", "sidecar:8787", "unix:/run/x"] {
        assert!(bad(&format!("[[listen]]\naddress = \"{wrong}\"\n")).contains("is not an address with a port"), "{wrong}");
    }
}

#[test]
fn the_observer_may_be_anywhere_and_has_at_most_two_tokens() {
    let token = "0123456789abcdef";
    let settings = good(&format!("[admin.observe]\naddress = \"0.0.0.0:9788\"\ntokens = [\"{token}\", {{ file = \"token\" }}]\n"));
    let observe = settings.admin.observe.unwrap();
    assert!(!observe.address.is_loopback());
    assert!(matches!(&observe.tokens[0], Token::Value(value) if value.equals(token.as_bytes())));
    assert_eq!(observe.tokens[1], Token::File(PathBuf::from("/etc/sidecar/token")));
    assert!(bad("[admin.observe]\ntokens = []\n").contains("admin.observe.address is missing"));
    let three = "[admin.observe]\naddress = \"[::]:9788\"\ntokens = [{ file = \"a\" }, { file = \"b\" }, { file = \"c\" }]\n";
    assert!(bad(three).contains("3:43 admin.observe.tokens has more than two tokens"), "{}", bad(three));
    let short = bad("[admin.observe]\naddress = \"[::]:9788\"\ntokens = [\"Sup3rSecret\"]\n");
    assert!(short.contains("is short enough to be guessed") && !short.contains("Sup3rSecret"), "{short}");
}

#[test]
fn no_two_listeners_share_a_socket() {
    let shared = "is an address that another listener has";
    assert!(
        bad("[[listen]]\naddress = \"localhost:1\"\n[[listen]]\naddress = \"127.0.0.1:1\"\n")
            .contains("4:11 listen[1].address is an address")
    );
    assert!(bad("[[listen]]\naddress = \"localhost:9787\"\n").contains(shared));
    assert!(bad("[admin.observe]\naddress = \"0.0.0.0:8787\"\n").contains(shared));
    assert_eq!(good("[[listen]]\naddress = \"localhost:0\"\n[[listen]]\naddress = \"localhost:0\"\n").listen.len(), 2);
    let (any, one, other) = ("[::]:1".parse().unwrap(), "127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
    assert!(listeners::collide(any, one) && listeners::collide(one, any) && !listeners::collide(any, other));
    assert!(bad("listen = []\n").contains("1:10 listen is empty"));
}

#[test]
fn a_limit_of_a_listener_names_something_that_exists() {
    let settings = good(
        "[[listen]]\naccount = \"abcd1234\"\nhost = \"API.nexmo.com\"\nallow = [\"top-up\", \"psip\"]\nallowed_hosts = [\"Sidecar.internal\"]\n",
    );
    let listen = &settings.listen[0];
    assert_eq!((listen.host, &listen.allow[0][..], &listen.allowed_hosts[0][..]), (Some(Host::API), "top-up", "sidecar.internal"));
    let found =
        bad("[[listen]]\naccount = \"a b\"\nhost = \"api.nexmo.co\"\nallow = [\"topup\", \"x\"]\nallowed_hosts = [\"*.x\", \"a:1\"]\n");
    assert!(found.contains("2:11 listen[0].account has a character other than"), "{found}");
    assert!(found.contains("3:8 listen[0].host is not a Vonage host (did you mean \"api.nexmo.com\"?)"), "{found}");
    assert!(found.contains("4:10 listen[0].allow[0] is not a part of the management plane (did you mean \"top-up\"?)"), "{found}");
    assert!(found.contains("4:19 listen[0].allow[1] is not a part of the management plane (write one of secrets, "), "{found}");
    assert!(found.contains("listen[0].allowed_hosts[0] is not a host name") && found.contains("allowed_hosts[1] is not"), "{found}");
}

#[test]
fn a_credential_is_never_sent_in_the_clear_to_another_machine() {
    let hosts = |url: &str| format!("[upstream.hosts]\n\"api.nexmo.com\" = \"{url}\"\n");
    for (url, transport, host, port) in [
        ("http://127.0.0.1:9443", Transport::Plain, "127.0.0.1", 9443),
        ("http://[::1]:9443/", Transport::Plain, "::1", 9443),
        ("http://vonage.localhost", Transport::Plain, "vonage.localhost", 80),
        ("https://Gateway.example", Transport::Tls, "gateway.example", 443),
    ] {
        let expected = Origin { transport, host: host.to_owned(), port };
        assert_eq!(good(&hosts(url)).upstream.hosts[&Host::API], expected, "{url}");
    }
    for url in ["http://gateway.example", "http://10.0.0.1:80", "http://localhost.example", "http://notlocalhost"] {
        assert!(bad(&hosts(url)).contains("2:19 upstream.hosts.\"api.nexmo.com\" would get credentials in the clear"), "{url}");
    }
    for url in [
        "",
        "gateway",
        "ftp://x",
        "https://",
        "https://u:p@x",
        "https://x/path",
        "https://x?q",
        "https://x:0",
        "https://x:70000",
        "https://x:",
    ] {
        assert!(bad(&hosts(url)).contains("(write https://HOST:PORT)"), "{url}");
    }
    assert!(bad("[upstream.hosts]\n\"example.com\" = \"https://x\"\n").contains("2:1 upstream.hosts.\"example.com\" is not a Vonage host"));
    assert!(bad("[upstream.hosts]\n\"api.nexmo.com\" = \"https://x\"\n\"API.nexmo.com\" = \"https://y\"\n").contains("replaced twice"));
}

#[test]
fn the_way_out_is_the_environment_none_or_one_proxy() {
    assert_eq!(good("[upstream]\nproxy = \"none\"\n").upstream.proxy, Proxy::None);
    assert_eq!(good("[upstream]\nproxy = \"http://proxy:3128\"\n").upstream.proxy, Proxy::Url(http::Uri::from_static("http://proxy:3128")));
    let user = bad("[upstream]\nproxy = \"http://me:Sup3rSecret@proxy:3128\"\n");
    assert_eq!(user, "2:9 upstream.proxy has a user name (put it into HTTPS_PROXY and write \"env\")");
    for wrong in ["", "on", "https://proxy:3128", "http://proxy/path", "socks5://proxy"] {
        assert!(bad(&format!("[upstream]\nproxy = \"{wrong}\"\n")).contains("upstream.proxy "), "{wrong}");
    }
}

#[test]
fn off_is_zero_where_a_wait_may_be_nothing_and_no_limit_for_the_total() {
    let settings = good("[fallback]\nhold = \"off\"\n[credentials]\nretire = \"0s\"\n[timeouts]\ntotal = \"30s\"\ndrain = \"off\"\n");
    assert_eq!((settings.fallback.hold, settings.credentials.retire, settings.timeouts.drain), Default::default());
    assert_eq!(settings.timeouts.total, Some(Duration::from_secs(30)));
    assert_eq!(good("[timeouts]\ntotal = \"off\"\n").timeouts.total, None);
    let found = bad("[timeouts]\nidle = \"off\"\nconnect = \"0s\"\ntotal = \"0s\"\n");
    assert!(found.contains("timeouts.idle is not a duration") && found.contains("timeouts.connect is no time at all"), "{found}");
    assert!(found.contains("timeouts.total is no time at all (write \"off\" for no limit)"), "{found}");
}

#[test]
fn what_cannot_work_is_refused_before_it_runs() {
    for (text, what) in [
        ("[limits]\nhead = \"4KiB\"\n", "limits.head is not a usable size"),
        ("[limits]\nhead = \"2MiB\"\n", "limits.head is not a usable size"),
        ("[limits]\nhead = -1\n", "limits.head is not a size"),
        ("[limits]\nconnections = 0\n", "limits.connections is less than one"),
        ("[runtime]\nworkers = -1\n", "runtime.workers is less than one"),
        ("[runtime]\nworkers = 100000\n", "runtime.workers is too many"),
        ("[timeouts]\nconnect = \"9s\"\n", "2:11 timeouts.connect is longer than timeouts.handshake"),
        ("[credentials]\nfile = \"\"\n", "credentials.file is empty"),
        ("[log]\nfilter = \"info,,=bad=\"\n", "log.filter is not a filter"),
        ("[log]\nfilter = \"\"\n", "log.filter is not a filter"),
        ("[log]\nformat = \"jsn\"\n", "log.format is not one of the words known here (did you mean \"json\"?)"),
        ("[upstream]\nregion = \"mars\"\n", "upstream.region is not one of the words known here (write one of us, eu, ap)"),
    ] {
        assert!(bad(text).contains(what), "{text}{}", bad(text));
    }
}

#[test]
fn paths_are_seen_from_the_directory_of_the_settings() {
    let settings = good("[credentials]\nfile = \"../secrets/c.json\"\n[upstream]\nca_file = \"/abs/roots.pem\"\n");
    assert_eq!(settings.credentials.file, PathBuf::from("/etc/sidecar/../secrets/c.json"));
    assert_eq!(settings.upstream.ca_file, Some(PathBuf::from("/abs/roots.pem")));
}

#[test]
fn a_token_is_shown_by_no_debug_text() {
    let text = "[admin.observe]\naddress = \"[::1]:9788\"\ntokens = [\"Sup3rSecretToken1\"]\n";
    assert!(!format!("{:?}", file::read(Path::new("sidecar.toml"), text).unwrap().0).contains("Sup3r"));
    assert!(!format!("{:?}", good(text)).contains("Sup3r"));
}

#[test]
fn no_nesting_exhausts_the_stack() {
    let deep = 200_000;
    for text in [
        format!("a = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("a = {}", "{ a = ".repeat(deep)),
        format!("{}a = 1", "a.".repeat(deep)),
        format!("[{}a]", "a.".repeat(deep)),
        format!("listen.{}a = 1", "a.".repeat(deep)),
    ] {
        assert!(!bad(&text).is_empty());
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic_and_no_problem_shows_a_token(
        at in any::<prop::sample::Index>(),
        cut in 0..80_usize,
        put in prop_oneof![Just("\"Pl4ntedToken\""), Just("[\"Pl4ntedToken\"]"), Just("\"Pl4ntedToken expected x\""), Just("="), Just("[["), Just("")],
    ) {
        let mut text = include_str!("../../../config/sidecar.toml").replace("\n#", "\n");
        text = text.lines().filter(|line| !line.starts_with(' ')).collect::<Vec<_>>().join("\n");
        let at = at.index(text.len());
        let end = (at + cut).min(text.len());
        text.replace_range(at..end, put);
        if let Err(problems) = parse(Path::new("sidecar.toml"), &text) {
            prop_assert!(problems.any_error());
            // A name may be shown: it is what was mistyped. A value may not.
            prop_assert!(problems.iter().all(|problem| !format!("{}{}", problem.what, problem.hint).contains("Pl4nted")), "{}", problems);
        }
    }
}

#[test]
fn a_schedule_that_could_not_be_kept_is_bad() {
    assert!(bad("[rotation]\nschedule = \"here\"\n").contains("rotation.schedule has nothing to go by"));
    let policy = "[[rotation.policy]]\nmax_age = \"30d\"\n";
    assert!(bad(&format!("{policy}every = \"30d\"\nwindow = \"02:00-05:00\"\n")).contains("rotation.policy[0].window may open only after"));
    assert!(bad(&format!("{policy}window = \"02:00-02:00\"\n")).contains("rotation.policy[0].window is never open"));
    assert!(bad(&format!("{policy}jitter = \"25d\"\n")).contains("rotation.policy[0].jitter is longer than every"));
}

#[test]
fn rotation_says_what_is_wrong_with_each_of_its_tables() {
    let text = "[rotation]\nhost = \"video.api.vonage.com\"\napprove = \"second\"\n[[rotation.policy]]\nevery = \"2d\"\nwindow = \"25:00-26:00\"\n[[rotation.policy]]\nmax_age = \"1d\"\nevery = \"2d\"\n[[rotation.sinks.file]]\n[[rotation.sinks.command]]\nrun = []\n[rotation.fleet]\nexpect = 2\n[rotation.notify]\nwebhook = \"nowhere\"\n";
    let found = bad(text);
    for field in [
        "rotation.host is not a host of Secret Management",
        "rotation.approve is not one of the words",
        "rotation.policy[0].max_age is missing",
        "rotation.policy[1].every is longer than max_age",
        "rotation.sinks.file[0].path is missing",
        "rotation.sinks.command[0].run names no program",
        "rotation.fleet does not say how members are found",
        "rotation.notify.webhook is not an address",
    ] {
        assert!(found.contains(field), "{field}:\n{found}");
    }
}

#[test]
fn a_policy_rotates_before_its_age_is_reached_and_a_command_is_tried_with_check() {
    let rotation =
        good("[[rotation.policy]]\nmax_age = \"30d\"\nwindow = \"23:00-01:00\"\n[[rotation.sinks.command]]\nrun = [\"deliver\", \"x\"]\n")
            .rotation;
    let policy = &rotation.policies[0];
    assert_eq!((policy.accounts.as_str(), policy.every), ("*", Duration::from_hours(24 * 24)));
    assert!(policy.window.is_open(0) && !policy.window.is_open(720));
    let Sink::Command(command) = &rotation.sinks[0] else { panic!() };
    assert_eq!(command.check, ["deliver", "x", "--check"]);
}
