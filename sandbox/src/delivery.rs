//! Delivering events, one at a time and in order. A receiver that does not answer with 2xx within ten seconds gets the event again,
//! for a week of the sandbox's clock.

use std::cell::Cell;

use omise_linked_accounts::{
    Timestamp,
    webhook::{SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookSecret, sign},
};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use worker::{
    AbortSignal, D1Database, D1Result, Date, Env, Fetch, Headers, Method, Request, RequestInit, RequestRedirect,
    Result, console_error, console_log, web_sys,
};

use crate::{
    chance::{self, Thing},
    clock::Now,
    event::Event,
    fault::{self, KindName, Target},
    id, open_store,
    settings::Settings,
    webhook::{Webhook, WebhookUrl},
};

/// What tells a receiver that Omise would not send this.
const EXTENSION: (&str, &str) = ("Sandbox-Extension", "linked-account events are not documented by Omise");
/// How long a receiver may take to answer, in milliseconds.
const TIMEOUT_MILLIS: u32 = 10_000;
/// The most events that one call of [`work`] sends.
const MOST: usize = 20;
/// How long a call of [`work`] has its turn without a sign of life, in milliseconds of the machine's clock: more than an attempt
/// takes. The runtime may drop a call midway, and nobody is told.
const TURN_MILLIS: u64 = 15_000;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// When an event is sent again, in seconds after it happened; after these, every two days until it is a week old.
///
/// Omise documents no schedule. This is the one of the unofficial documents.
const RETRIES: [i64; 8] = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY];
const LATER_RETRIES: i64 = 2 * DAY;
const LAST_RETRY: i64 = 7 * DAY;

/// When an event is sent again that is sent at `now` in vain; `None` where it is given up. Times that the clock leapt over are
/// made up for by one attempt.
fn retry_at(created_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let age = now.as_unix().saturating_sub(created_at.as_unix());
    let later = (1..=LAST_RETRY / LATER_RETRIES).map(|n| n * LATER_RETRIES);
    let next = RETRIES.into_iter().chain(later).find(|at| *at > age)?;
    Some(created_at.plus_seconds(next))
}

/// What is done with an event that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Hold,
    Send { times: usize },
}

impl Step {
    const fn choose(fault: Option<KindName>, was_held: bool) -> Self {
        match fault {
            Some(KindName::Reorder) if !was_held => Self::Hold,
            Some(KindName::Duplicate) => Self::Send { times: 2 },
            _ => Self::Send { times: 1 },
        }
    }
}

thread_local! {
    /// Until when somebody is at work, in milliseconds of the machine's clock. There is one instance: nobody else is.
    static BUSY_UNTIL: Cell<u64> = const { Cell::new(0) };
    /// Whether somebody else came meanwhile: there may be more to do than was there when it was last looked.
    static CAME_MEANWHILE: Cell<bool> = const { Cell::new(false) };
}

/// Lets accounts expire whose time is over, and sends what is due. To be called whenever there may be something: after an account
/// was settled, after the clock was moved, and every second.
pub(crate) async fn work(env: &Env) {
    let now = Date::now().as_millis();
    if now < BUSY_UNTIL.get() {
        CAME_MEANWHILE.set(true);
        return;
    }
    if let Err(error) = deliver_due(env).await {
        console_error!("{error}");
    }
    BUSY_UNTIL.set(0);
}

fn stay_busy() {
    BUSY_UNTIL.set(Date::now().as_millis() + TURN_MILLIS);
}

