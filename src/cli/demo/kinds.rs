//! The nasty ways in which a rotation can go, as steps. Pure.
//!
//! Every way keeps the one precondition of the promise: when a secret is revoked, another live one is held, or the
//! file that names it comes within the hold.

use std::time::Duration;

use Step::{Create, File, Late, Overlap, Revoke, Settle, Tear, Wait};
use Which::{New, Old};

/// How long a secret that was refused before it was live is live beside the old one, at least. A request that the new
/// one was refused for may still be on its way to the old one: with less than a request takes, none of the two would
/// ever be good for it.
const OVERLAP: Duration = Duration::from_millis(400);

/// Between two rotations. A request that looks for a secret that works takes some 50 ms a look: one that met two
/// rotations would find each secret dead by the time it gets there.
const SETTLING: Duration = Duration::from_millis(200);

/// A way to rotate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Create, deploy, wait, revoke.
    ByTheBook,
    /// The file and the revoke at one instant.
    AtOnce,
    /// The file names a secret that the provider does not accept yet.
    NotLiveYet,
    /// The old secret goes before the file says so; the file held both.
    RevokedFirst,
    /// The file held one secret, and that one goes before the next file.
    OnlyRevoked,
    /// The file holds one secret, which the provider does not accept yet.
    OnlyNotLiveYet,
    /// The file is written halfway while the old secret is already gone.
    Torn,
}

/// One of the two secrets of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Old,
    New,
}

/// What is done, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The provider makes the new secret.
    Create,
    /// The provider revokes the old secret.
    Revoke,
    /// The credentials file is replaced by one with these secrets.
    File(&'static [Which]),
    /// The credentials file is written in place and left halfway.
    Tear,
    /// So many hundredths of a beat pass.
    Wait(u32),
    /// Both secrets are live for [`OVERLAP`].
    Overlap,
    /// [`SETTLING`] passes: the end of every rotation.
    Settle,
    /// So many hundredths of a beat pass, being what is nasty: the wait that [`Kind::words`] tells.
    Late(u32),
}

impl Step {
    /// How long it takes, apart from the work itself.
    pub(super) fn span(self, beat: Duration) -> Duration {
        match self {
            Self::Wait(hundredths) | Self::Late(hundredths) => beat * hundredths / 100,
            Self::Overlap => OVERLAP,
            Self::Settle => SETTLING,
            Self::Create | Self::Revoke | Self::File(_) | Self::Tear => Duration::ZERO,
        }
    }
}

impl Kind {
    /// All of them, gentle ones first.
    pub(super) const ALL: [Self; 7] =
        [Self::ByTheBook, Self::AtOnce, Self::NotLiveYet, Self::RevokedFirst, Self::OnlyRevoked, Self::OnlyNotLiveYet, Self::Torn];

    /// What is done. Begins with the old secret alone in the file, ends with the new one alone in it.
    pub(super) fn steps(self) -> &'static [Step] {
        match self {
            Self::ByTheBook => &[Create, File(&[New, Old]), Wait(40), Revoke, Wait(20), File(&[New]), Settle],
            Self::AtOnce => &[Create, File(&[New, Old]), Revoke, Wait(40), File(&[New]), Settle],
            Self::NotLiveYet => &[File(&[New, Old]), Late(70), Create, Overlap, Revoke, Wait(20), File(&[New]), Settle],
            Self::RevokedFirst => &[Create, File(&[Old, New]), Wait(20), Revoke, Late(80), File(&[New]), Settle],
            Self::OnlyRevoked => &[Create, Revoke, Late(110), File(&[New]), Settle],
            Self::OnlyNotLiveYet => &[File(&[New]), Late(70), Create, Overlap, Revoke, Settle],
            Self::Torn => &[Create, Tear, Revoke, Late(50), File(&[New, Old]), Wait(20), File(&[New]), Settle],
        }
    }

    /// How long it takes, apart from the work itself.
    pub(super) fn span(self, beat: Duration) -> Duration {
        self.steps().iter().map(|step| step.span(beat)).sum()
    }

    /// What it is in plain words, in at most [`super::table::WHAT`] characters.
    pub(super) fn words(self, beat: Duration) -> String {
        let late = self.steps().iter().find_map(|step| match step {
            Late(_) => Some(step.span(beat)),
            Create | Revoke | File(_) | Tear | Wait(_) | Overlap | Settle => None,
        });
        let late = format!("{:.1} s", late.unwrap_or_default().as_secs_f64());
        match self {
            Self::ByTheBook => "by the book: create, deploy, revoke".to_owned(),
            Self::AtOnce => "new file and revoke at one instant".to_owned(),
            Self::NotLiveYet => format!("new secret live {late} after the file"),
            Self::RevokedFirst => format!("old revoked {late} before the file"),
            Self::OnlyRevoked => format!("only secret revoked {late} too early"),
            Self::OnlyNotLiveYet => format!("only secret live {late} too late"),
            Self::Torn => format!("file torn for {late}, old one revoked"),
        }
    }

    /// Its name in the JSON document.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ByTheBook => "by_the_book",
            Self::AtOnce => "at_once",
            Self::NotLiveYet => "not_live_yet",
            Self::RevokedFirst => "revoked_first",
            Self::OnlyRevoked => "only_secret_revoked",
            Self::OnlyNotLiveYet => "only_secret_not_live_yet",
            Self::Torn => "file_torn",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::rotate::Schedule;
    use crate::cli::demo::table::WHAT;
    use crate::config::Settings;

    #[test]
    fn every_way_creates_once_revokes_once_and_ends_with_the_new_secret_alone() {
        for kind in Kind::ALL {
            let count = |wanted: Step| kind.steps().iter().filter(|step| **step == wanted).count();
            assert_eq!((count(Create), count(Revoke)), (1, 1), "{kind:?}");
            let position = |wanted: Step| kind.steps().iter().position(|step| *step == wanted).unwrap();
            assert!(position(Create) < position(Revoke), "{kind:?} leaves the account without a secret");
            let last = kind.steps().iter().rev().find_map(|step| if let File(secrets) = step { Some(*secrets) } else { None });
            assert_eq!(last, Some(&[New][..]), "{kind:?}");
        }
    }

    #[test]
    fn every_way_fits_into_the_hold_and_its_words_into_the_table() {
        for seconds in [1, 3, 5, 15, 3600] {
            let beat = Schedule::of(Duration::from_secs(seconds)).beat;
            for kind in Kind::ALL {
                assert!(kind.span(beat) < Settings::default().fallback.hold / 2, "{kind:?}");
                assert!(kind.words(beat).len() <= WHAT, "{}", kind.words(beat));
            }
        }
    }

    #[test]
    fn every_way_fits_twice_into_the_default_and_once_into_five_seconds() {
        for (seconds, times) in [(15, 2), (5, 1)] {
            let length = Duration::from_secs(seconds);
            let beat = Schedule::of(length).beat;
            let all: Duration = Kind::ALL.iter().map(|kind| kind.span(beat)).sum();
            assert!(all * times < length, "{seconds} s");
        }
    }
}
