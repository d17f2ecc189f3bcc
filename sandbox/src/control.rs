//! The control API: settle accounts, move the clock, set faults, and see what was asked, by whoever has the token.
//!
//! | request, under `/sandbox` | what it does |
//! |---|---|
//! | `GET`, `PUT`, `DELETE /state` | accounts and clock as one document (`dump`): shown, loaded, reset |
//! | `POST /accounts/:id/settle` | `{"outcome":"approve","account":"savings"}`, `{"outcome":"decline","failure_code":"…"}`, `{"outcome":"expire"}` |
//! | `GET`, `PUT /clock` | `{"now":"…Z","stand":true}`, or `advance` by seconds in place of `now` |
//! | `GET`, `PUT`, `DELETE /faults` | `{"faults":[{"route":"create","kind":"rails","count":1}]}` (`fault`) |
//! | `GET`, `DELETE /requests` | what was asked of API and bank (`journal`) |
//! | `GET /deliveries`, `POST /deliveries/:id/redeliver` | the attempts to send events; one more (`control_webhook`) |
//! | `GET`, `PUT /webhook` | `{"url":"http://…"}`: where events go; null: nowhere |
//! | `POST /webhook/secrets` | another secret takes over, and is shown this once |
//!
//! Its errors are Omise's shape without a `location`, for they are none of Omise's.

use omise_linked_accounts::{LinkedAccountId, Status, Timestamp, retrieve};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use worker::{Date, Env, Headers, Request, Response, ResponseBuilder, console_error};

use crate::{
    account::{Account, Decision},
    answer,
    bank_account::BankAccount,
    clock::{Clock, Now},
    control_form, control_webhook,
    dump::{self, Dump},
    failure,
    failure_code::FailureCode,
    fault, journal, open_store,
    route::ControlCall,
    settings::Settings,
    token::ControlToken,
};

/// Why a call is not done.
pub(crate) type Failure = failure::Failure<Refusal>;

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What is answered to a call that is not done.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    const fn new(status: u16, code: &'static str, message: String) -> Self {
        Self { status, code, message }
    }

    pub(crate) const fn bad_request(message: String) -> Self {
        Self::new(400, "bad_request", message)
    }

    pub(crate) const fn not_found(message: String) -> Self {
        Self::new(404, "not_found", message)
    }
}

/// Answers a call. Whatever is under `/sandbox` asks for the token, but for the page's form for it and its style sheet.
pub(crate) async fn handle(
    call: ControlCall<'_>,
    mut req: Request,
    env: &Env,
    settings: &Settings,
    token: ControlToken<'_>,
) -> worker::Result<Response> {
    let form = matches!(call, ControlCall::Page | ControlCall::Press | ControlCall::SignIn | ControlCall::Stylesheet);
    if form {
        return control_form::handle(call, req, env, settings, token).await;
    }
    let authorization = req.headers().get("Authorization")?.unwrap_or_default();
    let outcome = if token.accepts(&authorization) {
        act(call, &mut req, env, settings).await
    } else {
        Err(Refusal::new(401, "authentication_failure", "authentication failed".to_owned()).into())
    };
    match outcome {
        Ok(Done::Nothing) => respond(204, Vec::new()),
        Ok(Done::Json(body)) => respond(200, body),
        Err(Failure::Refused(refusal)) => error(&refusal),
        Err(Failure::Broken(broken)) => {
            console_error!("{broken}");
            error(&Refusal::new(500, "internal_error", "the sandbox failed; its log says why".to_owned()))
        }
    }
}

/// What a call brings.
enum Done {
    /// Nothing but that it is done.
    Nothing,
    Json(Vec<u8>),
}

impl Done {
    fn json(value: &impl Serialize) -> Result<Self, Failure> {
        Ok(Self::Json(answer::json(value)?))
    }
}