async fn deliver_due(env: &Env) -> Result<()> {
    // who asks for something is told of a fault
    let Ok(settings) = Settings::of(env) else { return Ok(()) };
    let db = env.d1("DB")?;
    for _ in 0..MOST {
        stay_busy();
        CAME_MEANWHILE.set(false);
        let now = Now::read(env).await?;
        let webhook = Webhook::load(env, &settings, now.timestamp).await?;
        open_store(env).await?.lapse().await?;
        take_up(env, &settings, &webhook, now).await?;
        let now = now.timestamp;
        let due = format!(
            "SELECT {} FROM events WHERE due_at <= ? AND held IS NOT 'yes' ORDER BY due_at, seq LIMIT 1",
            Event::COLUMNS
        );
        let event: Option<Event> = db.prepare(due).bind(&[now.to_string().into()])?.first(None).await?;

        let (Some(event), Some(url)) = (event, webhook.target()) else {
            if CAME_MEANWHILE.get() {
                continue;
            }
            break;
        };
        match Step::choose(fault::strike(Target::Webhook).map(|fault| fault.kind), event.was_held) {
            Step::Hold => {
                let hold = db.prepare("UPDATE events SET held = 'yes' WHERE seq = ?").bind(&[event.seq.into()])?;
                hold.run().await?;
            }
            Step::Send { times } => {
                let Some(mut delivery) = claim(&db, &event, url, now).await? else { continue };
                for n in 1..=times {
                    stay_busy();
                    if n > 1 {
                        delivery = begin(&db, &event, url, now).await?;
                    }
                    attempt(&db, &webhook.secrets, &event, url, delivery).await?;
                }
            }
        }
    }
    Ok(())
}

/// Takes up what has happened: it gets an id, and its time. Where events go nowhere it is forgotten, and what waits to be sent again
/// is given up.
pub(crate) async fn take_up(env: &Env, settings: &Settings, webhook: &Webhook, now: Now) -> Result<()> {
    let db = env.d1("DB")?;
    if webhook.target().is_none() {
        let forget = db.prepare("DELETE FROM events WHERE due_at = ''");
        let give_up = db.prepare("UPDATE events SET due_at = NULL WHERE due_at IS NOT NULL");
        return db.batch(vec![forget, give_up]).await.map(drop);
    }
    let new: Vec<Number> =
        db.prepare("SELECT seq FROM events WHERE due_at = '' ORDER BY seq").all().await?.results()?;
    let mut statements = Vec::new();
    for Number { seq } in new {
        let id = id::mint("evnt_test_", now.millis, chance::rising(env, settings.seed, Thing::Event).await?);
        let sql = "UPDATE events SET id = ?2, created_at = ?3, due_at = ?3 WHERE seq = ?1 AND due_at = ''";
        statements.push(db.prepare(sql).bind(&[seq.into(), id.into(), now.timestamp.to_string().into()])?);
    }
    if !statements.is_empty() {
        db.batch(statements).await?;
    }
    Ok(())
}

/// Begins an attempt at an event that is due, unless somebody else has; gives its number. When the event is due next is written in
/// the same transaction: should the sandbox be stopped now, this was an attempt that failed.
async fn claim(db: &D1Database, event: &Event, url: &WebhookUrl, now: Timestamp) -> Result<Option<u32>> {
    let text = |time: Option<Timestamp>| time.map_or(JsValue::NULL, |time| time.to_string().into());
    let insert = "INSERT INTO deliveries (event, uri, created_at)
                  SELECT seq, ?3, ?4 FROM events WHERE seq = ?1 AND due_at = ?2 RETURNING seq";
    let values = [event.seq.into(), text(event.due_at), url.as_str().into(), text(Some(now))];
    let insert = db.prepare(insert).bind(&values)?;
    let postpone = db.prepare("UPDATE events SET due_at = ?3 WHERE seq = ?1 AND due_at = ?2");
    let values = [event.seq.into(), text(event.due_at), text(retry_at(event.created_at, now))];
    let results = db.batch(vec![insert, postpone.bind(&values)?]).await?;
    let rows: Vec<Number> = results.first().map(D1Result::results).transpose()?.unwrap_or_default();
    Ok(rows.first().map(|delivery| delivery.seq))
}

