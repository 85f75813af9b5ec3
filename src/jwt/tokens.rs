//! The finished tokens of one key: made once, put on requests until close to their end, renewed before it.
//!
//! A request that finds a token that is good takes it, at the price of one pointer. When two thirds of its life are
//! over, the first request that takes it has the next one made on a blocking thread, and nobody waits. Only when there
//! is none, or one too close to its end, does a request wait for a signature; a hundred that come at once wait for one.
//!
//! A token's times are the calendar's, so its age is too: when the clock is set right, tokens that were made before
//! are made again. Where the provider's clock is found to differ, the calendar is the provider's. The tokens belong to the held key: they survive every reload that keeps it, and go with it.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use http::HeaderValue;

use super::claims::{self, Claims};
use super::key::{DoesNotSign, SigningKey};
use super::placeholder::Rights;
use super::skew::{Finding, Skew};
use crate::clock;
use crate::secret::ApplicationId;

/// With less than this left a token is renewed.
const RENEWED: Duration = Duration::from_mins(5);
/// With less than this left it is not used: clocks differ, and a request takes its time.
const UNUSED: Duration = Duration::from_mins(1);
/// Most tokens with rights of their own that are kept for a key.
const MOST_KEPT: usize = 64;

/// A private key of an application with the tokens made by it.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The key.
    pub key: SigningKey,
    tokens: Arc<Tokens>,
}

#[derive(Debug)]
struct Tokens {
    application: ApplicationId,
    plain: Arc<Place>,
    limited: Mutex<HashMap<String, Arc<Place>>>,
    /// Seconds that the provider's clock is ahead of ours.
    skew: AtomicI64,
    /// The last one that was too large, and told.
    told: AtomicI64,
}

/// Where the token with some rights is.
#[derive(Debug, Default)]
struct Place {
    current: ArcSwapOption<Minted>,
    making: tokio::sync::Mutex<()>,
    renewing: AtomicBool,
}

struct Minted {
    header: HeaderValue,
    issued: SystemTime,
    expires: SystemTime,
    skew: Skew,
}

impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Minted(hidden)")
    }
}

/// What is to be done with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    /// It is used.
    Good,
    /// It is used, and the next one is made.
    Due,
    /// It is not used.
    Over,
}

/// The age of a token with these times. One of the future was made before the clock was set right.
fn age(issued: SystemTime, expires: SystemTime, now: SystemTime) -> Age {
    let left = expires.duration_since(now).unwrap_or_default();
    if now < issued || left < UNUSED {
        Age::Over
    } else if left < RENEWED {
        Age::Due
    } else {
        Age::Good
    }
}

impl Signer {
    /// A key of this application.
    pub fn new(application: &ApplicationId, key: SigningKey) -> Self {
        let tokens = Tokens {
            application: application.clone(),
            plain: Arc::default(),
            limited: Mutex::default(),
            skew: AtomicI64::new(0),
            told: AtomicI64::new(0),
        };
        Self { key, tokens: Arc::new(tokens) }
    }

    /// The `Authorization` header with a token that has these rights.
    pub async fn bearer(&self, rights: &Rights) -> Result<HeaderValue, DoesNotSign> {
        let place = self.place(rights);
        if let Some(minted) = place.current.load().as_ref() {
            match self.age(minted) {
                Age::Good => return Ok(minted.header.clone()),
                Age::Due => {
                    let header = minted.header.clone();
                    self.renew(&place, rights);
                    return Ok(header);
                }
                Age::Over => {}
            }
        }
        self.wait(&place, rights).await
    }

    /// The provider says that the time of this token is over, whatever our clock says: it is not used again.
    pub fn discard(&self, rights: &Rights, header: &HeaderValue) {
        let place = self.place(rights);
        let is_current = place.current.load().as_ref().is_some_and(|minted| minted.header == *header);
        if is_current {
            place.current.store(None);
        }
    }

    /// What time it is for tokens: the provider's time, as far as it is known.
    pub fn now(&self) -> SystemTime {
        self.skew().applied(clock::wall())
    }

    fn skew(&self) -> Skew {
        Skew(self.tokens.skew.load(Ordering::Acquire))
    }

    /// What the date of an answer that refused a token of this key says about the clocks.
    pub fn compare(&self, theirs: SystemTime) -> Finding {
        self.skew().compare(clock::wall(), theirs)
    }

    /// Whether a clock that is so far off was not told yet.
    pub fn is_news(&self, skew: Skew) -> bool {
        let told = self.tokens.told.load(Ordering::Acquire);
        let news = skew.differs_from(Skew(told));
        if news {
            self.tokens.told.store(skew.0, Ordering::Release);
        }
        news
    }

    /// Makes all tokens from now on with this skew: those at hand are not used again.
    pub fn shift(&self, skew: Skew) {
        self.tokens.skew.store(skew.0, Ordering::Release);
    }

    /// A token that was made with another skew is over.
    fn age(&self, minted: &Minted) -> Age {
        if minted.skew == self.skew() { age(minted.issued, minted.expires, self.now()) } else { Age::Over }
    }

    fn place(&self, rights: &Rights) -> Arc<Place> {
        if rights.is_empty() {
            return Arc::clone(&self.tokens.plain);
        }
        let mut limited = self.tokens.limited.lock().unwrap_or_else(PoisonError::into_inner);
        let text = rights.text();
        if limited.len() >= MOST_KEPT && !limited.contains_key(&text) {
            limited.clear();
        }
        Arc::clone(limited.entry(text).or_default())
    }

