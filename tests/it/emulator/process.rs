//! The emulator as a command.

use http::StatusCode;

use super::caller::{API, APPLICATION, FIRST, KEY, claims, make_pair, pair, public_pem, request, send, signed};
use crate::support::process::Home;

#[tokio::test]
async fn the_command_verifies_with_the_key_and_signs_as_it_is_told() {
    let home = Home::new();
    home.write("public.pem", &public_pem(pair()));
    let (account, application) = (format!("{KEY}:{FIRST}"), format!("{APPLICATION}:{KEY}:public.pem"));
    let signing = format!("{KEY}:sha256:SigSecret1");
    let arguments = ["emulator", "--listen", "127.0.0.1:0", "--account", &account, "--application", &application, "--signing", &signing];
    let process = home.start(&arguments);
    let line = process.prints("emulated Vonage").await;
    let address = line.split("http://").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    let calls =
        async |token: String| send(address, request("GET", API, "/v1/calls", &[("authorization", &token)], "")).await.unwrap().status;
    assert_eq!(calls(signed(pair(), &claims())).await, StatusCode::OK);
    assert_eq!(calls(signed(&make_pair(), &claims())).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_command_line_that_cannot_be_meant_is_refused_with_what_was_expected() {
    let home = Home::new();
    home.write("none.pem", "not a key");
    for (arguments, code, words) in [
        (["--application", "id:key:missing.pem"], 2, "the public key cannot be used"),
        (["--application", "id:key:none.pem"], 2, "openssl pkey"),
        (["--application", "id"], 2, "APPLICATION_ID:KEY"),
        (["--signing", "abcd1234:sha3:Secret"], 2, "md5hash"),
        (["--signing", "unknown1:md5:Secret"], 2, "unknown1"),
    ] {
        let ended = home.run(&["emulator", "--listen", "127.0.0.1:0", arguments[0], arguments[1]]).await;
        assert_eq!(ended.code, Some(code), "{arguments:?}");
        assert!(ended.err.contains(words), "{arguments:?}: {}", ended.err);
    }
}
