//! The control page's buttons, and its door: who has the token signs in with it once, and a cookie remembers that.

use omise_linked_accounts::search;
use worker::{Env, Request, Response, Result, console_error};

use crate::{
    answer,
    bank_account::BankAccount,
    clock::{Clock, Now},
    control::{self, ClockChange, Failure, Outcome, Refusal},
    control_page::{self, View},
    control_webhook,
    delivery::Delivery,
    dump,
    failure_code::FailureCode,
    fault, journal, open_store,
    route::ControlCall,
    selection::Selection,
    settings::Settings,
    store::Part,
    token::ControlToken,
    webhook::Webhook,
};

/// Answers a call of the page.
pub(crate) async fn handle(
    call: ControlCall<'_>,
    mut req: Request,
    env: &Env,
    settings: &Settings,
    token: ControlToken<'_>,
) -> Result<Response> {
    if call == ControlCall::Stylesheet {
        return answer::stylesheet(control_page::STYLESHEET);
    }
    // A cookie is sent along whatever page of this host posts the form, and its ports are one site: only the origin tells.
    let own = req.url()?.origin().ascii_serialization();
    if call != ControlCall::Page && req.headers().get("Origin")?.is_none_or(|origin| origin != own) {
        return page(403, control_page::elsewhere());
    }
    if call == ControlCall::SignIn {
        let form = Form::parse(&req.bytes().await?);
        return match token.cookie().filter(|_| token.is(&form.token)) {
            Some(cookie) => back(Some(&cookie)),
            None => page(403, control_page::door(true)),
        };
    }
    if !token.accepts_cookie(&req.headers().get("Cookie")?.unwrap_or_default()) {
        return page(403, control_page::door(false));
    }
    if call == ControlCall::Page {
        return page(200, control_page::control(&view(env, settings).await?, None));
    }
    let form = Form::parse(&req.bytes().await?);
    match press(&form, env, settings).await {
        Ok(()) => back(None),
        Err(Failure::Refused(Refusal { status, message, .. })) => {
            page(status, control_page::control(&view(env, settings).await?, Some(&message)))
        }
        Err(Failure::Broken(error)) => {
            console_error!("{error}");
            page(500, control_page::broken())
        }
    }
}

/// Does what a button says.
async fn press(form: &Form, env: &Env, settings: &Settings) -> std::result::Result<(), Failure> {
    let settle = |outcome: Outcome| control::settle(&form.id, outcome, env);
    let advance = |seconds: i64| ClockChange { advance: Some(seconds), ..ClockChange::default() };
    let stand = |stand: bool| ClockChange { stand: Some(stand), ..ClockChange::default() };
    match form.action.as_str() {
        "approve" => settle(Outcome::Approve(BankAccount::Savings)).await.map(drop),
        "decline" => settle(Outcome::Decline(FailureCode::RegistrationRejected)).await.map(drop),
        "expire" => settle(Outcome::Expire).await.map(drop),
        "hour" => control::set_clock(advance(60 * 60), env).await,
        "day" => control::set_clock(advance(24 * 60 * 60), env).await,
        "stand" => control::set_clock(stand(true), env).await,
        "go" => control::set_clock(stand(false), env).await,
        "redeliver" => control_webhook::redeliver(&form.id, env, settings).await.map(drop),
        "clear_faults" => {
            fault::clear();
            Ok(())
        }
        "reset" => Ok(dump::reset(env).await?),
        _ => Err(Refusal::bad_request("no such button".to_owned()).into()),
    }
}

/// What the page shows.
async fn view(env: &Env, settings: &Settings) -> Result<View> {
    const NEWEST: &str = "order=reverse_chronological&per_page=50";

    let newest = search::decode_request(NEWEST).map_err(|error| worker::Error::RustError(error.to_string()))?;
    let Part { accounts, total } = open_store(env).await?.select(&Selection::search(&newest)).await?;
    let now = Now::read(env).await?.timestamp;
    Ok(View {
        now,
        stands: Clock::load(env).await?.stands_at.is_some(),
        accounts,
        total,
        webhook: Webhook::load(env, settings, now).await?,
        deliveries: Delivery::newest(env).await?,
        faults: fault::all(),
        requests: journal::all(),
    })
}

/// What a form of the page brings.
#[derive(Default)]
struct Form {
    action: String,
    id: String,
    token: String,
}

impl Form {
    /// Reads a form; of fields that appear twice the last one counts.
    fn parse(text: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(text) {
            match &*name {
                "action" => form.action = value.into_owned(),
                "id" => form.id = value.into_owned(),
                "token" => form.token = value.into_owned(),
                _ => {}
            }
        }
        form
    }
}

/// To the page, which shows what came of it; reloading it presses nothing again.
fn back(cookie: Option<&str>) -> Result<Response> {
    let response = answer::see_other("/sandbox")?;
    if let Some(cookie) = cookie {
        response.headers().set("Set-Cookie", cookie)?;
    }
    Ok(response)
}

fn page(status: u16, page: maud::Markup) -> Result<Response> {
    // under no-referrer a browser hides a form's origin, even from the page's own
    answer::page(status, page, None, "same-origin")
}
