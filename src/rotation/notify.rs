//! Tells somebody of an event: a program on its standard input, an address by POST.
//!
//! Invariants: each has its own limit of time; nothing that goes wrong here changes what is told of; no value goes out.
//!
//! Not here: what an event says (`event`).

use std::sync::Arc;

use http::StatusCode;

use super::event::Event;
use super::sinks::{self, NotDelivered};
use crate::config::Settings;
use crate::config::rotation::Notify;
use crate::upstream::hook::{Hook, HookError};
use crate::upstream::{ProxyEnvironment, SetupError};

/// Who is told.
#[derive(Debug, Clone)]
pub struct Notifier {
    settings: Notify,
    hook: Option<Arc<Hook>>,
}

/// Why somebody was not told.
#[derive(Debug, thiserror::Error)]
pub enum NotTold {
    /// The program.
    #[error(transparent)]
    Command(#[from] NotDelivered),
    /// The address cannot be reached, or nobody knows.
    #[error("the webhook was not told: {0}")]
    Hook(#[from] HookError),
    /// It did not answer.
    #[error("the webhook did not answer within {} seconds", .0.as_secs_f32())]
    Late(std::time::Duration),
    /// It does not want it.
    #[error("the webhook answered {0}")]
    Answered(StatusCode),
}

impl Notifier {
    /// As the settings say.
    pub fn new(settings: &Settings, environment: &ProxyEnvironment) -> Result<Self, SetupError> {
        let notify = settings.rotation.notify.clone();
        let hook = match &notify.webhook {
            Some(address) => Hook::new(address, &settings.upstream, &settings.timeouts, environment)?,
            None => None,
        };
        Ok(Self { settings: notify, hook: hook.map(Arc::new) })
    }

    /// Whether anybody is told.
    pub fn is_set(&self) -> bool {
        self.settings.is_set()
    }

    /// Tells both, side by side: what went wrong, for a log.
    pub async fn tell(&self, event: &Event) -> Vec<NotTold> {
        let json = event.json();
        let (command, hook) = tokio::join!(self.run(&json), self.post(&json));
        command.err().into_iter().chain(hook.err()).collect()
    }

    /// The same, when there is something to tell.
    pub async fn tell_if(&self, event: Option<&Event>) -> Vec<NotTold> {
        match event {
            Some(event) => self.tell(event).await,
            None => Vec::new(),
        }
    }

    /// The same, with what went wrong in the log.
    pub async fn tell_and_log(&self, event: &Event) {
        for error in self.tell(event).await {
            tracing::warn!(account = %event.account, event = ?event.event, %error, "somebody was not told of an event");
        }
    }

    async fn run(&self, json: &str) -> Result<(), NotTold> {
        if self.settings.command.is_empty() {
            return Ok(());
        }
        Ok(sinks::hand_over(&self.settings.command, self.settings.timeout, json).await?)
    }

    async fn post(&self, json: &str) -> Result<(), NotTold> {
        let Some(hook) = &self.hook else { return Ok(()) };
        let posting = hook.post(bytes::Bytes::copy_from_slice(json.as_bytes()));
        let Ok(posted) = tokio::time::timeout(self.settings.timeout, posting).await else {
            return Err(NotTold::Late(self.settings.timeout));
        };
        let status = posted?;
        if status.is_success() { Ok(()) } else { Err(NotTold::Answered(status)) }
    }
}
