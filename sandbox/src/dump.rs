//! The state of the sandbox as one JSON document, to be kept and loaded again: accounts, clock, and how far a seed's sequences are,
//! so that the same requests after the same document have the same answers. It holds no secret of the sandbox's own. Requests,
//! faults, events and what was answered to an `Idempotency-Key` are no part of it.

use std::collections::BTreeSet;

use omise_linked_accounts::{AccountType, LinkedAccountId, Metadata, Mode, RawMetadata, Status, Timestamp};
use serde::{Deserialize, Serialize};
use worker::{D1Database, D1PreparedStatement, Env, Result};

use crate::{
    account::Account, chance::Drawn, clock::Clock, fault, journal, rate_limit, return_uri::ReturnUri, search_text,
};

/// The form of the document.
const VERSION: u32 = 1;
/// What removes the state. Clock and sequences then are as they were at first.
const EMPTY: [&str; 6] = [
    "DELETE FROM deliveries",
    "DELETE FROM events",
    "DELETE FROM accounts",
    "DELETE FROM clock",
    "DELETE FROM chance",
    "DELETE FROM idempotency_keys",
];
/// What removes what was said of webhooks at run time: the settings hold again.
const UNSAY: [&str; 2] = ["DELETE FROM webhook", "DELETE FROM webhook_secrets"];
/// The most bytes that one statement takes: D1 takes two million.
const MAX_ROWS: usize = 500_000;
/// The longest `return_uri` that is loaded, in bytes, so that an account fits into a statement.
const MAX_RETURN_URI: usize = 100_000;

/// The document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dump {
    version: u32,
    clock: DumpedClock,
    /// How many draws of the seed's were taken; without a seed none are.
    chance: Drawn,
    /// In the order of their creation.
    accounts: Vec<Kept>,
}

/// The clock. `ahead_ms` is by the machine's clock of wherever it is loaded.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DumpedClock {
    ahead_ms: i64,
    stands_at_ms: Option<u64>,
}

/// An account in the document.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Kept(#[serde(with = "DumpedAccount")] Account);

/// What the document has of an account: each of its fields by the name of its column, `metadata` as JSON.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Account", deny_unknown_fields)]
struct DumpedAccount {
    id: LinkedAccountId,
    #[serde(rename = "type")]
    kind: AccountType,
    return_uri: String,
    metadata: RawMetadata,
    status: Status,
    last_digits: Option<String>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    registered_at: Option<Timestamp>,
    expires_at: Timestamp,
    created_at: Timestamp,
}

/// Whether the sandbox could have come to this account; else which field is wrong, and what was expected.
fn check(account: &Account) -> std::result::Result<(), &'static str> {
    if account.id.mode() != Mode::Test {
        return Err("id: expected one of test mode");
    }
    if !account.kind.is_direct_debit() {
        return Err("type: expected one of direct debit");
    }
    if account.return_uri.len() > MAX_RETURN_URI || ReturnUri::parse(&account.return_uri).is_none() {
        return Err("return_uri: expected an absolute http or https URI");
    }
    let chars = serde_json::to_string(&account.metadata).map(|json| json.chars().count());
    if !chars.is_ok_and(|chars| chars <= Metadata::MAX_CHARS) {
        return Err("metadata: expected 15,000 characters at most");
    }
    let (registered, failed) = match account.status {
        Status::Pending | Status::Expired => (false, false),
        Status::Successful | Status::Deleted => (true, false),
        Status::Failed => (false, true),
        _ => return Err("status: expected pending, successful, failed, expired or deleted"),
    };
    let is_digits = |text: &String| text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    if account.last_digits.is_some() != registered || !account.last_digits.as_ref().is_none_or(is_digits) {
        return Err("last_digits: expected four digits where status is successful or deleted, else null");
    }
    if account.registered_at.is_some() != registered {
        return Err("registered_at: expected a time where status is successful or deleted, else null");
    }
    if account.failure_code.is_some() != failed {
        return Err("failure_code: expected a text where status is failed, else null");
    }
    if account.failure_message.is_some() != failed {
        return Err("failure_message: expected a text where status is failed, else null");
    }
    Ok(())
}