/// Begins an attempt that the event was not due for; gives its number.
async fn begin(db: &D1Database, event: &Event, url: &WebhookUrl, now: Timestamp) -> Result<u32> {
    let insert = db.prepare("INSERT INTO deliveries (event, uri, created_at) VALUES (?, ?, ?) RETURNING seq");
    let insert = insert.bind(&[event.seq.into(), url.as_str().into(), now.to_string().into()])?;
    let row: Option<Number> = insert.first(None).await?;
    row.map(|delivery| delivery.seq).ok_or_else(|| worker::Error::RustError("no delivery was begun".to_owned()))
}

/// The number of an event or a delivery.
#[derive(Deserialize)]
struct Number {
    seq: u32,
}

/// Sends an event and writes down what came of it.
async fn attempt(
    db: &D1Database,
    secrets: &[WebhookSecret],
    event: &Event,
    url: &WebhookUrl,
    delivery: u32,
) -> Result<()> {
    let answer = send(secrets, url, &event.body()?).await?;
    let (status, error) = match answer {
        Ok(status) => (status.into(), JsValue::NULL),
        Err(fault) => (JsValue::NULL, fault.into()),
    };
    // by the id too: the sandbox may have been reset meanwhile, and numbers come again
    let sql = "UPDATE deliveries SET status = ?1, error = ?2
               WHERE seq = ?3 AND event = (SELECT seq FROM events WHERE id = ?4)";
    let end = db.prepare(sql).bind(&[status, error, delivery.into(), event.id.as_str().into()])?;
    let mut statements = vec![
        end,
        // those that were held back until now
        db.prepare("UPDATE events SET held = 'was' WHERE held = 'yes' AND seq != ?").bind(&[event.seq.into()])?,
    ];
    if answer.is_ok_and(|status| (200..300).contains(&status)) {
        let done = db.prepare("UPDATE events SET due_at = NULL WHERE id = ?");
        statements.push(done.bind(&[event.id.as_str().into()])?);
    }
    db.batch(statements).await?;
    match answer {
        Ok(status) => console_log!("{} {} {status}", event.id, event.key),
        Err(fault) => console_log!("{} {} {fault}", event.id, event.key),
    }
    Ok(())
}

/// Posts a body; gives the answer's status, or why there is none.
async fn send(
    secrets: &[WebhookSecret],
    url: &WebhookUrl,
    body: &str,
) -> Result<std::result::Result<u16, &'static str>> {
    // The machine's clock, not the sandbox's: a receiver holds this time against its own clock, which does not move with the
    // sandbox's, and would take anything else for an old request that is sent once more.
    let signed_at = (Date::now().as_millis() / 1_000).to_string();
    let signatures: Vec<String> = secrets.iter().map(|secret| sign(secret, &signed_at, body.as_bytes())).collect();

    let headers = Headers::new();
    headers.set("Content-Type", "application/json; charset=utf-8")?;
    headers.set(EXTENSION.0, EXTENSION.1)?;
    headers.set(SIGNATURE_HEADER, &signatures.join(","))?;
    headers.set(TIMESTAMP_HEADER, &signed_at)?;
    headers.set("User-Agent", concat!("omise-linked-accounts-sandbox/", env!("CARGO_PKG_VERSION")))?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_body(Some(body.into()))
        .with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(url.as_str(), &init)?;

    let signal = AbortSignal::from(web_sys::AbortSignal::timeout_with_u32(TIMEOUT_MILLIS));
    Ok(match Fetch::Request(request).send_with_signal(&signal).await {
        Ok(response) => Ok(response.status_code()),
        Err(_) if signal.aborted() => Err("no answer within 10 seconds"),
        Err(_) => Err("no connection, or it broke"),
    })
}

/// An attempt to send an event, as the control API shows it: Omise's object, and which event it was.
///
/// Source: Omise "Events API", attribute `webhook_deliveries`.
#[derive(Deserialize, Serialize)]
pub(crate) struct Delivery {
    #[serde(skip_deserializing)]
    object: ObjectName,
    pub(crate) id: String,
    uri: String,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<String>,
    pub(crate) key: String,
    pub(crate) event: String,
    pub(crate) created_at: Timestamp,
}

