//! The control page: what there is in the sandbox, with buttons to move it.

use maud::{DOCTYPE, Markup, html};
use omise_linked_accounts::{Bank, Status, Timestamp};

use crate::{account::Account, delivery::Delivery, fault, journal, webhook::Webhook};

/// What `/sandbox/control.css` answers.
pub(crate) const STYLESHEET: &str = include_str!("control.css");

/// How many requests are shown.
const MAX_REQUESTS: usize = 50;
/// How many attempts to send an event are shown.
const MAX_DELIVERIES: usize = 50;

/// What the page shows.
pub(crate) struct View {
    pub(crate) now: Timestamp,
    /// Whether the clock stands.
    pub(crate) stands: bool,
    /// The newest, newest first.
    pub(crate) accounts: Vec<Account>,
    /// How many there are in all.
    pub(crate) total: u64,
    pub(crate) webhook: Webhook,
    /// Newest first.
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) faults: Vec<fault::Fields>,
    /// Oldest first.
    pub(crate) requests: Vec<journal::Entry>,
}

/// The page for who is signed in. `problem` says why the button that was pressed did nothing.
pub(crate) fn control(view: &View, problem: Option<&str>) -> Markup {
    let main = html! {
        h1 { "Control" }
        @if let Some(problem) = problem {
            p.problem role="alert" { (problem) }
        }
        (clock(view))
        (accounts(view))
        (deliveries(view))
        (faults(&view.faults))
        (requests(&view.requests))
        section aria-labelledby="reset" {
            h2 #reset { "Start again" }
            p { "Removes accounts, events, requests and faults, and sets clock and webhook as they were at first." }
            details {
                summary { "Reset the sandbox" }
                (button("reset", "Yes, remove everything", true))
            }
        }
    };
    layout("Control", &main)
}

/// The form for the token.
pub(crate) fn door(wrong: bool) -> Markup {
    let main = html! {
        h1 { "Control" }
        @if wrong {
            p.problem role="alert" { "That is not the token." }
        }
        form.door method="post" action="/sandbox/session" {
            label for="token" { "Control token" }
            input #token type="password" name="token" required autocomplete="off";
            p.small { "It is the value of " code { "CONTROL_TOKEN" } ", which the sandbox was started with." }
            button type="submit" { "Sign in" }
        }
    };
    layout("Sign in", &main)
}

/// A form came from another page, or from none.
pub(crate) fn elsewhere() -> Markup {
    let main = html! {
        h1 { "Not from here" }
        p { "Only this page's own buttons do anything. Nothing was changed." }
        p { a href="/sandbox" { "To the control page" } }
    };
    layout("Not from here", &main)
}

/// The sandbox failed.
pub(crate) fn broken() -> Markup {
    let main = html! {
        h1 { "Something went wrong" }
        p { "The sandbox failed; its log says why." }
        p { a href="/sandbox" { "To the control page" } }
    };
    layout("Something went wrong", &main)
}

fn clock(view: &View) -> Markup {
    html! {
        section aria-labelledby="clock" {
            h2 #clock { "Clock" }
            p.now {
                (moment(view.now)) " "
                span.state { @if view.stands { "stands still" } @else { "goes" } }
            }
            form.buttons method="post" action="/sandbox" {
                (press("hour", &html! { "+1 hour" }, false))
                (press("day", &html! { "+1 day" }, false))
                @if view.stands {
                    (press("go", &html! { "Let it go" }, false))
                } @else {
                    (press("stand", &html! { "Make it stand" }, false))
                }
            }
        }
    }
}

fn accounts(view: &View) -> Markup {
    let shown = view.accounts.len();
    let rows = html! {
        @for account in &view.accounts {
            @let bank = Bank::of(&account.kind).map_or("–", |bank| bank.name_en);
            tr role="row" {
                (head(&html! { code.whole { (account.id) } }))
                (cell("Bank", Some(&html! { (bank) })))
                (cell("Status", Some(&status(account))))
                (cell("Created", Some(&moment(account.created_at))))
                (cell("Then", then(account).as_ref()))
                (cell("Settle", settle(account).as_ref()))
            }
        }
    };
    html! {
        section aria-labelledby="accounts" {
            h2 #accounts { "Accounts" }
            @if shown == 0 {
                p { "None yet." }
            } @else {
                (table(
                    &html! { @if (shown as u64) < view.total { "The newest " (shown) " of " (view.total) } @else { (shown) ", newest first" } },
                    &["Account", "Bank", "Status", "Created", "Then", "Settle"],
                    &rows,
                ))
            }
        }
    }
}