impl Dump {
    /// Whether all of it can be loaded.
    ///
    /// # Errors
    ///
    /// Which field is wrong, and what was expected.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        if self.version != VERSION {
            return Err(format!("version: expected {VERSION}"));
        }
        let max = Clock::MAX_MILLIS;
        if self.clock.ahead_ms.unsigned_abs() > max {
            return Err(format!("clock.ahead_ms: expected a whole number from -{max} to {max}"));
        }
        if self.clock.stands_at_ms.is_some_and(|at| at > max) {
            return Err(format!("clock.stands_at_ms: expected a whole number from 0 to {max}, or null"));
        }
        self.chance.check().map_err(|fault| format!("chance.{fault}"))?;
        let mut ids = BTreeSet::new();
        for (i, Kept(account)) in self.accounts.iter().enumerate() {
            check(account).map_err(|fault| format!("accounts[{i}].{fault}"))?;
            if !ids.insert(&account.id) {
                return Err(format!("accounts[{i}].id: expected another one than that of an account before it"));
            }
        }
        Ok(())
    }

    /// The state as it is.
    pub(crate) async fn take(env: &Env) -> Result<Self> {
        let Clock { ahead, stands_at } = Clock::load(env).await?;
        let rows = env.d1("DB")?.prepare("SELECT * FROM accounts ORDER BY created_at, id").all().await?;
        let accounts: Vec<Account> = rows.results()?;
        let clock = DumpedClock { ahead_ms: ahead, stands_at_ms: stands_at };
        let chance = Drawn::load(env).await?;
        Ok(Self { version: VERSION, clock, chance, accounts: accounts.into_iter().map(Kept).collect() })
    }

    /// Puts this state in place of what there is, as a whole or, where that fails, not at all. It must be checked. `origin` is where
    /// the bank's page is.
    pub(crate) async fn load(self, origin: &str, env: &Env) -> Result<()> {
        let db = env.d1("DB")?;
        let mut statements = prepare(&db, &EMPTY);
        for rows in chunks(&self.accounts)? {
            statements.push(insert(&db, &rows, origin)?);
        }
        let DumpedClock { ahead_ms: ahead, stands_at_ms: stands_at } = self.clock;
        statements.push(Clock { ahead, stands_at }.statement(&db)?);
        statements.extend(self.chance.statements(&db)?);
        run(&db, statements).await
    }
}

/// Makes the sandbox as it was at first: no accounts, events, requests or faults; clock, seed and webhook as they started.
pub(crate) async fn reset(env: &Env) -> Result<()> {
    let db = env.d1("DB")?;
    run(&db, [prepare(&db, &EMPTY), prepare(&db, &UNSAY)].concat()).await?;
    journal::clear();
    fault::clear();
    rate_limit::clear();
    Ok(())
}

fn prepare(db: &D1Database, statements: &[&str]) -> Vec<D1PreparedStatement> {
    statements.iter().map(|sql| db.prepare(*sql)).collect()
}

/// Runs statements in one transaction.
async fn run(db: &D1Database, statements: Vec<D1PreparedStatement>) -> Result<()> {
    let done = db.batch(statements).await;
    Clock::forget();
    done.map(drop)
}

/// The statement that adds the accounts of a JSON array of rows: as one value, for a statement takes a hundred.
fn insert(db: &D1Database, rows: &str, origin: &str) -> Result<D1PreparedStatement> {
    let sql = "INSERT INTO accounts (id, type, return_uri, metadata, status, last_digits, failure_code, failure_message,
                 registered_at, expires_at, created_at, search_text, origin)
               SELECT value ->> 'id', value ->> 'type', value ->> 'return_uri', value ->> 'metadata_text', value ->> 'status',
                 value ->> 'last_digits', value ->> 'failure_code', value ->> 'failure_message', value ->> 'registered_at',
                 value ->> 'expires_at', value ->> 'created_at', value ->> 'search_text', ?2
               FROM json_each(?1)";
    db.prepare(sql).bind(&[rows.into(), origin.into()])
}

/// A row of the table `accounts`, as JSON.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    account: &'a Kept,
    /// `metadata` as the table has it, to the letter.
    metadata_text: String,
    search_text: String,
}

