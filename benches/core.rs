//! What the calls on the way of a customer cost: `cargo bench --package omise-linked-accounts`.

#![allow(clippy::unwrap_used, reason = "a benchmark stops where its own inputs are wrong")]

use divan::{Bencher, black_box};
use omise_linked_accounts::{
    AccountType, CitizenId, CreateParams, CreatePolicy, CreateRequest, Json, LinkedAccountId, Mode, ReturnUri,
    ReturnUriPolicy, Scalar, Timestamp, create, retrieve,
    webhook::{WebhookSecret, sign, verify},
};

const RETURN_URI: &str = "https://shop.example/return?order=A-17";

const VALID: &[u8] = br#"{"type":"direct_debit_scb","return_uri":"https://shop.example/return?order=A-17",
"citizen_id":"1101700230708","metadata":{"order":"A-17","items":3,"gift":true}}"#;

const TEN_ISSUES: &[u8] = br#"{"type":"direct_debit_uob","return_uri":"https://shop.example/a/../b","citizen_id":"1101700230709",
"metadata":{"a":null,"b":{},"linked_accounts_x":1,"c[d]":1,"n":9007199254740993},"replace_pending":"yes","livemode":true}"#;

/// The official sample of an account that was unlinked.
const ACCOUNT: &[u8] = br#"{
  "object": "linked_account",
  "id": "lnac_test_5zz3p29a4lxkzvs2jim",
  "livemode": false,
  "location": "/linked_accounts/lnac_test_5zz3p29a4lxkzvs2jim",
  "registration_uri": "http://test.staging-omise.co/register?ref=lnac_test_5zz3p29a4lxkzvs2jim",
  "return_uri": "http://example.com/accounts/345678/complete",
  "type": "direct_debit_kbank",
  "status": "deleted",
  "last_digits": "7890",
  "metadata": {},
  "failure_code": null,
  "failure_message": null,
  "registered_at": "2024-06-04T10:56:45Z",
  "expires_at": "2024-06-05T10:56:07Z",
  "created_at": "2024-06-04T10:56:07Z"
}
"#;

fn main() {
    // one run takes little more than the clock's precision
    divan::Divan::from_args().sample_size(100).main();
}

/// The Worker's: one bank, one address.
fn policy() -> CreatePolicy {
    let prefix = ReturnUri::parse("https://shop.example/return").unwrap();
    CreatePolicy::new(vec![AccountType::DirectDebitScb], ReturnUriPolicy::new([prefix], Mode::Live))
}

#[divan::bench]
fn validate_create(bencher: Bencher) {
    let policy = policy();
    bencher.bench(|| CreateRequest::validate(Json::parse(black_box(VALID)).unwrap(), &policy).unwrap());
}

#[divan::bench]
fn validate_create_with_ten_issues(bencher: Bencher) {
    let policy = policy();
    let validate = || CreateRequest::validate(Json::parse(black_box(TEN_ISSUES)).unwrap(), &policy).unwrap_err();
    assert_eq!(validate().issues().len(), 10);
    bencher.bench(validate);
}

#[divan::bench]
fn parse_account(bencher: Bencher) {
    let id = LinkedAccountId::parse("lnac_test_5zz3p29a4lxkzvs2jim").unwrap();
    bencher.bench(|| retrieve::decode_response(&id, 200, black_box(ACCOUNT)).unwrap());
}

#[divan::bench]
fn verify_webhook_of_1_kb(bencher: Bencher) {
    let secrets = [WebhookSecret::parse("c2l4dGVlbi1ieXRlcy1vci1tb3Jl").unwrap()];
    let (time, body) = ("1717387874", [b'x'; 1024]);
    let signature = sign(&secrets[0], time, &body);
    let now = Timestamp::from_unix(1_717_387_900).unwrap();
    bencher.bench(|| verify(&secrets, &signature, time, black_box(&body), now).unwrap());
}

#[divan::bench]
fn parse_return_uri(bencher: Bencher) {
    bencher.bench(|| ReturnUri::parse(black_box(RETURN_URI)).unwrap());
}

#[divan::bench]
fn encode_create(bencher: Bencher) {
    let mut params = CreateParams::new(AccountType::DirectDebitScb, ReturnUri::parse(RETURN_URI).unwrap());
    params.citizen_id = Some(CitizenId::parse("1101700230708").unwrap());
    params.metadata.insert("order", Scalar::from("A-17")).unwrap();
    bencher.bench(|| create::encode_request(black_box(&params)));
}