async fn act(call: ControlCall<'_>, req: &mut Request, env: &Env, settings: &Settings) -> Result<Done, Failure> {
    match call {
        ControlCall::Dump => Done::json(&Dump::take(env).await?),
        ControlCall::Load => {
            let dump: Dump = decode(&req.bytes().await?)?;
            dump.check().map_err(Refusal::bad_request)?;
            dump.load(&req.url()?.origin().ascii_serialization(), env).await?;
            Ok(Done::Nothing)
        }
        ControlCall::Reset => {
            dump::reset(env).await?;
            Ok(Done::Nothing)
        }
        ControlCall::Settle(id) => {
            let outcome = decode::<Settlement>(&req.bytes().await?)?.outcome().map_err(Refusal::bad_request)?;
            let account = settle(id, outcome, env).await?;
            let origin = req.url()?.origin().ascii_serialization();
            Ok(Done::Json(retrieve::encode_response(&account.into_linked_account(&origin))))
        }
        ControlCall::Clock => Done::json(&Shown::read(env).await?),
        ControlCall::SetClock => {
            set_clock(decode(&req.bytes().await?)?, env).await?;
            Done::json(&Shown::read(env).await?)
        }
        ControlCall::Faults => Done::json(&Faults { faults: fault::all() }),
        ControlCall::SetFaults => {
            let Faults { faults } = decode(&req.bytes().await?)?;
            fault::replace(faults).map_err(Refusal::bad_request)?;
            Done::json(&Faults { faults: fault::all() })
        }
        ControlCall::ClearFaults => {
            fault::clear();
            Ok(Done::Nothing)
        }
        ControlCall::Requests => Done::json(&Requests { requests: journal::all() }),
        ControlCall::ClearRequests => {
            journal::clear();
            Ok(Done::Nothing)
        }
        ControlCall::Deliveries => Done::json(&control_webhook::deliveries(env).await?),
        ControlCall::Redeliver(id) => {
            nothing(&req.bytes().await?)?;
            Done::json(&control_webhook::redeliver(id, env, settings).await?)
        }
        ControlCall::Webhook => Done::json(&control_webhook::webhook(env, settings).await?),
        ControlCall::SetWebhook => {
            let wanted = decode(&req.bytes().await?)?;
            Done::json(&control_webhook::set(wanted, env, settings).await?)
        }
        ControlCall::RotateSecret => {
            nothing(&req.bytes().await?)?;
            Done::json(&control_webhook::rotate(env, settings).await?)
        }
        ControlCall::Page
        | ControlCall::Press
        | ControlCall::SignIn
        | ControlCall::Stylesheet
        | ControlCall::Unknown => Err(Refusal::not_found("not found".to_owned()).into()),
    }
}

/// `/sandbox/faults`
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    faults: Vec<fault::Fields>,
}

/// `GET /sandbox/requests`
#[derive(Serialize)]
struct Requests {
    /// Oldest first.
    requests: Vec<journal::Entry>,
}

/// `GET /sandbox/clock`, in the form in which it can be put as well.
#[derive(Serialize)]
struct Shown {
    now: Timestamp,
    stand: bool,
}

impl Shown {
    async fn read(env: &Env) -> worker::Result<Self> {
        let stand = Clock::load(env).await?.stands_at.is_some();
        Ok(Self { now: Now::read(env).await?.timestamp, stand })
    }
}

/// `PUT /sandbox/clock`: what there is of it is done, as one.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockChange {
    /// The time that it is.
    pub(crate) now: Option<Timestamp>,
    /// How many seconds to go on, or back where negative.
    pub(crate) advance: Option<i64>,
    /// Whether it stands from now on.
    pub(crate) stand: Option<bool>,
}

impl ClockChange {
    /// The changed clock, at the machine's time; else which field is wrong, and what was expected.
    fn apply(&self, clock: Clock, machine: u64) -> Result<Clock, String> {
        let (field, millis) = match (self.now, self.advance) {
            (Some(_), Some(_)) => return Err("advance: expected none beside now".to_owned()),
            (None, None) if self.stand.is_none() => return Err("now: expected it, advance or stand".to_owned()),
            (Some(now), None) => {
                ("now", now.as_unix().checked_mul(1_000).and_then(|millis| u64::try_from(millis).ok()))
            }
            (None, advance) => {
                let change = advance.unwrap_or_default().checked_mul(1_000);
                ("advance", change.and_then(|change| clock.millis(machine).checked_add_signed(change)))
            }
        };
        let millis = millis.filter(|millis| *millis <= Clock::MAX_MILLIS);
        let millis = millis.ok_or_else(|| format!("{field}: expected a time from 1970 to 4999"))?;
        Ok(Clock::showing(millis, self.stand.unwrap_or(clock.stands_at.is_some()), machine))
    }
}

/// Changes the clock. Accounts whose time then is over expire.
pub(crate) async fn set_clock(change: ClockChange, env: &Env) -> Result<(), Failure> {
    let clock = Clock::load(env).await?;
    let clock = change.apply(clock, Date::now().as_millis()).map_err(Refusal::bad_request)?;
    clock.store(env).await?;
    Ok(open_store(env).await?.lapse().await?)
}

/// `POST /sandbox/accounts/:id/settle`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settlement {
    outcome: OutcomeName,
    /// Of `approve`.
    account: Option<String>,
    /// Of `decline`.
    failure_code: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeName {
    Approve,
    Decline,
    Expire,
}

/// How an account is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Approve(BankAccount),
    Decline(FailureCode),
    Expire,
}