/// Rows as JSON arrays, each no longer than a statement takes.
fn chunks(accounts: &[Kept]) -> serde_json::Result<Vec<String>> {
    let mut chunks: Vec<String> = Vec::new();
    for account in accounts {
        let metadata_text = serde_json::to_string(&account.0.metadata)?;
        let row = serde_json::to_string(&Row { account, metadata_text, search_text: search_text::of(&account.0) })?;
        match chunks.last_mut() {
            Some(chunk) if chunk.len() + row.len() < MAX_ROWS => {
                chunk.push(',');
                chunk.push_str(&row);
            }
            _ => chunks.push(format!("[{row}")),
        }
    }
    for chunk in &mut chunks {
        chunk.push(']');
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json, value::RawValue};

    use super::*;

    const ID: &str = "lnac_test_5zylnmmt2kl9chq3ip1";

    /// A good account.
    fn account(status: &str, id: &str, seconds: i64) -> Value {
        let time = |plus: i64| Timestamp::from_unix(seconds + plus).unwrap().to_string();
        let registered = matches!(status, "successful" | "deleted");
        let failed = status == "failed";
        json!({
            "id": id,
            "type": "direct_debit_scb",
            "return_uri": "https://shop.example/return?a=%2F#x",
            "metadata": {},
            "status": status,
            "last_digits": registered.then_some("0042"),
            "failure_code": failed.then_some("registration_rejected"),
            "failure_message": failed.then_some("No."),
            "registered_at": registered.then(|| time(60)),
            "expires_at": time(86_400),
            "created_at": time(0),
        })
    }

    fn dump(accounts: &[Value]) -> Value {
        json!({ "version": 1, "clock": { "ahead_ms": 0, "stands_at_ms": null }, "chance": { "account": 0, "event": 0, "request": 0 }, "accounts": accounts })
    }

    fn parse(json: &Value) -> Result<Dump, String> {
        let dump: Dump = serde_json::from_str(&json.to_string()).map_err(|error| error.to_string())?;
        dump.check()?;
        Ok(dump)
    }

    #[test]
    fn what_is_refused() {
        let live = ["lnac", "5zylnmmt2kl9chq3ip1"].join("_");
        let long = "a".repeat(15_000);
        for (status, field, value, fault) in [
            ("pending", "id", json!(live), "id: expected one of test mode"),
            ("pending", "type", json!("individual"), "type: expected one of direct debit"),
            ("pending", "type", json!("direct_debit_uob"), "type: expected one of direct debit"),
            ("pending", "return_uri", json!("shop-app://x"), "return_uri: expected an absolute http or https URI"),
            (
                "pending",
                "return_uri",
                json!(format!("https://shop.example/{}", "a".repeat(100_000))),
                "return_uri: expected an absolute http or https URI",
            ),
            ("pending", "metadata", json!({ "a": long }), "metadata: expected 15,000 characters at most"),
            (
                "pending",
                "status",
                json!("suspended"),
                "status: expected pending, successful, failed, expired or deleted",
            ),
            ("pending", "last_digits", json!("1234"), "last_digits: expected four digits where"),
            ("expired", "last_digits", json!("1234"), "last_digits: expected four digits where"),
            ("successful", "last_digits", Value::Null, "last_digits: expected four digits where"),
            ("successful", "last_digits", json!("123"), "last_digits: expected four digits where"),
            ("deleted", "last_digits", json!("12a4"), "last_digits: expected four digits where"),
            ("successful", "registered_at", Value::Null, "registered_at: expected a time where"),
            ("failed", "registered_at", json!("2024-06-03T04:11:14Z"), "registered_at: expected a time where"),
            ("failed", "failure_code", Value::Null, "failure_code: expected a text where"),
            ("successful", "failure_code", json!("x"), "failure_code: expected a text where"),
            ("failed", "failure_message", Value::Null, "failure_message: expected a text where"),
            ("pending", "failure_message", json!("x"), "failure_message: expected a text where"),
        ] {
            let mut wrong = account(status, "lnac_test_1", 0);
            wrong[field] = value;
            let found = parse(&dump(&[account(status, ID, 0), wrong])).err().unwrap();
            assert!(found.starts_with(&format!("accounts[1].{fault}")), "{status}, {field}: {found}");
        }
        let twice = parse(&dump(&[account("failed", ID, 0), account("pending", ID, 9)])).err();
        assert_eq!(twice.unwrap(), "accounts[1].id: expected another one than that of an account before it");
        let mut other = dump(&[]);
        other["version"] = json!(2);
        assert_eq!(parse(&other).err().unwrap(), "version: expected 1");
        for (field, value) in [("ahead_ms", -95_617_584_000_000_i64), ("stands_at_ms", 95_617_584_000_000)] {
            let mut late = dump(&[]);
            late["clock"][field] = json!(value);
            assert!(parse(&late).err().unwrap().starts_with(&format!("clock.{field}: expected a whole number from ")));
        }
        let mut much = dump(&[]);
        much["chance"]["request"] = json!(1_000_000_001);
        assert_eq!(parse(&much).err().unwrap(), "chance.request: expected a whole number from 0 to 1000000000");
        for field in ["citizen_id", "search_text"] {
            let mut more = account("pending", ID, 0);
            more[field] = json!("1101700230708");
            let found = parse(&dump(&[more])).err().unwrap();
            assert!(found.starts_with(&format!("unknown field `{field}`")) && !found.contains("110170"), "{found}");
        }
    }

    #[test]
    fn chunks_are_bounded() {
        let metadata = json!({ "a": "ก".repeat(14_000) });
        let accounts: Vec<Value> = (0..40)
            .map(|i| {
                let mut account = account("pending", &format!("lnac_test_{i}"), i);
                account["metadata"] = metadata.clone();
                account
            })
            .collect();
        let chunks = chunks(&parse(&dump(&accounts)).unwrap().accounts).unwrap();
        assert!(chunks.len() > 1);
        assert!(chunks.iter().all(|chunk| chunk.len() < MAX_ROWS + 2));
        let rows = chunks.iter().map(|chunk| serde_json::from_str::<Vec<Value>>(chunk).unwrap().len());
        assert_eq!(rows.sum::<usize>(), 40);
        assert!(super::chunks(&[]).unwrap().is_empty());
    }

    /// JSON that a caller may have sent as a value of metadata.
    fn raw_value() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>().prop_map(|text| json!(text).to_string()),
            "-?[1-9][0-9]{0,30}(\\.[0-9]{1,5}0)?(e[0-9]{1,3})?",
            Just(r#""\ud800\u0000\/""#.to_owned()),
            Just(r#"{"b":[null,1.50,{"a":"'"}],"a":true}"#.to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn a_document_that_was_read_is_written_the_same(
            statuses in proptest::collection::vec(0_usize..5, 0..6),
            raw in proptest::collection::vec(raw_value(), 1..4),
            seconds in 0..4_000_000_000_i64,
            clock in (any::<i32>(), proptest::option::of(0..Clock::MAX_MILLIS)),
            drawn in 0..=1_000_000_000_u32,
        ) {
            let members = raw.iter().enumerate().map(|(i, value)| format!("\"k{i}\":{value}")).collect::<Vec<_>>();
            let metadata = format!("{{{}}}", members.join(","));
            let accounts: Vec<Value> = statuses
                .iter()
                .enumerate()
                .map(|(i, status)| account(Status::OFFICIAL[*status].as_str(), &format!("lnac_test_{i}"), seconds))
                .collect();
            let mut document = dump(&accounts);
            document["clock"] = json!({ "ahead_ms": clock.0, "stands_at_ms": clock.1 });
            document["chance"] = json!({ "account": drawn, "event": 7, "request": 0 });
            let text = document.to_string().replace("\"metadata\":{}", &format!("\"metadata\":{metadata}"));

            let read: Dump = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read.check(), Ok(()));
            let written = serde_json::to_string(&read).unwrap();
            let again: Dump = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(serde_json::to_string(&again).unwrap(), written);
            for Kept(account) in &again.accounts {
                prop_assert_eq!(serde_json::to_string(&account.metadata).unwrap(), metadata.as_str());
            }

            // and so the rows are; a lone surrogate is no text of Rust's
            let chunks = chunks(&again.accounts).unwrap();
            let rows = chunks.iter().map(|chunk| serde_json::from_str::<Vec<BTreeMap<&str, &RawValue>>>(chunk).unwrap());
            let rows: Vec<_> = rows.flatten().collect();
            prop_assert_eq!(rows.len(), accounts.len());
            for (row, account) in rows.iter().zip(&accounts) {
                prop_assert_eq!(row["metadata_text"].get(), json!(metadata).to_string());
                for field in ["id", "type", "return_uri", "status", "last_digits", "registered_at", "failure_code"] {
                    prop_assert_eq!(row[field].get(), account[field].to_string());
                }
            }
        }
    }
}
