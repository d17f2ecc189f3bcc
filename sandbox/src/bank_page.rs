//! The bank's pages. They have a bank's name and colours, no logo, and a notice that this is not a bank.

use maud::{DOCTYPE, Markup, html};
use omise_linked_accounts::{
    Bank, LinkedAccountId, Status,
    message::{self, Locale},
};

use crate::{
    account::Account,
    bank_account::BankAccount,
    bank_words::{self as words, Phrase},
    failure_code::FailureCode,
    language,
    return_uri::ReturnUri,
};

/// What `/register.css` answers. Each bank's colours are under a class of its own.
pub(crate) const STYLESHEET: &str = include_str!("register.css");

/// What the shop asks for, and the form for the answer.
pub(crate) fn question(account: &Account, return_uri: Option<&ReturnUri>, locale: Locale) -> Markup {
    let bank = Bank::of(&account.kind);
    let shop = site(return_uri, locale);
    let say = |phrase: Phrase| phrase.text(locale);
    let main = html! {
        h1 { (say(words::ALLOW)) }
        p.lead {
            (words::ASKS.fill(locale, &[("shop", &html! { strong { (shop) } }), ("bank", &bank_name(bank.as_ref(), locale))]))
        }
        h2 { (say(words::IF_YOU_APPROVE)) }
        ul {
            li { (say(words::MAY_COLLECT)) }
            li { (say(words::SEES_DIGITS)) }
            li { (say(words::CAN_UNLINK)) }
            @if let Some(note) = message::unlink_note(&account.kind, locale) { li { (note) } }
        }
        form method="post" action="/register" {
            (hidden(account, locale))
            fieldset {
                legend { (say(words::WHICH_ACCOUNT)) }
                @for (i, choice) in BankAccount::ALL.into_iter().enumerate() {
                    label.choice {
                        input type="radio" name="account" value=(choice.as_str()) checked[i == 0] required;
                        span { (say(words::account(choice))) }
                        (ending_in(&choice.last_digits(&account.id), locale))
                    }
                }
            }
            div.actions {
                button.approve type="submit" name="action" value="approve" { (say(words::APPROVE)) }
                button.decline type="submit" name="action" value="decline" { (say(words::DECLINE)) }
            }
        }
        p.small {
            @let time = html! {
                time datetime=(account.expires_at.to_string()) { (words::time(account.expires_at, locale)) }
            };
            (words::EITHER_WAY.fill(locale, &[("shop", &shop), ("time", &time)]))
        }
        @if let Some(uri) = return_uri { p.small { a href=(uri.origin()) { (say(words::LEAVE)) } } }
    };
    layout(locale, Some(account), words::ALLOW, &main, &testing(account, locale))
}

/// How to let the registration fail for a reason of the bank's, which no customer could choose.
fn testing(account: &Account, locale: Locale) -> Markup {
    let say = |phrase: Phrase| phrase.text(locale);
    html! {
        aside.testing aria-label=(say(words::FOR_TESTING)) {
            details {
                summary { (say(words::FOR_TESTING)) }
                p { (say(words::SANDBOX_ONLY)) }
                form method="post" action="/register" {
                    (hidden(account, locale))
                    label for="failure_code" { (say(words::REASON)) }
                    select id="failure_code" name="failure_code" {
                        @for code in FailureCode::ALL {
                            option value=(code.as_str()) { (code.as_str()) ": " (say(words::failure(code))) }
                        }
                    }
                    button type="submit" name="action" value="fail" { (say(words::FAIL)) }
                }
            }
        }
    }
}

/// What each form brings besides the answer: whose it is, and the language, in which the next page is as well.
fn hidden(account: &Account, locale: Locale) -> Markup {
    html! {
        input type="hidden" name="ref" value=(account.id.as_str());
        input type="hidden" name="lang" value=(language::tag(locale));
    }
}

/// The request was answered, or nobody answered it in time.
pub(crate) fn ended(account: &Account, return_uri: Option<&ReturnUri>, locale: Locale) -> Markup {
    // a customer knows why it was declined; what else failed is the bank's to say
    let rejected = Some(FailureCode::RegistrationRejected);
    let code = account.failure_code.as_deref().and_then(FailureCode::parse);
    let reason = code.filter(|_| code != rejected);
    let (title, text) = match account.status {
        Status::Successful => (words::APPROVED, words::APPROVED_TEXT),
        Status::Failed if code == rejected => (words::DECLINED, words::DECLINED_TEXT),
        Status::Failed => (words::FAILED, words::FAILED_TEXT),
        Status::Expired => (words::EXPIRED, words::EXPIRED_TEXT),
        Status::Deleted => (words::UNLINKED, words::UNLINKED_TEXT),
        _ => (words::ANSWERED, words::ANSWERED_TEXT),
    };
    let shop = site(return_uri, locale);
    let main = html! {
        h1 { (title.text(locale)) }
        p.lead { (text.fill(locale, &[("shop", &shop)])) }
        @if let Some(code) = reason {
            p { (words::REASON.text(locale)) ": " (words::failure(code).text(locale)) }
        }
        @if let Some(digits) = &account.last_digits {
            p { (words::ACCOUNT.text(locale)) " " (ending_in(digits, locale)) }
        }
        @if let Some(uri) = return_uri {
            // not the whole address: only whoever answered is sent there, and anybody with the link sees this page
            p.actions { a.button href=(uri.origin()) { (words::BACK_TO_SHOP.fill(locale, &[("shop", &shop)])) } }
        }
    };
    layout(locale, Some(account), title, &main, &Markup::default())
}

