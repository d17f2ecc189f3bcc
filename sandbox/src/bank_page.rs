//! The bank's pages. They have a bank's name and colours, no logo, and a notice that this is not a bank.

use maud::{DOCTYPE, Markup, html};
use omise_linked_accounts::{Bank, Status};

use crate::{account::Account, bank_account::BankAccount, return_uri::ReturnUri};

/// What `/register.css` answers. Each bank's colours are under a class of its own.
pub(crate) const STYLESHEET: &str = include_str!("register.css");

/// What the shop asks for, and the form for the answer.
pub(crate) fn question(account: &Account, return_uri: Option<&ReturnUri>) -> Markup {
    let bank = Bank::of(&account.kind);
    let bank_name = bank.map_or("bank", |bank| bank.name_en);
    let shop = return_uri.map_or("the shop", ReturnUri::site);
    let main = html! {
        h1 { "Allow direct debit?" }
        p.lead { strong { (shop) } " asks to link one of your " (bank_name) " accounts." }
        h2 { "If you approve" }
        ul {
            li { "The shop may collect what you buy there by direct debit, without asking you each time." }
            li { "It sees the last four digits of the account, and no balance." }
            li { "You can unlink the account in the shop at any time." }
        }
        form method="post" action="/register" {
            input type="hidden" name="ref" value=(account.id.as_str());
            fieldset {
                legend { "Which account?" }
                @for (i, choice) in BankAccount::ALL.into_iter().enumerate() {
                    @let digits = choice.last_digits(&account.id);
                    label.choice {
                        input type="radio" name="account" value=(choice.as_str()) checked[i == 0] required;
                        span { (choice.label()) }
                        (ending_in(&digits))
                    }
                }
            }
            div.actions {
                button.approve type="submit" name="action" value="approve" { "Approve" }
                button.decline type="submit" name="action" value="decline" { "Decline" }
            }
        }
        p.small {
            "Either way you go back to " (shop) ". This request ends on "
            time datetime=(account.expires_at.to_string()) { (readable(&account.expires_at.to_string())) }
            "."
        }
    };
    layout("Allow direct debit?", bank.as_ref(), &main)
}

/// The request was answered, or nobody answered it in time.
pub(crate) fn ended(account: &Account, return_uri: Option<&ReturnUri>) -> Markup {
    let shop = return_uri.map_or("the shop", ReturnUri::site);
    let (title, text) = match account.status {
        Status::Successful => {
            ("Already approved", format!("You approved this request: the account is linked to {shop}."))
        }
        Status::Failed => ("Already declined", "You declined this request. Nothing was linked.".to_owned()),
        Status::Expired => (
            "This request has expired",
            "Nobody answered it in time. Nothing was linked. You can start again in the shop.".to_owned(),
        ),
        Status::Deleted => {
            ("Already unlinked", format!("You approved this request, and the account was unlinked from {shop} since."))
        }
        _ => ("Already answered", "There is nothing left to do here.".to_owned()),
    };
    let main = html! {
        h1 { (title) }
        p.lead { (text) }
        @if let Some(digits) = &account.last_digits {
            p { "Account " (ending_in(digits)) }
        }
        @if let Some(uri) = return_uri {
            // not the whole address: only whoever answered is sent there, and anybody with the link sees this page
            p.actions { a.button href=(uri.origin()) { "Back to " (uri.site()) } }
        }
    };
    layout(title, Bank::of(&account.kind).as_ref(), &main)
}

/// The form came without an answer in it.
pub(crate) fn incomplete(account: &Account) -> Markup {
    let main = html! {
        h1 { "Something is missing" }
        p.lead { "Choose an account, and then approve or decline." }
        p.actions { a.button href=(format!("/register?ref={}", account.id)) { "Back to the question" } }
    };
    layout("Something is missing", Bank::of(&account.kind).as_ref(), &main)
}

/// Nobody asked for anything under this reference.
pub(crate) fn unknown() -> Markup {
    let main = html! {
        h1 { "No such request" }
        p.lead { "This link leads to nothing. Go back to the shop and start again." }
    };
    layout("No such request", None, &main)
}

/// The sandbox failed.
pub(crate) fn broken() -> Markup {
    let main = html! {
        h1 { "Something went wrong" }
        p.lead { "The sandbox failed; its log says why. Nothing was changed." }
    };
    layout("Something went wrong", None, &main)
}

fn layout(title: &str, bank: Option<&Bank>, main: &Markup) -> Markup {
    let name = bank.map_or("Sandbox bank", |bank| bank.name_en);
    let class = bank.map_or_else(String::new, |bank| bank.short_code.to_ascii_lowercase());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · " (name) " (sandbox)" }
                link rel="stylesheet" href="/register.css";
            }
            body class=(class) {
                aside.notice aria-label="Notice" {
                    p { strong { "Sandbox — not a real bank." } " " span { "No money moves." } }
                }
                header {
                    p.bank {
                        (name)
                        @if let Some(bank) = bank { " " span lang="th" { (bank.name_th) } }
                    }
                }
                main { (main) }
                footer {
                    p { "This page stands in for the bank's own while a shop is being built. It is not made or endorsed by any bank." }
                }
            }
        }
    }
}

/// `••1234`, for eyes and for ears.
fn ending_in(digits: &str) -> Markup {
    html! {
        span.digits {
            span aria-hidden="true" { "••" }
            span.spoken { "ending in " }
            (digits)
        }
    }
}

/// `2024-06-04 04:11:14 UTC`
fn readable(time: &str) -> String {
    time.replace('T', " ").replace('Z', " UTC")
}

#[cfg(test)]
mod tests {
    use omise_linked_accounts::{AccountType, LinkedAccountId, RawMetadata, Timestamp};

    use super::*;

    fn account(account_type: AccountType, return_uri: &str) -> Account {
        Account::pending(
            LinkedAccountId::parse("lnac_test_5zylnmmt2kl9chq3ip1").unwrap(),
            account_type,
            return_uri.to_owned(),
            RawMetadata::new(),
            Timestamp::from_unix(1_717_387_874).unwrap(),
        )
    }

    #[test]
    fn every_bank_has_colours() {
        for account_type in AccountType::DIRECT_DEBIT {
            let class = Bank::of(&account_type).unwrap().short_code.to_ascii_lowercase();
            assert!(STYLESHEET.contains(&format!(".{class} {{")), "{class}");
            let page = question(&account(account_type, "https://shop.example/"), None).into_string();
            assert!(page.contains(&format!("<body class=\"{class}\">")), "{page}");
        }
    }

    #[test]
    fn every_page_says_what_it_is() {
        let mut account = account(AccountType::DirectDebitScb, "https://shop.example/");
        let mut pages = vec![question(&account, None), incomplete(&account), unknown(), broken()];
        for status in ["successful", "failed", "expired", "deleted", "suspended"] {
            account.status = Status::from(status);
            pages.push(ended(&account, None));
        }
        for page in pages {
            assert!(page.into_string().contains("Sandbox — not a real bank.</strong> <span>No money moves.</span>"));
        }
    }

    #[test]
    fn only_whoever_answered_learns_the_address() {
        let text = "https://shop.example/?a=1&link_state=2";
        let uri = ReturnUri::parse(text).unwrap();
        let mut account = account(AccountType::DirectDebitScb, text);
        account.status = Status::Failed;
        let page = ended(&account, Some(&uri)).into_string();
        assert!(page.contains(r#"href="https://shop.example">"#), "{page}");
        assert!(!page.contains("link_state"), "{page}");
    }
}
