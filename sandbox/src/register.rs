//! The bank: it shows a customer what a shop asks for, takes the answer, and sends the customer back.

use omise_linked_accounts::{LinkedAccountId, Status};
use worker::{Env, Request, Result};

use crate::{
    account::{Account, Decision},
    answer::BankAnswer,
    bank_account::BankAccount,
    bank_page, open_store,
    return_uri::ReturnUri,
    route::BankCall,
    store::Store,
};

/// Answers a visit.
pub(crate) async fn handle(call: BankCall, mut req: Request, env: &Env) -> Result<BankAnswer> {
    let store = open_store(env).await?;
    match call {
        BankCall::Show => {
            let url = req.url()?;
            let form = Form::parse(url.query().unwrap_or_default().as_bytes());
            match find(&store, &form).await? {
                None => Ok(unknown()),
                Some(account) if account.status == Status::Pending => Ok(question(&account)),
                Some(account) => Ok(ended(&account)),
            }
        }
        BankCall::Submit => {
            let form = Form::parse(&req.bytes().await?);
            let Some(account) = find(&store, &form).await? else { return Ok(unknown()) };
            let Some(decision) = form.decision(&account.id) else { return Ok(incomplete(&account)) };
            if store.settle(&account.id, &decision).await? {
                return Ok(BankAnswer::SeeOther(account.return_uri));
            }
            // it was answered before, or its time is over
            Ok(store.find(&account.id).await?.map_or_else(unknown, |account| ended(&account)))
        }
    }
}

/// What a visit brings: the query of the link, or the page's form.
#[derive(Debug, Default, PartialEq, Eq)]
struct Form {
    reference: String,
    account: String,
    action: String,
}

impl Form {
    /// Reads a form; of fields that appear twice the last one counts.
    fn parse(text: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(text) {
            match &*name {
                "ref" => form.reference = value.into_owned(),
                "account" => form.account = value.into_owned(),
                "action" => form.action = value.into_owned(),
                _ => {}
            }
        }
        form
    }

    /// The customer's answer; `None` where the form has none.
    fn decision(&self, id: &LinkedAccountId) -> Option<Decision> {
        match self.action.as_str() {
            "approve" => BankAccount::parse(&self.account)
                .map(|chosen| Decision::Approve { last_digits: chosen.last_digits(id) }),
            "decline" => Some(Decision::Decline),
            _ => None,
        }
    }
}

async fn find(store: &Store, form: &Form) -> Result<Option<Account>> {
    match LinkedAccountId::parse(&form.reference) {
        Ok(id) => store.find(&id).await,
        Err(_) => Ok(None),
    }
}

fn question(account: &Account) -> BankAnswer {
    let return_uri = ReturnUri::parse(&account.return_uri);
    BankAnswer::Page {
        status: 200,
        page: bank_page::question(account, return_uri.as_ref()),
        leads_to: return_uri.map(|uri| uri.csp_source()),
    }
}

/// The account is not pending any more.
fn ended(account: &Account) -> BankAnswer {
    let status = if account.status == Status::Expired { 410 } else { 200 };
    page(status, bank_page::ended(account, ReturnUri::parse(&account.return_uri).as_ref()))
}

fn incomplete(account: &Account) -> BankAnswer {
    page(400, bank_page::incomplete(account))
}

fn unknown() -> BankAnswer {
    page(404, bank_page::unknown())
}

/// The page when the sandbox itself fails.
pub(crate) fn broken() -> BankAnswer {
    page(500, bank_page::broken())
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
        for (text, expected) in [
            ("ref=a&account=savings&action=approve", approve(BankAccount::Savings)),
            ("action=approve&account=current", approve(BankAccount::Current)),
            ("account=savings&action=decline", Some(Decision::Decline)),
            ("action=decline", Some(Decision::Decline)),
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
