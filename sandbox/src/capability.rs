//! `GET /capability`: what the account can do.

use omise_linked_accounts::{AccountType, Bank};
use serde::Serialize;

use crate::answer;

/// Omise's `capability` object, with the attributes that a capture of it has.
///
/// The limits are those of the capture; what the sandbox does not stand in for (cards, tokens, instalments) is not there.
///
/// Source: Omise "Capability API"; the types are payment methods of it.
#[derive(Serialize)]
struct Capability {
    object: &'static str,
    location: &'static str,
    banks: Vec<String>,
    limits: Limits,
    payment_methods: Vec<PaymentMethod>,
    country: &'static str,
    tokenization_methods: [&'static str; 0],
    zero_interest_installments: bool,
}

/// Amounts in satang.
#[derive(Serialize)]
struct Limits {
    #[serde(rename = "charge_amount")]
    charge: Range,
    #[serde(rename = "transfer_amount")]
    transfer: Range,
    #[serde(rename = "installment_amount")]
    installment: Range,
}

#[derive(Serialize)]
struct Range {
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<u64>,
    min: u64,
}

/// A type of linked account, as a payment method.
#[derive(Serialize)]
struct PaymentMethod {
    object: &'static str,
    name: String,
    currencies: [&'static str; 1],
    card_brands: Option<()>,
    installment_terms: Option<()>,
    loan_installment_terms: Option<()>,
    banks: [&'static str; 0],
    provider: Option<()>,
}

impl PaymentMethod {
    fn of(account_type: &AccountType) -> Self {
        Self {
            object: "payment_method",
            name: account_type.to_string(),
            currencies: ["THB"],
            card_brands: None,
            installment_terms: None,
            loan_installment_terms: None,
            banks: [],
            provider: None,
        }
    }
}

/// The body of the answer: every type that can be created here.
pub(crate) fn body() -> serde_json::Result<Vec<u8>> {
    let types = AccountType::DIRECT_DEBIT;
    let capability = Capability {
        object: "capability",
        location: "/capability",
        banks: types.iter().filter_map(Bank::of).map(|bank| bank.short_code.to_ascii_lowercase()).collect(),
        limits: Limits {
            charge: Range { max: Some(500_000_000_000), min: 2_000 },
            transfer: Range { max: Some(100_000_000_000), min: 3_000 },
            installment: Range { max: None, min: 200_000 },
        },
        payment_methods: types.iter().map(PaymentMethod::of).collect(),
        country: "TH",
        tokenization_methods: [],
        zero_interest_installments: false,
    };
    answer::json(&capability)
}