/// The form came without an answer in it.
pub(crate) fn incomplete(account: &Account, locale: Locale) -> Markup {
    let main = html! {
        h1 { (words::MISSING.text(locale)) }
        p.lead { (words::MISSING_TEXT.text(locale)) }
        p.actions { a.button href=(address(Some(&account.id), locale)) { (words::BACK_TO_QUESTION.text(locale)) } }
    };
    layout(locale, Some(account), words::MISSING, &main, &Markup::default())
}

/// Nobody asked for anything under this reference.
pub(crate) fn unknown(locale: Locale) -> Markup {
    let main = html! {
        h1 { (words::UNKNOWN.text(locale)) }
        p.lead { (words::UNKNOWN_TEXT.text(locale)) }
    };
    layout(locale, None, words::UNKNOWN, &main, &Markup::default())
}

/// The sandbox failed.
pub(crate) fn broken(locale: Locale) -> Markup {
    let main = html! {
        h1 { (words::BROKEN.text(locale)) }
        p.lead { (words::BROKEN_TEXT.text(locale)) }
    };
    layout(locale, None, words::BROKEN, &main, &Markup::default())
}

/// A page: what it is, whose it would be, the languages, `main`, and what the sandbox offers besides.
fn layout(locale: Locale, account: Option<&Account>, title: Phrase, main: &Markup, testing: &Markup) -> Markup {
    let say = |phrase: Phrase| phrase.text(locale);
    let bank = account.and_then(|account| Bank::of(&account.kind));
    let name = bank_name(bank.as_ref(), locale);
    let class = bank.map_or_else(String::new, |bank| bank.short_code.to_ascii_lowercase());
    html! {
        (DOCTYPE)
        html lang=(language::tag(locale)) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (say(words::NOT_A_BANK_SHORT)) " · " (say(title)) " · " (name) }
                link rel="stylesheet" href="/register.css";
            }
            body class=(class) {
                aside.notice aria-label=(say(words::NOTICE)) {
                    p { strong { (say(words::NOT_A_BANK)) } " " span { (say(words::NO_MONEY)) } }
                }
                header {
                    p.bank {
                        (name)
                        @if let Some(bank) = bank {
                            @let (lang, name) = if locale == Locale::Th { (Locale::En, bank.name_en) } else { (Locale::Th, bank.name_th) };
                            " " span lang=(language::tag(lang)) { (name) }
                        }
                    }
                    nav aria-label=(say(words::LANGUAGE)) {
                        @for other in Locale::ALL {
                            a href=(address(account.map(|account| &account.id), other))
                                lang=(language::tag(other)) hreflang=(language::tag(other))
                                aria-current=[(other == locale).then_some("true")] { (language::name(other)) }
                        }
                    }
                }
                main { (main) }
                (testing)
                footer { p { (say(words::STANDS_IN)) } }
            }
        }
    }
}

/// The page in a language.
fn address(id: Option<&LinkedAccountId>, locale: Locale) -> String {
    let lang = language::tag(locale);
    id.map_or_else(|| format!("/register?lang={lang}"), |id| format!("/register?ref={id}&lang={lang}"))
}

fn bank_name(bank: Option<&Bank>, locale: Locale) -> &'static str {
    match (bank, locale) {
        (None, _) => words::SANDBOX_BANK.text(locale),
        (Some(bank), Locale::Th) => bank.name_th,
        (Some(bank), Locale::Ja) => bank.name_ja,
        (Some(bank), _) => bank.name_en,
    }
}

/// The shop, as a customer can read it.
fn site(return_uri: Option<&ReturnUri>, locale: Locale) -> &str {
    return_uri.map_or(words::THE_SHOP.text(locale), ReturnUri::site)
}

