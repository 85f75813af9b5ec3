//! Guarantees of the whole, each module one part of the promise.

mod reload; // a new credentials file is used, whatever way it came; a bad one changes nothing
