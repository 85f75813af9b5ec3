//! How the provider wants requests signed.
//!
//! Facts: Vonage, guide "Signing messages": parameters sorted by name, `&` and `=` in a value replaced by `_`, joined as
//! `&name=value`; MD5 over that and the secret, or an HMAC with the secret as its key.

use super::parameters;

/// The method that an account's settings at the provider name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignatureMethod {
    /// MD5 over text and secret: the provider's default.
    #[default]
    Md5Hash,
    /// HMAC-MD5.
    Md5,
    /// HMAC-SHA-1.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

/// The parameters that we set on a signed request, and that are not signed as the caller sent them.
pub const OURS: &[&str] = &[parameters::KEY, TIMESTAMP, parameters::SIGNATURE];
/// Seconds since 1970, fresh on every attempt.
pub const TIMESTAMP: &str = "timestamp";

/// The text that is signed. All parameters are given, in any order; no name occurs twice.
pub fn text(parameters: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = parameters.iter().collect();
    sorted.sort();
    let mut text = String::new();
    for (name, value) in sorted {
        text.push('&');
        text.push_str(name);
        text.push('=');
        text.extend(value.chars().map(|letter| if matches!(letter, '&' | '=') { '_' } else { letter }));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_sorted_and_what_separates_them_is_replaced() {
        let pairs = [("to", "447700900000"), ("text", "Hello & a=b"), ("api_key", "abcd1234")];
        let pairs: Vec<(String, String)> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(text(&pairs), "&api_key=abcd1234&text=Hello _ a_b&to=447700900000");
    }
}