#[derive(Default, Serialize)]
enum ObjectName {
    #[default]
    #[serde(rename = "webhook_delivery")]
    WebhookDelivery,
}

impl Delivery {
    /// How many are shown.
    const SHOWN: u32 = 100;
    const SELECT: &str = "SELECT deliveries.id, uri, status, error, key, events.id AS event, deliveries.created_at
                          FROM deliveries JOIN events ON events.seq = deliveries.event";

    /// The newest ones, newest first.
    pub(crate) async fn newest(env: &Env) -> Result<Vec<Self>> {
        let sql = format!("{} ORDER BY deliveries.seq DESC LIMIT ?", Self::SELECT);
        env.d1("DB")?.prepare(sql).bind(&[Self::SHOWN.into()])?.all().await?.results()
    }

    /// Sends the event of the delivery of this id once more, and gives the new delivery; `None` where there is no such delivery.
    /// When it is sent again of itself does not change, but that a success ends it.
    pub(crate) async fn repeat(env: &Env, webhook: &Webhook, url: &WebhookUrl, id: &str) -> Result<Option<Self>> {
        let db = env.d1("DB")?;
        let sql =
            format!("SELECT {} FROM events WHERE seq = (SELECT event FROM deliveries WHERE id = ?)", Event::COLUMNS);
        let event: Option<Event> = db.prepare(sql).bind(&[id.into()])?.first(None).await?;
        let Some(event) = event else { return Ok(None) };
        let delivery = begin(&db, &event, url, Now::read(env).await?.timestamp).await?;
        attempt(&db, &webhook.secrets, &event, url, delivery).await?;
        let sql = format!("{} WHERE deliveries.seq = ?", Self::SELECT);
        db.prepare(sql).bind(&[delivery.into()])?.first(None).await
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds).unwrap()
    }

    #[test]
    fn the_schedule() {
        let mut found = Vec::new();
        let mut now = at(1_000);
        while let Some(next) = retry_at(at(1_000), now) {
            found.push(next.as_unix() - 1_000);
            now = next;
        }
        let (minute, hour) = (60, 3_600);
        let expected = [
            minute,
            5 * minute,
            15 * minute,
            hour,
            3 * hour,
            6 * hour,
            12 * hour,
            24 * hour,
            48 * hour,
            96 * hour,
            144 * hour,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn after_a_leap_of_the_clock() {
        for (age, expected) in [
            (0, Some(60)),
            (59, Some(60)),
            (60, Some(300)),
            (3_599, Some(3_600)),
            (3_600, Some(10_800)),
            (6 * 86_400 - 1, Some(6 * 86_400)),
            (6 * 86_400, None),
            (100 * 86_400, None),
            // back
            (-5_000, Some(60)),
        ] {
            let next = retry_at(at(1_000_000), at(1_000_000 + age));
            assert_eq!(next, expected.map(|seconds| at(1_000_000 + seconds)), "{age}");
        }
    }

    #[test]
    fn steps() {
        for (fault, was_held, expected) in [
            (None, false, Step::Send { times: 1 }),
            (None, true, Step::Send { times: 1 }),
            (Some(KindName::Duplicate), false, Step::Send { times: 2 }),
            (Some(KindName::Duplicate), true, Step::Send { times: 2 }),
            (Some(KindName::Reorder), false, Step::Hold),
            // once is enough
            (Some(KindName::Reorder), true, Step::Send { times: 1 }),
        ] {
            assert_eq!(Step::choose(fault, was_held), expected, "{fault:?} {was_held}");
        }
    }

    proptest! {
        /// No two attempts are due at the same time, by which they are told apart.
        #[test]
        fn later_and_within_a_week(created in 0..4_000_000_000_i64, age in 0..1_000_000_i64) {
            if let Some(next) = retry_at(at(created), at(created + age)) {
                prop_assert!(next > at(created + age));
                prop_assert!(next <= at(created + LAST_RETRY));
            } else {
                prop_assert!(age > LAST_RETRY - LATER_RETRIES);
            }
        }
    }
}
