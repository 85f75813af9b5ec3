//! Endpoints that are emulated in outline only: after the check of credentials they answer something plausible.
//!
//! What would be sent, charged or changed for is counted as executed all the same. The bodies follow the specifications
//! of voice 1.3.7, conversion 1.0.1, redact 1.1.0, reports 3.1.4, media 1.0.2, audit 1.0.6, conversation 5.5.1 and
//! video 0.3.2, as far as a caller needs them.

use http::{Method, StatusCode};
use serde_json::json;

use super::turn::{Done, Turn};
use crate::emulator::exchange::notation::uuid;
use crate::emulator::exchange::reply::Reply;

fn fine() -> Reply {
    Reply::ok(&json!({ "ok": true }))
}

/// Anything unknown: reading executes nothing, all else does.
pub(in crate::emulator) fn answer(turn: &mut Turn<'_>) -> Done {
    charged_unless_get(turn)
}

/// Charged or sent, whatever the method.
pub(in crate::emulator) fn charged(turn: &mut Turn<'_>) -> Done {
    if turn.charge(0.01) { Done::executed(fine()) } else { Done::only(Reply::empty(StatusCode::PAYMENT_REQUIRED)) }
}

/// Executed unless it only reads.
pub(in crate::emulator) fn charged_unless_get(turn: &mut Turn<'_>) -> Done {
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&turn.call.method);
    if reads { Done::only(fine()) } else { Done::executed(fine()) }
}

/// `/v1/calls`: list or call.
pub(in crate::emulator) fn calls(turn: &mut Turn<'_>) -> Done {
    if turn.is(&Method::POST) {
        let body = json!({ "uuid": uuid(), "status": "started", "direction": "outbound", "conversation_uuid": format!("CON-{}", uuid()) });
        return Done::executed(Reply::json(StatusCode::CREATED, &body));
    }
    let links = json!({ "self": { "href": turn.call.path } });
    Done::only(Reply::ok(&json!({ "count": 0, "page_size": 10, "record_index": 0, "_embedded": { "calls": [] }, "_links": links })))
}

/// A recording or a media file.
pub(in crate::emulator) fn file(turn: &mut Turn<'_>) -> Done {
    if turn.is(&Method::DELETE) {
        return Done::executed(Reply::empty(StatusCode::NO_CONTENT));
    }
    Done::only(Reply::new(StatusCode::OK, "application/octet-stream", vec![0x5a; 4096]))
}

/// `/conversions/*`: an empty 200.
pub(in crate::emulator) fn conversion(_: &mut Turn<'_>) -> Done {
    Done::executed(Reply::empty(StatusCode::OK))
}

/// `/v1/redact/transaction`: 204.
pub(in crate::emulator) fn redact(_: &mut Turn<'_>) -> Done {
    Done::executed(Reply::empty(StatusCode::NO_CONTENT))
}

/// `/v2/reports/records`.
pub(in crate::emulator) fn records(turn: &mut Turn<'_>) -> Done {
    let body = json!({
        "request_id": uuid(),
        "request_status": "SUCCESS",
        "account_id": turn.who.account,
        "items_count": 0,
        "records": [],
    });
    Done::only(Reply::ok(&body))
}

/// `/v2/reports` and `/v2/reports/{id}`.
pub(in crate::emulator) fn reports(turn: &mut Turn<'_>) -> Done {
    if turn.is(&Method::GET) {
        return Done::only(Reply::ok(&json!({ "reports": [] })));
    }
    let body = json!({ "request_id": uuid(), "request_status": "PENDING", "account_id": turn.who.account });
    Done::executed(Reply::ok(&body))
}

/// `/v3/media`.
pub(in crate::emulator) fn media(_: &mut Turn<'_>) -> Done {
    Done::only(Reply::ok(&json!({ "page_size": 20, "page_index": 0, "count": 0, "_embedded": { "media": [] } })))
}

/// `/beta/audit/events`.
pub(in crate::emulator) fn events(turn: &mut Turn<'_>) -> Done {
    if turn.is(&Method::OPTIONS) {
        return Done::only(Reply::ok(&json!({ "eventTypes": [{ "type": "ACCOUNT_SECRET_CREATE" }, { "type": "ACCOUNT_SECRET_DELETE" }] })));
    }
    Done::only(Reply::ok(&json!({ "page": { "size": 30, "totalElements": 0 }, "_embedded": { "events": [] } })))
}

/// `/v1/users`: its links are absolute and point at a regional host, as the provider's do. No user is kept.
pub(in crate::emulator) fn users(turn: &mut Turn<'_>) -> Done {
    let link = json!({ "href": format!("https://api-us-3.vonage.com{}", turn.call.path) });
    if turn.is(&Method::POST) {
        let name = turn.call.in_body("name").unwrap_or_default();
        let user = json!({ "id": format!("USR-{}", uuid()), "name": name, "_links": { "self": link } });
        return Done::executed(Reply::json(StatusCode::CREATED, &user));
    }
    if !turn.is(&Method::GET) {
        return charged_unless_get(turn);
    }
    Done::only(Reply::ok(&json!({ "page_size": 10, "_embedded": { "users": [] }, "_links": { "first": link, "self": link } })))
}

/// `/v2/project/{application}/…`: a token of another application is refused (the words are not verified).
pub(in crate::emulator) fn project(turn: &mut Turn<'_>) -> Done {
    if turn.who.application.as_deref() != Some(turn.call.segment(2)) {
        return Done::only(Reply::json(StatusCode::FORBIDDEN, &json!({ "code": 403, "message": "Invalid application ID" })));
    }
    charged_unless_get(turn)
}

/// `/session/create`.
pub(in crate::emulator) fn session(_: &mut Turn<'_>) -> Done {
    Done::executed(Reply::ok(&json!([{ "session_id": format!("1_{}", uuid().replace('-', "")) }])))
}

/// `/oauth2/token`.
pub(in crate::emulator) fn access_token(_: &mut Turn<'_>) -> Done {
    Done::only(Reply::ok(&json!({ "access_token": uuid(), "token_type": "Bearer", "expires_in": 29 })))
}

/// `/oauth2/bc-authorize`.
pub(in crate::emulator) fn authorize(_: &mut Turn<'_>) -> Done {
    Done::only(Reply::ok(&json!({ "auth_req_id": uuid(), "expires_in": 120, "interval": 2 })))
}
