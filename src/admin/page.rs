//! The status page for people: one static HTML document, no scripts, everything escaped. Pure.

use std::fmt::{self, Display, Write};

use super::age::{Age, Ago};
use super::status::{Account, Application, File, FileState, Listener, Presence, Reload, ReloadOutcome, Standing, Status, Value};

#[cfg(test)]
mod tests;

/// What the browser may do with the page: show it, with its own style, and nothing else.
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>vonage-sidecar</title>
<link rel="icon" href="data:,">
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222; background: #fff }
h1 { font-size: 1.3rem } h2 { font-size: 1.05rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top }
.good { color: #176b2c } .warn { color: #8a5a00 } .bad { color: #a4161a; font-weight: 600 } .dim { color: #666 }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #161616 } th, td { border-color: #444 }
.good { color: #7bd88f } .warn { color: #f0b429 } .bad { color: #ff8589 } .dim { color: #999 } }
</style>
"#;

/// The whole document.
pub(super) fn render(status: &Status) -> String {
    let mut page = HEAD.to_owned();
    let written = write_body(&mut page, status);
    debug_assert!(written.is_ok(), "a String takes everything");
    page
}

fn write_body(page: &mut String, status: &Status) -> fmt::Result {
    writeln!(page, "<h1>vonage-sidecar {}</h1>", Escaped(&status.version))?;
    let ending = if status.draining { " · <span class=\"bad\">ending</span>" } else { "" };
    let revision = status.revision.as_deref().unwrap_or("none");
    writeln!(
        page,
        "<p>up for {} · generation {} · revision {}{ending}</p>",
        Age(status.uptime_seconds),
        status.generation,
        Escaped(revision)
    )?;
    if let Some(schedule) = &status.schedule {
        writeln!(page, "<p>rotation by schedule: {}</p>", Escaped(&schedule.to_string()))?;
    }
    write_file(page, &status.credentials)?;
    for account in &status.accounts {
        write_account(page, account)?;
    }
    for application in &status.applications {
        write_application(page, application)?;
    }
    write_reloads(page, &status.reloads)?;
    write_listeners(page, &status.listeners)?;
    page.write_str("<p class=\"dim\">This page does not refresh itself. The same as JSON: /status; for Prometheus: /metrics.</p>\n")
}

fn write_file(page: &mut String, file: &File) -> fmt::Result {
    let (class, word) = match file.state {
        FileState::Ok => ("good", "in use"),
        FileState::Unread => ("warn", "not read yet"),
        FileState::Failing => ("bad", "cannot be used"),
        FileState::Unknown => ("warn", "unknown"),
    };
    write!(page, "<h2>Credentials file</h2><p>{}: <span class=\"{class}\">{word}</span>", Escaped(&file.path))?;
    if let Some(age) = file.last_good_age_seconds {
        write!(page, ", last good {} ago", Age(age))?;
    }
    if let Some(error) = &file.error {
        write!(page, "<br><span class=\"bad\">{}</span>", Escaped(error))?;
    }
    page.write_str("</p>\n")
}

fn write_account(page: &mut String, account: &Account) -> fmt::Result {
    writeln!(page, "<h2>Account {}{}</h2>", Escaped(&account.key), presence(account.membership))?;
    if let Some(listing) = &account.listing {
        let wrong = listing.overdue || listing.error.is_some() || !listing.drift.is_empty();
        writeln!(page, "<p class=\"{}\">{}</p>", if wrong { "bad" } else { "dim" }, Escaped(&listing.to_string()))?;
    }
    write_values(page, "Secret", &account.secrets)?;
    write_values(page, "Signature secret", &account.signature_secrets)
}

fn write_application(page: &mut String, application: &Application) -> fmt::Result {
    let lingering = presence(application.membership);
    writeln!(page, "<h2>Application {} of {}{lingering}</h2>", Escaped(&application.id), Escaped(&application.account))?;
    write_values(page, "Private key", &application.private_keys)
}

fn presence(presence: Presence) -> &'static str {
    match presence {
        Presence::Listed => "",
        Presence::Lingering => " <span class=\"bad\">gone from the file</span>",
        Presence::Unknown => " <span class=\"warn\">unknown</span>",
    }
}

fn write_values(page: &mut String, kind: &str, values: &[Value]) -> fmt::Result {
    if values.is_empty() {
        return Ok(());
    }
    writeln!(page, "<table><tr><th>{kind}<th>Standing<th>Last used<th>Last accepted<th>In flight<th>Served<th>Note</tr>")?;
    for value in values {
        write!(page, "<tr><td>{}<td>", Escaped(&value.name()))?;
        write_standing(page, value)?;
        write!(page, "<td>{}<td>{}", Ago(value.last_used_seconds), Ago(value.last_accepted_seconds))?;
        let keep = if value.keep { "kept " } else { "" };
        let note = value.note.as_deref().unwrap_or_default();
        writeln!(page, "<td>{}<td>{}<td>{keep}{}</tr>", value.in_flight, value.served, Escaped(note))?;
    }
    page.write_str("</table>\n")
}

fn write_standing(page: &mut String, value: &Value) -> fmt::Result {
    if value.standing.is_empty() {
        page.write_str("<span class=\"dim\">untested</span>")?;
    }
    for (host, standing) in &value.standing {
        let class = match standing {
            Standing::Good => "good",
            Standing::Untested => "dim",
            Standing::Suspect | Standing::Unknown => "warn",
            Standing::Refused => "bad",
        };
        write!(page, "<span class=\"{class}\">{}</span> {}<br>", standing.word(), Escaped(host))?;
    }
    match value.retiring_seconds {
        Some(left) => write!(page, "<span class=\"warn\">dropped in {}</span>", Age(left)),
        None => Ok(()),
    }
}

fn write_reloads(page: &mut String, reloads: &[Reload]) -> fmt::Result {
    page.write_str("<h2>Reloads</h2>\n<table><tr><th>When<th>Outcome<th>Generation<th>What</tr>\n")?;
    for reload in reloads {
        let (class, word) = match reload.outcome {
            ReloadOutcome::Published => ("good", "published"),
            ReloadOutcome::Unchanged => ("dim", "unchanged"),
            ReloadOutcome::Failed => ("bad", "failed"),
            ReloadOutcome::Unknown => ("warn", "unknown"),
        };
        let what = Escaped(&reload.detail);
        writeln!(page, "<tr><td>{} ago<td class=\"{class}\">{word}<td>{}<td>{what}</tr>", Age(reload.age_seconds), reload.generation)?;
    }
    page.write_str("</table>\n")
}

fn write_listeners(page: &mut String, listeners: &[Listener]) -> fmt::Result {
    page.write_str("<h2>Listeners</h2>\n<p>")?;
    for listener in listeners {
        write!(page, "{}<br>", Escaped(&listener.address))?;
    }
    page.write_str("</p>\n")
}

/// Text that cannot become markup, in an element or in a quoted attribute.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            plain => f.write_char(plain),
        })
    }
}
