//! The database of a Durable Object, statement by statement and column by column.
//!
//! Statements run at once, and nothing comes between two of one synchronous block: what is asked is still so when it is written.

use js_sys::{Array, JsString, Reflect};
use omise_linked_accounts::Reason;
use wasm_bindgen::{JsCast, JsValue};

use super::{
    answer::Failure,
    context::Millis,
    platform::{SqlStorage, Storage},
};

/// The text of a statement. Only `statements!` makes one, so the lists `ALL` are complete: `tests/worker/plans.spec.ts` checks the plan
/// of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sql(&'static str);

impl Sql {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self(text)
    }

    #[cfg(test)]
    pub(crate) const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Declares statements, and lists them for the tests.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        $($(#[$doc])* pub(crate) const $name: Sql = Sql::new($text);)*

        /// Every statement, by name.
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, Sql)] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use statements;

/// An object's tables.
pub(crate) struct Tables {
    storage: Storage,
    sql: SqlStorage,
}

/// A row of an answer.
pub(crate) struct Row(pub(crate) JsValue);

pub(crate) type Stored<T> = Result<T, Failure>;

impl Tables {
    pub(crate) fn new(storage: Storage) -> Self {
        Self { sql: storage.sql(), storage }
    }

    /// Runs a statement; its rows, as JavaScript has them. `?1` is the first of the values.
    pub(crate) fn rows(&self, sql: Sql, values: &[JsValue]) -> Stored<Array> {
        let cursor = self.sql.exec(sql.0, values.iter().collect()).map_err(broken)?;
        cursor.to_array().map_err(broken)
    }

    /// Runs a statement; its rows.
    pub(crate) fn all(&self, sql: Sql, values: &[JsValue]) -> Stored<Vec<Row>> {
        Ok(self.rows(sql, values)?.iter().map(Row).collect())
    }

    /// Runs a statement; its first row.
    pub(crate) fn first(&self, sql: Sql, values: &[JsValue]) -> Stored<Option<Row>> {
        Ok(self.all(sql, values)?.into_iter().next())
    }

    /// Runs a statement that gives no rows, or several that take no values.
    ///
    /// Rows are read to the end all the same: a statement that is not ended keeps the object from committing anything.
    pub(crate) fn run(&self, sql: Sql, values: &[JsValue]) -> Stored<()> {
        self.rows(sql, values).map(drop)
    }

    /// Does `work` within a transaction: as a whole, or, where it fails or dies, not at all.
    pub(crate) fn transaction<T>(&self, mut work: impl FnMut() -> Stored<T>) -> Stored<T> {
        let mut outcome = None;
        let mut has_begun = false;
        let ended = self.storage.transaction(&mut || {
            has_begun = true;
            let done = work();
            let failed = done.is_err();
            outcome = Some(done);
            // what is thrown rolls back
            if failed { Err(JsValue::UNDEFINED) } else { Ok(()) }
        });
        match (outcome, ended) {
            // thrown through Rust's frames: the instance is not to be trusted any more
            (None, Err(error)) if has_begun => wasm_bindgen::throw_val(error),
            (Some(Ok(_)) | None, Err(error)) => Err(broken(error)),
            (Some(done), _) => done,
            (None, Ok(_)) => Err(broken(JsValue::UNDEFINED)),
        }
    }

    /// Sets the object's alarm, in place of the one that was set before.
    pub(crate) fn set_alarm(&self, at: Millis) -> Stored<()> {
        // not awaited: it is written with what else the turn writes
        self.storage.set_alarm(as_number(at)).map(drop).map_err(broken)
    }
}

impl Row {
    /// A column that is TEXT and not null.
    pub(crate) fn text(&self, column: &'static str) -> Stored<String> {
        self.optional_text(column)?.ok_or_else(|| corrupt(column))
    }

    pub(crate) fn optional_text(&self, column: &'static str) -> Stored<Option<String>> {
        let value = self.get(column)?;
        if value.is_null() { Ok(None) } else { value.as_string().map(Some).ok_or_else(|| corrupt(column)) }
    }

    /// A column that is INTEGER, not negative and not null.
    pub(crate) fn number(&self, column: &'static str) -> Stored<u64> {
        self.optional_number(column)?.ok_or_else(|| corrupt(column))
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // integers come as doubles
    pub(crate) fn optional_number(&self, column: &'static str) -> Stored<Option<u64>> {
        let value = self.get(column)?;
        if value.is_null() {
            return Ok(None);
        }
        value.as_f64().filter(|number| *number >= 0.0).map(|number| Some(number as u64)).ok_or_else(|| corrupt(column))
    }

    fn get(&self, column: &'static str) -> Stored<JsValue> {
        Reflect::get(&self.0, &column.into()).ok().filter(|value| !value.is_undefined()).ok_or_else(|| corrupt(column))
    }
}

/// Numbers are bound as doubles; milliseconds stay exact in them for 285,000 years.
pub(crate) fn number(value: u64) -> JsValue {
    JsValue::from_f64(as_number(value))
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn as_number(value: u64) -> f64 {
    value as f64
}

/// A value that may be null.
pub(crate) fn optional(value: Option<&str>) -> JsValue {
    value.map_or(JsValue::NULL, JsValue::from_str)
}

/// A row that is not as the tables say.
pub(crate) fn corrupt(column: &str) -> Failure {
    Failure::new(Reason::Internal).with_log(format!("ledger: {column} cannot be read"))
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` hands it over
fn broken(error: JsValue) -> Failure {
    // SQLite's own text names tables and columns, never bound values
    let text = error.dyn_ref::<js_sys::Error>().map(js_sys::Error::message);
    let text = text.or_else(|| error.dyn_ref::<JsString>().cloned()).map(String::from).unwrap_or_default();
    Failure::new(Reason::LedgerUnavailable).with_retry_after(1).with_log(format!("ledger: {text}"))
}
