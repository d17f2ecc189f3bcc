//! Omise's API: the endpoints, and the rules that Omise documents for them.

use omise_linked_accounts::{
    AccountType, ApiError, ErrorCode, LinkedAccount, LinkedAccountId, MAX_PAGE, Metadata, RawMetadata, SecretKey,
    ValidationError, create, delete,
    list::{self, List},
    retrieve,
    search::{self, Search, SearchParams},
};
use worker::{Env, Request, Url};

use crate::{
    account::Account,
    caller::Caller,
    capability,
    chance::{self, Thing},
    clock::Now,
    failure, id, idempotency, index, open_store, parameters,
    profile::Profile,
    return_uri::ReturnUri,
    route::ApiCall,
    selection::Selection,
    settings::Settings,
    store::Part,
};

/// Why a call brings no account: Omise would refuse it, or the sandbox failed.
pub(crate) type Failure = failure::Failure<ApiError>;

impl From<ApiError> for Failure {
    fn from(refusal: ApiError) -> Self {
        Self::Refused(refusal)
    }
}

/// What a request brings.
pub(crate) struct Sent {
    pub(crate) caller: Caller,
    method: String,
    url: Url,
    content_type: Option<String>,
    idempotency_key: Option<String>,
    body: Vec<u8>,
}

impl Sent {
    /// Reads a request, to its end.
    pub(crate) async fn read(req: &mut Request, secret_key: &SecretKey) -> worker::Result<Self> {
        let headers = req.headers();
        Ok(Self {
            caller: Caller::of(&headers.get("Authorization")?.unwrap_or_default(), secret_key),
            method: req.inner().method(),
            url: req.url()?,
            content_type: headers.get("Content-Type")?,
            idempotency_key: headers.get("Idempotency-Key")?,
            body: req.bytes().await?,
        })
    }

    /// The bank's page is where the API is.
    fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The parameters of a request that reads.
    fn query(&self) -> Result<String, ApiError> {
        parameters::as_query(self.url.query().unwrap_or_default(), self.content_type.as_deref(), &self.body)
    }
}

/// Answers a call with the body of a 200.
pub(crate) async fn handle(call: ApiCall<'_>, sent: &Sent, env: &Env, settings: &Settings) -> Result<Vec<u8>, Failure> {
    if !sent.caller.may(call) {
        return Err(ApiError::new(401, ErrorCode::AuthenticationFailure, "authentication failed").into());
    }
    let origin = sent.origin();
    match call {
        ApiCall::Create => {
            let account = create_account(sent, env, settings);
            match sent.idempotency_key.as_deref().filter(|_| settings.profile == Profile::Extended) {
                Some(key) => idempotency::once(env, settings, key, &sent.body, account).await,
                None => account.await,
            }
        }
        ApiCall::List => {
            let params = list::decode_request(&sent.query()?).map_err(|error| invalid(&error))?;
            let store = open_store(env).await?;
            let Part { accounts, total } = store.select(&Selection::list(&params, store.now())).await?;
            let list = List::new(show(accounts, &origin), total, &params, store.now());
            Ok(readable(list::encode_response(&list), "limit")?)
        }
        ApiCall::Search => search_accounts(search::decode_request(&sent.query()?), env, &origin).await,
        ApiCall::ScopedSearch => search_accounts(search::decode_scoped_request(&sent.query()?), env, &origin).await,
        ApiCall::Capability => Ok(capability::body()?),
        ApiCall::Retrieve(text) => {
            let id = parse_id(text)?;
            let account = open_store(env).await?.find(&id).await?.ok_or_else(|| no_such_account(text))?;
            Ok(retrieve::encode_response(&account.into_linked_account(&origin)))
        }
        ApiCall::Delete(text) => {
            let id = parse_id(text)?;
            let store = open_store(env).await?;
            if let Some(account) = store.delete(&id).await? {
                return Ok(delete::encode_response(&account.into_linked_account(&origin)));
            }
            store.find(&id).await?.ok_or_else(|| no_such_account(text))?;
            Err(bad_request("linked account is not registered").into())
        }
        ApiCall::Unknown => Err(index::not_found(&sent.method, sent.url.path()).into()),
    }
}

/// Creates an account and shows it.
async fn create_account(sent: &Sent, env: &Env, settings: &Settings) -> Result<Vec<u8>, Failure> {
    let profile = settings.profile;
    let fields = create::decode_request(sent.content_type.as_deref(), &sent.body)
        .map_err(|error| bad_request(&error.to_string()))?;
    let new = NewAccount::check(fields, profile)?;

    let now = Now::read(env).await?;
    let chance = chance::rising(env, settings.seed, Thing::Account).await?;
    let id = LinkedAccountId::parse(&id::mint(profile.id_prefix(), now.millis, chance));
    let id = id.map_err(|error| worker::Error::RustError(error.to_string()))?;
    let account = Account::pending(id, new.account_type, new.return_uri, new.metadata, now.timestamp);
    let origin = sent.origin();
    if !open_store(env).await?.add(&account, &origin, profile.account_limit()).await? {
        // the reference has this cause without a code
        return Err(ApiError::new(422, ErrorCode::BadRequest, "Account limit reached").into());
    }
    Ok(create::encode_response(&account.into_linked_account(&origin)))
}

