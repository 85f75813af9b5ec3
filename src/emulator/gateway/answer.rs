//! The order in which a request is answered: gateway, credentials, product, handler, execution.
//!
//! Facts: the gateway refuses unknown paths (404) and methods (a plain 403) before it looks at credentials.

use super::auth;
use super::endpoints::{self, Found, Row, Set};
use super::refusals;
use super::standins;
use crate::emulator::apis::turn::Turn;
use crate::emulator::checks::admission::Admission;
use crate::emulator::exchange::call::Call;
use crate::emulator::exchange::reply::Reply;
use crate::emulator::setup::faults::StandIn;
use crate::emulator::world::state::World;

/// What came of a request.
pub(in crate::emulator) struct Outcome {
    pub(in crate::emulator) reply: Reply,
    /// The identity of the message that was executed.
    pub(in crate::emulator) executed: Option<String>,
    /// Who called, if let in.
    pub(in crate::emulator) admitted: Option<Admission>,
}

impl Outcome {
    fn refused(reply: Reply) -> Self {
        Self { reply, executed: None, admitted: None }
    }
}

/// Answers a request. A stand-in replaces what happens after the gateway has found the endpoint.
pub(in crate::emulator) fn answer(world: &mut World, call: &Call, stand_in: Option<StandIn>) -> Outcome {
    let sets = endpoints::sets_of(&call.host);
    let row = match endpoints::find(&call.segments, sets) {
        Found::Row(row) if row.allows(&call.method) => row,
        // PUT on SMS is known to be a 404, other methods elsewhere a 403 (gateway tests).
        Found::Row(row) if row.pattern.starts_with("/sms/") => return Outcome::refused(standins::not_found()),
        Found::Row(_) => return Outcome::refused(standins::forbidden()),
        Found::NoSuchPath => return Outcome::refused(standins::not_found()),
    };
    if let Some(stand_in) = stand_in {
        let done = standins::answer(world, call, row, stand_in);
        return Outcome { reply: done.reply, executed: done.executed.then(|| identity(call, row)), admitted: None };
    }
    let host = match sets {
        Some(_) => call.host.split(':').next().unwrap_or_default().to_ascii_lowercase(),
        None => row.on.first().map_or_else(String::new, |set: &Set| set.host().to_owned()),
    };
    match auth::judge(world, call, row, &host) {
        Err(refusal) => Outcome::refused(refusals::refuse(call, row, world.dialect, refusal)),
        Ok(who) => admitted(world, call, row, who),
    }
}

fn admitted(world: &mut World, call: &Call, row: &'static Row, who: Admission) -> Outcome {
    let lacks = world.accounts.get(&who.account).is_some_and(|account| account.without.contains(row.product));
    let done = if lacks {
        standins::answer(world, call, row, StandIn::Unprovisioned)
    } else {
        (row.handler)(&mut Turn { world, call, who: &who })
    };
    let executed = done.executed.then(|| identity(call, row));
    Outcome { reply: done.reply, executed, admitted: Some(who) }
}

/// The identity of a message; credentials in a path are not part of it.
fn identity(call: &Call, row: &Row) -> String {
    let Some(index) = row.key_segment() else { return call.message(&call.path) };
    let kept = call.segments.iter().enumerate().filter(|(at, _)| *at != index && *at != index + 1);
    call.message(&kept.map(|(_, segment)| segment.as_str()).collect::<Vec<_>>().join("/"))
}
