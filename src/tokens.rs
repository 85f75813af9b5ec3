//! Tokens of the sidecar itself, which callers or observers present: read, and read again while the process runs.
//!
//! Invariants: what cannot be read changes nothing and is told once; a value is never shown.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::config::Token;
use crate::files;
use crate::secret::AccessToken;

/// A token file is one line.
const LONGEST: usize = 4096;

/// Why a token is not there.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct TokenError {
    what: String,
}

/// The tokens of one listener.
#[derive(Debug, Default)]
pub struct Tokens {
    given: Vec<Token>,
    current: ArcSwap<Vec<AccessToken>>,
    /// What was told last about files that cannot be used.
    trouble: Mutex<String>,
}

impl Tokens {
    /// Reads them for the first time.
    pub fn read(given: &[Token]) -> Result<Arc<Self>, TokenError> {
        Ok(Arc::new(Self { given: given.to_vec(), current: ArcSwap::from_pointee(all(given)?), trouble: Mutex::default() }))
    }

    /// Reads them again. What cannot be read changes nothing.
    pub fn reread(&self) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match all(&self.given) {
            Ok(tokens) => {
                trouble.clear();
                self.current.store(Arc::new(tokens));
            }
            Err(error) if *trouble == error.what => {}
            Err(error) => {
                tracing::warn!(cause = %error, "the tokens of a listener stay as they were");
                *trouble = error.what;
            }
        }
    }

    /// Whether any of them is in a file, which may change.
    pub fn are_in_files(&self) -> bool {
        self.given.iter().any(|token| matches!(token, Token::File(_)))
    }

    /// Those that are good now.
    pub fn current(&self) -> Arc<Vec<AccessToken>> {
        self.current.load_full()
    }
}

fn all(given: &[Token]) -> Result<Vec<AccessToken>, TokenError> {
    given.iter().map(one).collect()
}

/// A file's one line break at the end is not part of the token.
fn one(token: &Token) -> Result<AccessToken, TokenError> {
    let path = match token {
        Token::Value(value) => return Ok(value.clone()),
        Token::File(path) => path,
    };
    let wrong = |what: &dyn std::fmt::Display| TokenError { what: format!("{} {what}", path.display()) };
    let contents = files::read(path, LONGEST).map_err(|error| TokenError { what: error.to_string() })?;
    let text = std::str::from_utf8(&contents.bytes).map_err(|_| wrong(&"is not text"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let token = AccessToken::parse(text).map_err(|error| wrong(&error))?;
    if text.len() < AccessToken::SHORTEST { Err(wrong(&"is short enough to be guessed")) } else { Ok(token) }
}
