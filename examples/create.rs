//! Creates a linked account and prints the page where the customer registers.

use std::{env, error::Error, process::ExitCode, time::Duration};

use omise_linked_accounts::{
    API_ORIGIN, API_VERSION, AccountType, BODY_TYPE, CreateParams, MAX_ACCOUNT, ResponseError, ReturnUri, Scalar,
    SecretKey, create,
};
use ureq::{Agent, http};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // Parse the inputs. An error says what was expected and never repeats the key.
    let key = SecretKey::parse(&env::var("OMISE_SECRET_KEY")?)?;
    let origin = env::var("OMISE_API_URL").unwrap_or_else(|_| API_ORIGIN.to_owned()); // or a sandbox
    // The attempt's id: random, and stored before the request is sent.
    let attempt = env::args().nth(1).ok_or("usage: create ATTEMPT_ID")?;
    let return_uri = ReturnUri::parse("https://shop.example/return")?;
    let mut params = CreateParams::new(AccountType::DirectDebitKbank, return_uri);
    params.metadata.insert("attempt", Scalar::from(attempt.as_str()))?;

    // Build the request: a pure function of its parameters.
    let request = create::encode_request(&params);

    // Send it once.
    let client: Agent = Agent::config_builder()
        .http_status_as_error(false) // the core decodes errors too
        .max_redirects(0) // a redirect could take the key to another host
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into();
    let outgoing = http::Request::builder()
        .method(request.method.as_str()) // POST
        .uri(format!("{origin}{}", request.path))
        .header("Authorization", key.authorization()) // Basic, with the key as user name
        .header("Content-Type", BODY_TYPE) // application/x-www-form-urlencoded
        .header("Omise-Version", API_VERSION) // 2019-05-29
        .header("Idempotency-Key", &attempt)
        .body(request.body.unwrap_or_default())?;
    let mut answer = client.run(outgoing)?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(MAX_ACCOUNT as u64).read_to_vec()?;

    // Decode the answer, success or error.
    match create::decode_response(status, &body) {
        Ok(account) => {
            println!("{}: {}", account.id, account.status);
            println!("register at {}", account.registration_uri.unwrap_or_default());
            Ok(ExitCode::SUCCESS)
        }
        // Omise refused: there is no account.
        Err(ResponseError::Api(error)) if error.status < 500 => {
            eprintln!("refused: {error}");
            Ok(ExitCode::FAILURE)
        }
        // An account may exist, as after a lost answer: search for it by its metadata before another attempt.
        Err(error) => Err(error.into()),
    }
}