fn status(account: &Account) -> Markup {
    html! {
        span class={ "status " (account.status) } { (account.status) }
        @if let Some(digits) = &account.last_digits { " ••" (digits) }
        @if let Some(code) = &account.failure_code { " " code.whole { (code) } }
    }
}

/// What comes next for an account, or came last.
fn then(account: &Account) -> Option<Markup> {
    match (&account.status, account.registered_at) {
        (Status::Pending, _) => Some(html! { "expires " (moment(account.expires_at)) }),
        (Status::Expired, _) => Some(html! { "expired " (moment(account.expires_at)) }),
        (_, Some(at)) => Some(html! { "registered " (moment(at)) }),
        _ => None,
    }
}

/// The buttons that settle an account, where it is pending.
fn settle(account: &Account) -> Option<Markup> {
    let button = |action, label| press(action, &html! { (label) span.spoken { " " (account.id) } }, false);
    (account.status == Status::Pending).then(|| {
        html! {
            form.buttons method="post" action="/sandbox" {
                input type="hidden" name="id" value=(account.id);
                (button("approve", "Approve"))
                (button("decline", "Decline"))
                (button("expire", "Expire"))
            }
            a href=(format!("/register?ref={}", account.id)) { "Bank page" span.spoken { " of " (account.id) } }
        }
    })
}

/// The attempts to send events.
fn deliveries(view: &View) -> Markup {
    let shown = view.deliveries.iter().take(MAX_DELIVERIES);
    let rows = html! {
        @for delivery in shown {
            tr role="row" {
                (head(&html! { (delivery.key) " " code.whole { (delivery.event) } }))
                (cell("Answer", Some(&html! {
                    @match (delivery.status, &delivery.error) {
                        (Some(status), _) => { (status) },
                        (None, Some(error)) => { (error) },
                        (None, None) => { "none yet" },
                    }
                })))
                (cell("Time", Some(&moment(delivery.created_at))))
                (cell("Again", Some(&html! {
                    form.buttons method="post" action="/sandbox" {
                        input type="hidden" name="id" value=(delivery.id);
                        (press("redeliver", &html! { "Send again" span.spoken { " " (delivery.event) } }, false))
                    }
                })))
            }
        }
    };
    html! {
        section aria-labelledby="deliveries" {
            h2 #deliveries { "Webhooks" }
            p {
                @match view.webhook.target() {
                    Some(url) => { "Events go to " code.whole { (url.as_str()) } "." },
                    None => { "Events go nowhere. " code { "PUT /sandbox/webhook" } " says where." },
                }
            }
            @if !view.deliveries.is_empty() {
                (table(
                    &html! { "The last " (view.deliveries.len().min(MAX_DELIVERIES)) ", newest first" },
                    &["Event", "Answer", "Time", "Again"],
                    &rows,
                ))
            }
        }
    }
}

fn faults(faults: &[fault::Fields]) -> Markup {
    let rows = html! {
        @for fault in faults {
            tr role="row" {
                (head(&html! { (fault.kind.as_str()) }))
                (cell("Strikes", Some(&html! { (route(fault)) })))
                (cell("When", Some(&when(fault))))
                (cell("Details", details(fault).as_ref()))
            }
        }
    };
    html! {
        section aria-labelledby="faults" {
            h2 #faults { "Faults" }
            @if faults.is_empty() {
                p { "None. They are set by " code { "PUT /sandbox/faults" } "." }
            } @else {
                (table(
                    &html! { (faults.len()) ", the first that fits strikes" },
                    &["Fault", "Strikes", "When", "Details"],
                    &rows,
                ))
                (button("clear_faults", "Clear faults", false))
            }
        }
    }
}