    /// Makes the next token without anybody waiting.
    fn renew(&self, place: &Arc<Place>, rights: &Rights) {
        if place.renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (signer, place, rights) = (self.clone(), Arc::clone(place), rights.clone());
        tokio::task::spawn_blocking(move || {
            if let Ok(minted) = signer.mint(&rights) {
                place.current.store(Some(Arc::new(minted)));
            }
            place.renewing.store(false, Ordering::Release);
        });
    }

    /// Waits for a token: one signature for all who wait.
    async fn wait(&self, place: &Arc<Place>, rights: &Rights) -> Result<HeaderValue, DoesNotSign> {
        let _one_at_a_time = place.making.lock().await;
        if let Some(minted) = place.current.load().as_ref()
            && self.age(minted) != Age::Over
        {
            return Ok(minted.header.clone());
        }
        let (signer, rights) = (self.clone(), rights.clone());
        let minted = tokio::task::spawn_blocking(move || signer.mint(&rights)).await.map_err(|_| DoesNotSign)??;
        let header = minted.header.clone();
        place.current.store(Some(Arc::new(minted)));
        Ok(header)
    }

    fn mint(&self, rights: &Rights) -> Result<Minted, DoesNotSign> {
        let skew = self.skew();
        let now = skew.applied(clock::wall());
        let claims = Claims::new(&self.tokens.application, rights.claims(), claims::LIFE, now, clock::random());
        let claims = claims.map_err(|_| DoesNotSign)?;
        let header = self.key.sign(&claims)?.bearer();
        Ok(Minted { header, issued: claims.issued, expires: claims.expires, skew })
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::jwt::{Placeholder, generate};

    fn signer() -> Signer {
        let key = SigningKey::parse(&generate::key_pair().unwrap().private).unwrap();
        Signer::new(&ApplicationId::parse("app-1").unwrap(), key)
    }

    #[test]
    fn a_token_is_used_renewed_and_left_in_time() {
        let (issued, expires) = (UNIX_EPOCH + claims::LIFE, UNIX_EPOCH + claims::LIFE * 2);
        let at = |left: u64| age(issued, expires, expires - Duration::from_secs(left));
        assert_eq!(
            [at(900), at(301), at(300), at(299), at(60), at(59), at(0)],
            [Age::Good, Age::Good, Age::Good, Age::Due, Age::Due, Age::Over, Age::Over]
        );
        assert_eq!(age(issued, expires, issued - Duration::from_secs(1)), Age::Over, "made before the clock was set right");
        assert_eq!(age(issued, expires, expires + Duration::from_secs(1)), Age::Over);
    }

    #[tokio::test]
    async fn a_token_is_made_once_and_made_again_when_it_is_discarded() {
        let signer = signer();
        let none = Rights::default();
        let (first, second) = tokio::join!(signer.bearer(&none), signer.bearer(&none));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!(first, second, "whoever comes at once waits for one signature");
        signer.discard(&none, &HeaderValue::from_static("another"));
        assert_eq!(signer.bearer(&none).await.unwrap(), first);
        signer.discard(&none, &first);
        assert_ne!(signer.bearer(&none).await.unwrap(), first);
    }

    #[tokio::test]
    async fn a_clock_that_is_found_to_differ_makes_every_token_again() {
        let signer = signer();
        let none = Rights::default();
        let first = signer.bearer(&none).await.unwrap();
        signer.shift(Skew(300));
        let second = signer.bearer(&none).await.unwrap();
        assert_ne!(first, second);
        assert_eq!(signer.bearer(&none).await.unwrap(), second, "it is made once");
        assert!(signer.now() > clock::wall() + Duration::from_secs(299));
    }

    #[tokio::test]
    async fn a_token_close_to_its_end_is_used_while_the_next_one_is_made() {
        let signer = signer();
        let old = HeaderValue::from_static("Bearer old");
        let now = clock::wall();
        let (issued, expires) = (now - Duration::from_mins(12), now + Duration::from_mins(3));
        let minted = Minted { header: old.clone(), issued, expires, skew: Skew::default() };
        signer.tokens.plain.current.store(Some(Arc::new(minted)));
        assert_eq!(signer.bearer(&Rights::default()).await.unwrap(), old);
        let renewed = async {
            while signer.bearer(&Rights::default()).await.unwrap() == old {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), renewed).await.expect("it was never renewed");
    }

    #[tokio::test]
    async fn rights_have_tokens_of_their_own_and_only_so_many_are_kept() {
        let signer = signer();
        let of = |name: usize| Placeholder::read(&format!("e30.{}.x", base64_of(&format!("{{\"sub\":\"{name}\"}}")))).unwrap().rights;
        let (plain, alice) = (signer.bearer(&Rights::default()).await.unwrap(), signer.bearer(&of(0)).await.unwrap());
        assert_ne!(plain, alice);
        assert_eq!(signer.bearer(&of(0)).await.unwrap(), alice);
        for name in 1..=MOST_KEPT {
            let _place = signer.place(&of(name));
        }
        assert!(signer.tokens.limited.lock().unwrap().len() <= MOST_KEPT);
    }

    fn base64_of(text: &str) -> String {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    }
}
