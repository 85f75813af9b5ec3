//! The page shows what is wrong, and no text becomes markup.

use std::collections::BTreeMap;

use super::*;
use crate::admin::status::rotation::{Listing, Schedule, ScheduleState};
use crate::admin::status::{Binding, Role, SCHEMA, Watch};

const EVIL: &str = "\"><script>alert('x')</script>&";

/// A document in which every text of others is an attack.
fn evil() -> Status {
    let value = Value {
        id: Some(EVIL.to_owned()),
        position: Some(0),
        retiring_seconds: Some(5.0),
        keep: true,
        note: Some(EVIL.to_owned()),
        created_at: Some(EVIL.to_owned()),
        standing: BTreeMap::from([(EVIL.to_owned(), Standing::Refused)]),
        last_used_seconds: Some(0.0),
        last_accepted_seconds: None,
        in_flight: 1,
        served: 2,
    };
    Status {
        schema: SCHEMA,
        boot_id: EVIL.to_owned(),
        version: EVIL.to_owned(),
        uptime_seconds: 93_784.0,
        draining: true,
        generation: 3,
        revision: Some(EVIL.to_owned()),
        credentials: File {
            path: EVIL.to_owned(),
            device: None,
            inode: None,
            state: FileState::Failing,
            error: Some(EVIL.to_owned()),
            last_good_age_seconds: Some(1.0),
            watch: Watch::Polling,
        },
        accounts: vec![Account {
            key: EVIL.to_owned(),
            membership: Presence::Lingering,
            lingering_seconds: Some(1.0),
            secrets: vec![value.clone()],
            signature_secrets: vec![value.clone()],
            listing: Some(evil_listing()),
        }],
        applications: vec![Application {
            id: EVIL.to_owned(),
            account: EVIL.to_owned(),
            membership: Presence::Listed,
            lingering_seconds: None,
            private_keys: vec![value],
            client_tokens: 0,
        }],
        reloads: vec![Reload { age_seconds: 61.0, outcome: ReloadOutcome::Failed, generation: 2, detail: EVIL.to_owned() }],
        listeners: vec![Listener {
            role: Role::Data,
            address: EVIL.to_owned(),
            binding: Binding::Bound,
            serves: None,
            certificate_left_seconds: None,
        }],
        schedule: Some(Schedule { state: ScheduleState::Unfit, detail: EVIL.to_owned() }),
    }
}

fn evil_listing() -> Listing {
    Listing {
        looked_seconds: 1.0,
        error: None,
        oldest_secret_seconds: Some(93_784.0),
        overdue: true,
        due_seconds: None,
        drift: vec![EVIL.to_owned()],
        step: Some(EVIL.to_owned()),
        step_seconds: Some(1.0),
    }
}

#[test]
fn no_text_becomes_markup() {
    let page = render(&evil());
    assert!(!page.contains("<script"), "{page}");
    assert!(!page.contains(EVIL), "{page}");
    assert!(page.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;"));
}

#[test]
fn people_see_what_is_wrong() {
    let page = render(&evil());
    for words in [
        "cannot be used",
        "gone from the file",
        "refused",
        "dropped in 5s",
        "ending",
        "1d 2h, overdue",
        "changed behind our back",
        "by schedule: unfit",
        "1m 1s ago",
        "never",
        "now",
    ] {
        assert!(page.contains(words), "{words} is missing in\n{page}");
    }
}

#[test]
fn the_page_asks_for_nothing_else() {
    let page = render(&evil());
    for asking in ["src=", "<form", "<a ", "http-equiv", "url("] {
        assert!(!page.contains(asking), "{asking}");
    }
    assert!(POLICY.starts_with("default-src 'none'"));
}
