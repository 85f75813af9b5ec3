//! 403 of Video: it answers so to a token that it does not take. Facts: the API description of Video 0.3.2.

use super::decode::Members;
use super::same;

/// Whether a 403 is about the token. Other 403s are about the application or a feature that is off.
pub(super) fn refuses_token(members: &Members<'_>) -> bool {
    let message = members.message.text();
    let by_code = ["403", "10001"].contains(&members.code.text())
        && (same(message, "You passed in an invalid Vonage JWT token") || same(message, "Authentication error"));
    let by_detail = same(members.title.text(), "Forbidden") && same(members.detail.text(), "Invalid token format or signature");
    by_code || by_detail
}