/// `••1234`, for eyes and for ears.
fn ending_in(digits: &str, locale: Locale) -> Markup {
    html! {
        span.digits {
            span aria-hidden="true" { "••" }
            span.spoken { (words::ENDING_IN.text(locale)) " " }
            (digits)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use omise_linked_accounts::{AccountType, RawMetadata, Timestamp};

    use super::*;

    const RETURN_URI: &str = "https://shop.example/?a=1&link_state=2";

    fn account(account_type: AccountType) -> Account {
        Account::pending(
            LinkedAccountId::parse("lnac_test_5zylnmmt2kl9chq3ip1").unwrap(),
            account_type,
            RETURN_URI.to_owned(),
            RawMetadata::new(),
            Timestamp::from_unix(1_717_387_874).unwrap(),
        )
    }

    /// Every page that there is, of every bank.
    fn pages(locale: Locale) -> Vec<String> {
        let uri = ReturnUri::parse(RETURN_URI).unwrap();
        let mut pages = vec![unknown(locale), broken(locale)];
        for account_type in AccountType::DIRECT_DEBIT.into_iter().chain([AccountType::Individual]) {
            let mut account = account(account_type);
            pages.extend([
                question(&account, Some(&uri), locale),
                question(&account, None, locale),
                incomplete(&account, locale),
            ]);
            account.last_digits = Some("1234".to_owned());
            for status in ["successful", "expired", "deleted", "suspended", "failed"] {
                account.status = Status::from(status);
                pages.extend([ended(&account, Some(&uri), locale), ended(&account, None, locale)]);
            }
            for code in FailureCode::ALL {
                account.failure_code = Some(code.as_str().to_owned());
                pages.push(ended(&account, Some(&uri), locale));
            }
        }
        pages.into_iter().map(Markup::into_string).collect()
    }

    /// What a page says in its own language: without tags, without elements in other languages, and without names and codes.
    fn words_of(page: &str) -> String {
        let mut text = String::new();
        let mut foreign = false;
        for piece in page.split('<').skip(1) {
            let (tag, words) = piece.split_once('>').unwrap();
            if !tag.starts_with("html ") {
                foreign = tag.contains(" lang=");
            }
            if let Some((_, label)) = tag.split_once("aria-label=\"") {
                text.push_str(label.split_once('"').unwrap().0);
                text.push(' ');
            }
            if !foreign {
                text.push_str(words);
                text.push(' ');
            }
        }
        FailureCode::ALL
            .into_iter()
            .fold(text.replace("shop.example", ""), |text, code| text.replace(&format!("{}: ", code.as_str()), ""))
    }

    #[test]
    fn each_page_is_in_one_language() {
        let thai = |c: char| ('\u{e00}'..'\u{e80}').contains(&c);
        let japanese = |c: char| ('\u{3040}'..'\u{3100}').contains(&c) || ('\u{4e00}'..'\u{a000}').contains(&c);
        for locale in Locale::ALL {
            for page in pages(locale) {
                let text = words_of(&page).replace("UTC", "");
                let latin = |c: char| c.is_ascii_alphabetic();
                let (own, foreign): (bool, bool) = match locale {
                    Locale::Th => (text.contains(thai), text.contains(latin) || text.contains(japanese)),
                    Locale::Ja => (text.contains(japanese), text.contains(latin) || text.contains(thai)),
                    _ => (text.contains(latin), text.contains(thai) || text.contains(japanese)),
                };
                assert!(own && !foreign, "{locale:?}: {text}");
                assert!(!text.contains(['{', '}']), "{text}");
                assert!(page.contains(&format!("<html lang=\"{}\">", language::tag(locale))), "{page}");
            }
        }
    }

    #[test]
    fn every_page_differs_in_every_language() {
        let distinct = |locale| pages(locale).iter().map(|page| words_of(page)).collect::<BTreeSet<_>>().len();
        assert_eq!(distinct(Locale::En), distinct(Locale::Th));
        assert_eq!(distinct(Locale::En), distinct(Locale::Ja));
    }

    #[test]
    fn every_page_names_the_same_in_every_language() {
        let names = |page: &String| ["shop.example", "<time "].map(|name| page.matches(name).count());
        let counts = |locale| pages(locale).iter().map(names).collect::<Vec<_>>();
        assert_eq!(counts(Locale::En), counts(Locale::Th));
        assert_eq!(counts(Locale::En), counts(Locale::Ja));

        // in the title, the header and the question
        for locale in Locale::ALL {
            for account_type in AccountType::DIRECT_DEBIT {
                let name = bank_name(Bank::of(&account_type).as_ref(), locale);
                let page = question(&account(account_type), None, locale).into_string();
                assert!(page.matches(name).count() >= 3, "{name}: {page}");
            }
        }
    }

    #[test]
    fn every_page_says_what_it_is() {
        for locale in Locale::ALL {
            let [long, short, money] = [words::NOT_A_BANK, words::NOT_A_BANK_SHORT, words::NO_MONEY];
            let notice = format!("<strong>{}</strong> <span>{}</span>", long.text(locale), money.text(locale));
            for page in pages(locale) {
                assert!(page.contains(&notice), "{page}");
                assert!(page.contains(&format!("<title>{} · ", short.text(locale))), "{page}");
                assert!(page.contains(words::STANDS_IN.text(locale)), "{page}");
            }
        }
    }

    #[test]
    fn every_page_is_to_be_had_in_every_language() {
        for locale in Locale::ALL {
            for page in pages(locale) {
                for other in Locale::ALL.map(language::tag) {
                    let link = format!("lang={other}\" lang=\"{other}\" hreflang=\"{other}\"");
                    assert!(page.contains(&link), "{page}");
                }
                assert_eq!(page.matches("aria-current").count(), 1, "{page}");
            }
        }
    }

    #[test]
    fn only_whoever_answered_learns_the_address() {
        for page in Locale::ALL.into_iter().flat_map(pages) {
            assert!(!page.contains("link_state"), "{page}");
        }
        let uri = ReturnUri::parse(RETURN_URI).unwrap();
        let mut account = account(AccountType::DirectDebitScb);
        let asked = question(&account, Some(&uri), Locale::En).into_string();
        account.status = Status::Failed;
        for page in [asked, ended(&account, Some(&uri), Locale::En).into_string()] {
            assert!(page.contains(r#"href="https://shop.example">"#), "{page}");
        }
    }

    #[test]
    fn krungthai_has_to_be_told_too() {
        for account_type in AccountType::DIRECT_DEBIT {
            for locale in Locale::ALL {
                let note = message::unlink_note(&AccountType::DirectDebitKtb, locale).unwrap();
                let page = question(&account(account_type.clone()), None, locale).into_string();
                assert_eq!(page.contains(note), account_type == AccountType::DirectDebitKtb, "{page}");
            }
        }
    }

    /// A rule's custom properties that are colours.
    fn colours(selector: &str) -> Vec<(&'static str, [f64; 3])> {
        let (_, rest) = STYLESHEET.split_once(&format!("{selector} {{")).unwrap_or_else(|| panic!("no {selector}"));
        let (rule, _) = rest.split_once('}').unwrap();
        let declarations = rule.split(';').filter_map(|declaration| declaration.split_once(':'));
        let colour = |(name, value): (&'static str, &str)| Some((name.trim().strip_prefix("--")?, rgb(value.trim())));
        declarations.filter_map(colour).collect()
    }

    fn rgb(hex: &str) -> [f64; 3] {
        let digits = hex.strip_prefix('#').unwrap_or_else(|| panic!("{hex}"));
        let width = digits.len() / 3;
        [0, 1, 2].map(|i| {
            let channel = &digits[i * width..(i + 1) * width];
            f64::from(u8::from_str_radix(&channel.repeat(3 - width), 16).unwrap()) / 255.0
        })
    }

    /// WCAG 2.2, "contrast ratio".
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let luminance = |rgb: [f64; 3]| {
            let [r, g, b] = rgb.map(|c| if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        f64::max(one, other) / f64::min(one, other)
    }

    #[test]
    fn every_bank_is_legible() {
        // as WCAG gives it for this pair, and the ends of the scale
        assert!((contrast(rgb("#767676"), rgb("#fff")) - 4.54).abs() < 0.005);
        assert!((contrast(rgb("#000"), rgb("#ffffff")) - 21.0).abs() < 1e-9);

        for account_type in AccountType::DIRECT_DEBIT {
            let class = Bank::of(&account_type).unwrap().short_code.to_ascii_lowercase();
            let page = question(&account(account_type), None, Locale::En).into_string();
            assert!(page.contains(&format!("<body class=\"{class}\">")), "{page}");
            let own = colours(&format!(".{class}"));
            assert_eq!(own.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["brand", "on-brand", "accent"]);
            check(&format!(".{class}"), &own);
        }
        check(":root", &[]);
    }

    /// Text has a contrast of 4.5 to what it stands on, and what can be used one of 3 (WCAG 2.2 AA, 1.4.3 and 1.4.11).
    fn check(selector: &str, own: &[(&str, [f64; 3])]) {
        let root = colours(":root");
        let get =
            |name| own.iter().chain(&root).find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}")).1;
        for (front, back, least) in [
            ("on-brand", "brand", 4.5),
            ("accent", "paper", 4.5),
            ("ink", "paper", 4.5),
            ("ink", "ground", 4.5),
            ("ink-soft", "paper", 4.5),
            ("ink-soft", "ground", 4.5),
            ("on-notice", "notice", 4.5),
            ("line", "paper", 3.0),
        ] {
            let ratio = contrast(get(front), get(back));
            assert!(ratio >= least, "{selector}: {front} on {back} is {ratio:.2}");
        }
    }
}