impl Settlement {
    /// What is asked for; else which field is wrong, and what was expected.
    fn outcome(&self) -> Result<Outcome, String> {
        let Self { outcome, account, failure_code } = self;
        if account.is_some() && *outcome != OutcomeName::Approve {
            return Err("account: expected none but for outcome approve".to_owned());
        }
        if failure_code.is_some() && *outcome != OutcomeName::Decline {
            return Err("failure_code: expected none but for outcome decline".to_owned());
        }
        match outcome {
            OutcomeName::Approve => BankAccount::parse(account.as_deref().unwrap_or_default())
                .map(Outcome::Approve)
                .ok_or_else(|| "account: expected savings or current".to_owned()),
            OutcomeName::Decline => {
                FailureCode::parse(failure_code.as_deref().unwrap_or_default()).map(Outcome::Decline).ok_or_else(|| {
                    format!("failure_code: expected {}", FailureCode::ALL.map(FailureCode::as_str).join(", "))
                })
            }
            OutcomeName::Expire => Ok(Outcome::Expire),
        }
    }
}

/// Settles an account in its holder's place, if it is pending.
pub(crate) async fn settle(text: &str, outcome: Outcome, env: &Env) -> Result<Account, Failure> {
    let none = || Refusal::not_found(format!("linked account {text} was not found"));

    let id = LinkedAccountId::parse(text).map_err(|_| none())?;
    let store = open_store(env).await?;
    // so that it expires first, if its time is over
    store.find(&id).await?.ok_or_else(none)?;
    let settled = match outcome {
        Outcome::Approve(account) => {
            store.settle(&id, &Decision::Approve { last_digits: account.last_digits(&id) }).await?
        }
        Outcome::Decline(failure_code) => store.settle(&id, &Decision::Decline(failure_code)).await?,
        Outcome::Expire => store.expire(&id).await?,
    };
    let account = store.find(&id).await?.ok_or_else(none)?;
    if settled {
        return Ok(account);
    }
    let status: &Status = &account.status;
    Err(Refusal::new(409, "not_pending", format!("linked account {id} is not pending: it is {status}")).into())
}

/// Reads JSON.
///
/// # Errors
///
/// The field that is wrong, by its path, and what was expected.
fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { String::new() } else { format!("{path}: ") };
        Refusal::bad_request(format!("{field}{}", error.into_inner()))
    })?;
    deserializer.end().map_err(|error| Refusal::bad_request(error.to_string()))?;
    Ok(value)
}

/// No body, or an object of no fields.
fn nothing(body: &[u8]) -> Result<(), Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    if body.is_empty() { Ok(()) } else { decode(body).map(|Nothing {}| ()) }
}

fn error(refusal: &Refusal) -> worker::Result<Response> {
    #[derive(Serialize)]
    struct Wire<'a> {
        object: &'static str,
        code: &'static str,
        message: &'a str,
    }

    let wire = Wire { object: "error", code: refusal.code, message: &refusal.message };
    respond(refusal.status, answer::json(&wire)?)
}

