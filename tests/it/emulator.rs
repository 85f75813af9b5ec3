//! The emulated provider itself. If it is wrong, every other test may be: these hold it to the facts, with a client
//! that knows nothing of the code under test.

mod caller;
mod endpoints;
mod faults;
mod history;
mod process;
mod refusals;
mod secrets;
mod signatures;
mod tokens;

/// What a file of the emulator may write behind `crate::`; the last is how far its items are seen.
const OWN: [&str; 3] = ["clock", "emulator::", "emulator)"];

/// A check that the code under test wrote itself would agree with it.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test reads the sources")]
fn the_emulator_uses_nothing_of_the_code_under_test() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let below = |place: &std::path::Path| -> Vec<_> { std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect() };
    let (rooms, mut files): (Vec<_>, Vec<_>) = below(&root.join("emulator")).into_iter().partition(|path| path.is_dir());
    files.extend(rooms.iter().flat_map(|room| below(room)));
    files.push(root.join("emulator.rs"));
    assert!(files.len() > 40 && files.iter().all(|path| path.is_file()), "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("super::super"), "{}", file.display());
        let foreign: Vec<&str> = text.split("crate::").skip(1).filter(|rest| !OWN.iter().any(|own| rest.starts_with(own))).collect();
        assert!(foreign.is_empty(), "{} uses crate::{}", file.display(), &foreign[0][..foreign[0].len().min(30)]);
    }
}
