//! How long a certificate is valid, read from its DER. Pure.
//!
//! Only this is read of it: whether a certificate is good is for those to say who verify it.
//! Facts: X.690 §8.1 (length), RFC 5280 §4.1 (the fields before the validity) and §4.1.2.5 (its two forms of time).

use std::time::{Duration, SystemTime};

/// An end that is nearer than this is told.
pub const WARN_BEFORE: Duration = Duration::from_hours(24 * 30);

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not before.
    pub from: SystemTime,
    /// Not after.
    pub until: SystemTime,
}

impl Validity {
    /// That of a certificate in DER; none if it is no certificate.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (whole, _) = element(certificate, SEQUENCE)?;
        let (fields, _) = element(whole, SEQUENCE)?;
        // The version may be left out; then come the serial number, the algorithm and the issuer.
        let fields = element(fields, VERSION).map_or(fields, |(_, rest)| rest);
        let (_, fields) = element(fields, INTEGER)?;
        let (_, fields) = element(fields, SEQUENCE)?;
        let (_, fields) = element(fields, SEQUENCE)?;
        let (times, _) = element(fields, SEQUENCE)?;
        let (from, times) = time(times)?;
        let (until, _) = time(times)?;
        Some(Self { from, until })
    }

    /// How long it is still valid; zero when it is over.
    pub fn left(&self, now: SystemTime) -> Duration {
        self.until.duration_since(now).unwrap_or_default()
    }
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The content of the first element, which must have this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, first, rest @ ..] = der else { return None };
    if *found != tag {
        return None;
    }
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _longer_or_open => return None,
    };
    rest.split_at_checked(length)
}

fn time(der: &[u8]) -> Option<(SystemTime, &[u8])> {
    let (text, rest, century) = if let Some((text, rest)) = element(der, UTC_TIME) {
        (text, rest, None)
    } else {
        let (text, rest) = element(der, GENERALIZED_TIME)?;
        let (century, text) = text.split_at_checked(2)?;
        (text, rest, Some(two_digits(century)?))
    };
    let (digits, b"Z") = text.split_at_checked(12)? else { return None };
    let mut pairs = digits.chunks(2).map(two_digits);
    let mut next = || pairs.next().flatten();
    let (year, month, day, hour, minute, second) = (next()?, next()?, next()?, next()?, next()?, next()?);
    // RFC 5280 §4.1.2.5.1: two digits from 50 on are of the last century.
    let century = century.unwrap_or(if year >= 50 { 19 } else { 20 });
    let days = days_since_epoch(century * 100 + year, month, day)?;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    Some((SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), rest))
}

fn two_digits(pair: &[u8]) -> Option<u64> {
    std::str::from_utf8(pair).ok()?.parse().ok()
}

/// Days from 1970 to a date of the Gregorian calendar; none before 1970. The year is counted from March, so that the
/// day that some years have comes last.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(time: SystemTime) -> u64 {
        time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.not_before = (SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_323_199)).into();
        params.not_after = (SystemTime::UNIX_EPOCH + Duration::from_secs(4_107_542_400)).into();
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let validity = Validity::of(certificate.der()).unwrap();
        assert_eq!((seconds(validity.from), seconds(validity.until)), (1_772_323_199, 4_107_542_400));
        assert_eq!(validity.left(validity.until + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!(validity.left(validity.until - WARN_BEFORE), WARN_BEFORE);
    }

    #[test]
    fn no_prefix_of_a_certificate_and_no_noise_is_one() {
        let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        for end in 0..certificate.der().len() {
            assert_eq!(Validity::of(&certificate.der()[..end]), None, "{end}");
        }
        for noise in [&[0x30, 0x80][..], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], b"hello"] {
            assert_eq!(Validity::of(noise), None);
        }
    }

    #[test]
    fn days_are_counted_through_leap_years() {
        for (date, days) in
            [((1970, 1, 1), 0), ((1972, 2, 29), 789), ((2000, 3, 1), 11_017), ((2026, 11, 28), 20_785), ((2100, 3, 1), 47_541)]
        {
            assert_eq!(days_since_epoch(date.0, date.1, date.2), Some(days), "{date:?}");
        }
        assert_eq!(days_since_epoch(1969, 12, 31), None);
    }
}
