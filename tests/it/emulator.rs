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

/// A check that the code under test wrote itself would agree with it.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test reads the sources")]
fn the_emulator_uses_nothing_of_the_code_under_test() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = std::fs::read_dir(root.join("emulator")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.chain([root.join("emulator.rs")]).collect();
    assert!(files.len() > 20);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("super::super"), "{}", file.display());
        let foreign: Vec<&str> = text.split("crate::").skip(1).filter(|rest| !rest.starts_with("clock")).collect();
        assert!(foreign.is_empty(), "{} uses crate::{}", file.display(), &foreign[0][..foreign[0].len().min(30)]);
    }
}
