//! The documents that steer an emulator over HTTP, and what they mean.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer};

use crate::clock;
use crate::emulator::checks::lag::Lag;
use crate::emulator::setup::dialect::{Dialect, LegacyBasic, NumbersRefusal, SlotsRefusal};
use crate::emulator::setup::faults::{self, Rule};
use crate::emulator::setup::options::AccountSpec;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountBody {
    pub(super) secrets: Vec<SecretForm>,
    pub(super) primary: Option<String>,
    pub(super) balance: Option<f64>,
    #[serde(default)]
    pub(super) without: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretBody {
    pub(super) secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplicationBody {
    pub(super) account: String,
    pub(super) public_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LagBody {
    pub(super) host: Option<String>,
    #[serde(default)]
    pub(super) new_ms: u64,
    #[serde(default)]
    pub(super) revoked_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DialectBody {
    #[serde(default)]
    basic: BasicBody,
    #[serde(default)]
    numbers: NumbersBody,
    #[serde(default)]
    slots: SlotsBody,
}

#[derive(Deserialize, Default)]
enum BasicBody {
    #[default]
    #[serde(rename = "status-4")]
    Status4,
    #[serde(rename = "problem-401")]
    Problem401,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum NumbersBody {
    #[default]
    ErrorCode,
    Problem,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClockBody {
    pub(super) ahead_seconds: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdleBody {
    pub(super) ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleBody {
    pub(super) faults: String,
    pub(super) path: Option<String>,
    pub(super) host: Option<String>,
    pub(super) method: Option<String>,
    #[serde(default)]
    pub(super) skip: u64,
    pub(super) times: Option<u64>,
    pub(super) share: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum SlotsBody {
    #[default]
    AddExcess,
    Maximum,
}

/// A secret of a new account.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum SecretForm {
    Value(String),
    Dated { value: String, created_at: Date },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SigningBody {
    pub(super) method: String,
    pub(super) secrets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AllowanceBody {
    pub(super) calls: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DateBody {
    pub(super) created_at: Date,
}

/// RFC 3339 in UTC.
#[derive(Clone, Copy)]
pub(super) struct Date(pub(super) SystemTime);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl AccountBody {
    pub(super) fn spec(&self, key: &str) -> AccountSpec {
        let (mut values, mut dates) = (Vec::new(), Vec::new());
        for secret in &self.secrets {
            let (value, date) = match secret {
                SecretForm::Value(value) => (value, clock::wall()),
                SecretForm::Dated { value, created_at } => (value, created_at.0),
            };
            values.push(value.as_str());
            dates.push(date);
        }
        let spec = AccountSpec::new(key, &values).created_at(&dates);
        match &self.primary {
            Some(primary) => spec.under(primary),
            None => spec,
        }
    }
}

impl LagBody {
    pub(super) fn lag(&self) -> Lag {
        Lag { new: Duration::from_millis(self.new_ms), revoked: Duration::from_millis(self.revoked_ms) }
    }
}

impl DialectBody {
    pub(super) fn dialect(&self) -> Dialect {
        let basic = match self.basic {
            BasicBody::Status4 => LegacyBasic::Status4,
            BasicBody::Problem401 => LegacyBasic::Problem401,
        };
        let numbers = match self.numbers {
            NumbersBody::ErrorCode => NumbersRefusal::ErrorCode,
            NumbersBody::Problem => NumbersRefusal::Problem,
        };
        let slots = match self.slots {
            SlotsBody::AddExcess => SlotsRefusal::AddExcess,
            SlotsBody::Maximum => SlotsRefusal::Maximum,
        };
        Dialect { basic, numbers, slots }
    }
}

impl RuleBody {
    /// The rule, or what is wrong with it.
    pub(super) fn rule(self) -> Result<Rule, String> {
        let mut rule = Rule::new(faults::list(&self.faults).map_err(|error| error.to_string())?).after(self.skip);
        if let Some(path) = self.path {
            rule = rule.on_path(&path);
        }
        if let Some(host) = self.host {
            rule = rule.on_host(&host);
        }
        if let Some(method) = self.method {
            rule = rule.on_method(method.parse().map_err(|_| "no such method".to_owned())?);
        }
        if let Some(times) = self.times {
            rule = rule.times(times);
        }
        if let Some(share) = self.share {
            rule = rule.share(share);
        }
        Ok(rule)
    }
}
