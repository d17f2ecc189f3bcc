//! `GET /banks`: where customers can link an account.

use omise_linked_accounts::{
    AccountType, Bank,
    message::{Locale, unlink_note},
};
use serde::Serialize;

use crate::common::{answer::Success, settings::Settings};

#[derive(Serialize)]
struct Banks<'a> {
    object: &'static str,
    data: Vec<Shown<'a>>,
    total: usize,
}

#[derive(Serialize)]
struct Shown<'a> {
    object: &'static str,
    #[serde(rename = "type")]
    account_type: &'a AccountType,
    short_code: &'static str,
    names: Words,
    /// What else to do when unlinking.
    note: Option<Words>,
}

#[derive(Serialize)]
struct Words {
    en: &'static str,
    th: &'static str,
    ja: &'static str,
}

/// The banks that the operator enabled, in the operator's order.
pub(crate) fn handle(settings: &Settings) -> Success {
    let data: Vec<Shown<'_>> = settings.create_policy.types().iter().filter_map(shown).collect();
    Success::json(&Banks { object: "list", total: data.len(), data })
}

fn shown(account_type: &AccountType) -> Option<Shown<'_>> {
    let bank = Bank::of(account_type)?;
    let note = |locale| unlink_note(account_type, locale);
    let note = note(Locale::En).zip(note(Locale::Th)).zip(note(Locale::Ja));
    Some(Shown {
        object: "bank",
        account_type,
        short_code: bank.short_code,
        names: Words { en: bank.name_en, th: bank.name_th, ja: bank.name_ja },
        note: note.map(|((en, th), ja)| Words { en, th, ja }),
    })
}
