//! A token that is refused while the provider's clock differs from ours says nothing about its key.
//!
//! What was found is said once in the log, and tokens are made by the provider's clock from then on. A clock that is too
//! far off is only told. Decided in [`skew`](crate::jwt::skew).

use std::time::SystemTime;

use http::HeaderMap;
use http::header::DATE;

use crate::credentials::{Keyring, Uid};
use crate::jwt::Signer;
use crate::jwt::skew::{Finding, Skew};
use crate::secret::ApplicationId;
use crate::vonage::refusal::Verdict;

/// The verdict, or [`Verdict::Stale`] where a fresh token by the same key is wanted because the clocks differ.
pub fn weigh(keyring: &Keyring, uid: Uid, verdict: Verdict, headers: &HeaderMap) -> Verdict {
    let (Keyring::Keys(application), Verdict::Refused | Verdict::Stale) = (keyring, verdict) else { return verdict };
    let Some(slot) = application.keys.iter().find(|slot| slot.uid == uid) else { return verdict };
    match date(headers).map(|theirs| slot.value.compare(theirs)) {
        None | Some(Finding::Agree) => verdict,
        Some(Finding::Shift(skew)) => {
            application.keys.iter().for_each(|slot| slot.value.shift(skew));
            tell(&application.id, skew, "tokens are made by Vonage's clock from now on; set this machine's clock (NTP)");
            Verdict::Stale
        }
        Some(Finding::Beyond(skew)) => {
            if slot.value.is_news(skew) {
                tell(&application.id, skew, "too far to make up for: tokens are refused until this machine's clock is set (NTP)");
            }
            verdict
        }
    }
}

/// Whether tokens of this key are made by the provider's clock from now on, since one was refused and the clocks differ.
pub fn shifts(signer: &Signer, verdict: Verdict, headers: &HeaderMap) -> bool {
    match (verdict, date(headers).map(|theirs| signer.compare(theirs))) {
        (Verdict::Refused | Verdict::Stale, Some(Finding::Shift(skew))) => {
            signer.shift(skew);
            true
        }
        (_, None | Some(Finding::Agree | Finding::Beyond(_))) | (Verdict::Accepted | Verdict::Doubtful | Verdict::NoEvidence, _) => false,
    }
}

fn tell(application: &ApplicationId, skew: Skew, remedy: &'static str) {
    tracing::warn!(%application, skew_seconds = skew.0, remedy, "this machine's clock differs from Vonage's, which refused a token");
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}