fn route(fault: &fault::Fields) -> &'static str {
    use fault::Target;

    match fault.route {
        Target::Create => "create",
        Target::Retrieve => "retrieve",
        Target::List => "list",
        Target::Search => "search",
        Target::Delete => "delete",
        Target::Capability => "capability",
        Target::Any => "every call",
        Target::Webhook => "webhooks",
    }
}

fn when(fault: &fault::Fields) -> Markup {
    html! {
        @match (fault.count, fault.probability, fault.seed) {
            (Some(count), ..) => { (count) " more" },
            (_, Some(probability), Some(seed)) => { "probability " (probability) ", seed " (seed) },
            _ => {},
        }
    }
}

fn details(fault: &fault::Fields) -> Option<Markup> {
    let parts = [
        fault.ms.map(|ms| format!("{ms} ms")),
        fault.status.map(|status| status.to_string()),
        fault.code.clone(),
        fault.message.clone(),
        fault.after.map(|after| format!("after {after} bytes")),
        fault.committed.filter(|committed| *committed).map(|_| "after the work is done".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| html! { (parts.join(", ")) })
}

fn requests(requests: &[journal::Entry]) -> Markup {
    let shown = requests.iter().rev().take(MAX_REQUESTS);
    let rows = html! {
        @for entry in shown {
            tr role="row" {
                (head(&html! {
                    code { (entry.method) " " (entry.path) }
                    @if entry.query.is_some() || entry.body.is_some() { (sent(entry)) }
                }))
                (cell("Answer", Some(&html! {
                    (entry.status)
                    @if let Some(fault) = entry.fault { " " span.fault { (fault) } }
                })))
                (cell("Time", Some(&moment(entry.time))))
                (cell("Request id", entry.request_id.as_ref().map(|id| html! { code { (id) } }).as_ref()))
            }
        }
    };
    html! {
        section aria-labelledby="requests" {
            h2 #requests { "Requests" }
            @if requests.is_empty() {
                p { "None yet." }
            } @else {
                (table(
                    &html! { "The last " (requests.len().min(MAX_REQUESTS)) ", newest first" },
                    &["Request", "Answer", "Time", "Request id"],
                    &rows,
                ))
            }
        }
    }
}

fn sent(entry: &journal::Entry) -> Markup {
    html! {
        details {
            summary { "What was sent" }
            @if let Some(query) = &entry.query {
                p { "Query" }
                pre { (query) }
            }
            @if let Some(body) = &entry.body {
                p { "Body" }
                pre { (body) }
            }
        }
    }
}

/// A table. On a phone each row becomes a card, which browsers then take for no table any more: hence the roles.
fn table(caption: &Markup, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        table role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" {
                    @for column in columns { th scope="col" role="columnheader" { (column) } }
                }
            }
            tbody role="rowgroup" { (rows) }
        }
    }
}

fn head(content: &Markup) -> Markup {
    html! { th scope="row" role="rowheader" { (content) } }
}

/// A cell of the column of this name, or one in which there is nothing.
fn cell(column: &str, content: Option<&Markup>) -> Markup {
    html! {
        td.none[content.is_none()] role="cell" data-label=(column) {
            @if let Some(content) = content { (content) } @else { "–" }
        }
    }
}

/// A form that is but one button.
fn button(action: &str, label: &str, strong: bool) -> Markup {
    html! {
        form.buttons method="post" action="/sandbox" { (press(action, &html! { (label) }, strong)) }
    }
}

fn press(action: &str, label: &Markup, strong: bool) -> Markup {
    html! { button.strong[strong] type="submit" name="action" value=(action) { (label) } }
}

/// `2024-06-04 04:11:14`, in UTC, which the page says once.
fn moment(time: Timestamp) -> Markup {
    let text = time.to_string();
    html! { time datetime=(text) { (text.replace('T', " ").replace('Z', "")) } }
}

/// A page of the sandbox's own.
pub(crate) fn layout(title: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · sandbox" }
                link rel="stylesheet" href="/sandbox/control.css";
            }
            body {
                aside.notice aria-label="Notice" {
                    p { strong { "Sandbox — not Omise, not a bank." } " " span { "No money moves." } }
                }
                main { (main) }
                footer { p { "Times are UTC, by the sandbox's own clock. Not made or endorsed by Omise." } }
            }
        }
    }
}
