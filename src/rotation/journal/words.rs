//! What happened, in words for people: the lines of the command and of the report.

use std::fmt;
use std::time::Duration;

use super::Fact;

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checked { listed, live } => write!(f, "the account has {}, of which {live} held and accepted", number(*listed, "secret")),
            Self::Staged => f.write_str("a value is staged on this machine"),
            Self::Created { id } => write!(f, "{id} was made"),
            Self::Adopted { id } => write!(f, "{id} was made: its answer had got lost, and the staged value is accepted"),
            Self::Proven { host, after_ms } => write!(f, "{host} accepts it steadily, for the first time after {}", Took(*after_ms)),
            Self::Deployed { revision } => write!(f, "the credentials file is written and read back, revision {revision}"),
            Self::Converged { members: Some(members) } => {
                write!(f, "{} had the new secret accepted from where they are", number(*members, "sidecar"))
            }
            Self::Converged { members: None } => f.write_str("no sidecar was asked"),
            Self::LeftBehind { members } if members.is_empty() => f.write_str("the deadline passed before it was known who follows"),
            Self::LeftBehind { members } => write!(f, "the deadline passed and these were left behind: {}", members.join(", ")),
            Self::Quiet { members: Some(members) } => {
                write!(f, "{} left the old secret unused for the soak", number(*members, "sidecar"))
            }
            Self::Quiet { members: None } => f.write_str("the soak is over; no sidecar was asked"),
            Self::Dropped { member } => {
                write!(f, "{member} left the list and has refused connections for five minutes; it does not count any more")
            }
            Self::Revoked { id } => write!(f, "{id} is revoked"),
            Self::Tidied => f.write_str("the credentials file has no revoked secret"),
            Self::Refused { host, after_ms } => write!(f, "{host} refuses the revoked secret, after {}", Took(*after_ms)),
            Self::AbortAsked => f.write_str("a person asked to go back"),
            Self::Ended { ending } => write!(f, "{}", super::super::halt::End::Ended(*ending)),
        }
    }
}

fn number(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Milliseconds as people say them.
struct Took(u64);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1000 { write!(f, "{} ms", self.0) } else { write!(f, "{:.1} s", Duration::from_millis(self.0).as_secs_f64()) }
    }
}
