//! Creates a linked account, says where to send the customer, and reads the account once more.
//!
//! The core crate writes the requests and reads the answers; an ordinary HTTP client carries them.

use std::{env, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use omise_linked_accounts::{
    API_ORIGIN, API_VERSION, AccountType, BODY_TYPE, CreateParams, LinkedAccount, LinkedAccountId, MAX_ACCOUNT, Mode,
    Request, ReturnUri, Scalar, SecretKey, create, retrieve,
};
use ureq::{Agent, http};

const USAGE: &str = "usage: create_account TYPE RETURN_URI [ORDER]
  such as: create_account direct_debit_kbank https://shop.example/return A-17";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // one line, with every cause; no error of the core repeats a key or an identity number
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let omise = Omise::from_env()?;
    let params = params(env::args().skip(1))?;

    let account = omise.create(&params)?;
    println!("id: {}", account.id);
    println!("status: {}", account.status);
    println!("registration_uri: {}", account.registration_uri.as_deref().unwrap_or("none"));

    // Keep the id before the customer leaves. When he is back, only this tells what came of it: a return proves nothing.
    let account = omise.retrieve(&account.id)?;
    println!("status, read again: {}", account.status);
    Ok(())
}

/// What to create, from the arguments.
fn params(mut arguments: impl Iterator<Item = String>) -> Result<CreateParams> {
    let (account_type, return_uri) = arguments.next().zip(arguments.next()).context(USAGE)?;
    let order = arguments.next();
    ensure!(arguments.next().is_none(), USAGE);

    let account_type = AccountType::from(account_type.as_str());
    if !account_type.is_direct_debit() {
        bail!("TYPE: expected one of {}", AccountType::DIRECT_DEBIT.each_ref().map(AccountType::as_str).join(", "));
    }
    let return_uri = ReturnUri::parse(&return_uri).context("RETURN_URI")?;
    let mut params = CreateParams::new(account_type, return_uri);
    if let Some(order) = order {
        // With this the account can be found again, should the answer that brings its id get lost.
        params.metadata.insert("order", Scalar::from(order.as_str())).context("ORDER")?;
    }
    Ok(params)
}

/// Omise's API, as this program reaches it.
struct Omise {
    url: String,
    key: SecretKey,
    http: Agent,
}

impl Omise {
    fn from_env() -> Result<Self> {
        let key = env::var("OMISE_SECRET_KEY").context("OMISE_SECRET_KEY")?;
        let key = SecretKey::parse(&key).context("OMISE_SECRET_KEY")?;
        let url = env::var("OMISE_API_URL").unwrap_or_else(|_| API_ORIGIN.to_owned());
        check_api_url(&url, key.mode()).context("OMISE_API_URL")?;
        let http = Agent::config_builder()
            // a redirect would take the key elsewhere
            .max_redirects(0)
            // the core reads errors too
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .new_agent();
        Ok(Self { url, key, http })
    }

    fn create(&self, params: &CreateParams) -> Result<LinkedAccount> {
        const IN_DOUBT: &str = "create is in doubt: an account may exist";

        // Never sent again, whatever comes. In doubt, search for the account by its metadata.
        let (status, body) = self.send(&create::encode_request(params)).context(IN_DOUBT)?;
        let refused = (400..500).contains(&status);
        create::decode_response(status, &body).context(if refused { "create" } else { IN_DOUBT })
    }

    fn retrieve(&self, id: &LinkedAccountId) -> Result<LinkedAccount> {
        // This may be repeated; `omise_linked_accounts::retry` says when.
        let (status, body) = self.send(&retrieve::encode_request(id)).context("retrieve")?;
        retrieve::decode_response(id, status, &body).context("retrieve")
    }

    /// Sends a request; gives status and body of whatever is answered.
    fn send(&self, request: &Request) -> Result<(u16, Vec<u8>)> {
        let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let mut http = http::Request::builder()
            .method(request.method.as_str())
            .uri(format!("{}{}{query}", self.url, request.path))
            .header("Authorization", self.key.authorization())
            .header("Omise-Version", API_VERSION);
        if request.body.is_some() {
            http = http.header("Content-Type", BODY_TYPE);
        }
        // an absent body is not an empty one: a GET has none
        let answer = match &request.body {
            Some(body) => self.http.run(http.body(body.as_str())?),
            None => self.http.run(http.body(())?),
        };
        let mut answer = answer?;
        let body = answer.body_mut().with_config().limit(MAX_ACCOUNT as u64).read_to_vec()?;
        Ok((answer.status().as_u16(), body))
    }
}

/// The key goes to https only, or with a test key to a sandbox on this machine.
fn check_api_url(url: &str, mode: Mode) -> Result<()> {
    let uri: http::Uri = url.parse().context("not an address")?;
    let local = matches!(uri.host(), Some("127.0.0.1" | "[::1]" | "localhost")) && mode == Mode::Test;
    ensure!(
        uri.scheme_str() == Some("https") || uri.scheme_str() == Some("http") && local,
        "expected https, or with a test key http on a loopback host"
    );
    ensure!(
        !url.ends_with('/') && uri.path() == "/" && uri.query().is_none(),
        "expected no path and no slash at the end"
    );
    Ok(())
}
