//! `check` says where a rotation could not write, and changes nothing and runs nothing to find out.

use std::collections::BTreeSet;

use super::{GOOD, document, home, says};
use crate::support::process::Home;

const HERE: &str = "[rotation]\nschedule = \"here\"\n";
const POLICY: &str = "[[rotation.policy]]\nmax_age = \"30d\"\n";

fn here(more: &str) -> Home {
    home(Some(&format!("{HERE}{more}\n{POLICY}")), Some(GOOD))
}

fn names(home: &Home) -> BTreeSet<String> {
    std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn a_sidecar_that_is_to_rotate_where_it_would_forget_is_told_so_before_it_is_started() {
    let memory = tempfile::TempDir::new_in("/dev/shm").unwrap();
    for state_dir in [memory.path().to_path_buf(), memory.path().join("not/there/yet")] {
        let home = here(&format!("state_dir = \"{}\"", state_dir.display()));
        let checked = home.run(&["check"]).await;
        assert_eq!(checked.code, Some(1), "{}{}", checked.out, checked.err);
        let place = format!("sidecar.toml rotation.schedule cannot be \"here\": state_dir {} is on memory (tmpfs)", state_dir.display());
        says(&checked, &["error: ", &place, "(put rotation.state_dir on a disk or a volume that persists", "1 error, 0 warnings"]);
        let promised = here(&format!("state_dir = \"{}\"\nstate_dir_persists = true", state_dir.display()));
        let checked = promised.run(&["check"]).await;
        assert_eq!(checked.code, Some(0), "{}{}", checked.out, checked.err);
        says(&checked, &["sink: credentials.toml looks as if it can take a new file, which --sinks tries\n"]);
        assert!(!memory.path().join("not").exists(), "looking makes nothing");
    }
    let off = home(Some(&format!("[rotation]\nstate_dir = \"{}\"\n{POLICY}", memory.path().display())), Some(GOOD));
    assert_eq!(off.run(&["check"]).await.code, Some(0), "nobody rotates there");
}

#[tokio::test]
async fn a_sidecar_that_is_to_rotate_what_it_cannot_write_is_told_so() {
    let no_directory = here("state_dir = \"credentials.toml/state\"\nstate_dir_persists = true").run(&["check"]).await;
    assert_eq!(no_directory.code, Some(1));
    says(&no_directory, &["cannot be \"here\": state_dir cannot be used: credentials.toml", "(make it a directory of the user"]);
    let readable = here("state_dir_persists = true");
    let mut permissions = std::fs::metadata(readable.file("credentials.toml")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    std::fs::set_permissions(readable.file("credentials.toml"), permissions).unwrap();
    let checked = readable.run(&["check"]).await;
    assert_eq!(checked.code, Some(1));
    says(&checked, &["rotation.schedule cannot be \"here\": credentials.toml has mode 0644", "(chmod 0640 or less)", "1 error, 1 warning"]);
}

#[tokio::test]
async fn every_sink_is_looked_at_without_writing_or_running_anything_and_tried_when_that_is_asked_for() {
    let sinks = "[[rotation.sinks.file]]\npath = \"app/good.toml\"\n[[rotation.sinks.file]]\npath = \"credentials.toml/bad.toml\"\n\
                 [[rotation.sinks.command]]\nrun = [\"/bin/sh\", \"-c\", \"touch ran\"]\ncheck = [\"/bin/sh\", \"-c\", \"touch checked\"]\n\
                 [[rotation.sinks.command]]\nrun = [\"./no-such-program\"]\n[[rotation.sinks.command]]\nrun = [\"no-such-program\"]\n";
    let home = home(Some(sinks), Some(GOOD));
    std::fs::create_dir(home.file("app")).unwrap();
    let before = names(&home);
    let looked = home.run(&["check"]).await;
    assert_eq!(looked.code, Some(0), "the file may be delivered from elsewhere: {}{}", looked.out, looked.err);
    says(
        &looked,
        &[
            "sink: app/good.toml looks as if it can take a new file, which --sinks tries\n",
            "sink: cannot be written from here: credentials.toml",
            "sink: /bin/sh looks as if it can take a new file, which --sinks tries\n",
            "sink: cannot be written from here: ./no-such-program cannot be started",
            "sink: cannot be written from here: no-such-program cannot be started",
            "0 errors, 0 warnings",
        ],
    );
    let told = document(&home.run(&["check", "--json"]).await);
    let (first, second) = (&told["sinks"][0], &told["sinks"][1]);
    assert_eq!((first["how"].as_str(), first["usable"].as_bool()), (Some("looked_at"), Some(true)));
    assert_eq!((second["usable"].as_bool(), second["remedy"].as_str().unwrap().is_empty()), (Some(false), false));
    assert_eq!(names(&home), before, "looking changes nothing");
    assert!(std::fs::read_dir(home.file("app")).unwrap().next().is_none());

    let tried = home.run(&["check", "--sinks"]).await;
    assert_eq!(tried.code, Some(1));
    says(
        &tried,
        &["sink: app/good.toml can take a new file\n", "sink: /bin/sh can take a new file\n", "no-such-program cannot be started"],
    );
    assert!(home.file("checked").exists() && !home.file("ran").exists());
    let help = home.run(&["check", "--help"]).await;
    says(
        &help,
        &[
            "a file of the same size is written beside each and removed, programs are run with --check. Without this they are only looked at",
        ],
    );
}
