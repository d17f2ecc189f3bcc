//! Facts for other languages: the TypeScript tests read them from `target/facts/worker.json`.

use std::{cell::RefCell, collections::BTreeSet, fs, path::Path};

use omise_linked_accounts::Reason;
use serde_json::{Map, Value, json};

use crate::{
    audit_log,
    common::{
        answer::{Answer, Failure},
        settings::Settings,
        storage::Sql,
    },
    customer,
    edge::{self, Route, is_idempotency_key, respond},
};

#[test]
fn facts_are_written() {
    let facts = json!({
        "routes": routes(),
        "settings": settings(),
        "tables": {
            "customer": tables(customer::sql::SCHEMA, customer::sql::ALL),
            "audit_log": tables(audit_log::SCHEMA, audit_log::ALL),
        },
        "idempotency_key": idempotency_key(),
        "internal": internal(),
    });
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/facts");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("worker.json"), format!("{facts:#}\n")).unwrap();
}

/// The tables of a kind of object, and every statement on them.
fn tables(schema: Sql, all: &[(&str, Sql)]) -> Value {
    let statement = |(name, sql): &(&str, Sql)| json!({ "name": name, "text": sql.as_str() });
    json!({ "schema": schema.as_str(), "statements": all.iter().map(statement).collect::<Vec<_>>() })
}

/// Each path with the methods that it takes.
fn routes() -> Vec<Value> {
    const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
    edge::templates()
        .map(|template| {
            let taken = |method: &&str| Route::find(method, template).is_ok();
            json!({ "path": template, "methods": METHODS.into_iter().filter(taken).collect::<Vec<_>>() })
        })
        .collect()
}

/// Each setting that is read, and whether the Worker serves without it.
fn settings() -> Vec<Value> {
    let asked = RefCell::new(BTreeSet::new());
    let read = |value: Option<&str>| {
        let record = |name: &str| {
            asked.borrow_mut().insert(name.to_owned());
            value.map(str::to_owned)
        };
        Settings::read(record).unwrap_err()
    };
    let missing: BTreeSet<String> = read(None).into_iter().map(|issue| issue.field).collect();
    // a setting may be read only where another is set
    read(Some("x"));
    asked.take().iter().map(|name| json!({ "name": name, "optional": !missing.contains(name) })).collect()
}

/// The lengths and the characters that an `Idempotency-Key` may have.
fn idempotency_key() -> Value {
    let lengths: Vec<usize> = (0..1_000).filter(|length| is_idempotency_key(&"k".repeat(*length))).collect();
    let (first, last) = (lengths[0], lengths[lengths.len() - 1]);
    assert_eq!(lengths.len(), last - first + 1, "the lengths have no gap");
    let characters: String = ('\0'..='\u{ff}').filter(|c| is_idempotency_key(&c.to_string())).collect();
    json!({ "min_length": first, "max_length": last, "characters": characters })
}

/// The answer to a request that met a defect, without what differs each time: `rescue.js` repeats it.
fn internal() -> Value {
    let answer = Answer::of(Err(Failure::new(Reason::Internal)), "");
    let headers = respond::headers(&answer, "", "", Some("https://shop.example"), false);
    let mut headers: Map<String, Value> = headers
        .as_str()
        .lines()
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.into()))
        .collect();
    let mut body: Value = serde_json::from_str(&answer.body.unwrap()).unwrap();
    for changing in ["server-timing", "x-request-id"] {
        headers.remove(changing).unwrap();
    }
    body.as_object_mut().unwrap().remove("request_id").unwrap();
    json!({ "status": answer.status, "headers": headers, "body": body })
}
