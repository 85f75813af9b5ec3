//! What the rotation of a key pair is asked, beside what every rotation is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::secret::ApplicationId;

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The application.
    pub application: ApplicationId,
    /// When the public key may be replaced.
    pub window: Window,
}

/// When tokens that clients of apps have may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// At any time, on the word of the operator.
    Now,
    /// Every day between these minutes of the day in UTC. The end may be on the next day.
    Daily {
        /// From, included.
        from: u16,
        /// To, excluded.
        to: u16,
    },
}

/// A text that is no window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected HH:MM-HH:MM in UTC with two times that differ, such as 02:00-04:30")]
pub struct NoWindow;

impl std::str::FromStr for Window {
    type Err = NoWindow;

    fn from_str(text: &str) -> Result<Self, NoWindow> {
        let (from, to) = text.split_once('-').ok_or(NoWindow)?;
        let (from, to) = (minute(from.trim())?, minute(to.trim())?);
        if from == to { Err(NoWindow) } else { Ok(Self::Daily { from, to }) }
    }
}

fn minute(text: &str) -> Result<u16, NoWindow> {
    let (hour, minute) = text.split_once(':').ok_or(NoWindow)?;
    let digits = |text: &str, below: u16| match text.len() {
        2 => text.parse::<u16>().ok().filter(|number| *number < below && text.bytes().all(|byte| byte.is_ascii_digit())).ok_or(NoWindow),
        _ => Err(NoWindow),
    };
    Ok(digits(hour, 24)? * 60 + digits(minute, 60)?)
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::Daily { from, to } => {
                write!(f, "the window opens at {:02}:{:02} and closes at {:02}:{:02} UTC", from / 60, from % 60, to / 60, to % 60)
            }
        }
    }
}

impl Window {
    /// As it is given; none when it is always open.
    pub fn as_given(self) -> Option<String> {
        match self {
            Self::Now => None,
            Self::Daily { from, to } => Some(format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)),
        }
    }

    /// How long it stays closed: nothing while it is open.
    pub fn opens_in(self, date: SystemTime) -> Duration {
        let second = date.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % DAY;
        let Self::Daily { from, to } = self else { return Duration::ZERO };
        let (from, to) = (u64::from(from) * 60, u64::from(to) * 60);
        let is_open = if from < to { (from..to).contains(&second) } else { second >= from || second < to };
        if is_open { Duration::ZERO } else { Duration::from_secs((from + DAY - second) % DAY) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_open_every_day_between_its_times_also_over_midnight() {
        let at = |hour: u64, minute: u64| UNIX_EPOCH + Duration::from_secs(1_800_000_000 / 86400 * 86400 + hour * 3600 + minute * 60);
        let minutes = |window: Window, date| window.opens_in(date).as_secs() / 60;
        let night: Window = "02:00-04:30".parse().unwrap();
        assert_eq!([at(1, 59), at(2, 0), at(4, 29), at(4, 30)].map(|date| minutes(night, date)), [1, 0, 0, 21 * 60 + 30]);
        let over: Window = "23:00 - 01:00".parse().unwrap();
        assert_eq!([at(22, 59), at(23, 0), at(0, 59), at(1, 0)].map(|date| minutes(over, date)), [1, 0, 0, 22 * 60]);
        assert_eq!(minutes(Window::Now, at(12, 0)), 0);
        assert_eq!(
            [night, over, Window::Now].map(Window::as_given),
            [Some("02:00-04:30".to_owned()), Some("23:00-01:00".to_owned()), None]
        );
        for bad in ["", "02:00", "2:00-03:00", "02:00-24:00", "02:60-03:00", "02:00-02:00", "+2:00-03:00"] {
            assert_eq!(bad.parse::<Window>(), Err(NoWindow), "{bad}");
        }
    }
}