fn respond(status: u16, body: Vec<u8>) -> worker::Result<Response> {
    let headers = Headers::new();
    headers.set("Cache-Control", "no-store")?;
    headers.set("X-Content-Type-Options", "nosniff")?;
    let builder = ResponseBuilder::new().with_status(status);
    if body.is_empty() {
        return Ok(builder.with_headers(headers).empty());
    }
    headers.set("Content-Type", "application/json; charset=utf-8")?;
    Ok(builder.with_headers(headers).fixed(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settlements() {
        const CODES: &str = "failure_code: expected registration_rejected, invalid_account, insufficient_fund, \
            failed_processing, rate_limit_exceeded, failed_fraud_check, invalid_security_code, timeout";

        for (json, outcome) in [
            (r#"{"outcome":"approve","account":"savings"}"#, Ok(Outcome::Approve(BankAccount::Savings))),
            (
                r#"{"outcome":"approve","account":"current","failure_code":null}"#,
                Ok(Outcome::Approve(BankAccount::Current)),
            ),
            (
                r#"{"outcome":"decline","failure_code":"registration_rejected"}"#,
                Ok(Outcome::Decline(FailureCode::RegistrationRejected)),
            ),
            (r#"{"outcome":"decline","failure_code":"timeout"}"#, Ok(Outcome::Decline(FailureCode::Timeout))),
            (r#"{"outcome":"expire"}"#, Ok(Outcome::Expire)),
            (r#"{"outcome":"approve"}"#, Err("account: expected savings or current")),
            (r#"{"outcome":"approve","account":"gold"}"#, Err("account: expected savings or current")),
            (r#"{"outcome":"decline"}"#, Err(CODES)),
            (r#"{"outcome":"decline","failure_code":"x"}"#, Err(CODES)),
            (
                r#"{"outcome":"approve","account":"savings","failure_code":"registration_rejected"}"#,
                Err("failure_code: expected none but for outcome decline"),
            ),
            (
                r#"{"outcome":"decline","account":"savings","failure_code":"registration_rejected"}"#,
                Err("account: expected none but for outcome approve"),
            ),
            (r#"{"outcome":"expire","account":"savings"}"#, Err("account: expected none but for outcome approve")),
            (r#"{"outcome":"expire","failure_code":"x"}"#, Err("failure_code: expected none but for outcome decline")),
        ] {
            let found = decode::<Settlement>(json.as_bytes()).unwrap().outcome();
            assert_eq!(found, outcome.map_err(str::to_owned), "{json}");
        }
    }

    #[test]
    fn clock_changes() {
        const MACHINE: u64 = 1_700_000_000_500;
        let goes = Clock { ahead: -500, stands_at: None };
        let stands = Clock { ahead: 0, stands_at: Some(1_000) };
        let standing = |at: u64| Ok(Clock { ahead: 0, stands_at: Some(at) });
        let going = |ahead: i64| Ok(Clock { ahead, stands_at: None });
        for (clock, json, changed) in [
            (goes, r#"{"now":"2023-11-14T22:13:20Z"}"#, going(-500)),
            (goes, r#"{"now":"2023-11-14T22:13:20+07:00"}"#, going(-7 * 3_600_000 - 500)),
            (stands, r#"{"now":"1970-01-01T00:00:09Z"}"#, standing(9_000)),
            (goes, r#"{"advance":3600}"#, going(3_599_500)),
            (goes, r#"{"advance":-1}"#, going(-1_500)),
            (stands, r#"{"advance":2}"#, standing(3_000)),
            (stands, r#"{"advance":0}"#, standing(1_000)),
            (goes, r#"{"stand":true}"#, standing(1_700_000_000_000)),
            (goes, r#"{"stand":false}"#, going(-500)),
            (stands, r#"{"stand":true}"#, standing(1_000)),
            (stands, r#"{"stand":false}"#, going(1_000 - 1_700_000_000_500)),
            (goes, r#"{"stand":true,"now":"1970-01-01T00:00:00Z"}"#, standing(0)),
            (stands, r#"{"stand":false,"advance":1700000000}"#, going(500)),
            (stands, r#"{"now":"4999-12-31T23:59:59Z"}"#, standing(Clock::MAX_MILLIS)),
            (goes, "{}", Err("now: expected it, advance or stand")),
            (goes, r#"{"now":null}"#, Err("now: expected it, advance or stand")),
            (goes, r#"{"now":"2026-01-01T00:00:00Z","advance":1}"#, Err("advance: expected none beside now")),
            (goes, r#"{"now":"1969-12-31T23:59:59Z"}"#, Err("now: expected a time from 1970 to 4999")),
            (goes, r#"{"now":"5000-01-01T00:00:00Z"}"#, Err("now: expected a time from 1970 to 4999")),
            (stands, r#"{"advance":-2}"#, Err("advance: expected a time from 1970 to 4999")),
            (stands, r#"{"advance":95617583999}"#, Err("advance: expected a time from 1970 to 4999")),
            (stands, r#"{"advance":9223372036854775807}"#, Err("advance: expected a time from 1970 to 4999")),
        ] {
            let change: ClockChange = decode(json.as_bytes()).unwrap();
            assert_eq!(change.apply(clock, MACHINE), changed.map_err(str::to_owned), "{json}");
        }
    }

    #[test]
    fn errors_name_the_field() {
        for (json, start) in [
            (
                r#"{"faults":[{"route":"*","kind":"html","count":1},{"route":"x"}]}"#,
                "faults[1].route: unknown variant `x`, expected one of `create`",
            ),
            (
                r#"{"faults":[{"route":"*","kind":"html","count":-1}]}"#,
                "faults[0].count: invalid value: integer `-1`, expected u32",
            ),
            (
                r#"{"faults":[{"route":"*","kind":"html","count":1,"often":2}]}"#,
                "faults[0].often: unknown field `often`, expected one of",
            ),
            (r#"{"faults":[{"route":"*","count":1}]}"#, "faults[0]: missing field `kind`"),
            (r#"{"faults":[{"route":"*","route":"*"}]}"#, "faults[0]: duplicate field `route`"),
            (r#"{"fault":[]}"#, "fault: unknown field `fault`, expected `faults`"),
            ("{}", "missing field `faults`"),
            ("", "EOF while parsing"),
            (r#"{"faults":[]} x"#, "trailing characters"),
        ] {
            let refusal = decode::<Faults>(json.as_bytes()).err().unwrap();
            assert!(refusal.status == 400 && refusal.message.starts_with(start), "{}", refusal.message);
        }
        let refusal = decode::<ClockChange>(br#"{"now":"soon"}"#).err().unwrap();
        assert!(
            refusal.message.starts_with("now: expected a UTC time such as 2024-06-03T04:11:14Z"),
            "{}",
            refusal.message
        );
    }
}
