//! The audit log: one Durable Object a UTC day, to which every customer's object gives what its own audit has of that day.
//!
//! Entries come in batches, within a minute, and more than once where an answer was lost: customer, incarnation and number say which are
//! there already. They name customers by a keyed pseudonym beside the subject, so that a customer can be erased and the trail stay.

use js_sys::Array;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::common::{
    answer::Failure,
    panic,
    platform::Storage,
    storage::{Sql, Stored, Tables, number, optional, statements},
};

/// The tables, made by the first entry.
pub(crate) const SCHEMA: Sql = Sql::new(
    "CREATE TABLE IF NOT EXISTS entries (
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       customer TEXT NOT NULL,
       subject TEXT,
       incarnation TEXT NOT NULL,
       seq INTEGER NOT NULL,
       at INTEGER NOT NULL,
       request_id TEXT NOT NULL,
       actor TEXT,
       action TEXT NOT NULL,
       link TEXT,
       outcome TEXT NOT NULL,
       UNIQUE (customer, incarnation, seq)
     ) STRICT;
     CREATE TRIGGER IF NOT EXISTS entries_are_not_changed
     BEFORE UPDATE OF id, customer, incarnation, seq, at, request_id, action, link, outcome ON entries BEGIN
       SELECT raise(ABORT, 'the audit is append-only');
     END;
     CREATE TRIGGER IF NOT EXISTS entries_are_not_deleted BEFORE DELETE ON entries BEGIN
       SELECT raise(ABORT, 'the audit is append-only');
     END;",
);

statements! {
    HAS_ENTRIES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'entries'";
    APPEND = "INSERT INTO entries (customer, subject, incarnation, seq, at, request_id, actor, action, link, outcome)
              SELECT ?1, ?2, ?3, value ->> 'seq', value ->> 'at', value ->> 'request_id', value ->> 'actor',
                value ->> 'action', value ->> 'link', value ->> 'outcome'
              FROM json_each(?4) WHERE true ON CONFLICT DO NOTHING";
    PAGE = "SELECT id, json_object('object', 'audit_entry', 'id', incarnation || '-' || seq,
              'at', strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000, 'unixepoch'), 'request_id', request_id,
              'customer', nullif(customer, ''), 'subject', subject, 'actor', actor, 'action', action,
              'linked_account', link, 'outcome', outcome) AS entry
            FROM entries WHERE id < coalesce(?1, 9007199254740991) ORDER BY id DESC LIMIT ?2";
}

/// Adds entries, a JSON array of them; says why it could not.
#[wasm_bindgen(js_name = auditAppend)]
#[allow(clippy::needless_pass_by_value)] // as JavaScript hands it over
pub fn append(
    storage: Storage,
    customer: &str,
    subject: Option<String>,
    incarnation: &str,
    rows: &str,
) -> Option<String> {
    panic::hook();
    let tables = Tables::new(storage);
    let values = [customer.into(), optional(subject.as_deref()), incarnation.into(), rows.into()];
    let outcome = tables.transaction(|| {
        tables.run(SCHEMA, &[])?;
        tables.run(APPEND, &values)
    });
    outcome.err().map(Failure::into_log)
}

/// A page of entries, newest first: rows with `id` and `entry`, or a text that says why there is none.
#[wasm_bindgen(js_name = auditPage)]
pub fn page(storage: Storage, before: Option<f64>, limit: u32) -> JsValue {
    panic::hook();
    let read = || -> Stored<Array> {
        let tables = Tables::new(storage);
        // nothing is made by looking
        if tables.first(HAS_ENTRIES, &[])?.is_none() {
            return Ok(Array::new());
        }
        tables.rows(PAGE, &[before.map_or(JsValue::NULL, JsValue::from_f64), number(limit.into())])
    };
    read().map_or_else(|failure| failure.into_log().into(), JsValue::from)
}
