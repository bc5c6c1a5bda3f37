//! What happens in a project, as it happens: server-sent events (the HTML standard, "Server-sent events").
//!
//! Each event has its number as its id; a client that comes back says the last one that it saw in `Last-Event-ID`.

use std::{collections::BTreeSet, convert::Infallible, time::Duration};

use axum::{
    extract::Path,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::stream::{self, Stream};

use crate::{
    api::{
        caller::Caller,
        problem::{Kind, Problem},
        shape::time,
    },
    core::{Act, Place, ProjectId},
};

const LOOK_MS: u64 = 500;
const PAGE: u32 = 200;
/// Two events of the same moment may be committed in the other order: so many numbers before the last are looked at again.
const BEHIND: i64 = 100;
/// A stream ends by itself after so long; the client comes back with where it was, and with a token that is still good.
const LIFE_MS: i64 = 600_000;

struct Feed {
    caller: Caller,
    place: Place,
    project: ProjectId,
    last: i64,
    sent: BTreeSet<i64>,
    ready: Vec<crate::store::Event>,
    until_ms: i64,
}

/// Follow what happens in a project
///
/// An event's data is `{"job": N, "at": TIME, "what": WORDS}`; of the type `grant`, about debug access, it has `grant` for `job`. Without `Last-Event-ID` it begins with what happens from now on. The stream
/// ends after ten minutes; come back with the last id.
#[utoipa::path(get, path = "/v1/projects/{org}/{project}/events", tag = "events",
    params(("org" = String, Path), ("project" = String, Path),
        ("Last-Event-ID" = Option<String>, Header, description = "The number of the last event that was seen")),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub(crate) async fn follow(
    caller: Caller,
    Path((org, project)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let (owner, found) = caller.project(&org, &project, Act::FollowEvents).await?;
    let last = match headers.get("last-event-id") {
        Some(value) => number(value.to_str().unwrap_or_default())?,
        None => caller.seen().last_event().await?,
    };
    let until_ms = caller.now_ms() + LIFE_MS;
    // What was sent before this connection began is not known here: it counts as sent up to the last number.
    let sent = (last.saturating_sub(BEHIND)..=last).collect();
    let place = Place::Project { org: owner.id, project: found.id };
    let feed = Feed { caller, place, project: found.id, last, sent, ready: Vec::new(), until_ms };
    Ok(Sse::new(stream::unfold(feed, next)).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

fn number(text: &str) -> Result<i64, Problem> {
    let parsed = text.parse().ok().filter(|number| *number >= 0);
    parsed.ok_or_else(|| {
        Problem::new(Kind::Invalid, "that is no number of an event")
            .field("Last-Event-ID")
            .remedy("send the id of the last event that you saw, or leave it out")
    })
}

async fn next(mut feed: Feed) -> Option<(Result<Event, Infallible>, Feed)> {
    loop {
        if let Some(event) = feed.ready.pop() {
            let (kind, data) = match event.grant {
                Some(grant) => {
                    ("grant", serde_json::json!({ "grant": grant, "at": time(event.at_ms), "what": event.what }))
                }
                None => ("job", serde_json::json!({ "job": event.job, "at": time(event.at_ms), "what": event.what })),
            };
            let told = Event::default().id(event.id.to_string()).event(kind).data(data.to_string());
            return Some((Ok(told), feed));
        }
        if feed.caller.now_ms() >= feed.until_ms || feed.caller.app.is_leaving() {
            return None;
        }
        let from = feed.last.saturating_sub(BEHIND).max(0);
        // A database that does not answer ends the stream: the client comes back.
        let events = feed.caller.seen().events(feed.project, from, PAGE).await.ok()?;
        // Whoever is not let see them any more sees nothing more.
        feed.caller.still(Act::FollowEvents, feed.place).await.ok()?;
        let mut fresh: Vec<_> = events.into_iter().filter(|event| feed.sent.insert(event.id)).collect();
        if fresh.is_empty() {
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            continue;
        }
        feed.last = fresh.iter().map(|event| event.id).max().unwrap_or(feed.last).max(feed.last);
        let keep = feed.last.saturating_sub(2 * BEHIND);
        feed.sent = feed.sent.split_off(&keep);
        fresh.reverse();
        feed.ready = fresh;
    }
}
