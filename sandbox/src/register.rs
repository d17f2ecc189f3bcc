//! The bank: it shows a customer what a shop asks for, takes the answer, and sends the customer back.

use omise_linked_accounts::{LinkedAccountId, Status, message::Locale};
use worker::{Env, Request, Result, console_error};

use crate::{
    account::{Account, Decision},
    answer::BankAnswer,
    bank_account::BankAccount,
    bank_page,
    failure_code::FailureCode,
    language, open_store,
    return_uri::ReturnUri,
    route::BankCall,
    store::Store,
};

/// Answers a visit; if the sandbox itself fails, with a page as well.
pub(crate) async fn handle(call: BankCall, mut req: Request, env: &Env) -> BankAnswer {
    let form = Form::read(call, &mut req).await;
    let asked = form.as_ref().map_or("", |form| form.lang.as_str());
    let locale = language::choose(asked, req.headers().get("Accept-Language").ok().flatten().as_deref());
    let outcome = match form {
        Ok(form) => answer(call, &form, locale, env).await,
        Err(error) => Err(error),
    };
    outcome.unwrap_or_else(|error| {
        console_error!("{error}");
        page(500, bank_page::broken(locale))
    })
}

async fn answer(call: BankCall, form: &Form, locale: Locale, env: &Env) -> Result<BankAnswer> {
    let store = open_store(env).await?;
    let Some(account) = find(&store, &form.reference).await? else { return Ok(unknown(locale)) };
    match call {
        BankCall::Show if account.status == Status::Pending => Ok(question(&account, locale)),
        BankCall::Show => Ok(ended(&account, locale)),
        BankCall::Submit => {
            let Some(decision) = form.decision(&account.id) else { return Ok(incomplete(&account, locale)) };
            if store.settle(&account.id, &decision).await? {
                return Ok(BankAnswer::SeeOther(account.return_uri));
            }
            // it was answered before, or its time is over
            let account = store.find(&account.id).await?;
            Ok(account.map_or_else(|| unknown(locale), |account| ended(&account, locale)))
        }
    }
}

/// What a visit brings: the query of the link, or the page's form.
#[derive(Debug, Default, PartialEq, Eq)]
struct Form {
    reference: String,
    lang: String,
    account: String,
    failure_code: String,
    action: String,
}

impl Form {
    async fn read(call: BankCall, req: &mut Request) -> Result<Self> {
        Ok(match call {
            BankCall::Show => Self::parse(req.url()?.query().unwrap_or_default().as_bytes()),
            BankCall::Submit => Self::parse(&req.bytes().await?),
        })
    }

    /// Reads a form; of fields that appear twice the last one counts.
    fn parse(text: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(text) {
            match &*name {
                "ref" => form.reference = value.into_owned(),
                "lang" => form.lang = value.into_owned(),
                "account" => form.account = value.into_owned(),
                "failure_code" => form.failure_code = value.into_owned(),
                "action" => form.action = value.into_owned(),
                _ => {}
            }
        }
        form
    }

    /// The customer's answer, or the failure that was asked for; `None` where the form has neither.
    fn decision(&self, id: &LinkedAccountId) -> Option<Decision> {
        match self.action.as_str() {
            "approve" => BankAccount::parse(&self.account)
                .map(|chosen| Decision::Approve { last_digits: chosen.last_digits(id) }),
            "decline" => Some(Decision::Decline(FailureCode::RegistrationRejected)),
            "fail" => FailureCode::parse(&self.failure_code).map(Decision::Decline),
            _ => None,
        }
    }
}

async fn find(store: &Store, reference: &str) -> Result<Option<Account>> {
    match LinkedAccountId::parse(reference) {
        Ok(id) => store.find(&id).await,
        Err(_) => Ok(None),
    }
}

fn question(account: &Account, locale: Locale) -> BankAnswer {
    let return_uri = ReturnUri::parse(&account.return_uri);
    BankAnswer::Page {
        status: 200,
        page: bank_page::question(account, return_uri.as_ref(), locale),
        leads_to: return_uri.map(|uri| uri.csp_source()),
    }
}

/// The account is not pending any more.
fn ended(account: &Account, locale: Locale) -> BankAnswer {
    let status = if account.status == Status::Expired { 410 } else { 200 };
    page(status, bank_page::ended(account, ReturnUri::parse(&account.return_uri).as_ref(), locale))
}

fn incomplete(account: &Account, locale: Locale) -> BankAnswer {
    page(400, bank_page::incomplete(account, locale))
}

fn unknown(locale: Locale) -> BankAnswer {
    page(404, bank_page::unknown(locale))
}

fn page(status: u16, page: maud::Markup) -> BankAnswer {
    BankAnswer::Page { status, page, leads_to: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions() {
        let id = LinkedAccountId::parse("lnac_test_5zylnmmt2kl9chq3ip1").unwrap();
        let approve = |account: BankAccount| Some(Decision::Approve { last_digits: account.last_digits(&id) });
        let decline = |failure_code| Some(Decision::Decline(failure_code));
        for (text, expected) in [
            ("ref=a&account=savings&action=approve", approve(BankAccount::Savings)),
            ("action=approve&account=current", approve(BankAccount::Current)),
            ("account=savings&action=decline", decline(FailureCode::RegistrationRejected)),
            ("action=decline", decline(FailureCode::RegistrationRejected)),
            // the customer's own answer has one code
            ("action=decline&failure_code=timeout", decline(FailureCode::RegistrationRejected)),
            ("action=fail&failure_code=registration_rejected", decline(FailureCode::RegistrationRejected)),
            ("failure_code=timeout&account=savings&action=fail", decline(FailureCode::Timeout)),
            ("action=fail", None),
            ("action=fail&failure_code=", None),
            ("action=fail&failure_code=brand_new", None),
            ("failure_code=timeout", None),
            ("action=approve", None),
            ("action=approve&account=other", None),
            ("account=savings", None),
            ("account=savings&action=Approve", None),
            ("", None),
        ] {
            assert_eq!(Form::parse(text.as_bytes()).decision(&id), expected, "{text}");
        }
    }
}