/// Answers a search, by either path.
async fn search_accounts(
    params: Result<SearchParams, ValidationError>,
    env: &Env,
    origin: &str,
) -> Result<Vec<u8>, Failure> {
    let params = params.map_err(|error| invalid(&error))?;
    let Part { accounts, total } = open_store(env).await?.select(&Selection::search(&params)).await?;
    let search = Search::new(show(accounts, origin), total, &params);
    Ok(readable(search::encode_response(&search), "per_page")?)
}

fn show(accounts: Vec<Account>, origin: &str) -> Vec<LinkedAccount> {
    accounts.into_iter().map(|account| account.into_linked_account(origin)).collect()
}

/// The body, if it is no longer than what is read of a page: a hundred accounts whose metadata are as long as they may be are
/// longer. To leave some of them out would lose them to who counts on; `limit` is the parameter that asks for fewer.
fn readable(body: Vec<u8>, limit: &str) -> Result<Vec<u8>, ApiError> {
    if body.len() > MAX_PAGE {
        return Err(bad_request(&format!("{limit}: expected fewer, for this page takes more than {MAX_PAGE} bytes")));
    }
    Ok(body)
}

/// What Omise accepts as a new account. The account holder's identity number was checked and is dropped.
#[derive(Debug, PartialEq)]
struct NewAccount {
    account_type: AccountType,
    return_uri: String,
    metadata: RawMetadata,
}

impl NewAccount {
    /// Applies Omise's rules, the first broken one being the answer. How Omise orders them is not documented.
    fn check(fields: create::Fields, profile: Profile) -> Result<Self, ApiError> {
        let given = |field: Option<String>| field.filter(|text| !text.is_empty());

        let account_type = given(fields.account_type).ok_or_else(|| bad_request("Type is required"))?;
        let account_type = AccountType::from(account_type.as_str());
        if !account_type.is_direct_debit() {
            return Err(profile.type_refused(&account_type));
        }
        let return_uri = given(fields.return_uri).ok_or_else(|| bad_request("Return uri is required"))?;
        if ReturnUri::parse(&return_uri).is_none() {
            return Err(bad_request("Return uri is not a valid URI"));
        }
        if let Some(Err(_)) = fields.citizen_id {
            return Err(bad_request("Citizen id is invalid"));
        }
        let chars = serde_json::to_string(&fields.metadata).map(|json| json.chars().count());
        if !chars.is_ok_and(|chars| chars <= Metadata::MAX_CHARS) {
            return Err(bad_request("Metadata is too long"));
        }
        Ok(Self { account_type, return_uri, metadata: fields.metadata })
    }
}

/// No account has an id that is not of the form of one.
fn parse_id(text: &str) -> Result<LinkedAccountId, ApiError> {
    LinkedAccountId::parse(text).map_err(|_| no_such_account(text))
}

fn no_such_account(id: &str) -> ApiError {
    ApiError::new(404, ErrorCode::NotFound, format!("linked account {id} was not found"))
}

fn invalid(error: &ValidationError) -> ApiError {
    bad_request(&error.to_string())
}

fn bad_request(message: &str) -> ApiError {
    ApiError::new(400, ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> Result<NewAccount, String> {
        let fields = create::decode_request(None, body.as_bytes()).unwrap();
        NewAccount::check(fields, Profile::Official).map_err(|error| String::from_utf8(error.encode()).unwrap())
    }

    #[test]
    fn the_first_broken_rule_is_the_answer() {
        let long = format!("type=direct_debit_scb&return_uri=https://s.example&metadata[k]={}", "a".repeat(14_993));
        for (body, message) in [
            ("", "Type is required"),
            ("type=", "Type is required"),
            ("return_uri=x&citizen_id=1", "Type is required"),
            ("type=direct_debit_uob", "Type is not supported"),
            ("type=individual", "Type is not supported"),
            ("type=DIRECT_DEBIT_SCB", "Type is not supported"),
            ("type=direct_debit_scb", "Return uri is required"),
            ("type=direct_debit_scb&return_uri=&citizen_id=1", "Return uri is required"),
            ("type=direct_debit_scb&return_uri=shop.example&citizen_id=1", "Return uri is not a valid URI"),
            ("type=direct_debit_scb&return_uri=https://s.example&citizen_id=1101700230709", "Citizen id is invalid"),
            (&long, "Metadata is too long"),
        ] {
            let error = check(body).unwrap_err();
            assert!(error.contains(&format!("\"message\": \"{message}\"\n")), "{body:.80}: {error}");
            assert!(error.contains("\"code\": \"bad_request\""), "{error}");
        }
    }

    #[test]
    fn every_direct_debit_type_can_be_created() {
        for account_type in AccountType::DIRECT_DEBIT {
            let new =
                check(&format!("type={account_type}&return_uri=http://s.example&citizen_id=1101700230708")).unwrap();
            assert_eq!((new.account_type, new.return_uri.as_str()), (account_type, "http://s.example"));
        }
    }

    #[test]
    fn as_much_metadata_as_fits() {
        // {"k":"…"} is 8 characters around the text
        let body = format!("type=direct_debit_scb&return_uri=https://s.example&metadata[k]={}", "ก".repeat(14_992));
        assert!(check(&body).is_ok());
    }
}
